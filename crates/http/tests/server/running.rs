//! A running server, and a client that speaks bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use berth_http::server::{BodyError, ClientOrigin, ConnectionInfo, RequestBody, RequestId, ResponseBody, RouteLabel};
use berth_http::server::{ClientCertificate, FileSlice, Handler, ListenAddress, ListenerName, ListenerSettings};
use berth_http::server::{Server, ServerError, ServerSettings};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Whatever takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// A limit that a test waits for.
pub const SHORT: Duration = Duration::from_millis(200);

/// Fails the test where the future hangs.
pub async fn patiently<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("this does not hang")
}

/// What the test's handler has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A handler began.
    Began(String),
    /// A body was read so far, and ended so.
    Read(u64, Option<BodyError>),
    /// The endless reply was given up.
    ReplyDropped,
}

pub struct Running {
    pub address: SocketAddr,
    /// Those of all listeners, that of the default one first.
    pub addresses: Vec<SocketAddr>,
    pub urls: Vec<String>,
    pub events: mpsc::UnboundedReceiver<Event>,
    /// Lets `/wait` go on.
    pub go_on: Arc<Notify>,
    stop: oneshot::Sender<()>,
    done: JoinHandle<Result<(), ServerError>>,
}

pub fn settings() -> ServerSettings {
    ServerSettings { listen: vec![ListenAddress::Tcp("127.0.0.1:0".into())], ..ServerSettings::default() }
}

impl Running {
    pub fn start(settings: ServerSettings) -> Self {
        Self::start_all(settings, Vec::new())
    }

    pub fn start_all(settings: ServerSettings, further: Vec<ListenerSettings>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let go_on = Arc::new(Notify::new());
        let handler = TestHandler { events: sender, go_on: Arc::clone(&go_on) };
        let handler: Arc<dyn Handler> = Arc::new(handler);
        let further = further.into_iter().map(|own| (own, Arc::clone(&handler))).collect();
        let server = Server::bind_all(settings, Arc::clone(&handler), further).unwrap();
        let (urls, addresses) = (server.urls(), server.local_addrs());
        let address = addresses.first().copied().unwrap_or_else(|| "0.0.0.0:0".parse().unwrap());
        let (stop, stopped) = oneshot::channel();
        let done = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address, addresses, urls, events, go_on, stop, done }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes on a new connection, and reads to its end.
    pub async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        read_to_end(&mut stream).await
    }

    pub async fn event(&mut self) -> Event {
        patiently(self.events.recv()).await.unwrap()
    }

    /// Tells the server to stop, and does not wait.
    pub fn stop(self) -> JoinHandle<Result<(), ServerError>> {
        let _ = self.stop.send(());
        self.done
    }
}

/// Everything until the server ends the connection; a reset counts as an end.
pub async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let _ = patiently(stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One reply with a `Content-Length`; the connection stays open.
pub async fn read_reply(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    patiently(async {
        loop {
            bytes.push(stream.read_u8().await.expect("a whole reply"));
            let text = String::from_utf8_lossy(&bytes);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = header(head, "content-length").map_or(0, |value| value.parse().unwrap());
            if body.len() >= length {
                return text.into_owned();
            }
        }
    })
    .await
}

pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n\r\n").next()?.split("\r\n").skip(1);
    lines.find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

pub fn status(reply: &str) -> u16 {
    reply
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no reply: {reply:?}"))
}

struct TestHandler {
    events: mpsc::UnboundedSender<Event>,
    go_on: Arc<Notify>,
}

impl Handler for TestHandler {
    fn call(
        self: Arc<Self>,
        request: Request<RequestBody>,
    ) -> futures_util::future::BoxFuture<'static, Response<ResponseBody>> {
        Box::pin(async move { self.answer(request).await })
    }
}

impl TestHandler {
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    async fn answer(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        let path = request.uri().path().to_owned();
        self.tell(Event::Began(path.clone()));
        let mut response = match path.as_str() {
            "/hello" => Response::new(ResponseBody::from("hello")),
            "/panic" => panic!("as asked"),
            "/origin" => origin(&request),
            "/refuse" => with_status(StatusCode::UNAUTHORIZED, "who are you?"),
            "/read" => self.read(request.into_body()).await,
            "/read-some" => {
                let mut body = request.into_body();
                let _ = body.chunk().await;
                with_status(StatusCode::PAYLOAD_TOO_LARGE, "enough")
            }
            "/wait" => {
                self.go_on.notified().await;
                Response::new(ResponseBody::from("waited"))
            }
            "/endless" => Response::new(self.endless()),
            "/short-file" => Response::new(short_file()),
            _ => with_status(StatusCode::NOT_FOUND, "no"),
        };
        response.extensions_mut().insert(RouteLabel("test"));
        response
    }

    async fn read(&self, mut body: RequestBody) -> Response<ResponseBody> {
        let error = loop {
            match body.chunk().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        self.tell(Event::Read(body.received(), error));
        match error {
            None => Response::new(ResponseBody::from(body.received().to_string())),
            Some(BodyError::Timeout | BodyError::TooSlow) => with_status(StatusCode::REQUEST_TIMEOUT, "slow"),
            Some(_) => with_status(StatusCode::BAD_REQUEST, "broken"),
        }
    }

    fn endless(&self) -> ResponseBody {
        let dropped = TellOnDrop(self.events.clone());
        let stream = futures_util::stream::repeat_with(move || {
            let _kept = &dropped;
            Ok(Bytes::from_static(&[b'x'; 16 * 1024]))
        });
        ResponseBody::stream(stream.boxed(), None)
    }
}

struct TellOnDrop(mpsc::UnboundedSender<Event>);

impl Drop for TellOnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(Event::ReplyDropped);
    }
}

fn short_file() -> ResponseBody {
    let file = Arc::new(tempfile::tempfile().unwrap());
    file.set_len(10_000).unwrap();
    ResponseBody::file(FileSlice { file, offset: 0, length: 20_000 })
}

fn with_status(status: StatusCode, text: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(text));
    *response.status_mut() = status;
    response
}

fn origin(request: &Request<RequestBody>) -> Response<ResponseBody> {
    let extensions = request.extensions();
    let origin: &ClientOrigin = extensions.get().unwrap();
    let connection: &ConnectionInfo = extensions.get().unwrap();
    let id: &RequestId = extensions.get().unwrap();
    let listener = extensions.get::<ListenerName>().map_or("none", |name| &name.0);
    let shown = extensions.get::<Arc<ClientCertificate>>().map_or("none", |client| &client.subject);
    let text = format!(
        "client={} base={} peer={} tls={} id={id} listener={listener} shown={shown}",
        origin.address.map_or_else(|| "none".to_owned(), |address| address.to_string()),
        origin.base_url.as_deref().unwrap_or("none"),
        connection.peer.map_or_else(|| "none".to_owned(), |peer| peer.to_string()),
        connection.tls,
    );
    Response::new(ResponseBody::from(text))
}
