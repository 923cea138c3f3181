//! A car at its broker: whoever asks on its topic becomes a connection.
//!
//! One task has the link. It makes a link again when one is lost, and ends all connections of the lost one, for their peers' messages may be lost with
//! it; by the broker's word (the will) and by that of the new link, apps know it.
//!
//! *Invariant:* as many connections as the bounds say, and nothing is held for anybody else. A listener that is dropped takes nobody in; the task goes
//! with the last connection.
//! *Next:* `peers.rs` (what payloads mean), `mailbox.rs` (the connections), `link.rs`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use coachwork_tokio::tls::ClientTls;
use coachwork_transport::{Arrival, CloseCode, CloseReason, Limits, Listener, TransportError};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};

use crate::connection::MqttConnection;
use crate::flow::Flow;
use crate::link::{Broker, Heard, Link, random};
use crate::mailbox::{Bell, Mailbox, Over, lock, wake};
use crate::peers::{Happening, PeerBounds, Peers};
use crate::sign_in::SignIn;
use crate::topic;
use crate::url::UrlError;

/// Rung when the listener is gone.
const NOBODY: u64 = u64::MAX;
/// How often silence is looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// How many messages of one peer go before those of the next one.
const TURN: usize = 8;
/// Between two links: at most this, and at most twice the last time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The car of a URL: `mqtts://broker.example:8883/VEHICLE`, where `VEHICLE` is its name at the broker. It is asked on the topic `VEHICLE/Vehicle`.
/// Without a port it is 8883, or 1883 in the clear. It goes to the broker with the first [`accept`](coachwork_transport::ListenerExt::accept), or
/// with [`online`](MqttListener::online).
///
/// # Errors
/// What is wrong with the URL.
pub fn listen(url: &str, limits: &Limits) -> Result<MqttListener, UrlError> {
    let broker = Broker::at(url, limits)?;
    let local = broker.url.shown.to_string();
    let door = Arc::new(Door::default());
    Ok(MqttListener {
        broker,
        bounds: PeerBounds::default(),
        local,
        door,
        bell: Arc::default(),
        is_started: false,
    })
}

/// Takes in whoever asks a car through its broker.
pub struct MqttListener {
    broker: Broker,
    bounds: PeerBounds,
    local: String,
    door: Arc<Door>,
    bell: Arc<Bell>,
    is_started: bool,
}

/// Between the task and the listener.
#[derive(Default)]
struct Door(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    arrivals: VecDeque<MqttConnection>,
    error: Option<TransportError>,
    is_online: bool,
    listener_gone: bool,
    task_gone: bool,
    waker: Option<Waker>,
}

impl MqttListener {
    /// Believes and shows what this says, on `mqtts://`.
    #[must_use]
    pub fn secured(mut self, tls: &ClientTls) -> Self {
        self.broker.secure(tls);
        self
    }

    /// Tells the broker this user's name and password.
    #[must_use]
    pub fn signed_in(mut self, sign_in: &SignIn) -> Self {
        self.broker.sign_in = Some(sign_in.clone());
        self
    }

    /// Has this name among the broker's clients, which some brokers demand. Default: a random one.
    #[must_use]
    pub fn named(mut self, client: &str) -> Self {
        self.broker.client = Some(client.chars().take(256).collect());
        self
    }

    /// Bounds its peers like this. Default: [`PeerBounds::default`].
    #[must_use]
    pub fn bounded(mut self, bounds: PeerBounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Speaks this with everybody: `VISSv2`, `VISSv3`. MQTT has no way to agree on it. Default: no name, so that a gateway takes it from their words.
    #[must_use]
    pub fn speaking(mut self, subprotocol: &str) -> Self {
        self.broker.subprotocol = Some(subprotocol.into());
        self
    }

    /// Lets the broker notice a lost link after one and a half times this. Default 20 seconds.
    #[must_use]
    pub fn keeping_alive(mut self, every: Duration) -> Self {
        self.broker.keep_alive = every.clamp(Duration::from_secs(1), Duration::from_secs(3600));
        self
    }

    /// Goes to a broker on another machine with `mqtt://` too, where everybody on the way can read and change what travels.
    #[must_use]
    pub fn allowing_plain_links(mut self) -> Self {
        self.broker.allow_plain_links();
        self
    }

    /// Waits until the broker has taken the car in. Not needed: without it, the car goes to the broker as soon as it is there, and comes back to it.
    /// Cancel-safe.
    ///
    /// # Errors
    /// Why the first attempt since the last call failed. It goes on trying.
    pub async fn online(&mut self) -> Result<(), TransportError> {
        self.start()?;
        poll_fn(|cx| {
            let mut waiting = lock(&self.door.0);
            if let Some(error) = waiting.error.take() {
                return Poll::Ready(Err(error));
            }
            if waiting.is_online {
                return Poll::Ready(Ok(()));
            }
            waiting.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn start(&mut self) -> Result<(), TransportError> {
        if self.is_started {
            return Ok(());
        }
        let closed = |why: String| TransportError::Closed {
            peer: self.local.as_str().into(),
            reason: CloseReason::new(CloseCode::Internal, why),
        };
        let handle = Handle::try_current().map_err(|why| closed(why.to_string()))?;
        let peers = Peers::new("", &self.broker.limits, self.bounds.clone());
        let car = Car {
            broker: self.broker.clone(),
            door: self.door.clone(),
            bell: self.bell.clone(),
            peers,
            mailboxes: HashMap::new(),
            waiting: VecDeque::new(),
            waits: HashSet::new(),
            telling: Vec::new(),
            since: Instant::now(),
        };
        handle.spawn(car.run());
        self.is_started = true;
        Ok(())
    }
}

impl Listener for MqttListener {
    fn local(&self) -> &str {
        &self.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        self.start()?;
        let mut waiting = lock(&self.door.0);
        if let Some(connection) = waiting.arrivals.pop_front() {
            return Poll::Ready(Ok(Arrival::ready(connection)));
        }
        if let Some(error) = waiting.error.take() {
            return Poll::Ready(Err(error));
        }
        if waiting.task_gone {
            let reason = CloseReason::new(CloseCode::GoingAway, "the runtime ended");
            return Poll::Ready(Err(TransportError::Closed { peer: self.local.as_str().into(), reason }));
        }
        waiting.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for MqttListener {
    fn drop(&mut self) {
        let mut waiting = lock(&self.door.0);
        waiting.listener_gone = true;
        waiting.waker = None;
        let arrivals = std::mem::take(&mut waiting.arrivals);
        drop(waiting);
        // Each tells its peer.
        drop(arrivals);
        self.bell.ring(NOBODY);
    }
}

/// The task.
struct Car {
    broker: Broker,
    door: Arc<Door>,
    bell: Arc<Bell>,
    peers: Peers,
    mailboxes: HashMap<u64, Arc<Mailbox>>,
    /// Those that have something to send and found no room on the link, each once.
    waiting: VecDeque<u64>,
    waits: HashSet<u64>,
    /// Those that ended here, until the broker has taken what was said last.
    telling: Vec<(u16, Arc<Mailbox>)>,
    since: Instant,
}

enum Step {
    Heard(Heard),
    Rung(u64),
    Sweep,
}

impl Car {
    async fn run(mut self) {
        let mut pause = Duration::ZERO;
        loop {
            let lost = match self.connected().await {
                Ok((link, session)) => {
                    pause = Duration::ZERO;
                    match self.serve(link, &session).await {
                        Ok(()) => return,
                        Err(lost) => lost,
                    }
                }
                Err(lost) => lost,
            };
            self.all_lost(&lost);
            self.door.set(|waiting| {
                waiting.is_online = false;
                waiting.error = Some(lost);
            });
            pause = (pause * 2).clamp(Duration::from_millis(250), LONGEST_PAUSE);
            if !self.paused(pause).await {
                return;
            }
        }
    }

    async fn connected(&mut self) -> Result<(Link, String), TransportError> {
        let vehicle = &self.broker.url.vehicle;
        let (requests, presence) = (topic::requests(vehicle), topic::presence(vehicle));
        let session = random().map_err(|why| TransportError::io(self.broker.url.shown.clone(), why))?;
        self.peers.lose_all(&session);
        let will = format!("gone {session}");
        let mut link = self.broker.open((&presence, will.as_bytes()), &[&requests]).await?;
        link.publish(&presence, &[b"here ", session.as_bytes()]);
        Ok((link, session))
    }

    /// Waits for at most `most`, so that not all cars come back to a broker at once; `false` where nobody needs it any more.
    async fn paused(&mut self, most: Duration) -> bool {
        let mut byte = [0];
        // Without a random number it is the longest time.
        let part = if getrandom::fill(&mut byte).is_ok() { u32::from(byte[0]) + 1 } else { 256 };
        let mut over = pin!(tokio::time::sleep(most * part / 256));
        poll_fn(|cx| {
            while self.bell.poll(cx).is_ready() {}
            if lock(&self.door.0).listener_gone {
                return Poll::Ready(false);
            }
            over.as_mut().poll(cx).map(|()| true)
        })
        .await
    }

    /// Serves a link until it is lost, or nobody needs it any more.
    async fn serve(&mut self, mut link: Link, session: &str) -> Result<(), TransportError> {
        let requests = topic::requests(&self.broker.url.vehicle);
        self.door.set(|waiting| {
            waiting.is_online = true;
            waiting.error = None;
        });
        let mut sweep = Box::pin(tokio::time::sleep(SWEEP));
        let mut bell_first = false;
        loop {
            bell_first = !bell_first;
            match poll_fn(|cx| self.poll_step(cx, &mut link, sweep.as_mut(), bell_first)).await? {
                Step::Heard(Heard::Message(publish)) if publish.topic == requests && !publish.retained => {
                    // What gets no answer has no effect: any stranger can send it.
                    if let Ok(happenings) = self.peers.receive(&publish.payload, self.since.elapsed()) {
                        self.happen(&mut link, happenings);
                    }
                }
                Step::Heard(Heard::Message(_) | Heard::TooLarge(_)) => {}
                Step::Heard(Heard::Progress) => self.progress(&mut link),
                Step::Rung(id) => self.attend(&mut link, id),
                Step::Sweep => {
                    sweep.as_mut().reset(Instant::now() + SWEEP);
                    let happenings = self.peers.sweep(self.since.elapsed());
                    self.happen(&mut link, happenings);
                }
            }
            let is_idle = self.mailboxes.is_empty() && self.telling.is_empty();
            if is_idle && lock(&self.door.0).listener_gone {
                return self.leave(link, session).await;
            }
        }
    }

    /// The end in good order.
    async fn leave(&mut self, mut link: Link, session: &str) -> Result<(), TransportError> {
        let presence = topic::presence(&self.broker.url.vehicle);
        let last = link.publish(&presence, &[b"gone ", session.as_bytes()]);
        let taken = async {
            while !link.has_taken(last) {
                poll_fn(|cx| link.poll(cx)).await?;
            }
            Ok::<_, TransportError>(())
        };
        drop(tokio::time::timeout(Duration::from_secs(2), taken).await);
        link.disconnect().await;
        Ok(())
    }

    fn poll_step(
        &self,
        cx: &mut Context<'_>,
        link: &mut Link,
        sweep: Pin<&mut Sleep>,
        bell_first: bool,
    ) -> Poll<Result<Step, TransportError>> {
        if bell_first && let Poll::Ready(id) = self.bell.poll(cx) {
            return Poll::Ready(Ok(Step::Rung(id)));
        }
        if let Poll::Ready(heard) = link.poll(cx)? {
            return Poll::Ready(Ok(Step::Heard(heard)));
        }
        if !self.waiting.is_empty() && link.has_room() {
            return Poll::Ready(Ok(Step::Heard(Heard::Progress)));
        }
        if let Poll::Ready(id) = self.bell.poll(cx) {
            return Poll::Ready(Ok(Step::Rung(id)));
        }
        sweep.poll(cx).map(|()| Ok(Step::Sweep))
    }

    fn happen(&mut self, link: &mut Link, happenings: Vec<Happening>) {
        for happening in happenings {
            match happening {
                Happening::Arrived { peer, topic, is_coachwork } => {
                    self.arrived(link, peer, &topic, is_coachwork);
                }
                Happening::Message { peer, message } => {
                    if let Some(mailbox) = self.mailboxes.get(&peer) {
                        mailbox.deliver(message);
                    }
                }
                Happening::Room(peer) => self.attend(link, peer),
                Happening::Ended { peer, end } => {
                    if let Some(mailbox) = self.mailboxes.remove(&peer) {
                        mailbox.end(end.error(&self.name(peer)));
                    }
                }
                Happening::Say { topic, payload } => {
                    if !link.is_flooded() {
                        link.publish(&topic, &[&payload]);
                    }
                }
            }
        }
    }

    fn arrived(&mut self, link: &mut Link, peer: u64, topic: &str, is_coachwork: bool) {
        if lock(&self.door.0).listener_gone {
            let reason = CloseReason::new(CloseCode::GoingAway, "the car takes nobody in any more");
            if let Some((topic, payload)) = self.peers.close(peer, Some(reason)) {
                link.publish(&topic, &[&payload]);
            }
            return;
        }
        let limits = &self.broker.limits;
        let mailbox = Mailbox::new(peer, &self.bell);
        self.mailboxes.insert(peer, mailbox.clone());
        let flow = if is_coachwork { Flow::new(limits.write_buffer, 1).ok() } else { None };
        // A topic that nobody else guesses is worth something: only its beginning is shown.
        let shown: String = topic.chars().take(8).collect();
        let shown = format!("{} peer {peer} ({shown}…)", self.broker.url.shown);
        let info = self.broker.described(&shown, link.security);
        let connection = MqttConnection::new(info, limits, mailbox, flow, false);
        self.door.set(|waiting| waiting.arrivals.push_back(connection));
    }

    /// Sends what a mailbox has for its peer, as far as there is room.
    fn attend(&mut self, link: &mut Link, id: u64) {
        let Some(mailbox) = self.mailboxes.get(&id).cloned() else { return };
        let taken = mailbox.lock().taken;
        if let Some((topic, payload)) = self.peers.taken(id, taken) {
            link.publish(&topic, &[&payload]);
        }
        let mut turn = TURN;
        while turn > 0 && link.has_room() && self.peers.may_send(id) {
            let Some(message) = mailbox.next_out() else { break };
            let Some((topic, head)) = self.peers.send(id, &message) else { break };
            link.publish(&topic, &[&head, message.data()]);
            turn -= 1;
        }
        let more = mailbox.lock().flushed > 0;
        if let Some(Over(reason)) = mailbox.over() {
            self.mailboxes.remove(&id);
            if let Some((topic, payload)) = self.peers.close(id, reason) {
                link.publish(&topic, &[&payload]);
            }
            self.telling.push((link.last(), mailbox));
        } else if more && self.peers.may_send(id) && self.waits.insert(id) {
            self.waiting.push_back(id);
        }
    }

    /// The broker has taken something.
    fn progress(&mut self, link: &mut Link) {
        self.telling.retain(|(id, mailbox)| {
            let is_told = link.has_taken(*id);
            if is_told {
                mailbox.told();
            }
            !is_told
        });
        for _ in 0..self.waiting.len() {
            if !link.has_room() {
                return;
            }
            let Some(id) = self.waiting.pop_front() else { return };
            self.waits.remove(&id);
            self.attend(link, id);
        }
    }

    fn name(&self, peer: u64) -> Arc<str> {
        format!("{} peer {peer}", self.broker.url.shown).into()
    }

    fn all_lost(&mut self, lost: &TransportError) {
        for (_, mailbox) in self.mailboxes.drain() {
            mailbox.end(lost.clone());
        }
        for (_, mailbox) in self.telling.drain(..) {
            mailbox.told();
        }
        self.waiting.clear();
        self.waits.clear();
        // Nobody is there any more to whom those who wait to be accepted could speak.
        let arrivals = std::mem::take(&mut lock(&self.door.0).arrivals);
        drop(arrivals);
    }
}

/// The runtime may drop the task at any time: nobody waits for it then.
impl Drop for Car {
    fn drop(&mut self) {
        let ended = io::Error::other("the runtime ended");
        self.all_lost(&TransportError::io(self.broker.url.shown.clone(), ended));
        self.door.set(|waiting| (waiting.task_gone, waiting.is_online) = (true, false));
    }
}

impl Door {
    fn set(&self, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = lock(&self.0);
        change(&mut waiting);
        let waker = waiting.waker.take();
        drop(waiting);
        wake(waker);
    }
}

impl fmt::Debug for MqttListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MqttListener({})", self.local)
    }
}
