//! Headers, signatures, issuers, audiences and times.

use berth_federation::oidc::{KeySet, Token, TokenError};
use serde_json::{Value, json};

use crate::mint::{ISSUER, NOW, Signer, but, encode, es256, good, key_set, token, verify, verify_at};

fn one() -> (Signer, KeySet) {
    let signer = Signer::es256();
    let keys = key_set(&[signer.jwk("one")]);
    (signer, keys)
}

#[test]
fn a_true_token_opens_by_each_algorithm() {
    for (signer, algorithm) in [
        (Signer::es256(), "ES256"),
        (Signer::es384(), "ES384"),
        (Signer::rsa(), "RS256"),
        (Signer::rsa(), "RS384"),
        (Signer::rsa(), "RS512"),
    ] {
        let text = token(&signer, &json!({ "alg": algorithm, "kid": "one" }).to_string(), &good().to_string());
        let claims = verify(&text, &key_set(&[signer.jwk("one")])).unwrap();
        assert_eq!(claims.subject, "system:serviceaccount:ci:builder", "{algorithm}");
        assert_eq!((claims.audience.as_str(), claims.expires_at), ("sts.amazonaws.com", NOW + 3600));
        // Of another key with the same name.
        let other = key_set(&[Signer::es256().jwk("one"), Signer::es384().jwk("one")]);
        let expected = if algorithm.starts_with("ES") { TokenError::Signature } else { TokenError::UnknownKey };
        assert_eq!(verify(&text, &other), Err(expected), "{algorithm}");
    }
}

#[test]
fn headers_are_read_strictly() {
    let (signer, keys) = one();
    let own = signer.jwk("one");
    let of = |extra: Value| {
        let mut header = json!({ "alg": "ES256", "kid": "one" });
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        header.to_string()
    };
    let table = [
        (of(json!({})), None),
        (of(json!({ "typ": "jwt" })), None),
        (of(json!({ "x5t": "abc" })), None),
        (of(json!({ "typ": "at+jwt" })), Some(TokenError::Header("typ"))),
        (of(json!({ "typ": 1 })), Some(TokenError::Header("typ"))),
        (of(json!({ "crit": ["exp"] })), Some(TokenError::Header("crit"))),
        (of(json!({ "crit": [] })), Some(TokenError::Header("crit"))),
        (of(json!({ "crit": ["b64"], "b64": false })), Some(TokenError::Header("crit"))),
        (of(json!({ "jwk": own })), Some(TokenError::Header("jwk"))),
        (of(json!({ "jku": "https://evil.example/keys" })), Some(TokenError::Header("jku"))),
        (of(json!({ "x5u": "https://evil.example/cert" })), Some(TokenError::Header("x5u"))),
        (of(json!({ "x5c": ["MII"] })), Some(TokenError::Header("x5c"))),
        (of(json!({ "kid": 1 })), Some(TokenError::Header("kid"))),
        (of(json!({ "kid": "../../one" })), Some(TokenError::UnknownKey)),
        (of(json!({ "kid": "ONE" })), Some(TokenError::UnknownKey)),
        (of(json!({ "alg": "none" })), Some(TokenError::Algorithm)),
        (of(json!({ "alg": "HS256" })), Some(TokenError::Algorithm)),
        (of(json!({ "alg": "es256" })), Some(TokenError::Algorithm)),
        (of(json!({ "alg": "PS256" })), Some(TokenError::Algorithm)),
        (of(json!({ "alg": 1 })), Some(TokenError::Form)),
        (of(json!({ "alg": "RS256" })), Some(TokenError::UnknownKey)),
        (of(json!({ "alg": "ES384" })), Some(TokenError::UnknownKey)),
        (r#"{"kid":"one"}"#.to_owned(), Some(TokenError::Form)),
        (r#"{"alg":"ES256","alg":"ES256","kid":"one"}"#.to_owned(), Some(TokenError::Form)),
        (r#"{"alg":"ES256","kid":"two","kid":"one"}"#.to_owned(), Some(TokenError::Form)),
        (r#"["alg"]"#.to_owned(), Some(TokenError::Form)),
    ];
    for (header, expected) in table {
        assert_eq!(verify(&token(&signer, &header, &good().to_string()), &keys).err(), expected, "{header}");
    }
}

#[test]
fn forms_are_read_strictly() {
    let (signer, keys) = one();
    let text = es256(&signer, &good());
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { panic!("three parts") };
    let none = encode(r#"{"alg":"none"}"#);
    for wrong in [
        String::new(),
        "a".to_owned(),
        ".".repeat(10_000),
        ".".repeat(20_001),
        "..".to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{none}.{payload}."),
        format!("{text}."),
        format!("{text}.{signature}"),
        format!("{text}="),
        format!("{text} "),
        format!(" {text}"),
        format!("{header}.{payload}.{signature}\n"),
        format!("{header}..{signature}"),
        format!("{header}.{}.{signature}", encode("no json")),
        format!("{}.{payload}.{signature}", encode("\u{feff}{}")),
        "é.é.é".to_owned(),
    ] {
        assert!(verify(&wrong, &keys).is_err(), "{wrong}");
    }
    let long = es256(&signer, &but("more", json!("x".repeat(20_000))));
    assert_eq!(Token::read(&long).err(), Some(TokenError::Form));
    assert!(verify(&text, &keys).is_ok());
}

#[test]
fn a_symmetric_signature_by_the_public_key_opens_nothing() {
    let signer = Signer::rsa();
    let jwk = signer.jwk("one");
    let public = jwk["n"].as_str().unwrap().as_bytes();
    for algorithm in ["HS256", "hs256", "RS256"] {
        let signed =
            format!("{}.{}", encode(json!({ "alg": algorithm, "kid": "one" }).to_string()), encode(good().to_string()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public);
        let text = format!("{signed}.{}", encode(ring::hmac::sign(&key, signed.as_bytes())));
        assert!(verify(&text, &key_set(std::slice::from_ref(&jwk))).is_err(), "{algorithm}");
    }
}

#[test]
fn payloads_name_each_claim_once() {
    let (signer, keys) = one();
    let doubled = good().to_string().replacen('{', r#"{"sub":"system:serviceaccount:kube-system:admin","#, 1);
    let text = token(&signer, r#"{"alg":"ES256","kid":"one"}"#, &doubled);
    assert_eq!(verify(&text, &keys).err(), Some(TokenError::Form));
}

#[test]
fn issuer_subject_and_audience_are_the_providers() {
    let (signer, keys) = one();
    let missing = |name| Some(TokenError::Missing(name));
    let table = [
        (but("iss", json!("https://issuer.example/tenant/")), Some(TokenError::Issuer)),
        (but("iss", json!("https://issuer.example")), Some(TokenError::Issuer)),
        (but("iss", json!("HTTPS://issuer.example/tenant")), Some(TokenError::Issuer)),
        (but("iss", json!([ISSUER])), missing("iss")),
        (but("iss", Value::Null), missing("iss")),
        (but("sub", Value::Null), missing("sub")),
        (but("sub", json!(7)), missing("sub")),
        (but("sub", json!("")), Some(TokenError::Claim("sub".to_owned()))),
        (but("sub", json!("x".repeat(256))), Some(TokenError::Claim("sub".to_owned()))),
        (but("sub", json!("x".repeat(255))), None),
        (but("aud", Value::Null), missing("aud")),
        (but("aud", json!([])), missing("aud")),
        (but("aud", json!({})), missing("aud")),
        (but("aud", json!(["sts.amazonaws.com", 1])), missing("aud")),
        (but("aud", json!("https://kubernetes.default.svc")), Some(TokenError::Audience)),
        (but("aud", json!("STS.amazonaws.com")), Some(TokenError::Audience)),
        (but("aud", json!(["https://kubernetes.default.svc", "other"])), None),
        (but("azp", json!("other")), None),
        (but("azp", json!("stranger")), Some(TokenError::Audience)),
        (but("azp", json!(1)), Some(TokenError::Claim("azp".to_owned()))),
    ];
    for (claims, expected) in table {
        assert_eq!(verify(&es256(&signer, &claims), &keys).err(), expected, "{claims}");
    }
}

#[test]
fn times_have_a_minute_of_leeway() {
    let (signer, keys) = one();
    let day = 24 * 3600;
    let table = [
        (but("exp", Value::Null), Some(TokenError::Missing("exp"))),
        (but("iat", Value::Null), Some(TokenError::Missing("iat"))),
        (but("exp", json!("1800003600")), Some(TokenError::Claim("exp".to_owned()))),
        (but("exp", json!(1e300)), Some(TokenError::Claim("exp".to_owned()))),
        (but("exp", json!(NOW - 10)), Some(TokenError::TooLong)),
        (but("iat", json!(NOW + 61)), Some(TokenError::NotYet)),
        (but("iat", json!(NOW + 60)), None),
        (but("nbf", json!(NOW + 61)), Some(TokenError::NotYet)),
        (but("nbf", json!(NOW + 60)), None),
        (but("nbf", json!("x")), Some(TokenError::Claim("nbf".to_owned()))),
        (but("exp", json!(NOW - 10 + day)), None),
        (but("exp", json!(NOW - 9 + day)), Some(TokenError::TooLong)),
        (but("iat", json!(-1e11)), Some(TokenError::TooLong)),
        (but("exp", json!(f64::from(1_800_003_600) + 0.5)), None),
    ];
    for (claims, expected) in table {
        assert_eq!(verify(&es256(&signer, &claims), &keys).err(), expected, "{claims}");
    }
    let text = es256(&signer, &good());
    assert!(verify_at(&text, &keys, NOW + 3659).is_ok());
    let (now, expired) = (NOW + 3660, NOW + 3600);
    assert_eq!(verify_at(&text, &keys, now), Err(TokenError::Expired { now, expired }));
}

#[test]
fn nothing_of_a_token_is_shown() {
    let (signer, _) = one();
    let text = es256(&signer, &good());
    let shown = format!("{:?}", Token::read(&text).unwrap());
    assert!(!shown.contains("serviceaccount") && !shown.contains(&text), "{shown}");
}
