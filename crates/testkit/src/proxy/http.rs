//! Requests and answers, one after the other on a connection, and what may befall them.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use super::wire::Wire;
use super::{Fault, Mishap, Refusal, Stage, State};

/// A request's or an answer's head: the bytes as they came, and how its body ends.
struct Head {
    bytes: Vec<u8>,
    first_line: String,
    body: Framing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    Close,
}

type From = BufReader<Wire>;

/// Passes one exchange after the other.
pub(super) fn converse(client: &Wire, server: &Wire, state: &State) -> io::Result<()> {
    let (mut from_client, mut from_server) = (BufReader::new(client.clone()), BufReader::new(server.clone()));
    let (mut client, mut server) = (client.clone(), server.clone());
    while let Some(request) = read_head(&mut from_client)? {
        let mishap = choose(state);
        if let Some(Mishap::Stall(time)) = mishap {
            thread::sleep(Duration::from_millis(time));
        }
        if let Some(Mishap::Error(refusal, Stage::Before)) = mishap {
            copy_body(&mut from_client, request.body, &mut io::sink())?;
            refuse(refusal, &request, &mut client)?;
            continue;
        }
        server.write_all(&request.bytes)?;
        if mishap == Some(Mishap::CutRequest) {
            return cut_inside(&mut from_client, request.body, &mut server, state);
        }
        copy_body(&mut from_client, request.body, &mut server)?;
        if !answer(&mut from_server, &mut client, &request, mishap, state)? {
            break;
        }
    }
    client.finish();
    server.finish();
    Ok(())
}

/// Passes an answer, or what is left of it; whether the connection goes on.
fn answer(
    from: &mut From,
    client: &mut Wire,
    request: &Head,
    mishap: Option<Mishap>,
    state: &State,
) -> io::Result<bool> {
    let mut answer = read_head(from)?.ok_or(ErrorKind::UnexpectedEof)?;
    if request.first_line.starts_with("HEAD ") || [" 204", " 304"].iter().any(|code| answer.first_line.contains(code)) {
        answer.body = Framing::Length(0);
    }
    match mishap {
        Some(Mishap::Error(refusal, _)) => {
            copy_body(from, answer.body, &mut io::sink())?;
            refuse(refusal, request, client)?;
            return Ok(answer.body != Framing::Close);
        }
        Some(Mishap::LostAnswer) => {
            copy_body(from, answer.body, &mut io::sink())?;
            return Err(ErrorKind::ConnectionReset.into());
        }
        _ => client.write_all(&answer.bytes)?,
    }
    if mishap == Some(Mishap::CutAnswer) {
        return cut_inside(from, answer.body, client, state).map(|()| false);
    }
    copy_body(from, answer.body, client)?;
    Ok(answer.body != Framing::Close)
}

fn choose(state: &State) -> Option<Mishap> {
    let Fault::Mishaps(percent, mishaps) = state.fault() else { return None };
    if mishaps.is_empty() || !state.happens(percent) {
        return None;
    }
    let mishap = mishaps[usize::try_from(state.below(mishaps.len() as u64)).unwrap()];
    state.note(format!("{mishap:?}"));
    Some(mishap)
}

/// Passes some bytes of a body that has any, then fails.
fn cut_inside(from: &mut From, body: Framing, to: &mut Wire, state: &State) -> io::Result<()> {
    let some = match body {
        Framing::Length(length) => state.below(length),
        Framing::Chunked | Framing::Close => state.below(4096),
    };
    io::copy(&mut from.take(some), to)?;
    Err(ErrorKind::ConnectionReset.into())
}

fn refuse(refusal: Refusal, request: &Head, client: &mut Wire) -> io::Result<()> {
    let (status, code) = match refusal {
        Refusal::Internal => ("500 Internal Server Error", "InternalError"),
        Refusal::SlowDown => ("503 Slow Down", "SlowDown"),
        Refusal::TooMany => ("429 Too Many Requests", "TooManyRequests"),
    };
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>Please reduce your request rate.</Message></Error>"#
    );
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n", body.len());
    client.write_all(head.as_bytes())?;
    if request.first_line.starts_with("HEAD ") { Ok(()) } else { client.write_all(body.as_bytes()) }
}

/// Reads a head; `None` where the connection ends before it begins.
fn read_head(from: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut head = Head { bytes: Vec::new(), first_line: String::new(), body: Framing::Close };
    let mut is_request = false;
    loop {
        let begin = head.bytes.len();
        if from.read_until(b'\n', &mut head.bytes)? == 0 {
            return if head.bytes.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
        }
        let line = String::from_utf8_lossy(&head.bytes[begin..]).trim_end().to_owned();
        if begin == 0 {
            is_request = !line.starts_with("HTTP/");
            head.first_line = line;
        } else if line.is_empty() {
            break;
        } else {
            head.body = framing(&line).unwrap_or(head.body);
        }
    }
    if is_request && head.body == Framing::Close {
        head.body = Framing::Length(0);
    }
    Ok(Some(head))
}

/// What a header says of the body.
fn framing(line: &str) -> Option<Framing> {
    let (name, value) = line.split_once(':')?;
    match name.to_ascii_lowercase().as_str() {
        "content-length" => value.trim().parse().ok().map(Framing::Length),
        "transfer-encoding" => Some(Framing::Chunked),
        _ => None,
    }
}

fn copy_body(from: &mut impl BufRead, body: Framing, to: &mut impl Write) -> io::Result<()> {
    match body {
        Framing::Length(length) => copy_exactly(from, length, to),
        Framing::Chunked => copy_chunks(from, to),
        Framing::Close => io::copy(from, to).map(|_| ()),
    }
}

fn copy_exactly(from: &mut impl Read, length: u64, to: &mut impl Write) -> io::Result<()> {
    let copied = io::copy(&mut from.take(length), to)?;
    if copied == length { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// Copies chunks as they are, with their sizes and what follows the last of them.
fn copy_chunks(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    loop {
        let line = copy_line(from, to)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
        if size == 0 {
            while !copy_line(from, to)?.is_empty() {}
            return Ok(());
        }
        copy_exactly(from, size + 2, to)?;
    }
}

fn copy_line(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<String> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    to.write_all(&line)?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
