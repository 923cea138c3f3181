//! The mappings of the KUKSA CAN provider load unchanged, or are refused for the reason their names say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod common;

use coachwork_can::{Mapping, MappingFault, Transform};

#[test]
fn the_mappings_of_the_corpus_load_unchanged() {
    let Some(corpus) = common::corpus() else { return };
    for (file, entries, commands) in [("vss_4.0__vss_dbc.json", 32, 3), ("vss_4.2__vss_dbc.json", 35, 3)] {
        let mapping = Mapping::load(corpus.join("kuksa-mapping").join(file)).unwrap();
        let count = |wanted: fn(&Transform) -> bool| {
            mapping
                .entries()
                .iter()
                .filter(|e| e.from_bus().is_some_and(|from| from.transform.as_ref().is_some_and(wanted)))
                .count()
        };
        println!("{file}: {} entries", mapping.entries().len());
        if file.contains("4.2") {
            assert_eq!(count(|t| matches!(t, Transform::Table(_))), 21);
            assert_eq!(count(|t| matches!(t, Transform::Math(_))), 6);
        }
        assert_eq!(mapping.entries().len(), entries, "{file}");
        assert_eq!(mapping.entries().iter().filter(|e| e.to_bus().is_some()).count(), commands, "{file}");
    }
    let refused = |file: &str| {
        Mapping::load(corpus.join("kuksa-mapping").join(format!("test__test_mapping_{file}"))).unwrap_err()
    };
    let error = refused("error__mapping_vss2dbc_not_actuator.json");
    assert!(matches!(error.fault(), MappingFault::NotActuator), "{error}");
    let error = refused("error__test_unknown_transform.json");
    assert!(
        matches!(error.fault(), MappingFault::UnknownTransform(name) if name == "something_else"),
        "{error}"
    );
    assert!(Mapping::load(corpus.join("kuksa-mapping/test__test_mapping_transform__test.json")).is_ok());
}
