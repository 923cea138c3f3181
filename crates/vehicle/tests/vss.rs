//! What is built in of VSS 6.0 against the export that VSS publishes.
#![cfg(feature = "vspec")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

use std::path::PathBuf;

use coachwork_vehicle::{Catalogue, Entry, Facts, Vspec, vss};

/// The export, from beside the corpus.
fn export() -> Option<Vec<u8>> {
    let corpus = std::env::var_os("COACHWORK_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let export = std::fs::read(corpus.join("../spec/vss_6.0.json"));
    match export {
        Ok(export) => Some(export),
        Err(why) if std::env::var_os("COACHWORK_REQUIRE_CORPUS").is_some() => {
            panic!("no export of VSS: {why}")
        }
        Err(why) => {
            eprintln!("left out, no export of VSS: {why}");
            None
        }
    }
}

#[test]
fn every_leaf_of_the_export_is_built_in_with_the_same_facts() {
    let Some(export) = export() else { return };
    let published = Vspec::from_json(&export).unwrap();
    let built_in = Catalogue::new(vss::entries(), Facts::default()).unwrap();
    let built_in: Vec<&Entry> = built_in.iter().map(|(_, entry)| entry).collect();
    assert_eq!(published.entries().len(), 1267);
    assert_eq!(built_in.len(), 1267);
    for (published, built_in) in published.entries().iter().zip(built_in) {
        assert_eq!(published, built_in);
    }
}
