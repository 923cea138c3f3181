//! One signal's latest report, written by one thread and read by any number of them without a lock: a sequence lock of atomic words.
//!
//! *Invariant:* a reader gets one whole report, or nothing and tries again. Numbers lie in the words; text, arrays and reasons
//! behind a lock of the slot's own.
//! *Next:* `table.rs` (all slots, and who may write).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::datapoint::{Datapoint, State};
use crate::sync::lock;
use crate::time::{Monotonic, Timestamp};
use crate::value::Value;

/// A datapoint with the time of its report, and the report's number: no two reports of a signal have the same.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) point: Datapoint,
    pub(super) at: Monotonic,
    pub(super) number: u64,
}

pub(super) struct Slot {
    /// Odd while the slot is written; half of it is the number of the report.
    turn: AtomicU64,
    kind: AtomicU64,
    bits: AtomicU64,
    source: AtomicU64,
    received: AtomicU64,
    at: AtomicU64,
    /// The state, where it is larger than a word.
    large: Mutex<State>,
}

/// The state is behind the lock.
const LARGE: u64 = 15;

impl Slot {
    /// A signal that was never set.
    pub(super) fn new() -> Self {
        let word = || AtomicU64::new(0);
        Self {
            turn: word(),
            kind: word(),
            bits: word(),
            source: word(),
            received: word(),
            at: word(),
            large: Mutex::new(State::NeverSet),
        }
    }

    /// Puts a report in the place of the one before; for one thread at a time.
    pub(super) fn write(&self, point: &Datapoint, at: Monotonic) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        // Whoever sees one of the words below sees the odd turn, too.
        fence(Ordering::Release);
        let (kind, bits) = pack(&point.state).unwrap_or((LARGE, 0));
        if kind == LARGE {
            lock(&self.large).clone_from(&point.state);
        } else if self.kind.load(Ordering::Relaxed) == LARGE {
            *lock(&self.large) = State::NeverSet;
        }
        self.kind.store(kind, Ordering::Relaxed);
        self.bits.store(bits, Ordering::Relaxed);
        self.source.store(point.source.nanoseconds().cast_unsigned(), Ordering::Relaxed);
        self.received.store(point.received.nanoseconds().cast_unsigned(), Ordering::Relaxed);
        self.at.store(at.nanoseconds(), Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(2), Ordering::Release);
    }

    /// The present report; `None` while it is written.
    pub(super) fn read(&self) -> Option<Report> {
        self.read_in_steps(|_| {})
    }

    /// Reads, and calls `between` after each step.
    fn read_in_steps(&self, mut between: impl FnMut(u8)) -> Option<Report> {
        let turn = self.turn.load(Ordering::Acquire);
        if turn % 2 == 1 {
            return None;
        }
        between(0);
        let kind = self.kind.load(Ordering::Relaxed);
        between(1);
        let bits = self.bits.load(Ordering::Relaxed);
        between(2);
        let source = self.source.load(Ordering::Relaxed).cast_signed();
        between(3);
        let received = self.received.load(Ordering::Relaxed).cast_signed();
        between(4);
        let at = self.at.load(Ordering::Relaxed);
        between(5);
        let state = if kind == LARGE { lock(&self.large).clone() } else { unpack(kind, bits) };
        // What was read above was read before the turn is looked at again.
        fence(Ordering::Acquire);
        if self.turn.load(Ordering::Relaxed) != turn {
            return None;
        }
        let point = Datapoint {
            state,
            source: Timestamp::from_nanoseconds(source),
            received: Timestamp::from_nanoseconds(received),
        };
        Some(Report { point, at: Monotonic::from_nanoseconds(at), number: turn / 2 })
    }
}

/// A state in two words; `None` where it does not fit.
fn pack(state: &State) -> Option<(u64, u64)> {
    let (value, first) = match state {
        State::NeverSet => return Some((0, 0)),
        State::Valid(value) => (value, 1),
        State::Stale(value) => (value, 6),
        State::NotAvailable(_) | State::Error(_) => return None,
    };
    let (kind, bits) = match value {
        Value::Bool(v) => (0, u64::from(*v)),
        Value::Int(v) => (1, v.cast_unsigned()),
        Value::Uint(v) => (2, *v),
        Value::Float(v) => (3, u64::from(v.to_bits())),
        Value::Double(v) => (4, v.to_bits()),
        Value::Text(_) | Value::Array(_) | Value::Struct(_) => return None,
    };
    Some((first + kind, bits))
}

/// The state in two words. Words of two reports give some state, which the turn then shows to be none.
fn unpack(kind: u64, bits: u64) -> State {
    if kind == 0 {
        return State::NeverSet;
    }
    let value = match (kind - 1) % 5 {
        0 => Value::Bool(bits != 0),
        1 => Value::Int(bits.cast_signed()),
        2 => Value::Uint(bits),
        // The upper half is zero in every float that was packed.
        3 => Value::Float(f32::from_bits(u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0))),
        _ => Value::Double(f64::from_bits(bits)),
    };
    if kind < 6 { State::Valid(value) } else { State::Stale(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapoint::{Reason, ReasonKind};

    #[test]
    fn every_state_is_read_as_it_was_written() {
        let values = [
            Value::Bool(true),
            Value::Bool(false),
            Value::Int(i64::MIN),
            Value::Uint(u64::MAX),
            Value::Float(-0.5),
            Value::Float(f32::NAN),
            Value::Double(f64::MAX),
            Value::Text("text".into()),
            Value::Array([Value::Int(1), Value::Int(-2)].into()),
        ];
        let reason = || Reason::because(ReasonKind::Source, "why");
        let mut states: Vec<State> = values.iter().cloned().map(State::Valid).collect();
        states.extend(values.into_iter().map(State::Stale));
        states.extend([State::NeverSet, State::NotAvailable(reason()), State::Error(reason())]);
        let slot = Slot::new();
        for (number, state) in (1..).zip(states) {
            let point = Datapoint {
                state,
                source: Timestamp::from_nanoseconds(i64::MIN),
                received: Timestamp::from_nanoseconds(-1),
            };
            let at = Monotonic::from_nanoseconds(u64::MAX - 1);
            slot.write(&point, at);
            let seen = slot.read().unwrap();
            assert!(seen.point.state.same(&point.state), "{point:?} became {seen:?}");
            assert_eq!((seen.point.source, seen.point.received), (point.source, point.received));
            assert_eq!((seen.at, seen.number), (at, number));
        }
    }

    /// A report that comes between any two steps of a reader leaves it with nothing, and never with a part of each.
    #[test]
    fn a_report_between_any_two_steps_is_noticed() {
        let point = |value: &Value, n| Datapoint::valid(value.clone(), Timestamp::from_nanoseconds(n));
        let values = [Value::Int(-7), Value::Double(0.5), Value::Text("text".into()), Value::Uint(9)];
        for (before, after) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
            for step in 0..6 {
                let slot = Slot::new();
                slot.write(&point(before, 1), Monotonic::from_nanoseconds(1));
                let seen = slot.read_in_steps(|now| {
                    if now == step {
                        slot.write(&point(after, 2), Monotonic::from_nanoseconds(2));
                    }
                });
                assert!(seen.is_none(), "{before:?}, {after:?} at {step}: {seen:?}");
                assert_eq!(slot.read().unwrap().point, point(after, 2));
            }
        }
    }

    /// One thread writes numbers and text in turn, another reads: both times and the value of what it sees are of one report.
    #[test]
    fn a_report_is_never_torn() {
        const REPORTS: i64 = if cfg!(debug_assertions) { 100_000 } else { 2_000_000 };
        let slot = Slot::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=REPORTS {
                    let value = match n % 3 {
                        0 => Value::Text(n.to_string().into()),
                        1 => Value::Int(n),
                        _ => Value::Uint(n.cast_unsigned()),
                    };
                    let at = Timestamp::from_nanoseconds(n);
                    slot.write(&Datapoint::valid(value, at), Monotonic::from_nanoseconds(n.cast_unsigned()));
                }
            });
            let (mut last, mut seen) = (0, 0_u64);
            while last < REPORTS {
                let Some(report) = slot.read() else { continue };
                let n = report.at.nanoseconds().cast_signed();
                assert!(n >= last, "report {n} came after {last}");
                (last, seen) = (n, seen + 1);
                if n == 0 {
                    continue;
                }
                assert_eq!(report.number.cast_signed(), n);
                assert_eq!((report.point.source.nanoseconds(), report.point.received.nanoseconds()), (n, n));
                let value = match report.point.value() {
                    Some(Value::Text(text)) => text.parse().ok(),
                    Some(Value::Int(value)) => Some(*value),
                    Some(Value::Uint(value)) => Some(value.cast_signed()),
                    _ => None,
                };
                assert_eq!(value, Some(n));
            }
            assert!(seen > 0);
        });
    }
}
