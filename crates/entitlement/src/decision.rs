//! The answer to "may this feature work now?": a verdict, its reason, the grant behind it, until when it stands, and
//! what would help.
//!
//! *Invariant:* the verdict follows from the reason alone. A decision is `Copy` and was made without allocating; what
//! it says to a person is composed only when somebody displays it.
//! *Next:* `license.rs` decides for one grant, `entitlements.rs` for all of them.

use std::fmt;

use coachwork_vehicle::Timestamp;

use crate::id::GrantId;
use crate::terms::Because;

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
    /// The grant that opens it was an earlier, or will be a later, owner's, or went to another car.
    OtherOwner,
    /// Its grant was withdrawn.
    Revoked(Because),
    /// Its grant has ended.
    Expired,
    /// Its grant is suspended.
    Suspended(Because),
    /// Its grant waits for a payment.
    OnHold,
    /// Its owner paused it.
    Paused,
    /// Its grant does not cover the country that the car is in.
    OutOfRegion,
    /// The car has not heard for too long whether its grant is valid.
    Unconfirmed,
    /// The car has not known the time for too long.
    TimeLost,
    /// Its grant has not started.
    NotYet,
    /// It would have ended, but the car moves.
    Driving,
    /// Its grant was withdrawn without a reason, which does not take it away.
    Unexplained,
    /// The car does not know the time, and trusts what it last knew.
    TimeUnknown,
    /// The car has not heard of late whether its grant is valid.
    StatusStale,
    /// Its grant is no longer paid for, and in its grace.
    Grace,
    /// It is being tried.
    Trial,
    /// Its grant covers it, and will not be renewed.
    Cancelled,
    /// Its grant covers it.
    Granted,
    /// The car was built with it: it needs no grant.
    Fitted,
}

impl Reason {
    /// What follows from it.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Trial | Self::Cancelled | Self::Granted | Self::Fitted => Verdict::Allow,
            Self::Driving | Self::Unexplained | Self::TimeUnknown | Self::StatusStale | Self::Grace => {
                Verdict::Degraded
            }
            _ => Verdict::Deny,
        }
    }

    /// What the owner can do about it.
    pub fn help(self) -> Help {
        match self {
            Self::Unknown | Self::Trial | Self::Granted | Self::Fitted => Help::Nothing,
            Self::NotInPlan | Self::OtherVehicle | Self::OtherOwner | Self::Revoked(_) => Help::Buy,
            Self::Expired | Self::Cancelled => Help::Renew,
            Self::Suspended(_) | Self::Unexplained => Help::AskSeller,
            Self::OnHold | Self::Grace => Help::Pay,
            Self::Paused => Help::Resume,
            Self::OutOfRegion => Help::Return,
            Self::Unconfirmed | Self::TimeLost | Self::StatusStale | Self::TimeUnknown => Help::GoOnline,
            Self::NotYet => Help::Wait,
            Self::Driving => Help::SeeWhenParked,
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
            Self::Revoked(because) => return write!(f, "its grant was withdrawn, because {because}"),
            Self::Expired => "your plan for it has ended",
            Self::Suspended(because) => return write!(f, "its grant is suspended, because {because}"),
            Self::OnHold => "your plan for it waits for a payment",
            Self::Paused => "you paused your plan for it",
            Self::OutOfRegion => "your plan for it does not cover this country",
            Self::Unconfirmed => "the car has been offline for longer than your plan for it allows",
            Self::TimeLost => "the car has not known the time for too long",
            Self::NotYet => "your plan for it has not started",
            Self::Driving => "your plan for it has ended, and it works until the car is parked",
            Self::Unexplained => "its seller withdrew it without a reason, so it works on",
            Self::TimeUnknown => "the car does not know the time, and it works on for a while",
            Self::StatusStale => "the car has been offline for some time, and it works on for a while",
            Self::Grace => "your plan for it has ended, and it works on for a while",
            Self::Trial => "you are trying it",
            Self::Cancelled => "your plan for it ends, as you wished",
            Self::Granted => "it is in your plan",
            Self::Fitted => "your car was built with it",
        })
    }
}

/// What would help, for an owner who reads a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Help {
    /// To ask whoever sold it.
    AskSeller,
    /// To buy it.
    Buy,
    /// To let the car go online once.
    GoOnline,
    /// Nothing is needed.
    Nothing,
    /// To pay what is open.
    Pay,
    /// To renew it.
    Renew,
    /// To end the pause.
    Resume,
    /// To go back to a country that the plan covers, or to buy it for this one.
    Return,
    /// To look again once the car is parked.
    SeeWhenParked,
    /// To wait for its date.
    Wait,
}

/// A wish: "pay what is open". Empty for nothing.
impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AskSeller => "ask the seller",
            Self::Buy => "buy it",
            Self::GoOnline => "let the car go online once",
            Self::Nothing => "",
            Self::Pay => "pay what is open",
            Self::Renew => "renew it",
            Self::Resume => "end the pause",
            Self::Return => "return to a country that it covers, or buy it for this one",
            Self::SeeWhenParked => "renew it; it ends once the car is parked",
            Self::Wait => "wait for its date",
        })
    }
}

/// Whether a feature works now, why, by which grant, and how long this stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decision {
    pub(crate) reason: Reason,
    pub(crate) grant: Option<GrantId>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) ends: Option<Timestamp>,
}

impl Decision {
    /// For a feature that nobody has heard of.
    pub(crate) const UNKNOWN: Self = Self { reason: Reason::Unknown, grant: None, until: None, ends: None };

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

    /// The grant that the reason is about.
    pub fn grant(&self) -> Option<GrantId> {
        self.grant
    }

    /// The first instant at which the decision is another one; `None` if no known date changes it.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Where it works: the end of what was paid for, tried or granted in grace, as the grant has it; `None` for what is for
    /// good. Something else may come before: [`until`](Self::until).
    pub fn ends(&self) -> Option<Timestamp> {
        self.ends
    }

    /// What the owner can do about it.
    pub fn help(&self) -> Help {
        self.reason.help()
    }
}

/// Half a sentence about a feature and, where there is one, the date that matters to its owner: "it is in your plan (until
/// 2027-01-01T00:00:00Z)".
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        let date = if self.reason == Reason::NotYet { self.until } else { self.ends };
        date.map_or(Ok(()), |date| write!(f, " (until {date})"))
    }
}
