//! What requests to the OCI door amount to, in the words of ECR.

use berth_domain::audit;
use berth_oci::digest::Digest;
use berth_oci::endpoint::Endpoint;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use http::Method;
use http::request::Parts;

use super::{BERTH, UNKNOWN};
use crate::oci::judged_as;

const ECR: &str = "ecr.amazonaws.com";
/// The longest path that a record holds: what is longer has no name in it.
const LONGEST_PATH: usize = 1024;

/// Says what a request to the OCI door is: recorded under the action that it is judged as. The query is not told, because it may
/// hold a pass.
pub(crate) fn of_oci(parts: &Parts, endpoint: Option<&Endpoint>) {
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    match endpoint.and_then(|endpoint| judged_as(endpoint, &parts.method)) {
        Some((action, _)) => audit::name(ECR, action.as_str().trim_start_matches("ecr:"), reads),
        None => match endpoint {
            Some(Endpoint::Base) if reads => audit::name(BERTH, "CheckLogin", true),
            Some(Endpoint::Catalog) if reads => audit::name(ECR, "DescribeRepositories", true),
            _ => audit::name(BERTH, UNKNOWN, false),
        },
    }
    if let Some(endpoint) = endpoint {
        told(endpoint);
    }
    audit::additional(|| {
        let path = parts.uri.path();
        let path = if path.len() <= LONGEST_PATH { path } else { "" };
        text_object(&[("door", "oci"), ("method", parts.method.as_str()), ("path", path)])
    });
}

fn told(endpoint: &Endpoint) {
    match endpoint {
        Endpoint::Base | Endpoint::Catalog => {}
        Endpoint::Tags { name } | Endpoint::Uploads { name } => of_repository(name, None),
        Endpoint::Manifest { name, reference } => {
            let id = match reference {
                Reference::Digest(digest) => [r#"[{"imageDigest":""#, &digest.to_string(), r#""}]"#].concat(),
                Reference::Tag(tag) => [r#"[{"imageTag":""#, tag.as_str(), r#""}]"#].concat(),
            };
            of_repository(name, Some(("imageIds", &id)));
        }
        Endpoint::Blob { name, digest } => of_repository(name, Some(("layerDigests", &list(digest)))),
        Endpoint::Referrers { name, digest } => {
            let id = text_object(&[("imageDigest", &digest.to_string())]);
            of_repository(name, Some(("subjectId", &id)));
        }
        Endpoint::Upload { name, id } => of_repository(name, Some(("uploadId", &format!("\"{id}\"")))),
    }
}

fn list(digest: &Digest) -> String {
    format!("[\"{digest}\"]")
}

/// A repository and one member more, which is JSON already. Names of repositories, tags, digests and ids need no escapes.
fn of_repository(name: &RepositoryName, more: Option<(&str, &str)>) {
    audit::parameters_text(|| {
        let (member, json) = more.unwrap_or_default();
        let pieces: &[&str] = match more {
            Some(_) => &[r#"{"repositoryName":""#, name.as_str(), r#"",""#, member, r#"":"#, json, "}"],
            None => &[r#"{"repositoryName":""#, name.as_str(), r#""}"#],
        };
        pieces.concat()
    });
}

/// An object of texts, whose names need no escapes.
pub(crate) fn text_object(members: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(64);
    for (nth, (name, value)) in members.iter().enumerate() {
        text.push_str(if nth == 0 { "{\"" } else { ",\"" });
        text.push_str(name);
        text.push_str("\":");
        let needs_no_escapes = value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
        if needs_no_escapes {
            text.push('"');
            text.push_str(value);
            text.push('"');
        } else {
            text.push_str(&serde_json::Value::from(*value).to_string());
        }
    }
    text.push_str(if members.is_empty() { "{}" } else { "}" });
    text
}

#[cfg(test)]
mod tests {
    use super::text_object;

    #[test]
    fn an_object_of_texts_is_json() {
        assert_eq!(text_object(&[]), "{}");
        assert_eq!(text_object(&[("a", "x"), ("b", "\"\n")]), r#"{"a":"x","b":"\"\n"}"#);
    }
}
