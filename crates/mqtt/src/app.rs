//! An app at a car's broker: each connection is a link of its own, with a topic of its own that nobody guesses.
//!
//! *Invariant:* a message is delivered once and in order, or the connection ends: with an end of Coachwork by numbers; with a foreign server, as far as a
//! broker keeps its promise. What comes from elsewhere than the car's answers to this topic changes nothing.
//! *Next:* `envelope.rs`, `flow.rs`, `mailbox.rs` (the connection), `link.rs`.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use coachwork_tokio::tls::ClientTls;
use coachwork_transport::{Connection, Connector, Limits, Message, TransportError};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};

use crate::connection::MqttConnection;
use crate::envelope::{Envelope, Head, split_head};
use crate::flow::{Arrival, Flow, window};
use crate::link::{Broker, Heard, Link, random};
use crate::mailbox::{Bell, Mailbox, Over, cost};
use crate::sign_in::SignIn;
use crate::topic;
use crate::url::UrlError;

/// A car hears from its apps at least so often.
const WORD: Duration = Duration::from_secs(30);
/// How long the broker has to take the last word.
const LAST_WORD: Duration = Duration::from_secs(2);

/// A connector to the car of a URL, see [`listen`](crate::listen).
///
/// # Errors
/// What is wrong with the URL.
pub fn connector(url: &str, limits: &Limits) -> Result<MqttConnector, UrlError> {
    let broker = Broker::at(url, limits)?;
    let limits = limits.clone();
    Ok(MqttConnector { broker, limits, under: String::new(), patience: Some(Duration::from_secs(2)) })
}

/// Connects to a car through its broker.
#[derive(Clone)]
pub struct MqttConnector {
    broker: Broker,
    limits: Limits,
    under: String,
    /// How long a car of Coachwork has to say that it is one.
    patience: Option<Duration>,
}

impl MqttConnector {
    /// Gives up an attempt after this time, its name look-up and handshakes included. Default 10 seconds.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.broker.opener = self.broker.opener.within(within);
        self
    }

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

    /// Has this name among the broker's clients, which some brokers demand; two connections at once then end each other. Default: a random one for each
    /// connection.
    #[must_use]
    pub fn named(mut self, client: &str) -> Self {
        self.broker.client = Some(client.chars().take(256).collect());
        self
    }

    /// Is answered on topics that begin so, which some brokers demand: `"apps/7/"`. A random name follows. Default: that name alone.
    ///
    /// # Errors
    /// Where no answer goes to such a topic.
    pub fn answered_under(self, beginning: &str) -> Result<Self, crate::TopicFault> {
        topic::check_answer_topic(&format!("{beginning}{}", "x".repeat(33)))?;
        Ok(Self { under: beginning.to_owned(), ..self })
    }

    /// Waits so long for the car to say that it is one of Coachwork, with which messages are counted, and the loss of one is noticed. Default 2 seconds;
    /// zero takes it for a foreign server at once.
    #[must_use]
    pub fn greeting_for(self, patience: Duration) -> Self {
        Self { patience: (!patience.is_zero()).then_some(patience), ..self }
    }

    /// Speaks this with the car: `VISSv2`, `VISSv3`. MQTT has no way to agree on it. Default: version 3, under no name.
    #[must_use]
    pub fn speaking(mut self, subprotocol: &str) -> Self {
        self.broker.subprotocol = Some(subprotocol.into());
        self
    }

    /// Goes to a broker on another machine with `mqtt://` too, where everybody on the way can read and change what travels.
    #[must_use]
    pub fn allowing_plain_links(mut self) -> Self {
        self.broker.allow_plain_links();
        self
    }

    async fn open(&self) -> Result<MqttConnection, TransportError> {
        let peer = self.broker.url.shown.clone();
        let random = random().map_err(|why| TransportError::io(peer.clone(), why))?;
        let vehicle = &self.broker.url.vehicle;
        let (requests, presence) = (topic::requests(vehicle), topic::presence(vehicle));
        let own = format!("{}{random}", self.under);
        let will = Envelope::of_head(&own, Head::Lost).encode();
        let mut link = self.broker.open((&requests, &will), &[&own, &presence]).await?;
        let window = window(self.limits.write_buffer);
        let mut car = None;
        if let Some(patience) = self.patience {
            let hello = Envelope::of_head(&own, Head::Hello { window, session: None }).encode();
            link.publish(&requests, &[&hello]);
            let answered = tokio::time::timeout(patience, greeted(&mut link, &own, &peer));
            car = answered.await.unwrap_or(Ok(None))?;
        }
        let (flow, session) = match car {
            Some((theirs, session)) => {
                let flow = Flow::new(self.limits.write_buffer, theirs).map_err(|fault| fault.error(&peer))?;
                (Some(flow), Some(session))
            }
            None => (None, None),
        };
        let info = self.broker.described(&peer, link.security);
        let bell = Arc::new(Bell::default());
        let mailbox = Mailbox::new(0, &bell);
        let connection = MqttConnection::new(info, &self.limits, mailbox.clone(), flow.clone(), true);
        let room = window;
        let app = App { peer, own, requests, presence, session, mailbox, bell, flow, received: 0, room };
        Handle::try_current()
            .map_err(|why| TransportError::io(app.peer.clone(), io::Error::other(why)))?
            .spawn(app.run(link));
        Ok(connection)
    }
}

#[async_trait]
impl Connector for MqttConnector {
    fn peer(&self) -> &str {
        &self.broker.url.shown
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, TransportError> {
        Ok(Box::new(self.open().await?))
    }
}

/// What the car answers to a hello: its window and session, or nothing where it is a foreign server.
async fn greeted(
    link: &mut Link,
    own: &str,
    peer: &Arc<str>,
) -> Result<Option<(u64, String)>, TransportError> {
    loop {
        let Heard::Message(publish) = poll_fn(|cx| link.poll(cx)).await? else { continue };
        if publish.topic != own || publish.retained {
            continue;
        }
        return match split_head(&publish.payload) {
            Ok((Some(Head::Hello { window, session: Some(session) }), _)) => Ok(Some((window, session))),
            Ok((Some(Head::Close(reason)), _)) => {
                Err(TransportError::Refused { peer: peer.clone(), what: reason.to_string() })
            }
            Ok((None, _)) => Ok(None),
            Ok(_) | Err(_) => {
                let what = "the car answers a hello with something else".to_owned();
                Err(TransportError::Malformed { peer: peer.clone(), what })
            }
        };
    }
}

/// The task of one connection.
struct App {
    peer: Arc<str>,
    own: String,
    requests: String,
    presence: String,
    /// Of the car's link; none with a foreign server.
    session: Option<String>,
    mailbox: Arc<Mailbox>,
    bell: Arc<Bell>,
    flow: Option<Flow>,
    /// What has come of a foreign server.
    received: u64,
    room: u64,
}

enum Step {
    Heard(Heard),
    Rung,
    Word,
}

impl App {
    async fn run(mut self, mut link: Link) {
        let mut word = Box::pin(tokio::time::sleep(WORD));
        loop {
            let step = match poll_fn(|cx| self.poll_step(cx, &mut link, &mut word)).await {
                Ok(step) => step,
                Err(lost) => return self.mailbox.end(lost),
            };
            let done = match step {
                Step::Heard(Heard::Message(publish)) if !publish.retained => {
                    self.heard(&publish.topic, &publish.payload)
                }
                Step::Heard(Heard::TooLarge(size)) => {
                    let limit = usize::try_from(self.room).unwrap_or(usize::MAX);
                    let size = u64::try_from(size).unwrap_or(u64::MAX);
                    Err(TransportError::TooLarge { peer: self.peer.clone(), size, limit })
                }
                Step::Heard(Heard::Message(_) | Heard::Progress) | Step::Rung => Ok(()),
                Step::Word => {
                    word.as_mut().reset(Instant::now() + WORD);
                    if self.flow.is_some() {
                        let taken = self.mailbox.lock().taken;
                        self.say(&mut link, Head::Taken(taken));
                    }
                    Ok(())
                }
            };
            if let Err(end) = done {
                // The car need not be told what it said itself.
                if !matches!(end, TransportError::Closed { .. }) && self.flow.is_some() {
                    self.say(&mut link, Head::Close(end.close_reason()));
                }
                self.mailbox.end(end);
                return self.leave(link).await;
            }
            self.pump(&mut link);
            if let Some(Over(reason)) = self.mailbox.over() {
                if self.flow.is_some() {
                    self.say(&mut link, reason.map_or(Head::Lost, Head::Close));
                }
                return self.leave(link).await;
            }
        }
    }

    fn poll_step(
        &self,
        cx: &mut Context<'_>,
        link: &mut Link,
        word: &mut std::pin::Pin<Box<Sleep>>,
    ) -> Poll<Result<Step, TransportError>> {
        if self.bell.poll(cx).is_ready() {
            return Poll::Ready(Ok(Step::Rung));
        }
        // A foreign server knows no window: what is not read waits at the broker.
        let is_full =
            self.flow.is_none() && self.received.saturating_sub(self.mailbox.lock().taken) >= self.room;
        if is_full {
            if let Poll::Ready(lost) = link.poll_unread(cx) {
                return Poll::Ready(Err(lost));
            }
        } else if let Poll::Ready(heard) = link.poll(cx)? {
            return Poll::Ready(Ok(Step::Heard(heard)));
        }
        word.as_mut().poll(cx).map(|()| Ok(Step::Word))
    }

    /// Something has come on a topic.
    fn heard(&mut self, topic: &str, payload: &Bytes) -> Result<(), TransportError> {
        let lost = |why: &str| Err(TransportError::io(self.peer.clone(), io::Error::other(why.to_owned())));
        if topic == self.presence {
            let Some(session) = &self.session else { return Ok(()) };
            return match payload.strip_prefix(b"gone ") {
                Some(gone) if gone == session.as_bytes() => lost("the car is gone from its broker"),
                None if payload.strip_prefix(b"here ").is_some_and(|here| here != session.as_bytes()) => {
                    lost("the car has come back to its broker")
                }
                _ => Ok(()),
            };
        }
        if topic != self.own {
            return Ok(());
        }
        let malformed =
            |what: &str| TransportError::Malformed { peer: self.peer.clone(), what: what.to_owned() };
        let (head, data) = split_head(payload).map_err(|why| malformed(&why.to_string()))?;
        let Some(flow) = &mut self.flow else {
            return match head {
                None => {
                    let message = Message::Text(data);
                    self.received =
                        self.received.saturating_add(u64::try_from(cost(&message)).unwrap_or(u64::MAX));
                    self.mailbox.deliver(message);
                    Ok(())
                }
                // It was slow to say so. The next connection will be a better one.
                Some(_) => lost("the car has come to its broker"),
            };
        };
        match head {
            Some(Head::Part { number, kind }) => {
                let taken = self.mailbox.lock().taken;
                match flow.received(number, data.len(), taken) {
                    Ok(Arrival::Next) => self.mailbox.deliver(Message::new(kind, data)),
                    Ok(Arrival::Again) => {}
                    Err(fault) => return Err(fault.error(&self.peer)),
                }
                Ok(())
            }
            Some(Head::Taken(total)) => {
                flow.taken_there(total);
                Ok(())
            }
            Some(Head::Close(reason)) => Err(TransportError::Closed { peer: self.peer.clone(), reason }),
            Some(Head::Lost) => lost("the car has ended the connection without a word"),
            // Delivered again, or by somebody else.
            Some(Head::Hello { .. }) | None => Ok(()),
        }
    }

    /// Sends what there is, as far as there is room.
    fn pump(&mut self, link: &mut Link) {
        let taken = self.mailbox.lock().taken;
        if let Some(told) = self.flow.as_mut().and_then(|flow| flow.tell(taken)) {
            self.say(link, Head::Taken(told));
        }
        while link.has_room() && self.flow.as_ref().is_none_or(Flow::is_open) {
            let Some(message) = self.mailbox.next_out() else { return };
            let kind = message.kind();
            let head =
                self.flow.as_mut().map(|flow| Head::Part { number: flow.sent(message.data().len()), kind });
            let payload = Envelope::of_message(&self.own, head, kind, message.data()).encode();
            link.publish(&self.requests, &[&payload]);
        }
    }

    fn say(&self, link: &mut Link, head: Head) {
        link.publish(&self.requests, &[&Envelope::of_head(&self.own, head).encode()]);
    }

    /// The end in good order: the broker has taken all that was said, and forgets the will.
    async fn leave(&self, mut link: Link) {
        let last = link.last();
        let taken = async {
            while !link.has_taken(last) {
                poll_fn(|cx| link.poll(cx)).await?;
            }
            Ok::<_, TransportError>(())
        };
        drop(tokio::time::timeout(LAST_WORD, taken).await);
        self.mailbox.told();
        link.disconnect().await;
    }
}

/// The runtime may drop the task at any time: nobody waits for it then.
impl Drop for App {
    fn drop(&mut self) {
        let ended = io::Error::other("the runtime ended");
        if !self.mailbox.lock().told {
            self.mailbox.end(TransportError::io(self.peer.clone(), ended));
        }
    }
}

impl fmt::Debug for MqttConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MqttConnector({})", self.broker.url.shown)
    }
}
