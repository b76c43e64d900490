//! From the provider's answer to an id token ("`OpenID` Connect Core 1.0", 3.1.2.7 to 3.1.3.7; RFC 9207).
//!
//! The token comes from the provider itself over TLS, so its signature is not what makes it believed here; the registry's STS
//! verifies it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_store::{Clock as _, SystemClock};
use serde::Deserialize;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::callback::Reply;
use super::provider::Provider;
use super::secrets::Secrets;
use crate::failure::Failure;
use crate::opened::variable;

/// For providers that want a secret of programs on people's machines too.
const CLIENT_SECRET: &str = "BERTH_LOGIN_CLIENT_SECRET";
/// Seconds that the provider's clock may be ahead or behind.
const LEEWAY: i64 = 60;

#[derive(Deserialize)]
struct Granted {
    id_token: Option<String>,
}

#[derive(Deserialize, Default)]
struct Refused {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// The code of an answer whose state is ours. It must be the issuer's: another provider's code is not sent to this one.
pub fn code(provider: &Provider, reply: &Reply) -> Result<Zeroizing<String>, Failure> {
    let wrong = |why: String| Failure::CouldNotRun(format!("the log-in failed: {why}"));
    if !reply.is_single() {
        return Err(wrong("the answer has a parameter twice".to_owned()));
    }
    match reply.parameter("iss") {
        Some(issuer) if issuer != provider.issuer => {
            return Err(wrong("the answer is of another identity provider".to_owned()));
        }
        None if provider.names_itself => return Err(wrong("the answer does not say who it is of".to_owned())),
        _ => {}
    }
    if let Some(error) = reply.parameter("error") {
        let description = reply.parameter("error_description").unwrap_or_default();
        return Err(wrong(format!("the provider says {}", clip(error, description))));
    }
    let code = reply.parameter("code").filter(|code| !code.is_empty());
    code.map(|code| code.to_owned().into()).ok_or_else(|| wrong("the answer has no code".to_owned()))
}

/// Exchanges a code, once, and checks that the id token is the answer to this login.
pub async fn id_token(
    provider: &Provider,
    client_id: &str,
    code: &str,
    returned_to: &str,
    secrets: &Secrets,
) -> Result<Zeroizing<String>, Failure> {
    let wrong = |why: String| Failure::CouldNotRun(format!("the log-in failed: {why}"));
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", returned_to)
        .append_pair("client_id", client_id)
        .append_pair("code_verifier", &secrets.verifier);
    variable(CLIENT_SECRET).map(|secret| form.append_pair("client_secret", &secret).finish());
    let (status, body) = provider.exchange(form.finish()).await?;
    if status != 200 {
        let refused: Refused = serde_json::from_slice(&body).unwrap_or_default();
        let words = clip(&refused.error, &refused.error_description);
        return Err(wrong(format!("the provider does not take the code (status {status}): {words}")));
    }
    let granted: Granted =
        serde_json::from_slice(&body).map_err(|_| wrong("the provider's answer is no JSON".to_owned()))?;
    let token = Zeroizing::new(granted.id_token.unwrap_or_default());
    let claims = claims(&token).ok_or_else(|| wrong("the provider gave no id token".to_owned()))?;
    let now = SystemClock.now().as_millis() / 1000;
    check(&claims, &provider.issuer, client_id, &secrets.nonce, now).map_err(|why| wrong(why.to_owned()))?;
    Ok(token)
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[allow(clippy::cast_precision_loss, reason = "seconds since 1970 are far below what a double holds exactly")]
fn check(claims: &Claims, issuer: &str, client_id: &str, nonce: &str, now: i64) -> Result<(), &'static str> {
    if claims.iss != issuer {
        return Err("the id token is of another identity provider");
    }
    if claims.nonce.as_deref() != Some(nonce) {
        return Err("the id token belongs to another log-in (its nonce differs)");
    }
    let (is_for_us, is_for_others) = match &claims.aud {
        Audience::One(one) => (one == client_id, false),
        Audience::Many(many) => (many.iter().any(|one| one == client_id), many.len() > 1),
    };
    let is_ours = claims.azp.as_deref().map_or(!is_for_others, |party| party == client_id);
    if !is_for_us || !is_ours {
        return Err("the id token is for another client");
    }
    if claims.exp > (now - LEEWAY) as f64 { Ok(()) } else { Err("the id token is over: check the clocks") }
}

/// What a provider says, in one line that is not too long and moves no cursor.
fn clip(error: &str, description: &str) -> String {
    let text = if description.is_empty() { error.to_owned() } else { format!("{error}: {description}") };
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(300).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_token_must_be_the_answer_to_this_login() {
        let ours = json!({ "iss": "i", "aud": "c", "exp": 1000, "nonce": "n", "sub": "s" });
        let with = |name: &str, value: serde_json::Value| {
            let mut claims = ours.clone();
            claims[name] = value;
            claims
        };
        for (claims, problem) in [
            (ours.clone(), None),
            (with("aud", json!(["c"])), None),
            (with("azp", json!("c")), None),
            (with("iss", json!("x")), Some("another identity provider")),
            (with("nonce", json!("x")), Some("nonce")),
            (with("nonce", json!(null)), Some("nonce")),
            (with("aud", json!("x")), Some("another client")),
            (with("aud", json!(["c", "x"])), Some("another client")),
            (with("aud", json!([])), Some("another client")),
            (with("azp", json!("x")), Some("another client")),
            (with("exp", json!(840)), Some("is over")),
        ] {
            let token = format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string()));
            let checked = check(&super::claims(&token).unwrap(), "i", "c", "n", 900);
            assert_eq!(checked.is_err(), problem.is_some(), "{claims}");
            assert!(checked.err().unwrap_or_default().contains(problem.unwrap_or_default()), "{claims}");
        }
        let many = with("aud", json!(["c", "x"])).to_string().replace("\"sub\"", "\"azp\":\"c\",\"sub\"");
        let token = format!("h.{}.s", URL_SAFE_NO_PAD.encode(many));
        assert!(check(&super::claims(&token).unwrap(), "i", "c", "n", 900).is_ok());
        for token in ["", "a.b", "a.b.c.d", "a.*.c", "a.e30.c"] {
            assert!(super::claims(token).is_none(), "{token}");
        }
    }

    #[test]
    fn what_a_provider_says_moves_no_cursor() {
        assert_eq!(clip("no\u{1b}[2J", ""), "no [2J");
        assert_eq!(clip("a", "b"), "a: b");
        assert_eq!(clip(&"x".repeat(999), "").len(), 300);
    }
}
