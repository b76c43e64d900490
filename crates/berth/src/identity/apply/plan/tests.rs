//! Plans for states that were thought of, and for any.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn arn(name: &str) -> String {
    format!("arn:aws:iam::1:policy/{name}")
}

fn document(number: u8) -> Document {
    Document::of(json!({ "number": number }))
}

fn policy(name: &str, number: u8) -> (String, Managed) {
    (name.to_owned(), Managed { arn: arn(name), path: None, document: document(number) })
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn state(policies: &[(String, Managed)], owners: &[(Kind, &str, Owner)]) -> State {
    let owners = owners.iter().map(|(kind, name, owner)| ((*kind, (*name).to_owned()), owner.clone()));
    State { policies: policies.iter().cloned().collect(), owners: owners.collect() }
}

fn lines(wanted: &State, present: &State, prune: bool) -> Vec<String> {
    let kept = BTreeSet::from([(Kind::User, "administrator".to_owned())]);
    let prune = if prune { Prune::AllBut(&kept) } else { Prune::Nothing };
    plan(wanted, present, prune).iter().map(ToString::to_string).collect()
}

#[test]
fn things_are_made_before_they_are_needed() {
    let alice = Owner {
        policies: set(&[&arn("p")]),
        groups: set(&["devs"]),
        boundary: Some(arn("p")),
        tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        inline: BTreeMap::from([("own".to_owned(), document(1))]),
        ..Owner::default()
    };
    let ci = Owner { trust: Some(document(2)), max_session: Some(3600), ..Owner::default() };
    let wanted = state(
        &[policy("p", 1)],
        &[(Kind::User, "alice", alice), (Kind::Group, "devs", Owner::default()), (Kind::Role, "ci", ci)],
    );
    let expected = [
        "+ policy p",
        "+ group devs",
        "+ user alice",
        "+ role ci",
        "~ user alice: attach arn:aws:iam::1:policy/p",
        "~ user alice: put inline policy own",
        "~ user alice: join group devs",
    ];
    assert_eq!(lines(&wanted, &State::default(), false), expected);
    assert!(lines(&wanted, &wanted, true).is_empty(), "it is so already");
}

#[test]
fn what_differs_is_changed() {
    let tags = |value: &str| BTreeMap::from([("k".to_owned(), value.to_owned())]);
    let inline = |number| BTreeMap::from([("own".to_owned(), document(number))]);
    let before = Owner { boundary: Some(arn("p")), tags: tags("a"), inline: inline(1), ..Owner::default() };
    let after = Owner { boundary: Some(arn("q")), tags: tags("b"), inline: inline(2), ..Owner::default() };
    let role =
        |number, seconds| Owner { trust: Some(document(number)), max_session: Some(seconds), ..Owner::default() };
    let policies = |number| [policy("p", number), policy("q", 1)];
    let present = state(&policies(1), &[(Kind::User, "bob", before), (Kind::Role, "ci", role(1, 3600))]);
    let wanted = state(&policies(2), &[(Kind::User, "bob", after), (Kind::Role, "ci", role(2, 7200))]);
    let expected = [
        "~ policy p: new document",
        "~ user bob: boundary arn:aws:iam::1:policy/q",
        "~ user bob: put inline policy own",
        "~ user bob: tag k=b",
        "~ role ci: new trust policy",
        "~ role ci: max_session 7200",
    ];
    assert_eq!(lines(&wanted, &present, false), expected);
}

#[test]
fn only_prune_takes_away() {
    let bob = Owner {
        policies: set(&[&arn("p")]),
        groups: set(&["devs"]),
        boundary: Some(arn("p")),
        tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        inline: BTreeMap::from([("own".to_owned(), document(1))]),
        ..Owner::default()
    };
    let present = state(
        &[policy("p", 1)],
        &[
            (Kind::User, "bob", bob.clone()),
            (Kind::User, "carol", bob),
            (Kind::Group, "devs", Owner::default()),
            (Kind::Role, "ci", Owner::default()),
        ],
    );
    let wanted = state(&[], &[(Kind::User, "bob", Owner::default())]);
    assert!(lines(&wanted, &present, false).is_empty());
    let expected = [
        "~ user bob: leave group devs",
        "~ user bob: detach arn:aws:iam::1:policy/p",
        "~ user bob: delete inline policy own",
        "~ user bob: delete tag k",
        "~ user bob: no boundary",
        "- user carol",
        "- role ci",
        "- group devs",
        "- policy p",
    ];
    assert_eq!(lines(&wanted, &present, true), expected);
}

#[test]
fn the_administrator_keeps_all_that_he_has() {
    let administrator = Owner { policies: set(&[&arn("all")]), groups: set(&["admins"]), ..Owner::default() };
    let admins = Owner { policies: set(&[&arn("some")]), ..Owner::default() };
    let present = state(
        &[policy("all", 1), policy("some", 1), policy("other", 1)],
        &[(Kind::User, "administrator", administrator), (Kind::Group, "admins", admins)],
    );
    assert_eq!(lines(&State::default(), &present, true), ["- policy other"]);
    let named = state(&[], &[(Kind::User, "administrator", Owner::default())]);
    assert_eq!(lines(&named, &present, true), ["- policy other"]);
    let [before, after] = ["all", "other"].map(|name| {
        let owner = Owner { boundary: Some(arn(name)), ..Owner::default() };
        state(&[policy("all", 1), policy("other", 1)], &[(Kind::User, "administrator", owner)])
    });
    let expected = ["~ user administrator: boundary arn:aws:iam::1:policy/other", "- policy all"];
    assert_eq!(lines(&State { policies: [policy("other", 1)].into(), ..after }, &before, true), expected);
    // A role may be called so; it is nobody special.
    let role = state(&[], &[(Kind::Role, "administrator", Owner::default())]);
    assert_eq!(lines(&State::default(), &role, true), ["- role administrator"]);
}

#[test]
fn what_is_referred_to_counts_as_named() {
    let alice = Owner { policies: set(&[&arn("p")]), groups: set(&["devs"]), ..Owner::default() };
    let devs = Owner { policies: set(&[&arn("q")]), ..Owner::default() };
    let present =
        state(&[policy("p", 1), policy("q", 1)], &[(Kind::User, "alice", alice.clone()), (Kind::Group, "devs", devs)]);
    assert!(lines(&state(&[], &[(Kind::User, "alice", alice)]), &present, true).is_empty());
}

/// Does to a model what a server would do, and panics where it would refuse.
fn apply(state: &mut State, change: &Change) {
    match change {
        Change::CreatePolicy { name, policy } => {
            assert!(state.policies.insert(name.clone(), policy.clone()).is_none());
        }
        Change::UpdatePolicy { name, arn, document } => {
            let known = state.policies.get_mut(name).unwrap();
            assert_eq!(known.arn, *arn);
            known.document = document.clone();
        }
        Change::DeletePolicy { name, arn } => {
            assert!(state.owners.values().all(|owner| owner.references().all(|used| used != arn)), "{name} is used");
            state.policies.remove(name).unwrap();
        }
        Change::Create { kind, name, owner } => {
            assert!(owner.policies.is_empty() && owner.groups.is_empty() && owner.inline.is_empty());
            assert!(owner.references().all(|arn| exists(state, arn)));
            assert!(state.owners.insert((*kind, name.clone()), owner.clone()).is_none());
        }
        Change::Delete { kind, name } => {
            state.owners.remove(&(*kind, name.clone())).unwrap();
            if *kind == Kind::Group {
                for owner in state.owners.values_mut() {
                    owner.groups.remove(name);
                }
            }
        }
        Change::Alter { kind, name, what } => {
            let (groups, known) = (state.clone(), state.clone());
            let owner = state.owners.get_mut(&(*kind, name.clone())).unwrap();
            match what {
                Alteration::Leave(group) => assert!(owner.groups.remove(group)),
                Alteration::Detach(arn) => assert!(owner.policies.remove(arn)),
                Alteration::DeleteInline(name) => assert!(owner.inline.remove(name).is_some()),
                Alteration::Untag(key) => assert!(owner.tags.remove(key).is_some()),
                Alteration::DropBoundary => assert!(owner.boundary.take().is_some()),
                Alteration::SetBoundary(arn) => {
                    assert!(exists(&known, arn));
                    owner.boundary = Some(arn.clone());
                }
                Alteration::Attach(arn) => assert!(exists(&known, arn) && owner.policies.insert(arn.clone())),
                Alteration::Join(group) => {
                    assert!(groups.owners.contains_key(&(Kind::Group, group.clone())));
                    assert!(owner.groups.insert(group.clone()));
                }
                Alteration::Trust(document) => owner.trust = Some(document.clone()),
                Alteration::MaxSession(seconds) => owner.max_session = Some(*seconds),
                Alteration::PutInline(name, document) => drop(owner.inline.insert(name.clone(), document.clone())),
                Alteration::Tag(key, value) => drop(owner.tags.insert(key.clone(), value.clone())),
            }
        }
    }
}

fn exists(state: &State, arn: &str) -> bool {
    state.policies.values().any(|policy| policy.arn == arn)
}

const NAMES: [&str; 3] = ["a", "b", "administrator"];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn any_owner(kind: Kind) -> impl Strategy<Value = Owner> {
    let names = || prop::collection::btree_set(name(), 0..3);
    let inline = prop::collection::btree_map(name(), 0..2_u8, 0..3);
    let tags = prop::collection::btree_map(name(), name(), 0..3);
    (names(), inline, prop::option::of(name()), tags, names(), 0..2_u8, prop::option::of(3600..3602_u32)).prop_map(
        move |(policies, inline, boundary, tags, groups, trust, max_session)| {
            let (is_user, is_role) = (kind == Kind::User, kind == Kind::Role);
            Owner {
                path: None,
                policies: policies.iter().map(|name| arn(name)).collect(),
                inline: inline.into_iter().map(|(name, number)| (name, document(number))).collect(),
                boundary: boundary.map(|name| arn(&name)).filter(|_| kind != Kind::Group),
                tags: if kind == Kind::Group { BTreeMap::new() } else { tags },
                groups: if is_user { groups } else { BTreeSet::new() },
                trust: is_role.then(|| document(trust)),
                max_session: max_session.filter(|_| is_role),
            }
        },
    )
}

/// A state in which all that is referred to exists.
fn any_state() -> impl Strategy<Value = State> {
    let owners = |kind| prop::collection::btree_map(name().prop_map(move |name| (kind, name)), any_owner(kind), 0..4);
    let policies = prop::collection::btree_map(name(), 0..2_u8, 0..4);
    (policies, owners(Kind::Group), owners(Kind::User), owners(Kind::Role)).prop_map(
        |(policies, groups, users, roles)| {
            let mut state = State::default();
            state.policies.extend(policies.into_iter().map(|(name, number)| policy(&name, number)));
            state.owners.extend(groups.into_iter().chain(users).chain(roles));
            let known = state.clone();
            for owner in state.owners.values_mut() {
                owner.policies.retain(|arn| exists(&known, arn));
                owner.boundary = owner.boundary.take().filter(|arn| exists(&known, arn));
                owner.groups.retain(|group| known.owners.contains_key(&(Kind::Group, group.clone())));
            }
            state
        },
    )
}

proptest! {
    #[test]
    fn after_a_plan_there_is_nothing_to_change(wanted in any_state(), present in any_state(), prune: bool) {
        let kept = BTreeSet::from([(Kind::User, "administrator".to_owned()), (Kind::Role, "a".to_owned())]);
        let prune = if prune { Prune::AllBut(&kept) } else { Prune::Nothing };
        let mut state = present.clone();
        for change in plan(&wanted, &present, prune) {
            apply(&mut state, &change);
        }
        prop_assert_eq!(plan(&wanted, &state, prune), vec![]);
        for (key, owner) in &present.owners {
            if matches!(prune, Prune::Nothing) || kept.contains(key) {
                let now = &state.owners[key];
                prop_assert!(owner.policies.is_subset(&now.policies) && owner.groups.is_subset(&now.groups));
            }
        }
        if matches!(prune, Prune::AllBut(_)) {
            for key in state.owners.keys().filter(|key| key.0 != Kind::Group && !kept.contains(key)) {
                prop_assert!(wanted.owners.contains_key(key), "{key:?} is left");
            }
        }
    }
}
