//! What the checks look at: the files of the repository and the crates of the workspace.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// The sources as the checks see them.
#[derive(Debug, Default)]
pub struct House {
    /// Text of each file by its path from the top, with `/` between folders. Files that are no UTF-8 are empty here.
    pub files: BTreeMap<String, String>,
    /// The crates of the workspace.
    pub packages: Vec<Package>,
}

/// A crate of the workspace, as `cargo metadata` tells of it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Package {
    pub name: String,
    pub manifest_path: PathBuf,
    pub description: Option<String>,
    pub license: Option<String>,
    pub homepage: Option<String>,
    pub repository: Option<String>,
    pub readme: Option<String>,
    pub rust_version: Option<String>,
    #[serde(default)]
    pub keywords: Vec<String>,
    #[serde(default)]
    pub categories: Vec<String>,
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
}

/// What a crate uses.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` for a normal one, else `dev` or `build`.
    pub kind: Option<String>,
    /// The folder of a crate of this workspace.
    pub path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

impl House {
    /// Reads the checkout that holds the current folder.
    pub fn open() -> Result<Self, Box<dyn Error>> {
        let json = output("cargo", &["metadata", "--no-deps", "--format-version", "1", "--locked"], Path::new("."))?;
        let metadata: Metadata = serde_json::from_slice(&json)?;
        let root = metadata.workspace_root;
        let mut packages = metadata.packages;
        for package in &mut packages {
            package.manifest_path = package.manifest_path.strip_prefix(&root)?.to_owned();
        }
        Ok(Self { files: read_files(&root)?, packages })
    }

    /// Whether a file or folder is at a path from the top.
    pub fn exists(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty() || self.files.contains_key(path) || self.has_prefix(&folder)
    }

    /// Whether any file's path begins so.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.files.range(prefix.to_owned()..).next().is_some_and(|(path, _)| path.starts_with(prefix))
    }

    /// The files whose names end in one of `endings`.
    pub fn ending<'a>(&'a self, endings: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let wanted = |path: &str| endings.iter().any(|ending| path.ends_with(ending));
        self.files.iter().filter(move |(path, _)| wanted(path)).map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

/// The top of the checkout that holds the current folder.
pub fn root() -> Result<PathBuf, Box<dyn Error>> {
    let manifest = output("cargo", &["locate-project", "--workspace", "--message-format", "plain"], Path::new("."))?;
    let manifest = PathBuf::from(String::from_utf8(manifest)?.trim());
    Ok(manifest.parent().ok_or("the workspace has no folder")?.to_owned())
}

/// What git tracks, and what it would track if it were added.
fn read_files(root: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let listed = output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"], root)?;
    let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    let mut files = BTreeMap::new();
    for path in paths {
        let path = String::from_utf8(path.to_vec())?;
        // A file that was deleted and not yet committed is listed and not there.
        if let Ok(bytes) = std::fs::read(root.join(&path)) {
            files.insert(path, String::from_utf8(bytes).unwrap_or_default());
        }
    }
    Ok(files)
}

fn output(program: &str, arguments: &[&str], folder: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let done = Command::new(program).args(arguments).current_dir(folder).output()?;
    if !done.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&done.stderr).trim()).into());
    }
    Ok(done.stdout)
}

#[cfg(test)]
impl House {
    /// A house of these files, without crates.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let owned = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self { files: owned.collect(), packages: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_exist() {
        let house = House::of(&[("docs/a/page.md", ""), ("docs-old", "")]);
        for (path, there) in
            [("docs", true), ("docs/a", true), ("docs/a/page.md", true), ("docs/b", false), ("doc", false)]
        {
            assert_eq!(house.exists(path), there, "{path}");
        }
    }

    #[test]
    fn this_checkout_can_be_read() {
        let house = House::open().unwrap();
        assert!(house.files["xtask/Cargo.toml"].contains("xtask"));
        let own = house.packages.iter().find(|package| package.name == "xtask").unwrap();
        assert_eq!(own.manifest_path, Path::new("xtask/Cargo.toml"));
    }
}
