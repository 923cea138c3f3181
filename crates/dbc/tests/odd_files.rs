//! Where real files are odd and ours differs from what cantools makes of them, case by case; the texts are made for this.
//!
//! *Invariant:* each case was seen in a published file: in 330 databases of nine projects nothing else differs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use coachwork_dbc::{Code, EncodeError, Loaded, Number, Options, Severity, Value};

fn load(text: &str) -> Loaded {
    Options::new().load(text.as_bytes()).unwrap_or_else(|why| panic!("{why}"))
}

fn said(loaded: &Loaded) -> Vec<(Code, Severity, u32)> {
    loaded.diagnostics.iter().map(|found| (found.code(), found.severity(), found.line())).collect()
}

/// The mark `m` without a number, on the signal that `SG_MUL_VAL_` names as the multiplexer.
#[test]
fn a_multiplexer_that_is_not_marked_as_one() {
    let loaded = load(
        "BS_:\nBU_: A\nBO_ 648 M: 8 A\n SG_ Code m : 6|2@1+ (1,0) [0|3] \"\" A\n SG_ Most m3 : 8|6@1+ (10,0) [0|630] \"\" A\n\
         SG_MUL_VAL_ 648 Most Code 3-3;\n",
    );
    assert_eq!(
        said(&loaded),
        [(Code::NoMultiplexer, Severity::Repaired, 4), (Code::NoMultiplexer, Severity::Repaired, 6)]
    );
    let message = &loaded.database.messages()[0];
    assert!(message.signals()[0].is_multiplexer());
    assert!(message.decode(&[0xC0, 5, 0, 0, 0, 0, 0, 0]).unwrap().value_named("Most").is_some());
    assert_eq!(message.decode_partial(&[0; 8]).count(), 1);
}

/// Statements that name an id which two messages have: cantools gives them to the last message, ours to the first that fits.
#[test]
fn two_messages_with_one_id() {
    let loaded = load(
        "BS_:\nBU_: A\nBO_ 1 First: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" A\nBO_ 1 Second: 8 A\n SG_ T : 0|8@1+ (1,0) [0|0] \"\" A\n\
         CM_ BO_ 1 \"one\";\nCM_ SG_ 1 T \"two\";\nBA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 1000;\nBA_ \"GenMsgCycleTime\" BO_ 1 100;\n",
    );
    assert_eq!(said(&loaded), [(Code::DuplicateId, Severity::Notice, 5)]);
    let [first, second] = loaded.database.messages() else { panic!("both are kept") };
    assert_eq!((first.comment(), second.comment()), (Some("one"), None));
    assert_eq!((first.cycle_time().is_some(), second.cycle_time()), (true, None));
    assert_eq!(second.signals()[0].comment(), Some("two"));
}

/// A signed multiplexer: cantools compares its number, -128, with `m128`; ours compares the bits, so that every mark can be met.
#[test]
fn a_signed_multiplexer() {
    let loaded = load(
        "BS_:\nBU_: A\nBO_ 1409 M: 8 A\n SG_ State M : 0|8@1- (1,0) [-128|127] \"\" A\n SG_ Code m128 : 32|32@1- (1,0) [0|0] \"\" A\n",
    );
    assert!(loaded.diagnostics.is_empty());
    let message = &loaded.database.messages()[0];
    let decoded = message.decode(&[0x80, 0, 0, 0, 7, 0, 0, 0]).unwrap();
    assert_eq!(decoded.value_named("Code").unwrap().physical(), Number::Integer(7));
    let given =
        [("State", Value::Physical(Number::Integer(-128))), ("Code", Value::Physical(Number::Integer(7)))];
    assert_eq!(message.encode(&given).unwrap(), [0x80, 0, 0, 0, 7, 0, 0, 0]);
    let wrong =
        [("State", Value::Physical(Number::Integer(1))), ("Code", Value::Physical(Number::Integer(7)))];
    assert!(
        matches!(message.encode(&wrong), Err(EncodeError::Contradiction { .. })),
        "{:?}",
        message.encode(&wrong)
    );
}

/// cantools refuses these files as a whole.
#[test]
fn files_that_others_refuse() {
    // Bit timing with numbers, an extended id with more than 29 bits, a standard id with more than 11.
    for (text, messages) in [
        ("VERSION \"\"\nBS_: 1 : 2, 3\nBU_: A\nBO_ 1 M: 8 A\n", 1),
        ("BS_:\nBU_: A\nBO_ 4294967295 M: 8 A\n", 1),
        ("BS_:\nBU_: A\nBO_ 1075054137 M: 8 A\n", 1),
        ("// a comment in the manner of C++\nBS_:\nBU_: A\nBO_ 1 M: 8 A // another\n", 1),
    ] {
        assert_eq!(load(text).database.messages().len(), messages, "{text}");
    }
}
