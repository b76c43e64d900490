//! The form of `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// A value, which may be a secret. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into keeping.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Which of the two files a text is of: they name their sections differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// `~/.aws/credentials`: `[name]`.
    Credentials,
    /// `~/.aws/config`: `[profile name]`, and `[default]`.
    Config,
}

/// A profile's values by their names in lower case.
pub type Values = BTreeMap<String, Secret>;

/// The values of one profile in a text; `None` where it has no such profile. Of a name that comes twice the last counts.
pub fn profile(text: &str, file: File, profile: &str) -> Option<Values> {
    let mut found: Option<Values> = None;
    let mut is_inside = false;
    for line in text.lines() {
        // Indented lines belong to a group of settings that has nothing for us.
        if line.trim().is_empty() || line.starts_with(['#', ';', ' ', '\t']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            is_inside = header.split_once(']').is_some_and(|(name, _)| names(name.trim(), file, profile));
            if is_inside {
                found.get_or_insert_default();
            }
        } else if let (true, Some(values), Some((name, value))) = (is_inside, &mut found, line.split_once('=')) {
            values.insert(name.trim().to_ascii_lowercase(), Secret::new(without_comment(value).trim()));
        }
    }
    found
}

/// Whether a section's name is that of a profile.
fn names(section: &str, file: File, profile: &str) -> bool {
    let prefixed = section.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim);
    match file {
        File::Credentials => section == profile,
        File::Config => prefixed == Some(profile) || (profile == "default" && section == "default"),
    }
}

/// A comment behind a value begins with white space.
fn without_comment(value: &str) -> &str {
    let comments = [" #", " ;", "\t#", "\t;"];
    let begin = comments.iter().filter_map(|comment| value.find(comment)).min();
    begin.map_or(value, |begin| &value[..begin])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, file: File, name: &str) -> Option<Vec<String>> {
        let values = profile(text, file, name)?;
        Some(values.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect())
    }

    #[test]
    fn values_are_read_as_awss_tools_write_them() {
        let cases: [(&str, &[&str]); 10] = [
            ("[a]\nkey = value\n", &["key=value"]),
            ("[a]\r\nkey=value\r\n", &["key=value"]),
            ("[ a ] # comment\nKEY\t=\tva=lue\n", &["key=va=lue"]),
            ("# c\n; c\n\n[a]\nkey = v#a;l #comment\n", &["key=v#a;l"]),
            ("[a]\nkey = v\t; comment\nother =\n", &["key=v", "other="]),
            ("[a]\ns3 =\n  key = nested\nkey = own\n", &["key=own", "s3="]),
            ("[a]\nkey = 1\n[b]\nkey = 2\n[a]\nmore = 3\n", &["key=1", "more=3"]),
            ("[a]\nkey = 1\nkey = 2\n", &["key=2"]),
            ("key = outside\n[a]\nno equals sign\n", &[]),
            ("[b\nkey = 1\n[a]\n", &[]),
        ];
        for (text, values) in cases {
            assert_eq!(shown(text, File::Credentials, "a").unwrap(), values, "{text:?}");
        }
    }

    #[test]
    fn sections_are_named_as_their_file_has_it() {
        let cases = [
            ("[default]", File::Credentials, "default", true),
            ("[default]", File::Config, "default", true),
            ("[profile default]", File::Config, "default", true),
            ("[profile a]", File::Config, "a", true),
            ("[profile\ta b ]", File::Config, "a b", true),
            ("[a]", File::Config, "a", false),
            ("[profile a]", File::Credentials, "a", false),
            ("[profilea]", File::Config, "a", false),
            ("[sso-session a]", File::Config, "a", false),
            ("[A]", File::Credentials, "a", false),
            ("", File::Credentials, "a", false),
        ];
        for (text, file, name, is_there) in cases {
            assert_eq!(profile(text, file, name).is_some(), is_there, "{text:?} {file:?} {name}");
        }
    }

    #[test]
    fn no_value_is_printed() {
        let values = profile("[a]\nkey = s3cret\n", File::Credentials, "a");
        assert!(!format!("{values:?}").contains("s3cret"));
    }
}
