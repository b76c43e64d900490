//! Several listeners of one server.

use std::sync::Arc;

use berth_http::server::{Handler, ListenAddress, ListenerSettings, ResponseBody, Server, ServerError};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::running::*;

pub fn named(name: &str) -> ListenerSettings {
    let listen = vec![ListenAddress::Tcp("127.0.0.1:0".to_owned())];
    ListenerSettings { name: Some(name.into()), listen, ..ListenerSettings::default() }
}

const FORWARDED: &str = "GET /origin HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";

async fn ask(running: &Running, which: usize) -> String {
    let mut stream = TcpStream::connect(running.addresses[which]).await.unwrap();
    stream.write_all(FORWARDED.as_bytes()).await.unwrap();
    read_to_end(&mut stream).await
}

#[tokio::test]
async fn each_has_its_name_its_proxies_and_its_url() {
    let trusting = ListenerSettings { trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..named("inner") };
    let public = ListenerSettings { public_url: Some("https://outer.example/".to_owned()), ..named("outer") };
    let running = Running::start_all(settings(), vec![trusting, public]);
    let table = [
        "client=127.0.0.1 base=none peer=127.0.0.1 tls=false id=.* listener=none",
        "client=1.2.3.4 base=none peer=127.0.0.1 tls=false id=.* listener=inner",
        "client=127.0.0.1 base=https://outer.example peer=127.0.0.1 tls=false id=.* listener=outer",
    ];
    for (which, expected) in table.into_iter().enumerate() {
        let reply = ask(&running, which).await;
        let (begin, end) = expected.split_once(".*").unwrap();
        assert!(reply.contains(begin) && reply.contains(end), "{which}: {reply}");
    }
}

#[tokio::test]
async fn each_has_its_handler_and_all_end_together() {
    let own: Arc<dyn Handler> = Arc::new(|_| async { http::Response::new(ResponseBody::from("the other")) });
    let main: Arc<dyn Handler> = Arc::new(|_| async { http::Response::new(ResponseBody::from("the main one")) });
    let server = Server::bind_all(settings(), main, vec![(named("other"), own)]).unwrap();
    let addresses = server.local_addrs();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let done = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    for (address, expected) in addresses.iter().zip(["the main one", "the other"]) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(FORWARDED.as_bytes()).await.unwrap();
        assert!(read_to_end(&mut stream).await.ends_with(expected));
    }
    let _ = stop.send(());
    patiently(done).await.unwrap().unwrap();
    for address in addresses {
        assert!(TcpStream::connect(address).await.is_err(), "{address}");
    }
}

#[tokio::test]
async fn the_limit_on_connections_is_for_all_together() {
    let limited = berth_http::server::ServerSettings { max_connections: 1, ..settings() };
    let running = Running::start_all(limited, vec![named("other")]);
    let mut first = TcpStream::connect(running.addresses[0]).await.unwrap();
    first.write_all(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_reply(&mut first).await), 200);
    assert_eq!(status(&ask(&running, 1).await), 503);
}

#[tokio::test]
async fn a_listener_without_an_address_is_refused() {
    let handler: Arc<dyn Handler> = Arc::new(|_| async { unreachable!() });
    let none = ListenerSettings { listen: Vec::new(), ..named("none") };
    let refused = Server::bind_all(settings(), Arc::clone(&handler), vec![(none, handler)]);
    assert!(matches!(refused, Err(ServerError::NoAddress)));
}
