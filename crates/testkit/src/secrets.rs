//! Every secret that a server handed out to the tests of this process, so that the log of every server can be searched for them
//! when it ends: whatever a test is about, it is also a test that logs hold no secrets.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{ADMIN_SECRET, Reply};

/// Any run of so many characters of a secret would be too much.
const WINDOW: usize = 20;
/// Characters between the beginnings of the runs that are kept of one secret.
const STEP: usize = 10;
/// Longer replies hold content, not credentials.
const LONGEST_REPLY: usize = 256 * 1024;
/// Members of JSON and elements of XML whose text is a secret.
const NAMES: &[&str] =
    &["SecretAccessKey", "SessionToken", "secret_access_key", "token", "access_token", "authorizationToken", "Secret"];

/// Runs of characters of secrets.
static ISSUED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(|| {
    let mut runs = HashSet::new();
    add(&mut runs, ADMIN_SECRET);
    // As Basic authentication carries it; where it begins in a group of three is not known.
    for pad in ["", "A", "AA"] {
        let encoded = STANDARD.encode(format!("{pad}{ADMIN_SECRET}"));
        add(&mut runs, &encoded[4..encoded.len() - 4]);
    }
    Mutex::new(runs)
});

/// Notes a secret.
pub fn note(secret: &str) {
    add(&mut ISSUED.lock().unwrap_or_else(PoisonError::into_inner), secret);
}

/// Notes what a reply hands out.
pub(crate) fn note_reply(reply: &Reply) {
    if reply.status != 200 || reply.body.len() > LONGEST_REPLY {
        return;
    }
    match reply.header_values("content-type").first().copied().unwrap_or_default() {
        "text/xml" => NAMES.iter().filter_map(|name| crate::aws::element(reply, name)).for_each(|secret| note(&secret)),
        "application/json" | "application/x-amz-json-1.1" => {
            note_json(&serde_json::from_slice(&reply.body).unwrap_or_default());
        }
        _ => {}
    }
}

/// The first secret, or a part of one, that a text holds.
pub fn found_in(text: &str) -> Option<String> {
    let runs = ISSUED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/_-=".contains(c);
    let words = text.split(|c| !is_part(c)).filter(|word| word.len() >= WINDOW);
    let mut windows = words.flat_map(|word| (0..=word.len() - WINDOW).map(move |at| &word[at..at + WINDOW]));
    windows.find(|window| runs.contains(*window)).map(str::to_owned)
}

fn note_json(value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(secret) if NAMES.contains(&name.as_str()) => note(secret),
                    _ => note_json(value),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(note_json),
        _ => {}
    }
}

fn add(runs: &mut HashSet<String>, secret: &str) {
    // Tests invent tokens that are words or repeats; what was handed out is long and of ASCII.
    if secret.is_ascii() && secret.len() >= WINDOW {
        runs.extend((0..=secret.len() - WINDOW).step_by(STEP).map(|at| secret[at..at + WINDOW].to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(kind: &str, body: &str) -> Reply {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Reply { status: 200, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn what_was_handed_out_is_found_whole_and_in_parts() {
        assert_eq!(found_in("a log line about sha256:0123456789abcdef0123456789abcdef"), None);
        assert!(found_in(&format!("secret={ADMIN_SECRET} x")).is_some());
        assert!(found_in(&STANDARD.encode(format!("AKIATESTKITADMIN2345:{ADMIN_SECRET}"))).is_some());
        note_reply(&reply(
            "text/xml",
            "<a><SecretAccessKey>abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN</SecretAccessKey></a>",
        ));
        assert!(found_in("\"efghijklmnopqrstuvwxyzABCDEFGHIJKLMN\"").is_some());
        note_reply(&reply("application/json", r#"{"x":[{"token":"0123456789012345678901234567890123456789_-"}]}"#));
        assert!(found_in("pass 0123456789012345678901234567890123456789_-").is_some());
        assert_eq!(found_in("short abcdefghijklmnop"), None);
    }
}
