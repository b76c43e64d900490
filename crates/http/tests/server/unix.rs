//! Unix sockets.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use berth_http::server::{ListenAddress, Server, ServerError, ServerSettings};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::running::*;

fn listening_at(path: &Path) -> ServerSettings {
    let trusted_proxies = vec!["unix".parse().unwrap()];
    ServerSettings { listen: vec![ListenAddress::Unix(path.to_owned())], trusted_proxies, ..settings() }
}

fn bind(path: &Path) -> Result<(), ServerError> {
    let handler = |_| async { unreachable!() };
    Server::bind(listening_at(path), Arc::new(handler)).map(drop)
}

async fn ask(path: &Path) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    let request = b"GET /origin HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    stream.write_all(request).await.unwrap();
    read_to_end(&mut stream).await
}

#[tokio::test]
async fn a_socket_is_served_guarded_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("berth.sock");
    let running = Running::start(listening_at(&path));
    assert_eq!(running.urls, [format!("unix:{}", path.display())]);
    assert!(ask(&path).await.contains("client=1.2.3.4 base=none peer=none"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(bind(&path).is_err(), "a socket in use is not taken");
    assert!(ask(&path).await.contains("peer=none"));
    patiently(running.stop()).await.unwrap().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("berth.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let running = Running::start(listening_at(&path));
    assert!(ask(&path).await.contains("peer=none"));
    patiently(running.stop()).await.unwrap().unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(bind(&path), Err(ServerError::Bind { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}
