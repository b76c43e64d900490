//! Writing a profile into `~/.aws/credentials`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a profile was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A name or value that would be read as something else: no line break, no comment, no bracket in a name.
    #[error("{0} cannot stand in a credentials file")]
    Malformed(&'static str),
    /// The file or its folder.
    #[error("{} cannot be written: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// Writes the section of one profile into a file of the form of `~/.aws/credentials`; everything else in it stays as it is.
/// Of the profile's own values, those named in `values` are replaced (or removed, where there is none) and others stay. The
/// file has its name when it is whole, and is its owner's alone. A symbolic link stays one.
pub fn write_profile(path: &Path, profile: &str, values: &[(&'static str, Option<&str>)]) -> Result<(), WriteError> {
    check(profile, values)?;
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let failed = |error| WriteError::File { path: path.clone(), error };
    let old = match fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Zeroizing::default(),
        Err(error) => return Err(failed(error)),
    };
    let new = with_profile(&old, profile, values);
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    replace(&path, new.as_bytes()).map_err(failed)
}

fn check(profile: &str, values: &[(&'static str, Option<&str>)]) -> Result<(), WriteError> {
    let is_bad = |text: &str| text.is_empty() || text.trim() != text || text.contains(char::is_control);
    if is_bad(profile) || profile.contains(['[', ']']) {
        return Err(WriteError::Malformed("the profile's name"));
    }
    let comments = [" #", " ;"];
    let bad = values.iter().find(|(_, value)| {
        value.is_some_and(|value| is_bad(value) || comments.iter().any(|comment| value.contains(comment)))
    });
    bad.map_or(Ok(()), |(name, _)| Err(WriteError::Malformed(name)))
}

fn with_profile(old: &str, profile: &str, values: &[(&'static str, Option<&str>)]) -> Zeroizing<String> {
    let header = format!("[{profile}]\n");
    let lines = values.iter().filter_map(|(name, value)| Some(format!("{name} = {}\n", (*value)?)));
    let section = std::iter::once(header).chain(lines).collect::<String>();
    let (mut new, mut is_written, mut is_inside) =
        (Zeroizing::new(String::with_capacity(old.len() + 2048)), false, false);
    for line in old.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix('[') {
            is_inside = rest.split_once(']').is_some_and(|(name, _)| name.trim() == profile);
            if is_inside && !is_written {
                new.push_str(&section);
                is_written = true;
            }
            if is_inside {
                continue;
            }
        }
        if !is_inside || !sets_one_of(line, values) {
            new.push_str(line);
        }
    }
    if !is_written {
        let gap = if new.is_empty() {
            ""
        } else if new.ends_with('\n') {
            "\n"
        } else {
            "\n\n"
        };
        new.push_str(gap);
        new.push_str(&section);
    }
    new
}

fn sets_one_of(line: &str, values: &[(&'static str, Option<&str>)]) -> bool {
    let name = line.split_once('=').map_or("", |(name, _)| name.trim_end());
    values.iter().any(|(ours, _)| ours.eq_ignore_ascii_case(name))
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let part = PathBuf::from(name);
    let _ = fs::remove_file(&part);
    let written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&part, path));
    if done.is_err() {
        let _ = fs::remove_file(&part);
    }
    done
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const VALUES: [(&str, Option<&str>); 3] =
        [("aws_access_key_id", Some("NEW")), ("aws_secret_access_key", Some("s=e+c/")), ("aws_session_token", None)];

    #[test]
    fn only_the_profiles_own_values_change() {
        let section = "[a]\naws_access_key_id = NEW\naws_secret_access_key = s=e+c/\n";
        for (old, expected) in [
            ("", section.to_owned()),
            ("# mine\n[b]\nx = 1", format!("# mine\n[b]\nx = 1\n\n{section}")),
            ("[b]\nx = 1\n", format!("[b]\nx = 1\n\n{section}")),
            (
                "[a]\nAWS_SESSION_TOKEN=old\nregion = r\n# note\naws_access_key_id = OLD\n\n[b]\naws_access_key_id = B\n",
                format!("{section}region = r\n# note\n\n[b]\naws_access_key_id = B\n"),
            ),
            ("[ a ] # note\naws_session_token = t\n", section.to_owned()),
        ] {
            assert_eq!(*with_profile(old, "a", &VALUES), expected, "{old:?}");
        }
    }

    #[test]
    fn the_file_is_its_owners_alone_and_a_link_stays() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("new/.aws/credentials");
        write_profile(&path, "a", &VALUES).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_profile(&link, "b", &VALUES).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(
            fs::read_to_string(&path).unwrap().contains("[a]") && fs::read_to_string(&path).unwrap().contains("[b]")
        );
    }

    #[test]
    fn what_would_be_read_as_something_else_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("credentials");
        for (name, value) in
            [("", "v"), ("a]", "v"), ("a\nb", "v"), (" a", "v"), ("a", "v\n[b]"), ("a", "v #"), ("a", "")]
        {
            assert!(write_profile(&path, name, &[("x", Some(value))]).is_err(), "{name:?} {value:?}");
        }
        assert!(!path.exists());
    }
}
