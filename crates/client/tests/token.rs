//! Tokens that end and are followed by others, while the client and its subscriptions go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use coachwork_client::{Token, TokenSource};
use coachwork_gateway::{Happened, Observer};
use coachwork_vehicle::{
    Admission, Admitted, Catalogue, Clock, Credential, Error, ErrorKind, Event, Facts, ManualClock,
    MemoryVehicle, Permission, ReasonKind, Subscribe, Timestamp, Vehicle, VehicleExt,
};
use rig::{RANGE, Rig, SPEED, entries, float, id};

const MINUTE: Duration = Duration::from_secs(60);
const START: i64 = 1_700_000_000;

/// A token is the second up to which it opens the car; `-` before it: all but the range.
#[derive(Debug)]
struct Until {
    clock: ManualClock,
    car: MemoryVehicle,
    less: MemoryVehicle,
}

#[async_trait]
impl Admission for Until {
    async fn admit(&self, credential: &Credential) -> Result<Admitted, Error> {
        let refused = |why: &'static str| Err(Error::new(ErrorKind::Denied, why));
        let Credential::Token(token) = credential else { return refused("a token is needed") };
        let text = String::from_utf8_lossy(token);
        let (view, second) = match text.strip_prefix('-') {
            Some(second) => (&self.less, second),
            None => (&self.car, text.as_ref()),
        };
        let until = Timestamp::from_seconds(START + second.parse::<i64>().unwrap());
        if until <= self.clock.now() {
            return refused("the token has ended");
        }
        Ok(Admitted { view: Arc::new(view.clone()), until: Some(until) })
    }
}

fn guarded() -> Rig {
    let clock = ManualClock::new(Timestamp::from_seconds(START));
    let vehicle =
        || MemoryVehicle::new(Catalogue::new(entries(), Facts::default()).unwrap(), Arc::new(clock.clone()));
    let (car, less) = (vehicle(), vehicle());
    less.board().restrict(|signal, access| {
        let mut access = access.clone();
        if less.catalogue().path(signal).unwrap().as_str() == RANGE {
            access.read = Permission::denied("not any more");
        }
        access
    });
    let admission = Until { clock: clock.clone(), car: car.clone(), less };
    Rig::admitting(Arc::new(admission), car, clock, |_| {})
}

/// Counts the subscriptions that went on.
#[derive(Debug, Default)]
struct Renewals(AtomicU64);

impl Observer for Renewals {
    fn happened(&self, what: &Happened<'_>) {
        if matches!(what, Happened::Renewed { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_link_shows_the_next_token_before_the_one_it_has_ends_and_subscriptions_go_on() {
    let rig = guarded();
    let renewals = Arc::new(Renewals::default());
    let _gateway = rig.gateway.clone().observed(renewals.clone());
    let clock = rig.clock.clone();
    let asked = Arc::new(AtomicU64::new(0));
    let counted = asked.clone();
    // Each token is good for a minute, and wants to be renewed ten seconds before.
    let source = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let now = clock.now().seconds() - START;
        Token::new((now + 60).to_string().into_bytes()).renewed_at(Timestamp::from_seconds(START + now + 50))
    };
    let client = rig.client_with(|options| options.tokens = Some(Arc::new(source)));
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]).queue(64))).unwrap();
    let mut seen = Vec::new();
    for second in 0..600_u16 {
        rig.speed(f32::from(second));
        rig.pass(Duration::from_secs(1));
        for event in rig.events(&mut watch) {
            match event {
                Event::Changed(points) => seen.extend(points.iter().map(|(_, point)| point.state.clone())),
                other => panic!("after {second} s: {other:?}"),
            }
        }
    }
    seen.dedup();
    let wanted: Vec<_> = (0..600_u16).map(|second| float(f32::from(second))).collect();
    assert_eq!(seen.last(), wanted.last());
    assert!(wanted.iter().all(|state| seen.contains(state)), "every value came");
    assert_eq!(asked.load(Ordering::Relaxed), 1 + 600 / 50);
    assert!(renewals.0.load(Ordering::Relaxed) >= 9);
    assert_eq!(rig.gateway.counters().accepted, 1, "over one link");
    assert_eq!(rig.gateway.counters().refused, 0);
}

#[test]
fn without_a_newer_token_the_subscription_ends_with_the_old_one() {
    let rig = guarded();
    let client = rig.client_with(|options| options.token = Some(b"60".as_slice().into()));
    let mut watch = rig.run(client.subscribe(Subscribe::to([id(&client, SPEED)]))).unwrap();
    rig.pass(Duration::from_secs(59));
    rig.events(&mut watch);
    rig.pass(2 * MINUTE);
    let events = rig.events(&mut watch);
    let Some(Event::Ended(why)) = events.last() else { panic!("{events:?}") };
    assert_eq!(why.kind(), ReasonKind::Denied);
    assert_eq!(rig.gateway.counters().subscriptions, 0);
}

/// Gives what it is told to give.
#[derive(Default)]
struct Given {
    next: Mutex<Option<Token>>,
    asked: AtomicI64,
}

#[async_trait]
impl TokenSource for Given {
    async fn token(&self) -> Result<Token, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let none = || Error::new(ErrorKind::Unavailable, "there is none now");
        self.next.lock().unwrap().clone().ok_or_else(none)
    }
}

impl Given {
    fn give(&self, token: Option<&str>) {
        *self.next.lock().unwrap() = token.map(|token| Token::new(token.as_bytes()));
    }
}

#[test]
fn a_gateway_that_says_the_token_has_ended_is_shown_another() {
    let rig = guarded();
    let source = Arc::new(Given::default());
    source.give(Some("60"));
    let client = rig.client_with(|options| options.tokens = Some(source.clone()));
    rig.pass(2 * MINUTE);
    // The source had the same one once more, then none: it is asked with pauses, never in a loop.
    source.give(None);
    let error = rig.run(client.read_path(SPEED)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    rig.pass(MINUTE);
    let asked = source.asked.load(Ordering::Relaxed);
    assert!((3..60).contains(&asked), "asked {asked} times");
    source.give(Some("600"));
    rig.pass(Duration::from_secs(10));
    rig.speed(3.0);
    assert_eq!(rig.run(client.read_path(SPEED)).unwrap().state, float(3.0));
    assert_eq!(rig.gateway.counters().accepted, 1);
}

#[test]
fn each_connect_asks_for_the_token_of_now() {
    let rig = guarded();
    let source = Arc::new(Given::default());
    source.give(Some("60"));
    let client = rig.client_with(|options| options.tokens = Some(source.clone()));
    source.give(Some("600"));
    rig.cable.unplug(true);
    rig.cable.cut();
    rig.pass(2 * MINUTE);
    rig.cable.unplug(false);
    rig.pass(2 * MINUTE);
    rig.speed(4.0);
    assert_eq!(rig.run(client.read_path(SPEED)).unwrap().state, float(4.0));
}

#[test]
fn what_a_newer_token_does_not_open_is_denied_and_the_rest_goes_on() {
    let rig = guarded();
    let source = Arc::new(Given::default());
    *source.next.lock().unwrap() =
        Some(Token::new(b"60".as_slice()).renewed_at(Timestamp::from_seconds(START + 50)));
    let client = rig.client_with(|options| options.tokens = Some(source.clone()));
    let [speed, range] = [SPEED, RANGE].map(|path| id(&client, path));
    let mut watch = rig.run(client.subscribe(Subscribe::to([speed, range]))).unwrap();
    rig.events(&mut watch);
    source.give(Some("-600"));
    rig.pass(2 * MINUTE);
    let events = rig.events(&mut watch);
    let denied = events.iter().any(|event| {
        matches!(event, Event::Access(changes) if changes.iter().any(|(id, right)| *id == range && matches!(right, Permission::Denied(_))))
    });
    assert!(denied && !events.iter().any(|event| matches!(event, Event::Ended(_))), "{events:?}");
    assert!(!format!("{:?}", Token::new(b"secret".as_slice())).contains("secret"));
}
