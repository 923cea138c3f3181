//! `coachwork tree` as a person runs it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::process::{Command, Output};

fn tree(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coachwork")).arg("tree").args(arguments).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = tree(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_first_page_counts_what_it_does_not_open() {
    let page = printed(&[]);
    assert!(page.starts_with("Vehicle  (1267)\n  ADAS  (72)\n"), "{page}");
    assert!(page.contains("\n  Speed  sensor float km/h\n"), "{page}");
    let counted: usize = page
        .lines()
        .skip(1)
        .map(|line| {
            line.split_once("  (").map_or(1, |(_, count)| count.trim_end_matches(')').parse().unwrap_or(1))
        })
        .sum();
    assert_eq!(counted, 1267);
}

#[test]
fn a_branch_is_opened_whole_and_a_leaf_says_what_it_is() {
    let page = printed(&["Vehicle.Body.Mirrors"]);
    assert!(page.starts_with("Vehicle.Body.Mirrors  ("), "{page}");
    assert!(page.contains("\n    IsHeatingOn  actuator boolean\n"), "{page}");
    assert_eq!(printed(&["Vehicle.Speed"]), "Vehicle.Speed  sensor float km/h\n");
}

#[test]
fn parts_and_patterns_find_leaves() {
    let found = printed(&["mirrors.driverside.isheat"]);
    assert_eq!(found, "Vehicle.Body.Mirrors.DriverSide.IsHeatingOn  actuator boolean\n");
    let doors = printed(&["Vehicle.Cabin.Door.*.*.IsOpen", "--format", "jsonl"]);
    assert_eq!(doors.lines().count(), 4);
    assert!(doors.starts_with(
        r#"{"datatype":"boolean","path":"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen","type":"actuator"}"#
    ));
    let nothing = tree(&["Vehicle.Nope"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("Vehicle.Nope"));
}

#[test]
fn trees_of_ones_own_are_read_merged_and_hashed() {
    let folder = std::env::temp_dir().join(format!("coachwork-tree-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, leaf: &str| {
        let path = folder.join(name);
        let json = format!(r#"{{"Vehicle": {{"type": "branch", "children": {{{leaf}}}}}}}"#);
        std::fs::write(&path, json).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let ours = file("ours.json", r#""Speed": {"type": "sensor", "datatype": "float", "unit": "km/h"}"#);
    let over = file("over.json", r#""Speed": {"type": "sensor", "datatype": "float", "max": 250}"#);
    let wrong = file("wrong.json", r#""Speed": {"type": "sensor", "datatype": "flout"}"#);
    assert_eq!(printed(&["--vspec", &ours]), "Vehicle  (1)\n  Speed  sensor float km/h\n");
    assert_eq!(
        printed(&["--vspec", &ours, "--vspec", &over, "speed"]),
        "Vehicle.Speed  sensor float km/h, up to 250\n"
    );
    assert_ne!(
        printed(&["--vspec", &ours, "--hash"]),
        printed(&["--vspec", &ours, "--vspec", &over, "--hash"])
    );
    let refused = tree(&["--vspec", &wrong]);
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(told, format!("coachwork: {wrong}: Vehicle.Speed: datatype: \"flout\" is not a data type\n"));
    std::fs::remove_dir_all(folder).unwrap();
}
