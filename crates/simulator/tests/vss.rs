//! The catalogue's facts are those of VSS 6.0, as an export of vss-tools states them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod drive;

use std::path::PathBuf;

use coachwork_simulator::Scenario;
use coachwork_vehicle::{Permission, Unit, Value, Vehicle};
use drive::Drive;

#[test]
fn every_signal_is_as_vss_6_0_has_it() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpus = std::env::var_os("COACHWORK_CORPUS")
        .map_or_else(|| root.join("../shared/corpus"), |path| root.join(path));
    let file = corpus.join("../spec/vss_6.0.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        assert!(std::env::var_os("COACHWORK_REQUIRE_CORPUS").is_none_or(|v| v != "1"), "{file:?} is missing");
        println!("skipped: {} is not here", file.display());
        return;
    };
    let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
    let catalogue = Drive::new(&Scenario::default()).car.catalogue();
    for (id, entry) in catalogue.iter() {
        let path = entry.path().as_str();
        let (root, rest) = path.split_once('.').unwrap();
        let leaf = rest.split('.').fold(&tree[root], |node, name| &node["children"][name]);
        assert_eq!(leaf["type"], entry.kind().name(), "{path}");
        assert_eq!(leaf["datatype"], entry.data_type().to_string(), "{path}");
        assert_eq!(leaf["unit"].as_str(), entry.unit().map(Unit::key), "{path}");
        // The car's own range may be the narrower one, where it can be asked to move.
        let (min, max) = (entry.min().and_then(Value::as_f64), entry.max().and_then(Value::as_f64));
        let within = leaf["min"].as_f64().is_none_or(|least| min.is_some_and(|min| min >= least))
            && leaf["max"].as_f64().is_none_or(|most| max.is_some_and(|max| max <= most));
        assert!(within, "{path}: {min:?} to {max:?}");
        let moves = catalogue.access(id).unwrap().write == Permission::Yes;
        assert!(moves || (leaf["min"].as_f64(), leaf["max"].as_f64()) == (min, max), "{path}");
        let allowed: Vec<_> = leaf["allowed"].as_array().into_iter().flatten().collect();
        let ours: Vec<_> = entry.allowed().iter().map(ToString::to_string).collect();
        assert_eq!(
            allowed.iter().map(|v| v.as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            ours,
            "{path}"
        );
    }
}
