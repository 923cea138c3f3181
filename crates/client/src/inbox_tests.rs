use super::*;
use coachwork_vehicle::{Catalogue, DataType, Entry, Facts, ReasonKind, Timestamp, Value};
use futures::task::noop_waker_ref;
use proptest::prelude::*;

fn signals(count: usize) -> Vec<SignalId> {
    let entries = (0..count).map(|n| Entry::sensor(&format!("Vehicle.S{n}"), DataType::INT64));
    Catalogue::new(entries, Facts::default()).unwrap().ids().collect()
}

fn inbox(signals: &[SignalId], overflow: Overflow, changes_only: bool) -> Inbox {
    let covered = signals.iter().map(|&signal| Covered { signal, changes_only, permission: Permission::Yes });
    Inbox::new(covered, overflow)
}

fn point(value: i64) -> Datapoint {
    Datapoint::valid(Value::Int(value), Timestamp::from_seconds(value))
}

fn value(point: &Datapoint) -> i64 {
    match point.value() {
        Some(Value::Int(value)) => *value,
        other => panic!("{other:?}"),
    }
}

/// What is there now, each event as (lost) or the values of its points.
fn read(inbox: &Inbox) -> Vec<Result<Vec<i64>, u64>> {
    let mut events = Vec::new();
    let mut cx = Context::from_waker(noop_waker_ref());
    while let Poll::Ready(Some(event)) = inbox.poll(&mut cx) {
        match event {
            Event::Changed(points) => events.push(Ok(points.iter().map(|(_, p)| value(p)).collect())),
            Event::Lagged(count) => events.push(Err(count)),
            other => panic!("{other:?}"),
        }
    }
    events
}

#[test]
fn the_present_values_come_first_and_outside_the_bound() {
    let s = signals(3);
    let inbox = inbox(&s, Overflow::Queue(1), false);
    inbox.points(s.iter().zip(0..).map(|(&signal, n)| (signal, point(n))));
    inbox.points([(s[0], point(10)), (s[0], point(11))]);
    assert_eq!(read(&inbox), [Ok(vec![0, 1, 2]), Err(1), Ok(vec![11])]);
}

#[test]
fn a_right_that_returns_brings_the_present_value_outside_the_bound() {
    let s = signals(2);
    let inbox = inbox(&s, Overflow::Queue(1), false);
    inbox.points([(s[0], point(0)), (s[1], point(0))]);
    assert_eq!(read(&inbox), [Ok(vec![0, 0])]);
    inbox.access([(s[0], Permission::denied("no")), (s[0], Permission::Yes)]);
    inbox.points([(s[1], point(1)), (s[0], point(2))]);
    // Nothing was told of the denial, so nothing is told of the return.
    assert_eq!(read(&inbox), [Ok(vec![1]), Ok(vec![2])]);
}

#[test]
fn a_gap_of_the_gateway_stands_where_it_was_and_joins_ours() {
    let s = signals(1);
    let inbox = inbox(&s, Overflow::Queue(2), false);
    inbox.points([(s[0], point(0))]);
    assert_eq!(read(&inbox), [Ok(vec![0])]);
    inbox.points([(s[0], point(1))]);
    inbox.lagged(4);
    inbox.points([(s[0], point(6))]);
    assert_eq!(read(&inbox), [Ok(vec![1]), Err(4), Ok(vec![6])]);
    inbox.points([(s[0], point(7))]);
    inbox.lagged(2);
    inbox.points([(s[0], point(10)), (s[0], point(11)), (s[0], point(12))]);
    assert_eq!(read(&inbox), [Err(4), Ok(vec![11, 12])]);
}

#[test]
fn states_overwrite_each_other_and_a_change_that_was_undone_is_none() {
    let s = signals(2);
    let inbox = inbox(&s, Overflow::Latest, true);
    inbox.points([(s[0], point(0)), (s[1], point(0))]);
    assert_eq!(read(&inbox), [Ok(vec![0, 0])]);
    inbox.points([(s[0], point(1)), (s[0], point(2)), (s[1], point(5)), (s[1], point(0))]);
    assert_eq!(read(&inbox), [Ok(vec![2])]);
    let stale = Datapoint::new(State::Stale(Value::Int(2)), Timestamp::EPOCH);
    inbox.points([(s[0], stale), (s[0], point(2))]);
    assert_eq!(read(&inbox), [Ok(vec![2])], "back from stale is a change, seen or not");
    inbox.points([(s[0], point(2))]);
    assert_eq!(read(&inbox), []);
}

#[test]
fn a_lost_link_shows_and_the_present_values_follow() {
    let s = signals(2);
    let inbox = inbox(&s, Overflow::Queue(4), false);
    inbox.points([(s[0], point(1)), (s[1], point(2))]);
    inbox.access([(s[1], Permission::denied("not in your plan"))]);
    let gone = Datapoint::not_available(Reason::new(ReasonKind::Link), Timestamp::EPOCH);
    inbox.link_lost(&gone);
    inbox.stands(true, &[(s[1], Permission::denied("not in your plan"))]);
    inbox.points([(s[0], point(3))]);
    let mut cx = Context::from_waker(noop_waker_ref());
    let mut next = || match inbox.poll(&mut cx) {
        Poll::Ready(Some(event)) => Some(event),
        _ => None,
    };
    assert!(matches!(next(), Some(Event::Access(changes)) if changes.len() == 1 && changes[0].0 == s[1]));
    // What was unread of a signal whose right is gone is not shown, nor that the link to it is lost.
    assert_eq!(next(), Some(Event::Changed(Points::new(vec![(s[0], point(1))]))));
    assert_eq!(next(), Some(Event::Changed(Points::new(vec![(s[0], gone), (s[0], point(3))]))));
    assert_eq!(next(), None);
}

#[test]
fn a_wrapper_masks_what_is_unread_and_gets_the_last_value_back() {
    let s = signals(2);
    let inbox = inbox(&s, Overflow::Queue(4), false);
    inbox.points([(s[0], point(1)), (s[1], point(2)), (s[0], point(3))]);
    inbox.restrict(&[s[0]], false);
    inbox.points([(s[0], point(4))]);
    assert_eq!(read(&inbox), [Ok(vec![2])]);
    inbox.restrict(&[s[0]], true);
    assert_eq!(read(&inbox), [Ok(vec![4])]);
    inbox.restrict(&[s[0]], true);
    assert_eq!(read(&inbox), []);
}

#[test]
fn the_end_comes_last_and_once() {
    let s = signals(1);
    let inbox = inbox(&s, Overflow::Latest, false);
    inbox.points([(s[0], point(1))]);
    let reason = Reason::new(ReasonKind::Ended);
    inbox.end(&reason);
    inbox.points([(s[0], point(2))]);
    let mut cx = Context::from_waker(noop_waker_ref());
    assert!(matches!(inbox.poll(&mut cx), Poll::Ready(Some(Event::Changed(_)))));
    assert_eq!(inbox.poll(&mut cx), Poll::Ready(Some(Event::Ended(reason))));
    assert_eq!(inbox.poll(&mut cx), Poll::Ready(None));
    assert_eq!(inbox.poll(&mut cx), Poll::Ready(None));
}

#[derive(Clone, Debug)]
enum Step {
    Update(usize),
    Lagged(u64),
    Renewed,
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_usize).prop_map(Step::Update),
        1 => (1..5_u64).prop_map(Step::Lagged),
        1 => Just(Step::Renewed),
        2 => Just(Step::Read),
    ]
}

proptest! {
    /// Whatever happens, every update is either read, in order, or counted, where it is missing; and what is unread is bounded.
    #[test]
    fn nothing_is_lost_in_silence(bound in 1..6_usize, steps in proptest::collection::vec(step(), 0..200)) {
        let s = signals(4);
        let inbox = inbox(&s, Overflow::Queue(bound), false);
        let (mut sent, mut next) = (0_i64, 0_i64);
        for step in steps.into_iter().chain([Step::Read]) {
            match step {
                Step::Update(signal) => {
                    inbox.points([(s[signal], point(sent))]);
                    sent += 1;
                }
                Step::Lagged(count) => {
                    inbox.lagged(count);
                    sent += i64::try_from(count).unwrap();
                }
                Step::Renewed => inbox.stands(true, &[]),
                Step::Read => {
                    let mut unread = 0;
                    for event in read(&inbox) {
                        match event {
                            Ok(values) => for value in values {
                                prop_assert_eq!(value, next);
                                next += 1;
                                unread += 1;
                            },
                            Err(lost) => next += i64::try_from(lost).unwrap(),
                        }
                    }
                    prop_assert_eq!(next, sent);
                    prop_assert!(unread <= bound + s.len());
                }
            }
        }
    }
}
