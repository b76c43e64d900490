//! Texts of a policy that may hold variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, `${*}`.
//!
//! Follows "IAM policy elements: Variables and tags" of the IAM user guide. What a variable stands for is put in as it
//! is: a `*` in it is a star, not a wildcard.

use std::borrow::Cow;

use super::PolicyError;
use super::context::{Context, Values};
use super::glob::{Glob, Symbol};

/// A variable and what it stands for where the request has no value for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) key: Box<str>,
    default: Option<Box<str>>,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Symbol(Symbol),
    Variable(Variable),
}

/// How a text is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// `${...}` is a variable. Only in policies of version 2012-10-17.
    pub(super) variables: bool,
    /// `*` and `?` are wildcards.
    pub(super) wildcards: bool,
}

/// A text ready to be compared with.
#[derive(Debug, Clone)]
pub(super) enum Text {
    /// Without variables.
    Fixed(Glob),
    /// With at least one.
    Template(Box<[Piece]>),
}

impl Reading {
    /// The pieces of a text.
    pub(super) fn pieces(self, text: &str) -> Result<Vec<Piece>, PolicyError> {
        let mut pieces = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if self.variables && rest.starts_with("${") {
                let Some(end) = variable_end(rest) else { return Err(PolicyError::Variable(text.to_owned())) };
                let (variable, tail) = rest.split_at(end);
                pieces.extend(variable_piece(variable).ok_or_else(|| PolicyError::Variable(text.to_owned()))?);
                rest = tail;
                continue;
            }
            let (head, tail) = rest.split_at(character.len_utf8());
            pieces.extend(head.bytes().map(|byte| Piece::Symbol(self.symbol(byte))));
            rest = tail;
        }
        Ok(pieces)
    }

    /// Reads a text that is compared as a whole.
    pub(super) fn text(self, text: &str) -> Result<Text, PolicyError> {
        Ok(Text::new(&self.pieces(text)?))
    }

    fn symbol(self, byte: u8) -> Symbol {
        match byte {
            b'*' if self.wildcards => Symbol::Star,
            b'?' if self.wildcards => Symbol::AnyChar,
            byte => Symbol::Byte(byte),
        }
    }
}

/// The length of the variable that a text begins with; a default in quotes may hold a brace.
fn variable_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate().skip(2) {
        match byte {
            b'\'' => quoted = !quoted,
            b'}' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn variable_piece(text: &str) -> Option<Vec<Piece>> {
    let inside = text.strip_prefix("${")?.strip_suffix('}')?;
    if let "*" | "?" | "$" = inside {
        return Some(inside.bytes().map(|byte| Piece::Symbol(Symbol::Byte(byte))).collect());
    }
    let (key, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((key, default)) => (key, Some(default.trim().strip_prefix('\'')?.strip_suffix('\'')?)),
    };
    let key = key.trim();
    if !key.contains(':') || key.contains(['$', '{', '\'']) || default.is_some_and(|default| default.contains('\'')) {
        return None;
    }
    let variable = Variable { key: super::context::normal_key(key).into(), default: default.map(Into::into) };
    Some(vec![Piece::Variable(variable)])
}

impl Text {
    pub(super) fn new(pieces: &[Piece]) -> Self {
        let symbol = |piece: &Piece| match piece {
            Piece::Symbol(symbol) => Some(*symbol),
            Piece::Variable(_) => None,
        };
        match pieces.iter().map(symbol).collect::<Option<Vec<_>>>() {
            Some(symbols) => Self::Fixed(Glob::new(&symbols)),
            None => Self::Template(pieces.into()),
        }
    }

    /// Whether the request has a value for every variable.
    pub(super) fn resolves(&self, context: &dyn Context) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Template(pieces) => pieces.iter().all(|piece| match piece {
                Piece::Symbol(_) => true,
                Piece::Variable(variable) => variable.value(context).is_some(),
            }),
        }
    }

    /// Compares; a variable without a value makes the text match nothing.
    pub(super) fn matches(&self, candidate: &str, context: &dyn Context) -> bool {
        match self {
            Self::Fixed(glob) => glob.matches(candidate),
            Self::Template(pieces) => symbols(pieces, context).is_some_and(|s| Glob::new(&s).matches(candidate)),
        }
    }

    /// Compares without regard to case, in every alphabet. For texts read without wildcards.
    pub(super) fn equals_in_any_case(&self, candidate: &str, context: &dyn Context) -> bool {
        let glob = match self {
            Self::Fixed(glob) => Some(Cow::Borrowed(glob)),
            Self::Template(pieces) => symbols(pieces, context).map(|symbols| Cow::Owned(Glob::new(&symbols))),
        };
        let Some(Glob::Exact(text)) = glob.as_deref() else { return false };
        text.eq_ignore_ascii_case(candidate) || (!text.is_ascii() && text.to_lowercase() == candidate.to_lowercase())
    }

    /// The text, where it has neither variables nor wildcards.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Self::Fixed(Glob::Exact(text)) => Some(text),
            _ => None,
        }
    }
}

fn symbols(pieces: &[Piece], context: &dyn Context) -> Option<Vec<Symbol>> {
    let mut symbols = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Symbol(symbol) => symbols.push(*symbol),
            Piece::Variable(variable) => symbols.extend(variable.value(context)?.bytes().map(Symbol::Byte)),
        }
    }
    Some(symbols)
}

impl Variable {
    /// Keys with several values stand for nothing: which of them would it be?
    fn value<'a>(&'a self, context: &'a dyn Context) -> Option<Cow<'a, str>> {
        match context.values(&self.key) {
            Some(Values::Single(value)) => Some(value),
            Some(Values::Many(_)) | None => self.default.as_deref().map(Cow::Borrowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::context::MapContext;
    use super::*;

    const READ: Reading = Reading { variables: true, wildcards: true };

    fn matches(pattern: &str, text: &str, reading: Reading) -> bool {
        let context = MapContext::new()
            .with("aws:username", "al*ce")
            .with("aws:PrincipalTag/Team", "red")
            .with_many("aws:TagKeys", ["one"]);
        reading.text(pattern).unwrap().matches(text, &context)
    }

    #[test]
    fn variables_are_put_in_as_they_are() {
        let table = [
            ("a/${aws:username}/*", "a/al*ce/x", true),
            ("a/${aws:username}/*", "a/alice/x", false),
            ("a/${AWS:UserName}", "a/al*ce", true),
            ("${aws:principaltag/team}", "red", true),
            ("${aws:missing}", "", false),
            ("${aws:missing, 'x}y'}", "x}y", true),
            ("${aws:missing,'*'}", "z", false),
            ("${aws:username, 'x'}", "x", false),
            ("${aws:TagKeys}", "one", false),
            ("${aws:TagKeys, 'none'}", "none", true),
            ("${*}${?}${$}", "*?$", true),
            ("${*}", "a", false),
            ("$a{b}", "$a{b}", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text, READ), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn an_old_policy_has_no_variables() {
        let old = Reading { variables: false, wildcards: true };
        assert!(matches("${aws:username}", "${aws:username}", old));
        assert!(matches("${*}", "${abc}", old));
    }

    #[test]
    fn broken_variables_are_refused() {
        for bad in ["${", "${}", "${aws:username", "${username}", "${a:b,c}", "${a:b, 'c''}", "${a:${b:c}}", "${a:b,'}"]
        {
            assert!(READ.text(bad).is_err(), "{bad}");
        }
    }
}
