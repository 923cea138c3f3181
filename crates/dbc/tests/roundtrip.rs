//! Every database of the corpus, written and loaded again.
//!
//! *Invariant:* the second load gives an equal database, repairs nothing and leaves nothing out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod corpus;

use coachwork_dbc::{Code, Database, Options, Severity};

#[test]
fn what_is_written_loads_to_the_same() {
    let Some(root) = corpus::root() else { return };
    let files = corpus::files(&root.join("dbc"), ".dbc");
    assert!(files.len() > 60);
    for path in files {
        let name = path.display();
        let first = Options::new().load(&std::fs::read(&path).unwrap()).unwrap().database;
        let text = first.to_dbc();
        let second = Options::new().load_text(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for diagnostic in &second.diagnostics {
            let harmless = diagnostic.severity() == Severity::Notice || diagnostic.code() == Code::OddName;
            assert!(harmless, "{name}: {diagnostic}");
        }
        for (a, b) in first.messages().iter().zip(second.database.messages()) {
            assert_eq!(a, b, "{name}");
        }
        assert!(first == second.database, "{name}");
        assert_eq!(text, second.database.to_dbc(), "{name}");
    }
}

/// A float has a sign whatever its mark, and keeps the mark all the same.
#[test]
fn the_mark_of_a_float_is_kept() {
    let text = "BU_: A\nBO_ 1 X: 8 A\n SG_ P : 0|32@1+ (1,0) [0|0] \"\" A\n SG_ M : 32|32@1- (1,0) [0|0] \"\" A\n\
                SIG_VALTYPE_ 1 P : 1;\nSIG_VALTYPE_ 1 M : 1;\n";
    let database = Database::parse(text).unwrap();
    let marks = |database: &Database| -> Vec<bool> {
        database.messages()[0].signals().iter().map(coachwork_dbc::Signal::is_marked_signed).collect()
    };
    assert_eq!(marks(&database), [false, true]);
    assert_eq!(marks(&Database::parse(&database.to_dbc()).unwrap()), [false, true]);
}

/// Found by the fuzzer: a relation to a signal that is left out (its factor is zero) was kept, and written.
#[test]
fn a_relation_to_what_is_left_out_is_left_out() {
    let text = "BU_: A\nBO_ 1 X: 8 A\n SG_ P : 0|8@1+ (1,0) [0|0] \"\" A\n SG_ Q : 8|8@1+ (0,0) [0|0] \"\" A\n\
                BA_DEF_REL_ BU_SG_REL_ \"Timeout\" INT 0 1000;\nBA_DEF_DEF_REL_ \"Timeout\" 0;\n\
                BA_REL_ \"Timeout\" BU_SG_REL_ A SG_ 1 P 20;\nBA_REL_ \"Timeout\" BU_SG_REL_ A SG_ 1 Q 30;\n";
    let loaded = Options::new().load_text(text).unwrap();
    assert_eq!(loaded.database.relations().len(), 1);
    let left_out: Vec<_> = loaded.diagnostics.iter().map(|found| (found.line(), found.code())).collect();
    assert!(left_out.contains(&(4, Code::BadSignal)), "{left_out:?}");
    assert!(left_out.contains(&(8, Code::UnknownSignal)), "{left_out:?}");
    let again = Options::new().load_text(&loaded.database.to_dbc()).unwrap();
    assert!(
        again.diagnostics.iter().all(|found| found.severity() == Severity::Notice),
        "{:?}",
        again.diagnostics
    );
    assert!(again.database == loaded.database);
}

/// Found by the fuzzer: a group of a second message with one id, whose only signal is left out, came back as one of the first message.
#[test]
fn a_group_of_what_is_left_out_belongs_to_the_first_message_of_its_id() {
    let text = "BU_: A\nBO_ 1 X: 8 A\n SG_ P : 0|8@1+ (1,0) [0|0] \"\" A\nBO_ 1 Y: 8 A\n SG_ Q : 8|8@1+ (0,0) [0|0] \"\" A\n\
                SIG_GROUP_ 1 G 1 : Q;\n";
    let loaded = Options::new().load_text(text).unwrap();
    let groups: Vec<usize> =
        loaded.database.messages().iter().map(|message| message.groups().len()).collect();
    assert_eq!(groups, [1, 0]);
    let again = Options::new().load_text(&loaded.database.to_dbc()).unwrap();
    assert!(again.database == loaded.database);
}

/// Found by the fuzzer: what the reader takes for space between two words was kept in a symbol, and lost when it was read again.
#[test]
fn any_space_ends_a_new_symbol() {
    for space in ["\t", "\u{b}", "\u{c}", "\r", " "] {
        let database =
            Database::parse(&format!("NS_ :\n\tCM_{space}\tVAL_{space}BA_\n\nBS_:\n\nBU_:\n")).unwrap();
        assert_eq!(database.new_symbols(), ["CM_", "VAL_", "BA_"], "{space:?}");
        assert!(Database::parse(&database.to_dbc()).unwrap() == database, "{space:?}");
    }
}

/// Found by the fuzzer: of two messages with one id, the first was taken though it has no such multiplexer.
#[test]
fn a_multiplexer_is_of_the_message_that_has_both_signals() {
    let text = "BU_: A\nBO_ 1 X: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" A\n\
                BO_ 1 Y: 8 A\n SG_ M M : 0|4@1+ (1,0) [0|0] \"\" A\n SG_ N M : 4|4@1+ (1,0) [0|0] \"\" A\n SG_ S m0 : 8|8@1+ (1,0) [0|0] \"\" A\n\
                SG_MUL_VAL_ 1 S N 0-0;\n";
    let loaded = Options::new().load_text(text).unwrap();
    let of = |database: &Database| -> Vec<Option<String>> {
        let last = |message: &coachwork_dbc::Message| {
            message.signals().last().unwrap().multiplexed().map(|found| found.multiplexer().to_owned())
        };
        database.messages().iter().map(last).collect()
    };
    assert_eq!(of(&loaded.database), [None, Some("N".to_owned())]);
    let again = Options::new().load_text(&loaded.database.to_dbc()).unwrap();
    assert!(
        again.diagnostics.iter().all(|found| found.severity() == Severity::Notice),
        "{:?}",
        again.diagnostics
    );
    assert!(again.database == loaded.database);
}
