//! What is encoded once for all who are told the same: events of a view in a form, and its metadata.
//!
//! *Invariant:* what comes out of the memory is what encoding would give, but for the time of the message; few are remembered.
//! *Next:* `peer.rs` (events), `calls.rs` (metadata).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use coachwork_transport::viss::{EncodedEvent, EncodedMetadata, Form, Target};
use coachwork_vehicle::{Catalogue, Datapoint, Error, SignalId, Timestamp};

/// How many events are remembered. They are shared by peers that are told the same at about the same time.
const EVENTS: usize = 64;
/// How many metadata are remembered, one for each view, form and request.
const METADATA: usize = 8;

type Points = [(SignalId, Datapoint)];

#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<VecDeque<(Form, Arc<Points>, EncodedEvent)>>);

impl Events {
    /// An event with these datapoints, whose ids say which vehicle they are of.
    pub(crate) fn points(
        &self,
        form: Form,
        points: &Points,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> EncodedEvent {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |(other, there, _): &&(Form, Arc<Points>, EncodedEvent)| *other == form && **there == *points;
        if let Some((_, _, encoded)) = known.iter().rev().find(same) {
            return encoded.clone();
        }
        let encoded =
            EncodedEvent::points(form, points.iter().map(|(id, point)| (*id, point)), catalogue, now);
        if known.len() >= EVENTS {
            known.pop_front();
        }
        known.push_back((form, points.into(), encoded.clone()));
        encoded
    }
}

#[derive(Debug, Default)]
pub(crate) struct Described(Mutex<VecDeque<Remembered>>);

#[derive(Debug)]
struct Remembered {
    /// The snapshot; while it is kept, no other one can be at its place.
    catalogue: Arc<Catalogue>,
    form: Form,
    target: Target,
    generations: u32,
    encoded: EncodedMetadata,
}

impl Described {
    /// The metadata of `target` in `catalogue`.
    pub(crate) fn described(
        &self,
        form: Form,
        catalogue: &Arc<Catalogue>,
        target: &Target,
        generations: u32,
    ) -> Result<EncodedMetadata, Error> {
        let same = |known: &&Remembered| {
            known.form == form
                && known.generations == generations
                && Arc::ptr_eq(&known.catalogue, catalogue)
                && known.target == *target
        };
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().find(same) {
            return Ok(known.encoded.clone());
        }
        // No remote peer can hold a source back.
        let mut facts = catalogue.facts().clone();
        facts.back_pressure = false;
        let encoded = EncodedMetadata::new(form, &catalogue.with_facts(facts), target, generations)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= METADATA {
            known.pop_front();
        }
        let (catalogue, target) = (catalogue.clone(), target.clone());
        known.push_back(Remembered { catalogue, form, target, generations, encoded: encoded.clone() });
        Ok(encoded)
    }
}
