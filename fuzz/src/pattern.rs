//! Bytes become a pattern and a path, a line each.
//!
//! *Oracle:* what is a path or a pattern comes back as its text and keeps the bounds; matching agrees with its definition by a table.
//! *Next:* `coachwork_vehicle::{Path, Pattern}`.

use coachwork_vehicle::{Path, Pattern};

/// Runs one input.
pub fn run(data: &[u8]) {
    matched(data);
}

/// Whether the path of the second line matches the pattern of the first; `None` where one is neither.
pub fn matched(data: &[u8]) -> Option<bool> {
    let text = str::from_utf8(data).ok()?;
    let (pattern, path) = text.split_once('\n')?;
    if let Ok(path) = Path::new(path) {
        assert!(path.as_str().len() <= 255 && path.names().count() <= 32);
        assert!(
            path.names()
                .all(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        );
        // A path is a pattern that only it matches.
        assert!(Pattern::new(path.as_str()).expect("a path is a pattern").matches(&path));
    }
    let (pattern, path) = (Pattern::new(pattern).ok()?, Path::new(path).ok()?);
    let matches = pattern.matches(&path);
    let (patterns, names): (Vec<_>, Vec<_>) = (pattern.as_str().split('.').collect(), path.names().collect());
    assert_eq!(matches, by_table(&patterns, &names), "{pattern} {path}");
    Some(matches)
}

/// `table[n]`: whether the first n names match the part of the pattern seen so far.
fn by_table(pattern: &[&str], names: &[&str]) -> bool {
    let mut table = vec![false; names.len() + 1];
    table[0] = true;
    for part in pattern {
        let mut next = vec![false; names.len() + 1];
        for n in 0..=names.len() {
            next[n] = match *part {
                "**" => table[n] || (n > 0 && next[n - 1]),
                "*" => n > 0 && table[n - 1],
                wanted => n > 0 && table[n - 1] && names[n - 1] == wanted,
            };
        }
        table = next;
    }
    table[names.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        assert_eq!(matched(b"A.**.C\nA.B.B.C"), Some(true));
        assert_eq!(matched(b"A.**.C\nA.B.B.D"), Some(false));
        assert_eq!(matched(b"A.***\nA.B"), None);
    }
}
