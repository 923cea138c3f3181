//! One database for each rule, and the rules that must stay quiet about it.

use alloc::vec::Vec;

use super::*;
use crate::{
    AttributeDefinition, AttributeObject, AttributeType, AttributeValue, ByteOrder, Choices, DatabaseBuilder,
    Message, MessageBuilder, Multiplexed, Node, Options, Raw, ValueType,
};

fn message(name: &str, id: u32, length: usize) -> MessageBuilder {
    Message::builder(name, CanId::standard(id).unwrap(), length).sender("A")
}

fn database(messages: impl IntoIterator<Item = MessageBuilder>) -> Database {
    let messages = messages.into_iter().map(|message| message.build().unwrap());
    messages.fold(Database::builder().node(Node::new("A")), DatabaseBuilder::message).build()
}

/// Codes and signals of everything that is found, but for what small test databases always miss.
fn found(database: &Database) -> Vec<(Rule, Option<String>)> {
    let rules = Rules::all(Level::Warn)
        .set(Rule::MissingCycleTime, Level::Allow)
        .set(Rule::EmptyMessage, Level::Allow);
    database.lint(&rules).into_iter().map(|finding| (finding.rule, finding.signal)).collect()
}

fn about(signal: Signal) -> Vec<Rule> {
    found(&database([message("M", 1, 8).signal(signal)])).into_iter().map(|finding| finding.0).collect()
}

fn of(rule: Rule, signal: &str) -> (Rule, Option<String>) {
    (rule, Some(signal.to_string()))
}

#[test]
fn a_sound_signal_is_not_reported() {
    let signal = Signal::new("Speed", 0, 16)
        .with_scaling(0.01, 0.0)
        .with_range(0.0, 655.35)
        .with_unit("km/h")
        .with_choices([(0, "standing"), (65_535, "SNA")].into_iter().collect())
        .with_start_value(Raw::Unsigned(65_535));
    assert_eq!(about(signal), []);
    assert_eq!(about(Signal::new("Torque", 0, 8).with_scaling(-0.5, 10.0).with_range(-117.5, 10.0)), []);
    assert_eq!(about(Signal::new("F", 0, 32).with_value_type(ValueType::F32).with_range(-1e30, 1e30)), []);
}

#[test]
fn ranges() {
    assert_eq!(about(Signal::new("S", 0, 8).with_range(0.0, 256.0)), [Rule::RangeTooWide]);
    assert_eq!(about(Signal::new("S", 0, 8).with_range(-1.0, 200.0)), [Rule::RangeTooWide]);
    assert_eq!(about(Signal::new("S", 0, 8).with_range(0.0, 255.4)), []);
    let signed = Signal::new("S", 0, 8).with_value_type(ValueType::Signed);
    assert_eq!(about(signed.clone().with_range(-128.0, 127.0)), []);
    assert_eq!(about(signed.with_range(-128.0, 128.0)), [Rule::RangeTooWide]);
    assert_eq!(about(Signal::new("S", 0, 8).with_range(5.0, 4.0)), [Rule::RangeInverted]);
}

#[test]
fn start_values() {
    let signal = Signal::new("S", 0, 4);
    assert_eq!(about(signal.clone().with_start_value(Raw::Unsigned(16))), [Rule::StartValue]);
    assert_eq!(about(signal.clone().with_start_value(Raw::Unsigned(15))), []);
    assert_eq!(about(signal.with_range(1.0, 10.0).with_start_value(Raw::Unsigned(0))), [Rule::StartValue]);
}

#[test]
fn labels() {
    let labelled = |labels: &[(i128, &str)]| {
        about(Signal::new("S", 0, 2).with_choices(labels.iter().copied().collect::<Choices>()))
    };
    assert_eq!(labelled(&[(0, "a"), (3, "b")]), []);
    assert_eq!(labelled(&[(0, "a"), (4, "b"), (-1, "c")]), [Rule::LabelOutside]);
    assert_eq!(labelled(&[(0, "a"), (0, "b")]), [Rule::DuplicateLabelValue]);
    assert_eq!(labelled(&[(0, "a"), (1, "a")]), [Rule::DuplicateLabel]);
}

#[test]
fn special_values() {
    let signal = Signal::new("S", 0, 8).with_not_available([255]);
    assert_eq!(about(signal.clone().with_range(0.0, 254.0)), []);
    assert_eq!(about(signal.with_range(0.0, 255.0)), [Rule::SpecialValueInRange]);
}

#[test]
fn bits() {
    let m = message("M", 1, 2)
        .signal(Signal::new("a", 0, 8))
        .signal(Signal::new("b", 7, 2))
        .signal(Signal::new("c", 9, 8))
        .signal(Signal::new("c", 9, 1));
    let want = [
        of(Rule::Overlap, "b"),
        of(Rule::OutsideMessage, "c"),
        of(Rule::DuplicateSignal, "c"),
        of(Rule::Overlap, "c"),
    ];
    assert_eq!(found(&database([m])), want);
}

#[test]
fn multiplexers() {
    let present = |values: &[(u64, u64)]| Multiplexed::new("mux", values.iter().copied());
    let m = message("M", 1, 8)
        .signal(Signal::new("mux", 0, 2).with_multiplexer())
        .signal(Signal::new("gone", 8, 8).with_multiplexed(present(&[(4, 7)])))
        .signal(Signal::new("half", 16, 8).with_multiplexed(present(&[(3, 4)])))
        .signal(Signal::new("twice", 24, 8).with_multiplexed(present(&[(1, 2), (2, 3)])))
        .signal(Signal::new("idle", 2, 2).with_multiplexer());
    let want = [
        (Rule::SeveralMultiplexers, None),
        of(Rule::IdleMultiplexer, "idle"),
        of(Rule::UnreachableSignal, "gone"),
        of(Rule::MultiplexerValue, "half"),
        of(Rule::DuplicateMultiplexerValue, "twice"),
    ];
    assert_eq!(found(&database([m])), want);

    // What depends on an unreachable multiplexer is unreachable too.
    let m = message("M", 1, 2)
        .signal(Signal::new("mux", 12, 8).with_multiplexer())
        .signal(Signal::new("inner", 0, 2).with_multiplexer().with_multiplexed(present(&[(1, 1)])))
        .signal(Signal::new("leaf", 4, 2).with_multiplexed(Multiplexed::new("inner", [(1, 1)])));
    let all = found(&database([m]));
    assert!(
        all.contains(&of(Rule::UnreachableSignal, "inner"))
            && all.contains(&of(Rule::UnreachableSignal, "leaf"))
    );

    let m = message("M", 1, 2)
        .signal(Signal::new("mux", 0, 2).with_multiplexer())
        .signal(Signal::new("mux", 2, 2).with_multiplexer())
        .signal(Signal::new("leaf", 4, 2).with_multiplexed(present(&[(1, 1)])));
    assert!(found(&database([m])).contains(&of(Rule::AmbiguousMultiplexer, "mux")));
}

#[test]
fn byte_orders() {
    let big = |start, length| Signal::new("big", start, length).with_byte_order(ByteOrder::BigEndian);
    let within = message("M", 1, 8).signal(Signal::new("a", 0, 16)).signal(big(23, 8));
    assert_eq!(found(&database([within])), []);
    let mixed = message("M", 1, 8).signal(Signal::new("a", 0, 16)).signal(big(16, 2));
    assert_eq!(found(&database([mixed])), [(Rule::MixedByteOrder, None)]);
}

#[test]
fn names_and_nodes() {
    let signal = Signal::new("x", 0, 8);
    let db = database([
        message("Door", 1, 8).signal(signal.clone().with_receivers(["B", "Vector__XXX"])),
        message("DOOR", 2, 8).signal(signal.clone()).signal(Signal::new("X", 8, 8)),
        message("2fast", 2, 8),
        message("Door", 3, 8),
        message("M234567890123456789012345678901234567890", 4, 8),
    ]);
    let rules: Vec<Rule> = found(&db).into_iter().map(|finding| finding.0).collect();
    let want = [
        Rule::UnknownNode,
        Rule::SharedSignalName,
        Rule::CaseCollision,
        Rule::DuplicateId,
        Rule::DuplicateMessage,
        Rule::CaseCollision,
        Rule::OddName,
        Rule::LongName,
    ];
    assert_eq!(rules, want);
    let lonely = Database::builder().node(Node::new("A")).node(Node::new("A")).build();
    let rules: Vec<Rule> = found(&lonely).into_iter().map(|finding| finding.0).collect();
    assert_eq!(rules, [Rule::DuplicateNode, Rule::UnusedNode]);
}

#[test]
fn lengths() {
    assert_eq!(found(&database([message("M", 1, 9)])), [(Rule::MessageLength, None)]);
    assert_eq!(found(&database([message("M", 1, 12)])), []);
    assert_eq!(found(&database([message("M", 1, 65)])), [(Rule::MessageLength, None)]);
    let group =
        |length| Message::builder("M", CanId::extended(0x0CF0_0400).unwrap(), length).sender("A").j1939(true);
    assert_eq!(found(&database([group(39)])), []);
    let other = Message::builder("N", CanId::extended(0x0CF0_0425).unwrap(), 8).sender("A").j1939(true);
    assert_eq!(found(&database([group(8), other])), [(Rule::DuplicateGroup, None)]);
}

#[test]
fn what_is_missing() {
    let rules = Rules::new();
    let of = |db: &Database| {
        db.lint(&rules).into_iter().map(|f| (f.rule, f.message.map(|m| m.0))).collect::<Vec<_>>()
    };
    let signal = Signal::new("x", 0, 8);
    let (a, b) = (message("M", 1, 8).signal(signal.clone()), message("N", 2, 8).signal(signal.clone()));
    assert_eq!(of(&database([a.clone(), b.clone()])), [(Rule::MissingCycleTime, None)]);
    let cyclic = a.cycle_time(core::time::Duration::from_millis(20));
    assert_eq!(of(&database([cyclic.clone(), b.clone()])), [(Rule::MissingCycleTime, Some("N".to_string()))]);
    let send_type = AttributeDefinition::new("GenMsgSendType", AttributeObject::Message, AttributeType::Text);
    let on_event = b.attribute("GenMsgSendType", AttributeValue::Text("OnEvent".into())).build().unwrap();
    let db = Database::builder()
        .node(Node::new("A"))
        .attribute_definition(send_type)
        .message(cyclic.build().unwrap())
        .message(on_event);
    assert_eq!(of(&db.build()), []);
    let empty = Message::builder("E", CanId::standard(1).unwrap(), 8).build().unwrap();
    let want = [(Rule::NoSender, Some("E".to_string())), (Rule::EmptyMessage, Some("E".to_string()))];
    assert_eq!(of(&Database::builder().message(empty).build()), want);
}

#[test]
fn levels_are_chosen() {
    let db =
        database([message("M", 1, 8).signal(Signal::new("S", 0, 8).with_range(0.0, 256.0).with_unit("kph"))]);
    assert_eq!(db.lint(&Rules::none()), []);
    let findings = db.lint(&Rules::none().set(Rule::RangeTooWide, Level::Deny));
    assert_eq!((findings.len(), findings[0].level()), (1, Level::Deny));
    assert_eq!(db.lint(&Rules::all(Level::Note)).iter().map(Finding::level).max(), Some(Level::Note));
}

#[test]
fn the_file_speaks_first_and_gives_lines() {
    let text = "BS_:\nBU_: A\nBO_ 1 M: 8 A\n SG_ a : 0|8@1+ (1,0) [0|0] \"\" A\n SG_ b : 7|8@1+ (.5,0) [0|0] \"\" A\n\nVAL_ 1 zz 0 \"no\" ;\n";
    let loaded = Options::new().load(text.as_bytes()).unwrap();
    let rules = Rules::new().set(Rule::MissingCycleTime, Level::Allow);
    let found: Vec<_> = loaded.lint(&rules).iter().map(|f| (f.rule(), f.line())).collect();
    assert!(found.contains(&(Rule::FileSkipped, Some(7))), "{found:?}");
    assert_eq!(found.last(), Some(&(Rule::Overlap, Some(5))), "{found:?}");
    assert_eq!(found.iter().filter(|f| f.0 == Rule::Overlap).count(), 1);
}

#[test]
fn an_odd_name_is_said_once() {
    let text = "BS_:\nBU_: A\nBO_ 1 2fast: 8 A\n SG_ 0_a : 0|8@1+ (1,0) [0|0] \"\" A\n";
    let loaded = Options::new().load(text.as_bytes()).unwrap();
    let odd = |f: &Finding| f.rule() == Rule::OddName || f.text().contains("odd-name");
    let found: Vec<_> =
        loaded.lint(&Rules::new()).into_iter().filter(odd).map(|f| (f.rule(), f.line())).collect();
    assert_eq!(found, [(Rule::OddName, Some(3)), (Rule::OddName, Some(4))]);
}

#[test]
fn codes_are_apart_and_read_back() {
    let mut codes: Vec<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        assert_eq!(rule.as_str().parse(), Ok(*rule));
        assert!(rule.description().ends_with('.'), "{rule}");
    }
    assert!("nonsense".parse::<Rule>().is_err());
}
