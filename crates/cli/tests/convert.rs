//! `coachwork convert` as people call it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Standard output, standard error and exit status of `coachwork convert …`.
fn convert(folder: &Path, arguments: &[&str], input: &[u8]) -> (Vec<u8>, String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_coachwork"))
        .current_dir(folder)
        .arg("convert")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feed = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap();
    (output.stdout, String::from_utf8(output.stderr).unwrap(), output.status.code().unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const LOG: &[u8] = b"(1700000000.123456) can0 123#E8030100 R\n(1700000000.200000) can1 18FEF100##3010203 T\n(1700000001.000000001) can0 124#R8 R\n";

#[test]
fn there_and_back_through_every_format() {
    let folder = folder("back");
    std::fs::write(folder.join("in.log"), LOG).unwrap();
    // Numbers take the place of names, `can0` first; what CSV loses is told.
    let numbered = String::from_utf8(LOG.to_vec()).unwrap().replace("can0", "1").replace("can1", "2");
    for (file, lost) in [
        ("x.asc", ""),
        ("x.trc", ""),
        ("x.trc.gz", ""),
        ("x.blf", ""),
        ("x.blf.gz", ""),
        ("x.pcapng", ""),
        (
            "x.csv",
            "coachwork: in.log: of the written, 3 without their channel, 3 without their direction, 1 without their CAN FD flags\n",
        ),
    ] {
        let (out, err, code) = convert(&folder, &["in.log", file], b"");
        assert_eq!(err, format!("coachwork: in.log: 3 frames, 3 written to {file}\n{lost}"));
        assert_eq!((out.len(), code), (0, 0));
        let (out, _, code) = convert(&folder, &[file, "-", "--to", "candump"], b"");
        let expected = if file == "x.csv" {
            "(1700000000.123456) - 123#E8030100\n(1700000000.200000) - 18FEF100#010203\n(1700000001.000000001) - 124#R8\n"
        } else if file == "x.pcapng" {
            str::from_utf8(LOG).unwrap()
        } else {
            numbered.as_str()
        };
        assert_eq!((String::from_utf8(out).unwrap().as_str(), code), (expected, 0), "{file}");
    }
    assert!(std::fs::read(folder.join("x.trc.gz")).unwrap().starts_with(b"\x1F\x8B"));
    assert_eq!(
        names(&folder),
        ["in.log", "x.asc", "x.blf", "x.blf.gz", "x.csv", "x.pcapng", "x.trc", "x.trc.gz"]
    );
    let (out, err, code) = convert(&folder, &["-", "-", "--to", "candump"], LOG);
    assert_eq!((out.as_slice(), code), (LOG, 0));
    assert_eq!(err, "coachwork: standard input: 3 frames, 3 written to -\n");
}

#[test]
fn what_is_lost_is_counted_and_strict_refuses_it() {
    let folder = folder("lost");
    let log = b"can0 123#00\n(1.0) can0 123##0000102030405060708\nnoise\n(2.0) can0 123#00\n";
    std::fs::write(folder.join("in.log"), log).unwrap();
    let (_, err, code) = convert(&folder, &["in.log", "out.trc"], b"");
    assert_eq!(
        err.lines().collect::<Vec<_>>(),
        [
            "coachwork: in.log:3:1: not a frame in any form this reads",
            "coachwork: in.log: 3 frames, 1 written to out.trc",
            "coachwork: in.log: 1 lost: TRC cannot hold a CAN FD frame of a length that has no code",
            "coachwork: in.log: 1 lost: TRC logs hold no frame without a time",
            "coachwork: in.log: 1 record is no frame",
        ]
    );
    assert_eq!(code, 1);
    for (input, output, told) in [
        ("noise\n", "out.asc", "coachwork: standard input:1:1: not a frame in any form this reads\n"),
        ("can0 123#00\n", "out.asc", "coachwork: out.asc: frame 1: ASC logs hold no frame without a time\n"),
        ("(1.0) can0 123#00\n", "out.csv", "coachwork: out.csv: frame 1: 1 without their channel\n"),
    ] {
        let (_, err, code) = convert(&folder, &["-", output, "--strict"], input.as_bytes());
        assert_eq!((err.as_str(), code), (told, 1));
    }
    assert_eq!(names(&folder), ["in.log", "out.trc"], "nothing half is left");
}

#[test]
fn the_input_stays_and_a_failure_leaves_nothing() {
    let folder = folder("stays");
    std::fs::write(folder.join("in.log"), LOG).unwrap();
    std::fs::write(folder.join("other.zip"), b"PK\x03\x04").unwrap();
    std::fs::write(folder.join("cut.log.gz"), b"\x1F\x8B\x08\0").unwrap();
    std::fs::write(folder.join("out.asc"), b"old").unwrap();
    std::fs::write(folder.join("letter.txt"), b"Dear all\n").unwrap();
    for (arguments, told) in [
        (&["in.log", "in.log"][..], "coachwork: in.log: the output would replace the input\n"),
        (&["in.log", "./in.log"], "coachwork: ./in.log: the output would replace the input\n"),
        (
            &["in.log", "out.xyz"],
            "coachwork: out.xyz: no format is written under such a name: say which with --to\n",
        ),
        (&["other.zip", "out.asc"], "coachwork: other.zip: this is a zip file, which is not read\n"),
        (&["cut.log.gz", "out.asc"], "coachwork: cut.log.gz: unexpected end of file\n"),
        (
            &["letter.txt", "out.asc"],
            "coachwork: letter.txt:1:1: not a frame in any form this reads\ncoachwork: letter.txt: 1 record is no frame\n",
        ),
        (&[".", "out.asc"], "coachwork: .: is a directory\n"),
    ] {
        let (_, err, code) = convert(&folder, arguments, b"");
        assert_eq!((err.as_str(), code), (told, 1));
    }
    assert_eq!(convert(&folder, &["nope.log", "out.asc"], b"").2, 1);
    assert_eq!(convert(&folder, &["in.log", "nowhere/out.asc"], b"").2, 1);
    assert_eq!(convert(&folder, &["in.log", "out.asc", "--to", "nope"], b"").2, 2);
    assert_eq!(std::fs::read(folder.join("in.log")).unwrap(), LOG);
    assert_eq!(std::fs::read(folder.join("out.asc")).unwrap(), b"old");
    assert_eq!(names(&folder), ["cut.log.gz", "in.log", "letter.txt", "other.zip", "out.asc"]);
}
