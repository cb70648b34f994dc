//! Which crate may see which: the direction of imports that ARCHITECTURE.md draws.

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};

/// Each crate of the workspace with those it may use. Tests may use any.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("kiln-rules", &[]),
    ("kiln-macros", &["kiln-rules"]),
    ("kiln", &["kiln-macros", "kiln-rules"]),
    ("kiln-engine", &["kiln"]),
    ("kiln-ssh", &[]),
    ("kiln-sandbox", &["kiln-engine", "kiln"]),
    ("kiln-ec2", &["kiln-ssh", "kiln-engine", "kiln"]),
    ("kiln-state", &["kiln-engine"]),
    ("kiln-cli", &["kiln-sandbox", "kiln-engine", "kiln", "kiln-rules"]),
    ("kiln-host-ec2", &["kiln-ec2", "kiln-state", "kiln-cli", "kiln-engine", "kiln"]),
    ("recipes", &["kiln"]),
    ("kiln-tests", &[]),
    ("kiln-load", &[]),
    ("xtask", &["kiln-load"]),
];

/// The crates that may reach the SDK of EC2, which takes minutes to compile.
const REACH_EC2: [&str; 2] = ["kiln-ec2", "kiln-host-ec2"];

#[test]
fn no_crate_uses_one_that_it_must_not_know() {
    let metadata = metadata();
    let members: BTreeSet<&str> = names(&metadata.workspace_packages());
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let may_use = allowed.get(name).unwrap_or_else(|| {
            panic!("`{name}` is new: say in this test which crates it may use");
        });
        let uses = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != cargo_metadata::DependencyKind::Development)
            .map(|dependency| dependency.name.as_str())
            .filter(|dependency| members.contains(dependency));
        for used in uses {
            assert!(may_use.contains(&used), "`{name}` must not know `{used}`");
        }
    }
}

#[test]
fn every_rule_is_about_a_crate_that_is_there() {
    let metadata = metadata();
    let members = names(&metadata.workspace_packages());
    let ruled: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(members, ruled);
}

#[test]
fn only_the_driver_of_ec2_and_its_host_reach_its_sdk() {
    let metadata = metadata();
    let reach: Vec<&str> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| reaches(&metadata, &package.id, "aws-sdk-"))
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(reach, REACH_EC2);
}

#[test]
fn only_the_host_of_ec2_compiles_the_state_of_deployments() {
    let metadata = metadata();
    let packages = metadata.workspace_packages().into_iter();
    let reach: Vec<&str> = packages
        .filter(|package| reaches(&metadata, &package.id, "object_store"))
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(reach, ["kiln-host-ec2", "kiln-state"]);
}

#[test]
fn recipes_compile_without_the_crates_that_bake() {
    let metadata = metadata();
    let recipes = package(&metadata, "recipes");
    for heavy in ["kiln-engine", "tokio", "clap", "petgraph"] {
        assert!(!reaches(&metadata, &recipes.id, heavy), "`recipes` must not reach `{heavy}`");
    }
    // The walk does find what is there.
    assert!(reaches(&metadata, &recipes.id, "syn"));
}

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).features(CargoOpt::AllFeatures);
    // For this platform alone: a new machine has downloaded no other's packages.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    command.other_options(["--locked".to_owned(), "--filter-platform".to_owned(), platform]);
    command.exec().expect("cargo metadata")
}

fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    let mut packages = metadata.packages.iter();
    packages.find(|package| package.name.as_str() == name).expect("a package of that name")
}

fn names<'a>(packages: &[&'a Package]) -> BTreeSet<&'a str> {
    packages.iter().map(|package| package.name.as_str()).collect()
}

/// Whether a package depends, however far, on one whose name starts like this. What only tests use does
/// not count.
fn reaches(metadata: &Metadata, from: &PackageId, prefix: &str) -> bool {
    let nodes = &metadata.resolve.as_ref().expect("a resolved graph").nodes;
    let edges: BTreeMap<&PackageId, Vec<&PackageId>> = nodes
        .iter()
        .map(|node| {
            let is_built = |kind: &cargo_metadata::DepKindInfo| {
                kind.kind != cargo_metadata::DependencyKind::Development
            };
            let used = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(is_built));
            (&node.id, used.map(|dep| &dep.pkg).collect())
        })
        .collect();
    let mut seen = BTreeSet::from([from]);
    let mut left = vec![from];
    while let Some(id) = left.pop() {
        for next in edges.get(id).into_iter().flatten() {
            if metadata[*next].name.as_str().starts_with(prefix) {
                return true;
            }
            if seen.insert(next) {
                left.push(next);
            }
        }
    }
    false
}
