use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use proptest::prelude::*;

use super::*;
use crate::catalogue::{Access, Entry, Facts, Permission};
use crate::clock::ManualClock;
use crate::datapoint::{Reason, ReasonKind, State};
use crate::error::ErrorKind;
use crate::memory::MemoryVehicle;
use crate::receipt::Outcome;
use crate::request::{Key, Set};
use crate::subscription::Event;
use crate::time::Timestamp;
use crate::value::DataType;

fn tree() -> Catalogue {
    let entries = [
        Entry::sensor("Speed", DataType::INT64).with_stale_after(Duration::from_secs(2)),
        Entry::actuator("Heat", DataType::INT64),
    ];
    Catalogue::new(entries, Facts::default()).unwrap()
}

fn members<const N: usize>(clock: &ManualClock) -> [MemoryVehicle; N] {
    std::array::from_fn(|_| MemoryVehicle::new(tree(), Arc::new(clock.clone())))
}

fn failover(members: &[MemoryVehicle], clock: &ManualClock) -> Failover {
    let members = members.iter().map(|member| Arc::new(member.clone()) as Arc<dyn Vehicle>);
    Failover::new(members, Arc::new(clock.clone())).unwrap()
}

fn say(member: &MemoryVehicle, value: i64) {
    member.publish(&[("Speed", Datapoint::valid(value, member.board().clock().now()))]).unwrap();
}

fn cut(member: &MemoryVehicle) {
    member.board().withdraw_all(&Reason::new(ReasonKind::Link));
}

fn read(car: &dyn Vehicle, path: &str) -> String {
    let signal = car.catalogue().resolve(path).unwrap();
    let answer = block_on(car.get(Get::of(&[signal]))).unwrap().pop().unwrap();
    answer.map_or_else(|error| error.to_string(), |point| point.state.to_string())
}

fn speed(car: &dyn Vehicle, wish: fn(Subscribe) -> Subscribe) -> Subscription {
    let signal = car.catalogue().resolve("Speed").unwrap();
    block_on(car.subscribe(wish(Subscribe::to([signal]).queue(64)))).unwrap()
}

fn told(watch: &mut Subscription) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(Some(event)) = watch.next().now_or_never() {
        match event {
            Event::Changed(points) => words.extend(points.iter().map(|(_, point)| point.state.to_string())),
            Event::Access(changes) => words.extend(changes.iter().map(|(_, read)| format!("{read:?}"))),
            other => words.push(format!("{other:?}")),
        }
    }
    words
}

const LOST: &str = "not available: the link to the source is lost";

#[test]
fn a_subscription_moves_over_with_a_gap_and_back() {
    let clock = ManualClock::default();
    let [a, b, c] = members(&clock);
    let car = failover(&[a.clone(), b.clone(), c.clone()], &clock);
    let mut watch = speed(&car, |wish| wish);
    assert_eq!(told(&mut watch), ["never set"]);
    say(&c, 30);
    assert_eq!((told(&mut watch), read(&car, "Speed")), (vec!["30".to_owned()], "30".to_owned()));
    say(&a, 10);
    say(&b, 20);
    say(&c, 31);
    assert_eq!((told(&mut watch), read(&car, "Speed")), (vec!["10".to_owned()], "10".to_owned()));
    cut(&a);
    assert_eq!((told(&mut watch), read(&car, "Speed")), (vec![LOST.into(), "20".into()], "20".to_owned()));
    say(&c, 32);
    say(&b, 21);
    assert_eq!(told(&mut watch), ["21"]);
    // What is not the source's own word does not answer; what is, does.
    clock.advance(Duration::from_secs(3));
    say(&c, 33);
    assert_eq!((told(&mut watch), read(&car, "Speed")), (vec![LOST.into(), "33".into()], "33".to_owned()));
    let gone = Datapoint::not_available(Reason::new(ReasonKind::Source), Timestamp::EPOCH);
    b.publish(&[("Speed", gone)]).unwrap();
    assert_eq!(told(&mut watch), ["not available: the source has no value"]);
    say(&a, 11);
    assert_eq!(told(&mut watch), ["11"]);
    // Where nobody answers, the first that has said anything is heard.
    cut(&b);
    cut(&c);
    cut(&a);
    assert_eq!((told(&mut watch), read(&car, "Speed")), (vec![LOST.to_owned()], LOST.to_owned()));
}

#[test]
fn the_end_of_one_moves_and_the_end_of_all_ends() {
    let clock = ManualClock::default();
    let [a, b] = members(&clock);
    let car = failover(&[a.clone(), b.clone()], &clock);
    say(&a, 1);
    say(&b, 2);
    let mut watch = speed(&car, Subscribe::on_change);
    assert_eq!(told(&mut watch), ["1"]);
    a.board().end(&Reason::because(ReasonKind::Ended, "sold"));
    assert_eq!(told(&mut watch), ["not available: sold", "2"]);
    say(&b, 3);
    b.board().end(&Reason::because(ReasonKind::Ended, "scrapped"));
    let words = told(&mut watch);
    assert_eq!(words.last().map(String::as_str), Some("Ended(Ended(scrapped))"), "{words:?}");
}

#[test]
fn what_the_first_denies_is_denied_and_what_another_denies_is_not_heard() {
    let clock = ManualClock::default();
    let [a, b] = members(&clock);
    let right = |member: &MemoryVehicle, read: Permission| {
        member.board().restrict(move |_, now: &Access| Access { read: read.clone(), ..now.clone() });
    };
    let denied = Permission::denied("not in your plan");
    say(&b, 2);
    right(&b, denied.clone());
    let car = failover(&[a.clone(), b.clone()], &clock);
    let mut watch = speed(&car, |wish| wish);
    assert_eq!(
        (told(&mut watch), read(&car, "Speed")),
        (vec!["never set".to_owned()], "never set".to_owned())
    );
    right(&b, Permission::Yes);
    assert_eq!(told(&mut watch), ["2"]);
    right(&b, denied.clone());
    assert_eq!(told(&mut watch), ["never set"]);
    right(&b, Permission::Yes);
    right(&a, denied);
    say(&b, 3);
    assert_eq!(told(&mut watch).last().map(String::as_str), Some("Denied(Denied(not in your plan))"));
    assert_eq!(read(&car, "Speed"), "get Speed: not in your plan");
    say(&b, 4);
    assert!(told(&mut watch).is_empty());
    right(&a, Permission::Yes);
    assert_eq!(told(&mut watch), ["Yes", "4"]);
}

#[test]
fn only_alike_signals_stand_by() {
    let clock = ManualClock::default();
    let [a] = members(&clock);
    let other = [Entry::sensor("Speed", DataType::DOUBLE), Entry::sensor("Level", DataType::INT8)];
    let other = Catalogue::new(other, Facts::default()).unwrap();
    let b = MemoryVehicle::new(other, Arc::new(clock.clone()));
    let car = failover(&[a, b.clone()], &clock);
    b.publish(&[
        ("Speed", Datapoint::valid(1.5, Timestamp::EPOCH)),
        ("Level", Datapoint::valid(7_i8, Timestamp::EPOCH)),
    ])
    .unwrap();
    assert_eq!((read(&car, "Speed"), read(&car, "Level")), ("never set".to_owned(), "7".to_owned()));
}

/// Takes no request while its link is down, and counts those that it gets.
#[derive(Debug)]
struct Door(MemoryVehicle, std::sync::atomic::AtomicU32);

#[async_trait]
impl Vehicle for Door {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.0.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        self.0.get(get).await
    }

    async fn set(&self, _: Vec<Request>) -> Result<Each<Receipt>, Error> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(Error::new(ErrorKind::Unavailable, "the line is down"))
    }

    async fn subscribe(&self, _: Subscribe) -> Result<Subscription, Error> {
        Err(Error::new(ErrorKind::Unavailable, "the line is down"))
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("door")
    }
}

#[test]
fn a_request_goes_to_one_vehicle_and_a_key_stays_with_it() {
    let clock = ManualClock::default();
    let [a, b, c] = members(&clock);
    let down = Arc::new(Door(a, std::sync::atomic::AtomicU32::new(0)));
    let parts = [down.clone() as Arc<dyn Vehicle>, Arc::new(b.clone()), Arc::new(c.clone())];
    let car = Failover::new(parts, Arc::new(clock.clone())).unwrap();
    let heat = car.catalogue().resolve("Heat").unwrap();
    let keyed = |value: i64| {
        Request::new(heat, value).with(Set::within(Duration::from_secs(1)).keyed(Key::new("k").unwrap()))
    };
    let ask = |request: Request| block_on(car.set(vec![request])).unwrap().pop().unwrap();
    let first = ask(keyed(5)).unwrap();
    assert_eq!(block_on(first.outcome()), Outcome::Confirmed(Timestamp::EPOCH));
    assert_eq!((read(&b, "Heat"), read(&c, "Heat")), ("5".into(), "never set".into()));
    assert_eq!(down.1.load(std::sync::atomic::Ordering::Relaxed), 1);
    // The key is known to the second, whoever answers now.
    cut(&b);
    c.publish(&[("Heat", Datapoint::valid(0_i64, Timestamp::EPOCH))]).unwrap();
    assert_eq!(block_on(ask(keyed(5)).unwrap().outcome()), Outcome::Confirmed(Timestamp::EPOCH));
    assert_eq!(read(&c, "Heat"), "0");
    assert_eq!(ask(keyed(6)).unwrap_err().kind(), ErrorKind::Conflict);
    // Without it, the one that answers is asked first.
    ask(Request::new(heat, 7_i64)).unwrap();
    assert_eq!((read(&c, "Heat"), down.1.load(std::sync::atomic::Ordering::Relaxed)), ("7".into(), 1));
    // A subscription does without the one that refuses it.
    say(&b, 2);
    assert_eq!(told(&mut speed(&car, Subscribe::strict)), ["2"]);
}

#[derive(Clone, Debug)]
enum Act {
    Say(usize, i64),
    Cut(usize),
    Source(usize),
    Wait,
    Drain,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..3_usize, 0..9_i64).prop_map(|(member, value)| Act::Say(member, value)),
        3 => (0..3_usize).prop_map(Act::Cut),
        1 => (0..3_usize).prop_map(Act::Source),
        1 => Just(Act::Wait),
        3 => Just(Act::Drain),
    ]
}

proptest! {
    /// The first that answers is read, and what a subscription told last is what is read.
    #[test]
    fn the_first_that_answers_is_heard(acts in proptest::collection::vec(act(), 0..40), latest in any::<bool>()) {
        let clock = ManualClock::default();
        let all: [MemoryVehicle; 3] = members(&clock);
        let car = failover(&all, &clock);
        let mut watch = speed(&car, if latest {
            |wish| Subscribe { overflow: crate::Overflow::Latest, ..wish }
        } else {
            |wish| wish
        });
        let mut heard = told(&mut watch);
        for act in acts.into_iter().chain([Act::Drain]) {
            match act {
                Act::Say(member, value) => say(&all[member], value),
                Act::Cut(member) => cut(&all[member]),
                Act::Source(member) => {
                    let at = clock_now(&all[member]);
                    let state = State::Error(Reason::new(ReasonKind::Source));
                    all[member].publish(&[("Speed", Datapoint::new(state, at))]).unwrap();
                }
                Act::Wait => clock.advance(Duration::from_secs(3)),
                Act::Drain => heard.extend(told(&mut watch)),
            }
            let present: Vec<String> = all.iter().map(|member| read(member, "Speed")).collect();
            let answers = |word: &&String| word.parse::<i64>().is_ok() || word.starts_with("error");
            let speaks = |word: &&String| *word != "never set";
            let expected = present.iter().find(answers).or_else(|| present.iter().find(speaks));
            let expected = expected.map_or("never set", String::as_str);
            prop_assert_eq!(read(&car, "Speed"), expected);
            if matches!(act, Act::Drain) {
                prop_assert_eq!(heard.last().map(String::as_str), Some(expected));
            }
        }
    }
}

fn clock_now(member: &MemoryVehicle) -> Timestamp {
    member.board().clock().now()
}
