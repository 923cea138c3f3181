//! A network that is as bad as it is told to be, on a clock that is moved by hand: the same seed, the same weather, the same run.
//!
//! A connection carries whole messages in order, so what happens to packets shows as time: loss and disorder below are a delay above. Beyond
//! that a connection stalls, is cut for both ends, or goes silent for both without a word; and a window holds back who writes to a slow reader.
//! [`Weather::broken`] goes further than any transport may: messages themselves are lost, doubled, swapped and cut short.
//!
//! *Invariant:* without `broken`, each connection keeps the transport's clauses T1 to T13. Nothing here reads a clock or a random source.
//! *Next:* `network/end.rs` (what happens to a message), `network/weather.rs` (how often); `wire.rs` (the clauses), and the client's
//! `tests/faults.rs` (clients and gateways in this weather).

mod door;
mod end;
mod weather;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use coachwork_transport::Limits;
use coachwork_vehicle::Clock;

pub use self::door::{NetworkConnector, NetworkListener};
pub use self::end::End;
use self::end::{Link, cut};
pub use self::weather::{Chance, Weather};

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
        NetworkListener::new(self.0.clone(), state.listener)
    }

    /// A way to whoever listens.
    pub fn connector(&self) -> NetworkConnector {
        NetworkConnector::new(self.0.clone())
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
        (End::new(self.clone(), link.clone(), 0), End::new(self.clone(), link, 1))
    }

    fn window(&self) -> usize {
        let window = self.lock().weather.window;
        if window == 0 { self.limits.write_buffer } else { window }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        write!(f, "Network({:?}, {:?})", state.weather, state.counts)
    }
}
