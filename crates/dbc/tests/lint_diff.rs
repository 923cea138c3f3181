//! Generated databases are changed in one place and the verdict must follow; every database of the corpus is linted, and does not differ from itself.
//!
//! *Invariant:* a change that is not expected to be found fails the test as much as one that is judged wrongly.
//! *Next:* `corpus/mod.rs` (where the files are).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[allow(dead_code, unreachable_pub)]
mod corpus;

use std::collections::BTreeMap;
use std::time::Duration;

use coachwork_dbc::diff::{Kind, Verdict};
use coachwork_dbc::lint::{Level, Rule, Rules};
use coachwork_dbc::{
    ByteOrder, CanId, Choices, Database, DatabaseBuilder, Message, Multiplexed, Node, Options, Signal,
    ValueType,
};
use proptest::prelude::*;

/// A database before it is built, so that it can be changed.
#[derive(Clone, Debug)]
struct Plan {
    messages: Vec<MessagePlan>,
}

#[derive(Clone, Debug)]
struct MessagePlan {
    name: String,
    id: u32,
    length: usize,
    cycle: u64,
    comment: String,
    multiplexed: bool,
    signals: Vec<SignalPlan>,
}

#[derive(Clone, Debug)]
struct SignalPlan {
    name: String,
    byte: u32,
    length: u32,
    big: bool,
    signed: bool,
    factor: f64,
    offset: f64,
    unit: &'static str,
    labels: Vec<(i128, String)>,
    range: (f64, f64),
    comment: String,
    value: u64,
}

impl Plan {
    fn build(&self) -> Database {
        let messages = self.messages.iter().map(|plan| {
            let id = CanId::standard(plan.id).unwrap();
            let mut message = Message::builder(plan.name.as_str(), id, plan.length).sender("N");
            message = message.comment(plan.comment.as_str()).cycle_time(Duration::from_millis(plan.cycle));
            if plan.multiplexed {
                message = message.signal(Signal::new("mux", 0, 8).with_multiplexer());
            }
            plan.signals
                .iter()
                .fold(message, |message, signal| message.signal(signal.build(plan.multiplexed)))
                .build()
                .unwrap()
        });
        messages.fold(Database::builder().node(Node::new("N")), DatabaseBuilder::message).build()
    }
}

impl SignalPlan {
    fn build(&self, multiplexed: bool) -> Signal {
        let order = if self.big { ByteOrder::BigEndian } else { ByteOrder::LittleEndian };
        let start = self.byte * 8 + if self.big { 7 } else { 0 };
        let signal = Signal::new(self.name.as_str(), start, self.length)
            .with_byte_order(order)
            .with_value_type(if self.signed { ValueType::Signed } else { ValueType::Unsigned })
            .with_scaling(self.factor, self.offset)
            .with_range(self.range.0, self.range.1)
            .with_unit(self.unit)
            .with_comment(self.comment.as_str())
            .with_choices(Choices::new(self.labels.clone()));
        if multiplexed {
            signal.with_multiplexed(Multiplexed::new("mux", [(self.value, self.value)]))
        } else {
            signal
        }
    }
}

fn signal_plan() -> impl Strategy<Value = SignalPlan> {
    let numbers = (prop::sample::select(vec![0.5, 1.0, 0.01, 2.0]), -100_i32..100);
    let texts = (
        prop::sample::select(vec!["", "km/h", "V"]),
        prop::collection::btree_map(0_i128..8, "[a-z]{1,6}", 0..4),
        "[a-z]{0,8}",
    );
    (1_u32..7, 9_u32..16, any::<(bool, bool)>(), numbers, texts, 0_u64..4).prop_map(
        |(byte, length, (big, signed), (factor, offset), (unit, labels, comment), value)| {
            // The range that the bits hold is about this wide in all cases.
            let offset = f64::from(offset);
            let half = f64::from(1_u32 << (length - 1));
            let range = if signed {
                (offset - half * factor / 2.0, offset + half * factor / 2.0)
            } else {
                (offset + factor, offset + half * factor)
            };
            SignalPlan {
                name: String::new(),
                byte,
                length,
                big,
                signed,
                factor,
                offset,
                unit,
                labels: labels.into_iter().collect(),
                range,
                comment,
                value,
            }
        },
    )
}

fn plan() -> impl Strategy<Value = Plan> {
    let message = (prop::collection::vec(signal_plan(), 1..6), any::<bool>(), 1_u64..1000, "[a-z]{0,8}");
    prop::collection::vec(message, 1..6).prop_map(|messages| {
        let messages = (0_u32..).zip(messages).map(|(number, (mut signals, multiplexed, cycle, comment))| {
            for (place, signal) in signals.iter_mut().enumerate() {
                signal.name = format!("S{place}");
            }
            MessagePlan {
                name: format!("M{number}"),
                id: 0x100 + number,
                length: 8,
                cycle,
                comment,
                multiplexed,
                signals,
            }
        });
        Plan { messages: messages.collect() }
    })
}

/// Changes one thing; says what must be found of it.
#[expect(clippy::too_many_lines, reason = "one line or two for each kind of change")]
fn change(plan: &mut Plan, what: usize, message: usize, signal: usize) -> (Kind, Verdict) {
    use Verdict::{Additive, Breaking, Compatible};

    let count = plan.messages.len();
    let position = message % count;
    let m = &mut plan.messages[position];
    let at = signal % m.signals.len();
    match what {
        0 => {
            plan.messages.remove(position);
            return (Kind::MessageRemoved, Breaking);
        }
        1 => {
            let new = MessagePlan { name: "New".into(), id: 0x700, ..m.clone() };
            plan.messages.insert(position, new);
            return (Kind::MessageAdded, Additive);
        }
        2 => m.name = "New".into(),
        3 => m.id = 0x700,
        4 => m.length = 7,
        5 => m.length = 12,
        6 => m.cycle += 1,
        7 => m.comment.push('x'),
        8 => {
            m.signals.remove(at);
            return (Kind::SignalRemoved, Breaking);
        }
        9 => {
            let new = SignalPlan { name: "New".into(), ..m.signals[at].clone() };
            m.signals.insert(at, new);
            return (Kind::SignalAdded, Additive);
        }
        _ => {}
    }
    let s = &mut m.signals[at];
    match what {
        2 => (Kind::MessageRenamed, Breaking),
        3 => (Kind::MessageId, Breaking),
        4 | 5 => (Kind::MessageLength, Breaking),
        6 => (Kind::CycleTime, Breaking),
        7 => (Kind::Comment, Compatible),
        10 => {
            s.name = "New".into();
            (Kind::SignalRenamed, Breaking)
        }
        11 => {
            s.byte = s.byte % 6 + 1;
            (Kind::Layout, Breaking)
        }
        12 => {
            s.big = !s.big;
            (Kind::Layout, Breaking)
        }
        13 => {
            s.length -= 1;
            (Kind::Layout, Breaking)
        }
        14 => {
            s.signed = !s.signed;
            (Kind::ValueType, Breaking)
        }
        15 => {
            s.factor *= 2.0;
            (Kind::Scaling, Breaking)
        }
        16 => {
            s.offset += 1.0;
            (Kind::Scaling, Breaking)
        }
        17 => {
            s.unit = "furlong";
            (Kind::Unit, Breaking)
        }
        18 => {
            s.labels.push((9, "new".into()));
            (Kind::LabelAdded, Additive)
        }
        19 if s.labels.is_empty() => {
            s.comment.push('y');
            (Kind::Comment, Compatible)
        }
        19 => {
            s.labels[0].1.push('x');
            (Kind::LabelChanged, Breaking)
        }
        20 if s.labels.is_empty() => {
            s.comment.push('z');
            (Kind::Comment, Compatible)
        }
        20 => {
            s.labels.pop();
            (Kind::LabelRemoved, Breaking)
        }
        21 => {
            s.range.1 -= s.factor;
            (Kind::Range, Breaking)
        }
        22 => {
            s.range.1 += s.factor;
            (Kind::Range, Additive)
        }
        23 => {
            s.range.0 -= s.factor / 2.0;
            (Kind::Range, Additive)
        }
        24 if m.multiplexed => {
            s.value += 1;
            (Kind::Presence, Breaking)
        }
        _ => {
            s.comment.push('x');
            (Kind::Comment, Compatible)
        }
    }
}

proptest! {
    #[test]
    fn a_database_does_not_differ_from_itself(plan in plan()) {
        let diff = plan.build().diff(&plan.build());
        prop_assert!(diff.is_empty(), "{:?}", diff);
        prop_assert_eq!(diff.verdict(), Verdict::Compatible);
    }

    #[test]
    fn a_change_is_found_and_judged(plan in plan(), what in 0_usize..26, message in 0_usize..6, signal in 0_usize..6) {
        let mut changed = plan.clone();
        let (kind, verdict) = change(&mut changed, what, message, signal);
        let (older, newer) = (plan.build(), changed.build());
        let diff = older.diff(&newer);
        prop_assert!(diff.changes().iter().any(|change| change.kind() == kind && change.verdict() == verdict), "no {kind} {verdict} in {:?}", diff);
        prop_assert_eq!(diff.verdict(), verdict, "{:?}", &diff);
        // What is new one way is gone the other way.
        let back = newer.diff(&older);
        prop_assert!(!back.is_empty());
        if verdict == Verdict::Compatible {
            prop_assert_eq!(back.verdict(), Verdict::Compatible);
        }
        if matches!(kind, Kind::MessageAdded | Kind::SignalAdded | Kind::LabelAdded) {
            prop_assert_eq!(back.verdict(), Verdict::Breaking);
        }
    }

    #[test]
    fn levels_and_order_hold(plan in plan()) {
        let database = plan.build();
        let all = database.lint(&Rules::all(Level::Note));
        prop_assert_eq!(&all, &database.lint(&Rules::all(Level::Note)));
        let mut one_by_one: Vec<String> = Rule::ALL.iter().flat_map(|rule| database.lint(&Rules::none().set(*rule, Level::Note))).map(|f| f.to_string()).collect();
        let mut together: Vec<String> = all.iter().map(ToString::to_string).collect();
        one_by_one.sort();
        together.sort();
        prop_assert_eq!(one_by_one, together);
    }
}

#[test]
fn every_database_of_the_corpus() {
    let Some(root) = corpus::root() else { return };
    let mut counts: BTreeMap<Rule, usize> = BTreeMap::new();
    let mut databases: Vec<(String, Database)> = Vec::new();
    for path in corpus::files(&root.join("dbc"), ".dbc") {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let loaded = Options::new()
            .load(&std::fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let findings = loaded.lint(&Rules::all(Level::Note));
        for finding in &findings {
            *counts.entry(finding.rule()).or_default() += 1;
            assert!(!finding.text().contains('\n') && !finding.text().is_empty(), "{name}: {finding:?}");
        }
        assert_eq!(findings, loaded.lint(&Rules::all(Level::Note)), "{name}: the order");
        let diff = loaded.database.diff(&loaded.database.clone());
        assert!(diff.is_empty(), "{name}: {:?}", diff.changes().first());
        databases.push((name, loaded.database));
    }
    assert!(databases.len() >= 60, "only {} databases", databases.len());
    for rule in Rule::ALL {
        println!("{rule}: {}", counts.get(rule).copied().unwrap_or_default());
    }
    // The oracle's tables say as much: signals that overlap, leave their message, or have one name are in these files.
    for rule in [
        Rule::Overlap,
        Rule::OutsideMessage,
        Rule::DuplicateSignal,
        Rule::UnitSpelling,
        Rule::RangeTooWide,
        Rule::LabelOutside,
    ] {
        assert!(counts.contains_key(&rule), "no {rule} in the whole corpus");
    }
    // Different files differ, both ways.
    for pair in databases.windows(2) {
        let [(name, a), (other, b)] = pair else { continue };
        assert!(!a.diff(b).is_empty(), "{name} is {other}");
        assert!(!b.diff(a).is_empty(), "{other} is {name}");
    }
}

/// The oracle marks messages whose signals overlap, leave them, or have one name; the rules must mark the same ones.
#[test]
fn the_oracle_agrees_on_overlaps() {
    let Some(root) = corpus::root() else { return };
    let (mut compared, mut different) = (0, Vec::new());
    for path in corpus::files(&root.join("oracle/dbc"), ".table.jsonl.gz") {
        let name = path
            .strip_prefix(root.join("oracle"))
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches(".table.jsonl.gz")
            .to_owned();
        let mut table = corpus::rows(&path);
        if !table.remove(0)["loaded"].as_bool().unwrap() {
            continue;
        }
        let database = Options::new().load(&std::fs::read(root.join(&name)).unwrap()).unwrap().database;
        let findings = database.lint(&Rules::all(Level::Note));
        for row in &table {
            let message = row["name"].as_str().unwrap();
            let id = u32::try_from(row["id"].as_u64().unwrap()).unwrap();
            let id = if row["ext"].as_u64() == Some(1) { CanId::extended(id) } else { CanId::standard(id) };
            for (rule, key) in [
                (Rule::Overlap, "overlap"),
                (Rule::OutsideMessage, "outside"),
                (Rule::DuplicateSignal, "dup_names"),
            ] {
                let ours =
                    findings.iter().any(|f| f.rule() == rule && f.message() == Some(message) && f.id() == id);
                let theirs =
                    row[key].as_bool().unwrap_or_else(|| row[key].as_u64().is_some_and(|count| count > 0));
                compared += 1;
                if ours != theirs {
                    different.push(format!("{name}: {message}: {rule}: ours {ours}, the oracle {theirs}"));
                }
            }
        }
    }
    println!("{compared} compared, {} different", different.len());
    // The oracle asks one level of multiplexers whether two signals meet; these signals are kept apart by the level above.
    let nested = [
        ("dbc/can-dbc/extended_multiplex.dbc", "ext_MUX_multiplexors"),
        ("dbc/css/CSS-Electronics-OBD2-v1.4.dbc", "OBD2"),
    ];
    let nested =
        nested.map(|(name, message)| format!("{name}: {message}: overlap: ours false, the oracle true"));
    assert_eq!(different, nested);
    assert!(compared > 9_000, "only {compared}");
}
