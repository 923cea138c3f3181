//! What waits in the outbox becomes deliveries and requests, one delivery at a time, and leaves it when the gateway has it.
//!
//! *Invariant:* notes of one lane are sent in the order of their numbers, and again from the first that is not known to be stored. A queued
//! request has one key over all links and restarts.
//! *Next:* `../outbox.rs` (where it waits), `links.rs` (which sends).

use std::time::Duration;

use bytes::Bytes;
use coachwork_transport::viss::{Call, Dialect, Request as Message, SetItem, WireValue};
use coachwork_transport::{Delivery, Lane, Limits, Moment, Note, Origin, Reply};
use coachwork_vehicle::{
    Backoff, Catalogue, Error, ErrorKind, Key, Monotonic, Outcome, Receipt, Request, Set, Stage, Waits,
};

use super::{Asked, Mode, Shared, State, Waiting, odd, wake};
use crate::outbox::Outbox;
use crate::queue::{Content, End, Item, NewItem, Priority};

/// How many notes go into one delivery, and how many bytes of them.
const NOTES: usize = 64;
const BYTES: usize = 128 * 1024;

/// How far the outbox has come on the present link.
pub(super) struct Deliveries {
    /// Notes are on their way.
    under_way: bool,
    /// This gateway takes none.
    refused: bool,
    /// How many go at once: one, after several did not arrive.
    count: usize,
    /// Nothing is sent before.
    after: Option<Monotonic>,
    waits: Waits,
    /// Requests that wait in the queue for their receipts.
    sets: Vec<(u64, Receipt)>,
}

impl Deliveries {
    pub(super) fn new(backoff: Backoff, seed: u64) -> Self {
        let waits = backoff.waits(seed.rotate_left(17));
        Self { under_way: false, refused: false, count: NOTES, after: None, waits, sets: Vec::new() }
    }

    /// Another link, or none.
    pub(super) fn link_changes(&mut self) {
        (self.under_way, self.refused, self.after) = (false, false, None);
    }

    /// Not before some time has passed.
    pub(super) fn wait(&mut self, now: Monotonic) {
        self.after = Some(now.saturating_add(self.waits.draw()));
    }

    pub(super) fn is_waiting(&mut self, now: Monotonic) -> bool {
        self.after = self.after.filter(|after| *after > now);
        self.after.is_some()
    }
}

impl Shared {
    /// When the outbox wants to be looked at again.
    pub(crate) fn delivery_due(&self) -> Option<Monotonic> {
        let outbox = self.outbox.as_ref()?;
        let now = self.clock.monotonic();
        let after = self.lock().deliveries.after;
        [after, outbox.sync_due()].into_iter().flatten().filter(|due| *due > now).min()
    }

    /// Does what time demands of the queue, and ends the requests in it that are settled.
    pub(super) fn keep_outbox(&self, now: Moment) {
        let Some(outbox) = &self.outbox else { return };
        let mut sets = std::mem::take(&mut self.lock().deliveries.sets);
        settle_sets(outbox, &mut sets);
        if !sets.is_empty() {
            let mut state = self.lock();
            // What was queued meanwhile comes behind.
            sets.append(&mut state.deliveries.sets);
            state.deliveries.sets = sets;
        }
        outbox.keep(now);
    }

    /// Sends the next notes, if none are on their way.
    pub(super) fn deliver(&self, now: Moment) {
        let Some(outbox) = &self.outbox else { return };
        let count = {
            let mut state = self.lock();
            // The other half is for calls.
            let most = self.options.limits.requests / 2;
            let room = state.session.as_ref().is_some_and(|session| session.requests() <= most);
            let deliveries = &mut state.deliveries;
            if !room || deliveries.under_way || deliveries.refused || deliveries.is_waiting(now.monotonic) {
                return;
            }
            deliveries.count
        };
        let items = outbox.next(count, BYTES);
        let Some(first) = items.first() else { return };
        let lane = Lane { origin: outbox.origin(), number: first.priority.to_byte() };
        let numbers = items.iter().map(|item| item.number).collect();
        let delivery = Delivery { lane, notes: items.into_iter().map(note).collect() };
        let mut state = self.lock();
        let state = &mut *state;
        let Some(session) = &mut state.session else { return };
        match session.deliver(delivery, self.options.request_time, now) {
            Ok((ticket, message)) => {
                state.deliveries.under_way = true;
                state.waiting.insert(ticket, Waiting::Delivery(numbers));
                state.out.push_back(message);
            }
            Err(_) => state.deliveries.refused = true,
        }
    }

    /// What the gateway says to a delivery of these notes.
    pub(super) fn delivered(&self, numbers: &[u64], answer: Result<Reply, Error>) {
        let Some(outbox) = &self.outbox else { return };
        let next = outbox.next_number();
        let answer = answer.and_then(|reply| match reply {
            // No note had this number: the gateway knows another queue of the same name.
            Reply::Delivered { stored, .. } if stored >= next => Err(odd()),
            Reply::Delivered { stored, refused } => {
                let (known, left): (Vec<u64>, Vec<u64>) =
                    numbers.iter().partition(|number| **number <= stored);
                let refused = refused.filter(|refused| left.first() == Some(refused));
                if known.is_empty() && refused.is_none() { Err(odd()) } else { Ok((known, refused)) }
            }
            _ => Err(odd()),
        });
        let now = self.clock.monotonic();
        let ended = {
            let mut state = self.lock();
            let deliveries = &mut state.deliveries;
            deliveries.under_way = false;
            match answer {
                Ok(ended) => {
                    deliveries.count = NOTES;
                    deliveries.waits.succeeded();
                    Some(ended)
                }
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    deliveries.refused = true;
                    None
                }
                Err(_) => {
                    // Several may be too many at once; and who is denied may show another token.
                    deliveries.count = 1;
                    deliveries.wait(now);
                    None
                }
            }
        };
        if let Some((delivered, refused)) = ended {
            outbox.end(delivered, End::Delivered);
            outbox.end(refused, End::Refused);
        }
    }

    /// Keeps a request until it is settled or expires.
    pub(crate) fn queue_set(&self, request: Request, priority: Priority) -> Result<Receipt, Error> {
        let unsupported = |message| Err(Error::new(ErrorKind::Unsupported, message));
        let Some(outbox) = &self.outbox else {
            return unsupported("this client has no outbox to queue a request in");
        };
        if matches!(self.mode, Mode::Plain(_)) {
            return unsupported(
                "this gateway does not know idempotency keys, without which nothing is queued",
            );
        }
        let limit = self.options.limits.receipts / 2;
        if self.lock().deliveries.sets.len() >= limit {
            return Err(Error::new(ErrorKind::Limit, format!("{limit} requests are queued")));
        }
        let (catalogue, now) = (self.catalogue(), self.moment());
        let path = catalogue.path(request.signal)?.to_string();
        let expires = now.time.saturating_add(request.set.within);
        let payload = encode(&path, &request);
        let item = NewItem { content: Content::Set, ..NewItem::note(&path, payload) };
        let number = outbox.put(item.until(expires).with_priority(priority))?;
        let receipt = Receipt::new(self.clock.clone(), now.monotonic.saturating_add(request.set.within));
        let mut state = self.lock();
        state.ask_queued(outbox.origin(), number, request, &receipt);
        wake(state);
        Ok(receipt)
    }

    /// Takes up what was queued by an earlier client.
    pub(crate) fn take_up_queued(&self) {
        let Some(outbox) = self.outbox.as_ref().filter(|_| matches!(self.mode, Mode::Native(_))) else {
            return;
        };
        let (catalogue, now) = (self.catalogue(), self.moment());
        for item in outbox.sets(now.time) {
            let Some(request) = decode(&item, &catalogue, now) else {
                // The vehicle has no such actuator any more.
                outbox.end([item.number], End::Refused);
                continue;
            };
            let receipt = Receipt::new(self.clock.clone(), now.monotonic.saturating_add(request.set.within));
            self.lock().ask_queued(outbox.origin(), item.number, request, &receipt);
        }
    }
}

impl State {
    fn ask_queued(&mut self, origin: Origin, number: u64, mut request: Request, receipt: &Receipt) {
        // No key of an app begins so: those begin with the digits of a seed.
        request.set.key = Key::new(&format!("q/{}/{number:x}", origin.to_hex())).ok();
        self.deliveries.sets.push((number, receipt.clone()));
        self.again.push(Asked { request, receipt: receipt.clone(), queued: true });
    }
}

/// What is settled need not be kept any more.
fn settle_sets(outbox: &Outbox, sets: &mut Vec<(u64, Receipt)>) {
    if sets.is_empty() {
        return;
    }
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    sets.retain(|(number, receipt)| match receipt.stage() {
        Stage::Accepted => true,
        // The queue itself ends what has expired.
        Stage::Settled(Outcome::TimedOut) => false,
        Stage::Settled(Outcome::Refused(_)) => {
            refused.push(*number);
            false
        }
        Stage::Settled(_) => {
            done.push(*number);
            false
        }
    });
    if !done.is_empty() {
        outbox.end(done, End::Delivered);
    }
    if !refused.is_empty() {
        outbox.end(refused, End::Refused);
    }
}

fn note(item: Item) -> Note {
    Note { number: item.number, written: item.put, name: item.name, payload: item.payload }
}

/// A request as it is kept: the message of VISS that asks for it.
fn encode(path: &str, request: &Request) -> Bytes {
    let item =
        SetItem { path: path.to_owned(), value: WireValue::of(&request.value), within: None, key: None };
    let call = Call::Set(vec![item]);
    Message { id: "1".to_owned(), id_is_number: false, additions: false, authorization: None, call }
        .encode(Dialect::V3)
}

fn decode(item: &Item, catalogue: &Catalogue, now: Moment) -> Option<Request> {
    let message = coachwork_transport::Message::Text(item.payload.clone());
    let Ok(Message { call: Call::Set(sets), .. }) =
        Message::decode(&message, Dialect::V3, &Limits::default())
    else {
        return None;
    };
    let mut request = sets.first()?.resolve(catalogue).ok()?;
    let left = item.expires.map_or(Duration::ZERO, |expires| expires.saturating_since(now.time));
    request.set = Set::within(left);
    Some(request)
}
