//! What runs in the car cannot sign: the one file that can is left out with the feature that names it.

#![allow(clippy::unwrap_used)]

use std::path::Path;

#[test]
fn signing_is_in_one_file_behind_one_feature() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut signing, mut files) = (Vec::new(), 0);
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            if ["SigningKey", "Signer", "hazmat", "raw_sign"].iter().any(|word| text.contains(word)) {
                signing.push(path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    assert!(files > 40, "{files}");
    assert_eq!(signing, ["issue.rs"]);
    let root = std::fs::read_to_string(src.join("lib.rs")).unwrap();
    assert!(root.contains("#[cfg(feature = \"issuer\")]\nmod issue;"));
    // The feature is nobody's default.
    let manifest = std::fs::read_to_string(src.join("../Cargo.toml")).unwrap();
    assert!(!manifest.contains("default ="));
}
