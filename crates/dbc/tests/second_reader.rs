//! The two readers of the loader: they agree on real files, and a disagreement is shown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

use std::path::{Path, PathBuf};

use coachwork_dbc::{Code, Options};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "dbc") {
            found.push(path);
        }
    }
}

#[test]
fn the_readers_agree_on_every_sound_statement_of_the_corpus() {
    let corpus = std::env::var("COACHWORK_CORPUS")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"), PathBuf::from);
    if !corpus.join("dbc").is_dir() {
        assert!(
            std::env::var("COACHWORK_REQUIRE_CORPUS").is_err(),
            "the corpus is required, and is not there"
        );
        eprintln!("no corpus: nothing was compared");
        return;
    }
    let mut found = Vec::new();
    files(&corpus.join("dbc"), &mut found);
    assert!(found.len() > 60, "{} files", found.len());
    let (mut twice, mut statements) = (0, 0);
    for path in found {
        let loaded = Options::new().load(&std::fs::read(&path).unwrap()).unwrap();
        let differ: Vec<_> =
            loaded.diagnostics.iter().filter(|d| d.code() == Code::ReadersDisagree).collect();
        assert!(differ.is_empty(), "{}: {} differences, {}", path.display(), differ.len(), differ[0]);
        twice += loaded.read_twice;
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let begins = [
            "BO_ ",
            "BO_TX_BU_ ",
            "CM_ ",
            "BA_DEF_ ",
            "BA_DEF_DEF_ ",
            "BA_ ",
            "VAL_ ",
            "VAL_TABLE_ ",
            "SIG_VALTYPE_ ",
            "SG_MUL_VAL_ ",
            "SIG_GROUP_ ",
        ];
        statements += text.lines().filter(|line| begins.iter().any(|word| line.starts_with(word))).count();
    }
    eprintln!("{twice} of about {statements} statements were read twice, and alike");
    // The rest needed repair, or is refused by the second reader.
    assert!(twice * 10 >= statements * 9, "only {twice} of about {statements} statements were read twice");
}

#[test]
fn what_needs_repair_is_read_once() {
    // The second reader takes a multiplexer mark without a number for none; the first refuses it.
    let loaded =
        Options::new().load(b"BU_: A\nBO_ 1 X: 8 A\n SG_ S m : 0|8@1+ (1,0) [0|0] \"\" A\n").unwrap();
    assert!(loaded.diagnostics.iter().any(|d| d.code() == Code::NoMultiplexer));
    assert_eq!(loaded.read_twice, 0);
}
