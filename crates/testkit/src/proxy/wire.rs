//! One end of a connection, and how bytes go from one end to the other.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::{Direction, Fault, State};

/// How often a connection that is still looks whether it is to be cut.
const TICK: Duration = Duration::from_millis(20);

/// What a slow network takes at a time.
const SLOW_PIECE: usize = 4096;

/// One end. Reading gives what came from there; writing sends to there, as far as the fault lets it.
#[derive(Clone)]
pub(super) struct Wire {
    stream: Arc<TcpStream>,
    direction: Direction,
    state: Arc<State>,
    born: u64,
    written: Arc<AtomicU64>,
    is_reset: Arc<AtomicBool>,
}

impl Wire {
    /// Around a connection; `direction` is the one of what is written to it.
    pub(super) fn new(stream: TcpStream, direction: Direction, state: &Arc<State>) -> Self {
        let _ = stream.set_nodelay(true);
        stream.set_read_timeout(Some(TICK)).unwrap();
        stream.set_write_timeout(Some(TICK)).unwrap();
        let born = state.cuts.load(Ordering::SeqCst);
        let (stream, state) = (Arc::new(stream), Arc::clone(state));
        Self { stream, direction, state, born, written: Arc::default(), is_reset: Arc::default() }
    }

    /// Ends it without a word: the other side hears of a reset once nobody holds it any more.
    pub(super) fn reset(&self) {
        let _ = rustix::net::sockopt::set_socket_linger(&*self.stream, Some(Duration::ZERO));
        self.is_reset.store(true, Ordering::SeqCst);
    }

    /// Says that no more bytes come.
    pub(super) fn finish(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn ensure_whole(&self) -> io::Result<()> {
        if self.is_reset.load(Ordering::SeqCst) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if self.state.cuts.load(Ordering::SeqCst) == self.born {
            return Ok(());
        }
        self.state.note("cut".to_owned());
        Err(ErrorKind::ConnectionReset.into())
    }

    fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.ensure_whole()?;
            match (&*self.stream).write(bytes) {
                Err(error) if is_tick(&error) => {}
                Err(error) => return Err(error),
                Ok(sent) => {
                    self.written.fetch_add(sent as u64, Ordering::SeqCst);
                    bytes = &bytes[sent..];
                }
            }
        }
        Ok(())
    }

    fn send_slowly(&self, bytes: &[u8], rate: u64) -> io::Result<()> {
        for piece in bytes.chunks(SLOW_PIECE) {
            self.send(piece)?;
            thread::sleep(Duration::from_micros(piece.len() as u64 * 1_000_000 / rate.max(1)));
        }
        Ok(())
    }

    fn send_up_to(&self, bytes: &[u8], limit: u64) -> io::Result<()> {
        let left = limit.saturating_sub(self.written.load(Ordering::SeqCst));
        if left >= bytes.len() as u64 {
            return self.send(bytes);
        }
        self.send(&bytes[..usize::try_from(left).unwrap()])?;
        self.state.note("cut after some bytes".to_owned());
        Err(ErrorKind::ConnectionReset.into())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.ensure_whole()?;
            match (&*self.stream).read(buffer) {
                Err(error) if is_tick(&error) => {}
                read => return read,
            }
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while self.state.fault() == Fault::BlackHole {
            self.ensure_whole()?;
            thread::sleep(TICK);
        }
        match self.state.fault() {
            Fault::CutAfter(direction, limit) if direction == self.direction => self.send_up_to(bytes, limit),
            Fault::Throttle(rate) => self.send_slowly(bytes, rate),
            Fault::Delay(time) => {
                thread::sleep(time);
                self.send(bytes)
            }
            _ => self.send(bytes),
        }?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_tick(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Passes everything in both directions until both have ended.
pub(super) fn pass(client: &Wire, server: &Wire) -> io::Result<()> {
    both(|| pass_on(client, server), || pass_on(server, client), client, server)
}

/// Runs both directions of a connection. One that fails takes the other with it.
pub(super) fn both(
    up: impl FnOnce() -> io::Result<()> + Send,
    down: impl FnOnce() -> io::Result<()> + Send,
    client: &Wire,
    server: &Wire,
) -> io::Result<()> {
    let ended = |result: io::Result<()>| {
        if result.is_err() {
            client.reset();
            server.reset();
        }
        result
    };
    thread::scope(|scope| {
        let down = scope.spawn(|| ended(down()));
        let up = ended(up());
        up.and(down.join().unwrap())
    })
}

/// Passes what comes from one end to the other.
pub(super) fn pass_on(from: &Wire, to: &Wire) -> io::Result<()> {
    let (mut from, mut to) = (from.clone(), to.clone());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => {
                to.finish();
                return Ok(());
            }
            read => to.write_all(&buffer[..read])?,
        }
    }
}
