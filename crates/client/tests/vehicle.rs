//! A client is the vehicle behind its gateway: what is read, asked and told there is read, asked and told here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coachwork_vehicle::{
    Board, Catalogue, Clock, Datapoint, Each, Error, ErrorKind, Event, Everybody, Facts, Filter, Get, Key,
    ManualClock, MemoryVehicle, Outcome, Permission, Reason, ReasonKind, Receipt, RefusalKind, Request, Set,
    State, Subscribe, Subscription, Timestamp, Value, Vehicle, VehicleExt,
};
use rig::{DOOR, NAME, RANGE, Rig, SEAT, SPEED, TRIPS, entries, float, id};

#[test]
fn the_catalogue_is_that_of_the_vehicle() {
    let facts = {
        let mut facts = Facts::default();
        facts.reports_changes_only = true;
        facts
    };
    let rig = Rig::with(|_| {}, facts);
    let client = rig.client();
    let (here, there) = (client.catalogue(), rig.car.catalogue());
    assert_eq!(here.len(), there.len());
    for (id, entry) in there.iter() {
        let mine = here.resolve(entry.path().as_str()).unwrap();
        assert_eq!(here.entry(mine).unwrap(), entry);
        assert_eq!(here.access(mine).unwrap(), there.access(id).unwrap());
    }
    assert_eq!(here.facts(), there.facts());
}

#[test]
fn a_get_gives_states_and_times_in_order() {
    let rig = Rig::new();
    let client = rig.client();
    let seen = Timestamp::from_seconds(1_699_999_999);
    let malformed = Reason::because(ReasonKind::Malformed, "checksum");
    rig.car
        .publish(&[
            (SPEED, Datapoint::valid(0.1_f32, seen)),
            (RANGE, Datapoint::valid(412_000_u32, seen)),
            (DOOR, Datapoint::not_available(Reason::new(ReasonKind::Source), seen)),
            (NAME, Datapoint::new(State::Error(malformed.clone()), seen)),
            (TRIPS, Datapoint::valid(Value::Array([Value::Uint(u64::MAX), Value::Uint(1)].into()), seen)),
        ])
        .unwrap();
    rig.pass(Duration::from_secs(2));
    let ids = [TRIPS, SEAT, NAME, DOOR, RANGE, SPEED].map(|path| id(&client, path));
    let stranger = id(&rig.car, SPEED);
    let asked: Vec<_> = ids.into_iter().chain([stranger]).collect();
    let each = rig.run({
        let client = client.clone();
        async move { client.get(Get::of(&asked)).await.unwrap() }
    });
    let points: Vec<_> = each.iter().take(6).map(|point| point.as_ref().unwrap()).collect();
    let states: Vec<_> = points.iter().map(|point| point.state.clone()).collect();
    assert_eq!(
        states,
        [
            State::Valid(Value::Array([Value::Uint(u64::MAX), Value::Uint(1)].into())),
            State::NeverSet,
            State::Error(malformed),
            State::NotAvailable(Reason::new(ReasonKind::Source)),
            State::Stale(Value::Uint(412_000)),
            float(0.1),
        ]
    );
    assert_eq!(points[5].source, seen);
    assert_eq!(points[5].received, rig.clock.now());
    assert_eq!(each[6].as_ref().unwrap_err().kind(), ErrorKind::WrongCatalogue);
}

#[test]
fn numbers_arrive_to_the_bit() {
    let rig = Rig::new();
    let client = rig.client();
    for speed in [f32::MIN_POSITIVE, f32::MAX, -0.0, 1.0 / 3.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        rig.speed(speed);
        let client = client.clone();
        let point = rig.run(async move { client.read_path(SPEED).await.unwrap() });
        let Some(Value::Float(read)) = point.value() else { panic!("{point:?}") };
        assert!(read.to_bits() == speed.to_bits() || (read.is_nan() && speed.is_nan()), "{read} {speed}");
    }
}

fn set(
    rig: &Rig,
    client: &impl Vehicle,
    path: &str,
    value: impl Into<Value>,
    how: Set,
) -> Result<Receipt, Error> {
    let request = Request::new(id(client, path), value).with(how);
    let mut each = rig.run(client.set(vec![request]))?;
    each.pop().unwrap()
}

#[test]
fn a_set_is_confirmed_by_what_the_car_then_says() {
    let rig = Rig::new();
    let client = rig.client();
    let receipt = set(&rig, &client, SEAT, 60, Set::default()).unwrap();
    let outcome = rig.run(receipt.outcome());
    assert_eq!(outcome, Outcome::Confirmed(rig.clock.now()));
    let point = rig.run(client.read_path(SEAT)).unwrap();
    assert_eq!(point.state, State::Valid(Value::Int(60)));
}

#[test]
fn a_request_that_makes_no_sense_is_an_error() {
    let rig = Rig::new();
    let client = rig.client();
    for (path, value, kind) in [
        (SEAT, Value::Int(101), ErrorKind::OutOfRange),
        (SEAT, Value::Text("warm".into()), ErrorKind::WrongType),
        (SPEED, Value::Int(1), ErrorKind::NotActuator),
        (NAME, Value::Text("Theirs".into()), ErrorKind::NotActuator),
    ] {
        let error = set(&rig, &client, path, value, Set::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.path(), Some(path));
    }
    let foreign = Request::new(id(&rig.car, SEAT), 1);
    let each = rig.run(client.set(vec![foreign])).unwrap();
    assert_eq!(each[0].as_ref().unwrap_err().kind(), ErrorKind::WrongCatalogue);
}

#[test]
fn what_somebody_decides_is_a_receipt() {
    let rig = Rig::new();
    rig.car.board().restrict(|signal, access| {
        let mut access = access.clone();
        if rig.car.catalogue().path(signal).unwrap().as_str() == SEAT {
            access.write = Permission::denied("seat heating is not in your plan");
        }
        access
    });
    let client = rig.client();
    let receipt = set(&rig, &client, SEAT, 60, Set::default()).unwrap();
    let Outcome::Refused(why) = rig.run(receipt.outcome()) else { panic!("{receipt:?}") };
    assert_eq!((why.kind(), why.text()), (RefusalKind::Denied, "seat heating is not in your plan"));
}

/// A vehicle whose actuators never move by themselves, and that counts what reaches them.
#[derive(Clone, Debug)]
struct Slow {
    board: Board,
    sent: Arc<std::sync::atomic::AtomicUsize>,
}

impl Slow {
    fn rig() -> (Self, Rig) {
        let clock = ManualClock::new(Timestamp::from_seconds(1_700_000_000));
        let catalogue = Catalogue::new(entries(), Facts::default()).unwrap();
        let car = MemoryVehicle::new(catalogue, Arc::new(clock.clone()));
        let slow = Self { board: car.board().clone(), sent: Arc::default() };
        let rig = Rig::admitting(Arc::new(Everybody::sees(slow.clone())), car, clock, |_| {});
        (slow, rig)
    }

    fn sent(&self) -> usize {
        self.sent.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("slow")
    }
}

#[async_trait]
impl Vehicle for Slow {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.board.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        self.board.get(get)
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        self.board.set(requests, |_| {
            self.sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        })
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.board.subscribe(subscribe)
    }
}

#[test]
fn a_set_that_nothing_follows_times_out_at_its_deadline() {
    let (_slow, rig) = Slow::rig();
    let client = rig.client();
    let receipt = set(&rig, &client, SEAT, 60, Set::within(Duration::from_secs(5))).unwrap();
    rig.pass(Duration::from_millis(4_999));
    assert_eq!(receipt.stage(), coachwork_vehicle::Stage::Accepted);
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.run(receipt.outcome()), Outcome::TimedOut);
}

#[test]
fn a_later_request_supersedes_and_a_late_observation_confirms() {
    let (slow, rig) = Slow::rig();
    let (one, two) = (rig.client(), rig.client());
    let first = set(&rig, &one, SEAT, 60, Set::default()).unwrap();
    let second = set(&rig, &two, SEAT, 20, Set::default()).unwrap();
    rig.settle();
    let Outcome::Refused(why) = rig.run(first.outcome()) else { panic!("{first:?}") };
    assert_eq!(why.kind(), RefusalKind::Superseded);
    rig.pass(Duration::from_secs(1));
    rig.publish(&[(SEAT, Value::Int(20))]);
    assert_eq!(rig.run(second.outcome()), Outcome::Confirmed(rig.clock.now()));
    assert_eq!(slow.sent(), 2);
}

#[test]
fn a_key_asked_again_sends_nothing_and_keys_of_different_peers_do_not_meet() {
    let (slow, rig) = Slow::rig();
    let one = rig.client_with(|options| options.seed = 1);
    let key = || Set::default().keyed(Key::new("once").unwrap());
    let first = set(&rig, &one, SEAT, 60, key()).unwrap();
    let again = set(&rig, &one, SEAT, 60, key()).unwrap();
    assert_eq!(slow.sent(), 1);
    let conflict = set(&rig, &one, SEAT, 61, key()).unwrap_err();
    assert_eq!(conflict.kind(), ErrorKind::Conflict);
    let two = rig.client_with(|options| options.seed = 2);
    let other = set(&rig, &two, DOOR, true, key()).unwrap();
    assert_eq!(slow.sent(), 2);
    rig.publish(&[(SEAT, Value::Int(60)), (DOOR, Value::Bool(true))]);
    for receipt in [first, again, other] {
        assert!(matches!(rig.run(receipt.outcome()), Outcome::Confirmed(_)), "{receipt:?}");
    }
}

fn watch(rig: &Rig, client: &impl Vehicle, wish: Subscribe) -> Subscription {
    let subscription = rig.run(client.subscribe(wish)).unwrap();
    rig.settle();
    subscription
}

#[test]
fn the_present_value_comes_first_then_every_update() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(1.0);
    let mut watch = watch(&rig, &client, Subscribe::to([id(&client, SPEED)]).queue(16));
    for speed in [2.0, 2.0, 3.0] {
        rig.speed(speed);
    }
    assert_eq!(rig.states(&mut watch), [1.0, 2.0, 2.0, 3.0].map(float));
    assert_eq!(watch.granted(), [id(&client, SPEED)]);
}

#[test]
fn on_change_with_a_deadband() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(1.0);
    let mut watch = watch(&rig, &client, Subscribe::to([id(&client, SPEED)]).deadband(0.5).queue(16));
    for speed in [1.5, 1.6, 1.7, f32::NAN, f32::NAN, 5.0] {
        rig.speed(speed);
    }
    let states = rig.states(&mut watch);
    assert_eq!(states.len(), 4, "{states:?}");
    assert_eq!([&states[0], &states[1], &states[3]], [&float(1.0), &float(1.6), &float(5.0)]);
    assert!(states[2].same(&float(f32::NAN)));
}

#[test]
fn at_most_every_with_a_trailing_edge() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(0.0);
    let wish = Subscribe::to([id(&client, SPEED)]).at_most_every(Duration::from_millis(100)).queue(16);
    let mut watch = watch(&rig, &client, wish);
    assert_eq!(rig.states(&mut watch), [float(0.0)]);
    for speed in [1.0, 2.0, 3.0] {
        rig.speed(speed);
        rig.pass(Duration::from_millis(10));
    }
    assert_eq!(rig.states(&mut watch), []);
    rig.pass(Duration::from_millis(69));
    assert_eq!(rig.states(&mut watch), []);
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.states(&mut watch), [float(3.0)]);
}

#[test]
fn every_period_without_burst() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(0.0);
    let wish = Subscribe::to([id(&client, SPEED)]).every(Duration::from_millis(100)).queue(16);
    let mut watch = watch(&rig, &client, wish);
    assert_eq!(rig.states(&mut watch), [float(0.0)]);
    rig.speed(7.0);
    rig.pass(Duration::from_millis(99));
    assert_eq!(rig.states(&mut watch), []);
    rig.pass(Duration::from_millis(201));
    assert_eq!(rig.states(&mut watch), [float(7.0), float(7.0), float(7.0)]);
}

#[test]
fn a_range_lets_numbers_within_it_pass() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(0.0);
    let mut watch = watch(&rig, &client, Subscribe::to([id(&client, SPEED)]).within(10.0, 20.0).queue(16));
    for speed in [9.9, 10.0, 20.0, 20.1] {
        rig.speed(speed);
    }
    assert_eq!(rig.states(&mut watch), [0.0, 10.0, 20.0].map(float));
}

#[test]
fn each_signal_has_its_own_filter() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(0.0);
    rig.publish(&[(RANGE, Value::Uint(5))]);
    let mut change = Filter::new();
    change.change = Some(0.0);
    let wish =
        Subscribe::to([]).and(id(&client, SPEED), change).and(id(&client, RANGE), Filter::new()).queue(16);
    let mut watch = watch(&rig, &client, wish);
    assert_eq!(rig.states(&mut watch).len(), 2);
    rig.speed(0.0);
    rig.publish(&[(RANGE, Value::Uint(5))]);
    assert_eq!(rig.states(&mut watch), [State::Valid(Value::Uint(5))]);
}

#[test]
fn a_value_goes_stale_and_returns() {
    let rig = Rig::new();
    let client = rig.client();
    rig.publish(&[(RANGE, Value::Uint(5))]);
    let mut watch = watch(&rig, &client, Subscribe::to([id(&client, RANGE)]).on_change());
    assert_eq!(rig.states(&mut watch), [State::Valid(Value::Uint(5))]);
    rig.pass(Duration::from_millis(1_999));
    assert_eq!(rig.states(&mut watch), []);
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.states(&mut watch), [State::Stale(Value::Uint(5))]);
    rig.publish(&[(RANGE, Value::Uint(5))]);
    assert_eq!(rig.states(&mut watch), [State::Valid(Value::Uint(5))]);
}

#[test]
fn the_latest_states_overwrite_and_a_queue_counts_what_it_lost() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(0.0);
    let mut latest = watch(&rig, &client, Subscribe::to([id(&client, SPEED)]));
    let mut queue = watch(&rig, &client, Subscribe::to([id(&client, SPEED)]).queue(2));
    for speed in 1..=10_u8 {
        rig.speed(speed.into());
        rig.settle();
    }
    assert_eq!(rig.states(&mut latest).last(), Some(&float(10.0)));
    let events = rig.events(&mut queue);
    let lost: u64 =
        events.iter().map(|event| if let Event::Lagged(count) = event { *count } else { 0 }).sum();
    let got: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::Changed(points) = event { Some(points) } else { None })
        .flat_map(|points| points.iter().map(|(_, point)| point.state.clone()).collect::<Vec<_>>())
        .collect();
    assert_eq!(lost, 8, "{events:?}");
    assert_eq!(got, [0.0, 9.0, 10.0].map(float));
}

#[test]
fn a_partial_report_and_a_strict_refusal() {
    let rig = Rig::new();
    rig.car.board().restrict(|signal, access| {
        let mut access = access.clone();
        if rig.car.catalogue().path(signal).unwrap().as_str() == DOOR {
            access.read = Permission::denied("doors are private");
        }
        access
    });
    let client = rig.client();
    let stranger = id(&rig.car, SPEED);
    let wish = || Subscribe::to([id(&client, SPEED), id(&client, DOOR), stranger]).on_change();
    let mut partial = watch(&rig, &client, wish());
    let refused: Vec<_> = partial.refused().map(|(path, error)| (path.to_owned(), error.kind())).collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused.contains(&(DOOR.to_owned(), ErrorKind::Denied)));
    assert!(refused.iter().any(|(_, kind)| *kind == ErrorKind::WrongCatalogue));
    assert_eq!(partial.granted().len(), 2);
    assert_eq!(rig.states(&mut partial), [State::NeverSet]);
    let error = rig.run(client.subscribe(wish().strict())).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Denied | ErrorKind::WrongCatalogue), "{error}");
    let denied = rig.run(client.get(Get::of(&[id(&client, DOOR)]))).unwrap();
    assert_eq!(denied[0].as_ref().unwrap_err().kind(), ErrorKind::Denied);
    let block = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]).block(4))).unwrap_err();
    assert_eq!(block.kind(), ErrorKind::Unsupported);
    let malformed = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]).queue(0))).unwrap_err();
    assert_eq!(malformed.kind(), ErrorKind::Invalid);
}

#[test]
fn a_right_that_goes_and_comes_back_is_told_with_the_present_value() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(1.0);
    let signal = id(&client, SPEED);
    let mut watch = watch(&rig, &client, Subscribe::to([signal]).queue(16));
    assert_eq!(rig.states(&mut watch), [float(1.0)]);
    let before = client.catalogue();
    let permit = |read: &Permission| {
        rig.car.board().restrict(|signal, access| {
            let mut access = access.clone();
            if rig.car.catalogue().path(signal).unwrap().as_str() == SPEED {
                access.read = read.clone();
            }
            access
        });
        rig.settle();
    };
    let denied = Permission::denied("the owner said no");
    permit(&denied);
    rig.speed(2.0);
    assert_eq!(rig.events(&mut watch), [Event::Access(vec![(signal, denied.clone())])]);
    rig.run(before.superseded());
    assert_eq!(client.catalogue().access(signal).unwrap().read, denied);
    permit(&Permission::Yes);
    let events = rig.events(&mut watch);
    assert_eq!(events[0], Event::Access(vec![(signal, Permission::Yes)]));
    let Event::Changed(points) = &events[1] else { panic!("{events:?}") };
    assert_eq!(points.iter().next().unwrap().1.state, float(2.0));
    assert_eq!(client.catalogue().access(signal).unwrap().read, Permission::Yes);
}

#[test]
fn the_end_arrives_with_its_reason() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(1.0);
    let mut watch = watch(&rig, &client, Subscribe::to([id(&client, SPEED)]));
    let reason = Reason::because(ReasonKind::Ended, "the log is at its end");
    rig.car.board().end(&reason);
    let events = rig.events(&mut watch);
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[1], Event::Ended(reason));
}

#[test]
fn many_clients_see_the_same() {
    let rig = Rig::new();
    rig.speed(1.0);
    let clients: Vec<_> = (0..32).map(|_| rig.client()).collect();
    let mut watches: Vec<_> = clients
        .iter()
        .map(|client| watch(&rig, client, Subscribe::to([id(client, SPEED)]).queue(8)))
        .collect();
    for speed in 2..6_u8 {
        rig.speed(speed.into());
    }
    for watch in &mut watches {
        assert_eq!(rig.states(watch), [1.0, 2.0, 3.0, 4.0, 5.0].map(float));
    }
    assert_eq!(rig.gateway.counters().connections, 32);
    drop((watches, clients));
    rig.settle();
    assert_eq!(rig.gateway.counters().connections, 0);
}

#[test]
fn what_is_dropped_leaves_nothing_behind() {
    let rig = Rig::new();
    let client = rig.client();
    let signal = id(&client, SPEED);
    let subscriptions = || rig.gateway.counters().subscriptions;
    // Dropped at every point of its way.
    for rounds in 0..4 {
        let call = client.subscribe(Subscribe::to([signal]));
        {
            let mut call = std::pin::pin!(call);
            for _ in 0..rounds {
                if futures::FutureExt::now_or_never(call.as_mut()).is_some() {
                    break;
                }
                if rounds > 1 {
                    rig.settle();
                }
            }
        }
        rig.settle();
        assert_eq!(subscriptions(), 0, "after {rounds} polls");
    }
    for _ in 0..1000 {
        let asked = [signal];
        let mut get = std::pin::pin!(client.get(Get::of(&asked)));
        assert!(futures::FutureExt::now_or_never(get.as_mut()).is_none());
    }
    rig.settle();
    let watch = watch(&rig, &client, Subscribe::to([signal]));
    assert_eq!(subscriptions(), 1);
    drop(watch);
    rig.settle();
    assert_eq!(subscriptions(), 0);
    assert_eq!(rig.run(client.read_path(SPEED)).unwrap().state, State::NeverSet);
}
