//! Which signals a request means: a path, and perhaps paths below it in which `*` stands for one name.
//!
//! *Invariant:* names are separated by dots here, whichever delimiter the peer used. Resolving costs at most [`MAX_SCANS`] walks
//! through the catalogue.
//! *Next:* `request.rs` (which reads a target), the gateway (which resolves it against its view).

use std::borrow::Cow;
use std::collections::HashSet;

use coachwork_vehicle::{Catalogue, Error, ErrorKind, Path, Pattern, SignalId};

/// How many branches and wildcards one request may name: each costs a walk through the catalogue.
pub const MAX_SCANS: usize = 64;

/// The signals that a request means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    root: String,
    below: Vec<String>,
}

/// One signal that a request means, or why a path of it means none.
#[derive(Clone, Debug)]
pub struct Found {
    /// The path, as it goes into the answer.
    pub path: String,
    /// The signal.
    pub signal: Result<SignalId, Error>,
}

impl Target {
    /// One path.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where it is no path: a wildcard belongs into [`below`](Self::below).
    pub fn path(root: &str) -> Result<Self, Error> {
        let root = dotted(root.strip_prefix('/').unwrap_or(root));
        Path::check(&root).map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))?;
        Ok(Self { root: root.into_owned(), below: Vec::new() })
    }

    /// Paths relative to `root`; in each, `*` stands for any one name, and a branch for all that is under it. An empty `root` stands above
    /// all trees; it travels only with additional members.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where one is no path.
    pub fn below(root: &str, paths: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, Error> {
        let root = if root.is_empty() { String::new() } else { Self::path(root)?.root };
        let below = paths.into_iter().map(|path| dotted(path.as_ref()).into_owned()).collect::<Vec<_>>();
        for path in &below {
            if path.split('.').any(|name| name == "**") {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    format!("{path:?}: a wildcard stands for one name"),
                ));
            }
            Pattern::new(&joined(&root, path))
                .map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))?;
        }
        if below.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "a paths filter names at least one path"));
        }
        Ok(Self { root, below })
    }

    /// Everything that there is.
    pub fn everything() -> Self {
        Self { root: String::new(), below: Vec::new() }
    }

    /// The smallest target that names exactly these paths: a path, or what they have in common and the rest of each.
    pub fn of(paths: &[&str]) -> Self {
        let Some((first, others)) = paths.split_first() else { return Self::everything() };
        if others.is_empty() {
            return Self { root: (*first).to_owned(), below: Vec::new() };
        }
        // The last name of each path stays below the root.
        let mut common = first.rfind('.').unwrap_or(0);
        for path in others {
            while common > 0 && !is_below(first.get(..common).unwrap_or_default(), path) {
                common = first.get(..common).and_then(|head| head.rfind('.')).unwrap_or(0);
            }
        }
        let root = first.get(..common).unwrap_or_default();
        let rest = if common == 0 { 0 } else { common + 1 };
        let below = paths.iter().map(|path| path.get(rest..).unwrap_or_default().to_owned()).collect();
        Self { root: root.to_owned(), below }
    }

    /// The path that the others are relative to; empty above all trees.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The root alone, kept.
    pub(crate) fn into_root(self) -> String {
        self.root
    }

    /// The paths relative to the root; empty where the root itself is meant.
    pub fn relative(&self) -> &[String] {
        &self.below
    }

    /// Whether it is one path, whose answer is an object rather than a list.
    pub fn is_single(&self) -> bool {
        self.below.is_empty()
    }

    /// How many paths it names, at least one.
    pub fn count(&self) -> usize {
        self.below.len().max(1)
    }

    /// The signals in `catalogue`, each once, in the order of the request. A path that matches none is an item with
    /// [`ErrorKind::UnknownSignal`].
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] where more than [`MAX_SCANS`] of its paths are no exact path of the catalogue.
    pub fn resolve(&self, catalogue: &Catalogue) -> Result<Vec<Found>, Error> {
        if self.is_single() {
            let signal = signal(catalogue, &self.root);
            return Ok(vec![Found { path: self.root.clone(), signal }]);
        }
        let (mut found, mut seen, mut scans) = (Vec::new(), HashSet::new(), 0);
        for below in &self.below {
            let path = joined(&self.root, below);
            if let Some(id) = catalogue.id(&path) {
                if seen.insert(id) {
                    found.push(Found { path, signal: Ok(id) });
                }
                continue;
            }
            scans += 1;
            if scans > MAX_SCANS {
                let message =
                    format!("more than {MAX_SCANS} branches, wildcards and unknown paths in a request");
                return Err(Error::new(ErrorKind::Limit, message));
            }
            let ids = scan(catalogue, &path);
            if ids.is_empty() {
                found.push(Found { signal: catalogue.resolve(&path), path });
                continue;
            }
            for id in ids {
                if seen.insert(id) {
                    let path = catalogue.path(id).map_or_else(|_| String::new(), ToString::to_string);
                    found.push(Found { path, signal: Ok(id) });
                }
            }
        }
        Ok(found)
    }

    /// Whether `path` is one of those meant, a leaf under a branch that is meant included.
    pub(crate) fn includes(&self, path: &Path, patterns: &[Pattern]) -> bool {
        if self.is_single() {
            return self.root.is_empty() || path.as_str() == self.root || is_below(&self.root, path.as_str());
        }
        patterns.iter().any(|pattern| pattern.matches(path))
    }

    /// A pattern for each relative path, for [`includes`](Self::includes).
    pub(crate) fn patterns(&self) -> Result<Vec<Pattern>, Error> {
        if self.below.len() > MAX_SCANS {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("more than {MAX_SCANS} paths in a metadata request"),
            ));
        }
        Ok(self.below.iter().filter_map(|below| under(&joined(&self.root, below))).collect())
    }
}

/// The signal at a path; a branch is told apart from what there is not.
pub(crate) fn signal(catalogue: &Catalogue, path: &str) -> Result<SignalId, Error> {
    catalogue.resolve(path).map_err(|error| {
        if catalogue.iter().any(|(_, entry)| is_below(path, entry.path().as_str())) {
            let message = "a branch has no value: name what is below it by a filter of paths";
            return Error::new(ErrorKind::WrongType, message).on_path(path);
        }
        error
    })
}

fn scan(catalogue: &Catalogue, path: &str) -> Vec<SignalId> {
    under(path).map(|pattern| catalogue.find(&pattern)).unwrap_or_default()
}

/// What is at a path, or under it.
fn under(path: &str) -> Option<Pattern> {
    // A path of the greatest depth or length has nothing under it.
    Pattern::new(&format!("{path}.**")).or_else(|_| Pattern::new(path)).ok()
}

fn joined(root: &str, below: &str) -> String {
    if root.is_empty() { below.to_owned() } else { format!("{root}.{below}") }
}

fn is_below(root: &str, path: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.starts_with('.'))
}

fn dotted(path: &str) -> Cow<'_, str> {
    if path.contains('/') { path.replace('/', ".").into() } else { path.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_vehicle::{DataType, Entry, Facts};
    use proptest::prelude::*;

    fn catalogue() -> Catalogue {
        let paths = ["A.B.C", "A.B.D.E", "A.X.D.E", "A.X.D.F", "Z.A"];
        Catalogue::new(paths.map(|path| Entry::sensor(path, DataType::INT8)), Facts::default()).unwrap()
    }

    fn found(target: &Target) -> Vec<String> {
        let found = target.resolve(&catalogue()).unwrap();
        found
            .into_iter()
            .map(|one| if one.signal.is_ok() { one.path } else { format!("!{}", one.path) })
            .collect()
    }

    #[test]
    fn stars_stand_for_one_name_and_branches_for_all_leaves() {
        assert_eq!(found(&Target::path("/A/B/C").unwrap()), ["A.B.C"]);
        assert_eq!(found(&Target::path("A.B").unwrap()), ["!A.B"]);
        assert_eq!(found(&Target::below("A", ["*.D.E"]).unwrap()), ["A.B.D.E", "A.X.D.E"]);
        assert_eq!(found(&Target::below("A", ["*/D", "X"]).unwrap()), ["A.B.D.E", "A.X.D.E", "A.X.D.F"]);
        assert_eq!(found(&Target::below("A", ["*.E", "B.C"]).unwrap()), ["!A.*.E", "A.B.C"]);
        assert_eq!(found(&Target::below("A", ["B.C", "B.C"]).unwrap()), ["A.B.C"]);
        assert_eq!(found(&Target::below("", ["Z.A", "A.B.C"]).unwrap()), ["Z.A", "A.B.C"]);
    }

    #[test]
    fn what_is_no_path_is_invalid() {
        for path in ["", "A.*", "A..B", "A B", "A.B.", "//A"] {
            assert_eq!(Target::path(path).unwrap_err().kind(), ErrorKind::Invalid, "{path}");
        }
        for below in ["", "**", "A.**", "B ", "*x"] {
            assert_eq!(Target::below("A", [below]).unwrap_err().kind(), ErrorKind::Invalid, "{below}");
        }
        assert!(Target::below("A", [""; 0]).is_err());
    }

    #[test]
    fn walks_through_the_catalogue_are_bounded() {
        let target = Target::below("A", vec!["*.D.E"; MAX_SCANS + 1]).unwrap();
        assert_eq!(target.resolve(&catalogue()).unwrap_err().kind(), ErrorKind::Limit);
    }

    proptest! {
        #[test]
        fn a_target_of_paths_resolves_to_them(rows in prop::collection::vec(0..5_usize, 1..5)) {
            let catalogue = catalogue();
            let ids: Vec<_> = rows.iter().map(|&row| catalogue.id_at(row).unwrap()).collect();
            let paths: Vec<_> = ids.iter().map(|&id| catalogue.path(id).unwrap().as_str()).collect();
            let target = Target::of(&paths);
            let mut unique = paths.clone();
            let mut seen = HashSet::new();
            unique.retain(|path| seen.insert(*path));
            prop_assert_eq!(found(&target), unique);
            // And it is one that a peer may send.
            if !target.is_single() {
                prop_assert_eq!(Target::below(target.root(), target.relative()).unwrap(), target);
            }
        }
    }
}
