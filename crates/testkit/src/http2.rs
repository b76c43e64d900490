//! HTTP/2 frames by hand (RFC 9113), for clients that break its manners: prior knowledge over plain TCP.

use std::io;
use std::net::SocketAddr;

use crate::RawConnection;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types of section 6.
pub mod frame {
    /// Bytes of a body.
    pub const DATA: u8 = 0;
    /// A request's or reply's header block, or its start.
    pub const HEADERS: u8 = 1;
    /// A stream is given up.
    pub const RST_STREAM: u8 = 3;
    /// Parameters of a connection.
    pub const SETTINGS: u8 = 4;
    /// Proof of life.
    pub const PING: u8 = 6;
    /// The connection will end.
    pub const GOAWAY: u8 = 7;
    /// More of a header block.
    pub const CONTINUATION: u8 = 9;
}

/// Frame flags of section 6.
pub mod flag {
    /// The sender's half of the stream ends.
    pub const END_STREAM: u8 = 1;
    /// The header block ends.
    pub const END_HEADERS: u8 = 4;
    /// On SETTINGS and PING: an answer.
    pub const ACK: u8 = 1;
}

/// A frame that was read.
#[derive(Debug)]
pub struct Frame {
    /// See [`frame`].
    pub kind: u8,
    /// See [`flag`].
    pub flags: u8,
    /// 0 for the connection itself.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// The bytes of a frame.
pub fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block of literal fields without indexing or Huffman coding (RFC 7541, section 6.2.2). Values under 127 bytes.
pub fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "longer texts need a longer length prefix");
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// A connection past the preface and both sides' first SETTINGS.
pub fn connect(address: SocketAddr) -> io::Result<RawConnection> {
    let mut connection = RawConnection::connect(address)?;
    connection.send(PREFACE)?;
    connection.send(&encode(frame::SETTINGS, 0, 0, &[]))?;
    let first = read_frame(&mut connection)?;
    assert_eq!(first.kind, frame::SETTINGS, "a server begins with SETTINGS: {first:?}");
    connection.send(&encode(frame::SETTINGS, flag::ACK, 0, &[]))?;
    Ok(connection)
}

/// Reads the next frame.
pub fn read_frame(connection: &mut RawConnection) -> io::Result<Frame> {
    let mut head = [0; 9];
    connection.read_all(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    connection.read_all(&mut payload)?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok(Frame { kind: head[3], flags: head[4], stream, payload })
}

/// Reads on until the server says GOAWAY or ends the connection; false if it does neither before reads time out.
pub fn is_dismissed(connection: &mut RawConnection) -> bool {
    loop {
        match read_frame(connection) {
            Ok(frame) if frame.kind == frame::GOAWAY => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
            }
        }
    }
}
