//! What comes out of a token: condition keys, session tags, source identity.

use berth_federation::oidc::{Claims, TokenError};
use serde_json::{Value, json};

use crate::mint::{Signer, but, es256, good, key_set, verify};

fn of(claims: &Value) -> Result<Claims, TokenError> {
    let signer = Signer::es256();
    verify(&es256(&signer, claims), &key_set(&[signer.jwk("one")]))
}

fn key(claims: &Claims, name: &str) -> Option<Vec<String>> {
    let name = format!("issuer.example/tenant:{name}");
    claims.keys.iter().find(|(key, _)| *key == name).map(|(_, values)| values.clone())
}

#[test]
fn claims_become_condition_keys() {
    let mut claims = good();
    claims.as_object_mut().unwrap().extend(
        json!({ "Repository": "team/app", "run_number": 7, "is_protected": true, "amr": ["a", "b"],
            "nested": { "a": 1 }, "nothing": null, "mixed": ["a", 1] })
        .as_object()
        .unwrap()
        .clone(),
    );
    let claims = of(&claims).unwrap();
    for (name, values) in [
        ("sub", Some(vec!["system:serviceaccount:ci:builder"])),
        ("aud", Some(vec!["sts.amazonaws.com"])),
        ("repository", Some(vec!["team/app"])),
        ("run_number", Some(vec!["7"])),
        ("is_protected", Some(vec!["true"])),
        ("amr", Some(vec!["a", "b"])),
        ("nested", None),
        ("nothing", None),
        ("mixed", None),
        ("oaud", None),
    ] {
        let values = values.map(|values| values.into_iter().map(str::to_owned).collect());
        assert_eq!(key(&claims, name), values, "{name}");
    }
}

#[test]
fn the_audience_is_who_was_authorised_where_that_is_said() {
    let claims = of(&but("azp", json!("other"))).unwrap();
    assert_eq!(claims.audience, "other");
    assert_eq!(key(&claims, "aud"), Some(vec!["other".to_owned()]));
    assert_eq!(key(&claims, "oaud"), Some(vec!["sts.amazonaws.com".to_owned()]));
    assert_eq!(key(&claims, "azp"), Some(vec!["other".to_owned()]));
    // Of several, those of the provider count, and nobody else's.
    let claims = of(&but("aud", json!(["stranger", "other", "sts.amazonaws.com"]))).unwrap();
    assert_eq!(key(&claims, "aud"), Some(vec!["other".to_owned(), "sts.amazonaws.com".to_owned()]));
}

#[test]
fn claims_that_would_be_one_condition_key_are_refused() {
    assert_eq!(of(&but("SUB", json!("admin"))), Err(TokenError::Claim("sub".to_owned())));
}

#[test]
fn tags_come_in_both_forms() {
    let nested = json!({ "principal_tags": { "Project": ["x"], "Team": "red" }, "transitive_tag_keys": ["Project"] });
    let claims = of(&but("https://aws.amazon.com/tags", nested)).unwrap();
    assert_eq!(claims.tags, [("Project", "x"), ("Team", "red")].map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(claims.transitive, ["Project"]);
    let mut flat = but("https://aws.amazon.com/tags/principal_tags/Team", json!("red"));
    flat["https://aws.amazon.com/tags/transitive_tag_keys"] = json!(["Team"]);
    let claims = of(&flat).unwrap();
    assert_eq!(
        (claims.tags, claims.transitive),
        (vec![("Team".to_owned(), "red".to_owned())], vec!["Team".to_owned()])
    );
    for wrong in [
        json!("x"),
        json!({ "principal_tags": ["x"] }),
        json!({ "principal_tags": { "a": ["x", "y"] } }),
        json!({ "principal_tags": { "a": [] } }),
        json!({ "principal_tags": { "a": 1 } }),
        json!({ "principal_tags": { "": "x" } }),
        json!({ "principal_tags": { "a": "x".repeat(257) } }),
        json!({ "principal_tags": { "a": "x\n" } }),
        json!({ "principal_tags": (0..51).map(|n| (n.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>() }),
        json!({ "transitive_tag_keys": 1 }),
    ] {
        let refused = of(&but("https://aws.amazon.com/tags", wrong.clone()));
        assert_eq!(refused, Err(TokenError::Claim("https://aws.amazon.com/tags".to_owned())), "{wrong}");
    }
}

#[test]
fn who_is_behind_it_is_a_plain_name() {
    let name = "https://aws.amazon.com/source_identity";
    assert_eq!(
        of(&but(name, json!("alice@example.org"))).unwrap().source_identity.as_deref(),
        Some("alice@example.org")
    );
    assert_eq!(of(&good()).unwrap().source_identity, None);
    for wrong in [json!("a"), json!("a b"), json!("x".repeat(65)), json!(7), json!(["alice"])] {
        assert_eq!(of(&but(name, wrong.clone())), Err(TokenError::Claim(name.to_owned())), "{wrong}");
    }
}
