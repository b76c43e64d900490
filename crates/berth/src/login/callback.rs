//! The address of this machine that the browser returns to (RFC 8252, 7.3): one path, `GET` only, by its own name only.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use url::form_urlencoded;

use crate::failure::Failure;

const PATH: &str = "/callback";
const MOST_HEAD: usize = 32 * 1024;
const MOST_CONNECTIONS: usize = 32;
/// How long a browser may take for a request or an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long whoever came at the same time is still told that it was in vain.
const GRACE: Duration = Duration::from_millis(200);

/// A listener on 127.0.0.1.
pub struct Callback {
    port: u16,
    replies: mpsc::Receiver<Reply>,
    accepting: JoinHandle<()>,
}

/// An answer that a browser brought. It must be told how it ended.
pub struct Reply {
    parameters: Vec<(String, String)>,
    answer: oneshot::Sender<String>,
    sent: oneshot::Receiver<()>,
}

impl Callback {
    /// Begins to listen; 0 is any port that is free.
    pub async fn listen(port: u16) -> Result<Self, Failure> {
        let failed = |error| Failure::doing(&format!("127.0.0.1:{port} cannot be listened at"), error);
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let (told, replies) = mpsc::channel(MOST_CONNECTIONS);
        Ok(Self { port, replies, accepting: tokio::spawn(accept(listener, port, told)) })
    }

    /// `http://127.0.0.1:PORT/callback`.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// The next answer; none when there will be no more.
    pub async fn next(&mut self) -> Option<Reply> {
        self.replies.recv().await
    }

    /// Refuses whatever still comes, and ends.
    pub async fn close(mut self) {
        while let Ok(Some(reply)) = tokio::time::timeout(GRACE, self.replies.recv()).await {
            reply.refuse("This log-in has ended.").await;
        }
        self.accepting.abort();
    }
}

impl Reply {
    /// A parameter of the address.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether no parameter is there twice.
    pub fn is_single(&self) -> bool {
        let mut names: Vec<_> = self.parameters.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair.first() != pair.get(1))
    }

    /// Says that it is done.
    pub async fn welcome(self) {
        let text = page("200 OK", "Logged in", "You are logged in. This window can be closed.");
        Self::tell(self.answer, self.sent, text).await;
    }

    /// Says that it is not, and why.
    pub async fn refuse(self, why: &str) {
        Self::tell(self.answer, self.sent, page("400 Bad Request", "Not logged in", why)).await;
    }

    async fn tell(answer: oneshot::Sender<String>, sent: oneshot::Receiver<()>, text: String) {
        let _ = answer.send(text);
        let _ = tokio::time::timeout(PATIENCE, sent).await;
    }
}

async fn accept(listener: TcpListener, port: u16, told: mpsc::Sender<Reply>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let told = told.clone();
        // Browsers open connections that they may never use: none may keep others waiting.
        tokio::spawn(async move {
            let _ = serve(stream, port, told).await;
            drop(permit);
        });
    }
}

async fn serve(mut stream: TcpStream, port: u16, told: mpsc::Sender<Reply>) -> std::io::Result<()> {
    let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
    let head = tokio::time::timeout(PATIENCE, head(&mut stream)).await.map_err(|_| late())??;
    let parameters = match parse(&head, port) {
        Ok(parameters) => parameters,
        Err(status) => return write(&mut stream, &page(status, "Not here", "There is nothing here.")).await,
    };
    let ((answer, answered), (done, sent)) = (oneshot::channel(), oneshot::channel());
    if told.send(Reply { parameters, answer, sent }).await.is_err() {
        return Ok(());
    }
    if let Ok(text) = answered.await {
        let written = write(&mut stream, &text).await;
        let _ = done.send(());
        return written;
    }
    Ok(())
}

async fn head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = stream.read(&mut piece).await?;
        if count == 0 || head.len() + count > MOST_HEAD {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
    Ok(head)
}

/// The parameters of a request for our path by our name, so that no other site can lead a browser here by a name of its own;
/// else the status to refuse it with.
fn parse(head: &[u8], port: u16) -> Result<Vec<(String, String)>, &'static str> {
    const BAD: &str = "400 Bad Request";
    let text = std::str::from_utf8(head).map_err(|_| BAD)?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(BAD);
    };
    let hosts = lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    let hosts: Vec<&str> = hosts.map(|(_, value)| value.trim()).collect();
    if !version.starts_with("HTTP/1.") || hosts != [format!("127.0.0.1:{port}")] {
        return Err(BAD);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (method, path) {
        ("GET", PATH) => Ok(form_urlencoded::parse(query.as_bytes()).into_owned().collect()),
        (_, PATH) => Err("405 Method Not Allowed"),
        _ => Err("404 Not Found"),
    }
}

async fn write(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
    let written = async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    };
    tokio::time::timeout(PATIENCE, written).await.map_err(|_| late())?
}

/// A whole answer. Nothing on the page is loaded from anywhere, and nothing keeps its address.
fn page(status: &str, title: &str, words: &str) -> String {
    let escaped = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body = format!("<!doctype html><meta charset=utf-8><title>Berth</title><h1>{title}</h1><p>{escaped}</p>\n");
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Content-Security-Policy: default-src 'none'\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_path_by_our_name_is_read() {
        let (bad, missing, method) = ("400 Bad Request", "404 Not Found", "405 Method Not Allowed");
        for (head, expected) in [
            ("GET /callback?state=a%20b&code=c HTTP/1.1\r\nHost: 127.0.0.1:7\r\n\r\n", Ok(2)),
            ("GET /callback HTTP/1.1\r\nhost:127.0.0.1:7\r\nX: y\r\n\r\n", Ok(0)),
            ("GET / HTTP/1.1\r\nHost: 127.0.0.1:7\r\n\r\n", Err(missing)),
            ("GET /callback/ HTTP/1.1\r\nHost: 127.0.0.1:7\r\n\r\n", Err(missing)),
            ("POST /callback HTTP/1.1\r\nHost: 127.0.0.1:7\r\n\r\n", Err(method)),
            ("GET /callback HTTP/1.1\r\nHost: evil.example:7\r\n\r\n", Err(bad)),
            ("GET /callback HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Err(bad)),
            ("GET /callback HTTP/1.1\r\nHost: 127.0.0.1:7\r\nHost: 127.0.0.1:7\r\n\r\n", Err(bad)),
            ("GET /callback HTTP/1.1\r\n\r\n", Err(bad)),
            ("GET /callback\r\nHost: 127.0.0.1:7\r\n\r\n", Err(bad)),
            ("GET /callback x HTTP/1.1\r\nHost: 127.0.0.1:7\r\n\r\n", Err(bad)),
            ("\r\n\r\n", Err(bad)),
        ] {
            assert_eq!(parse(head.as_bytes(), 7).map(|parameters| parameters.len()), expected, "{head:?}");
        }
        assert_eq!(parse(b"\xff\r\n\r\n", 7), Err(bad));
    }

    #[test]
    fn a_page_shows_words_as_words() {
        let page = page("400 Bad Request", "No", "<script>&");
        assert!(page.contains("&lt;script&gt;&amp;") && page.contains("default-src 'none'"), "{page}");
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    }
}
