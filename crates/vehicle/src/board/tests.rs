//! A board on a stepped clock: every sentence of the design about subscriptions and receipts, by example.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;

use super::*;
use crate::catalogue::{Facts, Permission, Receipts};
use crate::clock::ManualClock;
use crate::datapoint::ReasonKind;
use crate::receipt::{RefusalKind, Stage};
use crate::request::{Key, Set};
use crate::subscription::Event;
use crate::time::Timestamp;
use crate::value::{DataType, Value};

const SPEED: &str = "Vehicle.Speed";
const LEVEL: &str = "Vehicle.Level";
const HEATING: &str = "Vehicle.Heating";

struct Bench {
    clock: ManualClock,
    board: Board,
    speed: SignalId,
    level: SignalId,
    heating: SignalId,
}

fn bench() -> Bench {
    bench_with(Facts { back_pressure: true, ..Facts::default() })
}

fn bench_with(facts: Facts) -> Bench {
    let clock = ManualClock::new(Timestamp::from_seconds(1_000));
    let entries = [
        Entry::sensor(SPEED, DataType::FLOAT).with_stale_after(ms(500)),
        Entry::sensor(LEVEL, DataType::UINT8),
        Entry::actuator(HEATING, DataType::INT8).with_range(Value::Int(-100), Value::Int(100)).with_step(2.0),
    ];
    let board = Board::new(Catalogue::new(entries, facts).unwrap(), Arc::new(clock.clone()));
    let id = |path| board.catalogue().id(path).unwrap();
    Bench { clock, speed: id(SPEED), level: id(LEVEL), heating: id(HEATING), board }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Bench {
    fn report(&self, signal: SignalId, value: impl Into<Value>) {
        self.board.publish(&[(signal, Datapoint::valid(value, self.clock.now()))]).unwrap();
    }

    fn speed(&self, value: f32) {
        self.report(self.speed, value);
    }

    fn level(&self, value: u8) {
        self.report(self.level, value);
    }

    fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        self.board.subscribe(subscribe).unwrap()
    }

    /// A subscription whose present values have been read.
    fn settled(&self, subscribe: Subscribe) -> Subscription {
        let mut subscription = self.subscribe(subscribe);
        assert_eq!(read(&mut subscription).len(), 1, "present values come at once");
        subscription
    }

    fn state(&self, signal: SignalId) -> State {
        self.board.get(Get::of(&[signal])).unwrap().remove(0).unwrap().state
    }

    fn ask(&self, value: i8, set: Set) -> Result<Receipt, Error> {
        let requests = vec![Request::new(self.heating, value).with(set)];
        self.board.set(requests, |_| Ok(())).unwrap().remove(0)
    }
}

/// Everything that is there without waiting.
fn read(subscription: &mut Subscription) -> Vec<Event> {
    std::iter::from_fn(|| subscription.next().now_or_never().flatten()).collect()
}

/// The states that are there, gaps as their number.
fn states(subscription: &mut Subscription) -> Vec<Result<State, u64>> {
    let mut out = Vec::new();
    for event in read(subscription) {
        match event {
            Event::Changed(points) => out.extend(points.iter().map(|(_, point)| Ok(point.state.clone()))),
            Event::Lagged(n) => out.push(Err(n)),
            other => panic!("unexpected {other:?}"),
        }
    }
    out
}

#[expect(clippy::unnecessary_wraps, reason = "one item of what `states` yields")]
fn valid(value: impl Into<Value>) -> Result<State, u64> {
    Ok(State::Valid(value.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "one item of what `states` yields")]
fn stale(value: impl Into<Value>) -> Result<State, u64> {
    Ok(State::Stale(value.into()))
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_present_value_comes_first_whatever_the_filter_says() {
    let b = bench();
    b.level(200);
    for wish in [
        Subscribe::to([b.level]).within(0.0, 10.0),
        Subscribe::to([b.level]).on_change().queue(1),
        Subscribe::to([b.level]).every(ms(100)).block(1),
        Subscribe::to([b.level]).at_most_every(ms(100)),
    ] {
        let mut sub = b.subscribe(wish);
        b.clock.advance(ms(1));
        assert_eq!(states(&mut sub), [valid(200u8)]);
    }
    let mut never = b.subscribe(Subscribe::to([b.speed]).queue(1));
    assert_eq!(states(&mut never), [Ok(State::NeverSet)]);
}

#[test]
fn present_values_stand_outside_the_bound_of_a_queue() {
    let b = bench();
    let mut sub = b.subscribe(Subscribe::to([b.speed, b.level, b.heating]).queue(1));
    b.level(1);
    let events = read(&mut sub);
    assert!(matches!(&events[0], Event::Changed(points) if points.len() == 3), "{events:?}");
    assert!(matches!(&events[1], Event::Changed(points) if points.len() == 1), "{events:?}");
}

#[test]
fn latest_overwrites_and_calls_it_no_loss() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]));
    (0..50).for_each(|n| b.level(n));
    assert_eq!(states(&mut sub), [valid(49u8)]);
    assert_eq!(states(&mut sub), []);
}

#[test]
fn a_queue_keeps_order_and_counts_what_it_loses_where_it_is_missing() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]).queue(3));
    (0..3).for_each(|n| b.level(n));
    assert_eq!(states(&mut sub), [valid(0u8), valid(1u8), valid(2u8)]);
    (0..5).for_each(|n| b.level(n));
    assert_eq!(states(&mut sub), [Err(2), valid(2u8), valid(3u8), valid(4u8)]);
}

#[test]
fn a_block_queue_loses_its_oldest_to_publish_and_says_so() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]).block(2));
    (0..3).for_each(|n| b.level(n));
    assert_eq!(states(&mut sub), [Err(1), valid(1u8), valid(2u8)]);
}

#[test]
fn what_a_filter_drops_does_not_fill_the_queue() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]).on_change().queue(2));
    for value in [1, 1, 1, 1, 2, 2, 2] {
        b.level(value);
    }
    assert_eq!(states(&mut sub), [valid(1u8), valid(2u8)]);
}

#[test]
fn on_change_takes_a_nan_for_a_nan() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.speed]).on_change().queue(9));
    b.speed(f32::NAN);
    b.speed(f32::NAN);
    b.speed(1.0);
    b.speed(f32::NAN);
    let seen = states(&mut sub);
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(seen[1], valid(1.0f32));
}

#[test]
fn a_deadband_is_measured_from_what_was_delivered() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.speed]).deadband(1.0).queue(9));
    for value in [10.0, 10.6, 11.0, 11.2, 10.3, 12.3] {
        b.speed(value);
    }
    // 11.2 differs from 10 by more than 1; 10.3 differs from 11.2 by less; a creeping value is not lost.
    assert_eq!(states(&mut sub), [valid(10.0f32), valid(11.2f32), valid(12.3f32)]);
}

#[test]
fn a_deadband_never_hides_a_change_of_state() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.speed]).deadband(100.0).queue(9));
    b.speed(10.0);
    b.board.withdraw(&[b.speed], &Reason::new(ReasonKind::Link)).unwrap();
    b.speed(10.0);
    let seen = states(&mut sub);
    assert!(matches!(&seen[1], Ok(State::NotAvailable(_))), "{seen:?}");
    assert_eq!(seen[2], valid(10.0f32));
}

#[test]
fn a_value_goes_stale_for_get_and_for_a_subscriber() {
    let b = bench();
    b.speed(5.0);
    let mut sub = b.settled(Subscribe::to([b.speed]).on_change());
    b.clock.advance(ms(499));
    assert_eq!(b.state(b.speed), State::Valid(5.0f32.into()));
    assert_eq!(states(&mut sub), []);
    b.clock.advance(ms(1));
    assert_eq!(b.state(b.speed), State::Stale(5.0f32.into()));
    assert_eq!(states(&mut sub), [stale(5.0f32)]);
    b.clock.advance(ms(5_000));
    assert_eq!(states(&mut sub), [], "told once");
}

#[test]
fn the_same_value_after_stale_is_a_change() {
    for overflow in [Overflow::Latest, Overflow::Queue(9)] {
        let b = bench();
        b.speed(5.0);
        let wish = || Subscribe { overflow, ..Subscribe::to([b.speed]).on_change() };
        let (mut looking, mut away) = (b.settled(wish()), b.settled(wish()));
        b.clock.advance(ms(500));
        assert_eq!(states(&mut looking), [stale(5.0f32)]);
        b.speed(5.0);
        assert_eq!(states(&mut looking), [valid(5.0f32)]);
        assert_eq!(states(&mut away), [valid(5.0f32)], "also for one that did not look meanwhile");
        b.speed(5.0);
        assert_eq!(states(&mut away), [], "and only once");
    }
}

#[test]
fn repeats_keep_a_value_from_going_stale() {
    let b = bench();
    b.speed(5.0);
    let mut sub = b.settled(Subscribe::to([b.speed]).on_change().queue(4));
    for _ in 0..10 {
        b.clock.advance(ms(400));
        b.speed(5.0);
        assert_eq!(states(&mut sub), []);
    }
}

#[test]
fn going_stale_respects_interval_and_range() {
    let b = bench();
    b.speed(5.0);
    let mut slow = b.settled(Subscribe::to([b.speed]).at_most_every(ms(2_000)));
    let mut ranged = b.settled(Subscribe::to([b.speed]).within(10.0, 20.0));
    b.clock.advance(ms(600));
    assert_eq!(states(&mut slow), [], "within the interval");
    assert_eq!(states(&mut ranged), [], "out of the range");
    b.clock.advance(ms(1_400));
    assert_eq!(states(&mut slow), [stale(5.0f32)]);
    assert_eq!(states(&mut ranged), []);
    assert_eq!(b.clock.sleepers(), 0, "nothing more to wait for");
}

#[test]
fn what_waits_for_its_interval_goes_stale_meanwhile() {
    let b = bench();
    b.speed(5.0);
    let mut sub = b.settled(Subscribe::to([b.speed]).at_most_every(ms(2_000)).queue(9));
    b.speed(6.0);
    b.clock.advance(ms(600));
    assert_eq!(states(&mut sub), []);
    b.board.end(&Reason::new(ReasonKind::Ended));
    let events = read(&mut sub);
    let Event::Changed(points) = &events[0] else { panic!("{events:?}") };
    assert_eq!(points.iter().next().unwrap().1.state, State::Stale(6.0f32.into()), "not valid any more");
}

#[test]
fn at_most_every_delivers_the_last_one_when_the_interval_ends() {
    for overflow in [Overflow::Latest, Overflow::Queue(8), Overflow::Block(8)] {
        let b = bench();
        let wish = Subscribe { overflow, ..Subscribe::to([b.level]).at_most_every(ms(100)) };
        let mut sub = b.settled(wish);
        for n in 1..=9 {
            b.clock.advance(ms(10));
            b.level(n);
            assert_eq!(states(&mut sub), [], "{overflow:?} at {n}");
        }
        b.clock.advance(ms(10));
        assert_eq!(states(&mut sub), [valid(9u8)], "{overflow:?}");
        b.clock.advance(ms(1_000));
        assert_eq!(states(&mut sub), [], "{overflow:?}");
        b.level(1);
        assert_eq!(states(&mut sub), [valid(1u8)], "{overflow:?}: a late one need not wait");
    }
}

#[test]
fn a_value_that_returns_within_the_interval_cancels_the_trailing_edge() {
    for overflow in [Overflow::Latest, Overflow::Queue(8)] {
        let b = bench();
        b.level(1);
        let wish = Subscribe { overflow, ..Subscribe::to([b.level]).on_change().at_most_every(ms(100)) };
        let mut sub = b.settled(wish);
        b.clock.advance(ms(10));
        b.level(2);
        assert_eq!(states(&mut sub), []);
        b.clock.advance(ms(10));
        b.level(1);
        assert_eq!(states(&mut sub), []);
        b.clock.advance(ms(1_000));
        assert_eq!(states(&mut sub), [], "{overflow:?}");
    }
}

#[test]
fn a_trailing_edge_is_the_present_state_where_states_are_delivered() {
    let b = bench();
    b.speed(1.0);
    let mut sub = b.settled(Subscribe::to([b.speed]).within(0.0, 10.0).at_most_every(ms(100)));
    b.clock.advance(ms(10));
    b.speed(2.0);
    assert_eq!(states(&mut sub), []);
    b.speed(99.0);
    b.clock.advance(ms(90));
    assert_eq!(states(&mut sub), [], "2 is not the present state any more");
}

#[test]
fn every_ticks_without_burst_or_drift() {
    let b = bench();
    b.level(1);
    let mut sub = b.settled(Subscribe::to([b.level]).every(ms(100)));
    b.level(2);
    assert_eq!(states(&mut sub), [], "updates alone bring nothing");
    b.clock.advance(ms(100));
    assert_eq!(states(&mut sub), [valid(2u8)]);
    b.clock.advance(ms(370));
    assert_eq!(states(&mut sub), [valid(2u8)], "one for all that were missed");
    b.clock.advance(ms(29));
    assert_eq!(states(&mut sub), []);
    b.clock.advance(ms(1));
    assert_eq!(states(&mut sub), [valid(2u8)], "the grid stays at multiples of 100 ms");
}

#[test]
fn every_and_on_change_looks_by_the_clock_and_tells_changes() {
    let b = bench();
    b.level(1);
    let mut sub = b.settled(Subscribe::to([b.level]).every(ms(100)).on_change());
    b.clock.advance(ms(100));
    assert_eq!(states(&mut sub), []);
    b.level(2);
    b.clock.advance(ms(100));
    assert_eq!(states(&mut sub), [valid(2u8)]);
}

#[test]
fn a_range_lets_states_without_a_value_pass() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]).within(10.0, 20.0).queue(9));
    for value in [9, 10, 20, 21] {
        b.level(value);
    }
    b.board.withdraw(&[b.level], &Reason::new(ReasonKind::Source)).unwrap();
    let seen = states(&mut sub);
    assert_eq!(seen[..2], [valid(10u8), valid(20u8)]);
    assert!(matches!(&seen[2..], [Ok(State::NotAvailable(_))]), "{seen:?}");
}

#[test]
fn malformed_wishes_are_refused() {
    let b = bench();
    let to = || Subscribe::to([b.level]);
    for wish in [
        to().queue(0),
        to().queue(crate::MAX_QUEUE + 1),
        to().deadband(-1.0),
        to().deadband(f64::NAN),
        to().within(2.0, 1.0),
        to().within(f64::NAN, 1.0),
        to().every(Duration::ZERO),
        to().at_most_every(ms(1)).every(ms(1)),
    ] {
        assert_eq!(b.board.subscribe(wish.clone()).unwrap_err().kind(), ErrorKind::Invalid, "{wish:?}");
    }
    let live = bench_with(Facts::default());
    let error = live.board.subscribe(Subscribe::to([live.level]).block(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn feed_waits_for_room_and_splits_larger_batches() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]).block(2));
    let batch: Vec<_> = (0..5u8).map(|n| (b.level, Datapoint::valid(n, b.clock.now()))).collect();
    let mut feed = Box::pin(b.board.feed(&batch));
    assert!((&mut feed).now_or_never().is_none());
    assert_eq!(states(&mut sub), [valid(0u8), valid(1u8)]);
    assert!((&mut feed).now_or_never().is_none());
    assert_eq!(states(&mut sub), [valid(2u8), valid(3u8)]);
    assert!((&mut feed).now_or_never().unwrap().is_ok());
    assert_eq!(states(&mut sub), [valid(4u8)]);
}

#[test]
fn feed_waits_for_the_slowest_and_is_freed_by_drop_mask_and_end() {
    let release: [fn(&Bench, Subscription) -> Option<Subscription>; 3] = [
        |_, sub| {
            drop(sub);
            None
        },
        |b, mut sub| {
            b.board.restrict(|_, now| Access { read: Permission::denied("no"), ..now.clone() });
            read(&mut sub);
            Some(sub)
        },
        |b, sub| {
            b.board.end(&Reason::new(ReasonKind::Ended));
            Some(sub)
        },
    ];
    for (case, release) in release.into_iter().enumerate() {
        let b = bench();
        let slow = b.settled(Subscribe::to([b.level]).block(1));
        let point = [(b.level, Datapoint::valid(1u8, b.clock.now()))];
        block_on(b.board.feed(&point)).unwrap();
        let woken = Arc::new(Count::default());
        let waker = Waker::from(woken.clone());
        let mut feed = Box::pin(b.board.feed(&point));
        let mut poll = || feed.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        assert!(!poll());
        let _kept = release(&b, slow);
        assert!(woken.0.load(Ordering::Relaxed) > 0, "case {case}");
        assert!(poll(), "case {case}");
    }
}

#[test]
fn a_dropped_feed_leaves_the_board_usable() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]).block(1));
    let batch: Vec<_> = (0..3u8).map(|n| (b.level, Datapoint::valid(n, b.clock.now()))).collect();
    let mut feed = Box::pin(b.board.feed(&batch));
    assert!((&mut feed).now_or_never().is_none());
    drop(feed);
    assert_eq!(states(&mut sub), [valid(0u8)]);
    block_on(b.board.feed(&batch[2..])).unwrap();
    assert_eq!(states(&mut sub), [valid(2u8)]);
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let b = bench();
    let other = bench();
    let mut sub = b.settled(Subscribe::to([b.level, b.speed]).queue(9));
    let now = b.clock.now();
    let good = (b.level, Datapoint::valid(1u8, now));
    for (bad, kind) in [
        ((b.level, Datapoint::valid(256i32, now)), ErrorKind::WrongType),
        ((b.level, Datapoint::valid("one", now)), ErrorKind::WrongType),
        ((other.level, Datapoint::valid(1u8, now)), ErrorKind::WrongCatalogue),
    ] {
        assert_eq!(b.board.publish(&[good.clone(), bad.clone()]).unwrap_err().kind(), kind);
        assert_eq!(block_on(b.board.feed(&[good.clone(), bad])).unwrap_err().kind(), kind);
    }
    assert_eq!(states(&mut sub), []);
    assert_eq!(b.state(b.level), State::NeverSet);
}

#[test]
fn publish_brings_values_into_the_catalogues_type() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]).queue(9));
    b.report(b.level, 7.0f64);
    b.board.publish(&[(b.level, Datapoint::new(State::Stale(8i64.into()), b.clock.now()))]).unwrap();
    assert_eq!(states(&mut sub), [valid(7u8), stale(8u8)]);
}

#[test]
fn ids_of_another_catalogue_are_refused_everywhere() {
    let (b, other) = (bench(), bench());
    assert_eq!(
        b.board.get(Get::of(&[other.level, b.level])).unwrap()[0].as_ref().unwrap_err().kind(),
        ErrorKind::WrongCatalogue
    );
    let sub = b.subscribe(Subscribe::to([other.level, b.level]));
    assert_eq!(sub.granted(), [b.level]);
    assert_eq!(sub.refused().next().unwrap().1.kind(), ErrorKind::WrongCatalogue);
    let strict = b.board.subscribe(Subscribe::to([other.level, b.level]).strict()).unwrap_err();
    assert_eq!(strict.kind(), ErrorKind::WrongCatalogue);
    let set = b.board.set(vec![Request::new(other.heating, 1i8)], |_| Ok(())).unwrap();
    assert_eq!(set[0].as_ref().unwrap_err().kind(), ErrorKind::WrongCatalogue);
}

#[test]
fn denied_is_masked_at_the_source_purged_and_replayed() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level, b.speed]).queue(9));
    b.level(1);
    let deny = |signal: SignalId| {
        move |id, now: &Access| {
            let read = if id == signal { Permission::denied("no right") } else { Permission::Yes };
            Access { read, ..now.clone() }
        }
    };
    b.board.restrict(deny(b.level));
    b.speed(3.0);
    b.level(2);
    assert_eq!(b.board.get(Get::of(&[b.level])).unwrap()[0].as_ref().unwrap_err().kind(), ErrorKind::Denied);
    let events = read(&mut sub);
    let Event::Access(changes) = &events[0] else { panic!("{events:?}") };
    assert_eq!(changes[..], [(b.level, Permission::denied("no right"))]);
    assert_eq!(events.len(), 2, "what was queued before and after is gone: {events:?}");
    assert!(matches!(&events[1], Event::Changed(p) if p.iter().next().unwrap().0 == b.speed));

    b.level(3);
    assert_eq!(read(&mut sub), []);
    b.board.restrict(|_, now| Access { read: Permission::Yes, ..now.clone() });
    let events = read(&mut sub);
    assert!(matches!(&events[0], Event::Access(c) if c[..] == [(b.level, Permission::Yes)]), "{events:?}");
    let Event::Changed(points) = &events[1] else { panic!("{events:?}") };
    assert_eq!(points.iter().next().unwrap().1.state, State::Valid(3u8.into()));
    assert_eq!(events.len(), 2);
}

/// Found by fuzzing: nothing is queued any more, and the reader has to be woken for what goes stale.
#[test]
fn what_a_queue_has_lost_goes_stale_all_the_same() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.speed, b.level]).queue(1));
    b.speed(1.0);
    b.level(2);
    let level = b.level;
    b.board.restrict(|id, now| {
        let read = if id == level { Permission::denied("no right") } else { Permission::Yes };
        Access { read, ..now.clone() }
    });
    let events = read(&mut sub);
    assert!(matches!(events[..], [Event::Access(_), Event::Lagged(1)]), "{events:?}");
    let woken = Arc::new(Count::default());
    let waker = Waker::from(woken.clone());
    assert!(sub.next().boxed_local().poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    b.clock.advance(ms(500));
    assert!(woken.0.load(Ordering::Relaxed) > 0, "nobody wakes the reader");
    let events = read(&mut sub);
    let [Event::Changed(points)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(points.iter().next().unwrap().1.state, State::Stale(1.0_f32.into()));
}

#[test]
fn a_signal_that_is_denied_from_the_start_is_reported_and_may_return() {
    let b = bench();
    b.level(7);
    b.board.restrict(|_, now| Access { read: Permission::denied("not yet"), ..now.clone() });
    let mut sub = b.subscribe(Subscribe::to([b.level]));
    assert_eq!(
        sub.refused().map(|(path, e)| (path, e.kind())).collect::<Vec<_>>(),
        [(LEVEL, ErrorKind::Denied)]
    );
    assert_eq!(read(&mut sub), []);
    assert_eq!(b.board.subscribe(Subscribe::to([b.level]).strict()).unwrap_err().kind(), ErrorKind::Denied);
    let woken = Arc::new(Count::default());
    let waker = Waker::from(woken.clone());
    assert!(Box::pin(sub.next()).poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    b.board.restrict(|_, now| Access { read: Permission::Yes, ..now.clone() });
    assert!(woken.0.load(Ordering::Relaxed) > 0);
    let events = read(&mut sub);
    assert!(matches!(&events[..], [Event::Access(_), Event::Changed(_)]), "{events:?}");
}

#[derive(Debug)]
struct Cell(CatalogueCell);

impl Gate for Cell {
    fn cell(&self) -> &CatalogueCell {
        &self.0
    }

    fn next_transition(&self) -> Option<(Arc<dyn Clock>, Monotonic)> {
        None
    }

    fn refresh(&self) {}
}

#[test]
fn two_gates_must_both_allow() {
    let b = bench();
    b.level(1);
    let outer = Arc::new(Cell(CatalogueCell::new(b.board.catalogue().as_ref().clone())));
    let mut sub = b.subscribe(Subscribe::to([b.level]).queue(9)).gated(outer.clone());
    assert_eq!(states(&mut sub), [valid(1u8)]);
    let allow =
        |read: Permission| move |_: SignalId, now: &Access| Access { read: read.clone(), ..now.clone() };
    b.board.restrict(allow(Permission::denied("inner")));
    outer.0.replace(|now| now.with_access(allow(Permission::denied("outer"))));
    let events = read(&mut sub);
    assert!(events.iter().all(|e| matches!(e, Event::Access(_))), "{events:?}");
    b.level(2);
    b.board.restrict(allow(Permission::Yes));
    let events = read(&mut sub);
    assert!(matches!(&events[..], [Event::Access(c)] if c[0].1 == Permission::denied("outer")), "{events:?}");
    outer.0.replace(|now| now.with_access(allow(Permission::Yes)));
    let events = read(&mut sub);
    assert!(matches!(&events[..], [Event::Access(_), Event::Changed(p)] if p.len() == 1), "{events:?}");
}

#[test]
fn the_end_comes_last_and_once() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]).at_most_every(ms(100)).queue(9));
    b.level(1);
    b.board.end(&Reason::because(ReasonKind::Ended, "over"));
    let events = read(&mut sub);
    assert!(
        matches!(&events[..], [Event::Changed(_), Event::Ended(why)] if why.text() == Some("over")),
        "{events:?}"
    );
    b.board.restrict(|_, now| Access { read: Permission::denied("late"), ..now.clone() });
    b.level(2);
    assert_eq!(block_on(sub.next()), None, "nothing follows the end, no change of rights either");
    assert_eq!(b.clock.sleepers(), 0);

    b.board.restrict(|_, now| Access { read: Permission::Yes, ..now.clone() });
    let mut late = b.subscribe(Subscribe::to([b.level]));
    let events = read(&mut late);
    assert!(matches!(&events[..], [Event::Changed(_), Event::Ended(_)]), "{events:?}");
}

#[test]
fn the_last_handle_ends_subscriptions_and_refuses_requests() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]));
    let receipt = b.ask(10, Set::default()).unwrap();
    let second = b.board.clone();
    let Bench { clock, board, .. } = b;
    drop(board);
    assert_eq!(read(&mut sub), []);
    drop(second);
    assert!(matches!(&read(&mut sub)[..], [Event::Ended(_)]));
    let outcome = block_on(receipt.outcome());
    assert!(matches!(&outcome, Outcome::Refused(why) if why.kind() == RefusalKind::Link), "{outcome:?}");
    assert_eq!(clock.sleepers(), 0);
}

#[test]
fn confirmed_is_half_a_step_near_and_after_the_request() {
    let b = bench();
    b.report(b.heating, 60i8);
    let receipt = b.ask(60, Set::default()).unwrap();
    assert_eq!(receipt.stage(), Stage::Accepted, "the value of before confirms nothing");
    b.report(b.heating, 62i8);
    assert_eq!(receipt.stage(), Stage::Accepted);
    b.clock.advance(ms(10));
    b.report(b.heating, 61i8);
    assert_eq!(receipt.stage(), Stage::Settled(Outcome::Confirmed(b.clock.now())));
    b.report(b.heating, 0i8);
    assert_eq!(block_on(receipt.outcome()), Outcome::Confirmed(b.clock.now()));
}

#[test]
fn where_only_changes_are_reported_the_present_value_confirms() {
    let b = bench_with(Facts { reports_changes_only: true, ..Facts::default() });
    b.report(b.heating, 60i8);
    assert_eq!(b.ask(60, Set::default()).unwrap().stage(), Stage::Settled(Outcome::Confirmed(b.clock.now())));
    assert_eq!(b.ask(70, Set::default()).unwrap().stage(), Stage::Accepted);
    let blind = bench_with(Facts { receipts: Receipts::Accepted, ..Facts::default() });
    assert_eq!(blind.ask(60, Set::default()).unwrap().stage(), Stage::Settled(Outcome::Accepted));
}

#[test]
fn a_request_without_confirmation_times_out_for_good() {
    let b = bench();
    let receipt = b.ask(10, Set::within(ms(100))).unwrap();
    let mut outcome = Box::pin(receipt.outcome());
    assert!((&mut outcome).now_or_never().is_none());
    assert_eq!(b.clock.sleepers(), 1);
    b.clock.advance(ms(100));
    assert_eq!(outcome.now_or_never(), Some(Outcome::TimedOut));
    b.report(b.heating, 10i8);
    assert_eq!(receipt.stage(), Stage::Settled(Outcome::TimedOut));
    assert!(!receipt.settle(Outcome::Accepted));
    assert_eq!(b.clock.sleepers(), 0);
}

#[test]
fn a_dropped_outcome_can_be_asked_again() {
    let b = bench();
    let receipt = b.ask(10, Set::default()).unwrap();
    assert!(receipt.outcome().now_or_never().is_none());
    assert_eq!(b.clock.sleepers(), 0);
    b.report(b.heating, 10i8);
    assert!(matches!(block_on(receipt.outcome()), Outcome::Confirmed(_)));
}

#[test]
fn a_later_request_supersedes() {
    let b = bench();
    let first = b.ask(10, Set::default()).unwrap();
    let second = b.ask(20, Set::default()).unwrap();
    assert!(
        matches!(first.stage(), Stage::Settled(Outcome::Refused(w)) if w.kind() == RefusalKind::Superseded)
    );
    b.report(b.heating, 20i8);
    assert!(matches!(second.stage(), Stage::Settled(Outcome::Confirmed(_))));
}

#[test]
fn a_failed_send_is_the_answer_and_leaves_the_request_before_it_open() {
    let b = bench();
    let first = b.ask(10, Set::default()).unwrap();
    let key = Key::new("k").unwrap();
    let request = || vec![Request::new(b.heating, 20i8).with(Set::default().keyed(key.clone()))];
    let fail = |_: &Command| Err(Error::new(ErrorKind::Unavailable, "no link"));
    let error = b.board.set(request(), fail).unwrap().remove(0).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Unavailable, Some(HEATING)));
    assert_eq!(first.stage(), Stage::Accepted);
    let mut sent = 0;
    let again = b.board.set(request(), |_| {
        sent += 1;
        Ok(())
    });
    assert!(again.unwrap()[0].is_ok());
    assert_eq!(sent, 1, "the key of a request that failed is free");
}

#[test]
fn a_repeated_key_returns_the_same_receipt_and_sends_nothing() {
    let b = bench();
    let key = Key::new("once").unwrap();
    let request = |value: i8| vec![Request::new(b.heating, value).with(Set::default().keyed(key.clone()))];
    let mut sent = 0;
    let mut send = |_: &Command| {
        sent += 1;
        Ok(())
    };
    let first = b.board.set(request(10), &mut send).unwrap().remove(0).unwrap();
    let second = b.board.set(request(10), &mut send).unwrap().remove(0).unwrap();
    let conflict = b.board.set(request(11), &mut send).unwrap().remove(0).unwrap_err();
    assert_eq!((conflict.kind(), sent), (ErrorKind::Conflict, 1));
    b.report(b.heating, 10i8);
    assert_eq!(first.stage(), second.stage());
    let third = b.ask(10, Set::default().keyed(key.clone())).unwrap();
    assert_eq!(third.stage(), first.stage(), "settled keys are remembered");
}

#[test]
fn keys_are_forgotten_oldest_first() {
    let b = bench();
    let key = |n: usize| Set::default().keyed(Key::new(&n.to_string()).unwrap());
    for n in 0..=1024 {
        b.ask(10, key(n)).unwrap();
    }
    assert_eq!(b.ask(11, key(1)).unwrap_err().kind(), ErrorKind::Conflict);
    assert!(b.ask(11, key(0)).is_ok(), "1024 later keys have pushed it out");
}

#[test]
fn requests_that_make_no_sense_are_errors_and_denied_ones_are_receipts() {
    let b = bench();
    let ask = |signal, value: Value| {
        b.board.set(vec![Request::new(signal, value)], |_| panic!("nothing is sent")).unwrap().remove(0)
    };
    assert_eq!(ask(b.level, Value::Uint(1)).unwrap_err().kind(), ErrorKind::NotActuator);
    assert_eq!(ask(b.heating, Value::Bool(true)).unwrap_err().kind(), ErrorKind::WrongType);
    assert_eq!(ask(b.heating, Value::Double(1.5)).unwrap_err().kind(), ErrorKind::WrongType);
    assert_eq!(ask(b.heating, Value::Int(101)).unwrap_err().kind(), ErrorKind::OutOfRange);
    b.board.restrict(|_, now| Access { write: Permission::denied("not in your plan"), ..now.clone() });
    let receipt = ask(b.heating, Value::Int(1)).unwrap();
    let Stage::Settled(Outcome::Refused(why)) = receipt.stage() else { panic!("{receipt:?}") };
    assert_eq!((why.kind(), why.text()), (RefusalKind::Denied, "not in your plan"));
}

#[test]
fn a_lost_link_makes_signals_not_available_and_refuses_open_requests() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]));
    let receipt = b.ask(10, Set::default()).unwrap();
    b.board.withdraw_all(&Reason::because(ReasonKind::Link, "cable pulled"));
    assert!(matches!(receipt.stage(), Stage::Settled(Outcome::Refused(w)) if w.kind() == RefusalKind::Link));
    assert!(
        matches!(&states(&mut sub)[..], [Ok(State::NotAvailable(why))] if why.text() == Some("cable pulled"))
    );
    b.level(1);
    assert_eq!(states(&mut sub), [valid(1u8)], "a link that returns heals");
}

#[test]
fn settle_says_whether_the_request_was_open() {
    let b = bench();
    let mut command = None;
    let receipt = b.board.set(vec![Request::new(b.heating, 5i8)], |c| {
        command = Some(c.clone());
        Ok(())
    });
    let (receipt, command) = (receipt.unwrap().remove(0).unwrap(), command.unwrap());
    assert_eq!((command.signal, &command.value), (b.heating, &Value::Int(5)));
    assert_eq!(command.deadline, receipt.deadline());
    let busy = Outcome::Refused(crate::Refusal::new(RefusalKind::Busy, "door open"));
    assert!(b.board.settle(&command, busy.clone()));
    assert!(!b.board.settle(&command, Outcome::Accepted));
    assert_eq!(receipt.stage(), Stage::Settled(busy));
}

#[test]
fn growing_keeps_ids_and_tells_holders() {
    let b = bench();
    let before = b.board.catalogue();
    let mut superseded = Box::pin(before.superseded());
    assert!((&mut superseded).now_or_never().is_none());
    b.level(4);
    let extra = || vec![Entry::sensor("Vehicle.Extra", DataType::BOOLEAN)];
    b.board.grow(extra()).unwrap();
    assert!(superseded.now_or_never().is_some());
    let after = b.board.catalogue();
    assert!(after.revision() > before.revision() && after.is_lineage_of(&before));
    assert_eq!(after.id(LEVEL), Some(b.level));
    assert_eq!(b.state(b.level), State::Valid(4u8.into()));
    let new = after.id("Vehicle.Extra").unwrap();
    assert_eq!(before.entry(new).unwrap_err().kind(), ErrorKind::UnknownSignal);
    let mut sub = b.settled(Subscribe::to([new]));
    b.report(new, true);
    assert_eq!(states(&mut sub), [valid(true)]);
    assert!(b.board.grow(extra()).is_err());
    assert_eq!(b.board.catalogue().revision(), after.revision(), "a refused growth changes nothing");
}

#[test]
fn access_may_be_computed_from_the_boards_own_catalogue() {
    let b = bench();
    b.board.restrict(|id, now| {
        assert!(b.board.catalogue().entry(id).is_ok());
        now.clone()
    });
}

#[test]
fn a_dropped_next_loses_nothing() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.level]).queue(9));
    for n in 0..5 {
        assert!(sub.next().now_or_never().is_none(), "polled and dropped");
        b.level(n);
        drop(sub.next());
        assert_eq!(states(&mut sub), [valid(n)]);
    }
}

#[test]
fn subscriptions_leave_no_timer_and_no_place_behind() {
    let b = bench();
    b.speed(1.0);
    for round in 0..100 {
        let mut subs: Vec<_> = [
            Subscribe::to([b.speed]),
            Subscribe::to([b.level]).every(ms(10)),
            Subscribe::to([b.speed]).at_most_every(ms(50)).queue(3),
        ]
        .into_iter()
        .map(|wish| b.subscribe(wish))
        .collect();
        b.speed(2.0);
        for sub in &mut subs {
            read(sub);
        }
        b.speed(3.0);
        for sub in &mut subs {
            read(sub);
        }
        assert!(b.clock.sleepers() <= 3, "at most one timer each");
        drop(subs);
        assert_eq!(b.clock.sleepers(), 0, "round {round}");
    }
    assert_eq!(b.board.inner().deliveries.lock().places(), 3, "places are used again");
}

/// A waker that runs code of its own, as an executor that polls at once does.
struct Run<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Run<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

#[test]
fn a_waker_may_drop_subscriptions_and_publish() {
    let b = bench();
    let victims: Arc<Mutex<Vec<Subscription>>> = Arc::default();
    let (board, level) = (b.board.clone(), b.level);
    let depth = AtomicUsize::new(0);
    let doomed = victims.clone();
    let waker = Waker::from(Arc::new(Run(move || {
        let victim = doomed.lock().unwrap().pop();
        drop(victim);
        if depth.fetch_add(1, Ordering::Relaxed) < 3 {
            board.publish(&[(level, Datapoint::valid(9u8, Timestamp::EPOCH))]).unwrap();
            board.restrict(|_, now| now.clone());
            drop(board.subscribe(Subscribe::to([level])).unwrap());
        }
    })));
    for _ in 0..4 {
        let mut sub = b.settled(Subscribe::to([b.level]).block(4));
        assert!(Box::pin(sub.next()).poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        victims.lock().unwrap().push(sub);
    }
    b.level(1);
    b.board.end(&Reason::new(ReasonKind::Ended));
    assert_eq!(b.state(b.level), State::Valid(9u8.into()));
}

#[test]
fn who_is_woken_by_growth_may_drop_a_subscription() {
    let b = bench();
    let doomed = Arc::new(Mutex::new(Some(b.settled(Subscribe::to([b.level])))));
    let waker = Waker::from(Arc::new(Run(move || {
        let victim = doomed.lock().unwrap().take();
        drop(victim);
    })));
    let catalogue = b.board.catalogue();
    let mut superseded = Box::pin(catalogue.superseded());
    assert!(superseded.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    b.board.grow(vec![Entry::sensor("Vehicle.New", DataType::BOOLEAN)]).unwrap();
    assert_eq!(b.board.readers(), 0);
}

/// Publishing without pause keeps nobody from subscribing, and no reader from reading.
#[test]
fn a_flood_leaves_room_for_others() {
    let b = bench();
    let stop = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0_u8;
            while stop.load(Ordering::Acquire) == 0 {
                n = n.wrapping_add(1);
                b.level(n);
            }
        });
        for round in 0..200 {
            let wish = Subscribe::to([b.level]);
            let wish = if round % 2 == 0 { wish } else { wish.queue(8) };
            let mut sub = b.subscribe(wish);
            for _ in 0..3 {
                assert!(block_on(sub.next()).is_some());
            }
        }
        stop.store(1, Ordering::Release);
    });
    assert_eq!(b.board.readers(), 0);
}

/// Owns a subscription, and so drops it when the last waker goes.
struct Owner(#[expect(dead_code, reason = "it is there to be dropped")] Mutex<Option<Subscription>>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_that_is_dropped_may_drop_a_subscription() {
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.speed]));
    b.speed(1.0);
    read(&mut sub);
    let owned = b.settled(Subscribe::to([b.level]));
    let waker = Waker::from(Arc::new(Owner(Mutex::new(Some(owned)))));
    assert!(Box::pin(sub.next()).poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    // Replaces the waker in the inbox and in the clock: the other subscription goes with it.
    assert!(sub.next().now_or_never().is_none());
    b.level(1);
}

#[test]
fn a_batch_get_never_sees_half_a_publish() {
    let b = bench();
    let pair = [b.level, b.heating];
    let stop = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..20_000u32 {
                let value = i8::try_from(n % 100).unwrap();
                let now = Timestamp::EPOCH;
                let batch = pair.map(|id| (id, Datapoint::valid(value, now)));
                b.board.publish(&batch).unwrap();
            }
            stop.store(1, Ordering::Release);
        });
        while stop.load(Ordering::Acquire) == 0 {
            let points = b.board.get(Get::of(&pair)).unwrap();
            let value = |n: usize| points[n].as_ref().unwrap().value().and_then(Value::as_f64);
            assert_eq!(value(0), value(1));
        }
    });
}

#[test]
fn no_wakeup_is_lost_between_threads() {
    const UPDATES: u32 = 5_000;
    let b = bench();
    let mut sub = b.settled(Subscribe::to([b.speed]).block(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..UPDATES {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let point = Datapoint::valid(n as f32, Timestamp::EPOCH);
                block_on(b.board.feed(&[(b.speed, point)])).unwrap();
            }
        });
        let mut seen = 0;
        while seen < UPDATES {
            let Some(Event::Changed(points)) = block_on(sub.next()) else { panic!("a gap or an end") };
            for (_, point) in points.iter() {
                assert_eq!(
                    point.value().and_then(Value::as_f64),
                    Some(f64::from(seen)),
                    "lossless, in order"
                );
                seen += 1;
            }
        }
    });
}
