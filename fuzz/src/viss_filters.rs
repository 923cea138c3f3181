//! A text becomes the filter of a request, and numbers after it pass through it.
//!
//! *Oracle:* a request that is read has the shape that a slow reading finds, is written and read again the same, in either dialect; a period of history is what a reader written
//! anew makes of it; and what a range or a change lets through is what a model written anew does.
//! *Next:* `coachwork_transport::viss` (`Request`, `Standard`, `Trigger`).

use std::sync::LazyLock;
use std::time::Duration;

use coachwork_transport::viss::{Call, Dialect, Operator, Request, Standard, Trigger, Wanted};
use coachwork_transport::{Limits, Message};
use coachwork_vehicle::{Catalogue, DataType, Datapoint, Entry, Facts, SignalId, Timestamp, Value};

use crate::slow_viss;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    Catalogue::new([Entry::sensor("Vehicle.Speed", DataType::DOUBLE)], Facts::default()).expect("a catalogue")
});

/// What was seen of the input, to show that it is used.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests that were read.
    pub requests: usize,
    /// Periods of history.
    pub periods: usize,
    /// Values that passed a filter.
    pub passed: usize,
}

/// One input.
pub fn run(data: &[u8]) {
    look(data);
}

fn look(data: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let Ok(text) = std::str::from_utf8(data) else { return seen };
    let (filter, numbers) = text.split_once('\n').unwrap_or((text, ""));
    let numbers: Vec<f64> = numbers
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .filter(|n: &f64| n.is_finite())
        .collect();
    for dialect in [Dialect::V2, Dialect::V3] {
        for action in ["get", "subscribe"] {
            let text = format!(
                r#"{{"action":"{action}","path":"Vehicle.Speed","requestId":"1","filter":{filter}}}"#
            );
            let limits = Limits::default();
            let Ok(request) = Request::decode(&Message::text(text.clone()), dialect, &limits) else {
                continue;
            };
            seen.requests += 1;
            assert_eq!(slow_viss::request(text.as_bytes(), &request.id), Ok(()), "{request:?}");
            let again = Request::decode(&Message::Text(request.encode(dialect)), dialect, &limits);
            assert!(again.as_ref().is_ok_and(|again| *again == request), "{request:?} became {again:?}");
            match &request.call {
                Call::History { period, .. } => {
                    seen.periods += 1;
                    assert!(*period >= Duration::from_secs(1) && *period < Duration::from_secs(999 * 86_400));
                    if let Some(said) = parameter(filter) {
                        assert_eq!(seconds(&said), Some(period.as_secs()), "{said:?}");
                    }
                }
                Call::Subscribe(Wanted::Standard { target, filter }) if target.is_single() => {
                    seen.passed += through(filter, &numbers);
                }
                _ => {}
            }
        }
    }
    seen
}

/// The parameter of a filter that is one object.
fn parameter(filter: &str) -> Option<String> {
    let filter: serde_json::Value = serde_json::from_str(filter).ok()?;
    Some(filter.get("parameter")?.as_str()?.to_owned())
}

/// A period, read letter by letter.
fn seconds(text: &str) -> Option<u64> {
    let mut letters = text.strip_prefix('P')?.chars();
    let (mut total, mut number, mut in_time) = (0_u64, None, false);
    for letter in &mut letters {
        match letter {
            '0'..='9' => number = Some(number.unwrap_or(0_u64) * 10 + u64::from(letter.to_digit(10)?)),
            'T' if !in_time && number.is_none() => in_time = true,
            'D' if !in_time => total += number.take()? * 86_400,
            'H' if in_time => total += number.take()? * 3600,
            'M' if in_time => total += number.take()? * 60,
            'S' if in_time => total += number.take()?,
            _ => return None,
        }
    }
    number.is_none().then_some(total)
}

/// How many numbers pass; the same as in the model.
fn through(filter: &Standard, numbers: &[f64]) -> usize {
    let signal: SignalId = CATALOGUE.ids().next().expect("a signal");
    let mut trigger = Trigger::new(filter.clone(), vec![signal]);
    let mut last = None;
    let mut passed = 0;
    for &number in numbers {
        let point = Datapoint::valid(Value::Double(number), Timestamp::EPOCH);
        let out = trigger.admit([(signal, point)]);
        let wanted = match filter {
            Standard::Range { bounds, any: false } => {
                bounds.iter().all(|(op, bound)| holds(*op, number, *bound))
            }
            Standard::Range { bounds, any: true } => {
                bounds.iter().any(|(op, bound)| holds(*op, number, *bound))
            }
            Standard::Change { operator, diff } => last.is_none_or(|last: f64| match operator {
                Operator::Lt | Operator::Lte => holds(*operator, number, last - diff.abs()),
                _ => holds(*operator, number, last + diff),
            }),
            _ => true,
        };
        assert_eq!(!out.is_empty(), wanted, "{filter:?}: {number} after {last:?}");
        if wanted {
            last = Some(number);
            passed += 1;
        }
    }
    passed
}

#[expect(clippy::float_cmp, reason = "the model compares as it says")]
fn holds(operator: Operator, number: f64, bound: f64) -> bool {
    match operator {
        Operator::Eq => number == bound,
        Operator::Ne => number != bound,
        Operator::Gt => number > bound,
        Operator::Gte => number >= bound,
        Operator::Lt => number < bound,
        Operator::Lte => number <= bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_is_used() {
        let history = look(br#"{"variant":"history","parameter":"P2DT12H"}"#);
        assert_eq!(history, Seen { requests: 2, periods: 2, passed: 0 });
        let change =
            look(b"{\"variant\":\"change\",\"parameter\":{\"logic-op\":\"gt\",\"diff\":\"1\"}}\n1 5 5 7 2");
        assert_eq!(change, Seen { requests: 2, periods: 0, passed: 6 });
        assert_eq!(look(b"{}"), Seen::default());
    }
}
