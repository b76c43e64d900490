//! What is refused, as what, and what is not.

use berth_aws::sigv4::{Form, Presented, SigV4Error, presign, sign};

use crate::known::{documented, presigned, to_s3, with_token};
use crate::support::{Owned, Setup};

type Change = fn(&mut Owned);

fn replace(request: &mut Owned, from: &str, to: &str) {
    let value = request.header("authorization").map(|value| value.replacen(from, to, 1));
    match value {
        Some(value) => request.set("authorization", &value),
        None => request.query = request.query.as_ref().map(|query| query.replacen(from, to, 1)),
    }
}

fn check((request, setup): (Owned, Setup), cases: Vec<(Change, SigV4Error)>) {
    for (index, (change, expected)) in cases.into_iter().enumerate() {
        let mut changed = request.clone();
        change(&mut changed);
        assert_ne!(changed, request, "case {index} changes nothing");
        assert_eq!(changed.verify(&setup), Err(expected), "case {index}");
    }
}

fn missing(form: Form, part: &'static str) -> SigV4Error {
    SigV4Error::Missing { form, part }
}

#[test]
fn the_header_form_is_refused_by_kind() {
    let scope = |part: &str| SigV4Error::Date { scope: part.to_owned(), moment: 1_440_938_160 };
    let cases: Vec<(Change, SigV4Error)> = vec![
        (|r| r.headers.retain(|(n, _)| n != "authorization"), SigV4Error::MissingAuthenticationToken),
        (|r| r.set("authorization", "Basic QVdTOng="), SigV4Error::MissingAuthenticationToken),
        (|r| r.set("authorization", "AWS4-HMAC-SHA256"), missing(Form::Header, "Credential")),
        (|r| replace(r, "Credential=AK", "Credentials=AK"), malformed_header()),
        (|r| replace(r, "Signature=", "Signed="), malformed_header()),
        (|r| replace(r, ", Signature=", ",,Signature="), malformed_header()),
        (|r| r.set("authorization", "AWS4-HMAC-SHA256 Credential=a"), missing(Form::Header, "Signature")),
        (
            |r| r.set("authorization", "AWS4-HMAC-SHA256 Credential=a,Signature=b"),
            missing(Form::Header, "SignedHeaders"),
        ),
        (|r| replace(r, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), SigV4Error::Algorithm),
        (|r| replace(r, "AWS4-HMAC-SHA256", "aws4-hmac-sha256"), SigV4Error::Algorithm),
        (|r| replace(r, "Signature=", "Signature=a, Signature="), SigV4Error::Ambiguous("Signature")),
        (|r| replace(r, "Credential=", "Credential=a, Credential="), SigV4Error::Ambiguous("Credential")),
        (|r| replace(r, "SignedHeaders=", "SignedHeaders=, SignedHeaders="), SigV4Error::Ambiguous("SignedHeaders")),
        (|r| r.headers.push(("authorization".into(), b"Bearer x".into())), SigV4Error::Ambiguous("authorization")),
        (|r| r.headers.push(("x-amz-date".into(), b"20150830T123600Z".into())), SigV4Error::Ambiguous("x-amz-date")),
        (|r| r.headers.push(("host".into(), b"iam.amazonaws.com".into())), SigV4Error::Ambiguous("host")),
        (|r| r.query = Some("X-Amz-Signature=a".into()), SigV4Error::Ambiguous("X-Amz-Signature")),
        (|r| r.query = Some("X%2DAmz-Expires=9".into()), SigV4Error::Ambiguous("X-Amz-Expires")),
        (|r| r.headers.retain(|(n, _)| n != "x-amz-date"), SigV4Error::MissingDate),
        (|r| replace(r, "/aws4_request", "/aws5_request"), SigV4Error::Terminator("aws5_request".into())),
        (
            |r| replace(r, "us-east-1", "us-east-2"),
            SigV4Error::Region { given: "us-east-2".into(), valid: "us-east-1".into() },
        ),
        (|r| replace(r, "/iam/", "/sts/"), SigV4Error::Service("iam".into())),
        (|r| replace(r, "20150830", "20150829"), scope("20150829")),
        (|r| replace(r, "content-type;host;", "content-type;"), SigV4Error::HostNotSigned),
        (|r| replace(r, ";x-amz-date", ""), SigV4Error::HeaderNotSigned("x-amz-date".into())),
        (|r| r.headers.push(("X-Amz-New".into(), b"1".into())), SigV4Error::HeaderNotSigned("X-Amz-New".into())),
        (
            |r| replace(r, "content-type;", "content-length;content-type;"),
            SigV4Error::HeaderAbsent("content-length".into()),
        ),
        (|r| r.body = b"x".into(), SigV4Error::SignatureMismatch),
        (|r| r.method = "get".into(), SigV4Error::SignatureMismatch),
        (|r| r.path = "x".repeat(65_537), SigV4Error::TooLarge("target")),
        (|r| r.query = Some("x".repeat(65_537)), SigV4Error::TooLarge("target")),
        (|r| replace(r, "Signature=", &"a".repeat(16_384)), SigV4Error::TooLarge("Authorization header")),
        (|r| replace(r, "content-type;", &"a;".repeat(101)), SigV4Error::TooLarge("list of signed headers")),
    ];
    check(documented(), cases);
}

fn malformed_header() -> SigV4Error {
    let mut request = documented().0;
    request.set("authorization", "AWS4-HMAC-SHA256 x");
    request.presented().unwrap_err()
}

#[test]
fn malformed_parts_are_refused_as_such() {
    let spoilers: [Change; 20] = [
        |r| replace(r, "AKIDEXAMPLE/", ""),
        |r| replace(r, "AKIDEXAMPLE/", "/"),
        |r| replace(r, "AKIDEXAMPLE/", "a/AKIDEXAMPLE/"),
        |r| replace(r, "AKIDEXAMPLE/", &format!("{}/", "A".repeat(129))),
        |r| replace(r, "us-east-1", ""),
        |r| replace(r, "us-east-1", "us east 1"),
        |r| replace(r, "us-east-1", &"a".repeat(65)),
        |r| replace(r, "20150830", "20150832"),
        |r| replace(r, "20150830", "2015083"),
        |r| replace(r, "host;x-amz-date", "x-amz-date;host"),
        |r| replace(r, "host;x-amz-date", "host;host;x-amz-date"),
        |r| replace(r, "host;x-amz-date", "Host;x-amz-date"),
        |r| replace(r, "content-type;", ";"),
        |r| replace(r, "=5d67", "=5D67"),
        |r| replace(r, "=5d67", "=5d6"),
        |r| replace(r, "=5d67", "= d67"),
        |r| r.set("x-amz-date", "2015-08-30T12:36:00Z"),
        |r| r.set("x-amz-date", "Sun, 30 Aug 2015 12:36:00 GMT"),
        |r| r.method = "GET\n/".into(),
        |r| r.headers.iter_mut().filter(|(n, _)| n == "authorization").for_each(|(_, v)| v.push(0xff)),
    ];
    let (request, setup) = documented();
    for (index, change) in spoilers.iter().enumerate() {
        let mut changed = request.clone();
        change(&mut changed);
        assert!(matches!(changed.verify(&setup), Err(SigV4Error::Malformed(_))), "case {index}");
    }
}

#[test]
fn the_query_form_is_refused_by_kind() {
    let cases: Vec<(Change, SigV4Error)> = vec![
        (|r| replace(r, "X-Amz-Algorithm", "x-amz-algorithm"), missing(Form::Query, "X-Amz-Algorithm")),
        (|r| replace(r, "X-Amz-Credential=", "X="), missing(Form::Query, "X-Amz-Credential")),
        (|r| replace(r, "X-Amz-SignedHeaders=", "X="), missing(Form::Query, "X-Amz-SignedHeaders")),
        (|r| replace(r, "X-Amz-Signature=", "X="), missing(Form::Query, "X-Amz-Signature")),
        (|r| replace(r, "X-Amz-Date=", "X="), missing(Form::Query, "X-Amz-Date")),
        (|r| replace(r, "X-Amz-Expires=", "X="), missing(Form::Query, "X-Amz-Expires")),
        (|r| replace(r, "X-Amz-Security-Token=", "X="), SigV4Error::SignatureMismatch),
        (|r| replace(r, "HMAC-SHA256", "HMAC-SHA1"), SigV4Error::Algorithm),
        (|r| replace(r, "Expires=60", "Expires=0"), SigV4Error::Expires),
        (|r| replace(r, "Expires=60", "Expires=-1"), SigV4Error::Expires),
        (|r| replace(r, "Expires=60", "Expires=%2B60"), SigV4Error::Expires),
        (|r| replace(r, "Expires=60", "Expires=604801"), SigV4Error::Expires),
        (|r| replace(r, "Expires=60", "Expires=99999999999"), SigV4Error::Expires),
        (|r| replace(r, "Expires=60", "Expires="), SigV4Error::Expires),
        (|r| replace(r, "Expires=60", "Expires=604800"), SigV4Error::SignatureMismatch),
        (|r| replace(r, "X-Amz-Date", "X-Amz-Credential=a&X-Amz-Date"), SigV4Error::Ambiguous("X-Amz-Credential")),
        (|r| replace(r, "X-Amz-Date", "X-Amz-Dat%65=a&X-Amz-Date"), SigV4Error::Ambiguous("X-Amz-Date")),
        (
            |r| replace(r, "X-Amz-Security", "X-Amz-Security-Token=&X-Amz-Security"),
            SigV4Error::Ambiguous("X-Amz-Security-Token"),
        ),
        (|r| r.set("authorization", "Bearer x"), SigV4Error::Ambiguous("credential")),
        (|r| r.set("x-amz-date", "20150830T123600Z"), SigV4Error::Ambiguous("x-amz-date")),
        (|r| r.set("x-amz-security-token", "x"), SigV4Error::Ambiguous("x-amz-security-token")),
        (|r| r.set("x-amz-user-agent", "x"), SigV4Error::HeaderNotSigned("x-amz-user-agent".into())),
        (|r| replace(r, "SignedHeaders=host", "SignedHeaders=accept"), SigV4Error::HostNotSigned),
        (|r| replace(r, "Action", "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&Action"), SigV4Error::UnsignedPayload),
        (|r| r.query.as_mut().unwrap().push_str("&x=y"), SigV4Error::SignatureMismatch),
        (|r| r.body = b"x".into(), SigV4Error::SignatureMismatch),
    ];
    check(presigned(), cases);
}

#[test]
fn payloads_and_tokens_must_be_signed() {
    let cases: Vec<(Change, SigV4Error)> = vec![
        (|r| r.set("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), SigV4Error::UnsignedPayload),
        (|r| r.set("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), SigV4Error::UnsignedPayload),
        (|r| r.set("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), SigV4Error::UnsignedPayload),
        (|r| r.set("x-amz-content-sha256", ""), SigV4Error::PayloadMismatch),
        (|r| r.headers.push(("x-amz-content-sha256".into(), b"UNSIGNED-PAYLOAD".into())), SigV4Error::UnsignedPayload),
        (|r| r.body = b"other".into(), SigV4Error::PayloadMismatch),
        (|r| replace(r, "x-amz-content-sha256;", ""), SigV4Error::HeaderNotSigned("x-amz-content-sha256".into())),
    ];
    check(to_s3(), cases);
    let token = "x-amz-security-token";
    let cases: Vec<(Change, SigV4Error)> = vec![
        (|r| replace(r, "x-amz-security-token;", ""), SigV4Error::HeaderNotSigned("x-amz-security-token".into())),
        (|r| r.headers.push(("x-amz-security-token".into(), b"x".into())), SigV4Error::Ambiguous(token)),
        (|r| r.headers.retain(|(n, _)| n != "x-amz-security-token"), SigV4Error::HeaderAbsent(token.into())),
        (|r| r.set("x-amz-security-token", &"a".repeat(16_385)), SigV4Error::TooLarge("session token")),
    ];
    check(with_token(), cases);
}

#[test]
fn a_clock_may_be_off_by_the_skew_and_not_more() {
    let (header, mut setup) = documented();
    let moment = setup.now;
    for (now, accepted) in [(-900, true), (900, true), (-901, false), (901, false)] {
        setup.now = moment + now;
        assert_eq!(header.verify(&setup).is_ok(), accepted, "{now}");
    }
    let (query, mut setup) = presigned();
    for (now, accepted) in [(-900, true), (60, true), (-901, false), (61, false)] {
        setup.now = moment + now;
        assert_eq!(query.verify(&setup).is_ok(), accepted, "{now}");
    }
    for now in [i64::MIN, i64::MAX] {
        setup.now = now;
        assert!(header.verify(&setup).is_err() && query.verify(&setup).is_err());
    }
}

#[test]
fn a_request_without_these_credentials_presents_none() {
    let (mut request, _) = presigned();
    for query in [None, Some(""), Some("a=b"), Some("X-Amz-Date=20150830T123600Z")] {
        request.query = query.map(str::to_owned);
        for authorization in [None, Some("Basic QVdTOng="), Some("Bearer x"), Some("AWS a:b"), Some("")] {
            request.headers.retain(|(name, _)| name != "authorization");
            authorization.inspect(|value| request.set("authorization", value));
            assert!(request.with(Presented::read).unwrap().is_none(), "{query:?} {authorization:?}");
        }
    }
}

#[test]
fn nothing_secret_is_printed() {
    for (request, setup) in [with_token(), presigned()] {
        let presented = request.presented().unwrap();
        let signing = setup.signing(presented.access_key_id(), presented.session_token(), b"");
        let mut other = setup.clone();
        other.secret += "x";
        let errors = [request.verify(&other).unwrap_err().to_string()];
        let texts = [format!("{presented:?}"), format!("{signing:?}"), request.with(|r| format!("{r:?}"))];
        for text in texts.iter().chain(&errors) {
            for secret in ["FwoGZXIvYXdzEBYaDE", "89cd5e85", "fdbc895c", &setup.secret] {
                assert!(!text.contains(secret), "{text}");
            }
        }
        assert_eq!(presented.session_token(), Some("FwoGZXIvYXdzEBYaDE+x/y=="));
    }
}

#[test]
fn a_signer_refuses_what_a_verifier_would() {
    let (signed, setup) = documented();
    let bare = signed.unsigned(signed.presented().unwrap().signed_headers());
    let signing = setup.signing("AKIDEXAMPLE", None, b"");
    let tries: [(Change, SigV4Error); 6] = [
        (|r| r.set("x-amz-date", "x"), SigV4Error::Ambiguous("x-amz-date")),
        (|r| r.set("authorization", "x"), SigV4Error::Ambiguous("authorization")),
        (|r| r.set("x-amz-security-token", "x"), SigV4Error::Ambiguous("x-amz-security-token")),
        (|r| r.query = Some("X-Amz-Date=1".into()), SigV4Error::Ambiguous("X-Amz-Date")),
        (|r| r.headers.retain(|(n, _)| n != "host"), SigV4Error::HostNotSigned),
        (|r| r.path = "x".repeat(65_537), SigV4Error::TooLarge("target")),
    ];
    for (change, expected) in tries {
        let mut changed = bare.clone();
        change(&mut changed);
        assert_eq!(changed.with(|r| sign(r, &signing)), Err(expected.clone()));
        assert_eq!(changed.with(|r| presign(r, &signing, 60)), Err(expected));
    }
    for expires in [0, 604_801] {
        assert_eq!(bare.with(|r| presign(r, &signing, expires)), Err(SigV4Error::Expires));
    }
    let mut upper = bare.clone();
    upper.set("My-Header", "x");
    assert!(matches!(upper.with(|r| sign(r, &signing)), Err(SigV4Error::Malformed(_))));
}
