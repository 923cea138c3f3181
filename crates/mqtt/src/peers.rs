//! Payloads on a car's topic become connections, one for each topic that asks, and their messages: the car's side of VISS over MQTT, without a broker.
//!
//! *Invariant:* pure: payloads and time in, happenings out. At most so many peers as the bounds say, each with at most a window and one message that was
//! not taken in. Nothing that one peer sends changes what another one gets, but by taking the last place.
//! *Next:* `envelope.rs` (what a payload says), `flow.rs`, `lately.rs`, `car.rs` (which has the broker).

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use coachwork_transport::{CloseCode, CloseReason, Limits, Message, TransportError};

use crate::envelope::{Envelope, EnvelopeError, Head, with_head};
use crate::flow::{Arrival, Flow, FlowFault, window};
use crate::lately::{Lately, Verdict};

/// After this time without a word, a peer of Coachwork is gone: it speaks every 30 seconds.
const GONE: Duration = Duration::from_secs(100);
/// After this time without a request, a foreign peer makes place for another one where there is none.
const SPARE: Duration = Duration::from_secs(60);

/// What a car's peers may make it hold. Start from `PeerBounds::default()` and change what should differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerBounds {
    /// How many peers there may be at once. Default 256. A further one is turned away, unless a foreign peer has asked nothing for a minute.
    pub peers: usize,
    /// After this time without a request, a foreign peer's connection ends, with its subscriptions. Default 24 hours.
    pub silence: Duration,
    /// Only topics that begin so get answers. Default: every topic that is none of a car's.
    pub answers_under: Option<String>,
}

impl Default for PeerBounds {
    fn default() -> Self {
        Self { peers: 256, silence: Duration::from_secs(24 * 3600), answers_under: None }
    }
}

/// All who ask a car.
#[derive(Debug)]
pub struct Peers {
    bounds: PeerBounds,
    limits: Limits,
    /// The car's present link to its broker.
    session: String,
    topics: HashMap<Arc<str>, u64>,
    known: HashMap<u64, Peer>,
    /// Of foreign peers, beyond their connections.
    lately: HashMap<Arc<str>, Lately>,
    next: u64,
}

#[derive(Debug)]
struct Peer {
    topic: Arc<str>,
    heard: Duration,
    /// How much its connection has taken in.
    taken: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Coachwork(Box<Flow>),
    /// How much has come.
    Foreign(u64),
}

/// What a payload makes happen.
#[derive(Debug)]
#[non_exhaustive]
pub enum Happening {
    /// A peer is there, known by a number from now on.
    Arrived {
        /// Its number.
        peer: u64,
        /// Where its answers go.
        topic: Arc<str>,
        /// Whether it is an end of Coachwork, with which messages are counted.
        is_coachwork: bool,
    },
    /// A peer sends this.
    Message {
        /// Its number.
        peer: u64,
        /// What it sends.
        message: Message,
    },
    /// A peer has taken something in: more may go to it.
    Room(u64),
    /// A peer is gone.
    Ended {
        /// Its number.
        peer: u64,
        /// Why.
        end: PeerEnd,
    },
    /// This is to be published.
    Say {
        /// Where.
        topic: Arc<str>,
        /// What.
        payload: Vec<u8>,
    },
}

/// Why a peer is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEnd {
    /// It said so.
    Closed(CloseReason),
    /// Its broker said so, or it began anew.
    Lost,
    /// It was silent for too long.
    Silent,
    /// It sent more than it may, or other things.
    Fault(CloseReason),
}

/// Why a payload makes nothing happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ignored {
    /// It is no envelope that gets an answer.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The car answers under other topics.
    #[error("answers do not go to that topic")]
    Elsewhere,
    /// There are too many peers.
    #[error("there are too many peers")]
    Full,
    /// It has been here before.
    #[error("it was delivered again")]
    Again,
    /// It does not belong where it says: for instance a bare request in the name of a peer that counts its messages.
    #[error("it does not belong there")]
    Stray,
}

impl Peers {
    /// Nobody yet. `session` names the car's link to its broker and has letters and digits only.
    pub fn new(session: &str, limits: &Limits, bounds: PeerBounds) -> Self {
        Self {
            bounds,
            limits: limits.clone(),
            session: session.to_owned(),
            topics: HashMap::new(),
            known: HashMap::new(),
            lately: HashMap::new(),
            next: 0,
        }
    }

    /// How many peers there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// A payload has come on the car's topic.
    ///
    /// # Errors
    /// Why nothing happens.
    pub fn receive(&mut self, payload: &[u8], now: Duration) -> Result<Vec<Happening>, Ignored> {
        let envelope = Envelope::parse(payload)?;
        if self.bounds.answers_under.as_ref().is_some_and(|under| !envelope.topic.starts_with(under)) {
            return Err(Ignored::Elsewhere);
        }
        let known = self.topics.get(&*envelope.topic).copied();
        match (known, &envelope.head) {
            (Some(id), Some(head)) => self.of_known(id, head, &envelope, now),
            (None, Some(Head::Hello { window, .. })) => self.begun(&envelope, *window, now),
            (None, Some(Head::Part { .. } | Head::Taken(_))) => {
                // It speaks to an earlier life of this car.
                let topic: Arc<str> = (&*envelope.topic).into();
                Ok(vec![Happening::Say { topic, payload: with_head(Some(&Head::Lost)) }])
            }
            (None, Some(Head::Close(_) | Head::Lost)) => Err(Ignored::Stray),
            (known, None) => self.asked(known, &envelope, now),
        }
    }

    /// An end of Coachwork begins.
    fn begun(
        &mut self,
        envelope: &Envelope<'_>,
        theirs: u64,
        now: Duration,
    ) -> Result<Vec<Happening>, Ignored> {
        let topic: Arc<str> = (&*envelope.topic).into();
        let Ok(flow) = Flow::new(self.limits.write_buffer, theirs) else { return Err(Ignored::Stray) };
        let say = |head: Head| Happening::Say { topic: topic.clone(), payload: with_head(Some(&head)) };
        let Ok(leaving) = self.place(now) else {
            let full = CloseReason::new(CloseCode::Policy, "there are too many peers");
            return Ok(vec![say(Head::Close(full))]);
        };
        let mut happenings = self.make_place(leaving);
        let hello =
            Head::Hello { window: window(self.limits.write_buffer), session: Some(self.session.clone()) };
        happenings.push(say(hello));
        let peer = self.add(&topic, Kind::Coachwork(Box::new(flow)), now);
        happenings.push(Happening::Arrived { peer, topic, is_coachwork: true });
        Ok(happenings)
    }

    /// A request as the standard has it.
    fn asked(
        &mut self,
        known: Option<u64>,
        envelope: &Envelope<'_>,
        now: Duration,
    ) -> Result<Vec<Happening>, Ignored> {
        let is_foreign = |id: &u64| matches!(self.known.get(id), Some(Peer { kind: Kind::Foreign(_), .. }));
        if known.as_ref().is_some_and(|id| !is_foreign(id)) {
            return Err(Ignored::Stray);
        }
        let topic: Arc<str> = (&*envelope.topic).into();
        let size = envelope.request.len();
        if let Some(peer) = known
            && let Some(end) = self.too_much(peer, size)
        {
            self.remove(peer);
            return Ok(vec![Happening::Ended { peer, end: PeerEnd::Fault(end) }]);
        }
        if known.is_none() && size > self.limits.message {
            return Err(Ignored::Full);
        }
        // Before anything is remembered of it: is there place?
        let leaving = if known.is_none() { self.place(now)? } else { None };
        if !self.lately.contains_key(&topic) {
            self.forget(now);
        }
        match self.lately.entry(topic.clone()).or_default().asked(&envelope.request, now) {
            Verdict::New => {}
            Verdict::Again => return Err(Ignored::Again),
            Verdict::Answered(answer) => return Ok(vec![Happening::Say { topic, payload: answer.to_vec() }]),
        }
        let mut happenings = self.make_place(leaving);
        let peer = known.unwrap_or_else(|| {
            let peer = self.add(&topic, Kind::Foreign(0), now);
            happenings.push(Happening::Arrived { peer, topic: topic.clone(), is_coachwork: false });
            peer
        });
        if let Some(it) = self.known.get_mut(&peer) {
            it.heard = now;
            if let Kind::Foreign(received) = &mut it.kind {
                *received = received.saturating_add(counted(size));
            }
        }
        happenings.push(Happening::Message { peer, message: Message::text(&*envelope.request) });
        Ok(happenings)
    }

    /// What a peer may not send, where this is it.
    fn too_much(&self, peer: u64, size: usize) -> Option<CloseReason> {
        if size > self.limits.message {
            let text = format!("{size} bytes are above the limit of {}", self.limits.message);
            return Some(CloseReason::new(CloseCode::TooLarge, text));
        }
        let it = self.known.get(&peer)?;
        let Kind::Foreign(received) = it.kind else { return None };
        let much = received.saturating_sub(it.taken) >= window(self.limits.write_buffer);
        much.then(|| CloseReason::new(CloseCode::Policy, "too many requests wait"))
    }

    /// Something with a head, of a topic that is known.
    fn of_known(
        &mut self,
        id: u64,
        head: &Head,
        envelope: &Envelope<'_>,
        now: Duration,
    ) -> Result<Vec<Happening>, Ignored> {
        let peer = self.known.get_mut(&id).ok_or(Ignored::Stray)?;
        let topic = peer.topic.clone();
        let Kind::Coachwork(flow) = &mut peer.kind else {
            let Head::Hello { window, .. } = head else { return Err(Ignored::Stray) };
            if *window == 0 {
                return Err(Ignored::Stray);
            }
            // A foreign peer that turns out to be none begins anew.
            self.remove(id);
            let mut happenings = vec![Happening::Ended { peer: id, end: PeerEnd::Lost }];
            happenings.extend(self.begun(envelope, *window, now)?);
            return Ok(happenings);
        };
        peer.heard = now;
        match head {
            // Every connection has a topic of its own: it was delivered again.
            Head::Hello { .. } => Err(Ignored::Again),
            Head::Taken(total) => {
                flow.taken_there(*total);
                Ok(vec![Happening::Room(id)])
            }
            Head::Close(reason) => {
                let end = PeerEnd::Closed(reason.clone());
                self.remove(id);
                Ok(vec![Happening::Ended { peer: id, end }])
            }
            Head::Lost => {
                self.remove(id);
                Ok(vec![Happening::Ended { peer: id, end: PeerEnd::Lost }])
            }
            Head::Part { number, .. } => {
                let fault = |code, text: &str| Err(CloseReason::new(code, text));
                let taken = match envelope.message() {
                    None => fault(CloseCode::Protocol, "what should be base64 is not"),
                    Some(message) if message.data().len() > self.limits.message => {
                        fault(CloseCode::TooLarge, "a message is above the limit")
                    }
                    Some(message) => match flow.received(*number, message.data().len(), peer.taken) {
                        Ok(Arrival::Next) => Ok(Some(message)),
                        Ok(Arrival::Again) => Ok(None),
                        Err(FlowFault::Missing) => fault(CloseCode::Internal, "the broker dropped messages"),
                        Err(_) => fault(CloseCode::Policy, "more was sent than was agreed"),
                    },
                };
                match taken {
                    Ok(Some(message)) => Ok(vec![Happening::Message { peer: id, message }]),
                    Ok(None) => Err(Ignored::Again),
                    Err(reason) => {
                        self.remove(id);
                        let payload = with_head(Some(&Head::Close(reason.clone())));
                        let say = Happening::Say { topic, payload };
                        Ok(vec![Happening::Ended { peer: id, end: PeerEnd::Fault(reason) }, say])
                    }
                }
            }
        }
    }

    /// Whether a message may go to a peer now.
    pub fn may_send(&self, peer: u64) -> bool {
        self.known.get(&peer).is_some_and(|peer| match &peer.kind {
            Kind::Coachwork(flow) => flow.is_open(),
            Kind::Foreign(_) => true,
        })
    }

    /// A message goes to a peer: the topic, and what stands before it in the payload.
    pub fn send(&mut self, peer: u64, message: &Message) -> Option<(Arc<str>, Vec<u8>)> {
        let peer = self.known.get_mut(&peer)?;
        let head = match &mut peer.kind {
            Kind::Coachwork(flow) => {
                let number = flow.sent(message.data().len());
                Some(Head::Part { number, kind: message.kind() })
            }
            Kind::Foreign(_) => {
                if let Some(lately) = self.lately.get_mut(&peer.topic) {
                    lately.answered(message.data());
                }
                None
            }
        };
        Some((peer.topic.clone(), with_head(head.as_ref())))
    }

    /// A peer's connection has taken in so much since it began: what the peer is to be told of it, if anything.
    pub fn taken(&mut self, peer: u64, total: u64) -> Option<(Arc<str>, Vec<u8>)> {
        let peer = self.known.get_mut(&peer)?;
        peer.taken = total;
        let Kind::Coachwork(flow) = &mut peer.kind else { return None };
        let told = flow.tell(total)?;
        Some((peer.topic.clone(), with_head(Some(&Head::Taken(told)))))
    }

    /// The car ends a connection, with a reason or without: what the peer is to be told, if it understands it.
    pub fn close(&mut self, peer: u64, reason: Option<CloseReason>) -> Option<(Arc<str>, Vec<u8>)> {
        let peer = self.remove(peer)?;
        let head = reason.map_or(Head::Lost, Head::Close);
        matches!(peer.kind, Kind::Coachwork(_)).then(|| (peer.topic, with_head(Some(&head))))
    }

    /// Ends those who have been silent for too long. Call it now and then.
    pub fn sweep(&mut self, now: Duration) -> Vec<Happening> {
        let silence = self.bounds.silence;
        let is_over = |peer: &Peer| {
            let most = if matches!(peer.kind, Kind::Coachwork(_)) { GONE } else { silence };
            now.saturating_sub(peer.heard) > most
        };
        let over: Vec<u64> = self.known.iter().filter(|(_, peer)| is_over(peer)).map(|(id, _)| *id).collect();
        self.lately.retain(|_, lately| !lately.is_empty(now));
        let ended = |id| {
            self.remove(id);
            Happening::Ended { peer: id, end: PeerEnd::Silent }
        };
        over.into_iter().map(ended).collect()
    }

    /// The link to the broker is lost: so are all peers. What they asked lately is not forgotten. The next link has another name.
    pub fn lose_all(&mut self, session: &str) {
        session.clone_into(&mut self.session);
        self.topics.clear();
        self.known.clear();
    }

    /// Who has to leave so that there is place for one more.
    fn place(&self, now: Duration) -> Result<Option<u64>, Ignored> {
        if self.known.len() < self.bounds.peers {
            return Ok(None);
        }
        let foreign = self.known.iter().filter(|(_, peer)| matches!(peer.kind, Kind::Foreign(_)));
        let (id, heard) = foreign
            .map(|(id, peer)| (*id, peer.heard))
            .min_by_key(|(_, heard)| *heard)
            .ok_or(Ignored::Full)?;
        if now.saturating_sub(heard) < SPARE { Err(Ignored::Full) } else { Ok(Some(id)) }
    }

    fn make_place(&mut self, leaving: Option<u64>) -> Vec<Happening> {
        let left = leaving.filter(|id| self.remove(*id).is_some());
        left.map(|peer| Happening::Ended { peer, end: PeerEnd::Silent }).into_iter().collect()
    }

    /// Makes place among what is remembered.
    fn forget(&mut self, now: Duration) {
        let most = self.bounds.peers.saturating_mul(2).max(1);
        if self.lately.len() < most {
            return;
        }
        self.lately.retain(|_, lately| !lately.is_empty(now));
        if self.lately.len() >= most
            && let Some(topic) = self.lately.keys().find(|topic| !self.topics.contains_key(*topic)).cloned()
        {
            self.lately.remove(&topic);
        }
    }

    fn add(&mut self, topic: &Arc<str>, kind: Kind, now: Duration) -> u64 {
        let id = self.next;
        self.next += 1;
        self.topics.insert(topic.clone(), id);
        self.known.insert(id, Peer { topic: topic.clone(), heard: now, taken: 0, kind });
        id
    }

    fn remove(&mut self, id: u64) -> Option<Peer> {
        let peer = self.known.remove(&id)?;
        self.topics.remove(&peer.topic);
        Some(peer)
    }
}

/// What a request of so many bytes counts, as in the mailbox.
fn counted(size: usize) -> u64 {
    u64::try_from(size + size_of::<Message>()).unwrap_or(u64::MAX)
}

impl PeerEnd {
    pub(crate) fn error(self, peer: &Arc<str>) -> TransportError {
        let peer = peer.clone();
        match self {
            Self::Closed(reason) => TransportError::Closed { peer, reason },
            Self::Lost => TransportError::io(peer, io::ErrorKind::ConnectionReset.into()),
            Self::Silent => {
                TransportError::io(peer, io::Error::new(io::ErrorKind::TimedOut, "the peer is silent"))
            }
            Self::Fault(reason) => TransportError::Malformed { peer, what: reason.to_string() },
        }
    }
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
