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
/// How many bytes the remembered events have at most, about.
const EVENTS_BYTES: usize = 256 * 1024;
/// How many metadata are remembered, one for each view, form and request.
const METADATA: usize = 8;

type Points = [(SignalId, Datapoint)];

#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Shared>);

#[derive(Debug)]
struct Shared {
    places: Vec<Option<Known>>,
    /// How many bytes all of them have.
    bytes: usize,
    /// The place that is emptied next where they are too many.
    next: usize,
}

type Known = (Form, Arc<Points>, EncodedEvent);

impl Default for Shared {
    fn default() -> Self {
        Self { places: vec![None; EVENTS], bytes: 0, next: 0 }
    }
}

impl Shared {
    fn put(&mut self, place: usize, known: Known) {
        let bytes = weight(&known);
        self.empty(place);
        // From the place after the last one that was emptied on: all places come in turn.
        for _ in 0..EVENTS {
            if self.bytes.saturating_add(bytes) <= EVENTS_BYTES {
                break;
            }
            self.next = (self.next + 1) % EVENTS;
            self.empty(self.next);
        }
        if let Some(place) = self.places.get_mut(place)
            && self.bytes.saturating_add(bytes) <= EVENTS_BYTES
        {
            *place = Some(known);
            self.bytes += bytes;
        }
    }

    fn empty(&mut self, place: usize) {
        if let Some(known) = self.places.get_mut(place).and_then(Option::take) {
            self.bytes -= weight(&known);
        }
    }
}

/// About how many bytes an event has, with the datapoints that it is known by.
fn weight((_, points, encoded): &Known) -> usize {
    size_of_val::<Points>(points) + encoded.body().len()
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
        let place = place(form, points);
        if let Some(Some((other, there, encoded))) = known.places.get(place)
            && *other == form
            && **there == *points
        {
            return encoded.clone();
        }
        let encoded = encode();
        known.put(place, (form, points.into(), encoded.clone()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_transport::viss::Dialect;
    use coachwork_vehicle::{DataType, Entry, Facts};

    /// Large events push others out, and one that is told twice is encoded once.
    #[test]
    fn remembered_events_have_a_bound_in_bytes() {
        let catalogue = Catalogue::new([Entry::sensor("A.A", DataType::STRING)], Facts::default()).unwrap();
        let (signal, events) = (catalogue.ids().next().unwrap(), Events::default());
        let form = Form::pure(Dialect::V3);
        let mut kept = 0;
        for (second, size) in (0..200).zip([10, 60_000, 90_000, 400_000, 3].into_iter().cycle()) {
            let now = Timestamp::from_seconds(second);
            let points = [(signal, Datapoint::valid("x".repeat(size), now))];
            let told = || events.points(form, &points, &catalogue, now, true).body().clone();
            let (first, again) = (told(), told());
            assert_eq!(first, again);
            kept += usize::from(first.as_ptr() == again.as_ptr());
            let shared = events.0.lock().unwrap();
            let held: usize = shared.places.iter().flatten().map(weight).sum();
            assert!(held == shared.bytes && held <= EVENTS_BYTES, "{held} of {}", shared.bytes);
        }
        assert_eq!(kept, 160, "all but those that are larger than the bound");
    }
}
