//! A batch of requests becomes one `set` for each part.
//!
//! *Invariant:* a request is with one part at a time, and goes to the next only where a part says that it is not available, which means
//! that it was not sent. A key stays with the part that took its request.
//! *Next:* `keys.rs` (which part took which key), `reading.rs` (who answers for an actuator).

use super::reading::standing;
use super::together::together;
use super::view::{Place, View};
use super::{Calls, Joint, Standing, by_place, keys};
use crate::catalogue::Permission;
use crate::error::{Error, ErrorKind, Operation};
use crate::receipt::Receipt;
use crate::request::Request;
use crate::vehicle::Each;

/// A request on its way.
struct Errand {
    request: Request,
    /// Where it may still go, in order.
    places: Vec<Place>,
    /// Whether its key was not used before.
    new_key: bool,
    answer: Option<Result<Receipt, Error>>,
}

impl Joint {
    pub(crate) async fn set(&self, requests: Vec<Request>) -> Each<Receipt> {
        let view = self.view();
        let mut errands = self.errands(&view, requests).await;
        loop {
            let mut calls: Calls<Request> = Calls::new();
            for (at, errand) in errands.iter_mut().enumerate() {
                if let Some((part, request)) = errand.next(self, &view) {
                    let (ats, asked) = calls.entry(part).or_default();
                    ats.push(at);
                    asked.push(request);
                }
            }
            if calls.is_empty() {
                break;
            }
            let calls = calls.into_iter().filter_map(|(number, (ats, requests))| {
                let part = self.parts.get(number)?.clone();
                Some(Box::pin(async move { (ats, part.set(requests).await) }))
            });
            for (at, answer) in together(calls.collect()).await.into_iter().flat_map(by_place) {
                if let Some(errand) = errands.get_mut(at) {
                    errand.take(answer, self);
                }
            }
        }
        let missing = || Err(Error::new(ErrorKind::Protocol, "no part was asked"));
        errands.into_iter().map(|errand| errand.answer.unwrap_or_else(missing)).collect()
    }

    /// The requests with the places of their actuators: the one that answers for it, then the others.
    async fn errands(&self, view: &View, requests: Vec<Request>) -> Vec<Errand> {
        let errand = |request: Request| {
            let (places, answer) = match self.way(view, &request) {
                Ok(places) => (places, None),
                Err(error) => (Vec::new(), Some(Err(error.during(Operation::Set)))),
            };
            Errand { request, places, new_key: false, answer }
        };
        let mut errands: Vec<_> = requests.into_iter().map(errand).collect();
        let unsure = |errand: &&mut Errand| errand.places.len() > 1;
        let signals: Vec<_> = errands.iter_mut().filter(unsure).map(|errand| errand.request.signal).collect();
        if !signals.is_empty() {
            let said = self.seek(view, &signals).await;
            for (errand, (turn, answer)) in errands.iter_mut().filter(unsure).zip(said) {
                if standing(&answer) == Standing::Answers && turn < errand.places.len() {
                    let answering = errand.places.remove(turn);
                    errand.places.insert(0, answering);
                }
            }
        }
        errands
    }

    /// Where a request may go.
    fn way(&self, view: &View, request: &Request) -> Result<Vec<Place>, Error> {
        let places = view.places(request.signal)?;
        if let Some(part) = request.set.key.as_ref().and_then(|key| self.keys.part(key)) {
            // The part that took the key knows what became of its request.
            let known = places.iter().find(|place| place.part == part);
            return known
                .map(|place| vec![*place])
                .ok_or_else(|| keys::conflict().on_path(view.path(request.signal)));
        }
        // Where the right is missing, it is the first part's to refuse.
        let open = view.catalogue.access(request.signal)?.write == Permission::Yes;
        Ok(places.iter().copied().take(if open { places.len() } else { 1 }).collect())
    }
}

impl Errand {
    /// The part that it goes to next, and what that one is asked.
    fn next(&mut self, joint: &Joint, view: &View) -> Option<(usize, Request)> {
        if self.places.is_empty() {
            return None;
        }
        let place = self.places.remove(0);
        if let Some(key) = &self.request.set.key {
            match joint.keys.take(key, place.part) {
                Ok(new) => self.new_key = new,
                Err(conflict) => {
                    self.answer = Some(Err(conflict.on_path(view.path(self.request.signal))));
                    self.places.clear();
                    return None;
                }
            }
        }
        Some((place.part, Request { signal: place.signal, ..self.request.clone() }))
    }

    fn take(&mut self, answer: Result<Receipt, Error>, joint: &Joint) {
        let sent_nothing = match &answer {
            Ok(_) => false,
            Err(error) => {
                // What is answered with an error was not sent: its key is as good as new.
                if let Some(key) = self.request.set.key.as_ref().filter(|_| self.new_key) {
                    joint.keys.free(key);
                }
                error.kind() == ErrorKind::Unavailable
            }
        };
        if !sent_nothing {
            self.places.clear();
        }
        // Where all parts are down, the first one says so.
        if answer.is_ok() || self.answer.is_none() {
            self.answer = Some(answer);
        }
    }
}
