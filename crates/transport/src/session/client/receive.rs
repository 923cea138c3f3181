//! A message of the server → what it means: which request it settles, what a subscription tells.
//!
//! *Invariant:* an answer settles the request that it names, or none; what is told of a subscription that is gone is nothing.
//! *Next:* `arrived.rs` (the meanings), `../client.rs` (the requests that are open).

use std::collections::HashMap;

use coachwork_vehicle::{
    Datapoint, Each, Entry, Error, ErrorKind, Event, Points, Reason, ReasonKind, SignalId, Stage, State,
};

use super::{Arrived, ClientSession, Kind, Moment, Open, Reply, Ticket};
use crate::message::Message;
use crate::viss::{
    Call, Metadata, OneOrMany, Outline, RawItem, RawReceipt, RawReply, SubscriptionId, Text, protocol,
};

impl ClientSession {
    /// Takes a message of the server.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] or [`ErrorKind::Limit`] where it cannot be read: the session goes on, but the peer is not what it should be.
    /// Where it can still be told that it answers a get, a set, an unsubscribe or a delivery, that request alone is settled with the error.
    pub fn receive(&mut self, message: &Message, now: Moment) -> Result<Arrived, Error> {
        let reply = match RawReply::read(message, self.limits.depth) {
            Ok(reply) => reply,
            Err(error) => return self.unreadable(message, error),
        };
        match reply.action.as_ref().map(|action| action.0.as_ref()) {
            Some("subscription") => self.event(reply, now),
            Some("receipt") => self.receipt(reply),
            Some("catalogue") => {
                let revision = reply.revision.and_then(|revision| revision.0.parse().ok());
                let revision = revision.ok_or_else(|| protocol("a catalogue without a revision"))?;
                Ok(Arrived::CatalogueChanged { revision })
            }
            _ => self.answer(reply, now),
        }
    }

    fn unreadable(&mut self, message: &Message, error: Error) -> Result<Arrived, Error> {
        let outline = Outline::of(message.data());
        let ticket = outline.id.and_then(|id| id.0.parse().ok()).map(Ticket);
        let said = |action: &str| outline.action.as_ref().is_none_or(|said| *said == action);
        // Without its answer nobody could end a subscription, and nobody knows the signals.
        let alone = |kind: &Kind| !matches!(kind, Kind::Subscribe | Kind::Metadata { .. });
        let answers = |open: &Open| alone(&open.kind) && said(open.kind.action());
        match ticket.filter(|ticket| self.open.get(ticket).is_some_and(answers)) {
            Some(ticket) => {
                self.cancel(ticket);
                Ok(Arrived::Answer { ticket, answer: Err(error) })
            }
            None => Err(error),
        }
    }

    fn answer(&mut self, reply: RawReply<'_>, now: Moment) -> Result<Arrived, Error> {
        let id = reply.request_id.as_ref().ok_or_else(|| protocol("an answer without requestId"))?;
        let ticket = id.0.parse().map(Ticket).ok().filter(|ticket| ticket.0 < self.next_ticket);
        let ticket = ticket.ok_or_else(|| protocol("an answer to a request that was never made"))?;
        let Some(open) = self.open.remove(&ticket) else { return Ok(self.late(&reply)) };
        if reply.coachwork.is_some() {
            self.form.additions = true;
        } else if open.asked && !self.form.additions && reply.error.is_none() {
            self.ask = false;
        }
        let answer = self.settle(ticket, open.kind, reply, now);
        Ok(Arrived::Answer { ticket, answer })
    }

    /// The answer to a request that nobody waits for.
    fn late(&mut self, reply: &RawReply<'_>) -> Arrived {
        let subscribed =
            reply.action.as_ref().is_some_and(|action| action.0 == "subscribe") && reply.error.is_none();
        match &reply.subscription_id {
            Some(subscription) if subscribed => {
                let subscription = SubscriptionId(subscription.0.as_ref().into());
                if self.subscriptions.contains(&subscription) {
                    // The same answer twice.
                    return Arrived::Nothing;
                }
                let (_, message) = self.message(Call::Unsubscribe(subscription), false);
                Arrived::Send(message)
            }
            _ => Arrived::Nothing,
        }
    }

    fn settle(
        &mut self,
        ticket: Ticket,
        kind: Kind,
        reply: RawReply<'_>,
        now: Moment,
    ) -> Result<Reply, Error> {
        if let Some(error) = reply.error {
            return Err(error.into_error());
        }
        let lacks = |what: &str| protocol(format!("the answer has no {what}"));
        match kind {
            Kind::Get(signals) => {
                let data = reply.data.ok_or_else(|| lacks("data"))?;
                let missing = || lacks("datapoint of this signal");
                self.each(&signals, data, missing, |item, entry| {
                    item.into_result(entry, self.form.additions, now.time)
                })
                .map(Reply::Points)
            }
            Kind::History(signals) => {
                let data = reply.data.ok_or_else(|| lacks("data"))?;
                let missing = || lacks("datapoints of this signal");
                self.each(&signals, data, missing, |item, entry| {
                    item.into_history(entry, self.form.additions, now.time)
                })
                .map(Reply::History)
            }
            Kind::Metadata { root } => {
                let tree = reply.metadata.ok_or_else(|| lacks("metadata"))?;
                let revision = reply.revision.and_then(|revision| revision.0.parse().ok());
                let metadata = Metadata::read(tree, reply.types, reply.facts.as_ref(), revision, &root);
                metadata.map(Reply::Metadata)
            }
            Kind::Set { items } => {
                let Some(receipts) = reply.receipts else {
                    return Ok(Reply::Set(vec![Ok(Stage::Accepted); items]));
                };
                if receipts.len() != items {
                    return Err(protocol("the answer has another number of receipts than the request"));
                }
                let stages: Each<Stage> = receipts.into_iter().map(RawReceipt::stage).collect();
                let settled: Vec<_> =
                    stages.iter().map(|stage| !matches!(stage, Ok(Stage::Accepted))).collect();
                if settled.contains(&false) {
                    self.receipts.insert(ticket, settled);
                }
                Ok(Reply::Set(stages))
            }
            Kind::Subscribe => {
                let subscription = reply.subscription_id.ok_or_else(|| lacks("subscriptionId"))?;
                let subscription = SubscriptionId(subscription.0.as_ref().into());
                self.subscriptions.insert(subscription.clone());
                let refused = reply.refused.unwrap_or_default().into_iter();
                let refused =
                    refused.map(|item| (item.path.0.into_owned(), item.error.into_error())).collect();
                Ok(Reply::Subscribed { subscription, refused })
            }
            Kind::Unsubscribe => Ok(Reply::Unsubscribed),
            Kind::Deliver => {
                let number = |text: Option<Text<'_>>| text.and_then(|text| text.0.parse().ok());
                let stored = number(reply.stored).ok_or_else(|| lacks("number of what is stored"))?;
                Ok(Reply::Delivered { stored, refused: number(reply.refused_note) })
            }
        }
    }

    /// What an answer says of each signal, in the order asked.
    fn each<T: Clone>(
        &self,
        signals: &[SignalId],
        data: OneOrMany<RawItem<'_>>,
        missing: impl Fn() -> Error,
        read: impl Fn(RawItem<'_>, &Entry) -> Result<T, Error>,
    ) -> Result<Each<T>, Error> {
        let catalogue = self.catalogue()?;
        let mut found = HashMap::new();
        for item in data.into_vec() {
            let Some(signal) = catalogue.id(&item.path.0.replace('/', ".")) else { continue };
            found.insert(signal, read(item, catalogue.entry(signal)?));
        }
        Ok(signals.iter().map(|id| found.get(id).cloned().unwrap_or_else(|| Err(missing()))).collect())
    }

    fn event(&mut self, reply: RawReply<'_>, now: Moment) -> Result<Arrived, Error> {
        let subscription =
            reply.subscription_id.ok_or_else(|| protocol("an event without subscriptionId"))?;
        let subscription = SubscriptionId(subscription.0.as_ref().into());
        if !self.subscriptions.contains(&subscription) {
            return Ok(Arrived::Nothing);
        }
        let mut unknown = 0;
        let event = if let Some(data) = reply.data {
            let catalogue = self.catalogue()?;
            let items = data.into_vec();
            let mut points = Vec::with_capacity(items.len());
            for item in items {
                match catalogue.id(&item.path.0) {
                    Some(signal) => {
                        let entry = catalogue.entry(signal)?;
                        let point = item.into_result(entry, self.form.additions, now.time);
                        let point = point.unwrap_or_else(|error| {
                            let reason = Reason::because(ReasonKind::Malformed, error.message());
                            Datapoint::new(State::Error(reason), now.time)
                        });
                        points.push((signal, point));
                    }
                    None => unknown += 1,
                }
            }
            Event::Changed(Points::new(points))
        } else if let Some(lagged) = reply.lagged {
            let count = lagged.0.parse().map_err(|_| protocol("a lag that is no number"))?;
            Event::Lagged(count)
        } else if let Some(access) = reply.access {
            let catalogue = self.catalogue()?;
            let mut changes = Vec::with_capacity(access.len());
            for change in access {
                match catalogue.id(&change.path.0) {
                    Some(signal) => changes.push((signal, change.read.permission())),
                    None => unknown += 1,
                }
            }
            Event::Access(changes)
        } else if let Some(error) = reply.error {
            let error = error.into_error();
            if !self.form.additions && error.is_temporary() {
                return Ok(Arrived::Interrupted { subscription, error });
            }
            self.subscriptions.remove(&subscription);
            Event::Ended(match reply.ended {
                Some(ended) => ended.reason(),
                None if error.kind() == ErrorKind::Denied => {
                    Reason::because(ReasonKind::Denied, error.message())
                }
                None => Reason::because(ReasonKind::Other, error.message()),
            })
        } else {
            return Err(protocol("an event that says nothing"));
        };
        Ok(Arrived::Event { subscription, event, unknown })
    }

    fn receipt(&mut self, reply: RawReply<'_>) -> Result<Arrived, Error> {
        let ticket = reply.request_id.and_then(|id| id.0.parse().ok()).map(Ticket);
        let ticket = ticket.ok_or_else(|| protocol("a receipt without requestId"))?;
        let index = reply.index.and_then(|index| index.0.parse::<usize>().ok());
        let index = index.ok_or_else(|| protocol("a receipt without index"))?;
        let stage = reply.receipt.ok_or_else(|| protocol("a receipt that says nothing"))?.stage()?;
        let Stage::Settled(outcome) = stage else { return Err(protocol("a receipt that is not settled")) };
        let Some(receipts) = self.receipts.get_mut(&ticket) else { return Ok(Arrived::Nothing) };
        match receipts.get_mut(index) {
            Some(settled) if !*settled => *settled = true,
            _ => return Ok(Arrived::Nothing),
        }
        if !receipts.contains(&false) {
            self.receipts.remove(&ticket);
        }
        Ok(Arrived::Receipt { ticket, index, outcome })
    }
}
