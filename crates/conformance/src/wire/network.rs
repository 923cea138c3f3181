//! A network that is as bad as it is told to be, on a clock that is moved by hand: the same seed, the same weather, the same run.
//!
//! A connection carries whole messages in order, so what happens to packets shows as time: loss and disorder below are a delay above. Beyond
//! that a connection stalls, is cut for both ends, or goes silent for both without a word; and a window holds back who writes to a slow reader.
//! [`Weather::broken`] goes further than any transport may: messages themselves are lost, doubled, swapped and cut short.
//!
//! *Invariant:* without `broken`, each connection keeps the transport's clauses T1 to T13. Nothing here reads a clock or a random source.
//! *Next:* `wire.rs` (the clauses), `tests/faults.rs` (clients and gateways in this weather).

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use coachwork_transport::{
    Arrival, CloseReason, Connection, Connector, Info, Limits, Listener, Message, MessageKind, Security,
    TransportError,
};
use coachwork_vehicle::{Clock, Monotonic, Sleep};

/// How bad it is. Chances are in a thousand, for each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Weather {
    /// The least and the most time that a message travels; also when one overtakes another below, for the later waits.
    pub delay: (Duration, Duration),
    /// A packet is lost: its message, and what follows it, comes a fifth of a second later, twice that when lost again, and so on.
    pub loss: u16,
    /// The connection stalls for up to two seconds.
    pub stall: u16,
    /// The connection is cut, with what is under way.
    pub cut: u16,
    /// The connection goes silent: nothing arrives any more, in either direction, and nobody is told.
    pub silent: u16,
    /// An attempt to connect fails.
    pub refused: u16,
    /// How many bytes may be under way in one direction before the writer waits; zero: as the limits have it.
    pub window: usize,
    /// Of what no transport does: each message is lost, doubled, swapped with the next, or cut short, with this chance each.
    pub broken: u16,
}

impl Weather {
    /// Nothing goes wrong, and everything arrives at once.
    pub fn fine() -> Self {
        Self::default()
    }

    /// Any weather that keeps a transport's clauses, by chance.
    pub fn any(chance: &mut Chance) -> Self {
        let mut weather = Self::default();
        let least = Duration::from_millis(chance.below(50));
        weather.delay = (least, least + Duration::from_millis(chance.below(400)));
        let mut sometimes = |most: u64| if chance.below(2) == 0 { 0 } else { chance.small(most) };
        weather.loss = sometimes(200);
        weather.stall = sometimes(40);
        weather.cut = sometimes(40);
        weather.silent = sometimes(25);
        weather.refused = sometimes(600);
        weather.window = if chance.below(3) == 0 { 200 + usize::from(chance.small(4000)) } else { 0 };
        weather
    }
}

/// Numbers that look random and are the same each time.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// The next number (SplitMix64).
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next one below a bound; zero where the bound is.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw().checked_rem(bound).unwrap_or(0)
    }

    fn small(&mut self, bound: u64) -> u16 {
        u16::try_from(self.below(bound)).unwrap_or(u16::MAX)
    }

    fn hits(&mut self, in_a_thousand: u16) -> bool {
        in_a_thousand > 0 && self.below(1000) < u64::from(in_a_thousand)
    }

    fn between(&mut self, (least, most): (Duration, Duration)) -> Duration {
        let span = u64::try_from(most.saturating_sub(least).as_nanos()).unwrap_or(u64::MAX);
        least + Duration::from_nanos(self.below(span.saturating_add(1)))
    }
}

/// A network between one listener at a time and any number of connectors. Clones are handles to the same one.
#[derive(Clone)]
pub struct Network(Arc<Net>);

struct Net {
    clock: Arc<dyn Clock>,
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    chance: Chance,
    weather: Weather,
    /// Those who wait to be accepted, at the listener of this number.
    waiting: VecDeque<End>,
    listener: u64,
    listens: bool,
    acceptor: Option<Waker>,
    links: Vec<Arc<Mutex<Link>>>,
    most_bytes: usize,
    counts: Counts,
}

/// What happened on a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections that came to stand.
    pub connections: u64,
    /// Messages that were sent.
    pub messages: u64,
    /// Connections that were cut.
    pub cuts: u64,
    /// Connections that went silent.
    pub silences: u64,
    /// Messages that were lost, doubled, swapped or cut short.
    pub broken: u64,
}

/// Both directions of one connection: `ways[n]` is what side `n` sends.
#[derive(Default)]
struct Link {
    ways: [Way; 2],
    cut: bool,
    silent: bool,
}

#[derive(Default)]
struct Way {
    messages: VecDeque<(Monotonic, Message)>,
    bytes: usize,
    /// When the last one arrives.
    last: Monotonic,
    /// What the sender said when it left; `None` where it was dropped.
    left: Option<(Monotonic, Option<CloseReason>)>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

/// One end of a connection through a [`Network`].
pub struct End {
    net: Arc<Net>,
    link: Arc<Mutex<Link>>,
    side: usize,
    info: Info,
    fed: VecDeque<Message>,
    fed_bytes: usize,
    timer: Option<(Monotonic, Sleep)>,
    over: Option<TransportError>,
    closing: bool,
}

/// The listener of a [`Network`]. When it is dropped, connections are refused until there is another.
pub struct NetworkListener {
    net: Arc<Net>,
    name: Arc<str>,
    number: u64,
}

/// A way to whoever listens at a [`Network`].
#[derive(Clone)]
pub struct NetworkConnector(Arc<Net>, Arc<str>);

impl Network {
    /// A network in fine weather, whose chances come from `seed`.
    pub fn new(clock: Arc<dyn Clock>, seed: u64, limits: &Limits) -> Self {
        let state = State {
            chance: Chance::new(seed),
            weather: Weather::fine(),
            waiting: VecDeque::new(),
            listener: 0,
            listens: false,
            acceptor: None,
            links: Vec::new(),
            most_bytes: 0,
            counts: Counts::default(),
        };
        Self(Arc::new(Net { clock, limits: limits.clone(), state: Mutex::new(state) }))
    }

    /// Changes the weather for what is sent from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.0.lock().weather = weather;
    }

    /// Listens; an earlier listener hears nothing any more.
    pub fn listen(&self) -> NetworkListener {
        let mut state = self.0.lock();
        state.listener += 1;
        state.listens = true;
        NetworkListener { net: self.0.clone(), name: "network".into(), number: state.listener }
    }

    /// A way to whoever listens.
    pub fn connector(&self) -> NetworkConnector {
        NetworkConnector(self.0.clone(), "network".into())
    }

    /// Cuts the connections that stand.
    pub fn cut(&self) {
        let links = self.0.lock().links.clone();
        for link in links {
            cut(&link);
            self.0.lock().counts.cuts += 1;
        }
    }

    /// The most bytes that were under way at once, on all connections.
    pub fn most_bytes(&self) -> usize {
        self.0.lock().most_bytes
    }

    /// What happened.
    pub fn counts(&self) -> Counts {
        self.0.lock().counts
    }

    /// Two ends of one connection.
    pub fn pair(&self) -> (End, End) {
        self.0.pair()
    }
}

impl Net {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn pair(self: &Arc<Self>) -> (End, End) {
        let link = Arc::new(Mutex::new(Link::default()));
        {
            let mut state = self.lock();
            state.counts.connections += 1;
            state.links.retain(|link| Arc::strong_count(link) > 1);
            state.links.push(link.clone());
        }
        let end = |side| End {
            net: self.clone(),
            link: link.clone(),
            side,
            info: Info::new("network").with_security(Security::Local),
            fed: VecDeque::new(),
            fed_bytes: 0,
            timer: None,
            over: None,
            closing: false,
        };
        (end(0), end(1))
    }

    fn window(&self) -> usize {
        let window = self.lock().weather.window;
        if window == 0 { self.limits.write_buffer } else { window }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cut(link: &Mutex<Link>) {
    let wakers: Vec<_> = {
        let mut link = lock(link);
        if link.cut {
            return;
        }
        link.cut = true;
        link.ways.iter_mut().flat_map(Way::wakers).collect()
    };
    wakers.into_iter().for_each(Waker::wake);
}

fn broken_off() -> TransportError {
    TransportError::io("network", io::ErrorKind::ConnectionReset.into())
}

impl Way {
    fn wakers(&mut self) -> impl Iterator<Item = Waker> + use<> {
        [self.receiver.take(), self.sender.take()].into_iter().flatten()
    }
}

impl End {
    /// Puts one message on its way, with whatever happens to it there.
    fn dispatch(&mut self, message: Message) {
        let now = self.net.clock.monotonic();
        let mut state = self.net.lock();
        let State { chance, weather, counts, .. } = &mut *state;
        counts.messages += 1;
        let mut travels = chance.between(weather.delay);
        let mut again = Duration::from_millis(200);
        while chance.hits(weather.loss) {
            travels += again;
            again *= 2;
        }
        if chance.hits(weather.stall) {
            travels += Duration::from_millis(chance.below(2000));
        }
        let (is_cut, is_silent) = (chance.hits(weather.cut), chance.hits(weather.silent));
        counts.cuts += u64::from(is_cut);
        counts.silences += u64::from(is_silent && !is_cut);
        let mut messages = vec![message];
        let mut swapped = false;
        if weather.broken > 0 {
            if chance.hits(weather.broken) {
                messages.clear();
                counts.broken += 1;
            }
            if chance.hits(weather.broken) {
                messages.extend(messages.first().cloned());
                counts.broken += 1;
            }
            if chance.hits(weather.broken) {
                for message in &mut messages {
                    shorten(message, chance);
                }
                counts.broken += 1;
            }
            swapped = chance.hits(weather.broken);
            counts.broken += u64::from(swapped);
        }
        drop(state);
        let mut link = lock(&self.link);
        link.silent |= is_silent;
        let silent = link.silent;
        let Some(way) = link.ways.get_mut(self.side) else { return };
        if silent {
            // As the buffers of a system fill up, for nobody confirms anything.
            way.bytes += messages.iter().map(|message| message.data().len()).sum::<usize>();
            return;
        }
        let at = now.saturating_add(travels).max(way.last);
        way.last = at;
        for message in messages {
            way.bytes += message.data().len();
            let place = if swapped { way.messages.len().saturating_sub(1) } else { way.messages.len() };
            way.messages.insert(place, (at, message));
        }
        let waker = way.receiver.take();
        let total: usize = link.ways.iter().map(|way| way.bytes).sum();
        drop(link);
        if let Some(waker) = waker {
            waker.wake();
        }
        let mut state = self.net.lock();
        state.most_bytes = state.most_bytes.max(total);
        drop(state);
        if is_cut {
            cut(&self.link);
        }
    }

    fn failed<T>(&mut self, error: TransportError) -> Poll<Result<T, TransportError>> {
        self.over = Some(error.clone());
        Poll::Ready(Err(error))
    }

    fn check(&mut self) -> Result<(), TransportError> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        if lock(&self.link).cut {
            self.over = Some(broken_off());
            return Err(broken_off());
        }
        Ok(())
    }

    /// Sleeps until something may have arrived.
    fn sleep(&mut self, until: Monotonic, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.as_ref().is_none_or(|(at, _)| *at != until) {
            self.timer = Some((until, self.net.clock.sleep_until(until)));
        }
        match &mut self.timer {
            Some((_, sleep)) => Pin::new(sleep).poll(cx),
            None => Poll::Pending,
        }
    }
}

/// Only a beginning is left of it. (A change that leaves a message well-formed nobody could see: that is the affair of TCP and TLS.)
fn shorten(message: &mut Message, chance: &mut Chance) {
    let length = message.data().len();
    let left = usize::try_from(chance.below(u64::try_from(length).unwrap_or(0))).unwrap_or(0);
    let data = message.data().get(..left).unwrap_or_default().to_vec();
    *message = match message {
        Message::Binary(_) => Message::Binary(data.into()),
        Message::Text(_) => Message::Text(data.into()),
    };
}

impl Connection for End {
    fn info(&self) -> &Info {
        &self.info
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        loop {
            self.check()?;
            let now = self.net.clock.monotonic();
            let (next, sender) = {
                let mut link = lock(&self.link);
                let silent = link.silent;
                let Some(way) = link.ways.get_mut(1 - self.side) else { return Poll::Pending };
                let next = if silent { None } else { way.messages.front() };
                match next {
                    Some((at, _)) if *at <= now => {
                        let message = way.messages.pop_front().map(|(_, message)| message);
                        way.bytes -= message.as_ref().map_or(0, |message| message.data().len());
                        (Ok(message), way.sender.take())
                    }
                    Some((at, _)) => (Err(Some(*at)), None),
                    None => match &way.left {
                        Some((at, reason)) if *at <= now => {
                            let over = match reason.clone() {
                                Some(reason) => TransportError::Closed { peer: "network".into(), reason },
                                None => broken_off(),
                            };
                            drop(link);
                            return self.failed(over);
                        }
                        Some((at, _)) => (Err(Some(*at)), None),
                        None => (Err(None), None),
                    },
                }
            };
            if let Some(sender) = sender {
                sender.wake();
            }
            match next {
                Ok(Some(message)) => return Poll::Ready(Ok(message)),
                Ok(None) => return Poll::Pending,
                Err(until) => {
                    if let Some(way) = lock(&self.link).ways.get_mut(1 - self.side) {
                        way.receiver = Some(cx.waker().clone());
                    }
                    match until {
                        Some(until) if self.sleep(until, cx).is_ready() => {}
                        _ => return Poll::Pending,
                    }
                }
            }
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.check()?;
        if self.fed_bytes < self.net.limits.write_buffer {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush(cx)
    }

    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError> {
        self.check()?;
        let data: Bytes = parts.concat().into();
        if data.len() > self.net.limits.message {
            let (size, limit) = (data.len(), self.net.limits.message);
            return Err(TransportError::TooLargeToSend { peer: "network".into(), size, limit });
        }
        if self.closing || self.fed_bytes >= self.net.limits.write_buffer {
            let limit = self.net.limits.write_buffer;
            return Err(TransportError::Full { peer: "network".into(), limit });
        }
        self.fed_bytes += data.len();
        self.fed.push_back(match kind {
            MessageKind::Text => Message::Text(data),
            MessageKind::Binary => Message::Binary(data),
        });
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        loop {
            self.check()?;
            if self.fed.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let window = self.net.window();
            {
                let mut link = lock(&self.link);
                let gone = link.ways.get(1 - self.side).is_some_and(|way| way.left.is_some());
                let Some(way) = link.ways.get_mut(self.side) else { return Poll::Pending };
                if gone {
                    drop(link);
                    return self.failed(broken_off());
                }
                // Into the silence, too, one can write until the window is full.
                if way.bytes >= window {
                    way.sender = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
            let Some(message) = self.fed.pop_front() else { return Poll::Ready(Ok(())) };
            self.fed_bytes -= message.data().len();
            self.dispatch(message);
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        self.closing = true;
        std::task::ready!(self.poll_flush(cx))?;
        let now = self.net.clock.monotonic();
        let waker = {
            let mut link = lock(&self.link);
            let silent = link.silent;
            link.ways.get_mut(self.side).filter(|_| !silent).and_then(|way| {
                way.left = Some((now.max(way.last), Some(reason.clone())));
                way.receiver.take()
            })
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.over = Some(TransportError::Closed { peer: "network".into(), reason: reason.clone() });
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let now = self.net.clock.monotonic();
        let wakers: Vec<_> = {
            let mut link = lock(&self.link);
            // Nobody hears of it on a silent link.
            if link.silent {
                return;
            }
            if let Some(way) = link.ways.get_mut(self.side)
                && way.left.is_none()
            {
                way.left = Some((now.max(way.last), None));
            }
            link.ways.iter_mut().flat_map(Way::wakers).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

#[async_trait]
impl Connector for NetworkConnector {
    fn peer(&self) -> &str {
        &self.1
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        let delay = {
            let mut state = self.0.lock();
            let State { chance, weather, .. } = &mut *state;
            let refused = chance.hits(weather.refused);
            (chance.between(weather.delay), refused)
        };
        let (travels, refused) = delay;
        self.0.clock.sleep_until(self.0.clock.monotonic().saturating_add(travels)).await;
        if refused || !self.0.lock().listens {
            return Err(TransportError::io("network", io::ErrorKind::ConnectionRefused.into()));
        }
        let (near, far) = self.0.pair();
        let waker = {
            let mut state = self.0.lock();
            state.waiting.push_back(far);
            state.acceptor.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(Box::new(near))
    }
}

impl Listener for NetworkListener {
    fn local(&self) -> &str {
        &self.name
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrival, TransportError>> {
        let mut state = self.net.lock();
        if state.listener != self.number {
            let reason = CloseReason::normal();
            return Poll::Ready(Err(TransportError::Closed { peer: "network".into(), reason }));
        }
        if let Some(end) = state.waiting.pop_front() {
            return Poll::Ready(Ok(Arrival::ready(end)));
        }
        state.acceptor = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for NetworkListener {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.net.lock();
            if state.listener != self.number {
                return;
            }
            state.listens = false;
            std::mem::take(&mut state.waiting)
        };
        drop(waiting);
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        write!(f, "Network({:?}, {:?})", state.weather, state.counts)
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "End({})", self.side)
    }
}

impl fmt::Debug for NetworkConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkConnector")
    }
}

impl fmt::Debug for NetworkListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkListener")
    }
}
