//! Who may use whom: the table of floors in `ARCHITECTURE.md`.

use super::Finding;
use crate::house::{Dependency, House, Package};

/// Each crate, and the crates of the workspace that it may use. A crate that is not here is a finding.
const FLOORS: &[(&str, &[&str])] = &[
    ("berth-oci", &[]),
    ("berth-aws", &[]),
    ("berth-store", &["berth-oci", "berth-aws"]),
    ("berth-store-sql", &["berth-store"]),
    ("berth-store-blob", &["berth-store", "berth-oci", "berth-platform", "berth-profile"]),
    ("berth-profile", &[]),
    ("berth-platform", &[]),
    ("berth-transfer", &["berth-oci", "berth-aws"]),
    ("berth-federation", &[]),
    ("berth-domain", &["berth-oci", "berth-aws", "berth-store", "berth-transfer", "berth-federation"]),
    // Of the store the doors use records and open blobs, which operations of the domain give them.
    ("berth-http", &["berth-domain", "berth-oci", "berth-aws", "berth-store"]),
    ("berth-worker", &["berth-domain", "berth-store", "berth-platform"]),
    (
        "berth",
        &[
            "berth-oci",
            "berth-aws",
            "berth-store",
            "berth-store-sql",
            "berth-store-blob",
            "berth-transfer",
            "berth-federation",
            "berth-domain",
            "berth-http",
            "berth-worker",
            "berth-platform",
            "berth-profile",
        ],
    ),
    ("berth-testkit", &[]),
    ("xtask", &[]),
];

pub fn check(house: &House) -> Vec<Finding> {
    house.packages.iter().flat_map(of_crate).collect()
}

fn of_crate(package: &Package) -> Vec<Finding> {
    let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == package.name) else {
        return vec![Finding::new(
            &package.name,
            "has no floor; add it to xtask/src/check/floors.rs and ARCHITECTURE.md",
        )];
    };
    let used = package.dependencies.iter().filter(|dependency| is_bound(dependency));
    used.filter(|dependency| !allowed.contains(&dependency.name.as_str()))
        .map(|dependency| Finding::new(&package.name, format!("may not use {}", dependency.name)))
        .collect()
}

/// Tests may look at anything in the workspace; what is shipped may not.
fn is_bound(dependency: &Dependency) -> bool {
    dependency.path.is_some() && dependency.kind.as_deref() != Some("dev")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &str, kind: Option<&str>, local: bool) -> Package {
        let dependency = Dependency {
            name: uses.to_owned(),
            kind: kind.map(str::to_owned),
            path: local.then(|| "crates/any".into()),
        };
        Package { name: name.to_owned(), dependencies: vec![dependency], ..Package::default() }
    }

    #[test]
    fn directions() {
        let cases = [
            ("berth-domain", "berth-store", None, true, 0),
            ("berth-domain", "berth-store-sql", None, true, 1),
            ("berth-domain", "berth-store-sql", Some("build"), true, 1),
            ("berth-domain", "berth-store-sql", Some("dev"), true, 0),
            ("berth-oci", "berth-aws", None, true, 1),
            ("berth-oci", "serde", None, false, 0),
            ("berth", "berth-testkit", None, true, 1),
            ("berth", "berth-testkit", Some("dev"), true, 0),
            ("berth-unheard-of", "serde", None, false, 1),
        ];
        for (name, uses, kind, local, findings) in cases {
            let house = House { packages: vec![package(name, uses, kind, local)], ..House::default() };
            assert_eq!(check(&house).len(), findings, "{name} uses {uses} as {kind:?}");
        }
    }
}
