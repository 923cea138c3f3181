//! What happens to everything that waits when a link is lost, and when another one stands.
//!
//! *Invariant:* when a link goes, every request is settled or kept to be asked again; nothing of one link is taken for something of another.
//! *Next:* `../driver.rs` (which loses and makes links).

use std::collections::HashMap;

use coachwork_transport::ClientSession;
use coachwork_transport::viss::{Metadata, Target};
use coachwork_vehicle::{
    Datapoint, Error, ErrorKind, Outcome, Reason, ReasonKind, Refusal, RefusalKind, Stage, Subscribe,
};

use super::arrivals::replace;
use super::{Asked, End, Mode, Shared, Waiting, odd};
use crate::catalogue;
use crate::link::Link;
use crate::slot::Settled;

impl Shared {
    /// Asks the gateway for a word.
    pub(crate) fn probe(&self) {
        let catalogue = self.catalogue();
        let within = self.options.request_time;
        let asked = self.ask(
            |session, now| match catalogue.id_at(0) {
                Some(signal) => session.get(&[signal], within, now),
                None => session.metadata(Target::everything(), within, now),
            },
            |_, _| Waiting::Probe,
        );
        // Where there is no room for it, others wait for the gateway already.
        drop(asked);
    }

    /// Settles what had its time.
    pub(crate) fn expire(&self) -> Expired {
        let now = self.moment();
        let (mut expired, mut over) = (Expired::Nothing, Vec::new());
        {
            let mut state = self.lock();
            let Some(session) = &mut state.session else { return Expired::Nothing };
            for ticket in session.expire(now) {
                if expired == Expired::Nothing {
                    expired = Expired::Requests;
                }
                match state.waiting.remove(&ticket) {
                    Some(Waiting::Probe) => expired = Expired::Probe,
                    Some(Waiting::Refresh) => {
                        state.refreshing = false;
                        state.refresh_again = true;
                    }
                    Some(Waiting::Subscribe(wish, None)) => state.unsent.push_back(wish),
                    Some(Waiting::Set(None, asked)) if asked.iter().any(|asked| asked.queued) => {
                        state.again.extend(asked.into_iter().filter(|asked| asked.queued));
                        state.deliveries.wait(now.monotonic);
                    }
                    Some(waiting) => over.push(waiting),
                    None => {}
                }
            }
        }
        let error = || Error::new(ErrorKind::Timeout, "the gateway did not answer in time");
        for waiting in over {
            if let Waiting::Delivery(numbers) = &waiting {
                self.delivered(numbers, Err(error()));
            }
            waiting.settle(&Settled::Answered(Err(error())));
        }
        expired
    }

    /// Sends what waits for room among the open requests: subscriptions, and newer metadata.
    pub(crate) fn pump(&self) {
        let now = self.moment();
        if self.outbox.is_some() {
            self.keep_outbox(now);
            self.deliver(now);
        }
        let mut state = self.lock();
        let state = &mut *state;
        if !state.again.is_empty() && !state.deliveries.is_waiting(now.monotonic) {
            self.ask_again(state, now);
        }
        let Some(session) = &mut state.session else { return };
        let nothing = state.unwanted.is_empty() && state.unknown.is_empty() && state.unsent.is_empty();
        if nothing && !state.refresh_again {
            return;
        }
        let within = self.options.request_time;
        while let Some(name) = state.unwanted.pop() {
            match session.unsubscribe(&name, within, now) {
                Ok((_, message)) => state.out.push_back(message),
                Err(error) if error.kind() == ErrorKind::Limit => {
                    state.unwanted.push(name);
                    break;
                }
                // It has ended by itself.
                Err(_) => {}
            }
        }
        // The other half is for calls.
        while session.requests() <= self.options.limits.requests / 2 {
            if state.refresh_again && !state.refreshing {
                let target = Target::everything();
                let Ok((ticket, message)) = session.metadata(target, within, now) else { return };
                state.waiting.insert(ticket, Waiting::Refresh);
                state.out.push_back(message);
                (state.refreshing, state.refresh_again) = (true, false);
                continue;
            }
            if let Some(signal) = state.unknown.pop_front() {
                if let Ok((ticket, message)) = session.get(&[signal], within, now) {
                    state.waiting.insert(ticket, Waiting::Present(signal));
                    state.out.push_back(message);
                }
                continue;
            }
            let Some(number) = state.unsent.pop_front() else { return };
            let Some(wish) = state.wishes.get_mut(&number) else { continue };
            let subscribe = Subscribe { strict: false, ..wish.subscribe.clone() };
            // What was accepted once is well-formed.
            let Ok((ticket, message)) = session.subscribe(&subscribe, within, now) else { continue };
            wish.ticket = Some(ticket);
            state.waiting.insert(ticket, Waiting::Subscribe(number, None));
            state.out.push_back(message);
        }
    }

    /// A new link stands.
    pub(crate) fn link_stands(&self, mut session: ClientSession, mut metadata: Metadata) {
        let left_out = std::mem::take(&mut metadata.skipped);
        if let Mode::Native(cell) = &self.mode {
            replace(cell, |now| catalogue::next(now, metadata));
        }
        session.set_catalogue(self.catalogue());
        let now = self.moment();
        {
            let mut state = self.lock();
            let state = &mut *state;
            state.left_out = left_out;
            state.unsent = state.wishes.keys().copied().collect();
            state.unsent.make_contiguous().sort_unstable();
            if !self.has_filters() {
                session.without_filters();
            }
            state.session = Some(session);
            state.deliveries.link_changes();
            self.ask_again(state, now);
        }
        self.link.store(Link::Up);
        self.pump();
    }

    /// Asks again for what was under way, and for what was queued, before anything newer.
    fn ask_again(&self, state: &mut super::State, now: coachwork_transport::Moment) {
        let Some(session) = &mut state.session else { return };
        let mut again = std::mem::take(&mut state.again);
        again.retain(|asked| asked.receipt.stage() == Stage::Accepted);
        if again.is_empty() {
            return;
        }
        let requests: Vec<_> = again.iter().map(|asked| asked.at(now)).collect();
        if let Ok((ticket, message)) = session.set(&requests, self.options.request_time, now) {
            state.waiting.insert(ticket, Waiting::Set(None, again));
            state.out.push_back(message);
        } else {
            // There is no room for it, or it has no words for it: what was queued waits, the others time out.
            again.retain(|asked| asked.queued);
            state.again = again;
            state.deliveries.wait(now.monotonic);
        }
    }

    /// The link is lost, until `link` says otherwise. What waits is settled, and signals are not available.
    pub(crate) fn link_lost(&self, error: &Error, link: Link, reason: &Reason) {
        let (waiting, lost, ends) = {
            let mut state = self.lock();
            let state = &mut *state;
            if state.session.take().is_none() {
                (HashMap::new(), Vec::new(), Vec::new())
            } else {
                state.link += 1;
                state.out.clear();
                state.names.clear();
                state.unsent.clear();
                state.unwanted.clear();
                state.unknown.clear();
                (state.refreshing, state.refresh_again) = (false, false);
                state.deliveries.link_changes();
                let waiting = std::mem::take(&mut state.waiting);
                let receipts = std::mem::take(&mut state.receipts).into_values();
                let (again, lost): (Vec<_>, Vec<_>) =
                    receipts.partition(|asked| asked.request.set.key.is_some());
                state.again.extend(again);
                let wishes = state.wishes.values_mut();
                let ends = wishes.map(|wish| {
                    (wish.name, wish.ticket, wish.interrupted) = (None, None, false);
                    wish.end.clone()
                });
                (waiting, lost, ends.collect::<Vec<_>>())
            }
        };
        self.link.store(link);
        let point = Datapoint::not_available(reason.clone(), self.clock.now());
        for end in ends {
            if let End::Inbox(inbox) = end {
                inbox.link_lost(&point);
            }
        }
        if let Mode::Plain(board) = &self.mode {
            board.withdraw_all(reason);
        }
        for asked in lost {
            asked.lost(reason);
        }
        for waiting in waiting.into_values() {
            waiting.lost(self, error, reason);
        }
    }

    /// The driver has gone: the link will not come back.
    pub(crate) fn ended(&self, reason: &Reason) {
        let error = Error::new(ErrorKind::Unavailable, reason.to_string());
        self.link_lost(&error, Link::Ended(reason.clone()), reason);
        let again = std::mem::take(&mut self.lock().again);
        // What is queued is taken up again by the next client of its outbox.
        for asked in again.iter().filter(|asked| !asked.queued) {
            asked.lost(reason);
        }
        if self.is_closing() {
            self.end_subscriptions();
        }
    }

    /// Nobody holds the vehicle any more.
    pub(super) fn end_subscriptions(&self) {
        let reason = Reason::because(ReasonKind::Ended, "the vehicle was dropped");
        let ends: Vec<_> = self.lock().wishes.values().map(|wish| wish.end.clone()).collect();
        for end in ends {
            if let End::Inbox(inbox) = end {
                inbox.end(&reason);
            }
        }
        if let Mode::Plain(board) = &self.mode {
            board.end(&reason);
        }
    }
}

/// What had its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    Nothing,
    Requests,
    /// The gateway was asked for a word, and said none.
    Probe,
}

impl Waiting {
    fn settle(self, how: &Settled<()>) {
        fn of<T>(how: &Settled<()>) -> Settled<T> {
            match how {
                Settled::Answered(Err(error)) => Settled::Answered(Err(error.clone())),
                Settled::Lost(error) => Settled::Lost(error.clone()),
                Settled::Answered(Ok(())) => Settled::Answered(Err(odd())),
            }
        }
        match self {
            Self::Points(slot) => slot.fill(of(how)),
            Self::History(slot) => slot.fill(of(how)),
            Self::Set(Some(slot), _) => slot.fill(of(how)),
            Self::Subscribe(_, Some(slot)) => slot.fill(of(how)),
            Self::Set(None, _)
            | Self::Subscribe(_, None)
            | Self::Refresh
            | Self::Present(_)
            | Self::Delivery(_)
            | Self::Probe => {}
        }
    }

    fn lost(self, shared: &Shared, error: &Error, reason: &Reason) {
        match self {
            Self::Set(None, asked) => {
                let (again, lost): (Vec<_>, Vec<_>) =
                    asked.into_iter().partition(|asked| asked.request.set.key.is_some());
                shared.lock().again.extend(again);
                for asked in lost {
                    asked.lost(reason);
                }
            }
            other => other.settle(&Settled::Lost(error.clone())),
        }
    }
}

impl Asked {
    fn lost(&self, reason: &Reason) {
        let refusal = Refusal::new(RefusalKind::Link, reason.to_string());
        self.receipt.settle(Outcome::Refused(refusal));
    }
}
