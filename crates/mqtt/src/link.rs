//! A link to a broker: TCP, with TLS or without, and on it packets both ways.
//!
//! *Invariant:* nothing is sent in the clear but to this machine itself, unless that was asked for by name. What waits to be written is bounded: while too
//! much waits, nothing is read, so that a broker cannot make this side hold answers without end. No wait is without an end.
//! *Next:* `packet.rs` (the packets), `car.rs` and `app.rs` (what is said in them).

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use coachwork_tokio::stream::{Opener, Stream};
use coachwork_tokio::tls::ClientTls;
use coachwork_transport::{Info, Limits, Security, TransportError};
use futures_io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use crate::packet::{self, Connect, Decoder, Packet, Publish};
use crate::sign_in::SignIn;
use crate::url::{Url, UrlError};

/// How many of our messages the broker may have without an answer.
const UNANSWERED: usize = 32;
/// How many messages of the time before the broker's answer to SUBSCRIBE are kept; of more, the broker gets no acknowledgement.
const EARLY: usize = 16;
/// How many bytes may wait to be written before more is taken.
const WAITING: usize = 64 * 1024;

/// How a broker is reached.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) url: Url,
    pub(crate) opener: Opener,
    pub(crate) limits: Limits,
    pub(crate) keep_alive: Duration,
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) client: Option<String>,
    /// What all who meet here speak; none is version 3.
    pub(crate) subprotocol: Option<Arc<str>>,
}

/// A link that stands.
pub(crate) struct Link {
    stream: Stream,
    peer: Arc<str>,
    decoder: Decoder,
    /// Where what is read arrives.
    room: Vec<u8>,
    out: BytesMut,
    /// What came before the broker said that it has subscribed us, as it may.
    early: VecDeque<Publish>,
    next_id: u16,
    last: u16,
    unanswered: HashSet<u16>,
    keep_alive: Duration,
    tick: Pin<Box<Sleep>>,
    heard: Instant,
    pub(crate) security: Security,
}

/// What comes of a link.
#[derive(Debug)]
pub(crate) enum Heard {
    Message(Publish),
    /// A message above the limit, of so many bytes. It was passed over.
    TooLarge(usize),
    /// The broker has taken something: there may be room.
    Progress,
}

impl Broker {
    pub(crate) fn at(url: &str, limits: &Limits) -> Result<Self, UrlError> {
        let url = Url::parse(url)?;
        let opener = Opener::new(url.shown.clone(), url.to.clone()).instead("mqtts://");
        let opener = if url.is_secure { opener.encrypted() } else { opener };
        Ok(Self {
            url,
            opener,
            limits: limits.clone(),
            keep_alive: Duration::from_secs(20),
            sign_in: None,
            client: None,
            subprotocol: None,
        })
    }

    /// Believes and shows what this says, where the URL wants it.
    pub(crate) fn secure(&mut self, tls: &ClientTls) {
        if self.url.is_secure {
            self.opener = self.opener.clone().secured(tls);
        }
    }

    pub(crate) fn allow_plain_links(&mut self) {
        self.opener = self.opener.clone().allowing_plain_links();
    }

    /// A link whose broker has taken it in, and subscribed it to all topics. The broker says the will if the link is lost.
    pub(crate) async fn open(&self, will: (&str, &[u8]), topics: &[&str]) -> Result<Link, TransportError> {
        self.opener.open(|stream, info| self.begun(stream, info.security, will, topics)).await
    }

    async fn begun(
        &self,
        stream: Stream,
        security: Security,
        will: (&str, &[u8]),
        topics: &[&str],
    ) -> Result<Link, TransportError> {
        let peer = &self.url.shown;
        // Within an envelope, a message may have twice its length.
        let limit = self.limits.message.saturating_mul(2).saturating_add(4096);
        let mut link = Link {
            stream,
            peer: peer.clone(),
            decoder: Decoder::new(limit.min(packet::MAX_SIZE)),
            room: vec![0; 8192],
            out: BytesMut::new(),
            early: VecDeque::new(),
            next_id: 0,
            last: 0,
            unanswered: HashSet::new(),
            keep_alive: self.keep_alive,
            tick: Box::pin(tokio::time::sleep(self.keep_alive / 2)),
            heard: Instant::now(),
            security,
        };
        let random = random().map_err(|why| TransportError::io(peer.clone(), why))?;
        let sign_in = self.sign_in.as_ref().map(SignIn::present);
        Connect {
            client: self.client.as_deref().or(random.get(..23)).unwrap_or_default(),
            keep_alive: u16::try_from(self.keep_alive.as_secs().max(1)).unwrap_or(u16::MAX),
            will,
            user: sign_in.as_ref().map(|it| it.user.as_str()),
            password: sign_in.as_ref().map(|it| it.password.as_slice()),
        }
        .write(&mut link.out);
        let refused = |what: &str| TransportError::Refused { peer: peer.clone(), what: what.to_owned() };
        match poll_fn(|cx| link.poll_packet(cx)).await? {
            Packet::ConnAck(0) => {}
            Packet::ConnAck(code) => return Err(refused(refusal(code))),
            _ => return Err(link.malformed("the broker does not begin with its answer to CONNECT")),
        }
        let id = link.id();
        packet::subscribe(&mut link.out, id, topics);
        loop {
            match poll_fn(|cx| link.poll_packet(cx)).await? {
                // The first topic is what all depends on.
                Packet::SubAck(of, granted) if of == id && granted.len() == topics.len() => {
                    return match granted.first() {
                        Some(0 | 1) => Ok(link),
                        _ => Err(refused("the broker grants no subscription to the topic")),
                    };
                }
                Packet::Publish(publish) if link.early.len() < EARLY => link.early.push_back(publish),
                Packet::Publish(_) | Packet::TooLarge { .. } | Packet::Pong => {}
                _ => return Err(link.malformed("the broker does not answer SUBSCRIBE")),
            }
        }
    }
}

impl Link {
    /// Whether another message may be published now.
    pub(crate) fn has_room(&self) -> bool {
        self.unanswered.len() < UNANSWERED && self.waiting() < WAITING
    }

    /// Whether there is so much to be said that nothing more should be said on anybody's demand.
    pub(crate) fn is_flooded(&self) -> bool {
        self.unanswered.len() >= 8 * UNANSWERED || self.waiting() >= 2 * WAITING
    }

    /// Takes a message for a topic, to be written by the next [`poll`](Self::poll). Its number, for [`has_taken`](Self::has_taken).
    pub(crate) fn publish(&mut self, topic: &str, parts: &[&[u8]]) -> u16 {
        let id = self.id();
        self.unanswered.insert(id);
        packet::publish(&mut self.out, id, topic, parts);
        self.last = id;
        id
    }

    /// The number of the message that was published last.
    pub(crate) fn last(&self) -> u16 {
        self.last
    }

    /// Whether the broker has taken a message.
    pub(crate) fn has_taken(&self, id: u16) -> bool {
        !self.unanswered.contains(&id)
    }

    /// The end in good order: the broker says no will. Nothing may be published afterwards.
    pub(crate) async fn disconnect(mut self) {
        self.out.extend_from_slice(packet::DISCONNECT);
        let end = async {
            poll_fn(|cx| self.poll_write(cx)).await?;
            poll_fn(|cx| Pin::new(&mut self.stream).poll_close(cx)).await
        };
        // Whether the broker hears it is its affair.
        drop(tokio::time::timeout(Duration::from_secs(2), end).await);
    }

    /// Writes what waits, and gives what has come.
    ///
    /// # Errors
    /// What broke the link.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Heard, TransportError>> {
        loop {
            let next = match self.early.pop_front() {
                Some(publish) => Packet::Publish(publish),
                None => ready!(self.poll_packet(cx))?,
            };
            match next {
                Packet::Publish(publish) => {
                    if let Some(id) = publish.id {
                        packet::acknowledge(&mut self.out, id);
                    }
                    return Poll::Ready(Ok(Heard::Message(publish)));
                }
                Packet::TooLarge { id, size } => {
                    if let Some(id) = id {
                        packet::acknowledge(&mut self.out, id);
                    }
                    return Poll::Ready(Ok(Heard::TooLarge(size)));
                }
                Packet::PubAck(id) if self.unanswered.remove(&id) => return Poll::Ready(Ok(Heard::Progress)),
                // A late answer to nothing does no harm.
                Packet::PubAck(_) | Packet::Pong => {}
                Packet::ConnAck(_) | Packet::SubAck(..) => {
                    return Poll::Ready(Err(self.malformed("the broker answers what was not asked")));
                }
            }
        }
    }

    /// Writes what waits and keeps the link alive, but reads nothing. It is never ready but with an error.
    pub(crate) fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<TransportError> {
        let lost = |why, peer: &Arc<str>| TransportError::io(peer.clone(), why);
        self.heard = Instant::now();
        loop {
            if let Poll::Ready(Err(why)) = self.poll_write(cx) {
                return Poll::Ready(lost(why, &self.peer));
            }
            if let Err(why) = ready!(self.poll_keep_alive(cx)) {
                return Poll::Ready(lost(why, &self.peer));
            }
        }
    }

    fn poll_packet(&mut self, cx: &mut Context<'_>) -> Poll<Result<Packet, TransportError>> {
        loop {
            let before = self.waiting();
            let all = match self.poll_write(cx) {
                Poll::Ready(Err(why)) => return Poll::Ready(Err(TransportError::io(self.peer.clone(), why))),
                other => other,
            };
            if before >= WAITING && self.waiting() < WAITING {
                // There is room again: whoever waits for it is told by being polled.
                cx.waker().wake_by_ref();
            }
            if all.is_pending() && self.waiting() >= 2 * WAITING + self.decoder.held() {
                // Nothing is read meanwhile, but a dead link must still be noticed.
                ready!(self.poll_keep_alive(cx)).map_err(|why| TransportError::io(self.peer.clone(), why))?;
                continue;
            }
            match self.decoder.packet() {
                Ok(Some(packet)) => return Poll::Ready(Ok(packet)),
                Ok(None) => {}
                Err(what) => return Poll::Ready(Err(self.malformed(what))),
            }
            match Pin::new(&mut self.stream).poll_read(cx, &mut self.room) {
                Poll::Ready(Ok(0)) => {
                    let end = io::Error::new(io::ErrorKind::UnexpectedEof, "the broker ended the link");
                    return Poll::Ready(Err(TransportError::io(self.peer.clone(), end)));
                }
                Poll::Ready(Ok(count)) => {
                    self.heard = Instant::now();
                    self.decoder.fill(self.room.get(..count).unwrap_or_default());
                }
                Poll::Ready(Err(why)) => return Poll::Ready(Err(TransportError::io(self.peer.clone(), why))),
                Poll::Pending => {
                    ready!(self.poll_keep_alive(cx))
                        .map_err(|why| TransportError::io(self.peer.clone(), why))?;
                }
            }
        }
    }

    /// Ready whenever it is time to ask the broker whether it is there.
    fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.tick.as_mut().poll(cx));
        if self.heard.elapsed() > self.keep_alive * 3 / 2 {
            let silent = io::Error::new(io::ErrorKind::TimedOut, "the broker is silent");
            return Poll::Ready(Err(silent));
        }
        self.tick.as_mut().reset(Instant::now() + self.keep_alive / 2);
        if self.waiting() < WAITING {
            self.out.extend_from_slice(packet::PING);
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when nothing waits any more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting() > 0 {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => self.out.advance(count.min(self.out.len())),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Poll::Ready(Err(why)),
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn waiting(&self) -> usize {
        self.out.len()
    }

    fn id(&mut self) -> u16 {
        loop {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            if !self.unanswered.contains(&self.next_id) {
                return self.next_id;
            }
        }
    }

    fn malformed(&self, what: &str) -> TransportError {
        TransportError::Malformed { peer: self.peer.clone(), what: what.to_owned() }
    }
}

impl Broker {
    /// What is known of a peer: its broker, and how that is reached. The broker's certificate is not the peer's.
    pub(crate) fn described(&self, peer: &str, security: Security) -> Info {
        let info = Info::new(peer).with_security(security);
        match &self.subprotocol {
            Some(name) => info.with_subprotocol(name.clone()),
            None => info,
        }
    }
}

/// A name that nobody guesses: 128 bits in hexadecimal.
pub(crate) fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().fold("c".to_owned(), |name, byte| name + &format!("{byte:02x}")))
}

fn refusal(code: u8) -> &'static str {
    match code {
        1 => "the broker does not speak MQTT 3.1.1",
        2 => "the broker does not take the client's name",
        3 => "the broker serves nobody at present",
        4 => "the broker does not take the user's name and password",
        5 => "the broker does not let this client in",
        _ => "the broker refuses, and does not say why",
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url.shown)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.peer)
    }
}
