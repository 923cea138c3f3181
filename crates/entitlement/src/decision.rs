//! The answer to "may this feature work now?": a verdict, its reason, and until when it stands.
//!
//! *Invariant:* the verdict follows from the reason alone. A decision is `Copy` and was made without allocating; what
//! it says to a person is composed only when somebody displays it.
//! *Next:* `license.rs` decides for one grant, `entitlements.rs` for all of them.

use std::fmt;

use coachwork_vehicle::Timestamp;

/// Whether a feature works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// It does not.
    Deny,
    /// It does, but something is wrong that its owner should see, because it ends otherwise.
    Degraded,
    /// It does.
    Allow,
}

/// Why a decision is what it is. In ascending order of what the owner has: where several grants speak for a feature,
/// the highest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// The platform has no such paid feature.
    Unknown,
    /// No grant opens it.
    NotInPlan,
    /// The grant that opens it is for another vehicle.
    OtherVehicle,
    /// The grant that opens it was an earlier, or will be a later, owner's.
    OtherOwner,
    /// Its grant has ended.
    Expired,
    /// Its grant has not started.
    NotYet,
    /// Its grant is no longer paid for, and in its grace.
    Grace,
    /// Its grant covers it.
    Granted,
}

impl Reason {
    /// What follows from it.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Granted => Verdict::Allow,
            Self::Grace => Verdict::Degraded,
            _ => Verdict::Deny,
        }
    }
}

/// Half a sentence about a feature: "it is not in your plan".
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "this car knows no such feature",
            Self::NotInPlan => "it is not in your plan",
            Self::OtherVehicle => "its grant is for another vehicle",
            Self::OtherOwner => "its grant belongs to another owner of this car",
            Self::Expired => "your plan for it has ended",
            Self::NotYet => "your plan for it has not started",
            Self::Grace => "your plan for it has ended, and it works on for a while",
            Self::Granted => "it is in your plan",
        })
    }
}

/// Whether a feature works now, why, and how long this stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decision {
    pub(crate) reason: Reason,
    pub(crate) until: Option<Timestamp>,
}

impl Decision {
    /// For a feature that nobody has heard of.
    pub(crate) const UNKNOWN: Self = Self { reason: Reason::Unknown, until: None };

    /// Whether it works.
    pub fn verdict(&self) -> Verdict {
        self.reason.verdict()
    }

    /// Whether it works, degraded or not.
    #[inline]
    pub fn is_allowed(&self) -> bool {
        self.verdict() != Verdict::Deny
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The first instant at which the decision is another one; `None` if no known date changes it.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        match self.until {
            Some(until) => write!(f, " (until {until})"),
            None => Ok(()),
        }
    }
}
