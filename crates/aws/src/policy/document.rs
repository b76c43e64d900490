//! From JSON to statements: which members a document may have, and of what form.

use std::collections::HashSet;

use super::arn_pattern::ArnPattern;
use super::condition;
use super::glob::Glob;
use super::json::Node;
use super::principal::Principals;
use super::statement::{Actions, Effect, Resources, Statement};
use super::{PolicyError, PolicyKind, Version};

/// What a trust policy may allow ("Has prohibited field" and the like are IAM's words for the rest).
const TRUST_ACTIONS: [&str; 6] = [
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:tagsession",
    "sts:setsourceidentity",
    "sts:setcontext",
];

/// Reads a document.
pub(super) fn read(document: &Node, kind: PolicyKind) -> Result<(Version, Vec<Statement>), PolicyError> {
    let members = Members::of(document, "the policy", &["Version", "Id", "Statement"])?;
    if !matches!(members.get("Id"), None | Some(Node::String(_))) {
        return Err(syntax("Id is no text"));
    }
    let version = version(members.get("Version"))?;
    let statements = match members.get("Statement") {
        Some(Node::List(list)) if !list.is_empty() => list.as_slice(),
        Some(one @ Node::Object(_)) => std::slice::from_ref(one),
        Some(Node::List(_)) | None => return Err(PolicyError::NoStatements),
        Some(_) => return Err(syntax("Statement is neither an object nor a list")),
    };
    let statements = statements.iter().map(|node| Reader { kind, version }.statement(node));
    let statements: Vec<Statement> = statements.collect::<Result<_, _>>()?;
    unique_sids(&statements)?;
    Ok((version, statements))
}

fn syntax(problem: &str) -> PolicyError {
    PolicyError::Syntax(problem.to_owned())
}

fn version(node: Option<&Node>) -> Result<Version, PolicyError> {
    match node {
        None => Ok(Version::V2008),
        Some(Node::String(text)) if text == "2008-10-17" => Ok(Version::V2008),
        Some(Node::String(text)) if text == "2012-10-17" => Ok(Version::V2012),
        Some(_) => Err(PolicyError::Version),
    }
}

fn unique_sids(statements: &[Statement]) -> Result<(), PolicyError> {
    let mut seen = HashSet::new();
    let unique = statements.iter().filter_map(Statement::sid).all(|sid| seen.insert(sid));
    if unique { Ok(()) } else { Err(PolicyError::DuplicateSid) }
}

/// The members of an object, all of which are known.
struct Members<'a>(&'a [(String, Node)]);

impl<'a> Members<'a> {
    fn of(node: &'a Node, what: &str, known: &[&str]) -> Result<Self, PolicyError> {
        let Node::Object(members) = node else { return Err(PolicyError::Syntax(format!("{what} is no object"))) };
        match members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(PolicyError::Syntax(format!("{what} has an unknown member {name:?}"))),
            None => Ok(Self(members)),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Node> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, node)| node)
    }

    /// The value of `name` or of `not_name`, and whether it is the latter; both at once are wrong.
    fn either(&self, name: &str, not_name: &str, both: PolicyError) -> Result<Option<(&'a Node, bool)>, PolicyError> {
        match (self.get(name), self.get(not_name)) {
            (Some(_), Some(_)) => Err(both),
            (Some(node), None) => Ok(Some((node, false))),
            (None, Some(node)) => Ok(Some((node, true))),
            (None, None) => Ok(None),
        }
    }
}

#[derive(Clone, Copy)]
struct Reader {
    kind: PolicyKind,
    version: Version,
}

const MEMBERS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl Reader {
    fn statement(self, node: &Node) -> Result<Statement, PolicyError> {
        let members = Members::of(node, "a statement", &MEMBERS)?;
        let effect = match members.get("Effect") {
            Some(Node::String(text)) if text == "Allow" => Effect::Allow,
            Some(Node::String(text)) if text == "Deny" => Effect::Deny,
            _ => return Err(syntax("Effect is neither Allow nor Deny")),
        };
        let condition = members.get("Condition").map(|node| condition::read(node, self.variables()));
        Ok(Statement {
            sid: self.sid(members.get("Sid"))?,
            effect,
            principals: self.principals(&members)?,
            actions: self.actions(&members)?,
            resources: self.resources(&members)?,
            conditions: condition.transpose()?.unwrap_or_default(),
        })
    }

    fn variables(self) -> bool {
        self.version == Version::V2012
    }

    fn sid(self, node: Option<&Node>) -> Result<Option<Box<str>>, PolicyError> {
        match node {
            None => Ok(None),
            Some(Node::String(sid)) if sid.is_empty() => Ok(None),
            Some(Node::String(sid)) => {
                let plain = sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
                let valid = plain || self.kind == PolicyKind::Resource;
                valid.then(|| Some(sid.as_str().into())).ok_or(PolicyError::Sid)
            }
            Some(_) => Err(syntax("Sid is no text")),
        }
    }

    fn principals(self, members: &Members<'_>) -> Result<Option<Principals>, PolicyError> {
        let element = members.either("Principal", "NotPrincipal", PolicyError::Principals)?;
        match (self.kind, element) {
            (PolicyKind::Identity, None) => Ok(None),
            (PolicyKind::Identity, Some(_)) => Err(PolicyError::PrincipalPresent),
            (_, None) => Err(PolicyError::Principals),
            (PolicyKind::Trust, Some((_, true))) => Err(PolicyError::Prohibited("NotPrincipal")),
            (_, Some((node, negated))) => Principals::read(node, negated).map(Some),
        }
    }

    fn actions(self, members: &Members<'_>) -> Result<Actions, PolicyError> {
        let element = members.either("Action", "NotAction", PolicyError::Actions)?;
        let (node, negated) = element.ok_or(PolicyError::Actions)?;
        if negated && self.kind == PolicyKind::Trust {
            return Err(PolicyError::Prohibited("NotAction"));
        }
        let patterns = texts(node, &PolicyError::Actions)?.into_iter().map(|text| self.action(text));
        Ok(Actions { negated, patterns: patterns.collect::<Result<_, _>>()? })
    }

    fn action(self, text: &str) -> Result<Glob, PolicyError> {
        let lower = text.to_ascii_lowercase();
        let pattern = if lower == "*:*" { Glob::Any } else { Glob::parse(&lower) };
        if self.kind == PolicyKind::Trust {
            let assumes = lower.starts_with("sts:") && TRUST_ACTIONS.iter().any(|action| pattern.matches(action));
            return assumes.then_some(pattern).ok_or_else(|| PolicyError::TrustAction(text.to_owned()));
        }
        let valid = matches!(pattern, Glob::Any) || is_action(&lower);
        valid.then_some(pattern).ok_or_else(|| PolicyError::Vendor(text.to_owned()))
    }

    fn resources(self, members: &Members<'_>) -> Result<Option<Resources>, PolicyError> {
        let element = members.either("Resource", "NotResource", PolicyError::Resources)?;
        let (node, negated) = match (self.kind, element) {
            (PolicyKind::Identity, None) => return Err(PolicyError::Resources),
            (_, None) => return Ok(None),
            (PolicyKind::Trust, Some(_)) => return Err(PolicyError::Prohibited("Resource")),
            (_, Some(element)) => element,
        };
        let patterns = texts(node, &PolicyError::Resources)?;
        let patterns = patterns.into_iter().map(|text| ArnPattern::resource(text, self.variables()));
        Ok(Some(Resources { negated, patterns: patterns.collect::<Result<_, _>>()? }))
    }
}

/// One text or a list of at least one.
fn texts<'a>(node: &'a Node, error: &PolicyError) -> Result<Vec<&'a str>, PolicyError> {
    let nodes = match node {
        Node::List(list) if !list.is_empty() => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let text = |node: &'a Node| match node {
        Node::String(text) => Ok(text.as_str()),
        _ => Err(error.clone()),
    };
    nodes.iter().map(text).collect()
}

/// `service:name`, where only the name may have wildcards.
fn is_action(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let wild = |byte: u8| plain(byte) || matches!(byte, b'*' | b'?' | b'_' | b'.' | b'/');
    text.split_once(':').is_some_and(|(service, name)| {
        !service.is_empty() && service.bytes().all(plain) && !name.is_empty() && name.bytes().all(wild)
    })
}
