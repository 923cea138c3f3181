//! To a server of plain VISS the client keeps the contract as far as VISS can say it, and `facts()` says how far that is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use std::time::Duration;

use coachwork_client::Client;
use coachwork_vehicle::{
    Clock, ErrorKind, Get, Outcome, Permission, ReasonKind, Receipts, RefusalKind, Request, Set, State,
    Subscribe, Value, Vehicle, VehicleExt,
};
use rig::{DOOR, NAME, RANGE, Rig, SEAT, SPEED, float, id};

fn plain() -> (Rig, Client) {
    let rig = Rig::new();
    rig.cable.speak_plain_viss();
    rig.speed(1.0);
    let client = rig.client();
    let sent = rig.cable.received.lock().unwrap().join("\n");
    assert!(!sent.contains("coachwork"), "{sent}");
    (rig, client)
}

#[test]
fn the_catalogue_is_what_its_metadata_says() {
    let (rig, client) = plain();
    let (here, there) = (client.catalogue(), rig.car.catalogue());
    assert_eq!(here.len(), there.len());
    for (_, entry) in there.iter() {
        let mine = here.entry(here.resolve(entry.path().as_str()).unwrap()).unwrap();
        assert_eq!(
            (mine.kind(), mine.data_type(), mine.unit(), mine.min(), mine.max(), mine.allowed()),
            (entry.kind(), entry.data_type(), entry.unit(), entry.min(), entry.max(), entry.allowed())
        );
    }
    assert_eq!(here.facts().receipts, Receipts::Accepted);
    assert!(!here.facts().back_pressure);
}

#[test]
fn a_get_reads_values_and_their_times() {
    let (rig, client) = plain();
    rig.publish(&[(RANGE, Value::Uint(5))]);
    let asked = [SPEED, NAME, RANGE].map(|path| id(&client, path));
    let each = rig.run(client.get(Get::of(&asked))).unwrap();
    assert_eq!(each[0].as_ref().unwrap().state, float(1.0));
    assert_eq!(each[0].as_ref().unwrap().source, rig.clock.now());
    assert!(!each[1].as_ref().unwrap().is_valid());
    assert_eq!(each[2].as_ref().unwrap().state, State::Valid(Value::Uint(5)));
}

#[test]
fn a_set_goes_as_far_as_accepted() {
    let (rig, client) = plain();
    let each = rig.run(client.set(vec![
        Request::new(id(&client, SEAT), 30),
        Request::new(id(&client, DOOR), true),
        Request::new(id(&client, SEAT), 101),
    ]));
    let each = each.unwrap();
    assert_eq!(rig.run(each[0].as_ref().unwrap().outcome()), Outcome::Accepted);
    assert_eq!(rig.run(each[1].as_ref().unwrap().outcome()), Outcome::Accepted);
    assert_eq!(each[2].as_ref().unwrap_err().kind(), ErrorKind::OutOfRange);
    assert_eq!(rig.run(client.read_path(SEAT)).unwrap().state, State::Valid(Value::Int(30)));
    rig.car.board().restrict(|_, access| {
        let mut access = access.clone();
        access.write = Permission::denied("not now");
        access
    });
    let denied = rig.run(client.write_path(SEAT, 31, Set::default())).unwrap();
    let Outcome::Refused(why) = rig.run(denied.outcome()) else { panic!("{denied:?}") };
    assert_eq!(why.kind(), RefusalKind::Denied);
}

#[test]
fn subscriptions_are_filtered_here() {
    let (rig, client) = plain();
    let speed = id(&client, SPEED);
    let mut updates = rig.run(client.subscribe(Subscribe::to([speed]).queue(16))).unwrap();
    let mut changes = rig.run(client.subscribe(Subscribe::to([speed]).deadband(1.0).queue(16))).unwrap();
    let every = Subscribe::to([speed]).every(Duration::from_secs(1)).queue(16);
    let mut every = rig.run(client.subscribe(every)).unwrap();
    for value in [1.5, 2.5, 3.0, 3.6] {
        rig.speed(value);
        rig.settle();
    }
    assert_eq!(rig.states(&mut changes), [1.0, 2.5, 3.6].map(float));
    assert_eq!(rig.states(&mut updates).last(), Some(&float(3.6)));
    rig.states(&mut every);
    for _ in 0..2 {
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.states(&mut every), [float(3.6)]);
    }
    // One subscription at the server serves all of them, and goes with the last.
    assert_eq!(rig.gateway.counters().subscriptions, 1);
    drop((updates, changes));
    rig.settle();
    assert_eq!(rig.gateway.counters().subscriptions, 1);
    drop(every);
    rig.settle();
    assert_eq!(rig.gateway.counters().subscriptions, 0);
}

#[test]
fn the_link_comes_back_here_too() {
    let (rig, client) = plain();
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]).queue(16))).unwrap();
    assert_eq!(rig.states(&mut watch), [float(1.0)]);
    rig.cable.cut();
    rig.settle();
    rig.speed(2.0);
    rig.pass(Duration::from_secs(60));
    let states = rig.states(&mut watch);
    assert!(
        matches!(&states[0], State::NotAvailable(reason) if reason.kind() == ReasonKind::Link),
        "{states:?}"
    );
    assert_eq!(states.last(), Some(&float(2.0)));
    assert!(client.link().is_up());
}
