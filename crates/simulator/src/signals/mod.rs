//! What of the car is published: one row for each signal, with its facts from VSS 6.0, how often it comes, and where it is read.
//!
//! *Invariant:* paths, kinds, types, units and ranges are those of the built-in catalogue, ranges narrower where the car's are. What is read is rounded
//! to the signal's step and kept in its range.
//! *Next:* `drive.rs`, `cabin.rs`, `energy.rs` (the rows), `vehicle.rs` (which publishes them).

mod cabin;
mod drive;
mod energy;

use std::collections::HashMap;
use std::time::Duration;

use coachwork_vehicle::{DataType, Entry, ScalarType, TypedPath, Value, VssScalar, vss};

use crate::car::Car;
use crate::requests::Actuator;

pub(crate) struct Row {
    pub(crate) entry: Entry,
    pub(crate) pace: Pace,
    pub(crate) actuator: Option<Actuator>,
    read: Read,
    /// The least and the most that can be published.
    range: (f64, f64),
}

enum Read {
    /// A number, and its step.
    Number(fn(&Car) -> f64, f64),
    Flag(fn(&Car) -> bool),
    Word(fn(&Car) -> &'static str),
    Fixed(Value),
}

/// What a signal says, in a form that is quickly compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    Number(f64),
    Flag(bool),
    Word(&'static str),
    Fixed,
}

impl Row {
    pub(crate) fn say(&self, car: &Car) -> Said {
        match &self.read {
            Read::Number(read, step) => {
                let (least, most) = self.range;
                Said::Number(((read(car) / step).round() * step).clamp(least, most))
            }
            Read::Flag(read) => Said::Flag(read(car)),
            Read::Word(read) => Said::Word(read(car)),
            Read::Fixed(_) => Said::Fixed,
        }
    }

    /// What was said, as a value of the signal's type.
    pub(crate) fn value(&self, said: Said) -> Value {
        match said {
            Said::Number(number) => valued(self.entry.data_type(), number),
            Said::Flag(flag) => Value::Bool(flag),
            Said::Word(word) => {
                let is_it = |value: &&Value| matches!(value, Value::Text(text) if **text == *word);
                self.entry.allowed().iter().find(is_it).cloned().unwrap_or_else(|| Value::from(word))
            }
            Said::Fixed => match &self.read {
                Read::Fixed(value) => value.clone(),
                _ => Value::Bool(false),
            },
        }
    }
}

/// The number in the variant of a type.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded and within the type's range; the nearest float is what is meant"
)]
fn valued(data_type: DataType, number: f64) -> Value {
    let scalar = data_type.scalar();
    match scalar {
        ScalarType::Float => Value::Float(number as f32),
        ScalarType::Double => Value::Double(number),
        ScalarType::Uint8 | ScalarType::Uint16 | ScalarType::Uint32 | ScalarType::Uint64 => {
            Value::Uint(number as u64)
        }
        _ => Value::Int(number as i64),
    }
}

/// A Rust type that VSS has numbers in.
trait Number: VssScalar {}
impl Number for i8 {}
impl Number for i16 {}
impl Number for u8 {}
impl Number for u16 {}
impl Number for u32 {}
impl Number for f32 {}
impl Number for f64 {}

/// The entries of the built-in catalogue, by path: looked up, never iterated.
struct Rows {
    entries: HashMap<String, Entry>,
    rows: Vec<Row>,
}

/// How often a signal comes.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// A measurement that is looked at in every step, and repeated once in a second.
    Fast,
    /// A state that comes in the step that changes it, and again every two seconds.
    State,
    /// A state of comfort: it comes in the step that changes it, and again every five seconds.
    Comfort,
    /// A measurement that is looked at once in a second, and repeated every five.
    Slow,
    /// What does not change comes at the start alone, and is never stale.
    Once,
}

/// Which paces have their turn in a step.
pub(crate) struct Turn {
    second: bool,
    two: bool,
    five: bool,
}

impl Turn {
    /// Of the step that ends so many shortest steps after the start.
    pub(crate) const fn at(ticks: u64) -> Self {
        Self {
            second: ticks.is_multiple_of(10),
            two: ticks.is_multiple_of(20),
            five: ticks.is_multiple_of(50),
        }
    }

    /// Whether a signal is looked at, and whether it is told even where it says the same.
    pub(crate) const fn of(&self, pace: Pace) -> (bool, bool) {
        match pace {
            Pace::Fast => (true, self.second),
            Pace::State => (true, self.two),
            Pace::Comfort => (true, self.five),
            Pace::Slow => (self.second, self.five),
            Pace::Once => (false, false),
        }
    }
}

impl Rows {
    fn number<T: Number>(
        &mut self,
        path: TypedPath<T>,
        pace: Pace,
        step: f64,
        read: fn(&Car) -> f64,
    ) -> Added<'_> {
        self.row(path, pace, Read::Number(read, step))
    }

    fn flag(&mut self, path: TypedPath<bool>, pace: Pace, read: fn(&Car) -> bool) -> Added<'_> {
        self.row(path, pace, Read::Flag(read))
    }

    fn word(&mut self, path: TypedPath<String>, pace: Pace, read: fn(&Car) -> &'static str) -> Added<'_> {
        self.row(path, pace, Read::Word(read))
    }

    fn fixed<T: VssScalar>(&mut self, path: TypedPath<T>, value: T) {
        self.row(path, Pace::Once, Read::Fixed(value.into_value()));
    }

    fn row<T: VssScalar>(&mut self, path: TypedPath<T>, pace: Pace, read: Read) -> Added<'_> {
        let repeat = match pace {
            Pace::Fast => 1,
            Pace::State => 2,
            Pace::Comfort | Pace::Slow => 5,
            Pace::Once => 0,
        };
        let known = self.entries.remove(path.path());
        let entry = known.unwrap_or_else(|| Entry::sensor(path.path(), T::DATA_TYPE));
        // Three missed repetitions are no hiccup any more.
        let age = Duration::from_secs(3 * repeat);
        let entry = if repeat > 0 { entry.with_stale_after(age) } else { entry };
        let entry = match read {
            Read::Number(_, step) => entry.with_step(step),
            _ => entry,
        };
        let range = range(&entry);
        self.rows.push(Row { entry, pace, actuator: None, read, range });
        Added(self.rows.last_mut())
    }
}

/// The row that was added last.
struct Added<'a>(Option<&'a mut Row>);

impl Added<'_> {
    fn moved_by(mut self, actuator: Actuator) -> Self {
        if let Some(row) = &mut self.0 {
            row.actuator = Some(actuator);
        }
        self
    }

    /// Narrows the range to what this car can do.
    fn within(self, least: f64, most: f64) {
        if let Some(row) = self.0 {
            let data_type = row.entry.data_type();
            let (min, max) = (valued(data_type, least), valued(data_type, most));
            row.entry = row.entry.clone().with_range(min, max);
            row.range = (least, most);
        }
    }
}

fn range(entry: &Entry) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "no signal of the car comes near the ends of 64 bits")]
    let (low, high) = entry
        .data_type()
        .scalar()
        .integer_range()
        .map_or((f64::MIN, f64::MAX), |(low, high)| (low as f64, high as f64));
    (
        entry.min().and_then(Value::as_f64).unwrap_or(low).max(low),
        entry.max().and_then(Value::as_f64).unwrap_or(high).min(high),
    )
}

/// All rows. A path that is an actuator in VSS and has no [`Actuator`] here moves by hand.
pub(crate) fn rows() -> Vec<Row> {
    let entries = vss::entries().map(|entry| (entry.path().as_str().to_owned(), entry)).collect();
    let mut rows = Rows { entries, rows: Vec::new() };
    drive::rows(&mut rows);
    cabin::rows(&mut rows);
    energy::rows(&mut rows);
    rows.rows
}
