//! docker's credential helper: the program that docker, podman, skopeo and others ask for the login of a registry.
//!
//! Source: the package `credentials` of docker-credential-helpers. An action comes as the only argument, its input on standard
//! input; the answer is JSON on standard output. Errors are there too, and the exit code is 1.

use std::ffi::OsString;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use super::cache::Cache;
use super::hosts::Host;
use super::token::{self, USER, Way};
use super::{DOCKER, input, within_patience};
use crate::output;

/// The words by which clients know that a registry is to be asked without a login.
const NOT_FOUND: &str = "credentials not found in native keychain";
const NO_SERVER: &str = "no credentials server URL";
const NO_USER: &str = "no credentials username";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    #[serde(rename = "ServerURL", default)]
    server_url: String,
    #[serde(default)]
    username: String,
}

/// Runs with the arguments that the program was called with, its name aside.
pub fn called(arguments: &[OsString]) -> ExitCode {
    let usage = format!("Usage: {DOCKER} <store|get|erase|list|version>");
    let mut words = arguments.iter().map(|argument| argument.to_str().unwrap_or_default());
    match (words.next(), words.next()) {
        (Some("--help" | "-h"), None) => ended(Ok(Some(usage))),
        (Some("--version" | "-v"), None) => run("version"),
        (Some(action), None) => run(action),
        _ => ended(Err(usage)),
    }
}

/// Does what an action says, and tells how it ended.
pub fn run(action: &str) -> ExitCode {
    ended(match action {
        "get" => get().map(Some),
        "erase" => erase().map(|()| None),
        "store" => Err(store()),
        // Which registries are ours nobody knows before they are asked for.
        "list" => Ok(Some("{}".to_owned())),
        "version" => Ok(Some(format!("{DOCKER} ({}) v{}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION")))),
        other => Err(format!("{DOCKER}: unknown action: {}", other.escape_debug())),
    })
}

fn ended(done: Result<Option<String>, String>) -> ExitCode {
    let (text, code) = match done {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(text) => (Some(text), ExitCode::from(1)),
    };
    text.inspect(|text| output::result(text));
    code
}

fn server() -> Result<String, String> {
    let text = input::read()?;
    let server = text.trim();
    if server.is_empty() { Err(NO_SERVER.to_owned()) } else { Ok(server.to_owned()) }
}

fn get() -> Result<String, String> {
    let server = server()?;
    let host = Host::of_server(&server).ok_or_else(|| NOT_FOUND.to_owned())?;
    let way = Way::find();
    // Without credentials nobody knows which registries would be ours; docker's own is not.
    if !way.as_ref().map_or_else(|_| host.is_ours(&crate::opened::variable, None), |way| way.is_for(&host)) {
        return Err(NOT_FOUND.to_owned());
    }
    let failed = |failure: crate::failure::Failure| {
        let text = format!("{}: {failure}", host.name());
        // docker passes standard error on, and may keep what is on standard output to itself.
        output::notice(&format!("{DOCKER}: {text}"));
        text
    };
    let way = way.map_err(failed)?;
    let cache = Cache::of(&host, &way.found);
    let password = if let Some(kept) = cache.as_ref().and_then(Cache::read) {
        kept
    } else {
        let login = within_patience(way.login(&host)).map_err(failed)?;
        if let (Some(cache), Some(until)) = (&cache, token::good_until(login.ends)) {
            cache.write(&login.password, until);
        }
        login.password
    };
    Ok(json!({ "ServerURL": server, "Username": USER, "Secret": *password }).to_string())
}

/// Forgets what was kept of a registry; the credentials are not ours to erase.
fn erase() -> Result<(), String> {
    let server = server()?;
    if let Some(host) = Host::of_server(&server) {
        Cache::erase(&host);
    }
    Ok(())
}

/// Why nothing is stored.
fn store() -> String {
    let text = match input::read() {
        Ok(text) => text,
        Err(error) => return error.to_owned(),
    };
    match serde_json::from_str::<Stored>(&text) {
        Err(_) => "the credentials on standard input are no JSON of the protocol".to_owned(),
        Ok(Stored { server_url, .. }) if server_url.is_empty() => NO_SERVER.to_owned(),
        Ok(Stored { username, .. }) if username.is_empty() => NO_USER.to_owned(),
        Ok(_) => format!(
            "{DOCKER} stores no logins: it takes credentials from AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE or \
             a profile; take the host out of credHelpers to log in by hand"
        ),
    }
}
