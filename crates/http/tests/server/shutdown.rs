//! The end of a server.

use berth_http::server::ServerSettings;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::running::*;

#[tokio::test]
async fn requests_under_way_are_finished_and_idle_connections_closed() {
    let mut running = Running::start(settings());
    let (address, go_on) = (running.address, running.go_on.clone());
    let mut idle = running.connect().await;
    idle.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_reply(&mut idle).await;
    let mut fresh = running.connect().await;
    let mut busy = running.connect().await;
    assert_eq!(running.event().await, Event::Began("/hello".into()));
    busy.write_all(b"PUT /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert_eq!(running.event().await, Event::Began("/wait".into()));

    let done = running.stop();
    assert_eq!(read_to_end(&mut idle).await, "");
    assert_eq!(read_to_end(&mut fresh).await, "");
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!done.is_finished());
    go_on.notify_one();
    let reply = read_to_end(&mut busy).await;
    assert!(reply.ends_with("waited"), "{reply}");
    assert_eq!(header(&reply, "connection"), Some("close"));
    patiently(done).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let mut running = Running::start(ServerSettings { shutdown_timeout: SHORT, ..settings() });
    let mut busy = running.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(running.event().await, Event::Began("/wait".into()));
    let done = running.stop();
    assert_eq!(read_to_end(&mut busy).await, "");
    patiently(done).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_change_is_finished_though_its_client_is_gone() {
    let mut running = Running::start(settings());
    let mut stream = running.connect().await;
    stream.write_all(b"PUT /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert_eq!(running.event().await, Event::Began("/wait".into()));
    drop(stream);
    let go_on = running.go_on.clone();
    let done = running.stop();
    tokio::time::sleep(SHORT).await;
    assert!(!done.is_finished(), "the handler still works");
    go_on.notify_one();
    patiently(done).await.unwrap().unwrap();
}
