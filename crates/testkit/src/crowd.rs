//! Crowds: thousands of connections that do little each, all driven by the thread that asks for it.
//!
//! A crowd must cost its machine next to nothing, or it would be the crowd that is measured and not the server: a turn is a
//! system call or two for each member.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::within;

/// What the kernel keeps of a reply for a member who sips: as little as it agrees to.
const SMALL_WINDOW: usize = 4096;
const LARGE_WINDOW: usize = 1024 * 1024;
/// How much of what a member heard is kept.
const REMEMBERED: usize = 64;

/// What a member does after it has sent its opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Reads what comes, and sends nothing more.
    Waits,
    /// Sends one byte each turn, and reads what comes.
    Drips,
    /// Reads so many bytes each turn, through the smallest window there is.
    Sips(usize),
}

/// Very many connections to one server.
#[derive(Debug)]
pub struct Crowd {
    manner: Manner,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    socket: TcpStream,
    unsent: Vec<u8>,
    heard: Vec<u8>,
    received: u64,
    has_ended: bool,
}

impl Crowd {
    /// Connects so many members, each of which sends what `opening` gives for its number as far as the server takes it.
    pub fn gather(address: SocketAddr, count: usize, manner: Manner, opening: impl Fn(usize) -> Vec<u8>) -> Self {
        let member = |number| {
            let socket = connected(address, manner).expect("the server takes connections");
            Member { socket, unsent: opening(number), heard: Vec::new(), received: 0, has_ended: false }
        };
        let mut crowd = Self { manner, members: Vec::with_capacity(count) };
        for number in 0..count {
            crowd.members.push(member(number));
            crowd.members[number].send();
        }
        crowd
    }

    /// Lets every member whose connection is open do what it does.
    pub fn turn(&mut self) {
        let manner = self.manner;
        for member in self.members.iter_mut().filter(|member| !member.has_ended) {
            if manner == Manner::Drips && member.unsent.is_empty() {
                member.unsent.push(b'x');
            }
            member.send();
            member.receive(if let Manner::Sips(bytes) = manner { bytes } else { usize::MAX });
        }
    }

    /// Puts a new member into the place of each that was ended.
    pub fn replace_ended(&mut self, address: SocketAddr, opening: impl Fn(usize) -> Vec<u8>) {
        let ended: Vec<usize> = (0..self.count()).filter(|&number| self.members[number].has_ended).collect();
        let mut new = Self::gather(address, ended.len(), self.manner, |nth| opening(ended[nth]));
        for (number, member) in ended.into_iter().zip(new.members.drain(..)) {
            self.members[number] = member;
        }
    }

    /// How many were ended by the server, as far as they know.
    pub fn ended(&self) -> usize {
        self.members.iter().filter(|member| member.has_ended).count()
    }

    /// How many heard a status line with this status first.
    pub fn heard(&self, status: u16) -> usize {
        let line = format!("HTTP/1.1 {status} ");
        self.members.iter().filter(|member| member.heard.starts_with(line.as_bytes())).count()
    }

    /// How many are members.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Reads all that is on its way to anybody until the server has ended every connection, or for so long. True if all ended.
    pub fn read_to_the_end(&mut self, patience: Duration) -> bool {
        for member in &self.members {
            // What is left comes in large pieces, also to those who sipped.
            let _ = sockopt::set_socket_recv_buffer_size(&member.socket, LARGE_WINDOW);
        }
        within(patience, || {
            for member in self.members.iter_mut().filter(|member| !member.has_ended) {
                member.receive(usize::MAX);
            }
            self.ended() == self.count()
        })
    }

    /// The most bytes that any member received.
    pub fn most_received(&self) -> u64 {
        self.members.iter().map(|member| member.received).max().unwrap_or(0)
    }
}

impl Member {
    fn send(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // What the server said before it closed may still be read.
                Err(_) => return self.unsent.clear(),
            }
        }
    }

    fn receive(&mut self, most: usize) {
        let (mut left, mut buffer) = (most, [0; 16 * 1024]);
        while left > 0 {
            let room = left.min(buffer.len());
            match self.socket.read(&mut buffer[..room]) {
                Ok(0) => return self.has_ended = true,
                Ok(read) => {
                    let missing = REMEMBERED - self.heard.len().min(REMEMBERED);
                    self.heard.extend_from_slice(&buffer[..read.min(missing)]);
                    self.received += read as u64;
                    left -= read;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.has_ended = true,
            }
        }
    }
}

fn connected(address: SocketAddr, manner: Manner) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket: OwnedFd = socket(family, SocketType::STREAM, None)?;
    if let Manner::Sips(_) = manner {
        sockopt::set_socket_recv_buffer_size(&socket, SMALL_WINDOW)?;
    }
    connect(&socket, &address)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Lets this process have as many files open as the system allows it, and gives that number.
pub fn raise_file_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the soft limit of open files can be raised to the hard one");
    limit.maximum.unwrap_or(u64::MAX)
}
