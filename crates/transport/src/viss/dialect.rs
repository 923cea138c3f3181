//! Which VISS a peer speaks, and whether it asked for Coachwork's additional members.
//!
//! *Next:* `request.rs`, `answer.rs`, `event.rs` (which write in a form), `error.rs` (whose tables differ by dialect).

/// A version of VISS, as far as its messages differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// Version 2: filters have a `type`, errors a number and a `message`.
    V2,
    /// Version 3.0: filters have a `variant`, errors a number in a string and a `description`.
    V3,
}

impl Dialect {
    /// The subprotocols whose messages this crate reads and writes, the preferred one first.
    pub const SUBPROTOCOLS: [&'static str; 3] = ["VISSv3", "VISSv2", "VISS-noenc"];

    /// The dialect of a subprotocol: version 3 where none was agreed on, and for `VISS-noenc`, which the reference server uses.
    /// `None` for a subprotocol with other messages.
    pub fn of_subprotocol(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("VISSv3" | "VISS-noenc") => Some(Self::V3),
            Some("VISSv2") => Some(Self::V2),
            Some(_) => None,
        }
    }
}

/// How messages to a peer look. Everything that is encoded for a form serves every peer of that form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Form {
    /// The version of VISS.
    pub dialect: Dialect,
    /// Whether Coachwork's additional members travel: only to a peer that asked for them.
    pub additions: bool,
}

impl Form {
    /// Pure VISS.
    pub const fn pure(dialect: Dialect) -> Self {
        Self { dialect, additions: false }
    }

    /// VISS with Coachwork's additional members.
    pub const fn with_additions(dialect: Dialect) -> Self {
        Self { dialect, additions: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subprotocol_decides_the_dialect() {
        for name in Dialect::SUBPROTOCOLS {
            assert!(Dialect::of_subprotocol(Some(name)).is_some(), "{name}");
        }
        for (name, dialect) in [
            (None, Some(Dialect::V3)),
            (Some("VISSv3"), Some(Dialect::V3)),
            (Some("VISS-noenc"), Some(Dialect::V3)),
            (Some("VISSv2"), Some(Dialect::V2)),
            (Some("VISS-protoenc"), None),
            (Some("graphql"), None),
        ] {
            assert_eq!(Dialect::of_subprotocol(name), dialect, "{name:?}");
        }
    }
}
