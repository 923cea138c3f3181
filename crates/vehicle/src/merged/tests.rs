use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use proptest::prelude::*;

use super::*;
use crate::catalogue::{Access, Entry, Facts, Permission, Receipts, SignalId};
use crate::clock::ManualClock;
use crate::datapoint::{Reason, ReasonKind, State};
use crate::error::ErrorKind;
use crate::memory::MemoryVehicle;
use crate::receipt::Outcome;
use crate::request::{Key, Set};
use crate::subscription::Event;
use crate::time::Timestamp;
use crate::value::{DataType, Value};

fn memory(entries: Vec<Entry>, clock: &ManualClock) -> MemoryVehicle {
    MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), Arc::new(clock.clone()))
}

fn merged(parts: &[&MemoryVehicle], clock: &ManualClock) -> Merged {
    let parts = parts.iter().map(|part| Arc::new((*part).clone()) as Arc<dyn Vehicle>);
    Merged::new(parts, Arc::new(clock.clone())).unwrap()
}

fn sensor(path: &str) -> Entry {
    Entry::sensor(path, DataType::INT64)
}

fn say(part: &MemoryVehicle, path: &str, value: i64) {
    part.publish(&[(path, Datapoint::valid(value, Timestamp::EPOCH))]).unwrap();
}

fn read(car: &dyn Vehicle, path: &str) -> String {
    let signal = car.catalogue().resolve(path).unwrap();
    let answer = block_on(car.get(Get::of(&[signal]))).unwrap().pop().unwrap();
    answer.map_or_else(|error| error.to_string(), |point| point.state.to_string())
}

/// What a subscription has to tell at present, in words.
fn told(watch: &mut Subscription) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(Some(event)) = watch.next().now_or_never() {
        match event {
            Event::Changed(points) => {
                for (id, point) in points.iter() {
                    words.push(format!("{}={}", watch.path(id), point.state));
                }
            }
            Event::Access(changes) => {
                for (id, read) in changes {
                    words.push(format!("{} {read:?}", watch.path(id)));
                }
            }
            other => words.push(format!("{other:?}")),
        }
    }
    words
}

fn all(car: &dyn Vehicle) -> Subscription {
    block_on(car.subscribe(Subscribe::to(car.catalogue().ids()).queue(64))).unwrap()
}

#[test]
fn the_first_has_a_path_that_several_have_and_keeps_it() {
    let clock = ManualClock::default();
    let (a, b) =
        (memory(vec![sensor("A"), sensor("X")], &clock), memory(vec![sensor("X"), sensor("B")], &clock));
    let car = merged(&[&a, &b], &clock);
    assert_eq!(
        car.catalogue().iter().map(|(_, e)| e.path().to_string()).collect::<Vec<_>>(),
        ["A", "X", "B"]
    );
    say(&a, "X", 1);
    say(&b, "X", 2);
    say(&b, "B", 3);
    let mut watch = all(&car);
    assert_eq!(told(&mut watch), ["A=never set", "X=1", "B=3"]);
    say(&b, "X", 4);
    assert!(told(&mut watch).is_empty());
    // The second had it first: growing does not take it away.
    let ids: Vec<_> = car.catalogue().ids().collect();
    a.board().grow(vec![sensor("B"), sensor("C")]).unwrap();
    let now = car.catalogue();
    assert_eq!(now.ids().take(3).collect::<Vec<_>>(), ids);
    assert_eq!((now.len(), read(&car, "B"), read(&car, "C")), (4, "3".into(), "never set".into()));
    assert_eq!(car.to_string(), format!("{a} with {b}"));
}

#[test]
fn a_batch_keeps_its_order_and_foreign_ids_are_refused() {
    let clock = ManualClock::default();
    let (a, b) = (memory(vec![sensor("A")], &clock), memory(vec![sensor("B")], &clock));
    let car = merged(&[&a, &b], &clock);
    say(&a, "A", 1);
    say(&b, "B", 2);
    let now = car.catalogue();
    let (one, two) = (now.id("A").unwrap(), now.id("B").unwrap());
    let foreign = b.catalogue().id("B").unwrap();
    let answers = block_on(car.get(Get::of(&[two, foreign, one, two]))).unwrap();
    let words: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.map_or_else(|e| format!("{:?}", e.kind()), |point| point.state.to_string()))
        .collect();
    assert_eq!(words, ["2", "WrongCatalogue", "1", "2"]);
    let asked = block_on(car.set(vec![Request::new(foreign, 1_i64)])).unwrap();
    assert_eq!(asked[0].as_ref().unwrap_err().kind(), ErrorKind::WrongCatalogue);
    let watch = block_on(car.subscribe(Subscribe::to([foreign, one]))).unwrap();
    assert_eq!((watch.granted(), watch.refused().len()), (&[one][..], 1));
    let strict = block_on(car.subscribe(Subscribe::to([one, foreign]).strict()));
    assert_eq!(strict.unwrap_err().kind(), ErrorKind::WrongCatalogue);
}

#[test]
fn rights_of_a_part_come_through() {
    let clock = ManualClock::default();
    let (a, b) = (memory(vec![sensor("A")], &clock), memory(vec![sensor("B")], &clock));
    let car = merged(&[&a, &b], &clock);
    let (before, mut watch) = (car.catalogue(), all(&car));
    told(&mut watch);
    let mut newer = Box::pin(before.superseded());
    assert!(newer.as_mut().now_or_never().is_none());
    let right = |read: Permission| {
        b.board().restrict(move |_, now: &Access| Access { read: read.clone(), ..now.clone() });
    };
    right(Permission::denied("not in your plan"));
    assert!(newer.now_or_never().is_some());
    let after = car.catalogue();
    assert!(after.revision() > before.revision() && after.is_lineage_of(&before));
    assert!(
        after.readable(after.id("B").unwrap()).is_err() && after.readable(after.id("A").unwrap()).is_ok()
    );
    say(&b, "B", 7);
    assert_eq!(told(&mut watch), ["B Denied(Denied(not in your plan))"]);
    let strict = block_on(car.subscribe(Subscribe::to(after.ids()).strict()));
    assert_eq!(strict.unwrap_err().kind(), ErrorKind::Denied);
    right(Permission::Yes);
    assert_eq!(told(&mut watch), ["B Yes", "B=7"]);
    assert_eq!(read(&car, "B"), "7");
}

#[test]
fn a_part_that_ends_is_not_available_and_the_last_one_ends_the_whole() {
    let clock = ManualClock::default();
    let (a, b) = (memory(vec![sensor("A")], &clock), memory(vec![sensor("B")], &clock));
    let car = merged(&[&a, &b], &clock);
    let mut watch = all(&car);
    told(&mut watch);
    b.board().end(&Reason::because(ReasonKind::Ended, "unplugged"));
    say(&a, "A", 1);
    assert_eq!(told(&mut watch), ["A=1", "B=not available: unplugged"]);
    a.board().end(&Reason::because(ReasonKind::Ended, "parked"));
    assert_eq!(told(&mut watch), ["A=not available: parked", "Ended(Ended(parked))"]);
    assert_eq!(watch.next().now_or_never(), Some(None));
}

#[test]
fn dropping_the_merged_vehicle_ends_what_it_owned_alone() {
    let clock = ManualClock::default();
    let a = memory(vec![sensor("A")], &clock);
    let car = merged(&[&a], &clock);
    let mut watch = all(&car);
    told(&mut watch);
    drop((car, a));
    assert!(told(&mut watch).last().is_some_and(|word| word.starts_with("Ended")));
}

#[test]
fn requests_and_receipts_go_through_and_a_key_is_one_request_of_the_whole() {
    let clock = ManualClock::default();
    let actuator = |path| Entry::actuator(path, DataType::INT64);
    let (a, b) = (memory(vec![actuator("A")], &clock), memory(vec![actuator("B")], &clock));
    let car = merged(&[&a, &b], &clock);
    let now = car.catalogue();
    let (one, two) = (now.id("A").unwrap(), now.id("B").unwrap());
    let keyed = |signal, value: i64, key: &str| {
        Request::new(signal, value).with(Set::within(Duration::from_secs(1)).keyed(Key::new(key).unwrap()))
    };
    let answers = block_on(car.set(vec![
        keyed(two, 5, "k"),
        Request::new(one, 3_i64),
        keyed(one, 5, "k"),
        Request::new(one, "fast"),
    ]))
    .unwrap();
    assert_eq!(block_on(answers[0].as_ref().unwrap().outcome()), Outcome::Confirmed(Timestamp::EPOCH));
    assert_eq!(answers[2].as_ref().unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(answers[3].as_ref().unwrap_err().kind(), ErrorKind::WrongType);
    assert_eq!((read(&car, "A"), read(&car, "B")), ("3".into(), "5".into()));
    // A request that was never sent does not keep its key.
    let bad = block_on(car.set(vec![keyed(one, 9, "free"), keyed(two, 9, "k")])).unwrap();
    assert!(bad[0].is_ok() && bad[1].as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict));
    let text = Request { value: Value::from("fast"), ..keyed(one, 0, "again") };
    assert!(block_on(car.set(vec![text])).unwrap()[0].is_err());
    assert!(block_on(car.set(vec![keyed(two, 1, "again")])).unwrap()[0].is_ok());
}

#[test]
fn facts_promise_what_all_parts_keep() {
    let clock = ManualClock::default();
    let part = |facts| {
        let tree = Catalogue::new([sensor("A")], facts).unwrap();
        MemoryVehicle::new(tree, Arc::new(clock.clone()))
    };
    let plain = part(Facts::default());
    assert!(merged(&[&plain], &clock).catalogue().facts().snapshots);
    let facts = merged(&[&plain, &plain], &clock).catalogue().facts().clone();
    assert_eq!((facts.snapshots, facts.receipts, facts.back_pressure), (false, Receipts::Confirmed, false));
    let held = part(Facts { receipts: Receipts::Accepted, back_pressure: true, ..Facts::default() });
    let both = merged(&[&held, &plain], &clock);
    let facts = both.catalogue().facts().clone();
    assert_eq!((facts.receipts, facts.back_pressure), (Receipts::Accepted, false));
    let block = block_on(both.subscribe(Subscribe::to(both.catalogue().ids()).block(4)));
    assert_eq!(block.unwrap_err().kind(), ErrorKind::Unsupported);
    let nothing = Merged::new([], Arc::new(clock.clone()));
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn no_part_starves_another() {
    let clock = ManualClock::default();
    let (a, b) = (memory(vec![sensor("A")], &clock), memory(vec![sensor("B")], &clock));
    let car = merged(&[&a, &b], &clock);
    let mut watch = all(&car);
    told(&mut watch);
    say(&b, "B", 1);
    let mut seen = Vec::new();
    for n in 0..6 {
        say(&a, "A", n);
        if let Some(Some(Event::Changed(points))) = watch.next().now_or_never() {
            seen.extend(points.iter().map(|(id, _)| watch.path(id).to_owned()));
        }
    }
    assert!(seen.iter().take(3).any(|path| path == "B"), "{seen:?}");
}

#[derive(Clone, Debug)]
enum Act {
    Say(usize, i64),
    Withdraw(usize),
    Read,
    Drain,
}

fn act(signals: usize) -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..signals, -3..3_i64).prop_map(|(signal, value)| Act::Say(signal, value)),
        1 => (0..signals).prop_map(Act::Withdraw),
        1 => Just(Act::Read),
        2 => Just(Act::Drain),
    ]
}

proptest! {
    /// A tree cut into parts and merged again is the tree.
    #[test]
    fn parts_of_a_vehicle_merged_are_the_vehicle(
        homes in proptest::collection::vec(0..3_usize, 1..8),
        acts in proptest::collection::vec(act(8), 0..40),
    ) {
        let clock = ManualClock::default();
        let paths: Vec<String> = (0..homes.len()).map(|n| format!("V.S{n}")).collect();
        let whole = memory(paths.iter().map(|path| sensor(path)).collect(), &clock);
        let part = |home: usize| {
            let mine = paths.iter().zip(&homes).filter(|(_, at)| **at == home);
            memory(mine.map(|(path, _)| sensor(path)).collect(), &clock)
        };
        let parts = [part(0), part(1), part(2)];
        let car = merged(&parts.iter().collect::<Vec<_>>(), &clock);
        let ids = |car: &dyn Vehicle| -> Vec<SignalId> {
            paths.iter().map(|path| car.catalogue().resolve(path).unwrap()).collect()
        };
        let (whole_ids, car_ids) = (ids(&whole), ids(&car));
        let states = |car: &dyn Vehicle, ids: &[SignalId]| -> Vec<State> {
            block_on(car.get(Get::of(ids))).unwrap().into_iter().map(|point| point.unwrap().state).collect()
        };
        let last = |watch: &mut Subscription, table: &mut Vec<State>| {
            while let Some(Some(Event::Changed(points))) = watch.next().now_or_never() {
                for (id, point) in points.iter() {
                    let row = paths.iter().position(|path| path == watch.path(id)).unwrap();
                    table[row] = point.state.clone();
                }
            }
        };
        let (mut one, mut other) = (all(&whole), all(&car));
        let mut tables = [vec![State::NeverSet; paths.len()], vec![State::NeverSet; paths.len()]];
        for act in acts {
            match act {
                Act::Say(n, value) => {
                    let n = n % paths.len();
                    say(&whole, &paths[n], value);
                    say(&parts[homes[n]], &paths[n], value);
                }
                Act::Withdraw(n) => {
                    let n = n % paths.len();
                    for part in [&whole, &parts[homes[n]]] {
                        let id = part.catalogue().resolve(&paths[n]).unwrap();
                        part.board().withdraw(&[id], &Reason::new(ReasonKind::Source)).unwrap();
                    }
                }
                Act::Read => prop_assert_eq!(states(&whole, &whole_ids), states(&car, &car_ids)),
                Act::Drain => {
                    last(&mut one, &mut tables[0]);
                    last(&mut other, &mut tables[1]);
                    prop_assert_eq!(&tables[0], &tables[1]);
                }
            }
        }
    }
}
