//! A connection over a broker: one end of a mailbox.
//!
//! *Invariant:* it holds at most the write buffer and one message of what is to be sent. What was received before the end is given before the end.
//! *Next:* `mailbox.rs`.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use coachwork_transport::{CloseReason, Connection, Info, Limits, Message, MessageKind, TransportError};

use crate::envelope::wrapped_size;
use crate::flow::{Flow, window};
use crate::mailbox::{Mailbox, State, cost};

/// One end of a conversation over a broker. Made by [`MqttConnector`](crate::MqttConnector) or [`MqttListener`](crate::MqttListener).
pub struct MqttConnection {
    info: Info,
    limits: Limits,
    mailbox: Arc<Mailbox>,
    /// What messages count here; none with peers that know nothing of it.
    flow: Option<Flow>,
    /// How much was taken when the task was told last.
    told: u64,
    /// This end wraps its messages, which makes them longer.
    wraps: bool,
}

impl MqttConnection {
    pub(crate) fn new(
        info: Info,
        limits: &Limits,
        mailbox: Arc<Mailbox>,
        flow: Option<Flow>,
        wraps: bool,
    ) -> Self {
        Self { info, limits: limits.clone(), mailbox, flow, told: 0, wraps }
    }

    fn ended(&self, state: &State) -> Option<TransportError> {
        match (&state.end, &state.closing) {
            (Some(end), _) => Some(end.clone()),
            (None, Some(reason)) => {
                Some(TransportError::Closed { peer: self.info.peer.clone(), reason: reason.clone() })
            }
            (None, None) => None,
        }
    }
}

impl Connection for MqttConnection {
    fn info(&self) -> &Info {
        &self.info
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        let mut state = self.mailbox.lock();
        if let Some(reason) = &state.closing
            && state.end.is_none()
        {
            let peer = self.info.peer.clone();
            return Poll::Ready(Err(TransportError::Closed { peer, reason: reason.clone() }));
        }
        let Some(message) = state.inbox.pop_front() else {
            if let Some(end) = self.ended(&state) {
                return Poll::Ready(Err(end));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let length = message.data().len();
        let counted = self
            .flow
            .as_ref()
            .map_or_else(|| u64::try_from(cost(&message)).unwrap_or(0), |flow| flow.cost_here(length));
        state.taken = state.taken.saturating_add(counted);
        let taken = state.taken;
        drop(state);
        if taken - self.told >= window(self.limits.write_buffer).div_ceil(8) {
            self.told = taken;
            self.mailbox.ring();
        }
        Poll::Ready(Ok(message))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let mut state = self.mailbox.lock();
        if let Some(end) = self.ended(&state) {
            return Poll::Ready(Err(end));
        }
        if state.outbox_bytes < self.limits.write_buffer {
            return Poll::Ready(Ok(()));
        }
        state.flushed = state.outbox.len();
        state.writer = Some(cx.waker().clone());
        drop(state);
        self.mailbox.ring();
        Poll::Pending
    }

    fn feed(&mut self, kind: MessageKind, parts: &[&[u8]]) -> Result<(), TransportError> {
        let peer = || self.info.peer.clone();
        let mut state = self.mailbox.lock();
        if let Some(end) = self.ended(&state) {
            return Err(end);
        }
        let (size, limit): (usize, _) = (parts.iter().map(|part| part.len()).sum(), self.limits.message);
        if size > limit {
            return Err(TransportError::TooLargeToSend { peer: peer(), size, limit });
        }
        // An envelope is read up to twice the limit.
        let wrapped = if self.wraps { wrapped_size(kind, parts) } else { 0 };
        if wrapped > limit.saturating_mul(2).saturating_add(2048) {
            return Err(TransportError::TooLargeToSend { peer: peer(), size: wrapped, limit });
        }
        if state.outbox_bytes >= self.limits.write_buffer {
            return Err(TransportError::Full { peer: peer(), limit: self.limits.write_buffer });
        }
        let mut data = BytesMut::with_capacity(size);
        for part in parts {
            data.extend_from_slice(part);
        }
        if self.wraps && kind == MessageKind::Text && std::str::from_utf8(&data).is_err() {
            let end = TransportError::Malformed { peer: peer(), what: "a text that is not UTF-8".to_owned() };
            state.end = Some(end.clone());
            drop(state);
            self.mailbox.ring();
            return Err(end);
        }
        let message = Message::new(kind, data.freeze());
        state.outbox_bytes += cost(&message);
        state.outbox.push_back(message);
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let mut state = self.mailbox.lock();
        if let Some(end) = self.ended(&state) {
            return Poll::Ready(Err(end));
        }
        if state.outbox.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let more = state.flushed < state.outbox.len();
        state.flushed = state.outbox.len();
        state.writer = Some(cx.waker().clone());
        drop(state);
        if more {
            self.mailbox.ring();
        }
        Poll::Pending
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, reason: &CloseReason) -> Poll<Result<(), TransportError>> {
        let mut state = self.mailbox.lock();
        if let Some(end) = &state.end {
            return Poll::Ready(Err(end.clone()));
        }
        let reason = state.closing.get_or_insert_with(|| reason.clone()).clone();
        if state.told {
            let peer = self.info.peer.clone();
            state.end = Some(TransportError::Closed { peer, reason });
            return Poll::Ready(Ok(()));
        }
        state.flushed = state.outbox.len();
        state.writer = Some(cx.waker().clone());
        drop(state);
        self.mailbox.ring();
        Poll::Pending
    }
}

impl Drop for MqttConnection {
    fn drop(&mut self) {
        let mut state = self.mailbox.lock();
        state.dropped = true;
        // The futures of the dropped owner are not to be woken any more.
        (state.reader, state.writer) = (None, None);
        state.inbox.clear();
        drop(state);
        self.mailbox.ring();
    }
}

impl fmt::Debug for MqttConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MqttConnection({:?})", self.info)
    }
}
