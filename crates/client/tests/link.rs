//! The link goes and comes back: apps are told, nothing hangs, and everything stands again by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use std::sync::atomic::Ordering;
use std::time::Duration;

use coachwork_client::Link;
use coachwork_vehicle::{
    ErrorKind, Event, Get, Key, Outcome, Permission, Reason, ReasonKind, RefusalKind, Request, Set, State,
    Subscribe, Value, Vehicle, VehicleExt,
};
use futures::FutureExt;
use proptest::prelude::*;
use rig::{DOOR, RANGE, Rig, SEAT, SPEED, float, id};

fn is_link_lost(state: &State) -> bool {
    matches!(state, State::NotAvailable(reason) if reason.kind() == ReasonKind::Link)
}

#[test]
fn a_cut_shows_and_the_present_values_follow() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(1.0);
    let (speed, seat) = (id(&client, SPEED), id(&client, SEAT));
    let mut watch = rig.run(client.subscribe(Subscribe::to([speed]).queue(16))).unwrap();
    assert_eq!(rig.states(&mut watch), [float(1.0)]);
    assert_eq!(client.link(), Link::Up);
    rig.cable.unplug(true);
    rig.cable.cut();
    rig.settle();
    assert!(matches!(client.link(), Link::Down { .. }), "{:?}", client.link());
    let states = rig.states(&mut watch);
    assert!(states.len() == 1 && is_link_lost(&states[0]), "{states:?}");
    // What is asked now is answered now.
    let point = rig.run(client.read_path(SPEED)).unwrap();
    assert!(is_link_lost(&point.state), "{point:?}");
    let each = rig.run(client.set(vec![Request::new(seat, 10)])).unwrap();
    assert_eq!(each[0].as_ref().unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(each[0].as_ref().unwrap_err().is_temporary());
    let mut later = rig.run(client.subscribe(Subscribe::to([speed]))).unwrap();
    assert!(is_link_lost(&rig.states(&mut later)[0]));
    rig.speed(2.0);
    rig.speed(3.0);
    rig.cable.unplug(false);
    rig.pass(Duration::from_secs(60));
    assert_eq!(client.link(), Link::Up);
    assert_eq!(rig.states(&mut watch), [float(3.0)]);
    assert_eq!(rig.states(&mut later), [float(3.0)]);
    rig.speed(4.0);
    assert_eq!(rig.states(&mut watch), [float(4.0)]);
    assert_eq!(rig.gateway.counters().subscriptions, 2);
}

#[test]
fn an_app_can_wait_for_the_link() {
    let rig = Rig::new();
    let client = rig.client();
    let mut lost = Box::pin(client.link_other_than(Link::Up));
    assert!((&mut lost).now_or_never().is_none());
    rig.cable.cut();
    rig.settle();
    let down = rig.run(lost);
    assert!(matches!(down, Link::Down { .. }), "{down}");
    let mut back = Box::pin(client.link_other_than(down));
    rig.pass(Duration::from_secs(1));
    assert_eq!((&mut back).now_or_never(), Some(Link::Up));
}

#[test]
fn attempts_become_rare_and_never_stop() {
    let rig = Rig::new();
    let client = rig.client_with(|options| options.seed = 42);
    rig.cable.unplug(true);
    rig.cable.cut();
    let attempts = || rig.cable.attempts.load(Ordering::Relaxed);
    rig.pass(Duration::from_secs(600));
    let first = attempts();
    assert!((20..200).contains(&first), "{first}");
    rig.pass(Duration::from_secs(600));
    // On average one in 15 seconds.
    assert!((20..100).contains(&(attempts() - first)), "{}", attempts() - first);
    rig.cable.unplug(false);
    rig.pass(Duration::from_secs(30));
    assert!(client.link().is_up());
}

#[test]
fn a_gateway_that_says_nothing_any_more_is_noticed() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(1.0);
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]))).unwrap();
    assert_eq!(rig.states(&mut watch), [float(1.0)]);
    rig.cable.unplug(true);
    rig.cable.silence();
    rig.pass(Duration::from_secs(24));
    assert_eq!(client.link(), Link::Up);
    rig.pass(Duration::from_secs(2));
    assert!(!client.link().is_up());
    assert!(is_link_lost(&rig.states(&mut watch)[0]));
}

#[test]
fn a_quiet_link_is_kept() {
    let rig = Rig::new();
    let client = rig.client();
    rig.pass(Duration::from_secs(3600));
    assert!(client.link().is_up());
    assert_eq!(rig.cable.attempts.load(Ordering::Relaxed), 1);
}

#[test]
fn no_request_waits_past_its_deadline() {
    let rig = Rig::new();
    let client = rig.client_with(|options| options.request_time = Duration::from_secs(2));
    let (speed, seat) = (id(&client, SPEED), id(&client, SEAT));
    rig.cable.silence();
    let asked = [speed];
    let mut get = Box::pin(client.get(Get::of(&asked)));
    let mut set = Box::pin(client.set(vec![Request::new(seat, 1).with(Set::within(Duration::from_secs(1)))]));
    let mut subscribe = Box::pin(client.subscribe(Subscribe::to([speed])));
    assert!((&mut get).now_or_never().is_none());
    assert!((&mut set).now_or_never().is_none());
    assert!((&mut subscribe).now_or_never().is_none());
    rig.pass(Duration::from_millis(1_999));
    assert!((&mut get).now_or_never().is_none());
    rig.pass(Duration::from_millis(1));
    let error = (&mut get).now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    // Whether it was sent is not known; its receipt is timed out.
    let receipt = (&mut set).now_or_never().unwrap().unwrap().pop().unwrap().unwrap();
    assert_eq!(receipt.outcome().now_or_never(), Some(Outcome::TimedOut));
    let error = (&mut subscribe).now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[test]
fn a_request_under_way_is_asked_again_on_the_next_link() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(7.0);
    let (speed, seat) = (id(&client, SPEED), id(&client, SEAT));
    rig.cable.silence();
    let asked = [speed];
    let mut get = Box::pin(client.get(Get::of(&asked)));
    let keyed = Set::default().keyed(Key::new("warm").unwrap());
    let mut safe = Box::pin(client.set(vec![Request::new(seat, 10).with(keyed)]));
    let mut unsafe_ = Box::pin(client.set(vec![Request::new(id(&client, DOOR), true)]));
    assert!((&mut get).now_or_never().is_none());
    assert!((&mut safe).now_or_never().is_none());
    assert!((&mut unsafe_).now_or_never().is_none());
    rig.settle();
    rig.cable.cut();
    rig.pass(Duration::from_secs(1));
    let point = rig.run(&mut get).unwrap().pop().unwrap().unwrap();
    assert_eq!(point.state, float(7.0));
    let receipt = rig.run(&mut safe).unwrap().pop().unwrap().unwrap();
    rig.settle();
    assert!(matches!(receipt.outcome().now_or_never(), Some(Outcome::Confirmed(_))), "{receipt:?}");
    // Nobody knows whether the other one was heard, so it is not said twice.
    let lost = rig.run(&mut unsafe_).unwrap().pop().unwrap();
    match lost {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        Ok(receipt) => match receipt.outcome().now_or_never() {
            Some(Outcome::Refused(why)) => assert_eq!(why.kind(), RefusalKind::Link),
            other => panic!("{other:?}"),
        },
    }
}

#[test]
fn the_gateway_goes_away_in_good_order_and_another_takes_over() {
    let rig = Rig::new();
    let client = rig.client();
    rig.speed(1.0);
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]).queue(8))).unwrap();
    assert_eq!(rig.states(&mut watch), [float(1.0)]);
    let gateway = rig.gateway.clone();
    rig.run(gateway.shutdown(Duration::from_secs(5)));
    rig.settle();
    let Link::Down { reason, .. } = client.link() else { panic!("{}", client.link()) };
    assert!(reason.to_string().contains("shut"), "{reason}");
    assert_eq!(rig.gateway.counters().connections, 0);
    rig.speed(2.0);
    rig.replace_gateway();
    rig.pass(Duration::from_secs(60));
    assert!(client.link().is_up());
    let states = rig.states(&mut watch);
    assert!(is_link_lost(&states[0]), "{states:?}");
    assert_eq!(states[1..], [float(2.0)]);
}

#[test]
fn what_changed_meanwhile_is_in_the_catalogue_afterwards() {
    let rig = Rig::new();
    let client = rig.client();
    let before = client.catalogue();
    let (speed, door) = (id(&client, SPEED), id(&client, DOOR));
    let mut watch = rig.run(client.subscribe(Subscribe::to([speed, door]).queue(8))).unwrap();
    rig.states(&mut watch);
    rig.cable.cut();
    rig.car
        .board()
        .grow(vec![coachwork_vehicle::Entry::sensor("Vehicle.New", coachwork_vehicle::DataType::INT8)])
        .unwrap();
    let denied = Permission::denied("doors are private");
    rig.car.board().restrict(|signal, access| {
        let mut access = access.clone();
        if rig.car.catalogue().path(signal).unwrap().as_str() == DOOR {
            access.read = denied.clone();
        }
        access
    });
    rig.pass(Duration::from_secs(60));
    rig.run(before.superseded());
    let after = client.catalogue();
    assert!(after.is_lineage_of(&before));
    assert!(after.id("Vehicle.New").is_some());
    assert_eq!(after.access(door).unwrap().read, denied);
    let events = rig.events(&mut watch);
    assert!(events.contains(&Event::Access(vec![(door, denied)])), "{events:?}");
    rig.publish(&[("Vehicle.New", Value::Int(3))]);
    assert_eq!(rig.run(client.read_path("Vehicle.New")).unwrap().state, State::Valid(Value::Int(3)));
}

#[test]
fn when_the_last_handle_goes_everything_ends() {
    let rig = Rig::new();
    let client = rig.client();
    let other = client.clone();
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]))).unwrap();
    drop(client);
    rig.settle();
    rig.speed(1.0);
    assert!(rig.states(&mut watch).contains(&float(1.0)));
    drop(other);
    rig.settle();
    let events = rig.events(&mut watch);
    assert!(
        matches!(events.last(), Some(Event::Ended(reason)) if reason.kind() == ReasonKind::Ended),
        "{events:?}"
    );
    assert_eq!(rig.gateway.counters().connections, 0);
}

#[test]
fn when_the_driver_goes_the_signals_are_not_available() {
    let rig = Rig::new();
    let options = coachwork_client::Options::default();
    let (client, driver) =
        rig.run(coachwork_client::Client::connect(rig.cable.clone(), rig.clock(), options)).unwrap();
    drop(driver);
    let point = rig.run(client.read_path(SPEED)).unwrap();
    assert!(matches!(point.state, State::NotAvailable(_)), "{point:?}");
    assert!(matches!(client.link(), Link::Ended(_)));
    let each = rig.run(client.set(vec![Request::new(id(&client, SEAT), 10)])).unwrap();
    assert_eq!(each[0].as_ref().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[derive(Clone, Debug)]
enum Step {
    Publish(u8),
    Cut,
    Silence,
    Unplug(bool),
    Pass(u16),
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u8>().prop_map(Step::Publish),
        1 => Just(Step::Cut),
        1 => Just(Step::Silence),
        1 => any::<bool>().prop_map(Step::Unplug),
        4 => (0..20_000_u16).prop_map(Step::Pass),
        3 => Just(Step::Read),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever happens to the link, subscriptions converge to the present value once it stands again.
    #[test]
    fn subscriptions_converge(steps in proptest::collection::vec(step(), 0..40), bound in 1..4_usize, seed: u64) {
        let rig = Rig::new();
        let client = rig.client_with(|options| options.seed = seed);
        let (speed, range) = (id(&client, SPEED), id(&client, RANGE));
        let mut latest = rig.run(client.subscribe(Subscribe::to([speed, range]).on_change())).unwrap();
        let mut queue = rig.run(client.subscribe(Subscribe::to([speed]).queue(bound))).unwrap();
        let mut last = State::NeverSet;
        let mut seen = [State::NeverSet, State::NeverSet];
        let mut read = |rig: &Rig, seen: &mut [State; 2]| {
            for (watch, seen) in [&mut latest, &mut queue].into_iter().zip(seen) {
                for event in rig.events(watch) {
                    if let Event::Changed(points) = event {
                        for (_, point) in points.iter().filter(|(signal, _)| *signal == speed) {
                            *seen = point.state.clone();
                        }
                    }
                }
            }
        };
        for step in steps {
            match step {
                Step::Publish(value) => {
                    rig.speed(value.into());
                    last = float(value.into());
                }
                Step::Cut => rig.cable.cut(),
                Step::Silence => rig.cable.silence(),
                Step::Unplug(out) => rig.cable.unplug(out),
                Step::Pass(milliseconds) => rig.pass(Duration::from_millis(milliseconds.into())),
                Step::Read => read(&rig, &mut seen),
            }
        }
        rig.cable.unplug(false);
        rig.cable.cut();
        rig.pass(Duration::from_secs(31));
        prop_assert!(client.link().is_up());
        read(&rig, &mut seen);
        prop_assert_eq!(&seen[0], &last);
        prop_assert_eq!(&seen[1], &last);
    }
}

#[test]
fn reasons_have_words() {
    let reason = Reason::because(ReasonKind::Link, "the cable was cut");
    assert_eq!(Link::Ended(reason).to_string(), "ended: the cable was cut");
    assert_eq!(Link::Up.to_string(), "up");
}
