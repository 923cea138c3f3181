//! Signals of two messages, matched and compared.
//!
//! *Invariant:* two descriptions of the same bits are the same layout; a multiplexer that was renamed is still the same multiplexer.
//! *Next:* `kind.rs` (what each change means).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::message::{Pairs, list};
use super::{Kind, Log, Verdict, extra};
use crate::lint::{limits, units};
use crate::{ByteOrder, Message, Number, Raw, Signal, ValueType};

pub(super) fn compare<'a>(before: &'a Message, after: &'a Message, log: &mut Log<'a>) {
    let context = log.message;
    let mut pairs = Pairs::new(before.signals().len(), after.signals().len());
    pairs.match_by(before.signals(), after.signals(), Signal::name);
    pairs.match_by(before.signals(), after.signals(), |signal| (place(signal), when(signal)));
    let partner = |position: usize| -> Option<&'a Signal> {
        after.signals().get(pairs.partners.get(position).copied().flatten()?)
    };
    let renamed: BTreeMap<&str, &str> = before
        .signals()
        .iter()
        .enumerate()
        .filter_map(|(position, signal)| Some((signal.name(), partner(position)?.name())))
        .collect();
    for (position, signal) in before.signals().iter().enumerate() {
        log.about(context, Some(signal.name()));
        match partner(position) {
            None => {
                let (receiver, sender) = (Verdict::Breaking, Verdict::Compatible);
                log.add_for(Kind::SignalRemoved, receiver, sender, Some(layout(signal)), None);
            }
            Some(other) => {
                let messages = (before, after);
                let positions =
                    (position, pairs.partners.get(position).copied().flatten().unwrap_or(position));
                Pair { messages, positions, before: signal, after: other }.compare(&renamed, log);
            }
        }
    }
    for (signal, _) in after.signals().iter().zip(&pairs.taken).filter(|(_, taken)| !**taken) {
        log.about(context, Some(signal.name()));
        log.add(Kind::SignalAdded, Verdict::Additive, None, Some(layout(signal)));
    }
    log.about(context, None);
    groups(before, after, log);
}

/// Raw values as ranges, both ends included.
type Ranges = BTreeSet<(i128, i128)>;

/// The bits of a signal and whether they are counted upwards: equal for two signals just where [`Signal::bit_positions`] is. Within one byte, both byte orders are the
/// same.
fn place(signal: &Signal) -> (u32, u32, bool) {
    let (start, length) = (signal.start(), signal.length());
    let before = length.saturating_sub(1);
    match signal.byte_order() {
        ByteOrder::BigEndian if before <= start % 8 => (start - before, length, true),
        order => (start, length, order == ByteOrder::LittleEndian),
    }
}

fn when(signal: &Signal) -> Vec<(u64, u64)> {
    signal.multiplexed().map(|multiplexed| merged(multiplexed.values())).unwrap_or_default()
}

fn layout(signal: &Signal) -> String {
    let order = match signal.byte_order() {
        ByteOrder::LittleEndian => "little-endian",
        ByteOrder::BigEndian => "big-endian",
    };
    format!("{}|{} {order}", signal.start(), signal.length())
}

/// The groups of a message, by name.
fn groups(before: &Message, after: &Message, log: &mut Log<'_>) {
    let members = |message: &Message| -> BTreeMap<String, BTreeSet<String>> {
        let groups = message.groups().iter().map(|group| {
            let names = group.signals().iter().filter_map(|index| message.signal(*index));
            (group.name().to_string(), names.map(|signal| signal.name().to_string()).collect())
        });
        groups.collect()
    };
    let (old, new) = (members(before), members(after));
    let show = |group: &BTreeSet<String>| group.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
        let show = |group: Option<&BTreeSet<String>>| group.map(|group| format!("{name}: {}", show(group)));
        log.add(Kind::SignalGroup, Verdict::Compatible, show(old.get(name)), show(new.get(name)));
    }
}

/// One signal in both databases.
struct Pair<'a> {
    messages: (&'a Message, &'a Message),
    positions: (usize, usize),
    before: &'a Signal,
    after: &'a Signal,
}

impl Pair<'_> {
    fn compare(&self, renamed: &BTreeMap<&str, &str>, log: &mut Log<'_>) {
        use Verdict::{Additive, Breaking, Compatible};

        let (before, after) = (self.before, self.after);
        if before.name() != after.name() {
            log.add(
                Kind::SignalRenamed,
                Breaking,
                Some(before.name().to_string()),
                Some(after.name().to_string()),
            );
        }
        if place(before) != place(after) {
            log.add(Kind::Layout, Breaking, Some(layout(before)), Some(layout(after)));
        }
        if before.value_type() != after.value_type() {
            log.add(Kind::ValueType, Breaking, Some(value_type(before)), Some(value_type(after)));
        }
        if !(same(before.factor(), after.factor()) && same(before.offset(), after.offset())) {
            let show = |signal: &Signal| Some(format!("raw * {} + {}", signal.factor(), signal.offset()));
            log.add(Kind::Scaling, Breaking, show(before), show(after));
        }
        self.range(log);
        if before.unit() != after.unit() {
            let verdict = if units::same(before.unit(), after.unit()) { Compatible } else { Breaking };
            log.add(Kind::Unit, verdict, Some(quoted(before.unit())), Some(quoted(after.unit())));
        }
        self.labels(log);
        self.special_values(log);
        if before.start_value() != after.start_value() {
            let show = |value: Option<Raw>| value.map(|value| format!("raw {value}"));
            log.add(Kind::StartValue, Compatible, show(before.start_value()), show(after.start_value()));
        }
        if before.is_multiplexer() != after.is_multiplexer() {
            let show = |signal: &Signal| {
                Some(if signal.is_multiplexer() { "multiplexer" } else { "no multiplexer" }.to_string())
            };
            let verdict = if after.is_multiplexer() { Additive } else { Compatible };
            log.add(Kind::Multiplexer, verdict, show(before), show(after));
        }
        self.presence(renamed, log);
        if before.spn() != after.spn() {
            let verdict = if before.spn().is_none() { Additive } else { Breaking };
            let show = |signal: &Signal| signal.spn().map(|spn| spn.to_string());
            log.add(Kind::Spn, verdict, show(before), show(after));
        }
        if before.receivers() != after.receivers() {
            log.add(Kind::Receivers, Compatible, list(before.receivers()), list(after.receivers()));
        }
        log.text(Kind::Comment, before.comment(), after.comment());
        extra::attributes(before.attributes(), after.attributes(), log);
    }

    /// What counts is what the bits can hold of the range.
    fn range(&self, log: &mut Log<'_>) {
        use Verdict::{Additive, Breaking, Compatible};

        let (before, after) = (self.before.range(), self.after.range());
        let equal = match (before, after) {
            (None, None) => true,
            (Some(old), Some(new)) => same(old.0, new.0) && same(old.1, new.1),
            _ => false,
        };
        if equal {
            return;
        }
        let possible = |message: &Message, position: usize, signal: &Signal| {
            let bits = message.plan.field(position).and_then(|field| limits(field, signal));
            let (lowest, highest) = bits.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
            signal.range().map_or((lowest, highest), |(min, max)| (min.max(lowest), max.min(highest)))
        };
        let old = possible(self.messages.0, self.positions.0, self.before);
        let new = possible(self.messages.1, self.positions.1, self.after);
        let sender = if new.0 > old.0 || new.1 < old.1 { Breaking } else { Compatible };
        let receiver = if new.0 < old.0 || new.1 > old.1 { Additive } else { Compatible };
        let show = |range: Option<(f64, f64)>| range.map(|(min, max)| format!("{min} to {max}"));
        log.add_for(Kind::Range, receiver, sender, show(before), show(after));
    }

    fn labels(&self, log: &mut Log<'_>) {
        let (before, after) = (self.before.choices(), self.after.choices());
        if before == after {
            return;
        }
        let show = |value: i128, label: &str| Some(format!("{value} {}", quoted(label)));
        let old: BTreeSet<(i128, &str)> = before.iter().collect();
        let new: BTreeSet<(i128, &str)> = after.iter().collect();
        let values: BTreeSet<i128> = old.iter().chain(&new).map(|entry| entry.0).collect();
        for value in values {
            match (before.label(value), after.label(value)) {
                (Some(was), None) => log.add(Kind::LabelRemoved, Verdict::Breaking, show(value, was), None),
                (None, Some(is)) => log.add(Kind::LabelAdded, Verdict::Additive, None, show(value, is)),
                (Some(was), Some(is)) if was != is => {
                    log.add(Kind::LabelChanged, Verdict::Breaking, show(value, was), show(value, is));
                }
                // Further labels of a value count when encoding.
                _ => {
                    let of_value = (value, "")..(value.saturating_add(1), "");
                    for (_, was) in old.range(of_value.clone()).filter(|entry| !new.contains(entry)) {
                        log.add(Kind::LabelRemoved, Verdict::Breaking, show(value, was), None);
                    }
                    for (_, is) in new.range(of_value).filter(|entry| !old.contains(entry)) {
                        log.add(Kind::LabelAdded, Verdict::Additive, None, show(value, is));
                    }
                }
            }
        }
    }

    fn special_values(&self, log: &mut Log<'_>) {
        let sets = |signal: &Signal| -> (Ranges, Ranges) {
            (
                signal.not_available().iter().copied().collect(),
                signal.error_values().iter().copied().collect(),
            )
        };
        let (before, after) = (sets(self.before), sets(self.after));
        if before == after {
            return;
        }
        let range = |(from, to): &(i128, i128)| {
            if from == to { from.to_string() } else { format!("{from} to {to}") }
        };
        let show = |sets: &(Ranges, Ranges)| {
            let words = [("not available", &sets.0), ("error", &sets.1)];
            let words = words.iter().filter(|(_, values)| !values.is_empty());
            let words = words.map(|(word, values)| {
                format!("{word}: {}", values.iter().map(range).collect::<Vec<_>>().join(", "))
            });
            Some(words.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
        };
        log.add(Kind::SpecialValues, Verdict::Breaking, show(&before), show(&after));
    }

    fn presence(&self, renamed: &BTreeMap<&str, &str>, log: &mut Log<'_>) {
        use Verdict::{Additive, Breaking};

        let (receiver, sender) = match (self.before.multiplexed(), self.after.multiplexed()) {
            (None, None) => return,
            (None, Some(_)) => (Breaking, Breaking),
            // What an older sender put there for other multiplexer values was something else.
            (Some(_), None) => (Additive, Breaking),
            (Some(old), Some(new)) => {
                let moved = renamed.get(old.multiplexer()).is_none_or(|name| *name != new.multiplexer());
                let (was, is) = (merged(old.values()), merged(new.values()));
                if moved || !covers(&is, &was) {
                    (Breaking, Breaking)
                } else if was == is {
                    return;
                } else {
                    (Additive, Additive)
                }
            }
        };
        let show = |signal: &Signal| {
            Some(match signal.multiplexed() {
                None => "always".to_string(),
                Some(multiplexed) => {
                    let ranges = multiplexed
                        .values()
                        .iter()
                        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
                    format!("{} = {}", multiplexed.multiplexer(), ranges.collect::<Vec<_>>().join(", "))
                }
            })
        };
        log.add_for(Kind::Presence, receiver, sender, show(self.before), show(self.after));
    }
}

fn value_type(signal: &Signal) -> String {
    match signal.value_type() {
        ValueType::Unsigned => "unsigned",
        ValueType::Signed => "signed",
        ValueType::F32 => "float",
        ValueType::F64 => "double",
    }
    .to_string()
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Whether two numbers are the same; 0 and -0 are.
fn same(a: f64, b: f64) -> bool {
    Number::Float(a) == Number::Float(b) || a.is_nan() && b.is_nan()
}

/// The same values in as few ranges as possible, sorted.
fn merged(ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut ranges: Vec<_> = ranges.iter().copied().filter(|range| range.0 <= range.1).collect();
    ranges.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match out.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

/// Whether merged ranges hold all values of other merged ranges.
fn covers(whole: &[(u64, u64)], part: &[(u64, u64)]) -> bool {
    part.iter().all(|part| whole.iter().any(|whole| whole.0 <= part.0 && part.1 <= whole.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_bits_in_their_order() {
        let signals: Vec<Signal> = (0..24)
            .flat_map(|start| (1..20).map(move |length| (start, length)))
            .flat_map(|(start, length)| {
                [ByteOrder::LittleEndian, ByteOrder::BigEndian]
                    .map(|order| Signal::new("S", start, length).with_byte_order(order))
            })
            .collect();
        for a in &signals {
            for b in &signals {
                assert_eq!(place(a) == place(b), a.bit_positions().eq(b.bit_positions()), "{a:?} {b:?}");
            }
        }
    }
}
