//! The signing test suite of AWS (`awslabs/aws-c-auth`, tests/aws-signing-test-suite/v4), where it is at hand: a list of
//! cases in one file, `vectors.json`, in the folder that `BERTH_SIGV4_VECTORS` names, or in `data/sigv4` of a folder
//! beside the checkout.

use std::io::Write;
use std::path::{Path, PathBuf};

use berth_aws::sigv4::{PathStyle, SigV4Error, presign, sign};
use serde_json::Value;

use crate::support::{Owned, Setup, mutants, signature_of};

const CASES: usize = 38;
/// Here the token is added after signing, which we refuse.
const TOKEN_AFTERWARDS: &str = "post-sts-header-after";

struct Case {
    name: String,
    bare: Owned,
    header: Owned,
    query: Owned,
    setup: Setup,
    token: Option<String>,
    declares_payload: bool,
    expected: [String; 2],
}

fn file() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("BERTH_SIGV4_VECTORS") {
        return Some(Path::new(&folder).join("vectors.json"));
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let folders = std::fs::read_dir(beside).ok()?.filter_map(Result::ok);
    folders.map(|folder| folder.path().join("data/sigv4/vectors.json")).find(|file| file.is_file())
}

/// All cases, or none where the file is not there. A file that was named must be.
fn cases() -> Option<Vec<Case>> {
    let Some(file) = file() else {
        // Past the capture of output: whoever runs the tests must see it.
        let missing = "AWS's signing test suite is not at hand (BERTH_SIGV4_VECTORS): only our own cases are checked\n";
        std::io::stderr().write_all(missing.as_bytes()).unwrap();
        return None;
    };
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(list.len(), CASES);
    Some(list.iter().map(case).collect())
}

fn case(value: &Value) -> Case {
    let (context, credentials) = (&value["context"], &value["context"]["credentials"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(context["timestamp"], "2015-08-30T12:36:00Z");
    assert_eq!(context["expiration_in_seconds"], 3600);
    assert_eq!(credentials["access_key_id"], "AKIDEXAMPLE");
    let normalize = context["normalize"].as_bool().unwrap();
    Case {
        name: text(&value["name"]),
        bare: parse(value["request"].as_str().unwrap()),
        header: parse(value["header_signed_request"].as_str().unwrap()),
        query: parse(value["query_signed_request"].as_str().unwrap()),
        setup: Setup {
            secret: text(&credentials["secret_access_key"]),
            region: text(&context["region"]),
            service: text(&context["service"]),
            now: 1_440_938_160,
            style: if normalize { PathStyle::Normalized } else { PathStyle::AsSent },
        },
        token: credentials.get("token").map(text),
        declares_payload: context["sign_body"].as_bool().unwrap(),
        expected: [text(&value["header_signature"]), text(&value["query_signature"])],
    }
}

/// Reads a request as the suite writes it: lines that end in a line feed, a header's value over several lines.
fn parse(text: &str) -> Owned {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let (line, headers) = head.split_once('\n').unwrap();
    let (method, target) = line.strip_suffix(" HTTP/1.1").unwrap().split_once(' ').unwrap();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut request = Owned::new(method, path, query, &[], body.as_bytes());
    for line in headers.lines() {
        if line.starts_with(' ') {
            request.headers.last_mut().unwrap().1.extend(format!("\n{line}").bytes());
        } else {
            let (name, value) = line.split_once(':').unwrap();
            request.headers.push((name.to_ascii_lowercase(), value.as_bytes().to_vec()));
        }
    }
    request
}

#[test]
fn the_suite_is_accepted() {
    for case in cases().into_iter().flatten().filter(|case| case.name != TOKEN_AFTERWARDS) {
        assert_eq!(case.header.verify(&case.setup), Ok(()), "{}, header", case.name);
        assert_eq!(case.query.verify(&case.setup), Ok(()), "{}, query", case.name);
    }
}

#[test]
fn a_token_that_was_added_after_signing_is_refused() {
    let Some(cases) = cases() else { return };
    let case = cases.into_iter().find(|case| case.name == TOKEN_AFTERWARDS).unwrap();
    let unsigned = SigV4Error::HeaderNotSigned("x-amz-security-token".to_owned());
    assert_eq!(case.header.verify(&case.setup), Err(unsigned));
    assert_eq!(case.query.verify(&case.setup), Err(SigV4Error::SignatureMismatch));
    // Without the token the signatures are right: it is the token that is refused.
    let (mut header, mut query) = (case.header, case.query);
    header.headers.retain(|(name, _)| name != "x-amz-security-token");
    let pairs = query.query.take().unwrap();
    let left: Vec<&str> = pairs.split('&').filter(|pair| !pair.starts_with("X-Amz-Security-Token=")).collect();
    query.query = Some(left.join("&"));
    assert_eq!(header.verify(&case.setup), Ok(()));
    assert_eq!(query.verify(&case.setup), Ok(()));
}

#[test]
fn the_suite_is_signed_as_aws_signs_it() {
    for case in cases().into_iter().flatten() {
        let token = case.token.as_deref().filter(|_| case.name != TOKEN_AFTERWARDS);
        let mut signing = case.setup.signing("AKIDEXAMPLE", token, &case.bare.body);
        signing.declare_payload = case.declares_payload;
        let mut signed = case.bare.clone();
        for (name, value) in case.bare.with(|request| sign(request, &signing)).unwrap() {
            signed.set(name, &value);
        }
        assert_eq!(signature_of(&signed), case.expected[0], "{}, header", case.name);
        assert_eq!(signed.header("authorization"), case.header.header("authorization"), "{}", case.name);
        signed = case.bare.clone();
        signed.query = Some(case.bare.with(|request| presign(request, &signing, 3600)).unwrap());
        assert_eq!(signature_of(&signed), case.expected[1], "{}, query", case.name);
        if token.is_some() == case.token.is_some() {
            assert_eq!(signed.query, case.query.query, "{}", case.name);
        }
    }
}

#[test]
fn each_mutant_of_the_suite_is_refused() {
    let Some(cases) = cases() else { return };
    let mut tried = 0;
    for case in cases.iter().filter(|case| case.name != TOKEN_AFTERWARDS) {
        for request in [&case.header, &case.query] {
            for (label, mutant, setup) in mutants(request, &case.setup) {
                assert!(mutant.verify(&setup).is_err(), "{}: {label}", case.name);
                tried += 1;
            }
        }
    }
    eprintln!("{tried} mutants of the suite were refused");
    assert!(tried >= 1000, "{tried} mutants");
}
