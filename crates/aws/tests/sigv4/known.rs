//! Requests whose signatures others made: the example of AWS's documentation, and what botocore signed.

use berth_aws::sigv4::PathStyle;

use crate::support::{Owned, Setup, mutants, signature_of, signed_by_us};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn setup(region: &str, service: &str, style: PathStyle) -> Setup {
    Setup {
        secret: SECRET.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        now: 1_440_938_160,
        style,
    }
}

/// "Create a signed AWS API request" of the IAM User Guide, as it stood in the General Reference.
pub fn documented() -> (Owned, Setup) {
    let headers = [
        ("host", "iam.amazonaws.com"),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("x-amz-date", "20150830T123600Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ];
    let request = Owned::new("GET", "/", Some("Action=ListUsers&Version=2010-05-08"), &headers, b"");
    (request, setup("us-east-1", "iam", PathStyle::Normalized))
}

/// What `aws ecr get-login-password` sends with a temporary key.
pub fn with_token() -> (Owned, Setup) {
    let headers = [
        ("host", "api.ecr.eu-central-1.example.com"),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"),
        ("x-amz-date", "20150830T123600Z"),
        ("x-amz-security-token", "FwoGZXIvYXdzEBYaDE+x/y=="),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=ASIDEXAMPLE/20150830/eu-central-1/ecr/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=89cd5e8517c29afc01e8c03a0010e544f7b013473cced93d8d3719e1404c88f5",
        ),
    ];
    (Owned::new("POST", "/", None, &headers, b"{}"), setup("eu-central-1", "ecr", PathStyle::Normalized))
}

/// A presigned `GetCallerIdentity` for a minute, with a temporary key.
pub fn presigned() -> (Owned, Setup) {
    let query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIDEXAMPLE%2F20150830%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=FwoGZXIvYXdzEBYaDE%2Bx%2Fy%3D%3D&X-Amz-Signature=fdbc895ce7533d88e714440c9228eff736f8e9649cb0d2e210607d89e083cea6";
    let request = Owned::new("GET", "/", Some(query), &[("host", "sts.example.com:8443")], b"");
    (request, setup("us-east-1", "sts", PathStyle::Normalized))
}

/// An upload to S3, whose paths are signed as they were sent.
pub fn to_s3() -> (Owned, Setup) {
    let headers = [
        ("host", "bucket.example.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("x-amz-content-sha256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=02e60d2eba7aa0efd69202bf2bcbe3fa0e555863648c245c1581d7a2cffdacaf",
        ),
    ];
    let request = Owned::new("PUT", "/a//b/../c%20d/%C3%A9", None, &headers, b"hello");
    (request, setup("us-east-1", "s3", PathStyle::AsSent))
}

/// A `Date` header for the moment, and a query string that botocore signs as it stands.
pub fn with_date() -> (Owned, Setup) {
    let headers = [
        ("host", "example.com"),
        ("date", "Sun, 30 Aug 2015 12:36:00 -0000"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/ecr/aws4_request, SignedHeaders=date;host, Signature=6c03ebb91f69832cc201efd00ce745da140d67f6732b9e532985b6bdf50836b9",
        ),
    ];
    let request = Owned::new("GET", "/a/./b%20c", Some("x=1+2&y=a:b"), &headers, b"");
    (request, setup("us-east-1", "ecr", PathStyle::Normalized))
}

#[test]
fn known_requests_are_accepted_and_their_mutants_refused() {
    for (request, setup) in [documented(), with_token(), presigned(), to_s3(), with_date()] {
        assert_eq!(request.verify(&setup), Ok(()), "{request:?}");
        for (label, mutant, setup) in mutants(&request, &setup) {
            assert!(mutant.verify(&setup).is_err(), "{label}: {mutant:?}");
        }
    }
}

#[test]
fn known_requests_are_signed_likewise() {
    for (request, setup) in [documented(), with_token(), presigned(), to_s3()] {
        assert_eq!(signed_by_us(&request, &setup), signature_of(&request), "{request:?}");
    }
}
