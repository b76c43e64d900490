//! Unique ids, and the ARNs that requests name policies, users and roles by.

use berth_aws::AccountId;
use berth_store::Random;
use berth_store::identity::Kind;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What a unique id belongs to; AWS's prefixes ("Understanding unique ID prefixes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdKind {
    Of(Kind),
    Policy,
}

/// A new unique id: four letters that tell the kind, and 17 characters.
pub(crate) fn unique_id(kind: IdKind, random: &dyn Random) -> String {
    let prefix = match kind {
        IdKind::Of(Kind::User) => "AIDA",
        IdKind::Of(Kind::Group) => "AGPA",
        IdKind::Of(Kind::Role) => "AROA",
        IdKind::Policy => "ANPA",
    };
    let mut bytes = [0; 17];
    random.fill(&mut bytes);
    prefix.chars().chain(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))).collect()
}

/// A resource of IAM by its ARN: account, path and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyArn {
    pub(crate) account: AccountId,
    pub(crate) name: String,
}

/// The ARN of a user or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrincipalArn {
    pub(crate) account: AccountId,
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

/// The account and the resource part of `arn:aws:iam::ACCOUNT:RESOURCE`.
fn split(arn: &str) -> Option<(AccountId, &str)> {
    let (account, resource) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    Some((AccountId::parse(account).ok()?, resource))
}

/// The account and the name in `arn:aws:iam::ACCOUNT:saml-provider/NAME`.
pub(crate) fn saml_provider_name(arn: &str) -> Option<(AccountId, &str)> {
    let (account, resource) = split(arn)?;
    Some((account, resource.strip_prefix("saml-provider/").filter(|name| !name.is_empty() && !name.contains('/'))?))
}

impl PolicyArn {
    /// Reads `arn:aws:iam::ACCOUNT:policy/PATH/NAME`.
    pub(crate) fn parse(arn: &str) -> Option<Self> {
        let (account, resource) = split(arn)?;
        let name = resource.strip_prefix("policy/")?.rsplit('/').next().filter(|name| !name.is_empty())?;
        Some(Self { account, name: name.to_owned() })
    }
}

impl PrincipalArn {
    /// Reads `arn:aws:iam::ACCOUNT:user/PATH/NAME`, or of a group or role.
    pub(crate) fn parse(arn: &str) -> Option<Self> {
        let (account, resource) = split(arn)?;
        let (kind, rest) = resource.split_once('/')?;
        let kind = [Kind::User, Kind::Group, Kind::Role].into_iter().find(|known| known.as_str() == kind)?;
        let name = rest.rsplit('/').next().filter(|name| !name.is_empty())?.to_owned();
        Some(Self { account, kind, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_read() {
        let policy = PolicyArn::parse("arn:aws:iam::123456789012:policy/a/b/name").unwrap();
        assert_eq!((policy.account.as_str(), policy.name.as_str()), ("123456789012", "name"));
        let role = PrincipalArn::parse("arn:aws:iam::123456789012:role/name").unwrap();
        assert_eq!((role.kind, role.name.as_str()), (Kind::Role, "name"));
        for bad in
            ["", "arn:aws:iam::1:policy/a", "arn:aws:iam::123456789012:policy/", "arn:aws:s3::123456789012:policy/a"]
        {
            assert_eq!(PolicyArn::parse(bad), None, "{bad}");
            assert_eq!(PrincipalArn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn unique_ids_tell_their_kind() {
        let id = unique_id(IdKind::Of(Kind::Role), &berth_store::SystemRandom);
        assert!(id.starts_with("AROA") && id.len() == 21, "{id}");
    }
}
