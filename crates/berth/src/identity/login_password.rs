//! `berth login-password`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::answer::Answer;
use crate::failure::Failure;
use crate::remote::client::Client;

/// Asks for a token and gives its password half, as `aws ecr get-login-password` does.
pub async fn run(client: &Client) -> Result<Answer, Failure> {
    let token = client.authorization_token().await?.token;
    let password = password(token.reveal()).ok_or_else(|| client.unexpected(200))?;
    Ok(Answer::new(password.clone(), json!({ "password": password })))
}

/// What stands behind `AWS:` in a token.
pub fn password(token: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_half_behind_the_name() {
        for (text, expected) in [("AWS:secret:more", Some("secret:more")), ("AWS:", Some("")), ("AWS", None)] {
            assert_eq!(password(&STANDARD.encode(text)).as_deref(), expected);
        }
        assert_eq!(password("*"), None);
    }
}
