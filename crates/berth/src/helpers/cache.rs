//! Tokens that docker's helper keeps: one build asks for the same one many times.
//!
//! A file for each registry and source of credentials, below `berth` in `XDG_CACHE_HOME` or `~/.cache`, that its owner alone
//! may read. It counts until nine tenths of its token's life are over. Whatever goes wrong with it, the registry is asked.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use berth_profile::Environment;
use berth_store::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::hosts::Host;
use crate::opened::variable;
use crate::remote::credentials::{Found, Source};

/// Switches the cache off.
const SWITCH: &str = "BERTH_CREDENTIAL_CACHE";
const MOST_BYTES: u64 = 64 * 1024;
/// The bits of a mode that say what a file's group and everybody else may do.
const OTHERS_BITS: u32 = 6;

/// The file of one registry and source.
pub struct Cache {
    path: PathBuf,
}

impl Cache {
    /// Where the token of a host is kept. None where it is switched off, or where a source does not tell who it is.
    pub fn of(host: &Host, found: &Found) -> Option<Self> {
        let folder = folder(&variable)?;
        if matches!(found.source, Source::Process(_)) {
            return None;
        }
        let identity = format!("{:?} {}", found.url, found.source.told());
        Some(Self { path: folder.join(format!("{}-{}", hashed(host.name()), hashed(&identity))) })
    }

    /// The token, where it is there and still good.
    pub fn read(&self) -> Option<Zeroizing<String>> {
        self.read_at(SystemClock.now())
    }

    fn read_at(&self, now: Timestamp) -> Option<Zeroizing<String>> {
        let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).ok()?;
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(&self.path).ok()?;
        let about = file.metadata().ok()?;
        let is_private =
            about.uid() == rustix::process::geteuid().as_raw() && about.mode().trailing_zeros() >= OTHERS_BITS;
        if !is_private || !about.is_file() {
            return None;
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        let kept: Value = serde_json::from_str(&text).ok()?;
        let is_good = kept["until"].as_i64().is_some_and(|until| now.as_millis() < until);
        kept["password"].as_str().filter(|password| is_good && !password.is_empty()).map(|text| text.to_owned().into())
    }

    /// Keeps a token until a time.
    pub fn write(&self, password: &str, until: Timestamp) {
        let text = Zeroizing::new(json!({ "password": password, "until": until.as_millis() }).to_string());
        let _ = self.path.parent().map(|folder| fs::DirBuilder::new().recursive(true).mode(0o700).create(folder));
        let part = self.path.with_extension(format!("{}.new", std::process::id()));
        let _ = fs::remove_file(&part);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        if written.and_then(|()| fs::rename(&part, &self.path)).is_err() {
            let _ = fs::remove_file(&part);
        }
    }

    /// Forgets everything of a host.
    pub fn erase(host: &Host) {
        if let Some(folder) = folder(&variable) {
            erase_in(&folder, host);
        }
    }
}

fn erase_in(folder: &Path, host: &Host) {
    let begin = format!("{}-", hashed(host.name()));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&begin) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn folder(environment: Environment<'_>) -> Option<PathBuf> {
    if environment(SWITCH).is_some_and(|value| value == "off") {
        return None;
    }
    let home = || environment("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = environment("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home)?;
    Some(cache.join("berth/logins"))
}

/// A file's name of what may hold any characters: 32 digits.
fn hashed(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(16).fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("berth/logins").join(format!("{}-x", hashed("a.example")));
        (folder, Cache { path })
    }

    #[test]
    fn a_token_counts_until_its_time() {
        let (_folder, cache) = cache();
        let at = Timestamp::from_millis;
        assert!(cache.read_at(at(0)).is_none());
        cache.write("hush", at(1000));
        let read = |now| cache.read_at(at(now)).map(|password| password.to_string());
        assert_eq!((read(999).as_deref(), read(1000)), (Some("hush"), None));
        assert_eq!(fs::metadata(&cache.path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(cache.path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_others_could_have_written_or_read_does_not_count() {
        let (folder, cache) = cache();
        cache.write("hush", Timestamp::from_millis(1000));
        let mode = |mode| fs::set_permissions(&cache.path, fs::Permissions::from_mode(mode)).unwrap();
        let is_there = || cache.read_at(Timestamp::from_millis(0)).is_some();
        mode(0o640);
        assert!(!is_there());
        mode(0o600);
        assert!(is_there());
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&cache.path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &cache.path).unwrap();
        assert!(!is_there());
        fs::remove_file(&cache.path).unwrap();
        for text in ["", "{", "{}", r#"{"password":"","until":9}"#, r#"{"password":"x"}"#] {
            fs::write(&cache.path, text).unwrap();
            mode(0o600);
            assert!(!is_there(), "{text}");
        }
    }

    #[test]
    fn a_host_is_forgotten_alone() {
        let (_folder, cache) = cache();
        cache.write("hush", Timestamp::from_millis(1000));
        let folder = cache.path.parent().unwrap();
        erase_in(folder, &Host::of_server("b.example").unwrap());
        assert!(cache.path.exists());
        erase_in(folder, &Host::of_server("https://A.example/v2/").unwrap());
        assert!(!cache.path.exists());
    }

    #[test]
    fn the_folder_follows_the_environment() {
        for (variables, expected) in [
            (&[("HOME", "/h")][..], Some("/h/.cache/berth/logins")),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")], Some("/c/berth/logins")),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "relative")], Some("/h/.cache/berth/logins")),
            (&[("HOME", "/h"), (SWITCH, "off")], None),
            (&[], None),
        ] {
            let find =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(folder(&find), expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
