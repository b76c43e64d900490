//! Attacks on the log-in of a person by an identity provider: `berth login`.

use std::fs;

use serde_json::json;

use crate::identity_provider::{Bent, IdentityProvider, Waiting, begin, page};
use crate::program::Program;
use crate::sts;
use crate::stub::Stub;

/// A terminal, a provider, and a registry.
struct Scene {
    program: Program,
    provider: IdentityProvider,
    registry: Stub,
}

fn scene(bent: Bent) -> Scene {
    let program = Program::new().without_credentials();
    Scene { program, provider: IdentityProvider::start(bent), registry: sts::registry(3600) }
}

impl Scene {
    fn begin(&self) -> Waiting {
        begin(&self.program, &self.provider, &self.registry.url(), &[])
    }

    fn written(&self) -> Option<String> {
        fs::read_to_string(self.program.path(".aws/credentials")).ok()
    }

    /// No session was asked for, and nothing is on disk.
    #[track_caller]
    fn is_untouched(&self) {
        assert_eq!(sts::operations(&self.registry), Vec::<String>::new());
        assert_eq!(self.written(), None);
        assert!(!self.program.path(".aws").exists());
    }
}

/// It ended in failure, and told no secret.
#[track_caller]
fn failed(waiting: Waiting, words: &str) {
    let output = waiting.end();
    assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{output:?}");
    assert!(output.stderr.contains(words) && !output.stderr.contains("hush"), "{words}: {}", output.stderr);
}

#[test]
fn a68_a_login_that_is_in_order_writes_a_profile() {
    for bent in [Bent::default(), Bent { names_itself: true, ..Bent::default() }] {
        let scene = scene(bent);
        let waiting = scene.begin();
        let (code, state, issuer) =
            (scene.provider.consent(&waiting.parameters), waiting.state(), scene.provider.issuer());
        let (status, page) = waiting.visit(&[("code", &code), ("state", &state), ("iss", &issuer)]);
        assert_eq!(status, 200, "{page}");
        let output = waiting.end();
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(scene.written().unwrap().contains(sts::SESSION_SECRET));
        assert_eq!(sts::operations(&scene.registry), ["AssumeRoleWithWebIdentity"]);
    }
}

#[test]
fn a68_a_wrong_state_is_refused_and_no_code_is_exchanged() {
    let scene = scene(Bent::default());
    let mut waiting = scene.begin();
    let (code, state) = (scene.provider.consent(&waiting.parameters), waiting.state());
    let (longer, upper) = (format!("{state}x"), state.to_uppercase());
    for query in [
        &[("code", code.as_str()), ("state", "wrong")][..],
        &[("code", &code), ("state", "")],
        &[("code", &code)],
        &[("code", &code), ("state", &longer)],
        &[("code", &code), ("state", &upper)],
        &[("code", &code), ("state", "wrong"), ("state", &state)],
        &[("error", "access_denied"), ("state", "wrong")],
        &[],
    ] {
        let (status, page) = waiting.visit(query);
        assert_eq!(status, 400, "{query:?}: {page}");
        assert!(!page.contains("hush"), "{page}");
    }
    assert_eq!(scene.provider.exchanges().len(), 0);
    scene.is_untouched();
    // Whoever tried has not ended the log-in of the person.
    assert!(waiting.is_waiting());
    assert_eq!(waiting.visit(&[("code", &code), ("state", &state)]).0, 200);
}

#[test]
fn a68_a_token_that_is_no_answer_to_this_login_gives_no_session() {
    let claim = |name, value| Bent { claims: vec![(name, value)], ..Bent::default() };
    for (bent, words) in [
        (claim("nonce", json!("another")), "nonce"),
        (claim("nonce", json!(null)), "nonce"),
        (claim("iss", json!("https://evil.example")), "another identity provider"),
        (claim("aud", json!("another-client")), "another client"),
        (claim("aud", json!(["berth-cli", "another-client"])), "another client"),
        (claim("azp", json!("another-client")), "another client"),
        (claim("exp", json!(1_000_000_000)), "is over"),
        (Bent { no_id_token: true, ..Bent::default() }, "no id token"),
    ] {
        let scene = scene(bent);
        let waiting = scene.begin();
        let (code, state) = (scene.provider.consent(&waiting.parameters), waiting.state());
        let (status, page) = waiting.visit(&[("code", &code), ("state", &state)]);
        assert_eq!(status, 400, "{words}: {page}");
        assert!(page.contains(words), "{words}: {page}");
        failed(waiting, words);
        scene.is_untouched();
    }
}

#[test]
fn a68_an_answer_of_another_issuer_is_not_exchanged() {
    for (names_itself, iss, words) in [
        (true, None, "does not say who it is of"),
        (true, Some("https://evil.example"), "another identity provider"),
        (false, Some("https://evil.example"), "another identity provider"),
        (false, Some(""), "another identity provider"),
    ] {
        let scene = scene(Bent { names_itself, ..Bent::default() });
        let waiting = scene.begin();
        let (code, state) = (scene.provider.consent(&waiting.parameters), waiting.state());
        let query: Vec<(&str, &str)> =
            [("code", code.as_str()), ("state", &state)].into_iter().chain(iss.map(|iss| ("iss", iss))).collect();
        assert_eq!(waiting.visit(&query).0, 400, "{query:?}");
        failed(waiting, words);
        assert_eq!(scene.provider.exchanges().len(), 0);
        scene.is_untouched();
    }
}

#[test]
fn a68_a_code_of_another_login_or_used_before_is_refused() {
    for spent in [true, false] {
        let scene = scene(Bent::default());
        let (waiting, other) = (scene.begin(), scene.begin());
        let code = if spent {
            let code = scene.provider.consent(&waiting.parameters);
            scene.provider.spend(&code);
            code
        } else {
            // It is bound to the challenge of the other login: our verifier does not fit.
            let mut parameters = other.parameters.clone();
            parameters.insert("redirect_uri".to_owned(), waiting.parameters["redirect_uri"].clone());
            scene.provider.consent(&parameters)
        };
        let state = waiting.state();
        assert_eq!(waiting.visit(&[("code", &code), ("state", &state)]).0, 400);
        failed(waiting, "invalid_grant");
        assert_eq!(scene.provider.exchanges().len(), 1);
        scene.is_untouched();
    }
}

#[test]
fn a68_an_answer_that_comes_twice_is_exchanged_once() {
    let scene = scene(Bent::default());
    let waiting = scene.begin();
    let (code, state) = (scene.provider.consent(&waiting.parameters), waiting.state());
    let query = [("code", code.as_str()), ("state", &state)];
    let both = [waiting.open(&query), waiting.open(&query)];
    let mut statuses = both.map(|stream| page(stream).0);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    assert_eq!(waiting.end().code, Some(0));
    assert_eq!(scene.provider.exchanges().len(), 1);
    assert_eq!(sts::operations(&scene.registry).len(), 1);
}

#[test]
fn a68_answers_that_are_no_code_end_the_login() {
    for (query, words) in [
        (&[("error", "access_denied"), ("error_description", "no <b>\u{1b}[2J")][..], "access_denied"),
        (&[], "no code"),
        (&[("code", "")], "no code"),
        (&[("code", "hush-a"), ("code", "hush-b")], "a parameter twice"),
    ] {
        let scene = scene(Bent::default());
        let waiting = scene.begin();
        let state = waiting.state();
        let (status, page) = waiting.visit(&[&[("state", state.as_str())], query].concat());
        assert_eq!(status, 400, "{query:?}: {page}");
        assert!(!page.contains("<b>") && !page.contains('\u{1b}'), "{page}");
        failed(waiting, words);
        assert_eq!(scene.provider.exchanges().len(), 0);
        scene.is_untouched();
    }
}
