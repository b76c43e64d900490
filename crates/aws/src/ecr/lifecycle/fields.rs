//! The members of an object, each looked for by its name and type.

use super::json::Node;
use super::refused;
use crate::ecr::Invalid;
use crate::ecr::invalid::shown;

/// The greatest number in a policy.
const MOST: i64 = i32::MAX as i64;

/// An object all of whose members are known, none twice, and with those that it must have.
pub(super) struct Fields<'a> {
    /// What messages call the object.
    at: String,
    members: &'a [(String, Node)],
}

impl<'a> Fields<'a> {
    /// Reads an object. `known` are all the names that it may have, `required` those that it must.
    pub(super) fn of(node: &'a Node, at: String, known: &[&str], required: &[&str]) -> Result<Self, Invalid> {
        let Node::Object(members) = node else {
            return Err(refused(format!("{at}: must be an object, and is {node}")));
        };
        if let Some((name, _)) = members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            let name = shown(name);
            return Err(refused(format!(
                "{at}: object instance has properties which are not allowed by the schema: [\"{name}\"], allowed are: {}",
                known.join(", ")
            )));
        }
        let fields = Self { at, members };
        // No more than there are names: a longer list of known ones has one of them twice.
        for name in known {
            if members.iter().filter(|(found, _)| found == name).nth(1).is_some() {
                return Err(fields.refused(name, "stands twice, it may stand once"));
            }
        }
        let missing: Vec<&str> = required.iter().copied().filter(|name| fields.get(name).is_none()).collect();
        if missing.is_empty() { Ok(fields) } else { Err(fields.missing(&missing)) }
    }

    /// Calls the object otherwise.
    pub(super) fn named(self, at: String) -> Self {
        Self { at, ..self }
    }

    /// What messages call a member that is an object itself.
    pub(super) fn below(&self, name: &str) -> String {
        format!("{}, {name}", self.at)
    }

    /// A refusal of a member.
    pub(super) fn refused(&self, name: &str, why: impl std::fmt::Display) -> Invalid {
        refused(format!("{}: {name} {why}", self.at))
    }

    /// A refusal of the whole.
    pub(super) fn refused_whole(&self, why: impl std::fmt::Display) -> Invalid {
        refused(format!("{}: {why}", self.at))
    }

    fn missing(&self, names: &[&str]) -> Invalid {
        refused(format!("{}: object has missing required properties ({})", self.at, names.join(", ")))
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.members.iter().find(|(found, _)| found == name).map(|(_, node)| node)
    }

    /// A member that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&'a Node, Invalid> {
        self.get(name).ok_or_else(|| self.missing(&[name]))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Invalid> {
        match self.get(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.refused(name, format!("must be a string, and is {other}"))),
        }
    }

    /// A whole number from 1 that must be there.
    pub(super) fn number(&self, name: &str) -> Result<u32, Invalid> {
        let node = self.need(name)?;
        let number = match node {
            Node::Integer(number @ 1..=MOST) => u32::try_from(*number).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.refused(name, format!("must be an integer from 1 to {MOST}, and is {node}")))
    }

    /// A list of texts, none of them empty, at least one.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>, Invalid> {
        let Some(node) = self.get(name) else { return Ok(None) };
        let text = |node: &'a Node| match node {
            Node::Text(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        };
        let texts: Option<Vec<&str>> = match node {
            Node::List(nodes) if !nodes.is_empty() => nodes.iter().map(text).collect(),
            _ => None,
        };
        let why = "must be a list of at least one string, none of them empty";
        texts.map(Some).ok_or_else(|| self.refused(name, why))
    }

    /// One of a few words, and what it stands for.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Invalid> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*meaning));
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let why = format!("\"{}\" not found in enum (possible values: {})", shown(text), words.join(", "));
        Err(self.refused(name, why))
    }

    /// The same of a member that must be there.
    pub(super) fn need_word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, Invalid> {
        self.word(name, words)?.ok_or_else(|| self.missing(&[name]))
    }
}
