//! The trees of other servers, in the forms that they have: what is understood is there, and what is not is told by its path.

use coachwork_vehicle::Value;

use super::*;

fn read(tree: &str, root: &str) -> Result<Metadata, Error> {
    let tree: RawTree<'_> = serde_json::from_str(tree).unwrap();
    Metadata::read(tree, None, None, None, root)
}

fn found(metadata: &Metadata) -> Vec<String> {
    let one = |(entry, _): &(Entry, Access)| format!("{} {}", entry.path(), entry.type_name());
    metadata.entries.iter().map(one).collect()
}

fn left_out(metadata: &Metadata) -> Vec<String> {
    let one = |(path, error): &(String, Error)| {
        assert_eq!(error.path().map(AsRef::as_ref), Some(path.as_str()), "{error}");
        assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::WrongType), "{error}");
        format!("{path}: {}", error.message())
    };
    metadata.skipped.iter().map(one).collect()
}

/// A databroker's: each node with its type first and only what it knows, the values of a range as texts.
#[test]
fn a_tree_of_version_2() {
    let metadata = read(
        r#"{"Vehicle":{"type":"branch","description":"","children":{
            "Speed":{"type":"sensor","datatype":"float","description":"How fast","comment":"x","unit":"km/h","min":"0","max":"250"},
            "Name":{"type":"attribute","datatype":"string","description":"","default":"car","allowed":["car","van"]},
            "Ids":{"type":"attribute","datatype":"uint16[]","description":"","default":["1","2"]},
            "Door":{"type":"branch","description":"","children":{
                "IsOpen":{"type":"actuator","datatype":"boolean","description":"","unit":null,"min":null}}}}}}"#,
        "Vehicle",
    )
    .unwrap();
    assert_eq!(
        found(&metadata),
        ["Vehicle.Speed float", "Vehicle.Name string", "Vehicle.Ids uint16[]", "Vehicle.Door.IsOpen boolean"]
    );
    assert_eq!(left_out(&metadata), [""; 0]);
    assert_eq!(metadata.entries[0].0.max(), Some(&Value::Float(250.0)));
}

/// The reference server's: no ranges, defaults as they are, types of its tree of structs.
#[test]
fn a_tree_of_version_3() {
    let metadata = read(
        r#"{"Vehicle":{"type":"branch","description":"High-level vehicle data.","children":{
            "Weight":{"type":"attribute","default":"0","description":"","datatype":"uint16"},
            "Modes":{"type":"attribute","default":["A","B"],"description":"","datatype":"string[]"},
            "Route":{"type":"sensor","description":"","datatype":"Types.Route"},
            "Route2":{"type":"struct","description":"","children":{"X":{"type":"property","description":"","datatype":"float"}}},
            "Empty":{"type":"branch","description":""}}}}"#,
        "Vehicle",
    )
    .unwrap();
    assert_eq!(found(&metadata), ["Vehicle.Weight uint16", "Vehicle.Modes string[]"]);
    let left = left_out(&metadata);
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(
        left.iter()
            .zip(["Vehicle.Route:", "Vehicle.Route2:", "Vehicle.Route2.X:"])
            .all(|(one, path)| one.starts_with(path))
    );
}

/// Version 3 names the children of the lowest generation; some name the first node by its whole path.
#[test]
fn names_without_nodes_are_told() {
    let metadata = read(
        r#"{"Vehicle.Powertrain.FuelSystem":{"type":"branch","children":["HybridType","Level",7,{"a":"b"}]}}"#,
        "Vehicle.Powertrain.FuelSystem",
    )
    .unwrap();
    assert_eq!(found(&metadata), [""; 0]);
    let path = "Vehicle.Powertrain.FuelSystem";
    let unsaid = "the server names it and does not say what it is";
    assert_eq!(
        left_out(&metadata),
        [
            format!("{path}.HybridType: {unsaid}"),
            format!("{path}.Level: {unsaid}"),
            format!("{path}.7: {unsaid}"),
            format!("{path}: a child of it is no node"),
        ]
    );
}

#[test]
fn a_node_that_is_none_spoils_no_other() {
    let metadata = read(
        r#"{"Vehicle":{"type":"branch","version":"5.1","children":{
            "A":"text","B":7,"C":-7,"D":1.5,"E":true,"F":null,"G":["sensor",[[]],{"x":1}],"H":{},
            "I":{"type":["sensor"],"datatype":"float"},
            "J":{"type":"sensor","datatype":{"x":"float"}},
            "K":{"type":"sensor"},
            "L":{"type":"sensor","datatype":"float","unit":[]},
            "M":{"type":"sensor","datatype":"float","min":[1]},
            "N":{"type":"sensor","datatype":"float","allowed":"1"},
            "O":{"type":"sensor","datatype":"float","datatype":"int8"},
            "P":{"type":"branch","children":7},
            "Q":{"type":"branch","children":{},"children":{}},
            "R":{"type":"sensor","datatype":"float","unit":"furlongs"},
            "S":{"children":{"T":{"type":"sensor","datatype":"int8"}}},
            "U V":{"type":"sensor","datatype":"int8"},
            "W":{"type":"sensor","datatype":"int8"},
            "W":{"type":"sensor","datatype":"float"},
            "X":{"type":"sensor","datatype":"int8","read":7,"write":{"right":"yes"},"new":1e5}}}}"#,
        "Vehicle",
    )
    .unwrap();
    let found = found(&metadata);
    for there in ["Vehicle.S.T int8", "Vehicle.W int8", "Vehicle.X int8"] {
        assert!(found.iter().any(|one| one == there), "{there} in {found:?}");
    }
    let left = left_out(&metadata);
    for name in "ABCDEFGHIJKLMNOPQ".chars() {
        assert!(left.iter().any(|one| one.starts_with(&format!("Vehicle.{name}: "))), "{name} in {left:?}");
    }
    assert!(left.iter().any(|one| one.starts_with("Vehicle.U V: ")), "{left:?}");
    assert!(left.iter().any(|one| one.starts_with("Vehicle.W: it is there twice")), "{left:?}");
    let (_, access) =
        metadata.entries.iter().find(|(entry, _)| entry.path().as_str() == "Vehicle.X").unwrap();
    assert!(matches!(access.read, Permission::Denied(_)) && access.write == Permission::Yes);
}

#[test]
fn how_much_may_be_left_out_is_bounded() {
    let tree = |count: usize| {
        let nodes: Vec<_> = (0..count).map(|n| format!("\"N{n}\":1")).collect();
        format!("{{\"Vehicle\":{{\"type\":\"branch\",\"children\":{{{}}}}}}}", nodes.join(","))
    };
    assert_eq!(read(&tree(10_000), "Vehicle").unwrap().skipped.len(), 10_000);
    let error = read(&tree(10_001), "Vehicle").unwrap_err();
    assert_eq!((error.kind(), error.path().map(AsRef::as_ref)), (ErrorKind::Protocol, Some("Vehicle.N0")));
    assert!(error.message().contains("no object"), "{error}");
}

#[test]
fn what_is_no_tree_at_all_is_an_error_of_the_answer() {
    for tree in
        ["[]", "\"x\"", "null", "7", "[{\"Vehicle\":{}}]", "{\"Vehicle\":{}", "{\"Vehicle\":{\"min\":1e999}}"]
    {
        assert!(serde_json::from_str::<RawTree<'_>>(tree).is_err(), "{tree}");
    }
}
