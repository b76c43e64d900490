//! From what a file names to what there is: ARNs for names, and whether all that it refers to exists.

use std::collections::BTreeSet;

use super::file::File;
use super::model::{Managed, Owner, State};
use super::present::Present;
use crate::identity::owner::Kind;

/// What a file wants in an account. Errors are all that is wrong, for people.
pub fn resolve(file: File, present: &Present) -> Result<State, Vec<String>> {
    let mut resolver = Resolver { present, wanted: State::default(), problems: Vec::new() };
    for (name, policy) in file.policies {
        resolver.check_name("policy", &name, present.state.policies.keys());
        let known = present.state.policies.get(&name);
        let arn = known.map_or_else(|| resolver.new_arn(policy.path.as_deref(), &name), |known| known.arn.clone());
        resolver.check_path(&format!("policies.{name}"), policy.path.as_deref(), known.map(|known| &known.path));
        resolver.wanted.policies.insert(name, Managed { arn, path: policy.path, document: policy.document });
    }
    let groups = file.owners.keys().filter(|(kind, _)| *kind == Kind::Group).map(|(_, name)| name.clone()).collect();
    for ((kind, name), owner) in file.owners {
        resolver.owner(kind, name, owner, &groups);
    }
    if resolver.problems.is_empty() { Ok(resolver.wanted) } else { Err(resolver.problems) }
}

struct Resolver<'p> {
    present: &'p Present,
    wanted: State,
    problems: Vec<String>,
}

impl Resolver<'_> {
    fn new_arn(&self, path: Option<&str>, name: &str) -> String {
        format!("arn:aws:iam::{}:policy{}{name}", self.present.account, path.unwrap_or("/"))
    }

    fn owner(&mut self, kind: Kind, name: String, owner: Owner, groups: &BTreeSet<String>) {
        let place = format!("{}s.{name}", kind.word());
        let owners = &self.present.state.owners;
        self.check_name(kind.word(), &name, owners.keys().filter(|(known, _)| *known == kind).map(|(_, name)| name));
        let known = owners.get(&(kind, name.clone()));
        self.check_path(&place, owner.path.as_deref(), known.map(|known| &known.path));
        for group in &owner.groups {
            if !groups.contains(group) && !owners.contains_key(&(Kind::Group, group.clone())) {
                self.problems
                    .push(format!("{place}: there is no group {group}, neither in the file nor in the account"));
            }
        }
        let policies = owner.policies.iter().filter_map(|policy| self.policy(&place, policy)).collect();
        let boundary = owner.boundary.as_ref().and_then(|policy| self.policy(&place, policy));
        self.wanted.owners.insert((kind, name), Owner { policies, boundary, ..owner });
    }

    /// The ARN of a policy that is named by it or by its name.
    fn policy(&mut self, place: &str, named: &str) -> Option<String> {
        let own =
            self.wanted.policies.iter().chain(&self.present.state.policies).map(|(name, policy)| (name, &policy.arn));
        let mut known = own.chain(&self.present.provided);
        let found = known.find(|(name, arn)| *name == named || *arn == named).map(|(_, arn)| arn.clone());
        if found.is_none() {
            self.problems.push(format!("{place}: there is no policy {named}, neither in the file nor in the account"));
        }
        found
    }

    /// Names of IAM differ by more than case.
    fn check_name<'n>(&mut self, word: &str, name: &str, mut known: impl Iterator<Item = &'n String>) {
        if let Some(other) = known.find(|known| *known != name && known.eq_ignore_ascii_case(name)) {
            self.problems.push(format!("{word} {name} is called {other} in the account"));
        }
    }

    fn check_path(&mut self, place: &str, wanted: Option<&str>, known: Option<&Option<String>>) {
        let known = known.and_then(Option::as_deref);
        if let (Some(wanted), Some(known)) = (wanted, known)
            && wanted != known
        {
            self.problems.push(format!("{place}: its path is {known} and cannot become {wanted}: delete it first"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn present() -> Present {
        let owner = Owner { path: Some("/".to_owned()), ..Owner::default() };
        let document = crate::identity::apply::model::Document::of(serde_json::json!({}));
        let policy =
            Managed { arn: "arn:aws:iam::1:policy/team/old".to_owned(), path: Some("/team/".to_owned()), document };
        Present {
            account: "1".to_owned(),
            state: State {
                owners: [((Kind::Group, "devs".to_owned()), owner.clone()), ((Kind::User, "Bob".to_owned()), owner)]
                    .into(),
                policies: [("old".to_owned(), policy)].into(),
            },
            provided: [("ReadOnly".to_owned(), "arn:aws:iam::aws:policy/ReadOnly".to_owned())].into(),
            kept: BTreeSet::new(),
        }
    }

    fn resolved(text: &str) -> Result<State, Vec<String>> {
        resolve(super::super::file::parse(text, Path::new("/")).unwrap(), &present())
    }

    const DOCUMENT: &str = "document = { Version = '2012-10-17', Statement = [{ Effect = 'Allow', Action = 'ecr:PutImage', Resource = '*' }] }";

    #[test]
    fn names_become_arns() {
        let text = format!(
            "[policies.new]\npath = '/x/'\n{DOCUMENT}\n[policies.old]\n{DOCUMENT}\n[users.alice]\ngroups = ['devs', 'ops']\n\
             policies = ['new', 'old', 'ReadOnly', 'arn:aws:iam::1:policy/team/old']\nboundary = 'arn:aws:iam::aws:policy/ReadOnly'\n\
             [groups.ops]\n"
        );
        let state = resolved(&text).unwrap();
        let alice = &state.owners[&(Kind::User, "alice".to_owned())];
        let policies: Vec<&str> = alice.policies.iter().map(String::as_str).collect();
        assert_eq!(
            policies,
            ["arn:aws:iam::1:policy/team/old", "arn:aws:iam::1:policy/x/new", "arn:aws:iam::aws:policy/ReadOnly"]
        );
        assert_eq!(alice.boundary.as_deref(), Some("arn:aws:iam::aws:policy/ReadOnly"));
        assert_eq!(state.policies["old"].arn, "arn:aws:iam::1:policy/team/old", "where it is");
    }

    #[test]
    fn what_does_not_exist_is_told() {
        let text = format!(
            "[policies.old]\npath = '/'\n{DOCUMENT}\n[users.bob]\n[users.carol]\ngroups = ['none']\npolicies = ['none']\n\
             boundary = 'arn:aws:iam::2:policy/old'\n[groups.devs]\npath = '/x/'\n"
        );
        let found = resolved(&text).unwrap_err();
        let expected = [
            "policies.old: its path is /team/ and cannot become /: delete it first",
            "groups.devs: its path is / and cannot become /x/: delete it first",
            "user bob is called Bob in the account",
            "users.carol: there is no group none, neither in the file nor in the account",
            "users.carol: there is no policy none, neither in the file nor in the account",
            "users.carol: there is no policy arn:aws:iam::2:policy/old, neither in the file nor in the account",
        ];
        assert_eq!(found, expected);
    }
}
