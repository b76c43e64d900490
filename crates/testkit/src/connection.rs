//! A connection that sends any bytes and reads replies strictly.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::reply::{Head, Reply, read_body, read_head};

/// A reply that takes longer than this is taken for a hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// One TCP connection, blocking.
#[derive(Debug)]
pub struct RawConnection {
    reader: BufReader<TcpStream>,
}

impl RawConnection {
    /// Connects.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::with_capacity(64 * 1024, stream) })
    }

    /// Changes how long a read may take.
    pub fn read_timeout(&mut self, patience: Duration) {
        self.reader.get_ref().set_read_timeout(Some(patience)).unwrap();
    }

    /// Bounds what the kernel takes of what is sent before it has arrived.
    pub fn send_buffer(&mut self, bytes: usize) {
        rustix::net::sockopt::set_socket_send_buffer_size(self.reader.get_ref(), bytes).unwrap();
    }

    /// Writes these bytes and nothing else.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_ref().write_all(bytes)
    }

    /// Writes these bytes, or gives up when the other side takes none for so long.
    pub fn send_within(&mut self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        self.reader.get_ref().set_write_timeout(Some(patience))?;
        self.send(bytes)
    }

    /// Writes one chunk of a chunked body; an empty one ends it.
    pub fn send_chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        self.send(bytes)?;
        self.send(b"\r\n")
    }

    /// Says that no more bytes come.
    pub fn finish_writing(&mut self) -> io::Result<()> {
        self.reader.get_ref().shutdown(Shutdown::Write)
    }

    /// Reads one whole reply to a request of this method; informational ones are passed over.
    pub fn read_reply(&mut self, method: &str) -> io::Result<Reply> {
        let mut body = Vec::new();
        let (reply, _) = self.read_reply_into(method, &mut body)?;
        Ok(Reply { body, ..reply })
    }

    /// Reads one reply, its body into the sink; gives the reply without the body, and the body's length in bytes.
    pub fn read_reply_into(&mut self, method: &str, sink: &mut impl Write) -> io::Result<(Reply, u64)> {
        let head = self.read_final_head()?;
        let length = read_body(&mut self.reader, method, &head, sink)?;
        Ok((Reply { status: head.status, headers: head.headers, body: Vec::new() }, length))
    }

    /// Reads bytes as they are.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }

    /// Fills the buffer with bytes as they are.
    pub fn read_all(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(buffer)
    }

    /// Whether the server ends this connection before it sends anything more, or within the patience given.
    pub fn is_closed_within(&mut self, patience: Duration) -> bool {
        self.read_timeout(patience);
        match self.reader.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    /// Whether bytes or the end wait to be read. Does not block.
    pub fn has_news(&mut self) -> bool {
        let stream = self.reader.get_ref();
        stream.set_nonblocking(true).unwrap();
        let peeked = stream.peek(&mut [0; 1]);
        stream.set_nonblocking(false).unwrap();
        !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    fn read_final_head(&mut self) -> io::Result<Head> {
        loop {
            let head = read_head(&mut self.reader)?;
            if head.status >= 200 {
                return Ok(head);
            }
        }
    }
}
