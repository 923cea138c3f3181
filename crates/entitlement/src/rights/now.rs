//! A policy and what is open at a moment become answers for a signal (denied, limited, and in which words) and a catalogue
//! that shows them.
//!
//! *Invariant:* pure: whatever it needs was taken when it was made. Where the app has no scope, features are not asked.
//! *Next:* `../rights.rs` makes it; `../entitled.rs` asks it.

use std::collections::BTreeMap;
use std::sync::Arc;

use coachwork_vehicle::{Access, Catalogue, Datapoint, Permission, SignalId, Timestamp};

use super::State;
use crate::decision::{Decision, Reason};
use crate::feature::{FeatureName, PaidFeature};
use crate::limit::Limit;
use crate::policy::{Action, Need, Policy, Row};

/// The rights at the moment of a call.
pub(crate) struct Now {
    pub(super) state: State,
    pub(super) policy: Arc<Policy>,
    pub(super) at: Timestamp,
}

/// What a call may be.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    Get,
    Set,
    Subscribe,
}

/// Why a signal may not be used.
pub(crate) struct Denial {
    pub(crate) words: String,
    /// The feature that is missing; `None` where the app has no permission of its own.
    pub(crate) feature: Option<(FeatureName, Decision)>,
    pub(crate) action: Action,
}

impl Now {
    /// Why a signal may not be used so, if it may not. A signal that the catalogue does not have is not judged.
    pub(crate) fn denial(&self, signal: SignalId, deed: Deed) -> Option<Denial> {
        let row = self.state.wrapped.row(signal).ok()?;
        let action = deed.action();
        if !self.permitted(row, deed) {
            return Some(Denial { words: self.unpermitted(row, deed), feature: None, action });
        }
        let (need, decision) = self.denied(self.state.rows.get(row)?, deed)?;
        let name = self.policy.features().feature(need.feature).map(PaidFeature::name);
        Some(Denial {
            words: self.words(need, decision),
            feature: name.map(|name| (name.clone(), decision)),
            action,
        })
    }

    /// The limit under which a signal may be used so; `None` where it has none, or may not be used.
    pub(crate) fn limit(&self, signal: SignalId, deed: Deed) -> Option<Limit> {
        let row = self.state.wrapped.row(signal).ok()?;
        self.limit_of(self.state.rows.get(row)?, deed)
    }

    /// The feature without which a signal is limited.
    pub(crate) fn limited_by(&self, signal: SignalId, deed: Deed) -> Option<FeatureName> {
        let row = self.state.wrapped.row(signal).ok()?;
        let (need, _) = self.missing(self.state.rows.get(row)?, deed).next()?;
        self.policy.features().feature(need.feature).map(|feature| feature.name().clone())
    }

    pub(crate) fn shape(&self, signal: SignalId, deed: Deed, point: Datapoint) -> Datapoint {
        let (Some(limit), Ok(entry)) = (self.limit(signal, deed), self.catalogue().entry(signal)) else {
            return point;
        };
        limit.shape(entry, &point)
    }

    /// The catalogue that they were judged by.
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.state.wrapped
    }

    /// Whether any limit is in force.
    pub(crate) fn limited(&self) -> bool {
        self.state.rows.iter().any(|row| {
            [Deed::Get, Deed::Subscribe].into_iter().any(|deed| self.limit_of(row, deed).is_some())
        })
    }

    /// Whether the vehicle itself has a way to move the signal.
    pub(crate) fn can_move(&self, signal: SignalId) -> bool {
        self.catalogue().access(signal).is_ok_and(|access| access.write != Permission::No)
    }

    fn permitted(&self, row: usize, deed: Deed) -> bool {
        let permit = self.state.permits.get(row);
        permit.is_none_or(|(read, actuate)| if matches!(deed, Deed::Set) { *actuate } else { *read })
    }

    fn unpermitted(&self, row: usize, deed: Deed) -> String {
        let path = self.state.wrapped.iter().nth(row).map_or("", |(_, entry)| entry.path().as_str());
        let verb = if matches!(deed, Deed::Set) { "actuate" } else { "read" };
        format!("this app has no permission; the scope {verb}:{path} gives it")
    }

    /// What a deed needs and does not have.
    fn missing(&self, row: &Row, deed: Deed) -> impl Iterator<Item = (Need, Decision)> {
        let needed = match deed {
            Deed::Get => [row.read, None],
            Deed::Set => [row.set, None],
            Deed::Subscribe => [row.read, row.subscribe],
        };
        let decisions = needed.into_iter().flatten();
        let decisions = decisions.map(|need| (need, self.state.entitlements.check(need.feature, self.at)));
        decisions.filter(|(_, decision)| !decision.is_allowed())
    }

    fn denied(&self, row: &Row, deed: Deed) -> Option<(Need, Decision)> {
        self.missing(row, deed).find(|(need, _)| self.policy.limit(*need).is_none())
    }

    fn limit_of(&self, row: &Row, deed: Deed) -> Option<Limit> {
        let mut limits = self.missing(row, deed).map(|(need, _)| self.policy.limit(need).copied());
        // Where something is denied, nothing is limited; where two rules limit, the first does.
        let first = limits.next()??;
        limits.all(|limit| limit.is_some()).then_some(first)
    }

    fn words(&self, need: Need, decision: Decision) -> String {
        let name = self.policy.features().feature(need.feature).map(PaidFeature::name);
        name.map_or_else(|| Reason::Unknown.to_string(), |name| denial(name, decision))
    }

    pub(super) fn view(&self) -> Catalogue {
        self.show(|access, [get, set, _]| Access {
            read: both(&access.read, get),
            write: both(&access.write, set),
        })
    }

    pub(super) fn own(&self) -> Catalogue {
        let yes = Permission::Yes;
        self.show(|_, [_, set, subscribe]| Access { read: both(&yes, subscribe), write: both(&yes, set) })
    }

    /// The wrapped catalogue with another access table, made of its own and the denials of get, set and subscribe.
    fn show(&self, access: impl Fn(&Access, [Option<Permission>; 3]) -> Access) -> Catalogue {
        let mut said = BTreeMap::new();
        let mut rows = self.state.rows.iter().enumerate();
        self.state.wrapped.with_access(|_, wrapped| {
            let (at, row) = rows.next().map_or((usize::MAX, Row::default()), |(at, row)| (at, *row));
            let denials = [Deed::Get, Deed::Set, Deed::Subscribe].map(|deed| {
                if !self.permitted(at, deed) {
                    return Some(Permission::denied(self.unpermitted(at, deed)));
                }
                let (need, decision) = self.denied(&row, deed)?;
                let denied = || Permission::denied(self.words(need, decision));
                Some(said.entry(need.feature).or_insert_with(denied).clone())
            });
            access(wrapped, denials)
        })
    }
}

impl Deed {
    fn action(self) -> Action {
        match self {
            Self::Get => Action::Read,
            Self::Set => Action::Set,
            Self::Subscribe => Action::Subscribe,
        }
    }
}

/// A right that both the vehicle and the entitlements must give.
fn both(wrapped: &Permission, denial: Option<Permission>) -> Permission {
    match wrapped {
        Permission::Yes => denial.unwrap_or(Permission::Yes),
        other => other.clone(),
    }
}

/// What a person reads where a feature is missing: what, why, and what would help.
fn denial(feature: &FeatureName, decision: Decision) -> String {
    let spoken = feature.spoken();
    match (decision.reason, decision.until) {
        (Reason::Unknown | Reason::NotInPlan, _) => {
            format!("{spoken} is not in your plan; a grant for {feature} opens it")
        }
        (Reason::Expired, _) => {
            format!("{spoken} is not in your plan any more; renewing {feature} opens it again")
        }
        (Reason::NotYet, Some(starts)) => format!("{spoken} is not in your plan yet; it starts {starts}"),
        (Reason::OtherOwner, _) => {
            format!("{spoken} is not in your plan; the grant for {feature} is another owner's")
        }
        (Reason::OtherVehicle, _) => {
            format!("{spoken} is not in your plan; the grant for {feature} is another vehicle's")
        }
        (reason, _) => format!("{spoken} does not work at present: {reason}; to do: {}", reason.help()),
    }
}
