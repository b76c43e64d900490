//! Random requests, signed by AWS's SDK for Rust (`aws-sigv4`): verified, spoilt, and signed by us.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use berth_aws::sigv4::PathStyle;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::support::{Numbers, Owned, Setup, mutants, signature_of, signed_by_us};

const REQUESTS: usize = 5000;
const SEED: u64 = 20_150_830;

const SEGMENTS: [&str; 20] = [
    "",
    ".",
    "..",
    "...",
    "a",
    "v2",
    "repo",
    "%20",
    "%2F",
    "%2f",
    "%25",
    "%E1%88%B4",
    "a+b",
    "a:b@c",
    "~x",
    "(1)",
    "!*'",
    "$&,;=",
    "-._~",
    "a.b",
];
const WORDS: [&str; 20] = [
    "",
    "a",
    "A",
    "b",
    "Action",
    "%20",
    "+",
    "%2B",
    "a=b",
    "%3D",
    ":/?@",
    "%E1%88%B4",
    "%e1%88%b4",
    "-._~",
    "!$'()*,;",
    "a%26b",
    "%zz",
    "0",
    "x+y+z",
    "%",
];
const VALUES: [&str; 10] =
    ["", "a", "a b", "  a  b  ", "\"a   b\"", "application/x-amz-json-1.1", "a,b", " , ", "a=b;c", "Ecr_V1.Do"];
const HEADERS: [&str; 8] = [
    "content-type",
    "x-amz-target",
    "accept",
    "my-header",
    "user-agent",
    "x-amz-meta-a",
    "x-amzn-trace-id",
    "amz-sdk-request",
];

/// A request that nobody signed yet, its URL, and what signs it.
fn random(numbers: &mut Numbers) -> (Owned, String, Setup) {
    let depth = numbers.below(5);
    let path = (0..=depth).fold(String::new(), |path, _| format!("{path}/{}", numbers.one(&SEGMENTS)));
    let pairs: Vec<String> = (0..numbers.below(5))
        .map(|_| match numbers.below(8) {
            0 => numbers.one(&WORDS).replace('=', ""),
            _ => format!("{}={}", numbers.one(&WORDS).replace('=', ""), numbers.one(&WORDS)),
        })
        .collect();
    let query = (numbers.below(3) > 0).then(|| pairs.join("&"));
    let host = *numbers.one(&["example.com", "api.ecr.eu-central-1.example.com:8443", "[::1]:5000"]);
    let method = *numbers.one(&["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]);
    let body: Vec<u8> = (0..numbers.below(40)).map(|_| u8::try_from(numbers.below(256)).unwrap()).collect();
    let mut request = Owned::new(method, &path, query.as_deref(), &[("host", host)], &body);
    for _ in 0..numbers.below(5) {
        request.headers.push(((*numbers.one(&HEADERS)).to_owned(), numbers.one(&VALUES).as_bytes().to_vec()));
    }
    let url = format!("https://{host}{path}{}", query.map_or_else(String::new, |query| format!("?{query}")));
    let style = if numbers.below(4) == 0 { PathStyle::AsSent } else { PathStyle::Normalized };
    let setup = Setup {
        secret: (0..40).map(|_| *numbers.one(&['a', 'Z', '7', '/', '+'])).collect(),
        region: (*numbers.one(&["us-east-1", "eu-central-1", "local"])).to_owned(),
        service: (*numbers.one(&["ecr", "sts", "ecr-public"])).to_owned(),
        now: 946_684_800 + i64::try_from(numbers.below(2_000_000_000)).unwrap(),
        style,
    };
    (request, url, setup)
}

fn settings(numbers: &mut Numbers, style: PathStyle) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if style == PathStyle::AsSent {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    if numbers.below(3) == 0 {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(u64::try_from(1 + numbers.below(604_800)).unwrap()));
    } else if numbers.below(2) == 0 {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

/// The request with what the SDK's signer adds to it.
fn signed_by_sdk(request: &Owned, url: &str, setup: &Setup, token: Option<&str>, settings: SigningSettings) -> Owned {
    let identity = Credentials::new("AKIDEXAMPLE", &setup.secret, token.map(str::to_owned), None, "test").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&setup.region)
        .name(&setup.service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(setup.now.try_into().unwrap()))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), std::str::from_utf8(value).unwrap()));
    let signable = SignableRequest::new(&request.method, url, headers, SignableBody::Bytes(&request.body)).unwrap();
    let (headers, pairs) = sign(signable, &parameters).unwrap().into_parts().0.into_parts();
    let mut signed = request.clone();
    for header in &headers {
        signed.set(header.name(), header.value());
    }
    for (name, value) in pairs {
        let pair = format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
        signed.query =
            Some(signed.query.filter(|q| !q.is_empty()).map_or(pair.clone(), |query| format!("{query}&{pair}")));
    }
    signed
}

#[test]
fn what_the_sdk_signs_is_accepted_and_signed_by_us_likewise() {
    let mut numbers = Numbers(SEED);
    let (mut presigned, mut refused) = (0, 0);
    for index in 0..REQUESTS {
        let (mut request, url, setup) = random(&mut numbers);
        let settings = settings(&mut numbers, setup.style);
        if settings.expires_in.is_some() {
            presigned += 1;
        }
        let token = (numbers.below(2) == 0).then_some("FwoGZXIvYXdzEBYaDE+x/y==");
        if numbers.below(2) == 0 {
            request.body.clear();
        }
        let signed = signed_by_sdk(&request, &url, &setup, token, settings);
        assert_eq!(signed.verify(&setup), Ok(()), "request {index} of seed {SEED}: {signed:?}");
        assert_eq!(signed_by_us(&signed, &setup), signature_of(&signed), "request {index} of seed {SEED}: {signed:?}");
        let spoilt = mutants(&signed, &setup);
        let (label, mutant, setup) = numbers.one(&spoilt);
        assert!(mutant.verify(setup).is_err(), "request {index} of seed {SEED}, {label}: {mutant:?}");
        refused += 1;
    }
    eprintln!("{REQUESTS} requests agreed, {presigned} of them presigned; {refused} mutants were refused");
    assert!(presigned > REQUESTS / 5);
}
