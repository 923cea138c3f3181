//! What is encoded once for all who are told the same: events of a view in a form, and its metadata.
//!
//! *Invariant:* what comes out of the memory is what encoding would give, but for the time of the message; few are remembered.
//! *Next:* `peer.rs` (events), `calls.rs` (metadata).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use coachwork_transport::viss::{EncodedEvent, EncodedMetadata, Form, Target};
use coachwork_vehicle::{Catalogue, Datapoint, Error, SignalId, Timestamp};

/// How many events are remembered, each in the place that its content gives it. They are shared by peers that are told the same at
/// about the same time.
const EVENTS: usize = 32;
/// How many metadata are remembered, one for each view, form and request.
const METADATA: usize = 8;

type Points = [(SignalId, Datapoint)];

#[derive(Debug)]
pub(crate) struct Events(Mutex<Vec<Option<Known>>>);

type Known = (Form, Arc<Points>, EncodedEvent);

impl Default for Events {
    fn default() -> Self {
        Self(Mutex::new(vec![None; EVENTS]))
    }
}

impl Events {
    /// An event with these datapoints, whose ids say which vehicle they are of. `shared`: somebody else may be told the same.
    pub(crate) fn points(
        &self,
        form: Form,
        points: &Points,
        catalogue: &Catalogue,
        now: Timestamp,
        shared: bool,
    ) -> EncodedEvent {
        let encode =
            || EncodedEvent::points(form, points.iter().map(|(id, point)| (*id, point)), catalogue, now);
        if !shared {
            return encode();
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = known.get_mut(place(form, points)) else { return encode() };
        if let Some((other, there, encoded)) = place
            && *other == form
            && **there == *points
        {
            return encoded.clone();
        }
        let encoded = encode();
        *place = Some((form, points.into(), encoded.clone()));
        encoded
    }
}

/// Where an event is remembered: its first signal, its times and its length tell most apart.
fn place(form: Form, points: &Points) -> usize {
    let mut hasher = DefaultHasher::new();
    (form, points.len()).hash(&mut hasher);
    for (signal, point) in points.first().into_iter().chain(points.last()) {
        (signal, point.source, point.received).hash(&mut hasher);
    }
    usize::try_from(hasher.finish() % EVENTS as u64).unwrap_or(0)
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
