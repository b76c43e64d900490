//! Who asks, and whom a policy names.
//!
//! Follows "IAM JSON policy elements: Principal" and "IAM JSON policy elements: `NotPrincipal`".

use super::PolicyError;
use super::json::Node;

/// Who makes a request. ARNs are whole ARNs; accounts are twelve digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal<'a> {
    /// Nobody: no credentials were sent.
    Anonymous,
    /// An account's root user.
    Root {
        /// The account.
        account: &'a str,
    },
    /// An IAM user.
    User {
        /// `arn:aws:iam::ACCOUNT:user/PATH/NAME`
        arn: &'a str,
        /// The account.
        account: &'a str,
    },
    /// A session of a role.
    AssumedRole {
        /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`
        role_arn: &'a str,
        /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`
        session_arn: &'a str,
        /// The account.
        account: &'a str,
    },
    /// A session that `GetFederationToken` made for a user.
    FederatedUser {
        /// `arn:aws:sts::ACCOUNT:federated-user/NAME`
        arn: &'a str,
        /// Of the user who made the session.
        user_arn: &'a str,
        /// The account.
        account: &'a str,
    },
    /// Somebody whom an identity provider vouches for, before a role is assumed.
    Federated {
        /// The provider's ARN, or the name of a provider that has none.
        provider: &'a str,
    },
    /// A service, such as `replication.ecr.amazonaws.com`.
    Service {
        /// Its name.
        name: &'a str,
    },
}

/// How closely a resource policy names a caller. The closer, the more a grant is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grant {
    /// By account. Lets the account's own policies decide.
    Account,
    /// By `*`.
    Everyone,
    /// By the role of which it is a session, or the user for whom it was made.
    Origin,
    /// By its own name.
    Own,
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone)]
pub(super) struct Principals {
    pub(super) negated: bool,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Everyone,
    Account(Box<str>),
    Arn(Box<str>),
    Federated(Box<str>),
    Service(Box<str>),
    /// An S3 notion: nobody here has one.
    Canonical,
}

impl<'a> Principal<'a> {
    /// The account, of those who have one.
    pub fn account(&self) -> Option<&'a str> {
        match *self {
            Self::Root { account }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::Anonymous | Self::Federated { .. } | Self::Service { .. } => None,
        }
    }
}

impl Principals {
    /// Reads the element's value.
    pub(super) fn read(node: &Node, negated: bool) -> Result<Self, PolicyError> {
        let mut entries = Vec::new();
        match node {
            Node::String(text) if text == "*" => entries.push(Entry::Everyone),
            Node::Object(members) => {
                for (kind, names) in members {
                    read_names(kind, names, &mut entries)?;
                }
            }
            Node::String(text) => return Err(PolicyError::Principal(text.clone())),
            _ => return Err(PolicyError::Principals),
        }
        if entries.is_empty() { Err(PolicyError::Principals) } else { Ok(Self { negated, entries }) }
    }

    /// How the element names the caller for an Allow, if it does.
    ///
    /// `NotPrincipal` grants to everyone whom it names in no form, not even by account.
    pub(super) fn grant(&self, principal: &Principal<'_>) -> Option<Grant> {
        let closest = self.entries.iter().filter_map(|entry| entry.names(principal)).max();
        match (self.negated, closest) {
            (false, closest) => closest,
            (true, None) => Some(Grant::Everyone),
            (true, Some(_)) => None,
        }
    }

    /// Whether a Deny with this element is meant for the caller.
    ///
    /// `NotPrincipal` spares only those whom it names themselves, or by role: AWS's example that spares the user Bob lists
    /// Bob's account too, and yet denies everybody else in it. Whoever has a permissions boundary is never spared
    /// ("Permissions boundaries for IAM entities").
    pub(super) fn denies(&self, principal: &Principal<'_>, bounded: bool) -> bool {
        let mut named = self.entries.iter().filter_map(|entry| entry.names(principal));
        if self.negated { bounded || !named.any(|grant| grant != Grant::Account) } else { named.next().is_some() }
    }

    /// Whether the element names everybody, or all but a few.
    pub(super) fn everyone(&self) -> bool {
        self.negated || self.entries.contains(&Entry::Everyone)
    }
}

fn read_names(kind: &str, names: &Node, entries: &mut Vec<Entry>) -> Result<(), PolicyError> {
    let names = match names {
        Node::List(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    for name in names {
        let Node::String(name) = name else { return Err(PolicyError::Principal(format!("\"{kind}\""))) };
        let entry = Entry::read(kind, name);
        entries.push(entry.ok_or_else(|| PolicyError::Principal(format!("\"{kind}\":\"{name}\"")))?);
    }
    Ok(())
}

impl Entry {
    fn read(kind: &str, name: &str) -> Option<Self> {
        if kind == "AWS" && name == "*" {
            return Some(Self::Everyone);
        }
        if name.is_empty() || name.contains(['*', '?', '$']) {
            return None;
        }
        match kind {
            "AWS" => Self::read_aws(name),
            "Federated" => Some(Self::Federated(name.into())),
            "Service" => Some(Self::Service(name.into())),
            "CanonicalUser" => Some(Self::Canonical),
            _ => None,
        }
    }

    fn read_aws(name: &str) -> Option<Self> {
        if is_account(name) {
            return Some(Self::Account(name.into()));
        }
        let fields: Vec<&str> = name.splitn(6, ':').collect();
        let [arn, partition, service, "", account, resource] = fields.as_slice() else { return None };
        if *arn != "arn" || !partition.starts_with("aws") || !is_account(account) {
            return None;
        }
        let named = |kind: &str| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty());
        match *service {
            "iam" if *resource == "root" => Some(Self::Account((*account).into())),
            "iam" if named("user/") || named("role/") => Some(Self::Arn(name.into())),
            "sts" if named("assumed-role/") || named("federated-user/") => Some(Self::Arn(name.into())),
            _ => None,
        }
    }

    fn names(&self, principal: &Principal<'_>) -> Option<Grant> {
        let own = |same: bool| same.then_some(Grant::Own);
        match (self, principal) {
            (Self::Everyone, _) => Some(Grant::Everyone),
            (Self::Account(named), Principal::Root { account }) => own(**named == **account),
            (Self::Account(named), _) => (principal.account() == Some(named)).then_some(Grant::Account),
            (Self::Arn(named), Principal::User { arn, .. }) => own(**named == **arn),
            (
                Self::Arn(named),
                Principal::AssumedRole { role_arn: origin, session_arn: arn, .. }
                | Principal::FederatedUser { user_arn: origin, arn, .. },
            ) => own(**named == **arn).or_else(|| (**named == **origin).then_some(Grant::Origin)),
            (Self::Federated(named), Principal::Federated { provider }) => own(**named == **provider),
            (Self::Service(named), Principal::Service { name }) => own(**named == **name),
            _ => None,
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
