//! The main job as a person runs it: the story, and what bad files make of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coachwork_examples::{databases, drive_log, mapping_file};

/// The example, which `cargo test` has built beside this test (`cargo test --test main_job` alone does not).
fn swap_platform(args: &[&str]) -> Output {
    let here = std::env::current_exe().unwrap();
    let built = here.parent().and_then(Path::parent).unwrap().join("examples");
    let program = built.join("swap_platform").with_extension(std::env::consts::EXE_EXTENSION);
    Command::new(program).args(args).output().expect("`cargo test` without --test builds the examples")
}

fn told(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The lines of one platform of the story.
fn chapter<'a>(story: &'a str, number: &str) -> &'a str {
    let (_, rest) = story.split_once(&format!("\n{number}  ")).unwrap();
    rest.split("\n\n").next().unwrap()
}

#[test]
fn one_app_on_six_platforms() {
    let story = told(&swap_platform(&[]));
    for number in ["1", "2", "3", "4", "5", "6"] {
        let told = chapter(&story, number);
        assert!(told.contains("doors      4, all closed"), "{told}");
        assert!(told.contains("no grant   the seat stays cold: "), "{told}");
        let moves = !told.contains("recorded log");
        assert_eq!(told.contains("grant      the seat is warm: confirmed "), moves, "{told}");
        assert!(told.contains("seat heating is not in your plan") || !moves, "{told}");
    }
    assert!(story.contains("in 12 of 12 runs"), "{story}");
    assert!(story.contains("on 4 of 6 the seat is warm"), "{story}");
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_named_with_line_and_cause() {
    let dir = std::env::temp_dir().join(format!("coachwork-main-job-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, content: &[u8]| -> String {
        let file = dir.join(name);
        std::fs::write(&file, content).unwrap();
        file.display().to_string()
    };
    let database = std::fs::read(&databases()[0]).unwrap();
    let mapping = std::fs::read_to_string(mapping_file()).unwrap();
    let missing = dir.join("missing").display().to_string();
    let noise = file("noise.log", b"noise\nmore noise\n");
    let empty = file("empty.log", b"");
    let text = file("text.dbc", b"# not a database\n");
    let cut = file("cut.dbc", &database[..1000]);
    let unknown =
        file("unknown.json", mapping.replace("DriveStatus.VehicleSpeed", "DriveStatus.Nothing").as_bytes());
    let open = file("open.json", b"{\n  \"Vehicle\": [\n");
    for (option, file, cause) in [
        ("--dbc", &missing, "No such file"),
        ("--dbc", &text, ":1:1: not a DBC file"),
        ("--dbc", &cut, ": the file ends in the middle of a statement"),
        ("--log", &missing, "No such file"),
        ("--log", &noise, ":1:1: not a frame"),
        ("--log", &empty, ": the log is empty"),
        ("--mapping", &missing, "No such file"),
        (
            "--mapping",
            &unknown,
            ": Vehicle.Speed: dbc2vss: the database has no signal \"DriveStatus.Nothing\"",
        ),
        ("--mapping", &open, ": line 3, column 0: "),
    ] {
        let output = swap_platform(&[option, file]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{option} {file}: {error}");
        assert!(error.contains(file.as_str()) && error.contains(cause), "{option} {file}: {error}");
        assert!(output.stdout.is_empty(), "{option} {file}: the story began");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn good_lines_around_a_bad_one_are_played_and_the_bad_one_is_counted() {
    let log = std::fs::read_to_string(drive_log()).unwrap();
    let mut lines: Vec<_> = log.lines().collect();
    lines.insert(20, "(17000 can0 noise");
    let file = std::env::temp_dir().join(format!("coachwork-noisy-{}.log", std::process::id()));
    std::fs::write(&file, lines.join("\n")).unwrap();
    let name = file.display().to_string();
    let story = told(&swap_platform(&["--log", &name]));
    std::fs::remove_file(&file).unwrap();
    for number in ["2", "5"] {
        let told = chapter(&story, number);
        assert!(told.contains("above 30 km/h after"), "{told}");
        assert!(told.contains(&format!("no frames: 1, the first: {name}:21:")), "{told}");
    }
}

#[test]
fn the_same_app_on_two_recorded_cars() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let corpus = std::env::var_os("COACHWORK_CORPUS")
        .map_or_else(|| root.join("../shared/corpus"), |path| root.join(path));
    if !corpus.is_dir() {
        assert!(
            std::env::var_os("COACHWORK_REQUIRE_CORPUS").is_none_or(|v| v != "1"),
            "no {}",
            corpus.display()
        );
        println!("skipped: {} is not here", corpus.display());
        return;
    }
    let text = |file: &str| corpus.join(file).display().to_string();
    let mapped =
        |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings").join(name).display().to_string();
    for (dbc, log, mapping, frames, says) in [
        (
            "dbc/kona-ev/pcan.dbc",
            "logs/csv/230112-7-2019-pcan-ccan-power-off-on-ready-off.csv",
            "kona_ev.json",
            "39546 frames read",
            "range      204 km",
        ),
        (
            "dbc/opendbc/chrysler_pacifica_2017_hybrid_generated.dbc",
            "logs-gpl3/candump/dodge_durango_engine_on.log",
            "durango.json",
            "32150 frames read",
            "speed      0.0 km/h",
        ),
    ] {
        let args = ["--dbc", &text(dbc), "--log", &text(log), "--mapping", &mapped(mapping)];
        let story = told(&swap_platform(&args));
        for number in ["2", "5"] {
            let told = chapter(&story, number);
            assert!(told.contains(frames) && told.contains(says), "{told}");
        }
    }
}
