//! `berth login`: people come in through the company's identity provider.
//!
//! The authorization code flow of OIDC with PKCE, by a browser and an address of this machine (RFC 8252): the
//! provider is asked what it offers ([`provider`]), the browser brings the code back ([`callback`]), the code is exchanged
//! for an id token ([`exchange`]), and the registry's STS gives a session of a role for that. Whatever does not fit ends in
//! a page with status 400, no session, and nothing written.

mod browser;
mod callback;
mod exchange;
mod provider;
mod secrets;

use std::time::Duration;

use berth_aws::sts::shapes::Credentials;
use berth_profile::{Place, Secret, write_profile};
use berth_store::SystemRandom;
use serde_json::json;

use crate::failure::Failure;
use crate::opened::variable;
use crate::output;
use crate::remote::connection::Connection;
use crate::remote::credentials::{WebIdentity, WebToken};
use crate::remote::obtain::by_web_identity;

use callback::{Callback, Reply};
use provider::{Provider, Trust};
use secrets::Secrets;

/// How long a person has in front of the provider's page.
const PATIENCE: Duration = Duration::from_mins(5);
/// Answers that are not ours until the login is given up.
const MOST_STRANGERS: usize = 50;

/// What a person logs in with.
#[derive(clap::Args)]
pub struct Login {
    /// The identity provider's address, exactly as it names itself: `https://login.example.com/realms/main`.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// What Berth is called there: a public client that may return to `http://127.0.0.1/callback` on any port.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// The role to take, which must trust the provider.
    #[arg(long, value_name = "ARN")]
    role_arn: String,
    /// The registry's address; else `BERTH_URL` or `AWS_ENDPOINT_URL`.
    #[arg(long, visible_alias = "endpoint", value_name = "URL")]
    endpoint_url: Option<String>,
    /// The profile of `~/.aws/credentials` that the session is written into.
    #[arg(long, value_name = "NAME", default_value = "berth")]
    profile: String,
    /// What becomes of the session: a profile, lines for a shell, or JSON as `credential_process` has it.
    #[arg(long, value_enum, default_value = "profile")]
    format: Format,
    /// Opens no browser: prints the address to go to only.
    #[arg(long)]
    no_browser: bool,
    /// The session's name, which records show.
    #[arg(long, value_name = "NAME", default_value = "berth-login")]
    session_name: String,
    /// What the provider is asked for, `openid` among it.
    #[arg(long, value_name = "SCOPES", default_value = "openid")]
    scope: String,
    /// The port of this machine that the browser returns to; any that is free without.
    #[arg(long, value_name = "PORT", default_value = "0")]
    port: u16,
    /// A file with the certificates that the provider's must be from, instead of the system's.
    #[arg(long, value_name = "FILE")]
    issuer_ca: Option<String>,
    /// Takes a provider on this machine without TLS. For tests.
    #[arg(long)]
    allow_http_issuer: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Profile,
    Export,
    Json,
}

/// Logs a person in.
pub async fn run(login: &Login, as_json: bool) -> Result<(), Failure> {
    let url = login.endpoint_url.clone().or_else(|| variable("BERTH_URL")).or_else(|| variable("AWS_ENDPOINT_URL"));
    let url = url.ok_or_else(|| Failure::Usage("name the registry with --endpoint-url".to_owned()))?;
    let registry = Connection::new(&url, variable("AWS_CA_BUNDLE").as_deref(), "--endpoint-url names another server")?;
    let trust = Trust { ca: login.issuer_ca.clone(), allow_http: login.allow_http_issuer };
    let provider = Provider::discover(&login.issuer, &trust).await?;
    let secrets = Secrets::new(&SystemRandom);
    let mut callback = Callback::listen(login.port).await?;
    let address = provider.address(&login.client_id, &login.scope, &callback.address(), &secrets);
    if login.no_browser || !browser::open(address.as_str()) {
        output::notice(&format!("Open this address in a browser on this machine:\n\n{address}\n"));
    } else {
        output::notice(&format!("The browser shows the log-in. If it does not, open:\n\n{address}\n"));
    }
    let waited = tokio::time::timeout(PATIENCE, finish(login, &registry, &provider, &secrets, &mut callback)).await;
    callback.close().await;
    let told = waited.map_err(|_| Failure::CouldNotRun("nobody logged in within five minutes".to_owned()))??;
    output::result(&if as_json && login.format == Format::Profile { told.json.to_string() } else { told.text });
    Ok(())
}

/// What is told at the end.
struct Told {
    text: String,
    json: serde_json::Value,
}

/// Waits for the browser to come back with what was asked for.
async fn finish(
    login: &Login,
    registry: &Connection,
    provider: &Provider,
    secrets: &Secrets,
    callback: &mut Callback,
) -> Result<Told, Failure> {
    for _ in 0..MOST_STRANGERS {
        let Some(reply) = callback.next().await else { break };
        if !secrets.is_state(reply.parameter("state")) {
            // Whoever sent it did not see our address. The one who did may still come.
            reply.refuse("This answer does not belong to the log-in that was begun here.").await;
            continue;
        }
        let done = session(login, registry, provider, secrets, &reply, &callback.address()).await;
        return match done.and_then(|credentials| kept(login, registry, &credentials)) {
            Ok(told) => {
                reply.welcome().await;
                Ok(told)
            }
            Err(failure) => {
                reply.refuse(&failure.to_string()).await;
                Err(failure)
            }
        };
    }
    Err(Failure::CouldNotRun("too many answers came that do not belong to this log-in".to_owned()))
}

/// The session that an answer of the provider leads to.
async fn session(
    login: &Login,
    registry: &Connection,
    provider: &Provider,
    secrets: &Secrets,
    reply: &Reply,
    returned_to: &str,
) -> Result<Credentials, Failure> {
    let code = exchange::code(provider, reply)?;
    let token = exchange::id_token(provider, &login.client_id, &code, returned_to, secrets).await?;
    let identity = WebIdentity {
        token: WebToken::Given(Secret::new(&token)),
        role_arn: login.role_arn.clone(),
        session_name: login.session_name.clone(),
    };
    by_web_identity(&identity, registry).await
}

/// Writes the session where it is wanted.
fn kept(login: &Login, registry: &Connection, credentials: &Credentials) -> Result<Told, Failure> {
    let (secret, token) = (credentials.secret_access_key.reveal(), credentials.session_token.reveal());
    let ends = credentials.expiration.to_iso8601().unwrap_or_default();
    let (id, address) = (credentials.access_key_id.as_str(), registry.url().as_str().trim_end_matches('/'));
    let json = json!({
        "Version": 1, "AccessKeyId": id, "SecretAccessKey": secret, "SessionToken": token, "Expiration": ends,
    });
    match login.format {
        Format::Json => Ok(Told { text: json.to_string(), json }),
        Format::Export => Ok(Told { text: exports(&[id, secret, token, address]), json }),
        Format::Profile => {
            let file = Place::credentials_file(&variable);
            let file =
                file.ok_or_else(|| Failure::Usage("HOME is not set: there is nowhere to write to".to_owned()))?;
            let values = [
                ("aws_access_key_id", Some(id)),
                ("aws_secret_access_key", Some(secret)),
                ("aws_session_token", Some(token)),
                ("endpoint_url", Some(address)),
                ("role_arn", None),
                ("source_profile", None),
                ("credential_process", None),
                ("web_identity_token_file", None),
            ];
            write_profile(&file, &login.profile, &values)
                .map_err(|error| Failure::CouldNotRun(format!("the session is not kept: {error}")))?;
            let text = format!("profile {} holds until {ends}: set AWS_PROFILE={}", login.profile, login.profile);
            let json = json!({ "profile": login.profile, "expiration": ends, "file": file.display().to_string() });
            Ok(Told { text, json })
        }
    }
}

/// Lines for a shell, with every value in single quotes.
fn exports(values: &[&str; 4]) -> String {
    let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"];
    let line = |(name, value): (&str, &&str)| format!("export {name}='{}'", value.replace('\'', r"'\''"));
    names.into_iter().zip(values).map(line).collect::<Vec<_>>().join("\n")
}
