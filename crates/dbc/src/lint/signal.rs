//! What is wrong with a signal: its bits, its multiplexer, its range, its labels, its unit.
//!
//! *Invariant:* each rule reports a signal at most once.
//! *Next:* `units.rs` (spellings).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use super::{Report, Rule, names, units};
use crate::plan::{Field, mask};
use crate::{Database, Message, Raw, Signal, SignalIndex};

/// What is found once per message.
pub(super) struct Shared {
    /// The later of two overlapping signals, and the earlier.
    overlaps: BTreeMap<SignalIndex, SignalIndex>,
    /// Signals whose name an earlier signal has.
    twins: BTreeSet<SignalIndex>,
}

impl Shared {
    pub(super) fn of(message: &Message) -> Self {
        let (mut names, mut symbols) = (BTreeSet::new(), BTreeSet::new());
        let overlaps = message.overlaps().into_iter().map(|(earlier, later)| (later, earlier)).collect();
        let twins = message.indexed_signals().filter(|(_, signal)| {
            let new = (names.insert(signal.name()), symbols.insert(symbol(signal)));
            new != (true, true)
        });
        Self { overlaps, twins: twins.map(|(index, _)| index).collect() }
    }
}

pub(super) fn check(
    database: &Database,
    message: &Message,
    index: SignalIndex,
    signal: &Signal,
    shared: &Shared,
    report: &mut Report<'_>,
) {
    let Some(field) = message.plan.field(index.position()) else { return };
    if shared.twins.contains(&index) {
        report.say_of(Rule::DuplicateSignal, signal, || "an earlier signal has this name too".into());
    }
    names::name_itself("signal", symbol(signal), |rule, text| report.say_of(rule, signal, || text));
    multiplexing(message, index, signal, report);
    if !message.holds(index) {
        let length = message.length();
        report.say_of(Rule::OutsideMessage, signal, || {
            format!("it has bits beyond the message's {length} bytes")
        });
    }
    if let Some(other) = shared.overlaps.get(&index).and_then(|earlier| message.signal(*earlier)) {
        report.say_of(Rule::Overlap, signal, || format!("it shares bits with {}", other.name()));
    }
    range(field, signal, report);
    start_value(database, field, signal, report);
    labels(field, signal, report);
    special_values(field, signal, report);
    if let Some(usual) = units::usual(signal.unit()) {
        let unit = signal.unit();
        report
            .say_of(Rule::UnitSpelling, signal, || format!("the unit {unit:?} is usually spelled {usual:?}"));
    }
}

/// The name in the file's statements, where a long name stands in an attribute.
fn symbol(signal: &Signal) -> &str {
    signal.symbol.as_deref().unwrap_or(signal.name())
}

fn multiplexing(message: &Message, index: SignalIndex, signal: &Signal, report: &mut Report<'_>) {
    let Some((multiplexer, values)) = message.plan.selector(index.position()) else { return };
    let Some(selector) = message.signals().get(multiplexer) else { return };
    if let Some(why) = unreachable(message, index.position()) {
        report.say_of(Rule::UnreachableSignal, signal, || format!("it is never present: {why}"));
    } else if values.iter().any(|range| range.1 > mask(selector.length())) {
        let (name, bits) = (selector.name(), selector.length());
        let text = || format!("it depends on values that the {bits} bits of {name} cannot have");
        report.say_of(Rule::MultiplexerValue, signal, text);
    }
    let mut stated =
        signal.multiplexed().map(|multiplexed| multiplexed.values().to_vec()).unwrap_or_default();
    stated.sort_unstable();
    let twice = stated.iter().zip(stated.iter().skip(1)).find(|(earlier, later)| later.0 <= earlier.1);
    if let Some((_, (value, _))) = twice {
        let text = || format!("it names the value {value} of its multiplexer twice");
        report.say_of(Rule::DuplicateMultiplexerValue, signal, text);
    }
}

/// Why no payload of the message's length holds a signal, as far as its multiplexers say.
fn unreachable(message: &Message, position: usize) -> Option<String> {
    let mut at = position;
    while let Some((multiplexer, values)) = message.plan.selector(at) {
        let (selector, field) = (message.signals().get(multiplexer)?, message.plan.field(multiplexer)?);
        let name = selector.name();
        if !field.fits(message.length()) {
            return Some(format!("its multiplexer {name} leaves the message"));
        }
        if !values.iter().any(|range| range.0 <= range.1 && range.0 <= mask(selector.length())) {
            return Some(format!("the {} bits of {name} have none of the values", selector.length()));
        }
        at = multiplexer;
    }
    None
}

fn range(field: &Field, signal: &Signal, report: &mut Report<'_>) {
    let Some((min, max)) = signal.range() else { return };
    if min > max {
        report
            .say_of(Rule::RangeInverted, signal, || format!("the minimum {min} is above the maximum {max}"));
        return;
    }
    let Some((lowest, highest)) = limits(field, signal) else { return };
    // Half a step may be lost to rounding when a range was typed in.
    let slack = signal.factor().abs() / 2.0;
    if min < lowest - slack || max > highest + slack {
        let text = || {
            let bits = signal.length();
            format!("{bits} bits hold {lowest} to {highest}, the stated range is {min} to {max}")
        };
        report.say_of(Rule::RangeTooWide, signal, text);
    }
}

/// The smallest and the largest physical value that the bits can hold; `None` for floats.
pub(crate) fn limits(field: &Field, signal: &Signal) -> Option<(f64, f64)> {
    if signal.value_type().is_float() {
        return None;
    }
    let (low, high) = field.integer_limits();
    let a = physical(field, signal, low)?;
    let b = physical(field, signal, high)?;
    Some((a.min(b), a.max(b)))
}

fn physical(field: &Field, signal: &Signal, raw: i128) -> Option<f64> {
    let raw = match signal.value_type() {
        crate::ValueType::Signed => Raw::Signed(i64::try_from(raw).ok()?),
        _ => Raw::Unsigned(u64::try_from(raw).ok()?),
    };
    Some(field.physical(raw).to_f64())
}

fn start_value(database: &Database, field: &Field, signal: &Signal, report: &mut Report<'_>) {
    let Some(start) = signal.start_value() else { return };
    if let Some(value) = start.integer().filter(|_| !signal.value_type().is_float()) {
        let (low, high) = field.integer_limits();
        if !(low..=high).contains(&value) {
            let text = || format!("the raw start value {value} is outside {low} to {high}");
            report.say_of(Rule::StartValue, signal, text);
            return;
        }
    }
    // A default that was never meant for this signal says nothing about it.
    let attribute = "GenSigStartValue";
    if signal.attributes().value(attribute).is_none()
        && database.signal_attribute(signal, attribute).is_some()
    {
        return;
    }
    let value = field.physical(start).to_f64();
    let special =
        signal.availability(start) != crate::Availability::Available || signal.label(start).is_some();
    if let Some((min, max)) = signal.range().filter(|(min, max)| !special && (value < *min || value > *max)) {
        let text = || format!("the start value {value} is outside the stated range {min} to {max}");
        report.say_of(Rule::StartValue, signal, text);
    }
}

fn labels(field: &Field, signal: &Signal, report: &mut Report<'_>) {
    let float = signal.value_type().is_float();
    let (low, high) = if float { (i128::MIN, i128::MAX) } else { field.integer_limits() };
    let mut outside = signal.choices().iter().filter(|(value, _)| !(low..=high).contains(value));
    if let Some((value, label)) = outside.next() {
        let more = match outside.count() {
            0 => String::new(),
            more => format!(" (and {more} more labels)"),
        };
        let text = || format!("the label {label:?} names {value}, the bits hold {low} to {high}{more}");
        report.say_of(Rule::LabelOutside, signal, text);
    }
    let mut values = BTreeMap::new();
    let twice =
        signal.choices().iter().find_map(|(value, label)| Some((value, values.insert(value, label)?, label)));
    if let Some((value, first, second)) = twice {
        let text = || format!("{value} is labelled {first:?} and {second:?}");
        report.say_of(Rule::DuplicateLabelValue, signal, text);
    }
    let mut texts: BTreeMap<&str, i128> = BTreeMap::new();
    let twice = signal.choices().iter().find_map(|(value, label)| {
        let first = *texts.entry(label).or_insert(value);
        (first != value).then_some((label, first, value))
    });
    if let Some((label, first, second)) = twice {
        let text = || format!("the label {label:?} stands for {first} and for {second}");
        report.say_of(Rule::DuplicateLabel, signal, text);
    }
}

fn special_values(field: &Field, signal: &Signal, report: &mut Report<'_>) {
    let Some((min, max)) = signal.range() else { return };
    let special = signal.not_available().iter().chain(signal.error_values());
    let inside = special.flat_map(|(from, to)| [*from, *to]).find_map(|raw| {
        let value = physical(field, signal, raw)?;
        (min <= value && value <= max).then_some((raw, value))
    });
    if let Some((raw, value)) = inside {
        let text = || format!("the raw value {raw} stands for no value, but {value} is in the stated range");
        report.say_of(Rule::SpecialValueInRange, signal, text);
    }
}
