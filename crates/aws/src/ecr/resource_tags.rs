//! The tags of a resource (not of an image): keys and values that people sort their repositories by.

use std::collections::HashSet;

use super::invalid::{Exception, Invalid, shown};
use super::shapes as s;
use crate::protocol::Pattern;

/// How many tags a resource may have ("Tag restrictions" of ECR's user guide).
pub const MAX_TAGS: usize = 50;

/// The longest key, in characters.
const MAX_KEY: usize = 128;

/// The longest value, in characters.
const MAX_VALUE: usize = 256;

/// Letters, digits and spaces of any script, and some signs ("Tag restrictions").
static ALLOWED: Pattern = Pattern::new(r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$");

/// Checks the tags that are put on a resource; `existing` are the keys that it has.
///
/// `InvalidTagParameterException` for a key or value that is none and for a key twice; `TooManyTagsException` where it
/// would have more than 50. A key that it has already is not counted again, for its value is replaced.
pub fn check<'a>(tags: &'a [s::Tag], existing: impl IntoIterator<Item = &'a str>) -> Result<(), Invalid> {
    let mut keys = HashSet::new();
    for tag in tags {
        check_key(&tag.key)?;
        check_value(tag)?;
        if !keys.insert(tag.key.as_str()) {
            return Err(invalid(format!("The tag key '{}' stands twice; a key may stand once.", shown(&tag.key))));
        }
    }
    keys.extend(existing);
    if keys.len() > MAX_TAGS {
        let message = format!("The resource would have {} tags; at most {MAX_TAGS} are allowed.", keys.len());
        return Err(Invalid::new(Exception::TooManyTags, message));
    }
    Ok(())
}

/// Checks the keys of tags that are taken away: `InvalidTagParameterException` for one that no tag can have.
pub fn check_keys(keys: &[String]) -> Result<(), Invalid> {
    keys.iter().try_for_each(|key| check_key(key))
}

fn check_key(key: &str) -> Result<(), Invalid> {
    let length = key.chars().count();
    if !(1..=MAX_KEY).contains(&length) {
        return Err(invalid(format!(
            "The tag key '{}' has {length} characters; 1 to {MAX_KEY} are allowed.",
            shown(key)
        )));
    }
    if !ALLOWED.matches(key) {
        return Err(invalid(format!("The tag key '{}' has characters other than {SIGNS}.", shown(key))));
    }
    if key.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("aws:")) {
        return Err(invalid(format!("The tag key '{}' begins with 'aws:', which is reserved.", shown(key))));
    }
    Ok(())
}

const SIGNS: &str = "letters, digits, spaces and _ . : / = + - @";

fn check_value(tag: &s::Tag) -> Result<(), Invalid> {
    let length = tag.value.chars().count();
    let key = shown(&tag.key);
    if length > MAX_VALUE {
        let message = format!("The value of the tag '{key}' has {length} characters; at most {MAX_VALUE} are allowed.");
        return Err(invalid(message));
    }
    if !ALLOWED.matches(&tag.value) {
        return Err(invalid(format!("The value of the tag '{key}' has characters other than {SIGNS}.")));
    }
    Ok(())
}

fn invalid(message: String) -> Invalid {
    Invalid::new(Exception::InvalidTagParameter, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> s::Tag {
        s::Tag { key: key.into(), value: value.into() }
    }

    #[test]
    fn keys_and_values_are_checked() {
        let long_key = "ä".repeat(129);
        let long_value = "ä".repeat(257);
        let table = [
            ("team", "", true),
            ("Größe", "zwei drei", true),
            ("a_.:/=+-@1", "x_.:/=+-@1", true),
            (&long_key[2..], &long_value[2..], true),
            ("", "x", false),
            (&long_key, "", false),
            ("team", &long_value, false),
            ("a*", "", false),
            ("a", "tab\there", false),
            ("a\n", "", false),
            ("aws:owner", "", false),
            ("AwS:owner", "", false),
            ("laws:owner", "aws:value", true),
        ];
        for (key, value, good) in table {
            let found = check(&[tag(key, value)], []);
            assert_eq!(found.is_ok(), good, "{key}={value}: {found:?}");
            assert!(good || found.unwrap_err().exception == Exception::InvalidTagParameter);
        }
    }

    #[test]
    fn a_key_stands_once() {
        let error = check(&[tag("a", "1"), tag("b", ""), tag("a", "2")], []).unwrap_err();
        assert_eq!(error.message, "The tag key 'a' stands twice; a key may stand once.");
        assert!(check(&[tag("a", "1"), tag("A", "2")], ["a"]).is_ok());
    }

    #[test]
    fn fifty_are_enough() {
        let tags: Vec<s::Tag> = (0..50).map(|number| tag(&number.to_string(), "")).collect();
        assert!(check(&tags, []).is_ok());
        assert!(check(&tags, ["0", "49"]).is_ok());
        let error = check(&tags, ["0", "50"]).unwrap_err();
        assert_eq!(error.exception, Exception::TooManyTags);
        assert_eq!(error.message, "The resource would have 51 tags; at most 50 are allowed.");
    }
}
