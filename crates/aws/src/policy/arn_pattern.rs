//! ARNs and what matches them, field by field.
//!
//! A wildcard matches within the field it stands in; only the last field, the resource, may hold colons and slashes.

use super::PolicyError;
use super::context::Context;
use super::glob::{Glob, Symbol};
use super::text::{Piece, Reading, Text};

const FIELDS: usize = 6;

/// A resource or principal that a request names, cut once for all patterns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arn<'a>(Option<[&'a str; FIELDS]>);

/// A pattern of ARNs.
#[derive(Debug, Clone)]
pub(super) enum ArnPattern {
    /// A lone `*`: everything, also what is no ARN.
    Any,
    /// Partition, service and so on, each by itself.
    Fields(Box<[Text; FIELDS]>),
    /// Not six fields: matches nothing.
    Nothing,
}

impl<'a> Arn<'a> {
    pub(super) fn split(text: &'a str) -> Self {
        let mut fields = text.splitn(FIELDS, ':');
        let mut cut = [""; FIELDS];
        let complete = cut.iter_mut().all(|slot| fields.next().map(|field| *slot = field).is_some());
        Self(complete.then_some(cut))
    }
}

impl ArnPattern {
    /// Reads a `Resource`: `*` or an ARN. Fields that are missing at the end are `*`, as "IAM identifiers" says of
    /// incomplete ARNs. One with a field before its last that ends in `*` is refused: "IAM JSON policy elements: Resource"
    /// lets such a star reach across colons, so that nobody could tell what `arn:aws:ecr:*:repository/x` means.
    pub(super) fn resource(text: &str, variables: bool) -> Result<Self, PolicyError> {
        let refused = || PolicyError::Resource(text.to_owned());
        let star = !text.is_empty() && text.bytes().all(|byte| byte == b'*');
        if !star && !text.starts_with("arn:") {
            return Err(refused());
        }
        match Self::read(text, variables)? {
            (Self::Nothing, fields) => Self::completed(fields).ok_or_else(refused),
            (pattern, _) => Ok(pattern),
        }
    }

    /// Reads a value of an `Arn...` operator.
    pub(super) fn condition(text: &str, variables: bool) -> Result<Self, PolicyError> {
        Ok(Self::read(text, variables)?.0)
    }

    fn read(text: &str, variables: bool) -> Result<(Self, Vec<Text>), PolicyError> {
        let pieces = Reading { variables, wildcards: true }.pieces(text)?;
        if !pieces.is_empty() && pieces.iter().all(|piece| *piece == Piece::Symbol(Symbol::Star)) {
            return Ok((Self::Any, Vec::new()));
        }
        let colon = |piece: &Piece| *piece == Piece::Symbol(Symbol::Byte(b':'));
        let fields: Vec<&[Piece]> = pieces.splitn(FIELDS, colon).collect();
        let open = |field: &&[Piece]| field.last() == Some(&Piece::Symbol(Symbol::Star));
        let ambiguous = fields.split_last().is_some_and(|(_, before)| before.iter().any(open));
        let fields: Vec<Text> = fields.into_iter().map(Text::new).collect();
        Ok(match <[Text; FIELDS]>::try_from(fields) {
            Ok(fields) => (Self::Fields(Box::new(fields)), Vec::new()),
            Err(_) if ambiguous => (Self::Nothing, Vec::new()),
            Err(fields) => (Self::Nothing, fields),
        })
    }

    fn completed(mut fields: Vec<Text>) -> Option<Self> {
        if fields.is_empty() {
            return None;
        }
        fields.resize(FIELDS, Text::Fixed(Glob::Any));
        <[Text; FIELDS]>::try_from(fields).ok().map(|fields| Self::Fields(Box::new(fields)))
    }

    pub(super) fn matches(&self, arn: &Arn<'_>, context: &dyn Context) -> bool {
        match (self, arn.0) {
            (Self::Any, _) => true,
            (Self::Fields(patterns), Some(fields)) => {
                // What differs most comes last.
                let mut pairs = patterns.iter().zip(fields).rev();
                pairs.all(|(pattern, field)| pattern.matches(field, context))
            }
            (Self::Fields(_), None) | (Self::Nothing, _) => false,
        }
    }

    /// Whether the request has a value for every variable.
    pub(super) fn resolves(&self, context: &dyn Context) -> bool {
        match self {
            Self::Fields(fields) => fields.iter().all(|field| field.resolves(context)),
            Self::Any | Self::Nothing => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::context::MapContext;
    use super::*;

    #[test]
    fn fields_are_matched_by_themselves() {
        let arn = "arn:aws:ecr:us-east-1:111122223333:repository/team/app";
        let table = [
            ("*", arn, true),
            ("**", arn, true),
            ("*", "*", true),
            ("arn:aws:ecr:*:*:*", "*", false),
            (arn, arn, true),
            ("arn:aws:ecr:us-east-1:111122223333:repository/team/APP", arn, false),
            ("arn:aws:ecr:us-east-1:111122223333:repository/*", arn, true),
            ("arn:aws:ecr:us-east-1:111122223333:repository/*/app", arn, true),
            ("arn:aws:ecr:us-east-1:111122223333:repository/????/app", arn, true),
            ("arn:aws:ecr:us-east-1:111122223333:*app", arn, true),
            ("arn:aws:ecr:us-*-1:1111*:repository/team/app", arn, true),
            ("arn:aws:ecr:*app", arn, false),
            ("arn:aws:ecr:*st-1", arn, true),
            ("arn:aws:ecr", arn, true),
            ("arn:aws:ecr:*", arn, true),
            ("arn:aws:ecr:eu-*", arn, false),
            ("arn:*", arn, true),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x:y/z", true),
            ("arn:aws:iam::1:user/${aws:username}", "arn:aws:iam::1:user/a:b", true),
            ("arn:aws:iam::${aws:username}:x", "arn:aws:iam::a:b:x", false),
            ("arn:aws:iam::1:user/${aws:nobody}", "arn:aws:iam::1:user/", false),
        ];
        let context = MapContext::new().with("aws:username", "a:b");
        for (pattern, text, expected) in table {
            let pattern_read = ArnPattern::resource(pattern, true).unwrap();
            assert_eq!(pattern_read.matches(&Arn::split(text), &context), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_resource_is_an_arn_or_a_star() {
        let ambiguous = ["arn:aws:ecr:*:repository/x", "arn:*:x", "arn:aws:ecr:us-*:1"];
        for bad in
            ["", "a", "repository/x", "*a", "${aws:username}", "ARN:aws:ecr:::x", "?"].into_iter().chain(ambiguous)
        {
            assert_eq!(ArnPattern::resource(bad, true).unwrap_err(), PolicyError::Resource(bad.into()));
        }
    }

    #[test]
    fn an_incomplete_arn_in_a_condition_matches_nothing() {
        let pattern = ArnPattern::condition("arn:aws:ecr:*", true).unwrap();
        assert!(!pattern.matches(&Arn::split("arn:aws:ecr:a:b:c"), &MapContext::new()));
    }
}
