//! No request is taken for one that somebody signed, whatever it shows; and what is signed here is verified.
#![no_main]

use berth_aws::sigv4::{Demands, PathStyle, Presented, SignedRequest, Signing, sign, verify};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_440_938_160;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The first line is method, path and query; the others are headers.
fn read(text: &str) -> Option<(&str, &str, Option<&str>, Vec<(&str, &[u8])>)> {
    let mut lines = text.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.as_bytes()));
    Some((method, path, query, headers.collect()))
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((method, path, query, headers)) = read(text) else { return };
    let request = SignedRequest { method, path, query, headers: &headers };
    let demands = Demands {
        now: NOW,
        skew: 900,
        regions: &["us-east-1"],
        services: &["iam", "sts"],
        payload_sha256: [0; 32],
        path_style: PathStyle::Normalized,
    };
    match Presented::read(&request) {
        // The secret is not in what is fuzzed: nothing can be signed right.
        Ok(Some(shown)) => assert!(verify(&request, &shown, SECRET, &demands).is_err()),
        Ok(None) => {
            let signing = Signing {
                access_key_id: "AKIDEXAMPLE",
                secret: SECRET,
                session_token: None,
                region: "us-east-1",
                service: "iam",
                now: NOW,
                payload_sha256: [0; 32],
                path_style: PathStyle::Normalized,
                declare_payload: false,
            };
            let Ok(added) = sign(&request, &signing) else { return };
            let mut signed = headers.clone();
            signed.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
            let request = SignedRequest { headers: &signed, ..request };
            if let Ok(Some(shown)) = Presented::read(&request) {
                let _ = verify(&request, &shown, SECRET, &demands);
            }
        }
        Err(_) => {}
    }
});
