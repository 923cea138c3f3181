//! What is wrong with a message as a whole: its twins, length, cycle time, byte orders, multiplexers.
//!
//! *Invariant:* each rule reports a message at most once, but for names that differ in case.
//! *Next:* `signal.rs` (its signals).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;

use super::{Report, Rule, names};
use crate::{AttributeValue, ByteOrder, Database, Message, Signal};

/// The payload lengths of CAN and CAN FD frames above 8 bytes.
const FD_LENGTHS: [usize; 7] = [12, 16, 20, 24, 32, 48, 64];

/// Messages against each other. Each is reported under its own name.
pub(super) fn check_database<'a>(database: &'a Database, report: &mut Report<'a>) {
    let mut ids = BTreeMap::new();
    let mut groups = BTreeMap::new();
    let mut by_name = BTreeMap::new();
    for message in database.messages() {
        report.enter(message.name(), message.id());
        if let Some(first) = ids.get(&message.id()) {
            report.say(Rule::DuplicateId, || {
                format!("{first} has the id {} too, and comes first", message.id())
            });
        } else {
            ids.insert(message.id(), message.name());
            let group = message.id().pgn().filter(|_| message.is_j1939());
            if let Some((group, first)) = group.and_then(|group| Some((group, *groups.get(&group)?))) {
                report.say(Rule::DuplicateGroup, || format!("{first} has the parameter group {group} too"));
            } else if let Some(group) = group {
                groups.insert(group, message.name());
            }
        }
        if by_name.insert(message.name(), message.id()).is_some() {
            report.say(Rule::DuplicateMessage, || {
                format!("an earlier message is named {} too", message.name())
            });
        }
    }
    report.leave();
    cycle_times(database, report);
}

/// A message by itself.
pub(super) fn check<'a>(database: &'a Database, message: &'a Message, report: &mut Report<'a>) {
    let symbol = message.symbol.as_deref().unwrap_or(message.name());
    names::name_itself("message", symbol, |rule, text| report.say(rule, || text));
    let twins = names::case_twins(message.signals().iter().map(Signal::name));
    for (first, second) in twins {
        report.say(Rule::CaseCollision, || format!("the signals {first} and {second} differ only in case"));
    }
    if message.senders().iter().all(|sender| names::is_nobody(sender)) {
        report.say(Rule::NoSender, || format!("no node sends {}", message.name()));
    }
    if message.signals().is_empty() {
        report.say(Rule::EmptyMessage, || format!("{} has no signal", message.name()));
    }
    length(message, report);
    if says_cycle_times(database) && misses_cycle_time(database, message) {
        report.say(Rule::MissingCycleTime, || "nothing says how often it is sent; others do".into());
    }
    byte_orders(message, report);
    multiplexers(message, report);
}

fn length(message: &Message, report: &mut Report<'_>) {
    let length = message.length();
    // A parameter group may be longer: the transport protocol carries up to 1785 bytes, a fast packet 223.
    let most = if message.is_j1939() { 1785 } else { 64 };
    if length > most {
        report.say(Rule::MessageLength, || format!("{length} bytes are more than {most}"));
    } else if length > 8 && !message.is_j1939() && !FD_LENGTHS.contains(&length) {
        report.say(Rule::MessageLength, || format!("no CAN FD frame has {length} bytes"));
    }
}

fn says_cycle_times(database: &Database) -> bool {
    database.messages().iter().any(|message| message.cycle_time().is_some())
}

/// Where no message has a cycle time, that is one finding and not one each.
fn cycle_times<'a>(database: &'a Database, report: &mut Report<'a>) {
    let missing = database.messages().iter().filter(|message| misses_cycle_time(database, message)).count();
    if missing > 0 && !says_cycle_times(database) {
        report.say(Rule::MissingCycleTime, || {
            format!("no message has a cycle time, and {missing} look cyclic")
        });
    }
}

fn misses_cycle_time(database: &Database, message: &Message) -> bool {
    if message.cycle_time().is_some() || message.signals().is_empty() {
        return false;
    }
    let send_type = database.message_attribute(message, "GenMsgSendType").and_then(AttributeValue::text);
    let send_type = send_type.unwrap_or_default().to_ascii_lowercase();
    let on_occasion = ["event", "spontan", "ifactive", "onchange", "onwrite", "trigger", "request"];
    send_type.contains("cycl") || !on_occasion.iter().any(|word| send_type.contains(word))
}

/// Signals within one byte read the same in both orders and do not count.
fn byte_orders(message: &Message, report: &mut Report<'_>) {
    let mut order = None;
    for signal in message.signals() {
        let within = match signal.byte_order() {
            ByteOrder::LittleEndian => signal.start() % 8 + signal.length() <= 8,
            ByteOrder::BigEndian => signal.length() <= signal.start() % 8 + 1,
        };
        if within {
            continue;
        }
        if let Some((first, name)) = order
            && first != signal.byte_order()
        {
            let other = signal.name();
            report.say(Rule::MixedByteOrder, || format!("{name} and {other} run in different byte orders"));
            return;
        }
        order = Some((signal.byte_order(), signal.name()));
    }
}

fn multiplexers(message: &Message, report: &mut Report<'_>) {
    let count = message.signals().iter().filter(|signal| signal.is_multiplexer()).count();
    if count > 1 {
        report.say(Rule::SeveralMultiplexers, || format!("{count} signals are multiplexers"));
    }
    if count == 0 {
        return;
    }
    let wanted: BTreeSet<&str> = message
        .signals()
        .iter()
        .filter_map(|signal| signal.multiplexed().map(crate::Multiplexed::multiplexer))
        .collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for signal in message.signals() {
        *seen.entry(signal.name()).or_default() += 1;
    }
    for signal in message.signals().iter().filter(|signal| signal.is_multiplexer()) {
        if !wanted.contains(signal.name()) {
            report.say_of(Rule::IdleMultiplexer, signal, || "no signal depends on this multiplexer".into());
        } else if seen.remove(signal.name()).is_some_and(|times| times > 1) {
            report.say_of(Rule::AmbiguousMultiplexer, signal, || {
                "another signal of the message has this multiplexer's name".into()
            });
        }
    }
}
