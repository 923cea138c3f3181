//! What must not be lost: notes and requests wait while the link is down, and arrive once each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coachwork_client::Outbox;
use coachwork_client::queue::{Memory, NewItem, Origin, Priority, Queue, QueueOptions};
use coachwork_gateway::{Gateway, Inbox, KeySync, RequestKeys};
use coachwork_transport::{Lane, Limits, Moment, Note, memory};
use coachwork_vehicle::{
    Clock as _, Error, ErrorKind, Everybody, Facts, ManualClock, Outcome, Request, Set, Stage, State, Value,
    VehicleExt,
};
use futures::FutureExt;
use rig::{Rig, SEAT, SPEED, id};

fn outbox(rig: &Rig, disk: &Memory) -> Outbox {
    let now = Moment::of(&rig.clock);
    let queue = Queue::open(disk.clone(), QueueOptions::default(), Origin::from_bytes([1; 16]), now).unwrap();
    Outbox::new(queue, rig.clock())
}

fn note(text: &str) -> NewItem {
    NewItem::note("usage", text.to_owned())
}

fn taken(rig: &Rig) -> Vec<String> {
    rig.settle();
    rig.inbox.take().into_iter().map(|(_, note)| String::from_utf8(note.payload.to_vec()).unwrap()).collect()
}

#[test]
fn notes_wait_for_the_link_and_arrive_by_priority() {
    let (rig, disk) = (Rig::new(), Memory::new());
    let outbox = outbox(&rig, &disk);
    outbox.put(note("before there is a client")).unwrap();
    let client = rig.client_of(&outbox);
    assert_eq!(taken(&rig), ["before there is a client"]);
    outbox.put(note("while it stands")).unwrap();
    assert_eq!(taken(&rig), ["while it stands"]);
    rig.run(outbox.emptied());
    rig.cable.unplug(true);
    rig.cable.cut();
    rig.settle();
    outbox.put(note("low").with_priority(Priority::Low)).unwrap();
    outbox.put(note("first")).unwrap();
    outbox.put(note("second")).unwrap();
    outbox.put(note("crash").with_priority(Priority::High)).unwrap();
    assert!(outbox.emptied().now_or_never().is_none());
    rig.cable.unplug(false);
    rig.pass(Duration::from_secs(60));
    assert_eq!(taken(&rig), ["crash", "first", "second", "low"]);
    let counters = outbox.counters();
    assert_eq!((counters.delivered, counters.waiting), (6, 0));
    assert_eq!(rig.gateway.counters().notes, 6);
    drop(client);
}

#[test]
fn a_lost_acknowledgement_doubles_nothing() {
    let (rig, disk) = (Rig::new(), Memory::new());
    let outbox = outbox(&rig, &disk);
    let client = rig.client_of(&outbox);
    for n in 0..3 {
        // The delivery arrives, its answer does not: from here on nothing comes back.
        outbox.put(note(&n.to_string())).unwrap();
        rig.cable.lose_answers();
        rig.settle();
        assert_eq!(outbox.counters().waiting, 1);
        rig.cable.cut();
        rig.pass(Duration::from_secs(60));
        assert_eq!(outbox.counters().waiting, 0);
    }
    assert_eq!(taken(&rig), ["0", "1", "2"]);
    assert_eq!(rig.gateway.counters().notes_again, 3);
    drop(client);
}

#[test]
fn what_waits_outlives_the_client_and_its_process() {
    let (rig, disk) = (Rig::new(), Memory::new());
    let first = outbox(&rig, &disk);
    let client = rig.client_of(&first);
    rig.cable.unplug(true);
    rig.cable.cut();
    rig.settle();
    first.put(note("kept")).unwrap();
    let seat = id(&client, SEAT);
    let receipt = client
        .set_queued(&Request::new(seat, 30).with(Set::within(Duration::from_secs(600))), Priority::High)
        .unwrap();
    let late = Request::new(seat, 40).with(Set::within(Duration::from_secs(5)));
    client.set_queued(&late, Priority::Normal).unwrap();
    rig.settle();
    assert_eq!(receipt.stage(), Stage::Accepted);
    // The process is killed.
    drop((client, first));
    disk.lose_power(|_| 0);
    rig.cable.unplug(false);
    rig.pass(Duration::from_secs(10));
    let second = outbox(&rig, &disk);
    assert_eq!((second.opened().waiting, second.counters().expired), (3, 1));
    let client = rig.client_of(&second);
    assert_eq!(taken(&rig), ["kept"]);
    let seen = rig.run(client.read_path(SEAT)).unwrap();
    assert_eq!(seen.state, State::Valid(Value::Int(30)));
    rig.settle();
    assert_eq!((second.counters().waiting, second.counters().delivered), (0, 2));
}

#[test]
fn a_queued_request_moves_once_when_the_link_is_back_or_times_out() {
    let (rig, disk) = (Rig::new(), Memory::new());
    let outbox = outbox(&rig, &disk);
    let client = rig.client_of(&outbox);
    let seat = id(&client, SEAT);
    let within = |seconds| Set::within(Duration::from_secs(seconds));
    // With the link up it is asked at once.
    let now = client.set_queued(&Request::new(seat, 10).with(within(60)), Priority::Normal).unwrap();
    assert!(matches!(rig.run(now.outcome()), Outcome::Confirmed(_)));
    rig.cable.unplug(true);
    rig.cable.cut();
    rig.settle();
    let later = client.set_queued(&Request::new(seat, 20).with(within(600)), Priority::Normal).unwrap();
    assert!(later.outcome().now_or_never().is_none());
    rig.cable.unplug(false);
    rig.pass(Duration::from_secs(60));
    assert!(matches!(rig.run(later.outcome()), Outcome::Confirmed(_)));
    assert_eq!(outbox.counters().waiting, 0);
    // One whose time is over is not asked any more.
    rig.cable.unplug(true);
    rig.cable.cut();
    rig.settle();
    let over = client.set_queued(&Request::new(seat, 30).with(within(5)), Priority::Normal).unwrap();
    rig.pass(Duration::from_secs(6));
    assert_eq!(over.stage(), Stage::Settled(Outcome::TimedOut));
    rig.cable.unplug(false);
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.run(client.read_path(SEAT)).unwrap().state, State::Valid(Value::Int(20)));
    assert_eq!((outbox.counters().waiting, outbox.counters().expired), (0, 1));
    // What makes no sense is refused at once, and a refusal of the vehicle is a receipt.
    let error = client.set_queued(&Request::new(id(&client, SPEED), 1.0_f32), Priority::Normal).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotActuator);
    let plain = rig.client();
    let error = plain.set_queued(&Request::new(id(&plain, SEAT), 1), Priority::Normal).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn an_answer_that_is_lost_moves_a_queued_request_once() {
    let (rig, disk) = (Rig::new(), Memory::new());
    let outbox = outbox(&rig, &disk);
    let client = rig.client_of(&outbox);
    let seat = id(&client, SEAT);
    rig.cable.lose_answers();
    let receipt = client
        .set_queued(&Request::new(seat, 10).with(Set::within(Duration::from_secs(600))), Priority::Normal)
        .unwrap();
    rig.settle();
    // It moved; then somebody else moves it on, and the request that is asked again must not undo that.
    let other = rig.run(rig.car.write_path(SEAT, 50, Set::default())).unwrap();
    rig.settle();
    assert!(matches!(rig.run(other.outcome()), Outcome::Confirmed(_)));
    rig.cable.cut();
    rig.pass(Duration::from_secs(60));
    assert!(matches!(rig.run(receipt.outcome()), Outcome::Confirmed(_)), "{receipt:?}");
    assert_eq!(rig.run(client.read_path(SEAT)).unwrap().state, State::Valid(Value::Int(50)));
    assert_eq!(outbox.counters().waiting, 0);
}

/// Refuses as it is told.
#[derive(Debug)]
struct Moody(Arc<coachwork_gateway::MemoryInbox>);

#[async_trait]
impl Inbox for Moody {
    async fn stored(&self, lane: Lane) -> Result<u64, Error> {
        self.0.stored(lane).await
    }

    async fn store(&self, lane: Lane, notes: Vec<Note>) -> Result<(), Error> {
        if notes.iter().any(|note| note.payload.as_ref() == b"bad") {
            return Err(Error::new(ErrorKind::Invalid, "no such thing"));
        }
        self.0.store(lane, notes).await
    }
}

/// Stores after some time.
#[derive(Debug)]
struct Slow(Arc<coachwork_gateway::MemoryInbox>, ManualClock);

#[async_trait]
impl Inbox for Slow {
    async fn stored(&self, lane: Lane) -> Result<u64, Error> {
        self.0.stored(lane).await
    }

    async fn store(&self, lane: Lane, notes: Vec<Note>) -> Result<(), Error> {
        let until = self.1.monotonic().saturating_add(Duration::from_secs(2));
        self.1.sleep_until(until).await;
        self.0.store(lane, notes).await
    }
}

#[test]
fn a_note_is_acknowledged_when_it_is_stored_and_not_before() {
    let (rig, disk) = (Rig::new(), Memory::new());
    let gateway = Gateway::new(
        Arc::new(Everybody::sees(rig.car.clone())),
        rig.clock(),
        coachwork_gateway::Options::default(),
    );
    let gateway = gateway.storing(Arc::new(Slow(rig.inbox.clone(), rig.clock.clone())));
    let (listener, connector) = memory::listen("gateway", &Limits::default());
    rig.cable.plug(connector);
    rig.spawn(gateway.serve(listener).map(drop));
    let outbox = outbox(&rig, &disk);
    let client = rig.client_of(&outbox);
    outbox.put(note("slow")).unwrap();
    rig.pass(Duration::from_millis(1900));
    assert_eq!((outbox.counters().waiting, taken(&rig).len()), (1, 0));
    rig.pass(Duration::from_millis(200));
    assert_eq!((outbox.counters().waiting, taken(&rig).len()), (0, 1));
    drop(client);
}

/// A car whose gateway was ended in the middle of a request, and its next one.
#[test]
fn a_queued_request_that_a_gateway_left_open_is_in_doubt_at_the_next_one() {
    let place = std::env::temp_dir().join(format!("coachwork-queue-doubt-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&place);
    let (rig, disk) = (Rig::new(), Memory::new());
    let gateway = || {
        let options = coachwork_gateway::Options::default();
        let gateway = Gateway::new(Arc::new(Everybody::sees(rig.car.clone())), rig.clock(), options);
        let keys = RequestKeys::open(&place, KeySync::Each).unwrap();
        let (listener, connector) = memory::listen("gateway", &Limits::default());
        rig.cable.plug(connector);
        let (serving, ended) = futures::future::abortable(gateway.knowing(Arc::new(keys)).serve(listener));
        rig.spawn(serving.map(drop));
        ended
    };
    let first = gateway();
    let outbox = outbox(&rig, &disk);
    let client = rig.client_of(&outbox);
    // It is asked of the car, which moves; what the gateway says of it is never heard, and it is killed.
    let ask = |value: i64| {
        let request = Request::new(id(&client, SEAT), value).with(Set::within(Duration::from_secs(600)));
        client.set_queued(&request, Priority::Normal).unwrap()
    };
    assert!(matches!(rig.run(ask(10).outcome()), Outcome::Confirmed(_)));
    rig.cable.lose_answers();
    let heard = ask(20);
    rig.settle();
    // The file as it was before the outcome was written, as a kill in between leaves it.
    first.abort();
    rig.settle();
    let file = place.join("keys");
    let bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 34;
    std::fs::write(&file, &bytes[..last]).unwrap();
    let moved = rig.run(rig.car.write_path(SEAT, 50, Set::default())).unwrap();
    rig.settle();
    assert!(matches!(rig.run(moved.outcome()), Outcome::Confirmed(_)));
    let second = gateway();
    rig.cable.cut();
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.run(heard.outcome()), Outcome::InDoubt);
    assert_eq!(rig.run(rig.car.read_path(SEAT)).unwrap().state, State::Valid(Value::Int(50)));
    assert_eq!(outbox.counters().waiting, 0);
    second.abort();
    rig.settle();
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_note_that_nobody_takes_is_given_up_alone() {
    let (rig, disk) = (Rig::new(), Memory::new());
    let gateway = Gateway::new(
        Arc::new(Everybody::sees(rig.car.clone())),
        rig.clock(),
        coachwork_gateway::Options::default(),
    );
    let gateway = gateway.storing(Arc::new(Moody(rig.inbox.clone())));
    let (listener, connector) = memory::listen("gateway", &Limits::default());
    rig.cable.plug(connector);
    rig.spawn(gateway.serve(listener).map(drop));
    let outbox = outbox(&rig, &disk);
    for text in ["a", "b", "bad", "c", "bad", "d"] {
        outbox.put(note(text)).unwrap();
    }
    let client = rig.client_of(&outbox);
    assert_eq!(taken(&rig), ["a", "b", "c", "d"]);
    assert_eq!(
        (outbox.counters().refused, outbox.counters().delivered, outbox.counters().waiting),
        (2, 4, 0)
    );
    drop(client);
}

#[test]
fn without_an_inbox_or_room_in_it_notes_wait() {
    let rig = Rig::with(|_| {}, Facts::default());
    let gateway = Gateway::new(
        Arc::new(Everybody::sees(rig.car.clone())),
        rig.clock(),
        coachwork_gateway::Options::default(),
    );
    let (listener, connector) = memory::listen("gateway", &Limits::default());
    rig.cable.plug(connector);
    rig.spawn(gateway.serve(listener).map(drop));
    let outbox = outbox(&rig, &Memory::new());
    outbox.put(note("a")).unwrap();
    let client = rig.client_of(&outbox);
    rig.pass(Duration::from_secs(300));
    assert_eq!((outbox.counters().waiting, gateway.counters().requests < 30), (1, true));
    // Another gateway behind the same cable has one, and no room at first.
    let inbox = Arc::new(coachwork_gateway::MemoryInbox::new(1));
    rig.run(inbox.store(
        Lane { origin: Origin::from_bytes([2; 16]), number: 0 },
        vec![Note { number: 1, written: rig.clock.now(), name: "x".into(), payload: "x".into() }],
    ))
    .unwrap();
    let gateway = Gateway::new(
        Arc::new(Everybody::sees(rig.car.clone())),
        rig.clock(),
        coachwork_gateway::Options::default(),
    );
    let gateway = gateway.storing(inbox.clone());
    let (listener, connector) = memory::listen("gateway", &Limits::default());
    rig.cable.plug(connector);
    rig.spawn(gateway.serve(listener).map(drop));
    rig.cable.cut();
    rig.pass(Duration::from_secs(60));
    assert_eq!(outbox.counters().waiting, 1);
    assert_eq!(inbox.take().len(), 1);
    rig.pass(Duration::from_secs(60));
    assert_eq!((inbox.take().len(), outbox.counters().waiting), (1, 0));
    drop(client);
}

#[test]
fn dropping_a_receipt_does_not_cancel_and_stages_settle() {
    let (rig, disk) = (Rig::new(), Memory::new());
    let outbox = outbox(&rig, &disk);
    let client = rig.client_of(&outbox);
    rig.cable.unplug(true);
    rig.cable.cut();
    rig.settle();
    let seat = id(&client, SEAT);
    let keep = Set::within(Duration::from_secs(900));
    drop(client.set_queued(&Request::new(seat, 10).with(keep.clone()), Priority::Normal).unwrap());
    let second = client.set_queued(&Request::new(seat, 20).with(keep), Priority::Normal).unwrap();
    rig.cable.unplug(false);
    rig.pass(Duration::from_secs(60));
    assert!(matches!(second.stage(), Stage::Settled(Outcome::Confirmed(_))), "{second:?}");
    assert_eq!(outbox.counters().waiting, 0);
}
