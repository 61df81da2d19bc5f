//! Which crate may import which, and what no crate may bring in.
//!
//! `base, proto <- ring <- placement, runtime <- blocks <- host <- tests, examples`,
//! from right to left only. What a crate needs for its tests alone is not asked.

use odeon_house::tree::Role;

use crate::{TREE, demand};

/// Each crate and the ones to its left that it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("odeon-base", &[]),
    ("odeon-proto", &[]),
    ("odeon-sdk-macros", &[]),
    ("odeon-ring", &["odeon-base"]),
    ("odeon-placement", &["odeon-base", "odeon-proto", "odeon-ring"]),
    ("odeon-runtime", &["odeon-base", "odeon-ring"]),
    (
        "odeon-blocks",
        &["odeon-base", "odeon-proto", "odeon-ring", "odeon-placement", "odeon-runtime"],
    ),
    (
        "odeon-sdk",
        &[
            "odeon-base",
            "odeon-proto",
            "odeon-ring",
            "odeon-runtime",
            "odeon-blocks",
            "odeon-sdk-macros",
        ],
    ),
    (
        "odeon-host",
        &[
            "odeon-base",
            "odeon-proto",
            "odeon-ring",
            "odeon-placement",
            "odeon-runtime",
            "odeon-blocks",
        ],
    ),
    ("odeon-eshop", &["odeon-base", "odeon-sdk"]),
];

/// What a crate knows nothing about.
const ABSENT: &[(&str, &[&str])] = &[
    ("odeon-base", &["tonic", "prost", "hyper", "axum", "http", "tower", "serde_json"]),
    ("odeon-ring", &["tokio", "tokio-util", "tonic", "prost", "hyper", "axum", "http"]),
    ("odeon-runtime", &["tonic", "prost", "prost-types", "hyper", "axum", "http", "tower", "sled"]),
    ("odeon-placement", &["axum", "hyper"]),
    ("odeon-eshop", &["tonic", "prost", "hyper"]),
];

#[test]
fn crates_import_to_the_left_only() {
    let ours = |name: &str| name.starts_with("odeon-");
    let mut broken = Vec::new();
    for package in &TREE.packages {
        if package.role() == Role::Test {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == package.name) else {
            broken.push(format!("{}: stands in no row of MAY_IMPORT", package.name));
            continue;
        };
        for name in package.dependencies.iter().filter(|name| ours(name)) {
            if !allowed.contains(&name.as_str()) {
                broken.push(format!(
                    "{}/Cargo.toml: {} imports {name}",
                    package.folder, package.name
                ));
            }
        }
    }
    let cure = "let both meet in a crate further left, or move the caller to the right; a new \
                crate gets its row in tests/house/tests/house/crates.rs and in the architecture document.";
    demand("A crate imports against the direction of the house.", cure, broken);
}

#[test]
fn the_engine_knows_no_wire_and_the_ring_no_runtime() {
    let mut broken = Vec::new();
    for (name, absent) in ABSENT {
        let Some(package) = TREE.packages.iter().find(|package| package.name == *name) else {
            broken.push(format!("{name}: there is no such crate any more"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| absent.contains(&d.as_str())) {
            broken.push(format!("{}/Cargo.toml: {name} brings in {dependency}", package.folder));
        }
    }
    let cure = "put what is needed behind a trait of this crate and implement it further right.";
    demand("A crate brings in what it should know nothing about.", cure, broken);
}

#[test]
fn every_crate_inherits_the_lints() {
    let inherits = |manifest: &str| {
        let mut lines = manifest.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.any(|line| line == "[lints]") && lines.next() == Some("workspace = true")
    };
    let broken = TREE.packages.iter().filter(|package| !inherits(&package.manifest));
    let cure = "write `[lints]` and `workspace = true` into its Cargo.toml.";
    demand(
        "A crate goes without the lints of the workspace.",
        cure,
        broken.map(|package| format!("{}/Cargo.toml", package.folder)),
    );
}

#[test]
fn one_provider_of_tls() {
    let lock = TREE.text("Cargo.lock").unwrap_or_default();
    let broken = lock.lines().filter(|line| line.starts_with("name = \"aws-lc"));
    let cure = "find who brings it with `cargo tree -i aws-lc-sys` and choose that package's \
                `ring` feature: two providers in one program panic at the first handshake.";
    demand("aws-lc is in Cargo.lock.", cure, broken.map(|line| format!("Cargo.lock: {line}")));
}
