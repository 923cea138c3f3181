//! A database through JSON and back.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used)]

use coachwork_dbc::{Database, Message};

#[test]
fn a_database_serialises() {
    let text = "VERSION \"1\"\nBS_:\nBU_: A\nBO_ 2147483904 M: 8 A\n SG_ X M : 0|8@1+ (0.5,0) [0|100] \"%\" A\n SG_ Y m1 : 8|8@1- (1,0) [0|0] \"\" A\nBA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 0;\nBA_ \"GenMsgCycleTime\" BO_ 2147483904 20;\nVAL_ 2147483904 X 255 \"SNA\" 0 \"off\";\n";
    let database = Database::parse(text).unwrap();
    let json = serde_json::to_string(&database).unwrap();
    assert_eq!(serde_json::from_str::<Database>(&json).unwrap(), database);
    // What cannot be compiled does not come in.
    let message = serde_json::to_string(&database.messages()[0]).unwrap();
    let wrong = message.replace("\"factor\":0.5", "\"factor\":0.0");
    assert_ne!(message, wrong);
    assert!(serde_json::from_str::<Message>(&wrong).unwrap_err().to_string().contains("the factor not zero"));
}
