//! Holds the workspace to its design: who may depend on whom, that `full` is everything, how much a user pulls in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn packages() -> Vec<Value> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]))
            .unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// For each crate of the family, the crates of the family that it is built on (dev-dependencies left out).
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let own = |name: &str| name == "coachwork" || name.starts_with("coachwork-");
    let on = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
        normal.map(|d| d["name"].as_str().unwrap().to_owned()).filter(|name| own(name)).collect()
    };
    packages().iter().map(|package| (package["name"].as_str().unwrap().to_owned(), on(package))).collect()
}

#[test]
fn data_flows_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = [
        ("coachwork-dbc", &[][..]),
        ("coachwork-vehicle", &[]),
        ("coachwork-entitlement", &["vehicle"]),
        ("coachwork-can", &["dbc", "vehicle"]),
        ("coachwork-simulator", &["vehicle"]),
        ("coachwork-transport", &["vehicle"]),
        ("coachwork-client", &["transport", "vehicle"]),
        ("coachwork-gateway", &["transport", "vehicle"]),
        ("coachwork-tokio", &["vehicle", "can", "transport"]),
        ("coachwork-mqtt", &["transport", "tokio"]),
        ("coachwork-websocket", &["transport", "tokio"]),
        ("coachwork-conformance", &["vehicle", "entitlement", "transport", "client", "gateway"]),
    ]
    .into();
    let edges = edges();
    for (name, on) in &edges {
        if let Some(allowed) = allowed.get(name.as_str()) {
            let allowed: BTreeSet<_> = allowed.iter().map(|short| format!("coachwork-{short}")).collect();
            let surplus: Vec<_> = on.difference(&allowed).collect();
            assert!(surplus.is_empty(), "{name} must not depend on {surplus:?}");
        }
    }
    // Every library of the family has its line above.
    let leaves = ["coachwork", "coachwork-cli", "coachwork-examples", "coachwork-benches"];
    for name in edges.keys().filter(|name| name.starts_with("coachwork")) {
        assert!(allowed.contains_key(name.as_str()) || leaves.contains(&name.as_str()), "{name} has no rule");
    }
}

#[test]
fn conformance_is_a_development_dependency_alone() {
    for (name, on) in edges() {
        assert!(!on.contains("coachwork-conformance"), "{name} is built on the conformance suite");
    }
}

#[test]
fn full_is_every_feature() {
    let packages = packages();
    let facade = packages.iter().find(|package| package["name"] == "coachwork").unwrap();
    let features = facade["features"].as_object().unwrap();
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut open = vec!["full"];
    while let Some(feature) = open.pop() {
        if reached.insert(feature) {
            open.extend(
                features[feature]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|f| f.as_str().unwrap())
                    .filter(|f| !f.contains([':', '/'])),
            );
        }
    }
    let all: BTreeSet<&str> = features.keys().map(String::as_str).collect();
    assert_eq!(reached, all);
}

#[test]
fn the_facade_pulls_in_at_most_80_crates() {
    let tree = cargo(&["tree", "-p", "coachwork", "-e", "normal,build", "--prefix", "none", "--offline"]);
    let names: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split(' ').next()).filter(|n| !n.is_empty()).collect();
    assert!(names.contains("coachwork-vehicle"), "{tree}");
    // Who encrypts nothing builds no cryptography of TLS.
    assert!(!names.contains("rustls") && !names.contains("ring"), "{names:?}");
    assert!(names.len() <= 80, "{} crates: {names:?}", names.len());
}

#[test]
fn published_crates_say_what_they_are() {
    for package in packages() {
        if package["publish"].is_array() || package["name"] == "coachwork-conformance" {
            continue;
        }
        let name = package["name"].as_str().unwrap();
        for field in ["description", "license", "readme", "rust_version"] {
            assert!(package[field].is_string(), "{name} has no {field}");
        }
        assert!(!package["keywords"].as_array().unwrap().is_empty(), "{name} has no keywords");
        assert!(!package["categories"].as_array().unwrap().is_empty(), "{name} has no categories");
        if name != "coachwork-cli" {
            assert_eq!(package["metadata"]["docs"]["rs"]["all-features"], true, "{name} on docs.rs");
        }
    }
}

#[test]
fn the_top_level_holds_nothing_else() {
    let wanted = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "benches",
        "crates",
        "dbc",
        "docs",
        "examples",
        "fuzz",
        "target",
    ];
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || wanted.contains(&name.as_str()), "{name} stands at the top level");
    }
}
