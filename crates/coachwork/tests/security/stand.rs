//! What is attacked: a car behind a gateway that takes grants, and peers that write their own VISS.
//!
//! *Invariant:* a test that stands still fails: after some minutes the whole program is ended, and says which test it was.
//! *Next:* `rights.rs`, `floods.rs`, `others.rs`, `links.rs` (what is tried).

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use coachwork::entitlement::{
    Anchor, Bundle, ByGrant, Draft, Grant, GrantId, Issuer, KeyId, MemoryStore, PaidClass, PaidFeature,
    Policy, Setup, Trust, VehicleId, Verifier, Wallet,
};
use coachwork::gateway::{Gateway, Options, Recent};
use coachwork::system::{spawn, tcp};
use coachwork::transport::{Connection, ConnectionExt, Connector, Limits, Message, memory};
use coachwork::{
    Catalogue, Clock, DataType, Datapoint, Entry, Facts, ManualClock, MemoryVehicle, Subscribe, Timestamp,
    Value, Vehicle, websocket,
};
use serde_json::{Value as Json, json};

pub(crate) const SEAT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling";
pub(crate) const RANGE: &str = "Vehicle.Powertrain.Range";
pub(crate) const SPEED: &str = "Vehicle.Speed";
/// The value of what needs a grant: no answer without one may have it.
pub(crate) const SECRET: &str = "412412";
const POLICY: &str = "
feature live-range data
feature seat-heating comfort
set Vehicle.Cabin.Seat.**.HeatingCooling needs seat-heating
read Vehicle.Powertrain.Range needs live-range
";
const START: i64 = 1_780_000_000;
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// How long a test may take, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ends the program when a test takes too long: one whose tasks spin or wait for ever would otherwise hang, and not fail.
pub(crate) struct Deadline(
    #[expect(dead_code, reason = "dropped at the end of the test")] mpsc::SyncSender<()>,
);

impl Deadline {
    fn begin() -> Self {
        let (sender, ended) = mpsc::sync_channel::<()>(0);
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        std::thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Past what the runner of the tests catches.
                let word = format!("{test} has taken more than {PATIENCE:?}: it hangs\n");
                let _ = std::io::stderr().write_all(word.as_bytes());
                std::process::exit(101);
            }
        });
        Self(sender)
    }
}

/// A car behind a gateway that takes grants, reached by memory, TCP and WebSocket at once.
pub(crate) struct Stand {
    pub(crate) clock: ManualClock,
    pub(crate) car: MemoryVehicle,
    pub(crate) wallet: Wallet,
    pub(crate) issuer: Issuer,
    pub(crate) gateway: Gateway,
    pub(crate) memory: memory::MemoryConnector,
    pub(crate) tcp: SocketAddr,
    pub(crate) web: SocketAddr,
    _deadline: Deadline,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = ManualClock::new(Timestamp::from_seconds(START));
        let entries = [
            Entry::actuator(SEAT, DataType::INT8).with_range(Value::from(-100i8), Value::from(100i8)),
            Entry::sensor(RANGE, DataType::UINT32),
            Entry::sensor(SPEED, DataType::FLOAT),
        ];
        let catalogue = Catalogue::new(entries, Facts::default()).unwrap();
        let car = MemoryVehicle::new(catalogue, Arc::new(clock.clone()));
        let policy: Arc<Policy> = Arc::new(POLICY.parse().unwrap());
        let issuer = issuer(7);
        let keys = Anchor::Keys(Verifier::new([(issuer.key_id(), issuer.public_key())]).unwrap());
        let setup = Setup::new(VehicleId::opaque([1; 16]), policy.features().clone(), keys, clock.now());
        let wallet = Wallet::open(setup, MemoryStore::default(), Arc::new(clock.clone())).unwrap();
        wallet.tell_time(clock.now(), Trust::Secure).unwrap();
        let door = ByGrant::by_wallet(car.clone(), policy, &wallet).unwrap();
        let mut options = Options::default();
        change(&mut options);
        let limits = Limits::default();
        let recent = Recent::new(1000, 100_000);
        let all = car.subscribe(Subscribe::to(car.catalogue().ids()).queue(64)).await.unwrap();
        spawn(recent.record(all)).unwrap();
        let gateway = Gateway::new(Arc::new(door), wallet.clock(), options).remembering(Arc::new(recent));
        let (here, memory) = memory::listen("gateway", &limits);
        let by_tcp = tcp::listen("127.0.0.1:0", &limits).await.unwrap();
        let by_web = websocket::listen("127.0.0.1:0", &limits).await.unwrap();
        let (tcp, web) = (by_tcp.address(), by_web.address());
        spawn(gateway.serve(here)).unwrap();
        spawn(gateway.serve(by_tcp)).unwrap();
        spawn(gateway.serve(by_web)).unwrap();
        let stand =
            Self { clock, car, wallet, issuer, gateway, memory, tcp, web, _deadline: Deadline::begin() };
        stand.publish(1.0);
        stand.publish(50.0);
        stand
    }

    pub(crate) fn publish(&self, speed: f32) {
        let now = self.clock.now();
        let points = [
            (RANGE, Datapoint::valid(SECRET.parse::<u32>().unwrap(), now)),
            (SPEED, Datapoint::valid(speed, now)),
            (SEAT, Datapoint::valid(0i8, now)),
        ];
        self.car.publish(&points).unwrap();
    }

    pub(crate) fn token(&self, change: impl FnOnce(Draft) -> Draft) -> String {
        token(&self.issuer, self.wallet.car().vehicle, &self.clock, change)
    }

    pub(crate) async fn peer(&self) -> Peer {
        Peer(self.memory.connect().await.unwrap())
    }

    /// One peer by each transport.
    pub(crate) async fn peers(&self) -> [Peer; 3] {
        let limits = Limits::default();
        let tcp = tcp::connector(self.tcp.to_string(), &limits).connect().await.unwrap();
        let web = websocket::connector(&format!("ws://{}", self.web), &limits).unwrap();
        [self.peer().await, Peer(tcp), Peer(web.connect().await.unwrap())]
    }

    /// The next one is served, by every transport.
    pub(crate) async fn serves_others(&self) {
        for mut peer in soon(self.peers()).await {
            assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
        }
    }

    /// Lets the gateway's time pass, while its tasks run.
    pub(crate) async fn pass(&self, time: Duration) {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.clock.advance(time);
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

pub(crate) fn issuer(secret: u8) -> Issuer {
    Issuer::new(KeyId::new("2026").unwrap(), &[secret; 32]).unwrap()
}

/// A grant for the range, as text.
pub(crate) fn token(
    issuer: &Issuer,
    car: VehicleId,
    clock: &ManualClock,
    change: impl FnOnce(Draft) -> Draft,
) -> String {
    let paid = PaidFeature::new("live-range".parse().unwrap(), PaidClass::Comfort);
    let until = clock.now().saturating_add(MINUTE);
    let draft = Grant::draft(GrantId::new("range").unwrap(), car, clock.now()).until(until).opens(&paid);
    text(issuer.issue(&change(draft).build().unwrap()).unwrap())
}

pub(crate) fn text(token: Vec<u8>) -> String {
    Bundle::new([token]).unwrap().to_text()
}

/// A peer that writes its own VISS.
pub(crate) struct Peer(pub(crate) Box<dyn Connection>);

impl Peer {
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.0.send(&Message::text(text.into())).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, mut request: Json, authorization: Option<&str>) -> Json {
        request["requestId"] = "7".into();
        if let Some(token) = authorization {
            request["authorization"] = token.into();
        }
        self.send(request.to_string()).await;
        self.hear().await
    }

    pub(crate) async fn hear(&mut self) -> Json {
        serde_json::from_slice(soon(self.0.recv()).await.unwrap().data()).unwrap()
    }
}

pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("it comes soon")
}

pub(crate) fn get(path: &str) -> Json {
    json!({"action":"get","path":path})
}

pub(crate) fn change() -> Json {
    json!({"variant":"change","parameter":{"logic-op":"ne","diff":"0"}})
}

pub(crate) fn subscribe(path: &str) -> Json {
    json!({"action":"subscribe","path":path,"filter":change()})
}

#[track_caller]
pub(crate) fn is_refused(answer: &Json, number: &str) {
    assert_eq!(answer["error"]["number"], number, "{answer}");
    assert!(!answer.to_string().contains(SECRET), "{answer}");
}
