//! One signal of a joint subscription: which of its parts is heard.
//!
//! *Invariant:* the part that is heard is the first that answers; where none does, the first that has said anything, once all have spoken.
//! Where one answers, those after it are masked and forgotten: when they are opened again they say first what holds then.
//! *Next:* `source.rs` (which applies the changes).

use super::Standing;
use super::view::Place;
use crate::catalogue::{Permission, SignalId};
use crate::datapoint::Datapoint;

pub(super) struct Seat {
    signal: SignalId,
    candidates: Vec<Candidate>,
    /// The part whose rights are those of the whole.
    lead: usize,
    chosen: Option<usize>,
    masked: bool,
    denied: Option<Permission>,
}

struct Candidate {
    place: Place,
    open: bool,
    /// It lacks the right to say anything.
    mute: bool,
    said: Option<Datapoint>,
}

/// A part's signal is to be delivered from now on, or no more.
pub(super) struct Change {
    pub(super) place: Place,
    pub(super) open: bool,
}

impl Seat {
    /// `places` each with whether it may be read.
    pub(super) fn new(signal: SignalId, places: impl Iterator<Item = (Place, bool)>, lead: usize) -> Self {
        let candidate =
            |(place, readable): (Place, bool)| Candidate { place, open: true, mute: !readable, said: None };
        let candidates = places.map(candidate).collect();
        Self { signal, candidates, lead, chosen: None, masked: false, denied: None }
    }

    pub(super) fn signal(&self) -> SignalId {
        self.signal
    }

    pub(super) fn is_lead(&self, part: usize) -> bool {
        self.lead == part
    }

    pub(super) fn is_chosen(&self, part: usize) -> bool {
        let chosen = self.chosen.and_then(|chosen| self.candidates.get(chosen));
        chosen.is_some_and(|chosen| chosen.place.part == part)
    }

    pub(super) fn is_masked(&self) -> bool {
        self.masked
    }

    /// The right that is missing, where one is.
    pub(super) fn denied(&self) -> Option<&Permission> {
        self.denied.as_ref()
    }

    /// What is told when a part says this.
    pub(super) fn hear(
        &mut self,
        part: usize,
        point: Datapoint,
        changes: &mut Vec<Change>,
    ) -> Option<Datapoint> {
        let at = self.candidates.iter().position(|candidate| candidate.place.part == part)?;
        if self.masked || self.denied.is_some() || !self.candidates.get(at)?.open {
            return None;
        }
        if self.candidates.len() == 1 {
            self.chosen = Some(0);
            return Some(point);
        }
        self.candidates.get_mut(at)?.said = Some(point);
        self.choose(Some(at), changes)
    }

    /// A part that stands by lost or regained its right; what is told instead of what it said.
    pub(super) fn right_of(
        &mut self,
        part: usize,
        readable: bool,
        changes: &mut Vec<Change>,
    ) -> Option<Datapoint> {
        let candidate = self.candidates.iter_mut().find(|candidate| candidate.place.part == part)?;
        candidate.mute = !readable;
        candidate.said = None;
        self.choose(None, changes)
    }

    pub(super) fn mask(&mut self, masked: bool, changes: &mut Vec<Change>) {
        self.masked = masked;
        self.begin(changes);
    }

    pub(super) fn deny(&mut self, permission: Permission, changes: &mut Vec<Change>) {
        self.denied = Some(permission);
        self.begin(changes);
    }

    pub(super) fn allow(&mut self, changes: &mut Vec<Change>) {
        self.denied = None;
        self.begin(changes);
    }

    /// Everything anew: all parts are heard, or none.
    fn begin(&mut self, changes: &mut Vec<Change>) {
        self.chosen = None;
        for candidate in &mut self.candidates {
            candidate.said = None;
            // The lead's own subscription knows its rights, and has to stay open to tell when they return.
            let open = !self.masked && (self.denied.is_none() || candidate.place.part == self.lead);
            candidate.set(open, changes);
        }
    }

    /// Chooses by what the parts have said; `heard` has just said something.
    fn choose(&mut self, heard: Option<usize>, changes: &mut Vec<Change>) -> Option<Datapoint> {
        let mut best: Option<(usize, Standing)> = None;
        for (at, candidate) in self.candidates.iter().enumerate() {
            let standing = candidate.said.as_ref().map(|point| Standing::of(&point.state));
            if let Some(standing) = standing.filter(|new| best.is_none_or(|(_, old)| *new > old)) {
                best = Some((at, standing));
            }
        }
        let before = self.chosen;
        let answering = best.filter(|(_, standing)| *standing == Standing::Answers);
        let owing = |candidate: &Candidate| candidate.open && !candidate.mute && candidate.said.is_none();
        if before.is_none() && answering.is_none() && self.candidates.iter().any(owing) {
            // Somebody may have better to say: each says first what holds.
            return None;
        }
        self.chosen = best.map(|(at, _)| at);
        for (at, candidate) in self.candidates.iter_mut().enumerate() {
            let open = answering.is_none_or(|(chosen, _)| at <= chosen);
            if !open {
                candidate.said = None;
            }
            candidate.set(open, changes);
        }
        let told = self.chosen != before || (heard.is_some() && self.chosen == heard);
        let chosen = self.candidates.get(self.chosen.filter(|_| told)?)?;
        chosen.said.clone()
    }
}

impl Candidate {
    fn set(&mut self, open: bool, changes: &mut Vec<Change>) {
        if self.open != open {
            self.open = open;
            changes.push(Change { place: self.place, open });
        }
    }
}
