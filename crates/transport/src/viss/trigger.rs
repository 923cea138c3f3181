//! The filters of VISS that a vehicle's own filters do not say: which updates of a subscription make an event.
//!
//! *Invariant:* pure: datapoints in, datapoints out. At most one datapoint per signal is kept.
//! *Next:* `request.rs` (which reads a filter), the gateway (which puts a trigger behind its subscription).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use coachwork_vehicle::{
    DataType, Datapoint, Entry, Error, ErrorKind, ScalarType, SignalId, Subscribe, Value,
};

use super::value::parse_scalar;

/// A filter of a subscription in pure VISS.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Standard {
    /// No filter but that of paths: every update.
    None,
    /// The present values once in this time.
    Timebased(Duration),
    /// The value differs from the one reported last in the way that the operator says, by `diff`. Of several signals, the first
    /// one decides, and all are reported.
    Change {
        /// How it must differ.
        operator: Operator,
        /// By how much; zero for booleans and text.
        diff: f64,
    },
    /// The value meets all bounds, or any of them. Of several signals, the first one decides, and all are reported.
    Range {
        /// One or two bounds.
        bounds: Vec<(Operator, f64)>,
        /// Whether one of them suffices.
        any: bool,
    },
}

/// A comparison, by its name in VISS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the names of comparisons")]
pub enum Operator {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// The state of a [`Standard`] filter over one subscription.
#[derive(Clone, Debug)]
pub struct Trigger {
    filter: Standard,
    /// The signals in the order of the request.
    signals: Vec<SignalId>,
    /// What was last reported, or for a filter on the first of several signals, last seen.
    last: BTreeMap<SignalId, Datapoint>,
    /// What the deciding signal reported last; of a boolean, what it said last.
    reported: Option<Value>,
}

impl Standard {
    /// The subscription at the vehicle that feeds a trigger, for these signals.
    pub fn subscribe(&self, signals: &[SignalId]) -> Subscribe {
        let wish = Subscribe::to(signals.iter().copied());
        match self {
            Self::Timebased(period) => wish.every(*period),
            Self::Change { operator: Operator::Ne, diff } if *diff == 0.0 && signals.len() == 1 => {
                wish.on_change()
            }
            _ => wish,
        }
    }
}

impl Standard {
    /// Whether it is a filter for values of this entry, which decides.
    pub(crate) fn fits(&self, entry: &Entry) -> Result<(), Error> {
        let other = |scalar| matches!(scalar, ScalarType::Boolean | ScalarType::String | ScalarType::Struct);
        let number = matches!(entry.data_type(), DataType::Scalar(scalar) if !other(scalar));
        let what = match self {
            Self::Range { .. } if !number => "a range is one of numbers",
            Self::Change { diff, .. } if !number && *diff != 0.0 => "a diff other than 0 is one of numbers",
            Self::Change { operator: Operator::Ne | Operator::Eq, .. } => return Ok(()),
            Self::Change { .. } if !number && entry.data_type() != DataType::BOOLEAN => {
                "what is neither number nor boolean is only equal or not"
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::WrongType, what).on_path(entry.path().as_str()))
    }
}

impl Operator {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Eq, "eq"),
        (Self::Ne, "ne"),
        (Self::Gt, "gt"),
        (Self::Gte, "gte"),
        (Self::Lt, "lt"),
        (Self::Lte, "lte"),
    ];

    /// Its name in VISS.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(operator, _)| *operator == self).map_or("", |(_, name)| name)
    }

    /// The operator of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(operator, _)| operator)
    }

    /// Whether it holds for a value that compares so; nothing but `ne` holds where there is no order.
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Eq => order == Some(Ordering::Equal),
            Self::Ne => order != Some(Ordering::Equal),
            Self::Gt => order.is_some_and(Ordering::is_gt),
            Self::Gte => order.is_some_and(Ordering::is_ge),
            Self::Lt => order.is_some_and(Ordering::is_lt),
            Self::Lte => order.is_some_and(Ordering::is_le),
        }
    }
}

impl Trigger {
    /// A filter over these signals, in the order of the request.
    pub fn new(filter: Standard, signals: Vec<SignalId>) -> Self {
        Self { filter, signals, last: BTreeMap::new(), reported: None }
    }

    /// What of these updates is reported, if anything. A datapoint without a value passes a range, and counts as a change.
    pub fn admit(
        &mut self,
        points: impl IntoIterator<Item = (SignalId, Datapoint)>,
    ) -> Vec<(SignalId, Datapoint)> {
        let (mut out, mut fired) = (Vec::new(), false);
        for (signal, point) in points {
            match &self.filter {
                Standard::None | Standard::Timebased(_) => out.push((signal, point)),
                filter => {
                    let decides = self.signals.first() == Some(&signal);
                    let fires = decides
                        && match filter {
                            Standard::Range { bounds, any } => in_range(&point, bounds, *any),
                            Standard::Change { operator, diff } => {
                                changed(self.reported.as_ref(), point.value(), *operator, *diff)
                            }
                            Standard::None | Standard::Timebased(_) => true,
                        };
                    // A boolean has a flank where it differs from before; a number that creeps has changed since it was reported.
                    let flank = decides && matches!(point.value(), Some(Value::Bool(_)));
                    if fires || flank {
                        self.reported = point.value().cloned();
                    }
                    if self.signals.len() == 1 {
                        out.extend(fires.then_some((signal, point)));
                        continue;
                    }
                    self.last.insert(signal, point);
                    fired |= fires;
                }
            }
        }
        if fired {
            let last = |id: &SignalId| Some((*id, self.last.get(id)?.clone()));
            out = self.signals.iter().filter_map(last).collect();
        }
        out
    }
}

fn in_range(point: &Datapoint, bounds: &[(Operator, f64)], any: bool) -> bool {
    let Some(number) = point.value().and_then(Value::as_f64) else { return !point.is_valid() };
    let mut met = bounds.iter().map(|(operator, bound)| operator.holds(number.partial_cmp(bound)));
    if any { met.any(|met| met) } else { met.all(|met| met) }
}

/// Whether a value differs from the one reported last as it should. The first value does.
fn changed(last: Option<&Value>, now: Option<&Value>, operator: Operator, diff: f64) -> bool {
    let (Some(last), Some(now)) = (last, now) else { return last.is_some() || now.is_some() };
    let order = match (last, now) {
        (Value::Bool(last), Value::Bool(now)) => Some(now.cmp(last)),
        (last, now) => match (last.as_f64(), now.as_f64()) {
            // For a fall, the difference is given as it is seen on the scale, with or without its sign.
            (Some(was), Some(is)) if matches!(operator, Operator::Lt | Operator::Lte) => {
                is.partial_cmp(&(was - diff.abs()))
            }
            (Some(was), Some(is)) if diff != 0.0 => is.partial_cmp(&(was + diff)),
            (Some(_), Some(_)) => now.compare(last),
            _ => now.same(last).then_some(Ordering::Equal),
        },
    };
    operator.holds(order)
}

/// A number of a filter's parameter.
pub(crate) fn number(text: &str) -> Option<f64> {
    parse_scalar(text, ScalarType::Double).ok()?.as_f64().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_vehicle::{Catalogue, Facts, State, Timestamp};

    fn ids() -> Vec<SignalId> {
        let entries = ["A.A", "A.B"].map(|path| Entry::sensor(path, DataType::DOUBLE));
        Catalogue::new(entries, Facts::default()).unwrap().ids().collect()
    }

    fn passes(filter: Standard, values: &[Value]) -> Vec<String> {
        let signal = ids()[0];
        let mut trigger = Trigger::new(filter, vec![signal]);
        let admit =
            |value: &Value| trigger.admit([(signal, Datapoint::valid(value.clone(), Timestamp::EPOCH))]);
        values.iter().flat_map(admit).map(|(_, point)| point.state.to_string()).collect()
    }

    fn change(operator: Operator, diff: f64) -> Standard {
        Standard::Change { operator, diff }
    }

    #[test]
    fn changes_are_measured_from_what_was_reported_last() {
        let numbers: Vec<_> = [10, 11, 13, 12, 9, 9].map(|v| Value::from(i64::from(v))).into();
        assert_eq!(passes(change(Operator::Ne, 0.0), &numbers), ["10", "11", "13", "12", "9"]);
        assert_eq!(passes(change(Operator::Gt, 2.0), &numbers), ["10", "13"]);
        assert_eq!(passes(change(Operator::Gte, 3.0), &numbers), ["10", "13"]);
        assert_eq!(passes(change(Operator::Lt, 0.0), &numbers), ["10", "9"]);
        assert_eq!(passes(change(Operator::Lt, -0.5), &numbers), ["10", "9"]);
        assert_eq!(passes(change(Operator::Eq, 0.0), &numbers), ["10"]);
    }

    #[test]
    fn booleans_and_texts_change() {
        let bools: Vec<_> = [false, true, true, false].map(Value::from).into();
        assert_eq!(passes(change(Operator::Ne, 0.0), &bools), ["false", "true", "false"]);
        assert_eq!(passes(change(Operator::Gt, 0.0), &bools), ["false", "true"]);
        let bools: Vec<_> = [false, true, false, true].map(Value::from).into();
        assert_eq!(passes(change(Operator::Gt, 0.0), &bools), ["false", "true", "true"]);
        assert_eq!(passes(change(Operator::Lt, 0.0), &bools), ["false", "false"]);
        let texts: Vec<_> = ["a", "a", "b"].map(Value::from).into();
        assert_eq!(passes(change(Operator::Ne, 0.0), &texts), ["a", "b"]);
    }

    #[test]
    fn ranges_combine() {
        let numbers: Vec<_> = [1.0, 5.0, 9.0, f64::NAN].map(Value::from).into();
        let range = |any| Standard::Range { bounds: vec![(Operator::Gt, 1.0), (Operator::Lt, 9.0)], any };
        assert_eq!(passes(range(false), &numbers), ["5"]);
        assert_eq!(passes(range(true), &numbers), ["1", "5", "9"]);
    }

    #[test]
    fn of_several_signals_the_first_decides_and_all_are_reported() {
        let ids = ids();
        let mut trigger = Trigger::new(change(Operator::Ne, 0.0), ids.clone());
        let point = |value: i64| Datapoint::valid(value, Timestamp::EPOCH);
        assert_eq!(trigger.admit([(ids[1], point(1))]), []);
        assert_eq!(trigger.admit([(ids[0], point(5))]).len(), 2);
        assert_eq!(trigger.admit([(ids[1], point(2)), (ids[0], point(5))]), []);
        let gone = Datapoint::new(State::NeverSet, Timestamp::EPOCH);
        let fired = trigger.admit([(ids[0], gone)]);
        assert_eq!(fired[1], (ids[1], point(2)));
    }
}
