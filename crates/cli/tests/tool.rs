//! The tool as people call it: output, standard error, exit status; as a pipe; on bad input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const DBC: &str = r#"VERSION ""
NS_ :
BS_:
BU_: ECU APP
BO_ 291 Drive: 4 ECU
 SG_ Speed : 0|16@1+ (0.01,0) [0|300] "km/h" APP
 SG_ Door : 16|2@1+ (1,0) [0|3] "" APP
BO_ 292 Mux: 2 ECU
 SG_ Which M : 0|8@1+ (1,0) [0|3] "" APP
 SG_ A m1 : 8|8@1- (1,0) [0|3] "" APP
 SG_ B m2 : 8|8@1+ (0.5,0) [0|3] "" APP
BO_ 2566844672 J1939: 8 ECU
 SG_ Wheel : 0|32@1- (1,0) [0|0] "" APP
SIG_VALTYPE_ 2566844672 Wheel : 1;
VAL_ 291 Door 0 "Closed" 1 "Open" ;
"#;

/// A folder of this test's own, with the database in it.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("car.dbc"), DBC).unwrap();
    folder
}

fn tool(folder: &PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coachwork"));
    command.current_dir(folder).args(arguments);
    command
}

fn run(name: &str, arguments: &[&str], input: &[u8]) -> (String, String, i32) {
    let mut child = tool(&folder(name), arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feed = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    feed.join().unwrap();
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), status.code().unwrap())
}

const LOG: &[u8] = b"(1700000000.123456) can0 123#E8030100\n(1700000000.2) can0 124#01FF\n(1700000000.3) can1 124#0204\n(1.5) can0 18FEF100#0000C03F00000000\n";

#[test]
fn json_lines() {
    let (out, err, code) = run("json", &["decode", "car.dbc", "-", "--format", "jsonl"], LOG);
    assert_eq!(
        out.lines().collect::<Vec<_>>(),
        [
            r#"{"time":1700000000.123456,"channel":"can0","id":291,"extended":false,"message":"Drive","signals":{"Speed":10.0,"Door":1}}"#,
            r#"{"time":1700000000.200000,"channel":"can0","id":292,"extended":false,"message":"Mux","signals":{"Which":1,"A":-1}}"#,
            r#"{"time":1700000000.300000,"channel":"can1","id":292,"extended":false,"message":"Mux","signals":{"Which":2,"B":2.0}}"#,
            r#"{"time":1.500000,"channel":"can0","id":419361024,"extended":true,"message":"J1939","signals":{"Wheel":1.5}}"#,
        ]
    );
    assert_eq!((err.as_str(), code), ("", 0));
    let (out, ..) = run("json", &["decode", "car.dbc", "--format", "jsonl", "--raw"], LOG);
    assert!(out.starts_with(r#"{"time":1700000000.123456,"channel":"can0","id":291,"extended":false,"message":"Drive","signals":{"Speed":1000,"Door":1}}"#), "{out}");
    let (out, ..) = run(
        "json",
        &["decode", "car.dbc", "--format", "jsonl"],
        b"(1.0) can0 18FEF100#0000C07F00000000\n18FEF100#\n",
    );
    assert!(out.ends_with("\"signals\":{\"Wheel\":\"NaN\"}}\n"), "{out}");
}

#[test]
fn text() {
    let (out, ..) = run("text", &["decode", "car.dbc"], LOG);
    assert!(
        out.starts_with(" (1700000000.123456)  can0  123   [4]  E8 03 01 00 ::\nDrive(\n    Speed: 10 km/h,\n    Door: Open\n)\n"),
        "{out}"
    );
    let (out, ..) = run("text", &["decode", "car.dbc", "-s", "-c"], b"can0 123##0E803010000000000\n");
    assert_eq!(out, "  can0  123  [08]  E8 03 01 00 00 00 00 00 :: Drive(Speed: 10 km/h, Door: 1)\n");
}

#[test]
fn what_does_not_decode_is_skipped_and_counted() {
    let log = b"(1.0) can0 7FF#00\n(1.0) can0 123#00\n(1.0) can0 124#0900\n(1.0) can0 123#R\n(1.0) can0 123#00000000\n";
    let (out, err, code) = run("skip", &["decode", "car.dbc", "--format", "jsonl"], log);
    assert_eq!(out.lines().count(), 1);
    assert_eq!(
        err,
        "coachwork: standard input: 5 frames, 4 skipped: 1 of an unknown id, 1 shorter than their message, 1 with an undefined multiplexer value, 1 remote or error frames\n"
    );
    assert_eq!(code, 0);
    let (out, err, code) = run("skip", &["decode", "car.dbc", "--format", "jsonl", "--partial"], log);
    assert_eq!(out.lines().count(), 3);
    assert!(out.contains(r#""message":"Mux","signals":{"Which":9}"#), "{out}");
    assert!(err.contains("5 frames, 2 skipped: 1 of an unknown id, 1 remote"), "{err}");
    assert_eq!(code, 0);
}

#[test]
fn identifiers_match_by_parameter_group_where_asked() {
    let log = b"(1.0) can0 0CFEF1AA#0000C03F00000000\n";
    assert_eq!(run("pgn", &["decode", "car.dbc", "--match", "exact"], log).0, "");
    assert_eq!(run("pgn", &["decode", "car.dbc", "--match", "pgn"], log).0.lines().count(), 4);
    assert_eq!(run("pgn", &["decode", "car.dbc"], log).0, "", "nothing says that the database is J1939");
}

#[test]
fn bad_lines_are_named_and_the_others_decode() {
    let mut log = b"noise\n(1.0) can0 123#00000000\n(1.0) can0 123#0\n".to_vec();
    log.extend(std::iter::repeat_n(b'x', 20_000));
    log.extend(b"\n(2.0) can0 123#00000000");
    std::fs::write(folder("bad").join("bad.log"), &log).unwrap();
    let (out, err, code) = run("bad", &["decode", "car.dbc", "bad.log", "--format", "jsonl"], b"");
    assert_eq!(out.lines().count(), 2);
    assert_eq!(
        err.lines().collect::<Vec<_>>(),
        [
            "coachwork: bad.log:1:1: not a frame in any form this reads",
            "coachwork: bad.log:3:16: the payload is not hexadecimal bytes",
            "coachwork: bad.log:4:4097: the line is longer than 4096 bytes",
            "coachwork: bad.log: 3 records are no frames",
        ]
    );
    assert_eq!(code, 1);
    let (_, err, code) = run("bad", &["decode", "car.dbc"], &b"noise\n".repeat(1000));
    assert_eq!((err.lines().count(), code), (11, 1));
    assert!(err.ends_with("standard input: 1000 records are no frames\n"), "{err}");
}

#[test]
fn files_that_are_missing_or_something_else_are_named() {
    let fails = |arguments: &[&str], expected: &str| {
        let (out, err, code) = run("files", arguments, b"");
        assert_eq!((out.as_str(), code), ("", 1), "{arguments:?}");
        assert!(err.starts_with(expected), "{arguments:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    };
    let folder = folder("files");
    std::fs::write(folder.join("not.dbc"), "this is a letter\n").unwrap();
    std::fs::write(folder.join("cut.dbc"), &DBC.as_bytes()[..150]).unwrap();
    std::fs::write(folder.join("log.zip"), b"PK\x03\x04").unwrap();
    fails(&["decode", "nope.dbc", "-"], "coachwork: nope.dbc: ");
    fails(&["decode", "not.dbc", "-"], "coachwork: not.dbc:1:");
    fails(&["decode", "cut.dbc", "-"], "coachwork: cut.dbc:");
    fails(&["decode", "car.dbc", "nope.log"], "coachwork: nope.log: ");
    fails(&["decode", "car.dbc", "."], "coachwork: .: is a directory");
    fails(&["decode", "car.dbc", "log.zip"], "coachwork: log.zip: this is a zip file, which is not read");
    fails(&["dump", "nope.dbc"], "coachwork: nope.dbc: ");
    fails(&["dump", "car.dbc", "-M", "Nope"], "coachwork: car.dbc: there is no message \"Nope\"");
    assert_eq!(run("files", &["decode"], b"").2, 2);
}

#[test]
fn a_pipe_without_an_end_shows_each_frame_as_it_comes() {
    let mut child = tool(&folder("pipe"), &["decode", "car.dbc", "--format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for second in 0..20 {
        writeln!(stdin, "({second}.0) can0 123#00000000").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("{{\"time\":{second}.")), "{line}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut child = tool(&folder("head"), &["decode", "car.dbc"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    drop(child.stdout.take());
    for _ in 0..100_000 {
        if stdin.write_all(b"(1.0) can0 123#00000000\n").is_err() {
            break;
        }
    }
    drop(stdin);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(err, "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn dump_as_json_and_for_people() {
    let (out, _, code) = run("dump", &["dump", "car.dbc", "--format", "jsonl"], b"");
    assert_eq!(code, 0);
    let messages: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[0]["id"], 291);
    assert_eq!(messages[0]["signals"][0]["factor"], 0.01);
    assert_eq!(messages[0]["signals"][0]["byte_order"], "little_endian");
    assert_eq!(messages[0]["signals"][1]["choices"]["1"], "Open");
    assert_eq!(messages[1]["signals"][1]["multiplexer"]["name"], "Which");
    assert_eq!(messages[1]["signals"][1]["multiplexer"]["values"], serde_json::json!([[1, 1]]));
    assert_eq!(messages[2]["extended"], true);
    let (out, ..) = run("dump", &["dump", "car.dbc", "-M", "Drive"], b"");
    assert_eq!(
        out,
        "123  Drive  4 bytes  from ECU\n    Speed  bit 0, 16 bits, little endian, unsigned, x 0.01 + 0, 0 to 300 km/h\n    Door   bit 16, 2 bits, little endian, unsigned, x 1 + 0, 0 to 3\n               0 Closed\n               1 Open\n\n"
    );
}
