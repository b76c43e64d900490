//! Who may do what: users, roles, sessions, tokens and the policies around repositories, by the registry's own functions.

use std::time::Duration;

use berth_aws::AccountId;
use berth_domain::access;
use berth_domain::identity::managed;

use berth_domain::access::scopes;
use berth_domain::identity::principals::{NewPrincipal, NewRole};
use berth_domain::identity::tags::Tagged;
use berth_domain::identity::{IdentityError, Owner};
use berth_domain::sts::{AssumeRole, AssumedRole};
use berth_domain::{Action, Caller, Circumstances, EcrError, Error};

use crate::registry::{TestRegistry, name};

const PULL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*",
    "Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:BatchCheckLayerAvailability","ecr:ListImages"]}}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
    "Principal":{"AWS":"000000000000"}}}"#;

fn allow(action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}}}"#
    )
}

fn is_denied<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Denied { .. }))
}

async fn may_pull(registry: &TestRegistry, caller: &Caller, repository: &str) -> bool {
    match registry.domain.allow(caller, Action::BatchGetImage, &name(repository)).await {
        Ok(()) => true,
        Err(Error::Denied { .. } | Error::Unauthenticated) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn role(registry: &TestRegistry, role_name: &str, trust: &str, policy: &str) -> String {
    let role = NewRole { trust_policy: trust.to_owned(), description: None, max_session: 43_200 };
    let owner = Owner::role(role_name);
    let new =
        NewPrincipal { owner: owner.clone(), path: "/".to_owned(), boundary: None, tags: Vec::new(), role: Some(role) };
    let made = registry.domain.create_principal(&registry.admin, new).await.unwrap();
    registry.domain.put_inline_policy(&registry.admin, &owner, "own", policy).await.unwrap();
    made.record.arn()
}

fn asked(role_arn: &str) -> AssumeRole {
    AssumeRole { role_arn: role_arn.to_owned(), session_name: "session".to_owned(), ..AssumeRole::default() }
}

/// The caller that temporary credentials stand for. A login token of theirs is as good as a signature.
async fn login(registry: &TestRegistry, assumed: &AssumedRole) -> Result<Caller, Error> {
    registry.session_caller(&assumed.credentials).await
}

#[tokio::test]
async fn a_user_may_what_its_policies_say() {
    let registry = TestRegistry::new().await;
    registry.image("team/app", "1", b"{}", &[]).await;
    let team = "arn:aws:ecr:us-east-1:000000000000:repository/team/*";
    let puller = registry.user("puller", Some(&allow("ecr:Batch*", team))).await;
    assert!(may_pull(&registry, &puller, "team/app").await);
    assert!(!may_pull(&registry, &puller, "other").await);
    let push = registry.domain.allow(&puller, Action::PutImage, &name("team/app")).await;
    let told = push.unwrap_err().to_string();
    assert_eq!(
        told,
        "User: arn:aws:iam::000000000000:user/puller is not authorized to perform: ecr:PutImage on resource: \
         arn:aws:ecr:us-east-1:000000000000:repository/team/app because no identity-based policy allows the ecr:PutImage \
         action"
    );
}

#[tokio::test]
async fn groups_and_managed_policies_count_and_a_boundary_cuts() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let caller = registry.user("alice", None).await;
    assert!(!may_pull(&registry, &caller, "a").await);
    let new = |owner| NewPrincipal { owner, path: "/".to_owned(), boundary: None, tags: Vec::new(), role: None };
    domain.create_principal(admin, new(Owner::group("pullers"))).await.unwrap();
    let read_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    domain.attach_policy(admin, &Owner::group("pullers"), read_only).await.unwrap();
    domain.add_to_group(admin, "pullers", "ALICE").await.unwrap();
    let alice = registry.again("alice").await;
    assert!(may_pull(&registry, &alice, "a").await);
    let pull_nothing = "arn:aws:iam::aws:policy/IAMReadOnlyAccess".to_owned();
    domain.set_boundary(admin, &Owner::user("alice"), Some(pull_nothing)).await.unwrap();
    let alice = registry.again("alice").await;
    let told = domain.allow(&alice, Action::BatchGetImage, &name("a")).await.unwrap_err().to_string();
    assert!(told.ends_with("because no permissions boundary allows the ecr:BatchGetImage action"), "{told}");
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_refused_like_one_that_is() {
    let registry = TestRegistry::new().await;
    registry.image("secret", "1", b"{}", &[]).await;
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:BatchGetImage"}}"#;
    registry.domain.set_repository_policy(&registry.admin, &name("secret"), deny, false).await.unwrap();
    let nobody = registry.user("nobody", None).await;
    let told = async |repository: &str| {
        let refused = registry.domain.allow(&nobody, Action::BatchGetImage, &name(repository)).await;
        refused.unwrap_err().to_string().replace(repository, "X")
    };
    assert_eq!(told("secret").await, told("absent").await);
}

#[tokio::test]
async fn other_accounts_need_both_sides() {
    let registry = TestRegistry::new().await;
    let (domain, other) = (&registry.domain, AccountId::parse("111111111111").unwrap());
    registry.image("shared", "1", b"{}", &[]).await;
    let key = domain.create_account(&registry.admin, &other).await.unwrap();
    let guest = domain.authenticate(key.id.as_str(), key.secret.reveal().as_bytes(), None).await.unwrap();
    assert!(!may_pull(&registry, &guest, "shared").await, "all rights in one account are none in another");
    let share = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"ecr:BatchGetImage"}}"#;
    domain.set_repository_policy(&registry.admin, &name("shared"), share, true).await.unwrap();
    assert!(may_pull(&registry, &guest, "shared").await);
    assert!(!may_pull(&registry, &guest, "secret").await);
    assert!(is_denied(&domain.allow(&guest, Action::PutImage, &name("shared")).await));
    // Its own side has a say too.
    let operator = domain.operator_of(&other);
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:*","Resource":"*"}}"#;
    domain.put_inline_policy(&operator, &Owner::user("administrator"), "none", deny).await.unwrap();
    let guest = domain.authenticate(key.id.as_str(), key.secret.reveal().as_bytes(), None).await.unwrap();
    assert!(!may_pull(&registry, &guest, "shared").await);
    // Nor does an administrator of another account administer the registry, or see this one's users.
    assert!(is_denied(&domain.list_accounts(&guest, "", 10).await));
    assert!(domain.allow_figures(&guest).is_err());
    let ours = domain.get_principal(&operator, &Owner::user("nobody")).await;
    assert!(matches!(ours, Err(Error::Identity(IdentityError::NoSuch { .. }))), "{ours:?}");
}

#[tokio::test]
async fn tags_and_circumstances_decide() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    registry.image("a", "1", b"{}", &[]).await;
    domain.tag_repository(admin, &name("a"), vec![("team".to_owned(), "core".to_owned())]).await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:BatchGetImage","Resource":"*",
        "Condition":{"StringEquals":{"ecr:ResourceTag/team":"${aws:PrincipalTag/team}"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},
        "Bool":{"aws:SecureTransport":"true"}}}}"#;
    registry.user("alice", Some(policy)).await;
    let tags = |team: &str| vec![("team".to_owned(), team.to_owned())];
    domain.tag(admin, &Tagged::Principal(Owner::user("alice")), tags("core")).await.unwrap();
    let from =
        |ip: &str, is_secure| Circumstances { source_ip: ip.parse().ok(), is_secure, ..Circumstances::default() };
    let alice = registry.again("alice").await;
    let table = [("10.1.2.3", true, "a", true), ("10.1.2.3", false, "a", false), ("11.1.2.3", true, "a", false)];
    for (ip, is_secure, repository, expected) in table {
        let caller = alice.clone().under(from(ip, is_secure));
        assert_eq!(may_pull(&registry, &caller, repository).await, expected, "{ip} {is_secure} {repository}");
    }
    // A repository that does not exist has no tags.
    assert!(!may_pull(&registry, &alice.clone().under(from("10.1.2.3", true)), "absent").await);
    domain.tag(admin, &Tagged::Principal(Owner::user("alice")), tags("other")).await.unwrap();
    let alice = registry.again("alice").await.under(from("10.1.2.3", true));
    assert!(!may_pull(&registry, &alice, "a").await);
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_it_trusts_and_narrowed_by_a_session_policy() {
    let registry = TestRegistry::new().await;
    let domain = &registry.domain;
    let arn = role(&registry, "puller", TRUST, PULL).await;
    let stranger = registry.user("stranger", None).await;
    assert!(is_denied(&domain.assume_role(&stranger, asked(&arn)).await), "the account delegates, it does not grant");
    let alice = registry.user("alice", Some(&allow("sts:*", &arn))).await;
    let assumed = domain.assume_role(&alice, asked(&arn)).await.unwrap();
    assert_eq!(assumed.arn, "arn:aws:sts::000000000000:assumed-role/puller/session");
    let session = login(&registry, &assumed).await.unwrap();
    assert!(may_pull(&registry, &session, "a").await && may_pull(&registry, &session, "b").await);
    let only_a = allow("ecr:*", "arn:aws:ecr:us-east-1:000000000000:repository/a");
    let narrowed = domain.assume_role(&alice, AssumeRole { policy: Some(only_a), ..asked(&arn) }).await.unwrap();
    assert!(narrowed.packed.unwrap() > 0);
    let session = login(&registry, &narrowed).await.unwrap();
    assert!(may_pull(&registry, &session, "a").await && !may_pull(&registry, &session, "b").await);
    assert!(is_denied(&domain.allow(&session, Action::PutImage, &name("a")).await), "a session policy gives nothing");
    // A role that is not there is refused in the same words.
    let told = |error: Error| error.to_string().replace("puller", "X").replace("absent", "X");
    let absent = domain.assume_role(&stranger, asked(&arn.replace("puller", "absent"))).await.unwrap_err();
    assert_eq!(told(absent), told(domain.assume_role(&stranger, asked(&arn)).await.unwrap_err()));
}

#[tokio::test]
async fn a_role_asks_for_an_external_id_and_knows_session_tags() {
    let registry = TestRegistry::new().await;
    let domain = &registry.domain;
    let trust = TRUST.replace(
        r#""Principal""#,
        r#""Condition":{"StringEquals":{"sts:ExternalId":"secret","aws:RequestTag/team":"core"}},"Principal""#,
    );
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}/*"}}"#;
    let arn = role(&registry, "tagged", &trust, policy).await;
    let alice = registry.user("alice", Some(&allow("sts:*", "*"))).await;
    let tags = vec![("team".to_owned(), "core".to_owned())];
    let right = AssumeRole { external_id: Some("secret".to_owned()), tags: tags.clone(), ..asked(&arn) };
    for wrong in [
        AssumeRole { external_id: None, ..right.clone() },
        AssumeRole { external_id: Some("other".to_owned()), ..right.clone() },
        AssumeRole { tags: vec![("team".to_owned(), "other".to_owned())], ..right.clone() },
    ] {
        assert!(is_denied(&domain.assume_role(&alice, wrong).await));
    }
    let session = login(&registry, &domain.assume_role(&alice, right).await.unwrap()).await.unwrap();
    assert!(may_pull(&registry, &session, "core/a").await && !may_pull(&registry, &session, "other/a").await);
}

#[tokio::test]
async fn a63_sessions_have_an_end_and_chains_a_short_one() {
    let registry = TestRegistry::new().await;
    let domain = &registry.domain;
    let policy = allow("*", "*");
    let (first, second) =
        (role(&registry, "first", TRUST, &policy).await, role(&registry, "second", TRUST, &policy).await);
    let alice = registry.user("alice", Some(&policy)).await;
    let is_invalid =
        |answer: Result<AssumedRole, Error>| matches!(answer, Err(Error::Identity(IdentityError::Validation(_))));
    let lasting = |arn: &str, seconds| AssumeRole { duration: Some(seconds), ..asked(arn) };
    assert!(is_invalid(domain.assume_role(&alice, lasting(&first, 43_201)).await));
    let long = domain.assume_role(&alice, lasting(&first, 43_200)).await.unwrap();
    let session = login(&registry, &long).await.unwrap();
    assert!(is_invalid(domain.assume_role(&session, lasting(&second, 3601)).await));
    let chained = domain.assume_role(&session, lasting(&second, 3600)).await.unwrap();
    registry.clock.advance(Duration::from_secs(3599));
    login(&registry, &chained).await.unwrap();
    registry.clock.advance(Duration::from_secs(1));
    assert!(matches!(login(&registry, &chained).await, Err(Error::ExpiredToken | Error::ExpiredLogin)));
    login(&registry, &long).await.unwrap();
}

#[tokio::test]
async fn a_source_identity_and_transitive_tags_go_along_the_chain() {
    let registry = TestRegistry::new().await;
    let domain = &registry.domain;
    let policy = allow("*", "*");
    let (first, second) =
        (role(&registry, "first", TRUST, &policy).await, role(&registry, "second", TRUST, &policy).await);
    let alice = registry.user("alice", Some(&policy)).await;
    let tags = vec![("team".to_owned(), "core".to_owned()), ("own".to_owned(), "x".to_owned())];
    let begun = AssumeRole {
        source_identity: Some("alice".to_owned()),
        tags: tags.clone(),
        transitive: vec!["team".to_owned()],
        ..asked(&first)
    };
    let session = login(&registry, &domain.assume_role(&alice, begun).await.unwrap()).await.unwrap();
    let other = AssumeRole { source_identity: Some("bob".to_owned()), ..asked(&second) };
    assert!(domain.assume_role(&session, other).await.is_err());
    let changed = AssumeRole { tags: vec![("Team".to_owned(), "other".to_owned())], ..asked(&second) };
    assert!(domain.assume_role(&session, changed).await.is_err());
    let chained = domain.assume_role(&session, asked(&second)).await.unwrap();
    assert_eq!(chained.source_identity.as_deref(), Some("alice"));
    let caller = login(&registry, &chained).await.unwrap();
    assert_eq!(caller.identity().unwrap().tags, tags[..1]);
}

#[tokio::test]
async fn a54_what_is_revoked_ends_everything_that_came_of_it() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let policy = allow("*", "*");
    let arn = role(&registry, "puller", TRUST, &policy).await;
    let alice = registry.user("alice", Some(&policy)).await;
    let assumed = domain.assume_role(&alice, asked(&arn)).await.unwrap();
    let of_user = domain.get_session_token(&alice, None).unwrap();
    let session = login(&registry, &assumed).await.unwrap();
    let tokens = [domain.get_authorization_token(&alice).unwrap(), domain.get_authorization_token(&session).unwrap()];
    let works = async || {
        let mut works = Vec::new();
        for token in &tokens {
            works.push(domain.authenticate("AWS", token.password.reveal().as_bytes(), None).await.is_ok());
        }
        works.push(login(&registry, &assumed).await.is_ok());
        works.push(registry.session_caller(&of_user).await.is_ok());
        works
    };
    assert_eq!(works().await, [true; 4]);
    let key = alice.identity().unwrap().origin.clone().unwrap();
    domain.set_access_key_active(admin, "alice", key.as_str(), false).await.unwrap();
    assert_eq!(works().await, [false; 4]);
    domain.set_access_key_active(admin, "alice", key.as_str(), true).await.unwrap();
    assert_eq!(works().await, [true; 4]);
    // The role goes: what was the user's stays.
    domain.delete_inline_policy(admin, &Owner::role("puller"), "own").await.unwrap();
    assert!(!may_pull(&registry, &login(&registry, &assumed).await.unwrap(), "a").await);
    domain.delete_principal(admin, &Owner::role("puller")).await.unwrap();
    assert_eq!(works().await, [true, false, false, true]);
    // One of the same name is another one.
    role(&registry, "puller", TRUST, PULL).await;
    assert_eq!(works().await, [true, false, false, true]);
    domain.delete_access_key(admin, "alice", key.as_str()).await.unwrap();
    assert_eq!(works().await, [false; 4]);
}

#[tokio::test]
async fn what_another_node_changed_counts_within_seconds() {
    let registry = TestRegistry::new().await;
    let alice = registry.user("alice", Some(PULL)).await;
    let key = registry.key_of("alice").await;
    let login = async || registry.domain.authenticate(key.id.as_str(), key.secret.reveal().as_bytes(), None).await;
    login().await.unwrap();
    let other = registry.second_node().await;
    let id = alice.identity().unwrap().origin.clone().unwrap();
    for id in [id.as_str(), key.id.as_str()] {
        other.set_access_key_active(&registry.admin, "alice", id, false).await.unwrap();
    }
    registry.clock.advance(Duration::from_secs(2));
    assert!(matches!(login().await, Err(Error::WrongCredentials)));
}

#[tokio::test]
async fn a_bearer_token_opens_what_it_was_asked_for_and_what_policies_deny_is_told_all_the_same() {
    let registry = TestRegistry::new().await;
    let bearer = async |caller: &Caller, scope: &str| {
        let token = registry.domain.issue_bearer(caller, scopes::asked([scope].into_iter())).await.unwrap();
        registry.domain.authenticate_bearer(token.reveal()).await.unwrap()
    };
    let decide = async |caller: &Caller, action, on| registry.domain.allow(caller, action, &name(on)).await;
    let puller = bearer(&registry.user("puller", Some(PULL)).await, "repository:a:pull,push").await;
    assert!(may_pull(&registry, &puller, "a").await);
    assert!(is_denied(&decide(&puller, Action::PutImage, "a").await));
    assert!(is_denied(&decide(&puller, Action::PutImage, "b").await));
    assert!(matches!(decide(&puller, Action::BatchGetImage, "b").await, Err(Error::OutOfScope)));
    let pusher = bearer(&registry.user("pusher", Some(&allow("ecr:*", "*"))).await, "repository:a:pull").await;
    assert!(matches!(decide(&pusher, Action::PutImage, "a").await, Err(Error::OutOfScope)));
    let nobody = bearer(&Caller::anonymous(), "repository:a:pull").await;
    assert!(matches!(decide(&nobody, Action::BatchGetImage, "a").await, Err(Error::OutOfScope)));
}

#[tokio::test]
async fn an_authorization_token_ends_after_twelve_hours() {
    let registry = TestRegistry::new().await;
    let alice = registry.user("alice", Some(&allow("ecr:*", "*"))).await;
    let token = registry.domain.get_authorization_token(&alice).unwrap();
    let login = async || registry.domain.authenticate("AWS", token.password.reveal().as_bytes(), None).await;
    registry.clock.advance(Duration::from_hours(12) - Duration::from_millis(1));
    assert!(may_pull(&registry, &login().await.unwrap(), "a").await);
    registry.clock.advance(Duration::from_millis(1));
    assert!(matches!(login().await, Err(Error::ExpiredLogin)));
    // Of a session: as long as that.
    let arn = role(&registry, "puller", TRUST, &allow("ecr:*", "*")).await;
    registry
        .domain
        .put_inline_policy(&registry.admin, &Owner::user("alice"), "more", &allow("sts:*", "*"))
        .await
        .unwrap();
    let assumed = registry.domain.assume_role(&registry.again("alice").await, asked(&arn)).await.unwrap();
    let session = registry.session_caller(&assumed.credentials).await.unwrap();
    let token = registry.domain.get_authorization_token(&session).unwrap();
    assert_eq!(token.expires_at, assumed.credentials.expires_at);
}

#[tokio::test]
async fn credentials_of_get_session_token_cannot_call_iam_or_have_more_of_them() {
    let registry = TestRegistry::new().await;
    let alice = registry.user("alice", Some(&allow("*", "*"))).await;
    let given = registry.domain.get_session_token(&alice, Some(900)).unwrap();
    let session = registry.session_caller(&given).await.unwrap();
    assert!(may_pull(&registry, &session, "a").await);
    let iam = registry.domain.get_principal(&session, &Owner::user("alice")).await;
    assert!(matches!(iam, Err(Error::Identity(IdentityError::SessionToken))), "{iam:?}");
    assert!(is_denied(&registry.domain.get_session_token(&session, None)));
}

#[tokio::test]
async fn a_policy_that_locks_out_its_writer_is_refused_unless_forced() {
    let registry = TestRegistry::new().await;
    registry.image("a", "1", b"{}", &[]).await;
    let alice = registry.user("alice", Some(&allow("ecr:*", "*"))).await;
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:*"}}"#;
    let refused = registry.domain.set_repository_policy(&alice, &name("a"), deny, false).await;
    assert!(
        matches!(&refused, Err(Error::Ecr(EcrError::Invalid(told))) if told.message.contains("use force")),
        "{refused:?}"
    );
    registry.domain.set_repository_policy(&alice, &name("a"), deny, true).await.unwrap();
    assert!(is_denied(&registry.domain.set_repository_policy(&alice, &name("a"), deny, true).await));
    registry.domain.delete_repository_policy(&registry.admin, &name("a")).await.unwrap();
    registry.domain.set_repository_policy(&alice, &name("a"), deny, true).await.unwrap();
}

#[tokio::test]
async fn a_policy_of_the_repository_opens_it_to_everybody() {
    let registry = TestRegistry::new().await;
    registry.image("open", "1", b"{}", &[]).await;
    let open =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}}"#;
    registry.domain.set_repository_policy(&registry.admin, &name("open"), open, true).await.unwrap();
    assert!(may_pull(&registry, &Caller::anonymous(), "open").await);
    assert!(!may_pull(&registry, &Caller::anonymous(), "other").await);
    let closed = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:*","Resource":"*",
        "Condition":{"Null":{"aws:username":"true"}}}}"#;
    registry.domain.set_registry_policy(&registry.admin, closed.to_owned()).await.unwrap();
    assert!(!may_pull(&registry, &Caller::anonymous(), "open").await);
}

#[tokio::test]
async fn a_key_that_was_used_is_noted() {
    let registry = TestRegistry::new().await;
    let alice = registry.user("alice", None).await;
    let id = alice.identity().unwrap().origin.clone().unwrap();
    let (owner, used) = registry.domain.access_key_last_used(&registry.admin, id.as_str()).await.unwrap();
    let used = used.unwrap();
    assert_eq!((owner.as_str(), used.service.as_str(), used.region.as_str()), ("alice", "ecr", "us-east-1"));
    assert_eq!(used.at, registry.domain.now());
}

#[test]
fn the_reference_lists_every_condition_key_and_every_managed_policy() {
    let page = include_str!("../../../../docs/reference/identity.md");
    let policies = managed::ALL.iter().map(|policy| format!("`{}`", policy.name));
    let keys = access::KEYS.iter().map(|key| format!("`{key}`"));
    let tags = access::TAG_KEYS.iter().map(|key| format!("`{key}TAG`"));
    let missing: Vec<String> = policies.chain(keys).chain(tags).filter(|name| !page.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
}

/// Nodes from before there were users open what is sealed for a key's id, and take its holder for the administrator.
#[tokio::test]
async fn keys_of_users_do_not_open_for_nodes_of_the_version_before() {
    let registry = TestRegistry::new().await;
    registry.user("alice", None).await;
    let sealed_for_id = registry.keys_sealed_for_their_id().await;
    assert_eq!(sealed_for_id, ["arn:aws:iam::000000000000:user/administrator"]);
}

#[tokio::test]
async fn an_account_goes_with_its_administrator_but_with_nobody_else() {
    let registry = TestRegistry::new().await;
    let (domain, other) = (&registry.domain, AccountId::parse("111111111111").unwrap());
    let key = domain.create_account(&registry.admin, &other).await.unwrap();
    let operator = domain.operator_of(&other);
    let new = NewPrincipal {
        owner: Owner::user("alice"),
        path: "/".to_owned(),
        boundary: None,
        tags: Vec::new(),
        role: None,
    };
    domain.create_principal(&operator, new).await.unwrap();
    let kept = domain.delete_account(&registry.admin, &other).await;
    assert!(matches!(kept, Err(Error::Identity(IdentityError::Conflict(_)))), "{kept:?}");
    let login = async || domain.authenticate(key.id.as_str(), key.secret.reveal().as_bytes(), None).await;
    login().await.unwrap();
    domain.delete_principal(&operator, &Owner::user("alice")).await.unwrap();
    domain.delete_account(&registry.admin, &other).await.unwrap();
    assert!(matches!(login().await, Err(Error::WrongCredentials)));
    assert_eq!(domain.list_accounts(&registry.admin, "", 10).await.unwrap().items.len(), 1);
}
