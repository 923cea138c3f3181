//! What is told to whoever collects traces: what happened at each boundary, and none of the secrets that passed it.
#![cfg(all(feature = "remote", feature = "trace"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use coachwork::client::{Client, Token};
use coachwork::gateway::{Gateway, Options};
use coachwork::transport::{ConnectionExt, Connector, Limits, Message, memory};
use coachwork::{
    Admission, Admitted, Catalogue, Clock, Credential, DataType, Datapoint, Entry, Error, ErrorKind, Facts,
    Key, ManualClock, MemoryVehicle, Set, Subscribe, Timestamp, Vehicle, VehicleExt,
};
use futures::FutureExt;
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const VIN: &str = "WVWZZZ1JZXW000042";
const PLACE: &str = "Vehicle.VehicleIdentification.VIN";
const SEAT: &str = "Vehicle.Cabin.Seat.Heating";
/// Everything that passes and must not be told.
const SECRETS: [&str; 7] = [
    VIN,
    "tok-first-9f8e7d",
    "tok-second-1a2b3c",
    "tok-wrong-555555",
    "key-of-the-owner-77",
    "request-id-with-tok-424242",
    "4217",
];

/// Writes down all that is told: names, fields and values.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<String>>, Arc<AtomicU64>);

struct Writer<'n>(&'n mut String);

impl Visit for Writer<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Notes {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut notes = self.0.lock().unwrap();
        write!(notes, "span {}", span.metadata().name()).unwrap();
        span.record(&mut Writer(&mut notes));
        notes.push('\n');
        Id::from_u64(1 + self.1.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Writer(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut notes = self.0.lock().unwrap();
        event.record(&mut Writer(&mut notes));
        notes.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Lets in whoever shows one of the first two tokens; the first for a minute.
#[derive(Debug)]
struct Tokens(MemoryVehicle, Timestamp);

#[async_trait]
impl Admission for Tokens {
    async fn admit(&self, credential: &Credential) -> Result<Admitted, Error> {
        let until = match credential {
            Credential::Token(token) if **token == *SECRETS[1].as_bytes() => Some(self.1),
            Credential::Token(token) if **token == *SECRETS[2].as_bytes() => None,
            _ => return Err(Error::new(ErrorKind::Denied, "the token opens nothing")),
        };
        Ok(Admitted { view: Arc::new(self.0.clone()), until })
    }
}

#[test]
fn a_whole_session_is_told_and_no_secret_of_it() {
    let notes = Notes::default();
    let _collecting = tracing::subscriber::set_default(notes.clone());
    let clock = ManualClock::new(Timestamp::from_seconds(1_780_000_000));
    let entries = [
        Entry::attribute(PLACE, DataType::STRING),
        Entry::actuator(SEAT, DataType::INT16),
        Entry::sensor("Vehicle.Speed", DataType::FLOAT),
    ];
    let car = MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), Arc::new(clock.clone()));
    car.publish(&[(PLACE, Datapoint::valid(VIN, clock.now()))]).unwrap();
    let until = clock.now().saturating_add(Duration::from_secs(60));
    let mut options = Options::default();
    options.bytes_in = Some(20_000);
    let gateway = Gateway::new(Arc::new(Tokens(car.clone(), until)), Arc::new(clock.clone()), options);
    let (listener, connector) = memory::listen("gateway", &Limits::default());
    let mut pool = LocalPool::new();
    let serving = gateway.serve(listener);
    pool.spawner().spawn_local(async move { drop(serving.await) }).unwrap();
    let settle = |pool: &mut LocalPool, time: u64| {
        for _ in 0..time {
            pool.run_until_stalled();
            clock.advance(Duration::from_secs(1));
        }
        pool.run_until_stalled();
    };

    // A client with tokens that follow one another reads, sets by a key and watches.
    let first = Arc::new(AtomicU64::new(0));
    let source = move || match first.fetch_add(1, Ordering::Relaxed) {
        0 => Token::new(SECRETS[1].as_bytes()).renewed_at(Timestamp::from_seconds(1_780_000_030)),
        _ => Token::new(SECRETS[2].as_bytes()),
    };
    let mut options = coachwork::client::Options::default();
    options.tokens = Some(Arc::new(source));
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let (client, driver) =
        pool.run_until(Client::connect(connector.clone(), shared.clone(), options.clone())).unwrap();
    pool.spawner().spawn_local(async move { drop(driver.await) }).unwrap();
    assert_eq!(pool.run_until(client.read_path(PLACE)).unwrap().value(), Some(&VIN.into()));
    let set = Set::default().keyed(Key::new(SECRETS[4]).unwrap());
    pool.run_until(client.write_path(SEAT, 4217_i16, set)).unwrap();
    let watch = pool.run_until(client.subscribe(Subscribe::to(client.catalogue().ids()))).unwrap();
    settle(&mut pool, 90);

    // A peer shows a wrong one, writes noise with secrets in it, and floods.
    pool.run_until(async {
        let mut link = connector.connect().await.unwrap();
        for text in [
            format!(
                r#"{{"action":"get","path":"{PLACE}","authorization":"{}","requestId":"{}"}}"#,
                SECRETS[3], SECRETS[5]
            ),
            format!(
                r#"{{"action":"set","path":"{PLACE}","value":"{VIN}","authorization":"{}","requestId":"1"}}"#,
                SECRETS[2]
            ),
            format!(r#"{{"action":"{VIN}","path":"{VIN}","requestId":"{}"}}"#, SECRETS[5]),
            format!("{VIN} {}", SECRETS[1]),
            format!(r#"{{"action":"get","path":"{PLACE}","x":"{}","requestId":"2"}}"#, "x".repeat(30_000)),
        ] {
            link.send(&Message::text(text)).await.unwrap();
            let answer = link.recv().now_or_never();
            drop(answer);
        }
    });
    settle(&mut pool, 5);
    let mut wrong = options;
    wrong.tokens = Some(Arc::new(|| Token::new(SECRETS[3].as_bytes())));
    pool.run_until(Client::connect(connector, shared, wrong)).unwrap_err();
    drop((client, watch));
    settle(&mut pool, 2);

    let told = notes.0.lock().unwrap().clone();
    for part in [
        "a peer came in",
        "coachwork.connection",
        "coachwork.request",
        "action=\"set\"",
        "a request was refused",
        "a peer is above its bytes in a second",
        "a newer token is shown",
        "goes on by a newer token",
        "a peer left",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    for secret in SECRETS {
        assert!(!told.contains(secret), "{secret} is in:\n{told}");
    }
}
