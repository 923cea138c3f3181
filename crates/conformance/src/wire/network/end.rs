//! One connection: what is written at one end, and what happens to it until it is read at the other.
//!
//! *Invariant:* in any weather without `broken`, whole messages arrive in their order, or the connection ends.
//! *Next:* `weather.rs` (what happens how often), `door.rs` (how connections come to stand).

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use coachwork_transport::{CloseReason, Connection, Info, Message, MessageKind, Security, TransportError};
use coachwork_vehicle::{Monotonic, Sleep};

use super::weather::Chance;
use super::{Net, State, lock};

/// One end of a connection through a [`Network`](super::Network).
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

/// Both directions of one connection: `ways[n]` is what side `n` sends.
#[derive(Default)]
pub(super) struct Link {
    ways: [Way; 2],
    cut: bool,
    silent: bool,
}

#[derive(Default)]
pub(super) struct Way {
    messages: VecDeque<(Monotonic, Message)>,
    bytes: usize,
    /// When the last one arrives.
    last: Monotonic,
    /// What the sender said when it left; `None` where it was dropped.
    left: Option<(Monotonic, Option<CloseReason>)>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

impl End {
    pub(super) fn new(net: Arc<Net>, link: Arc<Mutex<Link>>, side: usize) -> Self {
        let info = Info::new("network").with_security(Security::Local);
        let fed = VecDeque::new();
        Self { net, link, side, info, fed, fed_bytes: 0, timer: None, over: None, closing: false }
    }

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

/// Cuts a connection, for both ends.
pub(super) fn cut(link: &Mutex<Link>) {
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

pub(super) fn broken_off() -> TransportError {
    TransportError::io("network", io::ErrorKind::ConnectionReset.into())
}

impl Way {
    fn wakers(&mut self) -> impl Iterator<Item = Waker> + use<> {
        [self.receiver.take(), self.sender.take()].into_iter().flatten()
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "End({})", self.side)
    }
}
