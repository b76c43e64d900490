//! Random requests, signed by botocore: verified, spoilt, and signed by us.
//!
//! Needs Python with botocore in the folder of test tools: `BERTH_TEST_CACHE`, or `~/.cache/berth`; in it `venv`.
//! `BERTH_SIGV4_SEED` makes other requests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::disallowed_methods)]

#[path = "sigv4/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use berth_aws::sigv4::PathStyle;
use serde_json::Value;

use support::{Numbers, Owned, Setup, mutants, signature_of, signed_by_us};

const REQUESTS: usize = 5000;

fn python() -> PathBuf {
    let home = || Path::new(&std::env::var_os("HOME").expect("HOME is set")).join(".cache/berth");
    std::env::var_os("BERTH_TEST_CACHE").map_or_else(home, PathBuf::from).join("venv/bin/python")
}

fn signed_by_botocore(seed: u64) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sigv4/botocore_signer.py");
    let arguments = [seed.to_string(), REQUESTS.to_string()];
    let ran = Command::new(python()).arg(script).args(arguments).output().expect("Python of the test tools runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

fn read(line: &Value) -> (Owned, Setup) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let headers = line["headers"].as_array().unwrap().iter();
    let headers: Vec<(&str, &str)> =
        headers.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect();
    let body = hex::decode(text(&line["body"])).unwrap();
    let request = Owned::new(&text(&line["method"]), &text(&line["path"]), line["query"].as_str(), &headers, &body);
    let as_sent = line["as_sent"].as_bool().unwrap();
    let setup = Setup {
        secret: text(&line["secret"]),
        region: text(&line["region"]),
        service: text(&line["service"]),
        now: line["now"].as_i64().unwrap(),
        style: if as_sent { PathStyle::AsSent } else { PathStyle::Normalized },
    };
    (request, setup)
}

#[test]
fn what_botocore_signs_is_accepted_and_signed_by_us_likewise() {
    let seed = std::env::var("BERTH_SIGV4_SEED").map_or(20_150_830, |seed| seed.parse().expect("a number"));
    let mut numbers = Numbers(seed);
    let (mut read_lines, mut presigned, mut alike) = (0, 0, 0);
    for line in signed_by_botocore(seed).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (request, setup) = read(&line);
        let context = format!("request {read_lines} of seed {seed}: {line}");
        assert_eq!(request.verify(&setup), Ok(()), "{context}");
        presigned += usize::from(request.presented().unwrap().expires().is_some());
        if line["alike"].as_bool().unwrap() {
            assert_eq!(signed_by_us(&request, &setup), signature_of(&request), "{context}");
            alike += 1;
        }
        let spoilt = mutants(&request, &setup);
        let (label, mutant, setup) = numbers.one(&spoilt);
        assert!(mutant.verify(setup).is_err(), "{label}: {mutant:?}, {context}");
        read_lines += 1;
    }
    eprintln!("{read_lines} requests were accepted, {presigned} of them presigned; {alike} signed alike");
    assert_eq!(read_lines, REQUESTS);
    assert!(presigned > REQUESTS / 5 && alike > REQUESTS / 2);
}
