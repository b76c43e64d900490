//! The signer against that of AWS's SDK.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::*;

const HOST: &str = "127.0.0.1:5000";
const MOMENT: i64 = 1_440_938_160;

type Pairs = Vec<(String, String)>;

/// Headers and parameters that the SDK adds.
fn by_sdk(request: &AwsRequest, keys: &Keys, presigned: bool) -> (Pairs, Pairs) {
    let identity = Credentials::new(&keys.id, &keys.secret, keys.token.clone(), None, "test").into();
    let mut settings = SigningSettings::default();
    if presigned {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_mins(1));
    }
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(MOMENT.try_into().unwrap());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("iam")
        .time(time)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let url = format!("http://{HOST}{}", request.target());
    let signable = SignableRequest::new(&request.method, url, headers, SignableBody::Bytes(&request.body)).unwrap();
    let (headers, pairs) = sign(signable, &parameters).unwrap().into_parts().0.into_parts();
    let headers = headers.iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect();
    (headers, pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect())
}

#[test]
fn the_signer_agrees_with_the_sdk() {
    let long_term = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let temporary = Keys { token: Some("a/long+token==".to_owned()), ..long_term.clone() };
    for keys in [long_term, temporary] {
        let request = AwsRequest::query("iam", "CreateUser", &[("UserName", "a b+c/d~é"), ("Path", "/x/")]);
        let signing = Signing::new(&keys, "iam").at(MOMENT);
        let (headers, _) = by_sdk(&request, &keys, false);
        let ours = signing.sign(request.clone(), HOST);
        let theirs = headers.iter().find(|(name, _)| name == "authorization").unwrap();
        assert_eq!(ours.header("authorization"), Some(theirs.1.as_str()));

        let (_, pairs) = by_sdk(&request, &keys, true);
        let ours = signing.presign(request, HOST, "60");
        let signature =
            |pairs: &[(String, String)]| pairs.iter().find(|(name, _)| name == "X-Amz-Signature").unwrap().1.clone();
        assert_eq!(signature(&ours.query), signature(&pairs));
    }
}

#[test]
fn days_are_those_of_the_calendar() {
    assert_eq!(iso_of(MOMENT), "20150830T123600Z");
    assert_eq!((day_of(951_782_400), day_of(951_868_800)), ("20000229".to_owned(), "20000301".to_owned()));
    assert_eq!(day_of(4_107_542_399), "21000228");
}
