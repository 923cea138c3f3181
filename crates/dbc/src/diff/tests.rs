//! One change of each kind, and whom it breaks.

use alloc::vec::Vec;
use core::time::Duration;

use super::Verdict::{Additive, Breaking, Compatible};
use super::*;
use crate::{
    AttributeValue, ByteOrder, Choices, Message, MessageBuilder, Multiplexed, Node, Raw, Signal, SignalGroup,
    ValueType,
};

fn message(name: &str, id: u32) -> MessageBuilder {
    Message::builder(name, CanId::standard(id).unwrap(), 8)
}

fn database(messages: impl IntoIterator<Item = MessageBuilder>) -> Database {
    messages
        .into_iter()
        .fold(Database::builder(), |database, message| database.message(message.build().unwrap()))
        .build()
}

fn signal() -> Signal {
    Signal::new("S", 8, 8)
        .with_scaling(0.5, 1.0)
        .with_range(1.0, 100.0)
        .with_unit("km/h")
        .with_choices(labels(&[(0, "off"), (1, "on")]))
}

fn labels(labels: &[(i128, &str)]) -> Choices {
    labels.iter().copied().collect()
}

/// Kinds, and verdicts for receivers and senders.
fn judged(older: &Database, newer: &Database) -> Vec<(Kind, Verdict, Verdict)> {
    let diff = older.diff(newer);
    assert_eq!(diff.verdict(), diff.changes().iter().map(Change::verdict).max().unwrap_or_default());
    assert_eq!(diff.is_empty(), diff.changes().is_empty());
    diff.changes().iter().map(|change| (change.kind, change.receiver, change.sender)).collect()
}

fn of(older: MessageBuilder, newer: MessageBuilder) -> Vec<(Kind, Verdict, Verdict)> {
    judged(&database([older]), &database([newer]))
}

/// A signal in place of [`signal`].
fn signals(newer: Signal) -> Vec<(Kind, Verdict, Verdict)> {
    of(message("M", 1).signal(signal()), message("M", 1).signal(newer))
}

#[test]
fn nothing_changes_by_itself() {
    assert_eq!(signals(signal()), []);
    // Other words for the same bits: within a byte both orders are one.
    let big = |start, length| {
        message("M", 1).signal(Signal::new("S", start, length).with_byte_order(ByteOrder::BigEndian))
    };
    let little = |start, length| message("M", 1).signal(Signal::new("S", start, length));
    assert_eq!(of(little(8, 4), big(11, 4)), []);
    assert_eq!(of(little(8, 4), big(8, 4)), [(Kind::Layout, Breaking, Breaking)]);
    assert_eq!(of(little(8, 16), big(15, 16)), [(Kind::Layout, Breaking, Breaking)]);
    // Another order of messages and signals.
    let (a, b) =
        (message("A", 1).signal(Signal::new("x", 0, 1)).signal(Signal::new("y", 1, 1)), message("B", 2));
    let turned = message("A", 1).signal(Signal::new("y", 1, 1)).signal(Signal::new("x", 0, 1));
    assert_eq!(judged(&database([a, b.clone()]), &database([b, turned])), []);
}

#[test]
fn messages() {
    let (a, b) = (message("A", 1).signal(signal()), message("B", 2));
    let both = database([a.clone(), b.clone()]);
    assert_eq!(judged(&database([a.clone()]), &both), [(Kind::MessageAdded, Additive, Additive)]);
    assert_eq!(judged(&both, &database([a])), [(Kind::MessageRemoved, Breaking, Breaking)]);
    assert_eq!(of(message("A", 1), message("A", 2)), [(Kind::MessageId, Breaking, Breaking)]);
    assert_eq!(of(message("A", 1), message("B", 1)), [(Kind::MessageRenamed, Breaking, Breaking)]);
    let long = |length| Message::builder("A", CanId::standard(1).unwrap(), length);
    assert_eq!(of(long(4), long(8)), [(Kind::MessageLength, Additive, Breaking)]);
    assert_eq!(of(long(8), long(4)), [(Kind::MessageLength, Breaking, Compatible)]);
    let with = |ms| message("A", 1).cycle_time(Duration::from_millis(ms));
    assert_eq!(of(with(10), with(20)), [(Kind::CycleTime, Breaking, Compatible)]);
    assert_eq!(of(with(20), with(10)), [(Kind::CycleTime, Compatible, Breaking)]);
    assert_eq!(of(message("A", 1), with(10)), [(Kind::CycleTime, Additive, Additive)]);
    assert_eq!(of(with(10), message("A", 1)), [(Kind::CycleTime, Breaking, Compatible)]);
    assert_eq!(of(message("A", 1), message("A", 1).sender("N")), [(Kind::Senders, Compatible, Compatible)]);
    let noted = message("A", 1).comment("text").attribute("Colour", AttributeValue::Integer(3));
    let want = [(Kind::Comment, Compatible, Compatible), (Kind::Attribute, Compatible, Compatible)];
    assert_eq!(of(message("A", 1), noted), want);
}

#[test]
fn parameter_groups() {
    let group = |id, is_j1939| Message::builder("A", CanId::extended(id).unwrap(), 8).j1939(is_j1939);
    // Another source address and priority: the same group.
    assert_eq!(
        of(group(0x0CF0_0400, true), group(0x18F0_0425, true)),
        [(Kind::MessageId, Compatible, Compatible)]
    );
    assert_eq!(
        of(group(0x0CF0_0400, true), group(0x0CF0_0500, true)),
        [(Kind::MessageId, Breaking, Breaking)]
    );
    assert_eq!(
        of(group(0x0CF0_0400, false), group(0x18F0_0425, false)),
        [(Kind::MessageId, Breaking, Breaking)]
    );
    assert_eq!(of(group(1, true), group(1, false)), [(Kind::MessageGroup, Breaking, Breaking)]);
}

#[test]
fn duplicates_are_matched_in_order() {
    let two = database([message("A", 1), message("B", 1)]);
    assert_eq!(judged(&two, &two), []);
    let s = |start| Signal::new("S", start, 1);
    let twice = database([message("A", 1).signal(s(0)).signal(s(1))]);
    assert_eq!(judged(&twice, &twice), []);
    let one = database([message("A", 1).signal(s(0))]);
    assert_eq!(judged(&twice, &one), [(Kind::SignalRemoved, Breaking, Compatible)]);
}

#[test]
fn bits_and_numbers() {
    assert_eq!(signals(Signal { start: 16, ..signal() }), [(Kind::Layout, Breaking, Breaking)]);
    assert_eq!(signals(Signal { length: 9, ..signal() }), [(Kind::Layout, Breaking, Breaking)]);
    assert_eq!(signals(signal().with_value_type(ValueType::Signed)), [(Kind::ValueType, Breaking, Breaking)]);
    assert_eq!(signals(signal().with_scaling(0.5, 2.0))[0], (Kind::Scaling, Breaking, Breaking));
    assert_eq!(
        signals(signal().with_start_value(Raw::Unsigned(1))),
        [(Kind::StartValue, Compatible, Compatible)]
    );
    assert_eq!(signals(signal().with_not_available([255])), [(Kind::SpecialValues, Breaking, Breaking)]);
    assert_eq!(signals(signal().with_spn(84)), [(Kind::Spn, Additive, Additive)]);
    assert_eq!(signals(signal().with_receivers(["N"])), [(Kind::Receivers, Compatible, Compatible)]);
    assert_eq!(signals(signal().with_comment("text")), [(Kind::Comment, Compatible, Compatible)]);
    assert_eq!(
        signals(Signal { name: "T".to_string(), ..signal() }),
        [(Kind::SignalRenamed, Breaking, Breaking)]
    );
}

#[test]
fn ranges() {
    assert_eq!(signals(signal().with_range(2.0, 100.0)), [(Kind::Range, Compatible, Breaking)]);
    assert_eq!(signals(signal().with_range(1.0, 110.0)), [(Kind::Range, Additive, Compatible)]);
    assert_eq!(signals(signal().with_range(2.0, 110.0)), [(Kind::Range, Additive, Breaking)]);
    // Beyond what the bits hold (1 to 128.5) nothing changes.
    assert_eq!(signals(signal().with_range(0.0, 100.0)), [(Kind::Range, Compatible, Compatible)]);
    let unstated = Signal { range: None, ..signal() };
    assert_eq!(signals(unstated.clone()), [(Kind::Range, Additive, Compatible)]);
    let of =
        |a: &Signal, b: &Signal| of(message("M", 1).signal(a.clone()), message("M", 1).signal(b.clone()));
    assert_eq!(of(&unstated, &signal()), [(Kind::Range, Compatible, Breaking)]);
    assert_eq!(
        of(&unstated, &unstated.clone().with_range(1.0, 128.5)),
        [(Kind::Range, Compatible, Compatible)]
    );
}

#[test]
fn units() {
    assert_eq!(signals(signal().with_unit("kph")), [(Kind::Unit, Compatible, Compatible)]);
    assert_eq!(signals(signal().with_unit("mph")), [(Kind::Unit, Breaking, Breaking)]);
}

#[test]
fn labels_of_values() {
    let with = |entries: &[(i128, &str)]| signals(signal().with_choices(labels(entries)));
    assert_eq!(with(&[(0, "off"), (1, "on"), (2, "auto")]), [(Kind::LabelAdded, Additive, Additive)]);
    assert_eq!(with(&[(0, "off")]), [(Kind::LabelRemoved, Breaking, Breaking)]);
    assert_eq!(with(&[(0, "off"), (1, "On")]), [(Kind::LabelChanged, Breaking, Breaking)]);
    assert_eq!(with(&[(1, "on"), (0, "off")]), []);
    assert_eq!(with(&[(0, "off"), (1, "on"), (1, "yes")]), [(Kind::LabelAdded, Additive, Additive)]);
    assert_eq!(with(&[(0, "off"), (1, "yes"), (1, "on")]), [(Kind::LabelChanged, Breaking, Breaking)]);
}

#[test]
fn multiplexing() {
    let m = |values: Option<&[(u64, u64)]>, multiplexer: &str| {
        let mux = |name: &str, start| Signal::new(name, start, 4).with_multiplexer();
        let mut s = signal();
        s.multiplexed = values.map(|values| Multiplexed::new(multiplexer, values.iter().copied()));
        message("M", 1).signal(mux("mux", 0)).signal(mux("mix", 4)).signal(s)
    };
    let one = m(Some(&[(1, 1)]), "mux");
    assert_eq!(of(m(None, ""), one.clone()), [(Kind::Presence, Breaking, Breaking)]);
    assert_eq!(of(one.clone(), m(None, "")), [(Kind::Presence, Additive, Breaking)]);
    assert_eq!(of(one.clone(), m(Some(&[(1, 2)]), "mux")), [(Kind::Presence, Additive, Additive)]);
    assert_eq!(of(m(Some(&[(1, 2)]), "mux"), one.clone()), [(Kind::Presence, Breaking, Breaking)]);
    assert_eq!(of(one.clone(), m(Some(&[(1, 1)]), "mix")), [(Kind::Presence, Breaking, Breaking)]);
    assert_eq!(of(m(Some(&[(1, 1), (2, 3)]), "mux"), m(Some(&[(1, 3)]), "mux")), []);
    // A multiplexer that is renamed is the same multiplexer.
    let named = |name: &str| {
        let dependent = signal().with_multiplexed(Multiplexed::new(name, [(1, 1)]));
        message("M", 1).signal(Signal::new(name, 0, 4).with_multiplexer()).signal(dependent)
    };
    assert_eq!(of(named("mux"), named("selector")), [(Kind::SignalRenamed, Breaking, Breaking)]);
    let plain = message("M", 1).signal(Signal::new("S", 0, 4));
    let multiplexer = message("M", 1).signal(Signal::new("S", 0, 4).with_multiplexer());
    assert_eq!(of(plain.clone(), multiplexer.clone()), [(Kind::Multiplexer, Additive, Additive)]);
    assert_eq!(of(multiplexer, plain), [(Kind::Multiplexer, Compatible, Compatible)]);
}

#[test]
fn signals_come_and_go() {
    let (one, two) =
        (message("M", 1).signal(signal()), message("M", 1).signal(signal()).signal(Signal::new("T", 16, 8)));
    assert_eq!(of(one.clone(), two.clone()), [(Kind::SignalAdded, Additive, Additive)]);
    assert_eq!(of(two.clone(), one), [(Kind::SignalRemoved, Breaking, Compatible)]);
    let group = SignalGroup::new("G", [crate::SignalIndex(0)]);
    assert_eq!(of(two.clone(), two.group(group)), [(Kind::SignalGroup, Compatible, Compatible)]);
}

#[test]
fn what_is_not_on_the_bus() {
    let plain = Database::builder().build();
    let noted = Database::builder()
        .version("2")
        .comment("text")
        .node(Node::new("N"))
        .attribute("Colour", AttributeValue::Integer(3));
    let kinds: Vec<Kind> = judged(&plain, &noted.build()).into_iter().map(|change| change.0).collect();
    assert_eq!(kinds, [Kind::Version, Kind::Comment, Kind::NodeAdded, Kind::Attribute]);
    let named = |node: Node| Database::builder().node(node).build();
    let kinds = judged(&named(Node::new("N")), &named(Node::new("N").with_comment("text")));
    assert_eq!(kinds, [(Kind::Comment, Compatible, Compatible)]);
    let kinds = judged(&named(Node::new("N")), &plain);
    assert_eq!(kinds, [(Kind::NodeRemoved, Compatible, Compatible)]);
}

#[test]
fn a_change_in_words() {
    let (older, newer) = (database([message("M", 1).signal(signal())]), database([message("M", 1)]));
    assert_eq!(
        older.diff(&newer).changes()[0].to_string(),
        "breaking for receivers: M.S: 8|8 little-endian -> (none) [signal-removed]"
    );
}
