//! Policy documents from files, and as they come from a server.

use std::io::Read as _;
use std::path::Path;

use berth_aws::policy::{Policy, PolicyKind};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::failure::Failure;
use crate::output;

/// Longer texts are no policies: IAM's largest has 131,072 characters.
const MOST_BYTES: u64 = 1024 * 1024;

/// Reads a document from a file, or from standard input where the name is `-`, and checks it. What its author may not have
/// meant is told on standard error.
pub fn read(file: &str, kind: PolicyKind) -> Result<String, Failure> {
    let text = text_of(file)?;
    for warning in check(file, &text, kind).map_err(Failure::Usage)? {
        output::notice(&warning);
    }
    Ok(text)
}

/// The text of a file, or of standard input where the name is `-`.
pub fn text_of(file: &str) -> Result<String, Failure> {
    let read = if file == "-" { all_of(std::io::stdin().lock()) } else { text_of_path(Path::new(file)) };
    read.map_err(|error| Failure::Usage(format!("{file} cannot be read: {error}")))
}

/// The text of a file.
pub fn text_of_path(path: &Path) -> std::io::Result<String> {
    all_of(std::fs::File::open(path)?)
}

fn all_of(reader: impl std::io::Read) -> std::io::Result<String> {
    let mut text = String::new();
    reader.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other(format!("it has more than {MOST_BYTES} bytes")));
    }
    Ok(text)
}

/// Checks a document that `name` names in messages; gives warnings.
pub fn check(name: &str, text: &str, kind: PolicyKind) -> Result<Vec<String>, String> {
    let policy = Policy::parse(text, kind, usize::MAX).map_err(|error| format!("{name} is no policy: {error}"))?;
    Ok(policy.findings().iter().map(|finding| format!("warning: {name}: {finding}")).collect())
}

/// A document of an answer, which is percent-encoded there (IAM API Reference, `PolicyDocument`).
pub fn decoded(text: &str) -> Value {
    let plain = if text.trim_start().starts_with('{') {
        text.to_owned()
    } else {
        percent_decode_str(text).decode_utf8_lossy().into_owned()
    };
    serde_json::from_str(&plain).unwrap_or(Value::String(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_decoded() {
        for (text, expected) in [
            ("%7B%22a%22%3A%22b%2Bc+d%22%7D", json!({ "a": "b+c+d" })),
            ("{\"a\":\"%41\"}", json!({ "a": "%41" })),
            ("%7B", json!("{")),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }

    #[test]
    fn documents_are_checked() {
        let allow = |action: &str| json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": action, "Resource": "*" } });
        assert_eq!(check("p", &allow("ecr:PutImage").to_string(), PolicyKind::Identity), Ok(vec![]));
        let warned = check("p", &allow("ecr:PutImages").to_string(), PolicyKind::Identity).unwrap();
        assert!(warned[0].starts_with("warning: p: ") && warned[0].contains("ecr:putimages"), "{warned:?}");
        assert!(check("p", "{", PolicyKind::Identity).unwrap_err().starts_with("p is no policy: "));
        assert!(check("p", &allow("ecr:PutImage").to_string(), PolicyKind::Trust).is_err());
    }
}
