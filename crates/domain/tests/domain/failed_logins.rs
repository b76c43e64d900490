//! Log-ins that fail: slowed for who tries and from where, and for nobody else.

use std::net::IpAddr;
use std::time::Duration;

use berth_domain::failed_logins::Allowance;
use berth_domain::{Caller, Error};

use crate::registry::TestRegistry;

const HERE: &str = "192.0.2.1";
const ELSEWHERE: &str = "2001:db8::1";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn slowed(of_pair: u32, of_address: u32) -> TestRegistry {
    TestRegistry::with(|settings| settings.failed_logins = Allowance { of_pair, of_address }).await
}

async fn login(registry: &TestRegistry, id: &str, secret: &str, from: &str) -> Result<Caller, Error> {
    registry.domain.authenticate(id, secret.as_bytes(), Some(address(from))).await
}

fn is_refused(answer: &Result<Caller, Error>) -> bool {
    matches!(answer, Err(Error::Throttled { retry_after }) if retry_after.as_secs() >= 1)
}

#[tokio::test]
async fn the_right_password_waits_too_where_wrong_ones_came_from_and_works_elsewhere() {
    let registry = slowed(5, 100).await;
    registry.user("alice", None).await;
    let key = registry.key_of("alice").await;
    let (id, secret) = (key.id.as_str(), key.secret.reveal());
    login(&registry, id, secret, HERE).await.unwrap();
    for _ in 0..5 {
        assert!(matches!(login(&registry, id, "wrong", HERE).await, Err(Error::WrongCredentials)));
    }
    assert!(is_refused(&login(&registry, id, "wrong", HERE).await));
    assert!(is_refused(&login(&registry, id, secret, HERE).await), "nothing is compared");
    login(&registry, id, secret, ELSEWHERE).await.unwrap();
    registry.clock.advance(Duration::from_secs(31));
    login(&registry, id, secret, HERE).await.unwrap();
}

#[tokio::test]
async fn unknown_keys_are_slowed_as_known_ones_are() {
    let registry = slowed(5, 100).await;
    registry.user("alice", None).await;
    let key = registry.key_of("alice").await;
    for number in 0..20 {
        let known = login(&registry, key.id.as_str(), "wrong", HERE).await;
        let unknown = login(&registry, "AKIAAAAAAAAAAAAAAAAA", "wrong", HERE).await;
        let nonsense = login(&registry, "nobody", "wrong", HERE).await;
        let told = |answer: Result<Caller, Error>| answer.unwrap_err().to_string();
        let [known, unknown, nonsense] = [known, unknown, nonsense].map(told);
        assert!(known == unknown && known == nonsense, "{number}: {known} {unknown} {nonsense}");
    }
}

#[tokio::test]
async fn an_address_that_failed_too_often_is_open_to_who_has_the_right_credentials() {
    let registry = slowed(3, 10).await;
    registry.user("alice", None).await;
    let key = registry.key_of("alice").await;
    for number in 0..10 {
        let answer = login(&registry, &format!("somebody {number}"), "wrong", HERE).await;
        assert!(matches!(answer, Err(Error::WrongCredentials)), "{number}: {answer:?}");
    }
    assert!(is_refused(&login(&registry, "somebody else", "wrong", HERE).await));
    login(&registry, key.id.as_str(), key.secret.reveal(), HERE).await.unwrap();
    assert!(matches!(login(&registry, "somebody else", "wrong", ELSEWHERE).await, Err(Error::WrongCredentials)));
}

#[tokio::test]
async fn wrong_tokens_do_not_keep_other_tokens_out() {
    let registry = slowed(3, 10).await;
    let alice = registry
        .user(
            "alice",
            Some(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#),
        )
        .await;
    let token = registry.domain.get_authorization_token(&alice).unwrap();
    for _ in 0..10 {
        assert!(matches!(login(&registry, "AWS", "wrong", HERE).await, Err(Error::WrongCredentials)));
    }
    assert!(is_refused(&login(&registry, "AWS", "wrong", HERE).await));
    login(&registry, "AWS", token.password.reveal(), HERE).await.unwrap();
    // A token that has ended was right once: that is no guess.
    registry.clock.advance(Duration::from_hours(13));
    for _ in 0..30 {
        let ended = login(&registry, "AWS", token.password.reveal(), HERE).await;
        assert!(matches!(ended, Err(Error::ExpiredLogin)), "{ended:?}");
    }
}
