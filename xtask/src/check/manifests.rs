//! Each crate says what it is, keeps the lints of the workspace, and takes versions from one place.

use super::Finding;
use crate::house::{House, Package};

const LICENSE: &str = "Apache-2.0";

pub fn check(house: &House) -> Vec<Finding> {
    house.packages.iter().flat_map(|package| of_crate(house, package)).collect()
}

fn of_crate(house: &House, package: &Package) -> Vec<Finding> {
    let path = package.manifest_path.to_string_lossy().replace('\\', "/");
    let manifest = house.files.get(&path).map_or("", String::as_str);
    let mut messages = metadata(package);
    if !section(manifest, "lints").any(|line| line == "workspace = true") {
        messages.push("does not keep the lints: [lints] workspace = true".to_owned());
    }
    messages.extend(own_versions(manifest));
    messages.into_iter().map(|message| Finding::new(&path, message)).collect()
}

fn metadata(package: &Package) -> Vec<String> {
    let texts = [
        ("description", &package.description),
        ("license", &package.license),
        ("homepage", &package.homepage),
        ("repository", &package.repository),
        ("readme", &package.readme),
        ("rust-version", &package.rust_version),
    ];
    let empty = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    let mut missing: Vec<&str> = texts.iter().filter(|(_, text)| empty(text)).map(|(name, _)| *name).collect();
    missing.extend(package.keywords.is_empty().then_some("keywords"));
    missing.extend(package.categories.is_empty().then_some("categories"));
    let mut messages: Vec<String> = missing.iter().map(|name| format!("has no {name}")).collect();
    if package.license.as_deref().is_some_and(|license| license != LICENSE) {
        messages.push(format!("is not under {LICENSE}"));
    }
    messages
}

/// Dependencies whose version is not the workspace's.
fn own_versions(manifest: &str) -> Vec<String> {
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let lines = sections.iter().flat_map(|name| section(manifest, name));
    lines
        .filter(|line| line.contains('=') && !line.contains("workspace = true"))
        .map(|line| format!("takes a version of its own: {line}"))
        .collect()
}

/// The lines of one section of a manifest, without comments and blank lines.
fn section<'a>(manifest: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let head = format!("[{name}]");
    let body = manifest.lines().map(str::trim).skip_while(move |line| *line != head).skip(1);
    body.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[lints]\nworkspace = true\n\n[dependencies]\n# why\nserde.workspace = true\nring = { workspace = true, features = [] }\n";

    fn full() -> Package {
        let some = || Some("Apache-2.0".to_owned());
        Package {
            name: "berth-x".to_owned(),
            manifest_path: "crates/x/Cargo.toml".into(),
            description: some(),
            license: some(),
            homepage: some(),
            repository: some(),
            readme: some(),
            rust_version: some(),
            keywords: vec!["a".to_owned()],
            categories: vec!["a".to_owned()],
            dependencies: Vec::new(),
        }
    }

    fn found(package: Package, manifest: &str) -> usize {
        let house = House { packages: vec![package], ..House::of(&[("crates/x/Cargo.toml", manifest)]) };
        check(&house).len()
    }

    #[test]
    fn a_full_manifest_passes() {
        assert_eq!(found(full(), GOOD), 0);
    }

    #[test]
    fn what_is_missing_is_found() {
        assert_eq!(found(Package { description: Some(" ".to_owned()), ..full() }, GOOD), 1);
        assert_eq!(found(Package { repository: None, keywords: Vec::new(), ..full() }, GOOD), 2);
        assert_eq!(found(Package { license: Some("MIT".to_owned()), ..full() }, GOOD), 1);
    }

    #[test]
    fn lints_and_versions_are_shared() {
        let cases = [
            ("[dependencies]\n", 1),
            ("[lints]\nworkspace = false\n", 1),
            ("[lints]\nworkspace = true\n[dev-dependencies]\ntempfile = \"3\"\n", 1),
            ("[lints]\nworkspace = true\n[features]\nslow = []\n", 0),
        ];
        for (manifest, findings) in cases {
            assert_eq!(found(full(), manifest), findings, "{manifest}");
        }
    }
}
