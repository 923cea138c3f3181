//! Where the corpus is.
#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};

/// The corpus folder, or `None` where it may be absent.
pub fn corpus() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let path = std::env::var_os("COACHWORK_CORPUS").map_or(default, PathBuf::from);
    if path.join("oracle").is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("COACHWORK_REQUIRE_CORPUS").is_none_or(|v| v != "1"),
        "no corpus at {}",
        path.display()
    );
    println!("no corpus at {}: nothing was compared", path.display());
    None
}
