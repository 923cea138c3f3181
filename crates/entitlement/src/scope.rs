//! What an app may do, whoever paid: permission scopes as KUKSA and VISS write them become a right for each path.
//!
//! *Invariant:* a scope only ever takes away from what features open; without scopes an app has no limit of this kind.
//! Scopes are sorted and distinct wherever they are kept.
//! *Next:* `rights.rs` asks them beside the features; a grant may carry them.

use std::fmt;
use std::str::FromStr;

use coachwork_vehicle::{Path, Pattern};

/// The most scopes of an app.
pub const MAX_SCOPES: usize = 64;

/// The longest scope, in bytes.
pub const MAX_SCOPE: usize = 256;

/// What an app may do with a path. KUKSA's `provide` and `create` are for those who feed a vehicle, and open nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Permit {
    /// Ask an actuator to move, and read it.
    Actuate,
    /// Read, once or by subscription.
    Read,
}

/// An action and the paths for which it is permitted: `read:Vehicle.Speed`, `actuate:Vehicle.Cabin.**`.
///
/// As KUKSA has it, a branch stands for everything below it, `*` for one name and `**` for any number, and an action
/// without a path is for all paths. VISS calls the actions `read-only` and `read-write`; both are understood.
///
/// ```
/// use coachwork_entitlement::Scope;
///
/// let cabin: Scope = "actuate:Vehicle.Cabin".parse()?;
/// let heating = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling".parse()?;
/// assert!(cabin.reads(&heating) && cabin.actuates(&heating));
/// assert!(!"read".parse::<Scope>()?.actuates(&heating));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    permit: Permit,
    /// As it was written, after the colon; empty for all paths.
    paths: Box<str>,
    pattern: Option<Pattern>,
}

impl Scope {
    /// What is permitted.
    pub fn permit(&self) -> Permit {
        self.permit
    }

    /// Whether it lets an app read this path.
    pub fn reads(&self, path: &Path) -> bool {
        self.covers(path)
    }

    /// Whether it lets an app move this path.
    pub fn actuates(&self, path: &Path) -> bool {
        self.permit == Permit::Actuate && self.covers(path)
    }

    fn covers(&self, path: &Path) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        let below = |branch: &str| {
            path.as_str().strip_prefix(branch).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        pattern.matches(path) || (!self.paths.contains('*') && below(&self.paths))
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.len() > MAX_SCOPE {
            return Err(ScopeError);
        }
        let (action, paths) = match text.split_once(':') {
            Some((_, "")) => return Err(ScopeError),
            Some((action, paths)) => (action, paths),
            None => (text, ""),
        };
        let permit = match action {
            "actuate" | "read-write" => Permit::Actuate,
            "read" | "read-only" => Permit::Read,
            _ => return Err(ScopeError),
        };
        let pattern =
            if paths.is_empty() { None } else { Some(Pattern::new(paths).map_err(|_| ScopeError)?) };
        Ok(Self { permit, paths: paths.into(), pattern })
    }
}

/// In KUKSA's words.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.permit {
            Permit::Actuate => "actuate",
            Permit::Read => "read",
        })?;
        if self.paths.is_empty() { Ok(()) } else { write!(f, ":{}", self.paths) }
    }
}

/// All scopes of an app, as a token has them.
///
/// ```
/// use coachwork_entitlement::Scopes;
///
/// // KUKSA's `scope` claim: separated by spaces.
/// let scopes: Scopes = "read:Vehicle.Speed actuate:Vehicle.Cabin.*".parse()?;
/// assert!(scopes.reads(&"Vehicle.Speed".parse()?));
/// assert!(!scopes.actuates(&"Vehicle.Speed".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(Box<[Scope]>);

impl Scopes {
    /// These scopes.
    ///
    /// # Errors
    /// [`ScopeError`] for more than [`MAX_SCOPES`].
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Result<Self, ScopeError> {
        let scopes: Vec<_> = scopes.into_iter().take(MAX_SCOPES + 1).collect();
        if scopes.len() > MAX_SCOPES { Err(ScopeError) } else { Ok(Self(scopes.into())) }
    }

    /// Whether one of them lets an app read this path.
    pub fn reads(&self, path: &Path) -> bool {
        self.0.iter().any(|scope| scope.reads(path))
    }

    /// Whether one of them lets an app move this path.
    pub fn actuates(&self, path: &Path) -> bool {
        self.0.iter().any(|scope| scope.actuates(path))
    }

    /// The scopes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Scope> {
        self.0.iter()
    }
}

impl FromStr for Scopes {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let scopes: Vec<Scope> = text
            .split(' ')
            .filter(|scope| !scope.is_empty())
            .take(MAX_SCOPES + 1)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Self::new(scopes)
    }
}

/// The text is no permission scope, or there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is read or actuate, a colon and a path pattern; at most 64 of them")]
pub struct ScopeError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_and_print_alike() {
        for text in ["read", "actuate", "read:Vehicle.Speed", "actuate:Vehicle.Cabin.**"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        assert_eq!("read-write:Vehicle".parse::<Scope>().unwrap().to_string(), "actuate:Vehicle");
        assert_eq!("read-only".parse::<Scope>().unwrap().to_string(), "read");
        for bad in [
            "",
            "write",
            "provide:Vehicle",
            "read:",
            "read:Vehicle..Speed",
            "Read",
            "read:a b",
            &"r".repeat(257),
        ] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
        assert!("read ".repeat(64).parse::<Scopes>().is_ok());
        assert!("read ".repeat(65).parse::<Scopes>().is_err());
    }

    #[test]
    fn a_branch_stands_for_what_is_below_it_and_no_more() {
        let scope: Scope = "read:Vehicle.Cabin".parse().unwrap();
        let path = |text: &str| text.parse::<Path>().unwrap();
        assert!(scope.reads(&path("Vehicle.Cabin.Door.IsOpen")));
        assert!(!scope.reads(&path("Vehicle.CabinLight")));
        assert!(!scope.actuates(&path("Vehicle.Cabin.Door.IsOpen")));
        assert!(!"read:Vehicle.*".parse::<Scope>().unwrap().reads(&path("Vehicle.Cabin.Door.IsOpen")));
    }
}
