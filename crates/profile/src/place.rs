//! Which profile of which files.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::ini::{self, File, Values};

/// Looks up a variable of the environment that is set and not empty.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A profile and the files that it may be in.
#[derive(Debug, Clone)]
pub struct Place {
    name: String,
    // Somebody asked for it, so it has to be there.
    is_named: bool,
    files: Vec<(File, PathBuf)>,
}

/// Changes with the files: when each was modified, and its size.
pub type Stamp = Vec<Option<(SystemTime, u64)>>;

impl Place {
    /// The profile that is asked for, else the one that `AWS_PROFILE` or `AWS_DEFAULT_PROFILE` names, else `default`; in the
    /// files of `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`, else those of `~/.aws`.
    /// Source: "Configuration and credential file settings in the AWS CLI".
    pub fn named(name: Option<&str>, environment: Environment<'_>) -> Self {
        let usual = || environment("AWS_PROFILE").or_else(|| environment("AWS_DEFAULT_PROFILE"));
        let name = name.map(str::to_owned).or_else(usual);
        let config = Self::file(environment, "AWS_CONFIG_FILE", "config").map(|path| (File::Config, path));
        let credentials = Self::credentials_file(environment).map(|path| (File::Credentials, path));
        let is_named = name.is_some();
        let files = [config, credentials].into_iter().flatten().collect();
        Self { name: name.unwrap_or_else(|| "default".to_owned()), is_named, files }
    }

    /// The file with credentials; none where neither it nor a home folder is named.
    pub fn credentials_file(environment: Environment<'_>) -> Option<PathBuf> {
        Self::file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
    }

    fn file(environment: Environment<'_>, variable: &str, usual: &str) -> Option<PathBuf> {
        let home = || environment("HOME").map(|home| PathBuf::from(home).join(".aws"));
        environment(variable).map(PathBuf::from).or_else(|| Some(home()?.join(usual)))
    }

    /// Another profile of the same files, which has to be there.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { name: name.to_owned(), is_named: true, files: self.files.clone() }
    }

    /// The profile's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values that both files give for the profile; none where it is not there and nobody asked for it by name. Errors are
    /// texts for people: a file that cannot be read, a profile that is missing.
    pub fn values(&self) -> Result<Values, String> {
        let mut values: Option<Values> = None;
        // The later one, with the credentials, has the last word.
        for (kind, path) in &self.files {
            let text = match std::fs::read_to_string(path) {
                Ok(text) => zeroize::Zeroizing::new(text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
            };
            if let Some(more) = ini::profile(&text, *kind, &self.name) {
                values.get_or_insert_default().extend(more);
            }
        }
        match values {
            Some(values) => Ok(values),
            None if self.is_named => Err(format!("there is no profile {} in {}", self.name, self.shown())),
            None => Ok(Values::default()),
        }
    }

    /// The files, for a message.
    pub fn shown(&self) -> String {
        let paths: Vec<_> = self.files.iter().map(|(_, path)| path.display().to_string()).collect();
        if paths.is_empty() { "any file, as HOME is not set".to_owned() } else { paths.join(" or ") }
    }

    /// What changes with the files.
    pub fn stamp(&self) -> Stamp {
        let stamp =
            |path: &PathBuf| std::fs::metadata(path).and_then(|about| Ok((about.modified()?, about.len()))).ok();
        self.files.iter().map(|(_, path)| stamp(path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_chosen_by_name_then_by_variable() {
        let home = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let config = "[default]\nkey=D\n[profile a]\nkey=A\n[profile b]\nkey=B\n";
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        let path = home.path().display().to_string();
        let place = |name, profile: Option<&'static str>| {
            let path = path.clone();
            Place::named(name, &move |variable: &str| match variable {
                "HOME" => Some(path.clone()),
                "AWS_PROFILE" => profile.map(str::to_owned),
                _ => None,
            })
        };
        for (name, variable, key) in [(None, None, "D"), (None, Some("b"), "B"), (Some("a"), Some("b"), "A")] {
            let values = place(name, variable).values().unwrap();
            assert_eq!(values.get("key").unwrap().reveal(), key);
        }
        assert_eq!(place(Some("a"), None).beside("b").values().unwrap().get("key").unwrap().reveal(), "B");
        assert!(place(Some("c"), None).values().unwrap_err().contains("no profile c"));
        assert!(place(None, None).beside("c").values().unwrap_err().contains("no profile c"));
    }
}
