//! Sessions for tokens of issuers: who gets one, and what becomes of it when keys, issuers, roles and providers change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_domain::failed_logins::Allowance;
use berth_domain::federation::FederationError;
use berth_domain::federation::oidc_providers::NewOidcProvider;
use berth_domain::federation::web_identity::WebIdentitySession;
use berth_domain::identity::principals::{NewPrincipal, NewRole};
use berth_domain::identity::{IdentityError, Owner};
use berth_domain::settings::Federation;
use berth_domain::sts::AssumeRole;
use berth_domain::{Caller, Error};
use berth_transfer::outbound::{Fetch, OutboundError};
use bytes::Bytes;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::registry::{TestRegistry, name};

const ISSUER: &str = "https://issuer.example/ci";
const PROVIDER: &str = "arn:aws:iam::000000000000:oidc-provider/issuer.example/ci";
const ROLE: &str = "arn:aws:iam::000000000000:role/ci";
const SUBJECT: &str = "repo:team/app:ref:refs/heads/main";

/// A private key with its id.
struct Signer(String, EcdsaKeyPair);

impl Signer {
    fn new(kid: &str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(kid.to_owned(), EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap())
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.1.public_key().as_ref()[1..].split_at(32);
        let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "kid": self.0, "use": "sig", "x": encode(x), "y": encode(y) })
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": self.0 });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.1.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// The internet: what is at which address, and who was asked.
#[derive(Debug, Default)]
struct Internet {
    pages: Mutex<BTreeMap<String, String>>,
    asked: Mutex<Vec<String>>,
}

impl Internet {
    fn put(&self, url: &str, page: &Value) {
        self.pages.lock().unwrap().insert(url.to_owned(), page.to_string());
    }

    fn serve(&self, signers: &[&Signer]) {
        let discovery = json!({ "issuer": ISSUER, "jwks_uri": "https://keys.example/jwks" });
        self.put(&format!("{ISSUER}/.well-known/openid-configuration"), &discovery);
        self.put("https://keys.example/jwks", &key_set(signers));
    }

    fn go_away(&self) {
        self.pages.lock().unwrap().clear();
    }

    fn questions(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn key_set(signers: &[&Signer]) -> Value {
    json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() })
}

#[async_trait]
impl Fetch for Internet {
    async fn check(&self, url: &str) -> Result<(), OutboundError> {
        let inside = || OutboundError::Refused("inside.example".to_owned());
        if url.contains("inside.example") { Err(inside()) } else { Ok(()) }
    }

    async fn get(&self, url: &str, limit: usize) -> Result<Bytes, OutboundError> {
        self.asked.lock().unwrap().push(url.to_owned());
        // Others get their turn meanwhile.
        tokio::task::yield_now().await;
        let page = self.pages.lock().unwrap().get(url).cloned();
        let page = page.ok_or_else(|| OutboundError::Unreachable("issuer.example".to_owned()))?;
        if page.len() > limit { Err(OutboundError::TooLarge("issuer.example".to_owned())) } else { Ok(page.into()) }
    }
}

/// A registry that trusts an issuer, and the issuer.
struct Case {
    registry: TestRegistry,
    internet: Arc<Internet>,
    signer: Signer,
}

fn trust(condition: &Value) -> String {
    let statement = json!({ "Effect": "Allow", "Principal": { "Federated": PROVIDER }, "Condition": condition,
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"] });
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}

async fn role(registry: &TestRegistry, trust_policy: String) {
    let role = NewRole { trust_policy, description: None, max_session: 7200 };
    let (path, owner) = ("/".to_owned(), Owner::role("ci"));
    let new = NewPrincipal { owner, path, boundary: None, tags: Vec::new(), role: Some(role) };
    registry.domain.create_principal(&registry.admin, new).await.unwrap();
    let pulls = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
    registry.domain.put_inline_policy(&registry.admin, &Owner::role("ci"), "own", pulls).await.unwrap();
}

async fn provider(registry: &TestRegistry) {
    let client_ids = vec!["sts.amazonaws.com".to_owned()];
    let new = NewOidcProvider { url: ISSUER.to_owned(), client_ids, ..NewOidcProvider::default() };
    let made = registry.domain.create_oidc_provider(&registry.admin, new).await.unwrap();
    assert_eq!(made.record.arn(), PROVIDER);
}

async fn case() -> Case {
    // Tokens may be refused as often as a test likes, all from nowhere in particular.
    let registry = TestRegistry::with(|settings| {
        settings.failed_logins = Allowance { of_pair: 1_000_000, of_address: 1_000_000 };
    });
    let registry = registry.await;
    let (internet, signer) = (Arc::new(Internet::default()), Signer::new("one"));
    registry.domain.reach_by(Arc::clone(&internet) as Arc<dyn Fetch>);
    internet.serve(&[&signer]);
    provider(&registry).await;
    let of_team = json!({ "StringEquals": { "issuer.example/ci:aud": "sts.amazonaws.com" },
        "StringLike": { "issuer.example/ci:sub": "repo:team/*" } });
    role(&registry, trust(&of_team)).await;
    Case { registry, internet, signer }
}

impl Case {
    /// Claims that open, good for an hour.
    fn claims(&self) -> Value {
        let now = self.registry.domain.now().as_millis() / 1000;
        json!({ "iss": ISSUER, "sub": SUBJECT, "aud": "sts.amazonaws.com", "iat": now, "exp": now + 3600 })
    }

    fn but(&self, claim: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[claim] = value;
        claims
    }

    async fn assume(&self, token: &str) -> Result<WebIdentitySession, Error> {
        self.assume_with(token, |_| {}).await
    }

    async fn assume_with(
        &self,
        token: &str,
        change: impl FnOnce(&mut AssumeRole),
    ) -> Result<WebIdentitySession, Error> {
        let mut asked =
            AssumeRole { role_arn: ROLE.to_owned(), session_name: "job-7".to_owned(), ..AssumeRole::default() };
        change(&mut asked);
        self.registry.domain.assume_role_with_web_identity(&Caller::anonymous(), token, asked).await
    }

    async fn good(&self) -> Result<WebIdentitySession, Error> {
        self.assume(&self.signer.sign(&self.claims())).await
    }

    async fn caller(&self, session: &WebIdentitySession) -> Result<Caller, Error> {
        self.registry.session_caller(&session.assumed.credentials).await
    }
}

/// The kind of a refusal.
#[track_caller]
fn kind<T: std::fmt::Debug>(answer: Result<T, Error>) -> &'static str {
    match answer {
        Ok(_) => "opens",
        Err(Error::Federation(FederationError::NotAuthorized(action))) => action,
        Err(Error::Federation(FederationError::InvalidToken(_))) => "invalid",
        Err(Error::Federation(FederationError::Expired(_))) => "expired",
        Err(Error::Federation(FederationError::Communication(_))) => "away",
        Err(Error::Identity(IdentityError::Validation(_))) => "validation",
        other => panic!("{other:?}"),
    }
}

const DENIED: &str = "sts:AssumeRoleWithWebIdentity";

#[tokio::test]
async fn a_true_token_gives_a_session_that_may_do_what_the_role_may() {
    let case = case().await;
    case.registry.image("team/app", "one", b"{}", &[b"layer"]).await;
    let session = case.good().await.unwrap();
    assert_eq!((session.subject.as_str(), session.audience.as_str()), (SUBJECT, "sts.amazonaws.com"));
    assert_eq!(session.provider, PROVIDER);
    assert_eq!(session.assumed.arn, "arn:aws:sts::000000000000:assumed-role/ci/job-7");
    let caller = case.caller(&session).await.unwrap();
    case.registry.domain.list_tags(&caller, &name("team/app"), "", 10).await.unwrap();
    let token = case.registry.domain.get_authorization_token(&caller).unwrap();
    case.registry.domain.authenticate("AWS", token.password.reveal().as_bytes(), None).await.unwrap();
    // An hour, unless something else is asked for.
    case.registry.clock.advance(Duration::from_hours(1));
    assert!(matches!(case.caller(&session).await, Err(Error::ExpiredToken)));
    for (seconds, expected) in [(7200, "opens"), (7201, "validation")] {
        let token = case.signer.sign(&case.claims());
        assert_eq!(kind(case.assume_with(&token, |asked| asked.duration = Some(seconds)).await), expected);
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_is_refused() {
    let case = case().await;
    let now = case.registry.domain.now().as_millis() / 1000;
    let stranger = Signer::new("one");
    let table = [
        ("audience", case.signer.sign(&case.but("aud", json!("https://kubernetes.default.svc"))), "invalid"),
        ("no audience", case.signer.sign(&case.but("aud", Value::Null)), "invalid"),
        ("no end", case.signer.sign(&case.but("exp", Value::Null)), "invalid"),
        ("issuer", case.signer.sign(&case.but("iss", json!("https://issuer.example"))), "invalid"),
        ("issuer that is none", case.signer.sign(&case.but("iss", json!("http://issuer.example"))), "invalid"),
        ("subject", case.signer.sign(&case.but("sub", json!("repo:stranger/app"))), DENIED),
        ("signature", stranger.sign(&case.claims()), "invalid"),
        ("key", Signer::new("two").sign(&case.claims()), "invalid"),
        ("age", case.signer.sign(&case.but("exp", json!(now - 60))), "expired"),
        ("not yet", case.signer.sign(&case.but("nbf", json!(now + 3600))), "invalid"),
        ("form", "a.b.c".to_owned(), "invalid"),
    ];
    for (what, token, expected) in table {
        assert_eq!((what, kind(case.assume(&token).await)), (what, expected));
    }
    let good = case.signer.sign(&case.claims());
    for (arn, expected) in [
        ("arn:aws:iam::000000000000:role/none", DENIED),
        ("arn:aws:iam::000000000000:role/path/ci", DENIED),
        ("arn:aws:iam::111111111111:role/ci", "invalid"),
        ("arn:aws:iam::000000000000:user/ci", "validation"),
        ("no role at all, but long enough", "validation"),
    ] {
        let answer = case.assume_with(&good, |asked| arn.clone_into(&mut asked.role_arn)).await;
        assert_eq!((arn, kind(answer)), (arn, expected));
    }
}

#[tokio::test]
async fn a_role_must_name_the_provider_itself() {
    let case = case().await;
    let domain = &case.registry.domain;
    let token = case.signer.sign(&case.claims());
    let statement = |principal: Value| {
        let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:*" });
        json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
    };
    let other = "arn:aws:iam::000000000000:oidc-provider/issuer.example";
    for (principal, expected) in [
        (json!("*"), DENIED),
        (json!({ "AWS": "*" }), DENIED),
        (json!({ "AWS": "000000000000" }), DENIED),
        (json!({ "Federated": other }), DENIED),
        (json!({ "Federated": [other, PROVIDER] }), "opens"),
    ] {
        let change = berth_domain::identity::principals::PrincipalChange {
            trust_policy: Some(statement(principal.clone())),
            ..Default::default()
        };
        let owner = Owner::role("ci");
        domain.update_principal(&case.registry.admin, "iam:UpdateAssumeRolePolicy", &owner, change).await.unwrap();
        assert_eq!(kind(case.assume(&token).await), expected, "{principal}");
    }
}

#[tokio::test]
async fn tags_and_source_identity_come_from_the_token_and_need_their_own_trust() {
    let case = case().await;
    let domain = &case.registry.domain;
    let mut claims = case.claims();
    claims["https://aws.amazon.com/tags"] =
        json!({ "principal_tags": { "team": ["red"] }, "transitive_tag_keys": ["team"] });
    claims["https://aws.amazon.com/source_identity"] = json!("alice");
    let token = case.signer.sign(&claims);
    let session = case.assume(&token).await.unwrap();
    let caller = case.caller(&session).await.unwrap();
    let identity = caller.identity().unwrap();
    assert_eq!(identity.tags, [("team".to_owned(), "red".to_owned())]);
    let of_session = identity.session.as_ref().unwrap();
    assert_eq!(of_session.source_identity.as_deref(), Some("alice"));
    assert_eq!(of_session.transitive, [("team".to_owned(), "red".to_owned())]);
    assert_eq!(identity.provider.as_ref().map(|by| by.arn.as_str()), Some(PROVIDER));
    // Without the right to set them, the token opens nothing.
    let only = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": { "Federated": PROVIDER } } });
    let change = berth_domain::identity::principals::PrincipalChange {
        trust_policy: Some(only.to_string()),
        ..Default::default()
    };
    let owner = Owner::role("ci");
    domain.update_principal(&case.registry.admin, "iam:UpdateAssumeRolePolicy", &owner, change).await.unwrap();
    assert_eq!(kind(case.assume(&token).await), DENIED);
    assert_eq!(kind(case.good().await), "opens");
    let mut lost = case.claims();
    lost["https://aws.amazon.com/tags"] = json!({ "transitive_tag_keys": ["gone"] });
    assert_eq!(kind(case.assume(&case.signer.sign(&lost)).await), "invalid");
}

#[tokio::test]
async fn a_session_goes_on_to_other_roles_and_dies_with_its_provider() {
    let case = case().await;
    let (domain, admin) = (&case.registry.domain, &case.registry.admin);
    let trusts_ci = json!({ "Version": "2012-10-17",
        "Statement": { "Effect": "Allow", "Principal": { "AWS": ROLE }, "Action": "sts:AssumeRole" } });
    let role = NewRole { trust_policy: trusts_ci.to_string(), description: None, max_session: 7200 };
    let owner = Owner::role("next");
    let new = NewPrincipal { owner, path: "/".to_owned(), boundary: None, tags: Vec::new(), role: Some(role) };
    domain.create_principal(admin, new).await.unwrap();
    let session = case.good().await.unwrap();
    let caller = case.caller(&session).await.unwrap();
    let next = AssumeRole {
        role_arn: "arn:aws:iam::000000000000:role/next".to_owned(),
        session_name: "again".to_owned(),
        ..AssumeRole::default()
    };
    let chained = domain.assume_role(&caller, next).await.unwrap();
    let token = domain.get_authorization_token(&caller).unwrap();
    let works = async || {
        [
            case.caller(&session).await.is_ok(),
            case.registry.session_caller(&chained.credentials).await.is_ok(),
            domain.authenticate("AWS", token.password.reveal().as_bytes(), None).await.is_ok(),
        ]
    };
    assert_eq!(works().await, [true; 3]);
    domain.delete_oidc_provider(admin, PROVIDER).await.unwrap();
    assert_eq!(works().await, [false; 3]);
    assert_eq!(kind(case.good().await), "invalid");
    // One of the same name is another one.
    provider(&case.registry).await;
    assert_eq!(works().await, [false; 3]);
    assert_eq!(kind(case.good().await), "opens");
    let session = case.good().await.unwrap();
    domain.delete_inline_policy(admin, &Owner::role("ci"), "own").await.unwrap();
    domain.delete_principal(admin, &Owner::role("ci")).await.unwrap();
    assert!(case.caller(&session).await.is_err());
    assert_eq!(kind(case.good().await), DENIED);
}

#[tokio::test]
async fn keys_rotate() {
    let case = case().await;
    let (first, second) = (&case.signer, Signer::new("two"));
    case.good().await.unwrap();
    assert_eq!(case.internet.questions(), 2, "the discovery document and the keys");
    case.internet.serve(&[first, &second]);
    // Asked a moment ago: not again, whatever arrives.
    assert_eq!(kind(case.assume(&second.sign(&case.claims())).await), "invalid");
    assert_eq!(case.internet.questions(), 2);
    case.registry.clock.advance(Duration::from_secs(31));
    for signer in [&second, first] {
        assert_eq!(kind(case.assume(&signer.sign(&case.claims())).await), "opens");
    }
    assert_eq!(case.internet.questions(), 4);
    // What was taken away is forgotten within minutes.
    case.internet.serve(&[&second]);
    case.registry.clock.advance(Duration::from_mins(5));
    assert_eq!(kind(case.good().await), "invalid");
    assert_eq!(kind(case.assume(&second.sign(&case.claims())).await), "opens");
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nobody_from_asking() {
    let case = case().await;
    case.good().await.unwrap();
    case.registry.clock.set_back(Duration::from_hours(48));
    let second = Signer::new("two");
    case.internet.serve(&[&second]);
    assert_eq!(kind(case.assume(&second.sign(&case.claims())).await), "opens");
    assert_eq!(kind(case.good().await), "invalid");
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_the_issuer_no_more_than_one_would() {
    let case = case().await;
    case.good().await.unwrap();
    for minute in 0..4 {
        let before = case.internet.questions();
        let tokens: Vec<String> = (0..50).map(|n| Signer::new(&format!("{minute}-{n}")).sign(&case.claims())).collect();
        let answers = futures_util::future::join_all(tokens.iter().map(|token| case.assume(token))).await;
        assert!(answers.into_iter().all(|answer| kind(answer) == "invalid"));
        assert!(case.internet.questions() - before <= 2, "{minute}");
        assert_eq!(kind(case.good().await), "opens");
        case.registry.clock.advance(Duration::from_secs(30));
    }
    assert_eq!(case.internet.questions(), 8);
}

#[tokio::test]
async fn many_who_come_at_once_ask_once() {
    let case = case().await;
    let token = case.signer.sign(&case.claims());
    let answers = futures_util::future::join_all((0..20).map(|_| case.assume(&token))).await;
    assert!(answers.into_iter().all(|answer| kind(answer) == "opens"));
    assert_eq!(case.internet.questions(), 2);
}

#[tokio::test]
async fn an_issuer_may_be_away_for_a_day_and_no_longer() {
    let case = case().await;
    case.good().await.unwrap();
    case.internet.go_away();
    for (passes, expected) in [(1, "opens"), (22, "opens"), (1, "away")] {
        case.registry.clock.advance(Duration::from_hours(passes));
        assert_eq!(kind(case.good().await), expected, "{passes}");
    }
    case.internet.serve(&[&case.signer]);
    assert_eq!(kind(case.good().await), "away", "asked a moment ago");
    case.registry.clock.advance(Duration::from_secs(31));
    assert_eq!(kind(case.good().await), "opens");
}

#[tokio::test]
async fn a_node_that_begins_while_the_issuer_is_away_has_the_last_keys() {
    let case = case().await;
    case.good().await.unwrap();
    case.internet.go_away();
    let other = case.registry.second_node().await;
    other.reach_by(Arc::clone(&case.internet) as Arc<dyn Fetch>);
    let asked = || AssumeRole { role_arn: ROLE.to_owned(), session_name: "job".to_owned(), ..AssumeRole::default() };
    let assume = async || {
        let token = case.signer.sign(&case.claims());
        kind(other.assume_role_with_web_identity(&Caller::anonymous(), &token, asked()).await)
    };
    case.registry.clock.advance(Duration::from_hours(1));
    assert_eq!(assume().await, "opens");
    // With the last provider go the keys.
    case.registry.domain.delete_oidc_provider(&case.registry.admin, PROVIDER).await.unwrap();
    provider(&case.registry).await;
    let third = case.registry.second_node().await;
    let token = case.signer.sign(&case.claims());
    assert_eq!(kind(third.assume_role_with_web_identity(&Caller::anonymous(), &token, asked()).await), "away");
}

#[tokio::test]
async fn an_issuer_that_answers_nonsense_is_away() {
    for (what, url, page) in [
        ("another issuer", "", json!({ "issuer": "https://other.example", "jwks_uri": "https://keys.example/jwks" })),
        ("keys without TLS", "", json!({ "issuer": ISSUER, "jwks_uri": "http://keys.example/jwks" })),
        ("no keys", "https://keys.example/jwks", json!({ "keys": [] })),
        ("too much", "https://keys.example/jwks", json!({ "keys": [], "more": "x".repeat(300 * 1024) })),
    ] {
        let case = case().await;
        let discovery = format!("{ISSUER}/.well-known/openid-configuration");
        case.internet.put(if url.is_empty() { &discovery } else { url }, &page);
        assert_eq!((what, kind(case.good().await)), (what, "away"));
        // What was good before stays good.
        case.internet.serve(&[&case.signer]);
        case.registry.clock.advance(Duration::from_mins(6));
        assert_eq!((what, kind(case.good().await)), (what, "opens"));
        case.internet.put(if url.is_empty() { &discovery } else { url }, &page);
        case.registry.clock.advance(Duration::from_mins(6));
        assert_eq!((what, kind(case.good().await)), (what, "opens"));
    }
}

#[tokio::test]
async fn keys_in_a_file_are_read_again_when_it_changes_and_nobody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let (first, second) = (Signer::new("one"), Signer::new("two"));
    let key_files = vec![(ISSUER.to_owned(), file.clone())];
    let registry =
        TestRegistry::with(|settings| settings.federation = Federation { key_files, ..Federation::default() }).await;
    let internet = Arc::new(Internet::default());
    registry.domain.reach_by(Arc::clone(&internet) as Arc<dyn Fetch>);
    provider(&registry).await;
    role(&registry, trust(&json!({}))).await;
    let case = Case { registry, internet, signer: first };
    let of_second = || second.sign(&case.claims());
    assert_eq!(kind(case.good().await), "away");
    std::fs::write(&file, key_set(&[&case.signer]).to_string()).unwrap();
    assert_eq!((kind(case.good().await), kind(case.assume(&of_second()).await)), ("opens", "invalid"));
    std::fs::write(&file, format!("{} ", key_set(&[&second]))).unwrap();
    assert_eq!((kind(case.good().await), kind(case.assume(&of_second()).await)), ("invalid", "opens"));
    for broken in ["", "{", "[]"] {
        std::fs::write(&file, broken).unwrap();
        assert_eq!(kind(case.assume(&of_second()).await), "opens", "the last good keys count");
    }
    case.registry.clock.advance(Duration::from_hours(1000));
    assert_eq!(kind(case.assume(&of_second()).await), "opens");
    assert_eq!(case.internet.questions(), 0);
}

#[tokio::test]
async fn providers_are_managed_as_iam_does() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    domain.reach_by(Arc::new(Internet::default()));
    provider(&registry).await;
    let new = |url: &str| NewOidcProvider { url: url.to_owned(), ..NewOidcProvider::default() };
    let again = domain.create_oidc_provider(admin, new(ISSUER)).await;
    assert!(matches!(again, Err(Error::Identity(IdentityError::Exists { .. }))), "{again:?}");
    for url in ["http://a.example", "https://a.example?b", "https://A.example", "a.example", "https://inside.example"] {
        let refused = domain.create_oidc_provider(admin, new(url)).await;
        assert!(matches!(refused, Err(Error::Identity(IdentityError::Validation(_)))), "{url}: {refused:?}");
    }
    let text = |text: &str| text.to_owned();
    domain.add_oidc_client_id(admin, PROVIDER, "two").await.unwrap();
    domain.add_oidc_client_id(admin, PROVIDER, "two").await.unwrap();
    domain.remove_oidc_client_id(admin, PROVIDER, "sts.amazonaws.com").await.unwrap();
    domain.remove_oidc_client_id(admin, PROVIDER, "never").await.unwrap();
    domain.set_oidc_thumbprints(admin, PROVIDER, vec!["a".repeat(40)]).await.unwrap();
    domain.tag_oidc_provider(admin, PROVIDER, vec![(text("Team"), text("red"))]).await.unwrap();
    let found = domain.get_oidc_provider(admin, PROVIDER).await.unwrap();
    assert_eq!((found.record.client_ids, found.record.thumbprints), (vec![text("two")], vec!["a".repeat(40)]));
    assert_eq!(found.tags, [(text("Team"), text("red"))]);
    assert_eq!(domain.tags_of_oidc_provider(admin, PROVIDER).await.unwrap().len(), 1);
    domain.untag_oidc_provider(admin, PROVIDER, vec![text("team")]).await.unwrap();
    assert!(domain.tags_of_oidc_provider(admin, PROVIDER).await.unwrap().is_empty());
    for list in [vec!["a".repeat(39)], vec!["g".repeat(40)], (0..6).map(|n| format!("{n:040}")).collect()] {
        let refused = domain.set_oidc_thumbprints(admin, PROVIDER, list).await;
        assert!(matches!(refused, Err(Error::Identity(IdentityError::Invalid(_)))), "{refused:?}");
    }
    for n in 1..100 {
        domain.add_oidc_client_id(admin, PROVIDER, &n.to_string()).await.unwrap();
        domain.create_oidc_provider(admin, new(&format!("https://{n}.example.org"))).await.unwrap();
    }
    for refused in [
        domain.add_oidc_client_id(admin, PROVIDER, "one more").await,
        domain.create_oidc_provider(admin, new("https://more.example")).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Identity(IdentityError::Limit(_)))), "{refused:?}");
    }
    assert_eq!(domain.list_oidc_providers(admin).await.unwrap().len(), 100);
    assert_eq!(domain.account_summary(admin).await.unwrap().providers, 100);
    for arn in [
        "arn:aws:iam::000000000000:oidc-provider/none",
        "arn:aws:iam::111111111111:oidc-provider/issuer.example/ci",
        "x",
    ] {
        let missing = domain.get_oidc_provider(admin, arn).await;
        assert!(matches!(missing, Err(Error::Identity(IdentityError::NoSuch { .. }))), "{arn}: {missing:?}");
        domain.delete_oidc_provider(admin, arn).await.unwrap();
    }
    assert_eq!(domain.list_oidc_providers(admin).await.unwrap().len(), 100);
}
