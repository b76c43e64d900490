//! Getting an access key from where it comes, which may be the server's own STS.

use std::path::Path;

use berth_aws::protocol::query::build_request;
use berth_aws::protocol::xml;
use berth_aws::sts::STS;
use berth_aws::sts::shapes::{AssumeRoleResponse, AssumeRoleWithWebIdentityResponse, Credentials};
use berth_profile::AwsKeys;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::client::{Client, refused};
use super::connection::Connection;
use super::credentials::{Source, WebIdentity, WebToken};
use super::process;
use crate::failure::Failure;

/// A form without a signature: the token in it is what proves who asks.
const UNSIGNED: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
/// More than any token has; STS takes 20,000 characters.
const MOST_TOKEN_BYTES: u64 = 64 * 1024;

/// An access key of a source. Temporary ones are made by the server of `connection`, with its usual duration.
pub async fn keys(source: &Source, connection: &Connection, region: &str) -> Result<AwsKeys, Failure> {
    match source {
        Source::Keys(keys) => Ok(keys.clone()),
        Source::Process(command) => process::keys(command).await,
        Source::WebIdentity(identity) => {
            let credentials = by_web_identity(identity, connection).await?;
            Ok(taken(credentials))
        }
        Source::Role { role_arn, session_name, external_id, of } => {
            let by = Box::pin(keys(of, connection, region)).await?;
            let mut input = json!({ "RoleArn": role_arn, "RoleSessionName": session_name });
            if let Some(id) = external_id {
                input["ExternalId"] = id.as_str().into();
            }
            let form = form("AssumeRole", &input)?;
            let headers = Client::signed_for(connection, region, &by, "sts", &UNSIGNED, &form)?;
            let headers: Vec<(&str, &str)> =
                UNSIGNED.into_iter().chain(headers.iter().map(|(name, value)| (*name, value.as_str()))).collect();
            let answer: AssumeRoleResponse = read("AssumeRole", connection, connection.post(&headers, form).await?)?;
            answer.credentials.map(taken).ok_or_else(|| connection.unexpected(200))
        }
    }
}

/// The temporary credentials of a role that trusts the provider of a token (`AssumeRoleWithWebIdentity`).
pub async fn by_web_identity(identity: &WebIdentity, connection: &Connection) -> Result<Credentials, Failure> {
    let token = match &identity.token {
        WebToken::Given(token) => Zeroizing::new(token.reveal().to_owned()),
        WebToken::File(path) => read_token(path)?,
    };
    let input = json!({
        "RoleArn": identity.role_arn,
        "RoleSessionName": identity.session_name,
        "WebIdentityToken": token.trim(),
    });
    let form = form("AssumeRoleWithWebIdentity", &input)?;
    let answered = connection.post(&UNSIGNED, form).await?;
    let answer: AssumeRoleWithWebIdentityResponse = read("AssumeRoleWithWebIdentity", connection, answered)?;
    answer.credentials.ok_or_else(|| connection.unexpected(200))
}

fn read_token(path: &Path) -> Result<Zeroizing<String>, Failure> {
    use std::io::Read as _;
    let wrong = |why: String| {
        Failure::Usage(format!("{}, the file with the web identity token, cannot be used: {why}", path.display()))
    };
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let read = file.take(MOST_TOKEN_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > MOST_TOKEN_BYTES {
        return Err(wrong(format!("it has more than {MOST_TOKEN_BYTES} bytes")));
    }
    if text.trim().is_empty() { Err(wrong("it is empty".to_owned())) } else { Ok(text) }
}

fn form(operation: &str, input: &Value) -> Result<String, Failure> {
    let found = STS.operation(operation);
    let found = found.ok_or_else(|| Failure::CouldNotRun(format!("there is no operation {operation}")))?;
    build_request(&STS, found, input).map_err(|error| Failure::doing("the request cannot be written", error))
}

fn read<T: DeserializeOwned>(
    operation: &str,
    connection: &Connection,
    (status, answer): (u16, Vec<u8>),
) -> Result<T, Failure> {
    let unexpected = || connection.unexpected(status);
    if status != 200 {
        let (fault, _) = xml::parse_fault(&answer).map_err(|_| unexpected())?;
        return Err(refused(fault).at(operation));
    }
    let found = STS.operation(operation).ok_or_else(unexpected)?;
    xml::parse_result(found, &answer).map_err(|_| unexpected())
}

fn taken(credentials: Credentials) -> AwsKeys {
    AwsKeys {
        access_key_id: credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.reveal().to_owned().into(),
        session_token: Some(credentials.session_token.reveal().to_owned().into()),
    }
}
