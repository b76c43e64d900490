//! Taking a header from a connection, and not a byte more.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{LONGEST, Reading, Source, parse};

/// How long the rest of a header is waited for before it is looked at again. Proxies send it in one piece.
const LOOK: Duration = Duration::from_millis(10);

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer took too long.
    #[error("a PROXY header did not come in time")]
    Late,
    /// It was sent, and is wrong.
    #[error("a PROXY header is refused: {0}")]
    Malformed(&'static str),
}

/// Takes the header that a connection begins with; `None` where it begins otherwise, and then every byte is still there.
pub(crate) async fn read(stream: &mut TcpStream, longest: Duration) -> Result<Option<Source>, ProxyError> {
    timeout(longest, take(stream)).await.map_err(|_| ProxyError::Late)?
}

async fn take(stream: &mut TcpStream) -> Result<Option<Source>, ProxyError> {
    let mut buffer = vec![0; LONGEST];
    loop {
        // Looked at first: what is no header belongs to whoever reads the connection next.
        let there = stream.peek(&mut buffer).await?;
        if there == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match parse(buffer.get(..there).unwrap_or_default()) {
            Reading::Complete { source, length } => {
                stream.read_exact(buffer.get_mut(..length).unwrap_or_default()).await?;
                return Ok(Some(source));
            }
            Reading::Incomplete => sleep(LOOK).await,
            Reading::Absent => return Ok(None),
            Reading::Malformed(why) => return Err(ProxyError::Malformed(why)),
        }
    }
}
