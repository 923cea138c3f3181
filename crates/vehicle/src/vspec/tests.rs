//! Exports: what is read, what is refused and where, instances, overlays.

use super::*;
use crate::value::{DataType, ScalarType, Value};

fn below_vehicle(children: &str) -> Result<Vspec, VspecError> {
    Vspec::from_json(format!(r#"{{"Vehicle": {{"type": "branch", "children": {{{children}}}}}}}"#).as_bytes())
}

fn leaf(facts: &str) -> Result<Entry, VspecError> {
    below_vehicle(&format!(r#""A": {{{facts}}}"#)).map(|vspec| vspec.entries()[0].clone())
}

fn paths(vspec: &Vspec) -> Vec<&str> {
    vspec.entries().iter().map(|entry| entry.path().as_str()).collect()
}

#[test]
fn every_member_of_a_leaf_is_read() {
    let entry = leaf(
        r#""type": "actuator", "datatype": "uint8[]", "unit": "percent", "min": 1, "max": 100, "allowed": [1, 2, 30],
           "default": [1, 2], "arraysize": 2, "deprecation": "v7 - use B", "description": "words", "comment": "words", "uuid": "5a",
           "dbc2vss": {"signal": "S"}, "x": null"#,
    )
    .unwrap();
    let wanted = Entry::actuator("Vehicle.A", DataType::Array(ScalarType::Uint8))
        .with_unit("percent")
        .with_range(Value::Uint(1), Value::Uint(100))
        .with_allowed([1_u8, 2, 30].map(Value::from))
        .with_default(Value::Array([1_u8, 2].map(Value::from).into()))
        .with_array_size(2)
        .with_deprecation("v7 - use B")
        .with_extended("x", "null")
        .with_extended("dbc2vss", r#"{"signal":"S"}"#);
    assert_eq!(entry, wanted);
    let text =
        leaf(r#""type": "attribute", "datatype": "string", "pattern": "^[A-Z]+$", "default": """#).unwrap();
    assert_eq!((text.pattern(), text.default_value()), (Some("^[A-Z]+$"), Some(&Value::from(""))));
}

#[test]
fn the_order_of_the_file_is_kept() {
    let leaf = r#"{"type": "sensor", "datatype": "float"}"#;
    let vspec = below_vehicle(&format!(r#""Z": {leaf}, "A": {leaf}, "M": {leaf}"#)).unwrap();
    assert_eq!(paths(&vspec), ["Vehicle.Z", "Vehicle.A", "Vehicle.M"]);
}

fn leaf_of(facts: &str) -> Vspec {
    below_vehicle(&format!(r#""A": {{{facts}}}"#)).unwrap()
}

/// A tree with one leaf, and definitions beside it.
fn typed(leaf: &str, types: &str) -> Result<Vspec, VspecError> {
    let tree = format!(r#"{{"Vehicle": {{"type": "branch", "children": {{"A": {{{leaf}}}}}}}"#);
    let types =
        format!(r#""ComplexDataTypes": {{"Types": {{"type": "branch", "children": {{{types}}}}}}}}}"#);
    Vspec::from_json(format!("{tree}, {types}").as_bytes())
}

const POINT: &str = r#""Point": {"type": "struct", "children": {
    "Y": {"type": "property", "datatype": "float", "unit": "m", "min": -5, "max": 5},
    "X": {"type": "property", "datatype": "uint8[]", "arraysize": 2, "default": [1, 2]}}}"#;

#[test]
fn leaves_have_their_structs() {
    let line = format!(
        r#"{POINT}, "Line": {{"type": "struct", "children": {{
            "From": {{"type": "property", "datatype": "Point"}},
            "Over": {{"type": "property", "datatype": "Types.Point[]"}}}}}}"#
    );
    let leaf = r#""type": "actuator", "datatype": "Types.Line[]", "arraysize": 1,
        "default": [{"From": {"Y": 1}, "Over": [{"Y": 2, "X": [3, 4]}]}]"#;
    let vspec = typed(leaf, &line).unwrap();
    assert_eq!(paths(&vspec), ["Vehicle.A"]);
    let entry = &vspec.entries()[0];
    assert_eq!(
        (entry.type_name().as_ref(), entry.data_type()),
        ("Types.Line[]", DataType::Array(ScalarType::Struct))
    );
    let point = &entry.struct_type().unwrap().properties()[0].struct_type().unwrap().clone();
    let names: Vec<_> = point.properties().iter().map(|property| property.path().as_str()).collect();
    assert_eq!((names, point.properties()[0].unit().map(crate::Unit::key)), (vec!["Y", "X"], Some("m")));
    let default = entry.default_value().unwrap().to_string();
    assert_eq!(default, "[{From: {Y: 1, X: [1, 2]}, Over: [{Y: 2, X: [3, 4]}]}]");
    assert_eq!(vspec.clone().overlay(vspec.clone()).unwrap(), vspec);
    let other = leaf_of(r#""type": "sensor", "datatype": "float[]", "default": [1]"#);
    assert_eq!(vspec.overlay(other).unwrap().entries()[0].type_name(), "float[]");
    let apart = br#"{"Vehicle": {"type": "branch", "children": {"A": {"type": "sensor", "datatype": "Types.Point"}}}}"#;
    let types = format!(r#"{{"Types": {{"type": "branch", "children": {{{POINT}}}}}}}"#);
    let apart = Vspec::from_json_with_types(apart, types.as_bytes()).unwrap();
    assert_eq!(apart.entries()[0].struct_type(), Some(point));
}

#[test]
fn what_is_wrong_with_a_struct_names_its_path() {
    let leaf = r#""type": "sensor", "datatype": "Types.Point""#;
    let error = |leaf, types: &str| typed(leaf, types).unwrap_err().to_string();
    assert_eq!(error(leaf, ""), "Vehicle.A: no struct Types.Point is defined");
    let of =
        |property: &str| format!(r#""Point": {{"type": "struct", "children": {{"X": {{{property}}}}}}}"#);
    for (property, wanted) in [
        (
            r#""type": "property", "datatype": "flout""#,
            r#"Types.Point.X: datatype: "flout" is not a data type"#,
        ),
        (r#""type": "property", "datatype": "A.B""#, "Types.Point.X: no struct A.B is defined"),
        (r#""type": "property", "datatype": "Point""#, "Types.Point: datatype: the struct contains itself"),
        (
            r#""type": "sensor", "datatype": "float""#,
            r#"Types.Point.X: "sensor" is no type of a node (branch, sensor, actuator, attribute, struct, property)"#,
        ),
        (
            r#""type": "property", "datatype": "uint8", "min": 9, "max": 8"#,
            "Types.Point: children: X: the range from 9 to 8 is empty",
        ),
    ] {
        assert_eq!(error(leaf, &of(property)), wanted);
    }
    let wrong = r#""type": "sensor", "datatype": "Types.Point", "default": {"Z": 1}"#;
    assert_eq!(error(wrong, POINT), "Vehicle.A: default: Types.Point has no property Z");
    let out = r#""type": "sensor", "datatype": "Types.Point", "default": {"Y": 9}"#;
    assert_eq!(error(out, POINT), "Vehicle.A: default: Y: 9 is outside -5 to 5");
    // A few bytes do not stand for many values.
    let many = |count: usize| {
        let values = vec![r#"{"Y": 1}"#; count].join(", ");
        format!(r#""type": "sensor", "datatype": "Types.Point[]", "default": [{values}]"#)
    };
    assert!(typed(&many(1000), POINT).is_ok());
    let wide: Vec<String> = (0..1000)
        .map(|n| format!(r#""P{n}": {{"type": "property", "datatype": "uint8", "default": 1}}"#))
        .collect();
    let wide = format!(r#""Point": {{"type": "struct", "children": {{{}}}}}"#, wide.join(", "));
    let empty = |count: usize| {
        format!(
            r#""type": "sensor", "datatype": "Types.Point[]", "default": [{}]"#,
            vec!["{}"; count].join(", ")
        )
    };
    assert!(typed(&empty(262), &wide).is_ok());
    let wanted =
        "Vehicle.A: default: the values of the file leave more than 262144 properties to their defaults";
    assert_eq!(error(&empty(263), &wide), wanted);
    let chain = |length: usize| {
        let link = |n: usize| {
            let inner = if n + 1 == length { "float".to_owned() } else { format!("S{}", n + 1) };
            format!(
                r#""S{n}": {{"type": "struct", "children": {{"X": {{"type": "property", "datatype": "{inner}"}}}}}}"#
            )
        };
        typed(
            r#""type": "sensor", "datatype": "Types.S0""#,
            &(0..length).map(link).collect::<Vec<_>>().join(", "),
        )
    };
    assert!(chain(crate::MAX_STRUCT_DEPTH).is_ok());
    assert!(chain(crate::MAX_STRUCT_DEPTH + 1).unwrap_err().to_string().contains("deep"));
}

#[test]
fn instances_are_expanded_as_vss_tools_do() {
    let branch = |instances: &str, more: &str| {
        let children = format!(r#""Open": {{"type": "sensor", "datatype": "boolean"}}{more}"#);
        let door =
            format!(r#""Door": {{"type": "branch", "instances": {instances}, "children": {{{children}}}}}"#);
        below_vehicle(&door)
    };
    let of = |instances: &str| {
        let vspec = branch(instances, "").unwrap();
        paths(&vspec)
            .iter()
            .map(|path| path.trim_start_matches("Vehicle.Door.").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(r#""Row[1,3]""#), ["Row1.Open", "Row2.Open", "Row3.Open"]);
    assert_eq!(of(r#"["Left", "Right"]"#), ["Left.Open", "Right.Open"]);
    assert_eq!(
        of(r#"["Row[1,2]", ["Left", "Right"]]"#),
        ["Row1.Left.Open", "Row1.Right.Open", "Row2.Left.Open", "Row2.Right.Open"]
    );
    assert_eq!(of(r#""Only""#), ["Only.Open"]);
    let count = r#", "Count": {"type": "attribute", "datatype": "uint8", "instantiate": false}"#;
    let vspec = branch(r#""Row[1,1]""#, count).unwrap();
    assert_eq!(paths(&vspec), ["Vehicle.Door.Count", "Vehicle.Door.Row1.Open"]);
    for wrong in [r#""Row[2,1]""#, r#""Row[1]""#, r#""Row[a,b]""#, "7", r#"["A", 7]"#, r#"[["A", {}]]"#] {
        let error = branch(wrong, "").unwrap_err();
        assert_eq!(error.path, "Vehicle.Door", "{wrong}");
        assert!(matches!(error.fault, VspecFault::Member { member: "instances", .. }), "{wrong}: {error}");
    }
}

#[test]
fn trees_that_would_take_too_much_memory_are_refused() {
    let bomb = |inner: &str| {
        format!(r#""B": {{"type": "branch", "instances": "R[1,1000]", "children": {{{inner}}}}}"#)
    };
    let error = below_vehicle(&bomb(&bomb(&bomb("")))).unwrap_err();
    assert!(matches!(error.fault, VspecFault::TooMany), "{error}");
    let wide = r#""B": {"type": "branch", "instances": ["R[1,1000]", "S[1,1000]"], "children": {}}"#;
    assert!(matches!(below_vehicle(wide).unwrap_err().fault, VspecFault::TooMany));
    let range = r#""B": {"type": "branch", "instances": "R[0,4294967295]", "children": {}}"#;
    assert!(below_vehicle(range).is_err());
    let deep = format!("{}{}", r#"{"A": {"type": "branch", "children": "#.repeat(2000), "}".repeat(4000));
    assert!(matches!(Vspec::from_json(deep.as_bytes()).unwrap_err().fault, VspecFault::Json(_)));
    assert!(matches!(
        Vspec::from_json(&vec![b' '; MAX_BYTES + 1]).unwrap_err().fault,
        VspecFault::TooLarge(_)
    ));
}

#[test]
fn what_is_wrong_names_its_path() {
    for (facts, wanted) in [
        (
            r#""datatype": "float""#,
            r#"Vehicle.A: "" is no type of a node (branch, sensor, actuator, attribute, struct, property)"#,
        ),
        (r#""type": "sensor""#, "Vehicle.A: datatype: it is missing"),
        (r#""type": "sensor", "datatype": "uint7""#, r#"Vehicle.A: datatype: "uint7" is not a data type"#),
        (r#""type": "sensor", "datatype": "uint8", "min": {}"#, "Vehicle.A: min: {} is not a value"),
        (
            r#""type": "sensor", "datatype": "uint8", "min": -1"#,
            "Vehicle.A: limit or allowed value: -1 is not a value of type uint8",
        ),
        (
            r#""type": "sensor", "datatype": "uint8", "max": 3, "default": 4"#,
            "Vehicle.A: default: 4 is outside any to 3",
        ),
        (
            r#""type": "sensor", "datatype": "uint8", "arraysize": 4"#,
            "Vehicle.A: an array size of 4 for a type that is no array",
        ),
        (
            r#""type": "sensor", "datatype": "uint8", "children": {"B": {"type": "branch"}}"#,
            "Vehicle.A: children: a sensor has none",
        ),
    ] {
        assert_eq!(leaf(facts).unwrap_err().to_string(), wanted);
    }
    let twice = r#""A": {"type": "branch"}, "A": {"type": "branch"}"#;
    let error = below_vehicle(twice).unwrap_err().to_string();
    assert!(error.starts_with(r#""A" is there twice at line 1"#), "{error}");
    assert!(below_vehicle(r#""Größe": {"type": "sensor", "datatype": "float"}"#).is_err());
    assert!(below_vehicle(r#""A": {"type": "sensor", "type": "sensor"}"#).is_err());
    assert!(Vspec::from_json(b"[]").is_err());
}

#[test]
fn an_overlay_replaces_what_it_states_and_adds_the_rest() {
    let under = below_vehicle(
        r#""A": {"type": "sensor", "datatype": "float", "unit": "km/h", "min": 0, "x": 1, "y": 2},
           "B": {"type": "sensor", "datatype": "float"}"#,
    );
    let over = below_vehicle(
        r#""C": {"type": "sensor", "datatype": "float"},
           "A": {"type": "actuator", "datatype": "double", "max": 9.5, "y": 3}"#,
    );
    let merged = under.unwrap().overlay(over.unwrap()).unwrap();
    assert_eq!(paths(&merged), ["Vehicle.A", "Vehicle.B", "Vehicle.C"]);
    let wanted = Entry::actuator("Vehicle.A", DataType::DOUBLE)
        .with_unit("km/h")
        .with_range(Value::Double(0.0), Value::Double(9.5))
        .with_extended("x", "1")
        .with_extended("y", "3");
    assert_eq!(merged.entries()[0], wanted);
    let contradiction = below_vehicle(r#""A": {"type": "sensor", "datatype": "double", "max": -1}"#).unwrap();
    assert!(merged.overlay(contradiction).is_err());
}
