//! What time alone brings: requests that were not answered, admissions that end, peers that neither read nor speak, the end of the gateway.
//!
//! *Invariant:* a connection has one timer, set for the first of what is due.
//! *Next:* `../peer.rs` (which asks in each turn).

use std::pin::Pin;
use std::task::Context;

use coachwork_transport::viss::EncodedEvent;
use coachwork_transport::{CloseCode, CloseReason, Moment};
use coachwork_vehicle::Monotonic;

use super::{End, Peer};
use crate::calls::renew;

impl Peer {
    /// What time alone brings: requests that were not answered, admissions that end, peers that neither read nor speak, the end of the gateway.
    pub(super) fn look_at_the_time(&mut self, now: &mut Moment, cx: &mut Context<'_>) -> Option<End> {
        loop {
            self.incoming.fill(now.monotonic);
            self.outgoing.fill(now.monotonic);
            let expired = self.session.expire(*now);
            self.tally.requests += expired.len() as u64;
            self.tally.refused += expired.len() as u64;
            self.send(expired);
            if self.over_at.is_some_and(|at| at <= now.monotonic) {
                self.end_what_is_over(*now);
            }
            if let Some(end) = self.end_at(*now, cx) {
                return Some(end);
            }
            let Some(due) = self.next_due() else {
                self.timer = None;
                return None;
            };
            if self.timer.as_ref().is_none_or(|(at, _)| *at > due) {
                self.timer = Some((due, self.shared.clock.sleep_until(due)));
            }
            let (_, sleep) = self.timer.as_mut()?;
            if Pin::new(sleep).poll(cx).is_pending() {
                return None;
            }
            self.timer = None;
            *now = Moment::of(self.shared.clock.as_ref());
        }
    }

    pub(super) fn end_what_is_over(&mut self, now: Moment) {
        let over = self.feeds.iter().filter(|(_, feed)| feed.pass.is_over(now.time));
        let over: Vec<_> = over.map(|(id, _)| id.clone()).collect();
        let additions = self.session.form().additions;
        for id in over {
            let feed = self.feeds.remove(&id);
            self.events.retain(|(other, _)| *other != id);
            // In pure VISS a token is good for its request. Otherwise the peer may have shown a newer one since.
            match feed.and_then(|feed| feed.wanted).filter(|_| additions) {
                Some(wanted) => {
                    let credential = self.session.credential().clone();
                    self.work.push(Box::pin(renew(self.shared.clone(), id, credential, wanted)));
                }
                None => self.events.push_back((id, EncodedEvent::expired(self.session.form(), now.time))),
            }
        }
        let clock = self.shared.clock.as_ref();
        self.over_at = self.feeds.iter().filter_map(|(_, feed)| feed.pass.over_at(clock)).min();
    }

    pub(super) fn end_at(&mut self, now: Moment, cx: &mut Context<'_>) -> Option<End> {
        if self.shared.drain.until().is_none() && self.draining.as_mut().poll(cx).is_ready() {
            self.draining = Box::pin(self.shared.drain.listen());
            let _ = self.draining.as_mut().poll(cx);
        }
        if let Some(until) = self.shared.drain.until() {
            let done = self.session.requests() == 0 && self.answers.is_empty();
            if done || until <= now.monotonic {
                let reason = CloseReason::new(CloseCode::GoingAway, "the gateway is shut down");
                return Some(End { reason: Some(reason), cut_off: !done });
            }
        }
        let options = &self.shared.options;
        if self.waiting_since.is_some_and(|since| now.monotonic.saturating_since(since) >= options.write_time)
        {
            return Some(End { reason: None, cut_off: true });
        }
        if self
            .receiving_since
            .is_some_and(|since| now.monotonic.saturating_since(since) >= options.message_time)
        {
            let reason = CloseReason::new(CloseCode::Policy, "a message took too long to arrive");
            return Some(End { reason: Some(reason), cut_off: true });
        }
        if self.silent_since().is_some_and(|since| now.monotonic.saturating_since(since) >= options.idle_time)
        {
            let reason = CloseReason::new(CloseCode::Policy, "nothing was heard for too long");
            return Some(End { reason: Some(reason), cut_off: true });
        }
        None
    }

    /// Since when a peer has been silent that should not be.
    pub(super) fn silent_since(&self) -> Option<Monotonic> {
        if self.session.requests() > 0 {
            return None;
        }
        if self.feeds.is_empty() {
            return Some(self.heard);
        }
        // A client of ours that hears nothing asks for a word: one that does not is gone, whatever its link says.
        self.session.form().additions.then(|| self.heard.max(self.said))
    }

    pub(super) fn next_due(&self) -> Option<Monotonic> {
        let options = &self.shared.options;
        let unread = self.waiting_since.map(|since| since.saturating_add(options.write_time));
        let silent = self.silent_since().map(|since| since.saturating_add(options.idle_time));
        let arriving = self.receiving_since.map(|since| since.saturating_add(options.message_time));
        let drain = self.shared.drain.until();
        let (read, told) = (self.incoming.free_at(), self.outgoing.free_at());
        [self.session.next_deadline(), unread, arriving, silent, self.over_at, drain, read, told]
            .into_iter()
            .flatten()
            .min()
    }
}
