//! Names of the model as names of Rust.

use std::collections::BTreeMap;
use std::error::Error;

const KEYWORDS: &[&str] = &["type", "match", "ref", "self", "use", "where", "move", "in", "for", "fn", "mod", "loop"];

/// `MFADevice` as `mfa_device`.
pub fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(index + 1);
        let begins = letter.is_uppercase()
            && before.is_some_and(|b| !b.is_uppercase() || after.is_some_and(|after| after.is_lowercase()));
        if begins {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// A field's name.
pub fn field(name: &str) -> String {
    let snake = snake(name);
    if KEYWORDS.contains(&snake.as_str()) { format!("r#{snake}") } else { snake }
}

/// A constant's name: `MFADevice` as `MFA_DEVICE`.
pub fn constant(name: &str) -> String {
    snake(name).to_uppercase()
}

/// A type's name: `policyDetail` as `PolicyDetail`.
pub fn pascal(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// Fails where two names become the same.
pub fn distinct<'a>(
    names: impl IntoIterator<Item = &'a String>,
    made: fn(&str) -> String,
) -> Result<(), Box<dyn Error>> {
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    for name in names {
        if let Some(other) = seen.insert(made(name), name) {
            return Err(format!("{other} and {name} have the same name in Rust: {}", made(name)).into());
        }
    }
    Ok(())
}

/// A text as a literal of Rust; raw where that reads better.
pub fn literal(text: &str) -> String {
    if text.contains('\\') && !text.contains('"') { format!("r\"{text}\"") } else { format!("{text:?}") }
}

/// A number with underscores between thousands.
pub fn number(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    if digits.len() < 5 {
        return number.to_owned();
    }
    let head = digits.len() % 3;
    let (first, rest) = digits.split_at(head);
    let groups = rest.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let groups: Vec<String> = (!first.is_empty()).then(|| first.to_owned()).into_iter().chain(groups).collect();
    format!("{sign}{}", groups.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_those_of_rust() {
        for (name, snaked) in [
            ("UserName", "user_name"),
            ("MFADevice", "mfa_device"),
            ("AWSAccountID", "aws_account_id"),
            ("registryIds", "registry_ids"),
            ("IsTruncated", "is_truncated"),
            ("Type", "type"),
        ] {
            assert_eq!(snake(name), snaked);
        }
        assert_eq!((field("Type").as_str(), constant("policyType").as_str()), ("r#type", "POLICY_TYPE"));
        assert_eq!(pascal("policyType"), "PolicyType");
        assert!(distinct([&"tagKey".to_owned(), &"TagKey".to_owned()], pascal).is_err());
        assert!(distinct([&"tagKey".to_owned(), &"tagValue".to_owned()], pascal).is_ok());
    }

    #[test]
    fn literals_are_those_of_rust() {
        assert_eq!((literal("a").as_str(), literal(r"\d").as_str()), ("\"a\"", "r\"\\d\""));
        for (plain, grouped) in
            [("1000", "1000"), ("131072", "131_072"), ("-10000", "-10_000"), ("1000000", "1_000_000")]
        {
            assert_eq!(number(plain), grouped);
        }
    }
}
