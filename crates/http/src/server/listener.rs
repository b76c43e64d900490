//! Sockets that wait for clients.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::address::ListenAddress;
use super::settings::ServerError;
use super::transport::Transport;

/// Connections that the kernel keeps until we take them.
const BACKLOG: u32 = 1024;

/// Who may connect to a Unix socket: its owner and group.
const SOCKET_MODE: u32 = 0o660;

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, removed when the server goes.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Listener {
    pub(crate) fn bind(address: &ListenAddress) -> Result<Self, ServerError> {
        let bound = match address {
            ListenAddress::Tcp(text) => bind_tcp(text),
            ListenAddress::Unix(path) => bind_unix(path),
        };
        bound.map_err(|source| ServerError::Bind { address: address.clone(), source })
    }

    /// Waits for the next client. `None` as its address means a Unix socket.
    pub(crate) async fn accept(&self) -> io::Result<(Transport, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener, _) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Transport::Tcp(stream), Some(peer.ip().to_canonical())))
            }
            Self::Unix(listener, _) => Ok((Transport::Unix(listener.accept().await?.0), None)),
        }
    }

    /// The URL that reaches this socket.
    pub(crate) fn url(&self, tls: bool) -> String {
        match self {
            Self::Tcp(_, address) => format!("{}://{address}", if tls { "https" } else { "http" }),
            Self::Unix(_, file) => format!("unix:{}", file.path.display()),
        }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, address) => Some(*address),
            Self::Unix(..) => None,
        }
    }
}

/// Takes the first address that the name stands for and that is free.
fn bind_tcp(text: &str) -> io::Result<Listener> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name stands for no address");
    for address in text.to_socket_addrs()? {
        match bind_address(address) {
            Ok(listener) => {
                let address = listener.local_addr()?;
                return Ok(Listener::Tcp(listener, address));
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn bind_address(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server takes its port again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The socket gets its mode under another name, so that it is never open to all; the rename also replaces a stale one.
fn bind_unix(path: &Path) -> io::Result<Listener> {
    refuse_if_in_use(path)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(name);
    let _ = std::fs::remove_file(&temporary);
    let listener = UnixListener::bind(&temporary)?;
    let file = publish(&temporary, path).inspect_err(|_| {
        let _ = std::fs::remove_file(&temporary);
    })?;
    Ok(Listener::Unix(listener, file))
}

fn refuse_if_in_use(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is in the way"))
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
        },
    }
}

fn publish(temporary: &Path, path: &Path) -> io::Result<SocketFile> {
    std::fs::set_permissions(temporary, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    std::fs::rename(temporary, path)?;
    let metadata = std::fs::symlink_metadata(path)?;
    Ok(SocketFile { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() })
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
