//! A car behind a gateway, a client in front of it, and a cable between them that can be cut: all on one thread and a clock that stands still.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(
    clippy::needless_pass_by_value,
    clippy::unnecessary_literal_bound,
    clippy::missing_panics_doc,
    clippy::struct_excessive_bools
)]

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use coachwork_client::{Client, Options, Outbox};
use coachwork_gateway::{Gateway, MemoryInbox};
use coachwork_transport::{
    CloseReason, Connection, Connector, Info, Limits, Message, MessageKind, TransportError, memory,
};
use coachwork_vehicle::{
    Admission, Catalogue, Clock, DataType, Datapoint, Entry, Error, Event, Everybody, Facts, ManualClock,
    MemoryVehicle, SignalId, State, Subscription, Timestamp, Value, Vehicle,
};
use futures::FutureExt;
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;

pub const SPEED: &str = "Vehicle.Speed";
pub const RANGE: &str = "Vehicle.Range";
pub const SEAT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.Heating";
pub const DOOR: &str = "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen";
pub const NAME: &str = "Vehicle.VehicleIdentification.Brand";
pub const TRIPS: &str = "Vehicle.Trips";

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::sensor(SPEED, DataType::FLOAT).with_unit("km/h"),
        Entry::sensor(RANGE, DataType::UINT32).with_unit("m").with_stale_after(Duration::from_secs(2)),
        Entry::actuator(SEAT, DataType::INT8)
            .with_unit("percent")
            .with_range(Value::Int(-100), Value::Int(100))
            .with_step(1.0),
        Entry::actuator(DOOR, DataType::BOOLEAN),
        Entry::attribute(NAME, DataType::STRING)
            .with_allowed([Value::Text("Ours".into()), Value::Text("Theirs".into())]),
        Entry::sensor(TRIPS, DataType::Array(coachwork_vehicle::ScalarType::Uint64)),
    ]
}

/// Everything that a test needs, on one thread.
pub struct Rig {
    pool: RefCell<LocalPool>,
    pub clock: ManualClock,
    pub car: MemoryVehicle,
    pub gateway: Gateway,
    pub inbox: Arc<MemoryInbox>,
    pub cable: Cable,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(|_| {}, Facts::default())
    }

    pub fn with(change: impl FnOnce(&mut coachwork_gateway::Options), facts: Facts) -> Self {
        let clock = ManualClock::new(Timestamp::from_seconds(1_700_000_000));
        let car = MemoryVehicle::new(Catalogue::new(entries(), facts).unwrap(), Arc::new(clock.clone()));
        let admission = Arc::new(Everybody::sees(car.clone()));
        Self::admitting(admission, car, clock, change)
    }

    pub fn admitting(
        admission: Arc<dyn Admission>,
        car: MemoryVehicle,
        clock: ManualClock,
        change: impl FnOnce(&mut coachwork_gateway::Options),
    ) -> Self {
        let mut options = coachwork_gateway::Options::default();
        change(&mut options);
        let gateway = Gateway::new(admission, Arc::new(clock.clone()), options);
        let inbox = Arc::new(MemoryInbox::new(10_000));
        let gateway = gateway.storing(inbox.clone());
        let rig = Self {
            pool: RefCell::new(LocalPool::new()),
            clock: clock.clone(),
            car,
            gateway: gateway.clone(),
            inbox,
            cable: Cable::default(),
        };
        rig.listen();
        rig
    }

    /// Plugs the cable into a new listener of the gateway.
    pub fn listen(&self) {
        let (listener, connector) = memory::listen("gateway", &Limits::default());
        *self.cable.plug.lock().unwrap() = Some(connector);
        let driver = self.gateway.serve(listener);
        self.spawn(async move { driver.await.unwrap() });
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }

    pub fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.pool.borrow().spawner().spawn_local(work).unwrap();
    }

    /// Runs what was spawned until nothing more can be done at the present time.
    pub fn settle(&self) {
        self.pool.borrow_mut().run_until_stalled();
    }

    /// Runs until `work` is done; fails where it cannot be done at the present time.
    #[track_caller]
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        for _ in 0..1000 {
            if let Some(done) = work.as_mut().now_or_never() {
                return done;
            }
            self.settle();
        }
        panic!("it waits for something that cannot come");
    }

    /// Another gateway for the same car takes the cable.
    pub fn replace_gateway(&self) {
        let admission = Arc::new(Everybody::sees(self.car.clone()));
        let gateway = Gateway::new(admission, self.clock(), coachwork_gateway::Options::default());
        let gateway = gateway.storing(self.inbox.clone());
        let (listener, connector) = memory::listen("gateway", &Limits::default());
        *self.cable.plug.lock().unwrap() = Some(connector);
        let driver = gateway.serve(listener);
        self.spawn(async move { driver.await.unwrap() });
    }

    /// Lets time pass in small steps, everything running meanwhile.
    pub fn pass(&self, time: Duration) {
        let end = self.clock.monotonic().saturating_add(time);
        loop {
            self.settle();
            let now = self.clock.monotonic();
            let next = self.clock.next_deadline().filter(|next| *next < end && *next > now).unwrap_or(end);
            if now >= end {
                return;
            }
            self.clock.advance(next.saturating_since(now));
        }
    }

    pub fn client(&self) -> Client {
        self.client_with(|_| {})
    }

    pub fn client_with(&self, change: impl FnOnce(&mut Options)) -> Client {
        self.try_client(change).unwrap()
    }

    pub fn try_client(&self, change: impl FnOnce(&mut Options)) -> Result<Client, Error> {
        let mut options = Options::default();
        change(&mut options);
        let (client, driver) = self.run(Client::connect(self.cable.clone(), self.clock(), options))?;
        self.spawn(async move { drop(driver.await) });
        Ok(client)
    }

    pub fn client_of(&self, outbox: &Outbox) -> Client {
        let options = Options::default();
        let connecting = Client::connect_with(self.cable.clone(), self.clock(), options, outbox.clone());
        let (client, driver) = self.run(connecting).unwrap();
        self.spawn(async move { drop(driver.await) });
        client
    }

    pub fn publish(&self, points: &[(&str, Value)]) {
        let at = self.clock.now();
        let points: Vec<_> =
            points.iter().map(|(path, value)| (*path, Datapoint::valid(value.clone(), at))).collect();
        self.car.publish(&points).unwrap();
    }

    pub fn speed(&self, speed: f32) {
        self.publish(&[(SPEED, Value::Float(speed))]);
    }

    /// What a subscription tells at the present time.
    pub fn events(&self, subscription: &mut Subscription) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            match subscription.next().now_or_never() {
                Some(Some(event)) => events.push(event),
                Some(None) => return events,
                None => {
                    self.settle();
                    match subscription.next().now_or_never() {
                        Some(Some(event)) => events.push(event),
                        _ => return events,
                    }
                }
            }
        }
    }

    /// The states that a subscription tells at the present time, in one list.
    pub fn states(&self, subscription: &mut Subscription) -> Vec<State> {
        let mut states = Vec::new();
        for event in self.events(subscription) {
            match event {
                Event::Changed(points) => states.extend(points.iter().map(|(_, point)| point.state.clone())),
                other => panic!("{other:?}"),
            }
        }
        states
    }
}

pub fn id(vehicle: &dyn Vehicle, path: &str) -> SignalId {
    vehicle.catalogue().resolve(path).unwrap()
}

pub fn float(value: f32) -> State {
    State::Valid(Value::Float(value))
}

/// A way from a client to a gateway that can be cut, and that can swallow everything without a word.
#[derive(Clone, Default)]
pub struct Cable {
    plug: Arc<Mutex<Option<memory::MemoryConnector>>>,
    state: Arc<Mutex<Wire>>,
    pub attempts: Arc<AtomicU64>,
    pub received: Arc<Mutex<Vec<String>>>,
    pub sent: Arc<Mutex<Vec<String>>>,
}

#[derive(Default)]
struct Wire {
    /// Raised with each cut: connections of an earlier number are broken.
    cut: u64,
    unplugged: bool,
    silent: bool,
    deaf: bool,
    plain: bool,
    wakers: Vec<Waker>,
}

impl Cable {
    /// Breaks the connections that stand.
    pub fn cut(&self) {
        let mut wire = self.state.lock().unwrap();
        wire.cut += 1;
        (wire.silent, wire.deaf) = (false, false);
        let wakers = std::mem::take(&mut wire.wakers);
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// From now on attempts to connect fail, or succeed again.
    pub fn unplug(&self, unplugged: bool) {
        self.state.lock().unwrap().unplugged = unplugged;
    }

    /// From now on the gateway does not learn that the client knows more than VISS.
    pub fn speak_plain_viss(&self) {
        self.state.lock().unwrap().plain = true;
    }

    /// Puts another gateway at the end of the cable.
    pub fn plug(&self, connector: memory::MemoryConnector) {
        *self.plug.lock().unwrap() = Some(connector);
    }

    /// From now on what the client says arrives, and nothing comes back, until the next cut.
    pub fn lose_answers(&self) {
        self.state.lock().unwrap().deaf = true;
    }

    /// From now on nothing arrives, in either direction, and nobody is told.
    pub fn silence(&self) {
        self.state.lock().unwrap().silent = true;
    }
}

impl std::fmt::Debug for Cable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cable")
    }
}

#[async_trait]
impl Connector for Cable {
    fn peer(&self) -> &str {
        "gateway"
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let number = {
            let wire = self.state.lock().unwrap();
            if wire.unplugged {
                return Err(broken());
            }
            wire.cut
        };
        let plug = self.plug.lock().unwrap().clone().unwrap();
        let inner = plug.connect().await?;
        Ok(Box::new(Wired {
            cable: self.clone(),
            number,
            inner: Some(inner),
            info: Info::new("gateway").with_security(coachwork_transport::Security::Local),
        }))
    }
}

fn broken() -> TransportError {
    TransportError::io("gateway", std::io::ErrorKind::ConnectionReset.into())
}

struct Wired {
    cable: Cable,
    number: u64,
    inner: Option<Box<dyn Connection>>,
    info: Info,
}

impl std::fmt::Debug for Wired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wired")
    }
}

enum Now<'a> {
    Works(&'a mut dyn Connection),
    Silent,
    Broken,
}

impl Wired {
    fn now(&mut self, cx: Option<&Context<'_>>) -> Now<'_> {
        let mut wire = self.cable.state.lock().unwrap();
        if let Some(cx) = cx {
            wire.wakers.retain(|waker| !waker.will_wake(cx.waker()));
            wire.wakers.push(cx.waker().clone());
        }
        if wire.cut > self.number {
            self.inner = None;
        }
        match &mut self.inner {
            None => Now::Broken,
            Some(_) if wire.silent => Now::Silent,
            Some(inner) => Now::Works(inner),
        }
    }
}

impl Connection for Wired {
    fn info(&self) -> &Info {
        &self.info
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        if self.cable.state.lock().unwrap().deaf && self.number == self.cable.state.lock().unwrap().cut {
            let _ = self.now(Some(cx));
            return Poll::Pending;
        }
        let received = match self.now(Some(cx)) {
            Now::Works(inner) => std::task::ready!(inner.poll_recv(cx)),
            Now::Silent => return Poll::Pending,
            Now::Broken => Err(broken()),
        };
        if let Ok(message) = &received {
            let text = String::from_utf8_lossy(message.data()).into_owned();
            self.cable.received.lock().unwrap().push(text);
        }
        Poll::Ready(received)
    }

    fn is_receiving(&self) -> bool {
        self.inner.as_ref().is_some_and(Connection::is_receiving)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self.now(Some(cx)) {
            Now::Works(inner) => inner.poll_ready(cx),
            Now::Silent => Poll::Ready(Ok(())),
            Now::Broken => Poll::Ready(Err(broken())),
        }
    }

    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError> {
        let mut text = String::from_utf8_lossy(&parts.concat()).into_owned();
        if self.cable.state.lock().unwrap().plain {
            let mut message: serde_json::Value = serde_json::from_str(&text).unwrap();
            message.as_object_mut().unwrap().remove("coachwork");
            text = message.to_string();
        }
        self.cable.sent.lock().unwrap().push(text.clone());
        let parts = &[text.as_bytes()];
        match self.now(None) {
            Now::Works(inner) => inner.feed(kind, parts),
            Now::Silent => Ok(()),
            Now::Broken => Err(broken()),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self.now(Some(cx)) {
            Now::Works(inner) => inner.poll_flush(cx),
            Now::Silent => Poll::Ready(Ok(())),
            Now::Broken => Poll::Ready(Err(broken())),
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        match self.now(Some(cx)) {
            Now::Works(inner) => inner.poll_close(cx, reason),
            Now::Silent => Poll::Ready(Ok(())),
            Now::Broken => Poll::Ready(Err(broken())),
        }
    }
}
