//! What has to change, and in which order.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use super::model::{Document, Managed, Owner, State};
use crate::identity::owner::Kind;

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    CreatePolicy {
        name: String,
        policy: Managed,
    },
    UpdatePolicy {
        name: String,
        arn: String,
        document: Document,
    },
    DeletePolicy {
        name: String,
        arn: String,
    },
    /// With its path, boundary, tags, trust and longest session; policies and groups come behind.
    Create {
        kind: Kind,
        name: String,
        owner: Owner,
    },
    Alter {
        kind: Kind,
        name: String,
        what: Alteration,
    },
    /// With all that belongs to it.
    Delete {
        kind: Kind,
        name: String,
    },
}

/// What changes about a group, user or role.
#[derive(Debug, Clone, PartialEq)]
pub enum Alteration {
    Leave(String),
    Detach(String),
    DeleteInline(String),
    Untag(String),
    SetBoundary(String),
    Trust(Document),
    MaxSession(u32),
    Attach(String),
    PutInline(String, Document),
    Tag(String, String),
    Join(String),
    DropBoundary,
}

/// What is taken away: nothing, or all that the file does not name.
#[derive(Debug, Clone, Copy)]
pub enum Prune<'a> {
    Nothing,
    /// These stay, with all that they have.
    AllBut(&'a BTreeSet<(Kind, String)>),
}

/// The changes from `present` to `wanted`, in an order that works; none where nothing has to change.
///
/// What a wanted user, group or role refers to counts as named. Something of `wanted` that is in `present` has the same path
/// there, and each policy that is referred to exists in one of them or is none of the account's own.
pub fn plan(wanted: &State, present: &State, prune: Prune<'_>) -> Vec<Change> {
    let mut changes = policies(wanted, present);
    for ((kind, name), owner) in &wanted.owners {
        let known = present.owners.get(&(*kind, name.clone()));
        let mut alterations = additions(owner, known);
        match known {
            None => changes.push(Change::Create { kind: *kind, name: name.clone(), owner: bare(owner) }),
            Some(known) if prune.takes_from(&(*kind, name.clone())) => alterations.extend(removals(owner, known)),
            Some(_) => {}
        }
        changes.extend(alterations.into_iter().map(|what| Change::Alter { kind: *kind, name: name.clone(), what }));
    }
    if matches!(prune, Prune::AllBut(_)) {
        changes.extend(deletions(wanted, present, prune));
    }
    changes.sort_by_key(Change::rank);
    changes
}

impl Prune<'_> {
    fn takes_from(self, owner: &(Kind, String)) -> bool {
        match self {
            Self::Nothing => false,
            Self::AllBut(kept) => !kept.contains(owner),
        }
    }
}

fn policies(wanted: &State, present: &State) -> Vec<Change> {
    let changes = wanted.policies.iter().filter_map(|(name, policy)| {
        let name = name.clone();
        match present.policies.get(&name) {
            None => Some(Change::CreatePolicy { name, policy: policy.clone() }),
            Some(known) if known.document != policy.document => {
                let document = policy.document.clone();
                Some(Change::UpdatePolicy { name, arn: known.arn.clone(), document })
            }
            Some(_) => None,
        }
    });
    changes.collect()
}

/// What is said when something is made.
fn bare(owner: &Owner) -> Owner {
    let Owner { path, boundary, tags, trust, max_session, .. } = owner.clone();
    Owner { path, boundary, tags, trust, max_session, ..Owner::default() }
}

fn additions(owner: &Owner, known: Option<&Owner>) -> Vec<Alteration> {
    let made = bare(owner);
    let known = known.unwrap_or(&made);
    let mut found: Vec<Alteration> = Vec::new();
    found.extend(
        owner.boundary.iter().filter(|_| owner.boundary != known.boundary).cloned().map(Alteration::SetBoundary),
    );
    found.extend(owner.trust.iter().filter(|_| owner.trust != known.trust).cloned().map(Alteration::Trust));
    let max_session = owner.max_session.filter(|_| owner.max_session != known.max_session);
    found.extend(max_session.map(Alteration::MaxSession));
    found.extend(owner.policies.difference(&known.policies).cloned().map(Alteration::Attach));
    let changed = owner.inline.iter().filter(|(name, document)| known.inline.get(*name) != Some(document));
    found.extend(changed.map(|(name, document)| Alteration::PutInline(name.clone(), document.clone())));
    let tags = owner.tags.iter().filter(|(key, value)| known.tags.get(*key) != Some(value));
    found.extend(tags.map(|(key, value)| Alteration::Tag(key.clone(), value.clone())));
    found.extend(owner.groups.difference(&known.groups).cloned().map(Alteration::Join));
    found
}

fn removals(owner: &Owner, known: &Owner) -> Vec<Alteration> {
    let mut found: Vec<Alteration> = Vec::new();
    found.extend(known.groups.difference(&owner.groups).cloned().map(Alteration::Leave));
    found.extend(known.policies.difference(&owner.policies).cloned().map(Alteration::Detach));
    let inline = known.inline.keys().filter(|name| !owner.inline.contains_key(*name));
    found.extend(inline.cloned().map(Alteration::DeleteInline));
    found.extend(known.tags.keys().filter(|key| !owner.tags.contains_key(*key)).cloned().map(Alteration::Untag));
    found.extend((known.boundary.is_some() && owner.boundary.is_none()).then_some(Alteration::DropBoundary));
    found
}

fn deletions(wanted: &State, present: &State, prune: Prune<'_>) -> Vec<Change> {
    let stays = |owner: &(Kind, String)| !prune.takes_from(owner);
    // Somebody who stays as he is needs his groups.
    let as_is = present.owners.iter().filter(|(key, _)| stays(key)).map(|(_, owner)| owner);
    let groups: BTreeSet<&String> = wanted.owners.values().chain(as_is).flat_map(|owner| &owner.groups).collect();
    let goes = |key: &(Kind, String)| {
        let is_referred_to = key.0 == Kind::Group && groups.contains(&key.1);
        !(wanted.owners.contains_key(key) || stays(key) || is_referred_to)
    };
    // What somebody has whom nothing is taken from; a boundary that the file names takes the place of the old one.
    let left = present.owners.iter().filter(|(key, _)| !goes(key) && (stays(key) || !wanted.owners.contains_key(*key)));
    let left = left.flat_map(|(key, owner)| {
        let replaced = wanted.owners.get(key).is_some_and(|wanted| wanted.boundary.is_some());
        owner.policies.iter().chain(owner.boundary.iter().filter(move |_| !replaced))
    });
    let used: BTreeSet<&String> = wanted.owners.values().flat_map(Owner::references).chain(left).collect();
    let owners = present.owners.keys().filter(|key| goes(key));
    let owners = owners.map(|(kind, name)| Change::Delete { kind: *kind, name: name.clone() });
    let unnamed = present
        .policies
        .iter()
        .filter(|(name, policy)| !wanted.policies.contains_key(*name) && !used.contains(&policy.arn));
    let policies = unnamed.map(|(name, policy)| Change::DeletePolicy { name: name.clone(), arn: policy.arn.clone() });
    owners.chain(policies).collect()
}

impl Change {
    /// What something needs comes before it. Taking away comes before giving, because quotas count. A boundary goes last, when
    /// the policies below it are what they are to be.
    const fn rank(&self) -> u8 {
        match self {
            Self::CreatePolicy { .. } | Self::UpdatePolicy { .. } => 0,
            Self::Create { kind: Kind::Group, .. } => 1,
            Self::Create { kind: Kind::User, .. } => 2,
            Self::Create { kind: Kind::Role, .. } => 3,
            Self::Alter { what: Alteration::DropBoundary, .. } => 6,
            Self::Alter { what, .. } if what.takes() => 4,
            Self::Alter { .. } => 5,
            Self::Delete { kind: Kind::User | Kind::Role, .. } => 7,
            Self::Delete { kind: Kind::Group, .. } => 8,
            Self::DeletePolicy { .. } => 9,
        }
    }

    /// Whether it takes something away that is there.
    pub const fn takes(&self) -> bool {
        match self {
            Self::DeletePolicy { .. } | Self::Delete { .. } => true,
            Self::Alter { what, .. } => what.takes(),
            Self::CreatePolicy { .. } | Self::UpdatePolicy { .. } | Self::Create { .. } => false,
        }
    }

    fn subject(&self) -> (&'static str, &str) {
        match self {
            Self::CreatePolicy { name, .. } | Self::UpdatePolicy { name, .. } | Self::DeletePolicy { name, .. } => {
                ("policy", name)
            }
            Self::Create { kind, name, .. } | Self::Alter { kind, name, .. } | Self::Delete { kind, name } => {
                (kind.word(), name)
            }
        }
    }

    /// The change for machines.
    pub fn json(&self) -> Value {
        let (kind, name) = self.subject();
        let (change, what) = match self {
            Self::CreatePolicy { .. } | Self::Create { .. } => ("create", None),
            Self::UpdatePolicy { .. } => ("update", Some("new document".to_owned())),
            Self::Alter { what, .. } => ("update", Some(what.to_string())),
            Self::DeletePolicy { .. } | Self::Delete { .. } => ("delete", None),
        };
        json!({ "change": change, "kind": kind, "name": name, "what": what })
    }
}

impl Alteration {
    const fn takes(&self) -> bool {
        matches!(self, Self::Leave(_) | Self::Detach(_) | Self::DeleteInline(_) | Self::Untag(_) | Self::DropBoundary)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.subject();
        match self {
            Self::CreatePolicy { .. } | Self::Create { .. } => write!(f, "+ {kind} {name}"),
            Self::UpdatePolicy { .. } => write!(f, "~ {kind} {name}: new document"),
            Self::Alter { what, .. } => write!(f, "~ {kind} {name}: {what}"),
            Self::DeletePolicy { .. } | Self::Delete { .. } => write!(f, "- {kind} {name}"),
        }
    }
}

impl fmt::Display for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leave(group) => write!(f, "leave group {group}"),
            Self::Detach(arn) => write!(f, "detach {arn}"),
            Self::DeleteInline(name) => write!(f, "delete inline policy {name}"),
            Self::Untag(key) => write!(f, "delete tag {key}"),
            Self::SetBoundary(arn) => write!(f, "boundary {arn}"),
            Self::Trust(_) => f.write_str("new trust policy"),
            Self::MaxSession(seconds) => write!(f, "max_session {seconds}"),
            Self::Attach(arn) => write!(f, "attach {arn}"),
            Self::PutInline(name, _) => write!(f, "put inline policy {name}"),
            Self::Tag(key, value) => write!(f, "tag {key}={value}"),
            Self::Join(group) => write!(f, "join group {group}"),
            Self::DropBoundary => f.write_str("no boundary"),
        }
    }
}

#[cfg(test)]
mod tests;
