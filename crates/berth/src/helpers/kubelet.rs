//! The kubelet's credential provider: the program that the kubelet asks for the login of an image's registry.
//!
//! Source: "Kubelet Credential Provider (v1)" of the Kubernetes reference, and KEP-4412 for tokens of service accounts. The
//! request is on standard input, the answer on standard output; errors are on standard error and the exit code is 1.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use berth_profile::Secret;
use berth_store::{Clock as _, SystemClock, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::hosts::Host;
use super::token::{self, USER, Way};
use super::{KUBELET, input, within_patience};
use crate::failure::Failure;
use crate::output;
use crate::remote::credentials::{WebIdentity, WebToken};

const API_VERSION: &str = "credentialprovider.kubelet.k8s.io/v1";
const REQUEST: &str = "CredentialProviderRequest";
/// Annotations of a service account that name the role which its pods' images are pulled as.
const ROLES: [&str; 2] = ["berth.dev/role-arn", "eks.amazonaws.com/role-arn"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    api_version: String,
    kind: String,
    #[serde(default)]
    image: String,
    #[serde(default)]
    service_account_token: String,
    #[serde(default)]
    service_account_annotations: BTreeMap<String, String>,
}

/// Runs with the arguments that the program was called with, its name aside.
pub fn called(arguments: &[OsString]) -> ExitCode {
    match arguments.first().and_then(|first| first.to_str()) {
        Some("--version" | "-v") => {
            output::result(&format!("{KUBELET} {}", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        // Whatever arguments the kubelet's configuration gives are for other providers.
        _ => run(),
    }
}

/// Answers the request on standard input.
pub fn run() -> ExitCode {
    match input::read().map_err(|error| Failure::Usage(error.to_owned())).and_then(|text| answer(&text)) {
        Ok(answer) => {
            output::result(&answer.to_string());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            output::notice(&format!("{KUBELET}: {failure}"));
            ExitCode::from(1)
        }
    }
}

fn answer(text: &str) -> Result<Value, Failure> {
    let request = parse(text)?;
    let Some(host) = Host::of_image(&request.image) else { return Ok(response(None)) };
    let way = match identity(&request)? {
        Some(identity) => Way::by(identity),
        None => Way::find()?,
    };
    if !way.is_for(&host) {
        return Ok(response(None));
    }
    let login = within_patience(way.login(&host)).map_err(|failure| failure.at(host.name()))?;
    let good_for = duration(token::good_until(login.ends), SystemClock.now());
    Ok(response(Some((host.name(), &login.password, &good_for))))
}

fn parse(text: &str) -> Result<Request, Failure> {
    let wrong = |why: String| Failure::Usage(format!("the request on standard input {why}"));
    let tree: Value = serde_json::from_str(text).map_err(|_| wrong("is no JSON".to_owned()))?;
    let request: Request = serde_json::from_value(tree).map_err(|_| wrong(format!("is no {REQUEST}")))?;
    if (request.api_version.as_str(), request.kind.as_str()) != (API_VERSION, REQUEST) {
        return Err(wrong(format!("is not {REQUEST} of {API_VERSION}")));
    }
    if request.image.is_empty() { Err(wrong("names no image".to_owned())) } else { Ok(request) }
}

/// Who pulls, where the kubelet sends the token of a pod's service account.
fn identity(request: &Request) -> Result<Option<WebIdentity>, Failure> {
    if request.service_account_token.is_empty() {
        return Ok(None);
    }
    let annotations = &request.service_account_annotations;
    let role = ROLES.iter().find_map(|name| annotations.get(*name)).filter(|role| !role.is_empty());
    let role_arn = role.cloned().ok_or_else(|| {
        let [ours, other] = ROLES;
        Failure::Usage(format!(
            "the pod's service account has no annotation {ours} or {other}, or the kubelet does not send it: \
             name one in requiredServiceAccountAnnotationKeys"
        ))
    })?;
    let token = WebToken::Given(Secret::new(&request.service_account_token));
    Ok(Some(WebIdentity { token, role_arn, session_name: KUBELET.to_owned() }))
}

fn response(login: Option<(&str, &str, &str)>) -> Value {
    let mut response = json!({
        "apiVersion": API_VERSION,
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "cacheDuration": "0s",
        "auth": {},
    });
    if let Some((host, password, good_for)) = login {
        response["cacheDuration"] = good_for.into();
        response["auth"][host] = json!({ "username": USER, "password": password });
    }
    response
}

/// The time from one moment to another as Go writes it, `10h48m0s`; nothing of it where there is no end.
fn duration(until: Option<Timestamp>, now: Timestamp) -> String {
    let seconds = until.map_or(0, |until| (until.as_millis() - now.as_millis()).max(0) / 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let at = Timestamp::from_millis;
        for (millis, expected) in
            [(0, "0s"), (59_999, "59s"), (60_000, "1m0s"), (38_880_000, "10h48m0s"), (3_600_000, "1h0m0s"), (-5, "0s")]
        {
            assert_eq!(duration(Some(at(millis)), at(0)), expected);
        }
        assert_eq!(duration(None, at(0)), "0s");
    }

    #[test]
    fn the_role_is_that_of_our_annotation_or_of_awss() {
        let role = |annotations: Value| {
            let text = json!({
                "apiVersion": API_VERSION, "kind": REQUEST, "image": "a.example/b",
                "serviceAccountToken": "hush", "serviceAccountAnnotations": annotations,
            });
            identity(&parse(&text.to_string()).unwrap()).map(|found| found.unwrap().role_arn)
        };
        let (ours, theirs) = ("berth.dev/role-arn", "eks.amazonaws.com/role-arn");
        assert_eq!(role(json!({ ours: "o", theirs: "t" })).unwrap(), "o");
        assert_eq!(role(json!({ theirs: "t", "other": "x" })).unwrap(), "t");
        for annotations in [json!({}), json!({ ours: "" })] {
            let failure = role(annotations).unwrap_err().to_string();
            assert!(failure.contains(ours) && failure.contains(theirs) && !failure.contains("hush"), "{failure}");
        }
    }
}
