//! Bytes become an export of VSS, and perhaps an overlay behind a zero byte.
//!
//! *Oracle:* what is read makes a catalogue in which every path is found; put over itself it stays as it is, and it has one hash in any
//! order; an overlay keeps every path of the tree under it, in its place.
//! *Next:* `coachwork_vehicle::Vspec`.

use coachwork_vehicle::{Catalogue, Facts, Vspec};

/// Runs one input.
pub fn run(data: &[u8]) {
    read(data);
}

/// How many leaves were read; `None` where it is no export.
pub fn read(data: &[u8]) -> Option<usize> {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let tree = Vspec::from_json(&data[..end]).ok()?;
    let catalogue = tree.clone().into_catalogue(Facts::default()).expect("a tree that was checked");
    for (id, entry) in catalogue.iter() {
        assert_eq!(catalogue.id(entry.path().as_str()), Some(id));
    }
    assert_eq!(tree.clone().overlay(tree.clone()).expect("a tree over itself"), tree);
    let turned =
        Catalogue::new(tree.entries().iter().rev().cloned(), Facts::default()).expect("the same leaves");
    assert_eq!(turned.tree_hash(), catalogue.tree_hash());
    if let Some(overlay) = data.get(end + 1..).and_then(|overlay| Vspec::from_json(overlay).ok())
        && let Ok(merged) = tree.clone().overlay(overlay.clone())
    {
        for (under, merged) in tree.entries().iter().zip(merged.entries()) {
            assert_eq!(under.path(), merged.path());
        }
        for over in overlay.entries() {
            let found = merged.entries().iter().find(|entry| entry.path() == over.path());
            assert_eq!(found.map(|entry| entry.data_type()), Some(over.data_type()));
        }
    }
    Some(tree.entries().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        let leaf = r#"{"V": {"type": "branch", "children": {"A": {"type": "sensor", "datatype": "float"}}}}"#;
        assert_eq!(read(leaf.as_bytes()), Some(1));
        assert_eq!(
            read(
                leaf.replace("\"type\": \"branch\"", "\"type\": \"branch\", \"instances\": \"R[1,3]\"")
                    .as_bytes()
            ),
            Some(3)
        );
        assert_eq!(read(leaf.replace("float", "flout").as_bytes()), None);
        assert_eq!(read(format!("{leaf}\0{leaf}").as_bytes()), Some(1));
    }
}
