//! Key sets: which keys count, and for what.

use berth_federation::oidc::{KeySet, KeySetError, TokenError};
use serde_json::{Value, json};

use crate::mint::{Signer, encode, es256, good, key_set, token, verify};

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key.as_object_mut().unwrap().insert(name.to_owned(), value);
    key
}

fn parse(keys: &Value) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn keys_that_tokens_are_not_verified_with_are_left_out() {
    let (ec, rsa) = (Signer::es256().jwk("a"), Signer::rsa().jwk("a"));
    let weak = |bits: usize| with(rsa.clone(), "n", json!(encode([&[0x80_u8][..], &vec![1; bits / 8 - 1]].concat())));
    let useful = [
        ec.clone(),
        rsa.clone(),
        with(ec.clone(), "use", json!("sig")),
        with(ec.clone(), "alg", json!("ES256")),
        with(rsa.clone(), "alg", json!("RS512")),
        with(ec.clone(), "key_ops", json!(["sign", "verify"])),
        with(ec.clone(), "x5c", json!(["MII"])),
        weak(2048),
        with(rsa.clone(), "n", json!(encode([&[0, 0x80_u8][..], &[1; 255]].concat()))),
    ];
    for key in useful {
        assert!(parse(&json!([key])).is_ok(), "{key}");
    }
    let useless = [
        json!({ "kty": "oct", "kid": "a", "k": "c2VjcmV0" }),
        json!({ "kty": "oct", "kid": "a", "k": "c2VjcmV0", "alg": "HS256" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" }),
        json!({}),
        json!(7),
        weak(1024),
        weak(2040),
        weak(16384),
        with(rsa.clone(), "e", json!("AQ")),
        with(rsa.clone(), "e", json!("AAAA")),
        with(rsa.clone(), "e", json!("AQAA")),
        with(rsa.clone(), "n", json!("")),
        with(rsa.clone(), "n", json!("not base64!")),
        with(ec.clone(), "use", json!("enc")),
        with(ec.clone(), "use", json!(1)),
        with(ec.clone(), "key_ops", json!(["encrypt"])),
        with(ec.clone(), "key_ops", json!("verify")),
        with(ec.clone(), "alg", json!("RS256")),
        with(ec.clone(), "alg", json!("ES384")),
        with(ec.clone(), "alg", json!("HS256")),
        with(ec.clone(), "alg", json!("none")),
        with(ec.clone(), "crv", json!("P-521")),
        with(ec.clone(), "crv", json!("secp256k1")),
        with(ec.clone(), "x", json!(encode([1; 31]))),
        with(ec.clone(), "x", json!(encode([1; 33]))),
        with(ec.clone(), "kid", json!(1)),
    ];
    for key in useless {
        assert_eq!(parse(&json!([key])), Err(KeySetError::Useless), "{key}");
        // One such key does not take the others away.
        assert!(parse(&json!([key, ec])).is_ok(), "{key}");
    }
}

#[test]
fn sets_are_bounded_and_read_strictly() {
    let key = Signer::es256().jwk("a");
    assert!(parse(&Value::from(vec![key.clone(); 100])).is_ok());
    assert_eq!(parse(&Value::from(vec![key.clone(); 101])), Err(KeySetError::TooMany));
    assert_eq!(parse(&json!([])), Err(KeySetError::Useless));
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(KeySet::parse(text.as_bytes()), Err(KeySetError::Form), "{text}");
    }
    let large = format!(r#"{{"keys":[{key}],"more":"{}"}}"#, "x".repeat(256 * 1024));
    assert_eq!(KeySet::parse(large.as_bytes()), Err(KeySetError::Form));
}

#[test]
fn a_key_is_for_its_own_algorithm_only() {
    let signer = Signer::rsa();
    let keys = key_set(&[with(signer.jwk("one"), "alg", json!("RS256"))]);
    for (algorithm, expected) in
        [("RS256", None), ("RS384", Some(TokenError::UnknownKey)), ("RS512", Some(TokenError::UnknownKey))]
    {
        let text = token(&signer, &json!({ "alg": algorithm, "kid": "one" }).to_string(), &good().to_string());
        assert_eq!(verify(&text, &keys).err(), expected, "{algorithm}");
    }
}

#[test]
fn a_point_off_the_curve_verifies_nothing() {
    let signer = Signer::es256();
    let keys = key_set(&[with(signer.jwk("one"), "y", json!(encode([7; 32])))]);
    assert_eq!(verify(&es256(&signer, &good()), &keys).err(), Some(TokenError::Signature));
}

#[test]
fn one_id_of_several_keys_means_each_of_them() {
    let (first, second, stranger) = (Signer::es256(), Signer::es256(), Signer::es256());
    let keys = key_set(&[first.jwk("one"), second.jwk("one")]);
    for signer in [&first, &second] {
        assert!(verify(&es256(signer, &good()), &keys).is_ok());
    }
    assert_eq!(verify(&es256(&stranger, &good()), &keys).err(), Some(TokenError::Signature));
}

#[test]
fn a_token_without_an_id_is_verified_where_one_key_can_be_meant() {
    let (signer, other) = (Signer::es256(), Signer::es256());
    let text = token(&signer, r#"{"alg":"ES256"}"#, &good().to_string());
    assert!(verify(&text, &key_set(&[signer.jwk("a"), Signer::rsa().jwk("b")])).is_ok());
    let two = key_set(&[signer.jwk("a"), other.jwk("b")]);
    assert_eq!(verify(&text, &two).err(), Some(TokenError::UnknownKey));
}
