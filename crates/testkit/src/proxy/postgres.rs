//! Just enough of PostgreSQL's protocol to see a change being committed.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::wire::{Wire, both};
use super::{Fault, Stage, State};

/// The request for TLS that may come before everything else; the server says no.
const TLS_REQUEST: u32 = 80_877_103;

/// Passes messages until a commit is to lose its connection.
pub(super) fn converse(client: &Wire, server: &Wire, state: &State) -> io::Result<()> {
    let awaits_end = Arc::new(AtomicBool::new(false));
    let up = || requests(client, server, state, &awaits_end);
    let down = || answers(server, client, state, &awaits_end);
    both(up, down, client, server)
}

fn requests(client: &Wire, server: &Wire, state: &State, awaits_end: &AtomicBool) -> io::Result<()> {
    let (mut from, mut to) = (BufReader::new(client.clone()), server.clone());
    while is_tls_request(&pass_message(&mut from, &mut to, &[])?) {}
    loop {
        let mut kind = [0];
        if from.read(&mut kind)? == 0 {
            to.finish();
            return Ok(());
        }
        let message = read_message(&mut from)?;
        let lost = (kind == *b"Q" && message.get(4..) == Some(b"COMMIT\0")).then(|| chance(state)).flatten();
        if lost == Some(Stage::Before) {
            state.note("commit cut before it was sent".to_owned());
            return Err(ErrorKind::ConnectionReset.into());
        }
        awaits_end.store(lost.is_some(), Ordering::SeqCst);
        to.write_all(&[&kind, message.as_slice()].concat())?;
    }
}

/// Whether this commit is to be lost, and when.
fn chance(state: &State) -> Option<Stage> {
    match state.fault() {
        Fault::LostCommits(percent, when) if state.happens(percent) => Some(when),
        _ => None,
    }
}

fn answers(server: &Wire, client: &Wire, state: &State, awaits_end: &AtomicBool) -> io::Result<()> {
    let (mut from, mut to) = (server.clone(), client.clone());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            to.finish();
            return Ok(());
        }
        if awaits_end.load(Ordering::SeqCst) {
            // `C` completes a command; else the commit was refused.
            let what = if buffer[0] == b'C' { "answer of a commit lost" } else { "refusal of a commit lost" };
            state.note(what.to_owned());
            return Err(ErrorKind::ConnectionReset.into());
        }
        to.write_all(&buffer[..read])?;
    }
}

fn is_tls_request(message: &[u8]) -> bool {
    message.get(4..8).is_some_and(|code| code == TLS_REQUEST.to_be_bytes())
}

/// A message behind the letter of its kind: its length, which counts itself, and its content.
fn read_message(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    message[..4].copy_from_slice(&length);
    from.read_exact(&mut message[4..])?;
    Ok(message)
}

fn pass_message(from: &mut impl Read, to: &mut impl Write, kind: &[u8]) -> io::Result<Vec<u8>> {
    let message = read_message(from)?;
    to.write_all(&[kind, message.as_slice()].concat())?;
    Ok(message)
}
