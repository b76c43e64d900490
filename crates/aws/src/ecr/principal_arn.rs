//! The ARNs of IAM roles and users.

use crate::protocol::Pattern;

/// The model's pattern of `PrincipalArn`.
static PATTERN: Pattern = Pattern::new(r"^arn:aws(-[a-z]+)*:iam::[0-9]{12}:(role|user)/[\w+=,.@-]+(/[\w+=,.@-]+)*$");

/// The longest that the model allows, in characters.
const LONGEST: usize = 200;

/// The ARN of a role or user of any account, paths included: `arn:aws:iam::111122223333:role/ci/deploy`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PrincipalArn(Box<str>);

impl PrincipalArn {
    /// Reads an ARN of at most 200 characters. `None` for anything else, also for the ARN of a role's session and
    /// for one with wildcards.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() <= LONGEST && PATTERN.matches(text)).then(|| Self(text.into()))
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The twelve digits of the account.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// Whether it is a role; else it is a user.
    pub fn is_role(&self) -> bool {
        self.0.split(':').nth(5).is_some_and(|resource| resource.starts_with("role/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_users_are_read() {
        let table = [
            ("arn:aws:iam::111122223333:role/ci", "111122223333", true),
            ("arn:aws:iam::444455556666:user/people/alice", "444455556666", false),
            ("arn:aws-cn:iam::111122223333:role/a+=,.@-_b/c", "111122223333", true),
            ("arn:aws:iam::111122223333:user/role/x", "111122223333", false),
        ];
        for (text, account, role) in table {
            let arn = PrincipalArn::parse(text).unwrap();
            assert_eq!((arn.as_str(), arn.account(), arn.is_role()), (text, account, role));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("arn:aws:iam::111122223333:role/{}", "a".repeat(200));
        let bad = [
            "",
            "ci",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::111122223333:role/a//b",
            "arn:aws:iam::*:role/ci",
            "arn:aws:iam::1111:role/ci",
            "arn:aws:iam::111122223333:group/ci",
            "arn:aws:iam::111122223333:role/ci\n",
            "arn:aws:sts::111122223333:assumed-role/ci/run",
            &long,
        ];
        for text in bad {
            assert_eq!(PrincipalArn::parse(text), None, "{text}");
        }
    }
}
