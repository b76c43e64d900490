//! A token that is read from a header, and the scopes that a client asks for, say the same when they are written again.
#![no_main]

use berth_domain::access::scopes::{MAX_SCOPES, Scope, asked};
use berth_http::auth::parse_bearer;
use libfuzzer_sys::fuzz_target;

fn written(scope: &Scope) -> String {
    let Scope::Repository { name, pull, push, delete } = scope else { return "registry:catalog:*".to_owned() };
    let actions: Vec<&str> = [(*pull, "pull"), (*push, "push"), (*delete, "delete")]
        .into_iter()
        .filter_map(|(is_asked, action)| is_asked.then_some(action))
        .collect();
    format!("repository:{name}:{}", actions.join(","))
}

fuzz_target!(|value: &[u8]| {
    if let Some(token) = parse_bearer(value) {
        assert_eq!(parse_bearer(format!("Bearer {token}").as_bytes()), Some(token));
    }
    let Ok(text) = std::str::from_utf8(value) else { return };
    let scopes = asked([text].into_iter());
    assert!(scopes.len() <= MAX_SCOPES);
    for scope in scopes {
        let written = written(&scope);
        assert!(!written.contains(":*:"));
        assert_eq!(Scope::parse(&written), Some(scope));
    }
});
