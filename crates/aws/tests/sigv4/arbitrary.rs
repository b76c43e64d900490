//! Arbitrary requests: none makes the reader or the verifier panic, none is accepted, and what we sign we accept.

use berth_aws::sigv4::{Demands, PathStyle, Presented, presign, sign, verify};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::known::{documented, presigned};
use crate::support::{Owned, sha256};

/// Bits of signed requests, so that arbitrary ones come past the first checks.
const BITS: [&str; 32] = [
    "AWS4-HMAC-SHA256",
    " ",
    "Credential=",
    "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request",
    ", ",
    ",",
    "=",
    ";",
    "SignedHeaders=",
    "host",
    "x-amz-date",
    "Signature=",
    "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    "20150830T123600Z",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    "&",
    "X-Amz-Credential=",
    "X-Amz-Date=",
    "X-Amz-Expires=60",
    "X-Amz-SignedHeaders=host",
    "X-Amz-Signature=",
    "X-Amz-Security-Token=",
    "%2F",
    "%",
    "%e1%88",
    "+",
    "/",
    "..",
    "ሴ",
    "\n",
    "Sun, 30 Aug 2015 12:36:00 GMT",
    "UNSIGNED-PAYLOAD",
];
const NAMES: [&str; 8] =
    ["authorization", "host", "x-amz-date", "date", "x-amz-security-token", "x-amz-content-sha256", "X-AMZ-é", ""];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), vec(proptest::sample::select(&BITS[..]), 0..24).prop_map(|bits| bits.concat()),]
}

fn arbitrary() -> impl Strategy<Value = Owned> {
    let value = prop_oneof![vec(any::<u8>(), 0..80), text().prop_map(String::into_bytes)];
    let name = prop_oneof![proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), any::<String>()];
    let headers = vec((name, value), 0..6);
    (text(), text(), proptest::option::of(text()), headers, vec(any::<u8>(), 0..16))
        .prop_map(|(method, path, query, headers, body)| Owned { method, path, query, headers, body })
}

/// A good request of which some bytes are others.
fn nearly_good() -> impl Strategy<Value = Owned> {
    (any::<bool>(), 0..4usize, any::<prop::sample::Index>(), text()).prop_map(|(header, part, at, new)| {
        let (mut request, _) = if header { documented() } else { presigned() };
        let insert = |old: &str| {
            let at = (0..=at.index(old.len() + 1)).rev().find(|at| old.is_char_boundary(*at)).unwrap();
            format!("{}{new}{}", &old[..at], &old[at..])
        };
        match part {
            0 => request.path = insert(&request.path),
            1 => request.query = request.query.as_deref().map(insert),
            2 => request.method = insert(&request.method),
            _ => {
                let index = at.index(request.headers.len());
                let old = String::from_utf8(request.headers[index].1.clone()).unwrap();
                request.headers[index].1 = insert(&old).into_bytes();
            }
        }
        request
    })
}

/// A request that can be signed, with any path, query, values and body.
fn signable() -> impl Strategy<Value = Owned> {
    let value = vec(any::<u8>(), 0..40);
    let name = proptest::sample::select(&["accept", "content-type", "x-amz-target", "date", "cookie"][..]);
    (text(), proptest::option::of(text()), vec((name, value.clone()), 0..6), value).prop_map(
        |(path, query, headers, body)| {
            let query = query.map(|query| query.replace("X-Amz-", "X-"));
            let mut request = Owned::new("POST", &path, query.as_deref(), &[("host", "example.com")], &body);
            request.headers.extend(headers.into_iter().map(|(name, value)| (name.to_owned(), value)));
            request
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_requests_are_refused(request in arbitrary()) {
        for (_, setup) in [documented(), presigned()] {
            prop_assert!(request.verify(&setup).is_err());
        }
    }

    #[test]
    fn nearly_good_requests_are_verified_with_any_demands(
        good in nearly_good(),
        other in arbitrary(),
        now in any::<i64>(),
        skew in any::<u32>(),
    ) {
        let _ = (good.verify(&documented().1), good.verify(&presigned().1));
        // What was read from one request, verified with another.
        if let Ok(Some(presented)) = good.with(Presented::read) {
            let demands = Demands {
                now,
                skew,
                regions: &["us-east-1"],
                services: &["iam", "sts"],
                payload_sha256: sha256(&other.body),
                path_style: PathStyle::AsSent,
            };
            prop_assert!(other.with(|other| verify(other, &presented, &documented().1.secret, &demands)).is_err());
        }
    }

    #[test]
    fn what_we_sign_we_accept(request in signable(), as_sent in any::<bool>(), declare in any::<bool>(), expires in 1..=604_800u32) {
        let (_, mut setup) = documented();
        setup.style = if as_sent { PathStyle::AsSent } else { PathStyle::Normalized };
        let mut signing = setup.signing("AKIDEXAMPLE", Some("token"), &request.body);
        signing.declare_payload = declare;
        let mut signed = request.clone();
        for (name, value) in request.with(|r| sign(r, &signing)).unwrap() {
            signed.set(name, &value);
        }
        prop_assert_eq!(signed.verify(&setup), Ok(()));
        signed = request.clone();
        signed.query = Some(request.with(|r| presign(r, &signing, expires)).unwrap());
        prop_assert_eq!(signed.verify(&setup), Ok(()));
    }
}
