//! Paths of the VSS tree and patterns over them.
//!
//! *Invariant:* a `Path` is 1 to 32 names of ASCII letters, digits and `_`, at most 255 bytes; matching a pattern takes at most
//! the product of both lengths.
//! *Next:* `catalogue.rs` (which resolves a path to a dense id).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

const MAX_LENGTH: usize = 255;
const MAX_DEPTH: usize = 32;

/// A path of the VSS tree, as in `Vehicle.Cabin.Door.Row1.DriverSide.IsOpen`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Arc<str>);

/// Why a text is no path or pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It has no characters.
    #[error("a path is empty")]
    Empty,
    /// It is longer than 255 bytes.
    #[error("a path of {0} bytes is longer than 255")]
    TooLong(usize),
    /// It has more than 32 names.
    #[error("a path of {0} names is deeper than 32")]
    TooDeep(usize),
    /// A name between dots is empty or has another character than ASCII letters, digits and `_`.
    #[error("{name:?} is not a name (ASCII letters, digits and _) in the path {path:?}")]
    Name {
        /// The name at fault.
        name: String,
        /// The whole text.
        path: String,
    },
}

impl Path {
    /// Checks and keeps a path.
    ///
    /// # Errors
    /// [`PathError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, PathError> {
        Self::check(text)?;
        Ok(Self(text.into()))
    }

    /// Checks a text without keeping it.
    ///
    /// # Errors
    /// [`PathError`] says why it is no path.
    pub fn check(text: &str) -> Result<(), PathError> {
        if is_path(text.as_bytes()) {
            return Ok(());
        }
        check(text, |name| !name.is_empty() && name.bytes().all(is_name_byte))
    }

    /// A text that is checked later, when its entry enters a catalogue.
    pub(crate) fn unchecked(text: &str) -> Self {
        Self(text.into())
    }

    /// The path as text, names separated by dots.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its names from the root.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl AsRef<str> for Path {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A path in which `*` stands for any one name and `**` for any number of names, none included.
///
/// ```
/// use coachwork_vehicle::{Path, Pattern};
/// let doors = Pattern::new("Vehicle.Cabin.Door.**.IsOpen")?;
/// assert!(doors.matches(&Path::new("Vehicle.Cabin.Door.Row1.DriverSide.IsOpen")?));
/// assert!(!doors.matches(&Path::new("Vehicle.Cabin.Door.Row1.DriverSide.IsLocked")?));
/// # Ok::<(), coachwork_vehicle::PathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// Checks and keeps a pattern.
    ///
    /// # Errors
    /// [`PathError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, PathError> {
        check(text, |name| {
            matches!(name, "*" | "**") || (!name.is_empty() && name.bytes().all(is_name_byte))
        })?;
        Ok(Self(text.into()))
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `path` is one of those that the pattern stands for.
    pub fn matches(&self, path: &Path) -> bool {
        let (mut pattern, mut names) = (self.0.split('.'), path.0.split('.'));
        // Where to go on when a name does not match: behind the last `**`, with one more name swallowed by it.
        let mut retry: Option<(std::str::Split<'_, char>, std::str::Split<'_, char>)> = None;
        loop {
            let here = names.clone();
            let matched = match (pattern.next(), names.next()) {
                (None, None) => return true,
                (Some("**"), _) => {
                    retry = Some((pattern.clone(), here.clone()));
                    names = here;
                    true
                }
                (Some("*"), Some(_)) => true,
                (Some(wanted), Some(name)) => wanted == name,
                (None, Some(_)) | (Some(_), None) => false,
            };
            if matched {
                continue;
            }
            let Some((after, swallowed)) = &mut retry else { return false };
            if swallowed.next().is_none() {
                return false;
            }
            (pattern, names) = (after.clone(), swallowed.clone());
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl FromStr for Pattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::new(text)
    }
}

fn is_name_byte(byte: u8) -> bool {
    NAME_BYTES.get(usize::from(byte)) == Some(&true)
}

/// Whether each byte is one of a name, for a look at each without branches.
#[expect(clippy::indexing_slicing, reason = "a byte is below 256; and it is the compiler that would stop")]
const NAME_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_';
        byte += 1;
    }
    table
};

/// Whether these are names between dots, in one look at each byte; it agrees with [`check`], which says what is wrong.
fn is_path(text: &[u8]) -> bool {
    let (mut depth, mut in_name) = (1, false);
    for &byte in text {
        if NAME_BYTES.get(usize::from(byte)) == Some(&true) {
            in_name = true;
        } else if byte == b'.' && in_name {
            (depth, in_name) = (depth + 1, false);
        } else {
            return false;
        }
    }
    in_name && depth <= MAX_DEPTH && text.len() <= MAX_LENGTH
}

fn check(text: &str, is_name: impl Fn(&str) -> bool) -> Result<(), PathError> {
    if text.is_empty() {
        return Err(PathError::Empty);
    }
    if text.len() > MAX_LENGTH {
        return Err(PathError::TooLong(text.len()));
    }
    let depth = text.split('.').count();
    if depth > MAX_DEPTH {
        return Err(PathError::TooDeep(depth));
    }
    match text.split('.').find(|name| !is_name(name)) {
        None => Ok(()),
        Some(name) => Err(PathError::Name { name: name.to_owned(), path: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_the_one_that_explains(text in "[a._é]{0,12}|(a\\.){28,34}a|a{250,260}") {
            let explained = check(&text, |name| !name.is_empty() && name.bytes().all(is_name_byte));
            prop_assert_eq!(is_path(text.as_bytes()), explained.is_ok());
        }
    }

    #[test]
    fn what_is_no_path_says_why() {
        assert_eq!(Path::new(""), Err(PathError::Empty));
        assert_eq!(Path::new(&"a".repeat(256)), Err(PathError::TooLong(256)));
        assert_eq!(
            Path::new(&"a.".repeat(32).trim_end_matches('.').replace(' ', "")).map(|p| p.names().count()),
            Ok(32)
        );
        assert_eq!(Path::new(&["a"; 33].join(".")), Err(PathError::TooDeep(33)));
        for (path, name) in [
            ("Vehicle..Speed", ""),
            ("Vehicle.*", "*"),
            ("Vehicle.Spe ed", "Spe ed"),
            ("Vehicle.Größe", "Größe"),
        ] {
            assert_eq!(Path::new(path), Err(PathError::Name { name: name.into(), path: path.into() }));
        }
    }

    /// The obvious definition, exponential and all.
    fn matches_by_definition(pattern: &[&str], names: &[&str]) -> bool {
        match (pattern, names) {
            ([], []) => true,
            (["**", rest @ ..], _) => (0..=names.len()).any(|n| matches_by_definition(rest, &names[n..])),
            ([wanted, pattern @ ..], [name, names @ ..]) => {
                (*wanted == "*" || wanted == name) && matches_by_definition(pattern, names)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(
            pattern in proptest::collection::vec(proptest::sample::select(&["a", "b", "*", "**"][..]), 1..8),
            names in proptest::collection::vec(proptest::sample::select(&["a", "b"][..]), 1..8),
        ) {
            let got = Pattern::new(&pattern.join(".")).unwrap().matches(&Path::new(&names.join(".")).unwrap());
            prop_assert_eq!(got, matches_by_definition(&pattern, &names));
        }
    }
}
