//! A registry that gives sessions of roles and tokens, as far as whoever asks for them can see.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::stub::{Answer, Asked, Stub};

/// The secret of every session that it gives.
pub const SESSION_SECRET: &str = "hush/SessionSecretOfTheStub";
/// The password of every token that it gives.
pub const PASSWORD: &str = "hush-password-of-the-stub";
/// The web identity tokens that it takes.
pub const WEB_TOKEN: &str = "hush.web-identity.token";

/// A registry whose tokens hold for so many seconds.
pub fn registry(seconds: i64) -> Stub {
    Stub::start(move |asked| answer(asked, seconds))
}

pub fn answer(asked: &Asked, seconds: i64) -> Answer {
    match (asked.header("x-amz-target"), asked.form("Action").as_deref()) {
        (Some(target), _) if target.ends_with(".GetAuthorizationToken") && asked.header("authorization").is_some() => {
            let token = STANDARD.encode(format!("AWS:{PASSWORD}"));
            let ends = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            let ends = i64::try_from(ends).unwrap() + seconds;
            Answer::of(
                200,
                json!({ "authorizationData": [{ "authorizationToken": token, "expiresAt": ends }] }).to_string(),
            )
        }
        (None, Some("AssumeRoleWithWebIdentity")) if asked.header("authorization").is_none() => {
            if asked.form("WebIdentityToken").as_deref() == Some(WEB_TOKEN)
                || asked
                    .form("WebIdentityToken")
                    .is_some_and(|token| token.split('.').count() == 3 && token.starts_with("e30."))
            {
                Answer::of(200, session("AssumeRoleWithWebIdentity"))
            } else {
                Answer::of(400, fault("InvalidIdentityToken", "The token is not one of a provider that is known."))
            }
        }
        (None, Some("AssumeRole")) if asked.header("authorization").is_some() => Answer::of(200, session("AssumeRole")),
        _ => Answer::of(403, fault("AccessDenied", "No.")),
    }
}

fn session(operation: &str) -> String {
    format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result><Credentials>\
         <AccessKeyId>ASIAAAAAAAAAAAAAAAAA</AccessKeyId><SecretAccessKey>{SESSION_SECRET}</SecretAccessKey>\
         <SessionToken>hush-session-token</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>\
         </{operation}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    )
}

fn fault(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )
}

/// The operations that were asked for, in order.
pub fn operations(stub: &Stub) -> Vec<String> {
    let name = |asked: &Asked| {
        let target = asked.header("x-amz-target").and_then(|target| target.rsplit('.').next()).map(str::to_owned);
        target.or_else(|| asked.form("Action")).unwrap_or_else(|| format!("{} {}", asked.method, asked.target))
    };
    stub.asked().iter().map(name).collect()
}
