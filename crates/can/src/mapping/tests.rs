//! Mappings that load, and what is said of those that do not.

use super::*;
use proptest::prelude::*;

fn leaf(members: &str) -> String {
    format!(
        r#"{{"A": {{"type": "branch", "children": {{"B": {{"type": "actuator", "datatype": "uint8", {members}}}}}}}}}"#
    )
}

fn fails(text: &str) -> String {
    Mapping::parse("m.json", text).unwrap_err().to_string()
}

fn from_bus(members: &str) -> FromBus {
    let mapping =
        Mapping::parse("m.json", &leaf(&format!(r#""dbc2vss": {{"signal": "S", {members}}}"#))).unwrap();
    mapping.entries()[0].from_bus().unwrap().clone()
}

#[test]
fn gates_have_the_defaults_of_the_format() {
    let gates = |members| {
        let from = from_bus(members);
        (from.interval.as_millis(), from.on_change)
    };
    assert_eq!(gates(r#""comment": """#), (1000, false));
    assert_eq!(gates(r#""on_change": true"#), (0, true));
    assert_eq!(gates(r#""on_change": false"#), (1000, false));
    assert_eq!(gates(r#""interval_ms": 500"#), (500, false));
    assert_eq!(gates(r#""interval_ms": 0, "on_change": true"#), (0, true));
}

#[test]
fn a_signal_may_be_qualified_and_dbc_is_dbc2vss() {
    let mapping =
        Mapping::parse("m.json", &leaf(r#""dbc": {"signal": "M.S"}, "vss2dbc": {"signal": "T"}"#)).unwrap();
    let entry = &mapping.entries()[0];
    assert_eq!(
        entry.from_bus().unwrap().signal,
        SignalName { message: Some("M".into()), signal: "S".into(), ..SignalName::default() }
    );
    assert_eq!(entry.to_bus().unwrap().signal.to_string(), "T");
    assert!(Mapping::parse("m.json", &leaf(r#""unit": "km""#)).unwrap().entries().is_empty());
}

#[test]
fn what_is_wrong_is_named_with_file_path_and_entry() {
    for (members, expected) in [
        (r#""dbc2vss": {}"#, "A.B: dbc2vss: `signal` is missing"),
        (r#""dbc2vss": {"signal": ""}"#, "A.B: dbc2vss: `signal` is not a name"),
        (r#""dbc2vss": 3"#, "A.B: dbc2vss: `the entry` is not an object"),
        (
            r#""dbc2vss": {"signal": "S"}, "dbc": {"signal": "S"}"#,
            "A.B: dbc2vss: `dbc` and `dbc2vss` are two names of one thing",
        ),
        (
            r#""dbc2vss": {"signal": "S", "interval_ms": -1}"#,
            "A.B: dbc2vss: `interval_ms` is not a number of milliseconds from 0",
        ),
        (
            r#""dbc2vss": {"signal": "S", "interval_ms": 1.5}"#,
            "A.B: dbc2vss: `interval_ms` is not a whole number of milliseconds",
        ),
        (r#""dbc2vss": {"signal": "S", "on_change": 1}"#, "A.B: dbc2vss: `on_change` is not true or false"),
        (r#""dbc2vss": {"signal": "S", "on_chnage": true}"#, "A.B: dbc2vss: unknown member \"on_chnage\""),
        (
            r#""dbc2vss": {"signal": "S", "transform": {}}"#,
            "A.B: dbc2vss: a transform is exactly one of `math` and `mapping`",
        ),
        (
            r#""dbc2vss": {"signal": "S", "transform": {"math": "x", "mapping": []}}"#,
            "A.B: dbc2vss: a transform is exactly one of `math` and `mapping`",
        ),
        (
            r#""dbc2vss": {"signal": "S", "transform": {"math": "x +"}}"#,
            "A.B: dbc2vss: math: column 4: an operand is missing",
        ),
        (
            r#""dbc2vss": {"signal": "S", "transform": {"mapping": [{"from": 1}]}}"#,
            "A.B: dbc2vss: `to` is missing",
        ),
        (
            r#""vss2dbc": {"signal": "S", "transform": {"mapping": 1}}"#,
            "A.B: vss2dbc: `mapping` is not a list",
        ),
        (r#""dbc2vss": {"signal": "S"}, "max": 300"#, "A.B: 300 does not fit uint8"),
        (r#""dbc2vss": {"signal": "S"}, "unit": 3"#, "A.B: `unit` is not a text"),
    ] {
        assert_eq!(fails(&leaf(members)), format!("m.json: {expected}"), "{members}");
    }
    let array = r#"{"A": {"type": "sensor", "datatype": "uint8[]", "dbc2vss": {"signal": "S"}}}"#;
    assert_eq!(fails(array), "m.json: A: a signal cannot be an array");
    let branch = r#"{"A": {"type": "branch", "dbc2vss": {"signal": "S"}, "children": {}}}"#;
    assert_eq!(fails(branch), "m.json: A: dbc2vss: a branch has no signal");
    let untyped = r#"{"A": {"dbc2vss": {"signal": "S"}}}"#;
    assert_eq!(fails(untyped), "m.json: A: `type` is missing");
    assert_eq!(fails("{\n \"A\": 1,\n \"A\": 2}"), "m.json: line 3, column 4: \"A\" is there twice");
    assert_eq!(fails("[]"), "m.json: `the file` is not an object");
    assert_eq!(fails("nonsense"), "m.json: line 1, column 2: expected ident");
    assert!(fails(&"{\"a\":".repeat(1000)).contains("recursion limit exceeded"));
    assert!(
        Mapping::load("/nonexistent/m.json").unwrap_err().to_string().starts_with("/nonexistent/m.json: ")
    );
}

proptest! {
    #[test]
    fn any_text_is_a_mapping_or_an_error(text in r#"[{}\[\]":, a-z0-9.]{0,80}"#) {
        let _ = Mapping::parse("m.json", &text);
    }

    #[test]
    fn a_mapping_with_a_byte_changed_still_gives_a_mapping_or_an_error(at in 0..200usize, byte in any::<char>()) {
        let text = leaf(r#""dbc2vss": {"signal": "M.S", "interval_ms": 100, "on_change": true, "transform": {"math": "x * 2"}}, "max": 9"#);
        let changed: String = text.chars().enumerate().map(|(i, c)| if i == at { byte } else { c }).collect();
        let _ = Mapping::parse("m.json", &changed);
    }
}
