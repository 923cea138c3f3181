//! What a stranger may try, each as a test named for it, over the transports that a stranger has: `docs/security.md` says what is promised.
//!
//! *Invariant:* whatever one peer does, the next one is served.
#![cfg(all(feature = "issuer", feature = "remote", feature = "system", feature = "websocket"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::needless_pass_by_value
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use coachwork::entitlement::{
    Anchor, Bundle, ByGrant, Draft, Grant, GrantId, Issuer, KeyId, MemoryStore, PaidClass, PaidFeature,
    Policy, Setup, StatusList, Trust, VehicleId, Verifier, Wallet,
};
use coachwork::gateway::{Gateway, Options, Recent};
use coachwork::system::{spawn, tcp};
use coachwork::transport::{
    Arrival, CloseCode, Connection, ConnectionExt, Connector, Info, Limits, Listener, Message, Security,
    TransportError, memory,
};
use coachwork::{
    Catalogue, Clock, DataType, Datapoint, Entry, Facts, ManualClock, MemoryVehicle, Subscribe, Timestamp,
    Value, Vehicle, websocket,
};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SEAT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling";
const RANGE: &str = "Vehicle.Powertrain.Range";
const SPEED: &str = "Vehicle.Speed";
/// The value of what needs a grant: no answer without one may have it.
const SECRET: &str = "412412";
const POLICY: &str = "
feature live-range data
feature seat-heating comfort
set Vehicle.Cabin.Seat.**.HeatingCooling needs seat-heating
read Vehicle.Powertrain.Range needs live-range
";
const START: i64 = 1_780_000_000;
const MINUTE: Duration = Duration::from_secs(60);

/// A car behind a gateway that takes grants, reached by memory, TCP and WebSocket at once.
struct Stand {
    clock: ManualClock,
    car: MemoryVehicle,
    wallet: Wallet,
    issuer: Issuer,
    gateway: Gateway,
    memory: memory::MemoryConnector,
    tcp: SocketAddr,
    web: SocketAddr,
}

impl Stand {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Self {
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
        let stand = Self { clock, car, wallet, issuer, gateway, memory, tcp, web };
        stand.publish(1.0);
        stand.publish(50.0);
        stand
    }

    fn publish(&self, speed: f32) {
        let now = self.clock.now();
        let points = [
            (RANGE, Datapoint::valid(SECRET.parse::<u32>().unwrap(), now)),
            (SPEED, Datapoint::valid(speed, now)),
            (SEAT, Datapoint::valid(0i8, now)),
        ];
        self.car.publish(&points).unwrap();
    }

    fn token(&self, change: impl FnOnce(Draft) -> Draft) -> String {
        token(&self.issuer, self.wallet.car().vehicle, &self.clock, change)
    }

    async fn peer(&self) -> Peer {
        Peer(self.memory.connect().await.unwrap())
    }

    /// One peer by each transport.
    async fn peers(&self) -> [Peer; 3] {
        let limits = Limits::default();
        let tcp = tcp::connector(self.tcp.to_string(), &limits).connect().await.unwrap();
        let web = websocket::connector(&format!("ws://{}", self.web), &limits).unwrap();
        [self.peer().await, Peer(tcp), Peer(web.connect().await.unwrap())]
    }

    /// The next one is served, by every transport.
    async fn serves_others(&self) {
        for mut peer in soon(self.peers()).await {
            assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
        }
    }

    /// Lets the gateway's time pass, while its tasks run.
    async fn pass(&self, time: Duration) {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.clock.advance(time);
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn issuer(secret: u8) -> Issuer {
    Issuer::new(KeyId::new("2026").unwrap(), &[secret; 32]).unwrap()
}

/// A grant for the range, as text.
fn token(
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

fn text(token: Vec<u8>) -> String {
    Bundle::new([token]).unwrap().to_text()
}

/// A peer that writes its own VISS.
struct Peer(Box<dyn Connection>);

impl Peer {
    async fn send(&mut self, text: impl Into<String>) {
        self.0.send(&Message::text(text.into())).await.unwrap();
    }

    async fn ask(&mut self, mut request: Json, authorization: Option<&str>) -> Json {
        request["requestId"] = "7".into();
        if let Some(token) = authorization {
            request["authorization"] = token.into();
        }
        self.send(request.to_string()).await;
        self.hear().await
    }

    async fn hear(&mut self) -> Json {
        serde_json::from_slice(soon(self.0.recv()).await.unwrap().data()).unwrap()
    }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("it comes soon")
}

fn get(path: &str) -> Json {
    json!({"action":"get","path":path})
}

fn change() -> Json {
    json!({"variant":"change","parameter":{"logic-op":"ne","diff":"0"}})
}

fn subscribe(path: &str) -> Json {
    json!({"action":"subscribe","path":path,"filter":change()})
}

#[track_caller]
fn is_refused(answer: &Json, number: &str) {
    assert_eq!(answer["error"]["number"], number, "{answer}");
    assert!(!answer.to_string().contains(SECRET), "{answer}");
}

#[tokio::test]
async fn no_token_opens_only_what_needs_none() {
    let stand = Stand::new().await;
    for mut peer in stand.peers().await {
        assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
        is_refused(&peer.ask(get(RANGE), None).await, "401");
        is_refused(&peer.ask(subscribe(RANGE), None).await, "401");
        is_refused(&peer.ask(json!({"action":"set","path":SEAT,"value":"9"}), None).await, "401");
        let past = json!({"action":"get","path":RANGE,"filter":{"variant":"history","parameter":"P1D"}});
        is_refused(&peer.ask(past, None).await, "401");
        // With additional members too, whatever else is asked for in the same breath.
        let groups = json!({"action":"subscribe","coachwork":"1","signals":[{"paths":[RANGE]}]});
        let answer = peer.ask(groups, None).await;
        assert_eq!(answer["refused"][0]["error"]["kind"], "denied", "{answer}");
        assert!(!answer.to_string().contains(SECRET));
    }
    stand.serves_others().await;
}

#[tokio::test]
async fn an_expired_token_opens_nothing_and_its_subscription_ends() {
    let stand = Stand::new().await;
    let shown = stand.token(|draft| draft);
    let mut peers = stand.peers().await;
    for peer in &mut peers {
        assert_eq!(peer.ask(get(RANGE), Some(&shown)).await["data"]["dp"]["value"], SECRET);
        assert!(peer.ask(subscribe(RANGE), Some(&shown)).await["subscriptionId"].is_string());
        assert_eq!(peer.hear().await["data"]["dp"]["value"], SECRET);
    }
    stand.clock.advance(MINUTE);
    stand.publish(50.0);
    for peer in &mut peers {
        let end = peer.hear().await;
        is_refused(&end, "401");
        assert_eq!(end["action"], "subscription");
        is_refused(&peer.ask(get(RANGE), Some(&shown)).await, "401");
        is_refused(&peer.ask(subscribe(RANGE), Some(&shown)).await, "401");
    }
    assert_eq!(stand.gateway.counters().subscriptions, 0);
}

#[tokio::test]
async fn a_token_of_another_car_opens_nothing() {
    let stand = Stand::new().await;
    let other = token(&stand.issuer, VehicleId::opaque([2; 16]), &stand.clock, |draft| draft);
    for mut peer in stand.peers().await {
        let answer = peer.ask(get(RANGE), Some(&other)).await;
        assert!(["401", "403"].contains(&answer["error"]["number"].as_str().unwrap()), "{answer}");
        assert!(!answer.to_string().contains(SECRET));
    }
}

#[tokio::test]
async fn a_token_for_another_audience_opens_nothing() {
    let stand = Stand::new().await;
    let car = stand.wallet.car().vehicle;
    // Signed well, by the same key, for another purpose.
    let list = StatusList::new("https://example.com/1", stand.clock.now(), 8).unwrap();
    let list = stand.issuer.issue_status(&list.fresh_for(MINUTE).unwrap()).unwrap();
    let list = format!("b64:{}", base64(&list));
    // Signed by another's key under the same name; and changed in its last place.
    let stranger = token(&issuer(8), car, &stand.clock, |draft| draft);
    let good = stand.token(|draft| draft);
    let changed = format!("{}{}", &good[..good.len() - 1], if good.ends_with('A') { "B" } else { "A" });
    let mut peer = stand.peer().await;
    for wrong in [&list, &stranger, &changed, "eyJhbGciOiJub25lIn0.e30.", "", "b64:", "b64:!!", " "] {
        let answer = peer.ask(get(RANGE), Some(wrong)).await;
        let number = answer["error"]["number"].as_str().unwrap_or_else(|| panic!("{wrong}: {answer}"));
        assert!(["400", "401"].contains(&number), "{wrong}: {answer}");
        assert!(!answer.to_string().contains(SECRET));
        assert!(
            wrong.len() < 12 || !answer.to_string().contains(&wrong[..12]),
            "a refusal shows nothing: {answer}"
        );
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        bits <<= 8 * (3 - chunk.len());
        for place in 0..=chunk.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

#[tokio::test]
async fn a_path_outside_the_scope_by_wildcard_is_refused_as_a_whole() {
    let stand = Stand::new().await;
    for mut peer in stand.peers().await {
        for parameter in [
            json!(["*"]),
            json!(["*.Range"]),
            json!(["Powertrain"]),
            json!(["Powertrain.*"]),
            json!(["Speed", "Powertrain/Range"]),
        ] {
            let paths = json!({"variant":"paths","parameter":parameter});
            for request in [
                json!({"action":"get","path":"Vehicle","filter":paths}),
                json!({"action":"get","path":"Vehicle","filter":[paths,{"variant":"history","parameter":"P1D"}]}),
                json!({"action":"subscribe","path":"Vehicle","filter":[paths,{"variant":"timebased","parameter":{"period":"100"}}]}),
            ] {
                // Each has the range among what it means.
                let answer = peer.ask(request, None).await;
                assert!(!answer.to_string().contains(SECRET), "{answer}");
                assert!(!answer["error"].is_null(), "{answer}");
            }
        }
        // What is there may be known: its value may not.
        let tree = json!({"action":"get","path":"Vehicle","filter":{"variant":"metadata","parameter":"0"}});
        assert!(!peer.ask(tree, None).await.to_string().contains(SECRET));
    }
    stand.serves_others().await;
}

#[tokio::test]
async fn a_path_outside_the_scope_by_unicode_or_spelling_opens_nothing() {
    let stand = Stand::new().await;
    let mut peer = stand.peer().await;
    for path in [
        "Vehicle/Powertrain/Range",
        "/Vehicle/Powertrain/Range",
        "Vehicle.Powertrain/Range",
        "//Vehicle//Powertrain//Range",
        "Vehicle..Powertrain.Range",
        "Vehicle.Speed/../Powertrain.Range",
        "Vehicle/./Powertrain/Range",
        "Vehicle.Speed.../Powertrain/Range",
        "../Vehicle/Powertrain/Range",
        "Vehicle\\Powertrain\\Range",
        "vehicle.powertrain.range",
        "VEHICLE.POWERTRAIN.RANGE",
        "Vehicle%2EPowertrain%2ERange",
        "Vehicle%2FPowertrain%2FRange",
        "Vehicle.Powertrain.Rang%65",
        "Vehicle.Powertrain.Range%00",
        "Vehicle.Powertrain.Range\u{0}",
        "Vehicle.Powertrain.Range\u{0}.Speed",
        "Vehicle.Powertrain.Range ",
        " Vehicle.Powertrain.Range",
        "Vehicle.Powertrain.Range\n",
        "Vehicle.Powertrain.Range.",
        ".Vehicle.Powertrain.Range",
        // Cyrillic а and е, Greek ν, fullwidth letters, a mathematical R.
        "Vehicle.Powertrain.R\u{430}nge",
        "V\u{435}hicle.Powertrain.Range",
        "\u{3bd}ehicle.Powertrain.Range",
        "\u{ff36}\u{ff45}\u{ff48}icle.Powertrain.Range",
        "Vehicle.Powertrain.\u{1d411}ange",
        // Composed, decomposed, with marks that a reader does not see.
        "Vehicle.Powertrain.R\u{e5}nge",
        "Vehicle.Powertrain.Ra\u{30a}nge",
        "Vehicle.Powertrain.Ra\u{34f}nge",
        "Vehicle.Powertrain.Ran\u{200b}ge",
        "Vehicle.Powertrain.Ran\u{200d}ge",
        "Vehicle.Powertrain.\u{feff}Range",
        "Vehicle.Powertrain.\u{202e}egnaR",
        "Vehicle.Powertrain.Range\u{fe0f}",
        // Other dots and slashes.
        "Vehicle\u{ff0e}Powertrain\u{ff0e}Range",
        "Vehicle\u{2024}Powertrain\u{2024}Range",
        "Vehicle\u{2215}Powertrain\u{2215}Range",
        "Vehicle.Powertrain.*",
        "Vehicle.**",
        "*",
        "",
    ] {
        let past = json!({"variant":"history","parameter":"P1D"});
        let below = |path: &str| json!({"variant":"paths","parameter":[path]});
        for request in [
            get(path),
            subscribe(path),
            json!({"action":"get","path":path,"filter":past}),
            json!({"action":"get","path":"Vehicle","filter":below(path.trim_start_matches("Vehicle."))}),
            json!({"action":"get","path":"Vehicle.Powertrain","filter":below(path.trim_start_matches("Vehicle.Powertrain."))}),
            json!({"action":"set","path":path.replace("Powertrain.Range", "Cabin.Seat.Row1.DriverSide.HeatingCooling"),"value":"66"}),
        ] {
            let answer = peer.ask(request.clone(), None).await;
            let number = answer["error"]["number"].as_str().unwrap_or_else(|| panic!("{request}: {answer}"));
            assert!(["400", "401", "404"].contains(&number), "{request}: {answer}");
            assert!(!answer.to_string().contains(SECRET), "{request}: {answer}");
        }
    }
    // Escapes of JSON are read before anything is looked up.
    peer.send(r#"{"action":"get","path":"\u0056ehicle.Powertrain.R\u0061nge","requestId":"7"}"#).await;
    is_refused(&peer.hear().await, "401");
    // Which of two members of one name counts is nobody's guess.
    peer.send(format!(r#"{{"action":"get","path":"{SPEED}","path":"{RANGE}","requestId":"7"}}"#)).await;
    is_refused(&peer.hear().await, "400");
    assert_eq!(peer.ask(get(SEAT), None).await["data"]["dp"]["value"], "0", "nothing moved");
}

#[tokio::test]
async fn a_flood_of_requests_waits_and_others_are_served() {
    let stand = Stand::with(|options| options.bytes_in = Some(20_000)).await;
    for mut flooder in stand.peers().await {
        let request = format!(r#"{{"action":"get","path":"{SPEED}","requestId":"1"}}"#);
        let (mut sent, enough) = (0, 200_000);
        // It writes without reading, until nobody takes it any more.
        let flood = async {
            while sent < enough {
                flooder.send(request.clone()).await;
                sent += 1;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(400), flood).await;
        let taken = stand.gateway.counters().bytes_in;
        assert!(taken < 4 * 20_000 + 20_000, "{taken} bytes were taken of {sent} requests");
        stand.serves_others().await;
    }
    assert!(stand.gateway.counters().throttled >= 3);
}

/// The link is closed from the other end.
async fn is_cut(stream: &mut TcpStream) -> bool {
    let mut rest = [0; 512];
    loop {
        match tokio::time::timeout(Duration::from_secs(10), stream.read(&mut rest)).await {
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) => {}
            Err(_) => return false,
        }
    }
}

async fn raw(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: car\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A WebSocket whose handshake is done.
async fn upgraded(address: SocketAddr) -> TcpStream {
    let mut stream = raw(address, UPGRADE.as_bytes()).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        soon(stream.read_exact(&mut byte)).await.unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// A byte stream whose hello is done.
async fn greeted(address: SocketAddr) -> TcpStream {
    let mut stream = raw(address, b"\0\0\0\x0b\0coachwork/1").await;
    let mut head = [0; 5];
    soon(stream.read_exact(&mut head)).await.unwrap();
    let mut hello = vec![0; usize::from(head[3])];
    soon(stream.read_exact(&mut hello)).await.unwrap();
    stream
}

#[tokio::test]
async fn slowloris_in_the_handshake_is_cut_off_and_frees_its_place() {
    let stand = Stand::with(|options| options.handshakes = 4).await;
    for (address, part) in
        [(stand.tcp, &b"\0\0\0"[..]), (stand.web, &UPGRADE.as_bytes()[..UPGRADE.len() - 2])]
    {
        let mut slow = Vec::new();
        for _ in 0..4 {
            slow.push(raw(address, part).await);
        }
        stand.pass(Duration::ZERO).await;
        // Their places are taken, and nobody else comes in by this way ...
        let mut waiting = TcpStream::connect(address).await.unwrap();
        waiting
            .write_all(if address == stand.web { UPGRADE.as_bytes() } else { b"\0\0\0\x0b\0coachwork/1" })
            .await
            .unwrap();
        // ... until their time is over.
        stand.pass(Duration::from_secs(11)).await;
        for mut stream in slow {
            assert!(is_cut(&mut stream).await);
        }
        let mut first = [0];
        soon(waiting.read_exact(&mut first)).await.unwrap();
    }
    assert_eq!(stand.gateway.counters().turned_away, 8);
    stand.serves_others().await;
}

#[tokio::test]
async fn slowloris_in_the_middle_of_a_message_is_cut_off_when_it_is_silent_for_too_long() {
    let stand = Stand::new().await;
    let mut framed = greeted(stand.tcp).await;
    framed.write_all(b"\0\0\x01\0\x01{\"action\":\"get\"").await.unwrap();
    let mut web = upgraded(stand.web).await;
    // A text of 100 bytes, masked with zeros, of which a few arrive.
    web.write_all(&[0x81, 0xe4, 0, 0, 0, 0, b'{', b'"']).await.unwrap();
    for _ in 0..9 {
        stand.pass(MINUTE).await;
        framed.write_all(b" ").await.unwrap();
        web.write_all(b" ").await.unwrap();
        stand.serves_others().await;
    }
    assert!(stand.gateway.counters().connections >= 2);
    // A byte now and then is no word.
    stand.pass(2 * MINUTE).await;
    assert!(is_cut(&mut framed).await && is_cut(&mut web).await);
    assert!(stand.gateway.counters().cut_off >= 2);
    stand.serves_others().await;
}

#[tokio::test]
async fn an_oversized_message_is_refused_by_its_length_alone() {
    let stand = Stand::new().await;
    let mut framed = greeted(stand.tcp).await;
    framed.write_all(b"\xff\xff\xff\xff\x01").await.unwrap();
    assert!(is_cut(&mut framed).await);
    let mut web = upgraded(stand.web).await;
    web.write_all(&[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]).await.unwrap();
    let mut close = [0; 4];
    soon(web.read_exact(&mut close)).await.unwrap();
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1009), "{close:?}");
    // And in many frames, none of which is too large.
    let mut web = upgraded(stand.web).await;
    let part = vec![b' '; 1024 * 1024];
    let mut first = 0x01;
    for _ in 0..5 {
        let mut frame = vec![first, 0xff];
        frame.extend((part.len() as u64).to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(&part);
        if web.write_all(&frame).await.is_err() {
            break;
        }
        first = 0x00;
    }
    assert!(is_cut(&mut web).await);
    stand.serves_others().await;
}

#[tokio::test]
async fn deep_nesting_is_an_error_and_no_end() {
    let stand = Stand::new().await;
    for mut peer in stand.peers().await {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
            for text in [
                deep.clone(),
                format!(r#"{{"action":"get","path":"{SPEED}","requestId":"7","filter":{deep}}}"#),
            ] {
                peer.send(text).await;
                is_refused(&peer.hear().await, "429");
            }
        }
        assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
    }
}

#[tokio::test]
async fn a_subscription_bomb_is_bounded_and_others_are_served() {
    let stand = Stand::with(|options| options.limits.subscriptions = 32).await;
    for mut peer in stand.peers().await {
        let mut refused = 0;
        for number in 0..200 {
            peer.send(
                json!({"action":"subscribe","path":SPEED,"filter":change(),"requestId":number.to_string()})
                    .to_string(),
            )
            .await;
        }
        let mut answers = 0;
        while answers < 200 {
            let heard = peer.hear().await;
            answers += usize::from(heard["action"] == "subscribe");
            refused += usize::from(heard["error"]["number"] == "429");
        }
        assert_eq!(refused, 168);
        assert_eq!(stand.gateway.counters().subscriptions, 32);
        // Nor may one request name what costs much.
        for paths in [vec!["*.Range"; 65], vec!["Speed"; 4097]] {
            let filter = json!([{"variant":"paths","parameter":paths},{"variant":"timebased","parameter":{"period":"1"}}]);
            loop {
                let request =
                    json!({"action":"subscribe","path":"Vehicle","filter":filter.clone(),"requestId":"bomb"});
                peer.send(request.to_string()).await;
                let answer = peer.hear().await;
                if answer["requestId"] == "bomb" {
                    is_refused(&answer, "429");
                    break;
                }
            }
        }
        stand.serves_others().await;
        drop(peer);
        while stand.gateway.counters().subscriptions > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn guessing_the_ids_of_other_peers_subscriptions_reaches_nothing() {
    let stand = Stand::new().await;
    let [mut victim, mut one, mut two] = stand.peers().await;
    let shown = stand.token(|draft| draft);
    let subscribed = victim.ask(subscribe(RANGE), Some(&shown)).await;
    assert!(subscribed["subscriptionId"].is_string(), "{subscribed}");
    assert_eq!(victim.hear().await["data"]["dp"]["value"], SECRET);
    for peer in [&mut one, &mut two] {
        for id in 0..64_u32 {
            let answer =
                peer.ask(json!({"action":"unsubscribe","subscriptionId":id.to_string()}), None).await;
            is_refused(&answer, "404");
        }
    }
    // It still stands, and they were told nothing of it.
    stand
        .car
        .publish(&[(RANGE, Datapoint::valid(SECRET.parse::<u32>().unwrap() + 1, stand.clock.now()))])
        .unwrap();
    assert_eq!(victim.hear().await["data"]["dp"]["value"], "412413");
    for peer in [&mut one, &mut two] {
        assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
    }
}

#[tokio::test]
async fn guessing_the_keys_of_other_peers_requests_reaches_nothing() {
    let stand = Stand::new().await;
    let heat = PaidFeature::new("seat-heating".parse().unwrap(), PaidClass::Comfort);
    let shown = |id: &str| stand.token(|draft| draft.opens(&heat).sequence(id.len() as u64));
    let (owner, other) = (shown("a"), shown("bb"));
    assert_ne!(owner, other);
    let ask =
        |value: &str| json!({"action":"set","coachwork":"1","data":[{"path":SEAT,"value":value,"key":"1"}]});
    let [mut victim, mut stranger, _] = stand.peers().await;
    let first = victim.ask(ask("10"), Some(&owner)).await;
    assert!(["confirmed", "accepted"].contains(&first["receipts"][0]["stage"].as_str().unwrap()), "{first}");
    // Under the same key: a request of its own, no word of the other's.
    let second = stranger.ask(ask("20"), Some(&other)).await;
    assert!(
        ["confirmed", "accepted"].contains(&second["receipts"][0]["stage"].as_str().unwrap()),
        "{second}"
    );
}

/// A listener whose links others can read.
#[derive(Debug)]
struct Plain(memory::MemoryListener);

impl Listener for Plain {
    fn local(&self) -> &str {
        self.0.local()
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let arrival = std::task::ready!(self.0.poll_accept(cx))?;
        let seen = async { Ok(Box::new(Seen(arrival.await?, Info::new("afar:1"))) as Box<dyn Connection>) };
        Poll::Ready(Ok(Arrival::new("afar:1", seen)))
    }
}

#[derive(Debug)]
struct Seen(Box<dyn Connection>, Info);

impl Connection for Seen {
    fn info(&self) -> &Info {
        &self.1
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        self.0.poll_recv(cx)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.poll_ready(cx)
    }

    fn feed(
        &mut self,
        kind: coachwork::transport::MessageKind,
        parts: &[&[u8]],
    ) -> Result<(), TransportError> {
        self.0.feed(kind, parts)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.poll_flush(cx)
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        reason: &coachwork::transport::CloseReason,
    ) -> Poll<Result<(), TransportError>> {
        self.0.poll_close(cx, reason)
    }
}

#[tokio::test]
async fn a_link_that_others_can_read_is_turned_away_with_a_word() {
    for plain_links in [false, true] {
        let stand = Stand::with(|options| options.plain_links = plain_links).await;
        assert_eq!(Info::new("afar").security, Security::Plain);
        let (listener, connector) = memory::listen("afar", &Limits::default());
        spawn(stand.gateway.serve(Plain(listener))).unwrap();
        let mut peer = Peer(connector.connect().await.unwrap());
        if plain_links {
            assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
            continue;
        }
        let error = soon(peer.0.recv()).await.unwrap_err();
        let TransportError::Closed { reason, .. } = error else { panic!("{error}") };
        assert_eq!(reason.code(), CloseCode::Policy);
        assert!(reason.text().contains("others can read or change"), "{reason}");
    }
}

#[tokio::test]
async fn connections_of_one_host_are_bounded_over_all_transports() {
    let stand = Stand::with(|options| {
        options.plain_links = true;
        options.connections_per_host = 2;
    })
    .await;
    let mut kept = Vec::new();
    for place in 0..4 {
        let (listener, connector) = memory::listen("afar", &Limits::default());
        spawn(stand.gateway.serve(Plain(listener))).unwrap();
        let mut peer = Peer(connector.connect().await.unwrap());
        if place < 2 {
            assert_eq!(peer.ask(get(SPEED), None).await["data"]["dp"]["value"], "50");
            kept.push(peer);
        } else {
            let error = soon(peer.0.recv()).await.unwrap_err();
            assert!(error.to_string().contains("too many connections from this host"), "{error}");
        }
    }
    stand.serves_others().await;
}
