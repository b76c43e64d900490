//! A server that answers by a function of what it hears. HTTP/1.1, one request for each connection.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Heard {
    /// How many came before it.
    pub number: usize,
    pub method: String,
    pub target: String,
    headers: Vec<(String, String)>,
}

impl Heard {
    pub fn header(&self, name: &str) -> Option<&String> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Where the bytes asked for begin, where a range was asked for.
    pub fn range_start(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=").unwrap();
        Some(range.strip_suffix('-').unwrap().parse().unwrap())
    }
}

/// An answer.
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    cut: Option<usize>,
}

impl Reply {
    pub fn of(status: u16, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_vec(), cut: None }
    }

    /// The rest of a content by a range.
    pub fn part(content: &[u8], start: usize) -> Self {
        let range = format!("bytes {start}-{}/{}", content.len() - 1, content.len());
        Self::of(206, &content[start..]).with("Content-Range", &range)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Closes the connection after so many bytes of the body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Played\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "Content-Length: {}\r\n\r\n", self.body.len());
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body[..self.cut.unwrap_or(self.body.len())]);
        bytes
    }
}

type Answer = Arc<dyn Fn(&Heard) -> Reply + Send + Sync>;

/// The server.
pub struct Played {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    serving: JoinHandle<()>,
}

impl Played {
    pub async fn start(answer: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let serving = tokio::spawn(serve(listener, Arc::new(answer), Arc::clone(&heard)));
        Self { url, heard, serving }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Everything that came, in order.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub async fn stop(self) {
        self.serving.abort();
        assert!(self.serving.await.unwrap_err().is_cancelled());
    }
}

async fn serve(listener: TcpListener, answer: Answer, heard: Arc<Mutex<Vec<Heard>>>) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        tokio::spawn(exchange(connection, Arc::clone(&answer), Arc::clone(&heard)));
    }
}

async fn exchange(mut connection: TcpStream, answer: Answer, all: Arc<Mutex<Vec<Heard>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let heard = {
        let mut all = all.lock().unwrap();
        let heard = read(&String::from_utf8(request).unwrap(), all.len());
        all.push(heard.clone());
        heard
    };
    let mut bytes = answer(&heard).bytes();
    if heard.method == "HEAD" {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        bytes.truncate(end + 4);
    }
    // A client that has heard enough goes away.
    if connection.write_all(&bytes).await.is_ok() {
        let _ = connection.shutdown().await;
    }
}

fn read(head: &str, number: usize) -> Heard {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap().split(' ');
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Heard { number, method, target, headers }
}
