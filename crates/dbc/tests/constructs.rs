//! Every construct of the format, one by one: read, held in the model, written back.
//!
//! *Invariant:* each test looks at what the model holds, and again after the way through a written file.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::float_cmp)]

use std::time::Duration;

use coachwork_dbc::{
    AttributeObject, AttributeType, AttributeValue, Code, Database, EnvironmentType, Multiplexed, Options,
    Raw, RelationTarget, Severity, ValueType,
};

const HEAD: &str =
    "BS_:\nBU_: A B\nBO_ 1 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" B\n SG_ T : 8|8@1+ (1,0) [0|0] \"\" B\n";

/// Looks at what a text loads to, and at what that is written and loaded to; nothing is repaired either way.
fn both(text: &str, look: impl Fn(&Database)) {
    let first =
        Options::new().strict(true).load(text.as_bytes()).unwrap_or_else(|why| panic!("{why}\n{text}"));
    look(&first.database);
    let written = first.database.to_dbc();
    let second =
        Options::new().strict(true).load_text(&written).unwrap_or_else(|why| panic!("{why}\n{written}"));
    look(&second.database);
    assert_eq!(first.database, second.database, "{written}");
}

fn with(more: &str, look: impl Fn(&Database)) {
    both(&format!("{HEAD}{more}"), look);
}

#[test]
fn version_new_symbols_bit_timing_nodes() {
    both("VERSION \"1.2 \\\"x\\\"\"\nNS_ :\n\tNS_DESC_\n\tCM_\n\nBS_: 500 : 12,14\nBU_: A B\n", |database| {
        assert_eq!(database.version(), "1.2 \"x\"");
        assert_eq!(database.new_symbols(), ["NS_DESC_", "CM_"]);
        assert_eq!(database.bit_timing(), "500 : 12,14");
        let names: Vec<&str> = database.nodes().iter().map(coachwork_dbc::Node::name).collect();
        assert_eq!(names, ["A", "B"]);
    });
}

#[test]
fn val_table() {
    with("VAL_TABLE_ Gear 1 \"first\" -1 \"reverse\" ;\n", |database| {
        let table = &database.value_tables()[0];
        assert_eq!((table.name(), table.choices().label(-1)), ("Gear", Some("reverse")));
    });
}

#[test]
fn bo_and_sg() {
    let text = "BS_:\nBU_: A B\nBO_ 2566844926 M: 64 Vector__XXX\n SG_ S m3M : 7|12@0- (0.5,-40) [-40|100.5] \"°C\" A,B\n SG_ X M : 24|8@1+ (1,0) [0|0] \"\" Vector__XXX\n";
    both(text, |database| {
        let message = &database.messages()[0];
        assert_eq!(
            (message.id().to_string().as_str(), message.length(), message.senders().len()),
            ("18FEF1FEx", 64, 0)
        );
        let signal = &message.signals()[0];
        assert_eq!((signal.start(), signal.length(), signal.value_type()), (7, 12, ValueType::Signed));
        assert_eq!((signal.factor(), signal.offset(), signal.range()), (0.5, -40.0, Some((-40.0, 100.5))));
        assert_eq!((signal.unit(), signal.receivers()), ("°C", ["A".to_owned(), "B".to_owned()].as_slice()));
        assert!(signal.is_multiplexer());
        assert_eq!(signal.multiplexed(), Some(&Multiplexed::new("X", [(3, 3)])));
        assert_eq!(message.signals()[1].receivers().len(), 0);
    });
}

#[test]
fn bo_tx_bu() {
    with("BO_TX_BU_ 1 : A,B;\n", |database| assert_eq!(database.messages()[0].senders(), ["A", "B"]));
}

#[test]
fn ev_and_envvar_data() {
    let text = "EV_ E: 1 [-1.5|9] \"V\" 2.5 7 DUMMY_NODE_VECTOR3 A,B;\nEV_ D: 0 [0|0] \"\" 0 8 DUMMY_NODE_VECTOR0 Vector__XXX;\n\
                ENVVAR_DATA_ D: 12;\nVAL_ E 1 \"one\" ;\nCM_ EV_ E \"text\";\n";
    with(text, |database| {
        let [e, d] = database.environment_variables() else { panic!("two variables") };
        assert_eq!(
            (e.name(), e.kind(), e.range(), e.unit()),
            ("E", EnvironmentType::Float, (-1.5, 9.0), "V")
        );
        assert_eq!((e.initial(), e.id(), e.access(), e.nodes().len()), (2.5, 7, "DUMMY_NODE_VECTOR3", 2));
        assert_eq!((e.choices().label(1), e.comment()), (Some("one"), Some("text")));
        assert_eq!((d.kind(), d.data_length(), d.nodes().len()), (EnvironmentType::Data, Some(12), 0));
    });
}

#[test]
fn old_statements_are_kept_as_they_are() {
    let old = [
        "SGTYPE_ T : 8@1+ (1,0) [0|9] \"V; x\" 0,Gear;",
        "SIG_TYPE_REF_ 1 S : T;",
        "BA_DEF_SGTYPE_ \"Y\" INT 0 1;",
        "CAT_DEF_ 1 Kind 2;",
        "FILTER 5;",
        "EV_DATA_ E: 4;",
    ];
    with(&(old.join("\n") + "\n"), |database| assert_eq!(database.other_statements(), old));
}

#[test]
fn cm() {
    let text = "CM_ \"all\";\nCM_ BU_ A \"node\";\nCM_ BO_ 1 \"message\";\nCM_ SG_ 1 S \"two\nlines; \\\"quoted\\\" // no comment\";\n";
    with(text, |database| {
        assert_eq!(database.comment(), Some("all"));
        assert_eq!(database.node("A").unwrap().comment(), Some("node"));
        let message = &database.messages()[0];
        assert_eq!(message.comment(), Some("message"));
        assert_eq!(message.signals()[0].comment(), Some("two\nlines; \"quoted\" // no comment"));
    });
}

#[test]
fn ba_def_and_defaults_and_values() {
    let text = "BA_DEF_ \"Bus\" STRING ;\nBA_DEF_ BU_ \"Rank\" INT -5 5;\nBA_DEF_ BO_ \"Kind\" ENUM \"cyclic\",\"spontaneous\";\n\
                BA_DEF_ SG_ \"Weight\" FLOAT 0 1.5;\nBA_DEF_ SG_ \"Mask\" HEX 0 255;\nBA_DEF_ EV_ \"Note\" STRING ;\n\
                BA_DEF_DEF_ \"Bus\" \"CAN\";\nBA_DEF_DEF_ \"Kind\" \"cyclic\";\nBA_DEF_DEF_ \"Weight\" 0.25;\n\
                BA_ \"Bus\" \"CAN FD\";\nBA_ \"Rank\" BU_ A -3;\nBA_ \"Kind\" BO_ 1 1;\nBA_ \"Weight\" SG_ 1 S 1.25;\nBA_ \"Mask\" SG_ 1 S 16;\n";
    with(text, |database| {
        assert_eq!(database.attribute_definitions().len(), 6);
        let definition = |name, object| database.attribute_definition(name, object).unwrap();
        assert_eq!(
            definition("Rank", AttributeObject::Node).kind(),
            &AttributeType::Integer { min: -5, max: 5 }
        );
        assert_eq!(
            definition("Mask", AttributeObject::Signal).kind(),
            &AttributeType::Hex { min: 0, max: 255 }
        );
        assert_eq!(definition("Note", AttributeObject::EnvironmentVariable).kind(), &AttributeType::Text);
        assert_eq!(
            definition("Bus", AttributeObject::Database).default(),
            Some(&AttributeValue::Text("CAN".into()))
        );
        assert_eq!(database.attribute("Bus"), Some(&AttributeValue::Text("CAN FD".into())));
        let rank = database.node("A").unwrap().attributes().value("Rank");
        assert_eq!(rank, Some(&AttributeValue::Integer(-3)));
        let message = &database.messages()[0];
        assert_eq!(message.attributes().value("Kind"), Some(&AttributeValue::Text("spontaneous".into())));
        let weight = |at: usize| database.signal_attribute(&message.signals()[at], "Weight").cloned();
        assert_eq!(
            (weight(0), weight(1)),
            (Some(AttributeValue::Float(1.25)), Some(AttributeValue::Float(0.25)))
        );
        assert_eq!(message.signals()[0].attributes().value("Mask"), Some(&AttributeValue::Integer(16)));
    });
}

#[test]
fn ba_def_rel_and_ba_rel() {
    let text = "EV_ E: 0 [0|0] \"\" 0 1 DUMMY_NODE_VECTOR0 A;\n\
                BA_DEF_REL_ BU_SG_REL_ \"Timeout\" INT 0 100;\nBA_DEF_REL_ BU_BO_REL_ \"Route\" STRING ;\n\
                BA_DEF_REL_ BU_EV_REL_ \"Use\" ENUM \"no\",\"yes\";\nBA_DEF_DEF_REL_ \"Timeout\" 5;\nBA_DEF_DEF_REL_ \"Route\" \"x\";\n\
                BA_REL_ \"Timeout\" BU_SG_REL_ A SG_ 1 S 42;\nBA_REL_ \"Route\" BU_BO_REL_ B 1 \"gate\";\nBA_REL_ \"Use\" BU_EV_REL_ A E 1;\n";
    with(text, |database| {
        let default = |name, object| database.attribute_definition(name, object).unwrap().default().cloned();
        assert_eq!(default("Timeout", AttributeObject::NodeToSignal), Some(AttributeValue::Integer(5)));
        assert_eq!(default("Route", AttributeObject::NodeToMessage), Some(AttributeValue::Text("x".into())));
        assert_eq!(default("Use", AttributeObject::NodeToEnvironmentVariable), None);
        let id = database.messages()[0].id();
        let said: Vec<_> = database
            .relations()
            .iter()
            .map(|relation| {
                (relation.attribute(), relation.node(), relation.target().clone(), relation.value().clone())
            })
            .collect();
        assert_eq!(
            said,
            [
                ("Timeout", "A", RelationTarget::Signal(id, "S".into()), AttributeValue::Integer(42)),
                ("Route", "B", RelationTarget::Message(id), AttributeValue::Text("gate".into())),
                (
                    "Use",
                    "A",
                    RelationTarget::EnvironmentVariable("E".into()),
                    AttributeValue::Text("yes".into())
                ),
            ]
        );
    });
}

#[test]
fn val() {
    with("VAL_ 1 S 0 \"off\" 1 \"on; \\\"really\\\"\" -1 \"never\" ;\n", |database| {
        let choices = database.messages()[0].signals()[0].choices();
        assert_eq!(
            (choices.label(1), choices.value("never"), choices.len()),
            (Some("on; \"really\""), Some(-1), 3)
        );
    });
}

#[test]
fn sig_group() {
    with("SIG_GROUP_ 1 Both 2 : S T;\n", |database| {
        let message = &database.messages()[0];
        let group = &message.groups()[0];
        let names: Vec<&str> =
            group.signals().iter().map(|index| message.signal(*index).unwrap().name()).collect();
        assert_eq!((group.name(), group.repetitions(), names), ("Both", 2, vec!["S", "T"]));
    });
}

#[test]
fn sig_valtype() {
    let text = "BS_:\nBU_: A\nBO_ 1 M: 12 A\n SG_ F : 0|32@1- (1,0) [0|0] \"\" A\n SG_ D : 32|64@1- (1,0) [0|0] \"\" A\n\
                SIG_VALTYPE_ 1 F : 1;\nSIG_VALTYPE_ 1 D : 2;\n";
    both(text, |database| {
        let kinds: Vec<_> =
            database.messages()[0].signals().iter().map(coachwork_dbc::Signal::value_type).collect();
        assert_eq!(kinds, [ValueType::F32, ValueType::F64]);
    });
}

#[test]
fn sg_mul_val() {
    let text = "BS_:\nBU_: A\nBO_ 1 M: 8 A\n SG_ X M : 0|8@1+ (1,0) [0|0] \"\" A\n SG_ Y m0M : 8|8@1+ (1,0) [0|0] \"\" A\n\
                 SG_ Z m1 : 16|8@1+ (1,0) [0|0] \"\" A\nSG_MUL_VAL_ 1 Y X 0-3, 7-7;\nSG_MUL_VAL_ 1 Z Y 1-1, 5-9;\n";
    both(text, |database| {
        let signals = database.messages()[0].signals();
        assert_eq!(signals[1].multiplexed(), Some(&Multiplexed::new("X", [(0, 3), (7, 7)])));
        assert_eq!(signals[2].multiplexed(), Some(&Multiplexed::new("Y", [(1, 1), (5, 9)])));
    });
}

#[test]
fn signals_without_a_message() {
    let text = "BS_:\nBU_: A\nBO_ 3221225472 VECTOR__INDEPENDENT_SIG_MSG: 0 Vector__XXX\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" A\nVAL_ 3221225472 S 1 \"one\" ;\n";
    both(text, |database| {
        assert_eq!((database.messages().len(), database.independent_signals().len()), (0, 1));
        assert_eq!(database.independent_signals()[0].choices().label(1), Some("one"));
    });
    // Some files have the pseudo message under another id; its name tells.
    let loaded = Options::new().load(text.replace("3221225472", "1073741824").as_bytes()).unwrap();
    let said: Vec<_> =
        loaded.diagnostics.iter().map(|found| (found.code(), found.severity(), found.line())).collect();
    assert_eq!(said, [(Code::IdTooWide, Severity::Repaired, 3)]);
    assert_eq!(loaded.database, Database::parse(text).unwrap());
}

#[test]
fn what_the_usual_attributes_mean() {
    let text = "BA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 10000;\nBA_DEF_ SG_ \"GenSigStartValue\" FLOAT 0 0;\nBA_DEF_ SG_ \"SPN\" INT 0 524287;\n\
                BA_DEF_DEF_ \"GenMsgCycleTime\" 0;\nBA_DEF_DEF_ \"GenSigStartValue\" 3;\nBA_DEF_DEF_ \"SPN\" 0;\n\
                BA_ \"GenMsgCycleTime\" BO_ 1 20;\nBA_ \"GenSigStartValue\" SG_ 1 S 5;\nBA_ \"SPN\" SG_ 1 S 190;\n";
    with(text, |database| {
        let message = &database.messages()[0];
        assert_eq!(message.cycle_time(), Some(Duration::from_millis(20)));
        let of = |at: usize| (message.signals()[at].start_value(), message.signals()[at].spn());
        assert_eq!((of(0), of(1)), ((Some(Raw::Unsigned(5)), Some(190)), (Some(Raw::Unsigned(3)), None)));
    });
    // Some tools write start values as texts.
    with(
        "BA_DEF_ SG_ \"GenSigStartValue\" STRING ;\nBA_ \"GenSigStartValue\" SG_ 1 S \"0x1F\";\n",
        |database| {
            let starts: Vec<_> =
                database.messages()[0].signals().iter().map(coachwork_dbc::Signal::start_value).collect();
            assert_eq!(starts, [Some(Raw::Unsigned(31)), None]);
        },
    );
}

#[test]
fn long_names() {
    let text = "BS_:\nBU_: A_0000 B\nBO_ 1 M_0000: 8 A_0000\n SG_ S_0000 M : 0|8@1+ (1,0) [0|0] \"\" A_0000\n SG_ T m1 : 8|8@1+ (1,0) [0|0] \"\" B\n\
                BA_DEF_ BU_ \"SystemNodeLongSymbol\" STRING ;\nBA_DEF_ BO_ \"SystemMessageLongSymbol\" STRING ;\nBA_DEF_ SG_ \"SystemSignalLongSymbol\" STRING ;\n\
                BA_ \"SystemNodeLongSymbol\" BU_ A_0000 \"A_that_has_a_name_of_more_than_32\";\nBA_ \"SystemMessageLongSymbol\" BO_ 1 \"M_that_has_a_name_of_more_than_32\";\n\
                BA_ \"SystemSignalLongSymbol\" SG_ 1 S_0000 \"S_that_has_a_name_of_more_than_32\";\n";
    both(text, |database| {
        let message = database.message_named("M_that_has_a_name_of_more_than_32").unwrap();
        assert_eq!(message.senders(), ["A_that_has_a_name_of_more_than_32"]);
        let signal = message.signal_named("S_that_has_a_name_of_more_than_32").unwrap();
        assert_eq!(signal.receivers(), message.senders());
        assert_eq!(message.signals()[1].multiplexed().unwrap().multiplexer(), signal.name());
    });
}
