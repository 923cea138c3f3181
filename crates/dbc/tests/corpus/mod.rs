//! The corpus of real files, where it is, and its rows.
//!
//! *Invariant:* an absent corpus is said and skipped, unless `COACHWORK_REQUIRE_CORPUS=1`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::duplicated_attributes,
    unreachable_pub,
    dead_code
)]

mod json;

use std::io::Read as _;
use std::path::{Path, PathBuf};

pub use json::Json;

/// The corpus: `COACHWORK_CORPUS`, or beside the workspace.
pub fn root() -> Option<PathBuf> {
    let root = std::env::var_os("COACHWORK_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"), PathBuf::from);
    if root.join("oracle").is_dir() {
        return Some(root);
    }
    assert!(
        std::env::var_os("COACHWORK_REQUIRE_CORPUS").is_none_or(|value| value != "1"),
        "no corpus at {}",
        root.display()
    );
    println!("skipped: no corpus at {}", root.display());
    None
}

/// Every file below a folder whose name ends like this, sorted.
pub fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The rows of a compressed file of JSON lines.
pub fn rows(path: &Path) -> Vec<Json> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(Json::parse).collect()
}

/// Bytes in hexadecimal.
pub fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

/// Bytes as a tool reads them that takes everything for CP1252.
pub fn cp1252(bytes: &[u8]) -> String {
    const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ";
    bytes
        .iter()
        .map(|byte| {
            if (0x80..0xA0).contains(byte) {
                HIGH.chars().nth(usize::from(byte - 0x80)).unwrap()
            } else {
                char::from(*byte)
            }
        })
        .collect()
}
