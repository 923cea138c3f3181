//! `coachwork lint` and `coachwork diff` as a build server calls them: what they print, and how they end.
//!
//! *Invariant:* the databases are written here; nothing outside the project is needed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::process::{Command, Output};

/// A file that is gone when the test ends.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn coachwork(arguments: &[&str], files: &[&File]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coachwork"));
    let Output { status, stdout, stderr } =
        command.args(arguments).args(files.iter().map(|file| &file.0)).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn database(signals: &str) -> String {
    format!(
        "VERSION \"\"\n\nBS_:\n\nBU_: A B\n\nBO_ 256 Wheels: 8 A\n{signals}\nBA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 1000;\nBA_DEF_DEF_ \"GenMsgCycleTime\" 20;\n"
    )
}

const SPEED: &str = " SG_ Speed : 0|16@1+ (0.01,0) [0|655.35] \"km/h\" B\n";

#[test]
fn a_sound_database_passes() {
    let file = File::new("sound.dbc", &database(SPEED));
    let (status, out, error) = coachwork(&["lint"], &[&file]);
    assert_eq!((status, out.as_str(), error.as_str()), (0, "", ""));
}

#[test]
fn an_error_fails_and_a_note_does_not() {
    let file = File::new("unit.dbc", &database(&SPEED.replace("km/h", "kph")));
    let (status, out, _) = coachwork(&["lint"], &[&file]);
    assert_eq!(status, 0);
    assert!(
        out.contains("note: Wheels.Speed: the unit \"kph\" is usually spelled \"km/h\" [unit-spelling]"),
        "{out}"
    );
    assert_eq!(coachwork(&["lint", "--deny", "unit-spelling"], &[&file]).0, 1);
    let (status, out, _) = coachwork(&["lint", "--allow", "unit-spelling"], &[&file]);
    assert_eq!((status, out.as_str()), (0, ""));

    let file =
        File::new("overlap.dbc", &database(&format!("{SPEED} SG_ Late : 15|2@1+ (1,0) [0|3] \"\" B\n")));
    let (status, out, _) = coachwork(&["lint", "--format", "json"], &[&file]);
    let finding: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!((status, &finding["code"], &finding["line"]), (1, &"overlap".into(), &9.into()), "{out}");
    assert_eq!((&finding["message"], &finding["signal"]), (&"Wheels".into(), &"Late".into()));
}

#[test]
fn every_file_is_looked_at() {
    let (broken, sound) = (
        File::new("broken.dbc", "no database"),
        File::new("whole.dbc", &database(&SPEED.replace("km/h", "kph"))),
    );
    let (status, out, error) = coachwork(&["lint"], &[&broken, &sound]);
    assert_eq!(status, 1);
    assert!(out.contains("unit-spelling") && error.contains("broken.dbc"), "{out}{error}");
    assert_eq!(coachwork(&["lint", "--deny", "nonsense"], &[&sound]).0, 2);
    let (status, out, _) = coachwork(&["lint", "--rules"], &[]);
    assert!(status == 0 && out.lines().count() > 30 && out.contains("overlap"), "{out}");
}

#[test]
fn the_verdict_is_the_status() {
    let older = File::new("older.dbc", &database(SPEED));
    let same =
        |arguments: &[&str], newer: &File| coachwork(&[&["diff"], arguments].concat(), &[&older, newer]);
    let (status, out, _) = same(&["--fail-on", "additive"], &older);
    assert_eq!((status, out.as_str()), (0, "compatible: no changes\n"));

    let more = File::new("more.dbc", &database(&format!("{SPEED} SG_ New : 16|8@1+ (1,0) [0|255] \"\" B\n")));
    let (status, out, _) = same(&[], &more);
    assert_eq!(status, 0);
    assert!(out.starts_with("additive: Wheels.New: (none) -> 16|8 little-endian [signal-added]\n"), "{out}");
    assert_eq!(same(&["--fail-on", "additive"], &more).0, 1);

    let narrow = File::new("narrow.dbc", &database(&SPEED.replace("655.35", "300")));
    assert_eq!(same(&[], &narrow).0, 1, "a sender may send 400");
    assert_eq!(same(&["--for", "receivers"], &narrow).0, 0);
    assert_eq!(same(&["--fail-on", "never"], &narrow).0, 0);
    let (_, out, _) = same(&["--format", "json"], &narrow);
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&lines[0]["code"], &lines[0]["sender"], &lines[1]["verdict"]),
        (&"range".into(), &"breaking".into(), &"breaking".into())
    );
}
