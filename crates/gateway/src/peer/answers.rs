//! What a request came to becomes its answer, and what follows from it: receipts that are awaited, subscriptions that are fed.
//!
//! *Invariant:* each request is answered once, which the session sees to; an answer is queued before the events that it announces.
//! *Next:* `../peer.rs` (which writes them), `../calls.rs` (where they come from).

use std::sync::Arc;

use bytes::Bytes;
use coachwork_transport::viss::{Answer, EncodedEvent, SubscriptionId};
use coachwork_transport::{Moment, Ticket};
use coachwork_vehicle::{
    Catalogue, Each, Error, ErrorKind, Event, Permission, Reason, ReasonKind, Receipt, Stage,
};

use super::Peer;
use crate::calls::{Done, Subscribed};
use crate::door::Pass;
use crate::feeds::Feed;
use crate::observer::Happened;

impl Peer {
    pub(super) fn send(&mut self, messages: impl IntoIterator<Item = Bytes>) {
        for message in messages {
            self.answers_bytes += message.len();
            self.answers.push_back(message);
        }
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: &Answer, now: Moment) -> bool {
        let action = self.session.action(ticket);
        let message = self.session.answer(ticket, answer, now);
        let answered = message.is_some();
        self.tally.requests += u64::from(answered);
        if let Some(kind) = refusal(answer, self.session.form().additions)
            && answered
        {
            self.refused(action, kind);
        }
        self.send(message);
        answered
    }

    pub(super) fn finish(&mut self, done: Done, now: Moment) {
        match done {
            Done::Answered(ticket, answer) => {
                self.answer(ticket, &answer, now);
            }
            Done::Set(ticket, receipts) => self.follow(ticket, receipts, now),
            Done::Subscribed(ticket, made) => {
                // One that nobody waits for any more is dropped here, and so ends.
                let Some(id) = self.session.subscription(ticket) else { return };
                let Subscribed { subscription, trigger, refused, pass, wanted } = *made;
                if self.answer(ticket, &Answer::Subscribed { refused }, now) {
                    let over_at = pass.over_at(self.shared.clock.as_ref());
                    self.over_at = [self.over_at, over_at].into_iter().flatten().min();
                    self.feeds.insert(id, Feed { subscription, trigger, pass, wanted });
                }
            }
            Done::Renewed(id, made) => self.renewed(id, made, now),
            Done::Described(ticket, answer, pass, catalogue) => {
                self.answer(ticket, &answer, now);
                if self.session.form().additions {
                    self.watch(pass, catalogue);
                }
            }
            Done::Settled(ticket, index, outcome) => {
                // What was told is known after a restart.
                self.shared.keys().write_settled();
                let message = self.session.receipt(ticket, index, &outcome, now);
                self.send(message);
            }
        }
    }

    /// Answers a set, and tells of its receipts as they are settled.
    pub(super) fn follow(&mut self, ticket: Ticket, receipts: Each<Receipt>, now: Moment) {
        let stages =
            receipts.iter().map(|each| each.as_ref().map(Receipt::stage).map_err(Clone::clone)).collect();
        let answer = Answer::Set(stages);
        let answered = self.answer(ticket, &answer, now);
        let Answer::Set(stages) = answer else { return };
        if !answered || !self.session.form().additions {
            return;
        }
        for (index, (receipt, stage)) in receipts.into_iter().zip(stages).enumerate() {
            if let (Ok(receipt), Ok(Stage::Accepted)) = (receipt, stage) {
                self.work
                    .push(Box::pin(async move { Done::Settled(ticket, index, receipt.outcome().await) }));
            }
        }
    }

    /// A subscription goes on by a newer right, or ends with the old one.
    pub(super) fn renewed(&mut self, id: SubscriptionId, made: Result<Box<Subscribed>, Error>, now: Moment) {
        // It may have been given up meanwhile.
        if !self.session.has_subscription(&id) {
            return;
        }
        let form = self.session.form();
        let made = match made {
            Ok(made) if !made.pass.is_over(now.time) => *made,
            _ => return self.events.push_back((id, EncodedEvent::expired(form, now.time))),
        };
        self.shared.tell(&Happened::Renewed { connection: self.number });
        let Subscribed { subscription, trigger, refused, pass, wanted } = made;
        let catalogue = subscription.catalogue().clone();
        let gone = refused.iter().filter(|(_, error)| error.kind() == ErrorKind::Denied).filter_map(
            |(path, error)| {
                let why = Reason::because(ReasonKind::Denied, error.message());
                Some((catalogue.id(path)?, Permission::Denied(why)))
            },
        );
        let gone: Vec<_> = gone.collect();
        if !gone.is_empty() {
            let event = EncodedEvent::new(form, &Event::Access(gone), &catalogue, now.time);
            self.events.extend(event.map(|event| (id.clone(), event)));
        }
        let over_at = pass.over_at(self.shared.clock.as_ref());
        self.over_at = [self.over_at, over_at].into_iter().flatten().min();
        self.feeds.insert(id, Feed { subscription, trigger, pass, wanted });
    }

    pub(super) fn watch(&mut self, pass: Arc<Pass>, catalogue: Arc<Catalogue>) {
        self.described = Some((pass, Box::pin(async move { catalogue.superseded().await })));
    }
}

/// What is wrong with the whole of a request. In pure VISS, what is wrong with an item is that.
fn refusal(answer: &Answer, additions: bool) -> Option<ErrorKind> {
    match answer {
        Answer::Failed(error) => Some(error.kind()),
        Answer::Points(points) if !additions => {
            points.iter().find_map(|(_, one)| Some(one.as_ref().err()?.kind()))
        }
        Answer::Set(receipts) if !additions => {
            receipts.iter().find_map(|one| Some(one.as_ref().err()?.kind()))
        }
        _ => None,
    }
}
