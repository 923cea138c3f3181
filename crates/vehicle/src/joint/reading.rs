//! A batch of signals becomes one `get` for each part, and another for those that stand by.
//!
//! *Invariant:* a part is asked only for what no part before it has answered; the answers keep the order of the batch.
//! *Next:* `view.rs` (the places of a signal), `moving.rs` (which asks who answers).

use super::together::together;
use super::view::View;
use super::{Calls, Joint, Standing, by_place};
use crate::catalogue::SignalId;
use crate::datapoint::Datapoint;
use crate::error::{Error, ErrorKind, Operation};
use crate::vehicle::{Each, Get};

/// What was read of a signal, and the number of the place that says it.
pub(super) type Said = (usize, Result<Datapoint, Error>);

impl Joint {
    /// Asks each signal's parts in order until one answers; where none does, the first that has said anything counts.
    pub(crate) async fn get(&self, get: Get<'_>) -> Each<Datapoint> {
        let view = self.view();
        self.seek(&view, get.signals).await.into_iter().map(|(_, answer)| answer).collect()
    }

    pub(super) async fn seek(&self, view: &View, signals: &[SignalId]) -> Vec<Said> {
        let mut said: Vec<Option<Said>> = vec![None; signals.len()];
        for turn in 0.. {
            let mut calls: Calls<SignalId> = Calls::new();
            for (at, (signal, said)) in signals.iter().zip(&mut said).enumerate() {
                match view.places(*signal) {
                    Err(error) => *said = Some((0, Err(error.during(Operation::Get)))),
                    Ok(places) if said.as_ref().is_none_or(|(_, answer)| is_open(answer)) => {
                        if let Some(place) = places.get(turn) {
                            let (ats, asked) = calls.entry(place.part).or_default();
                            ats.push(at);
                            asked.push(place.signal);
                        }
                    }
                    Ok(_) => {}
                }
            }
            if calls.is_empty() {
                break;
            }
            for (at, answer) in self.ask(calls).await {
                if let Some(said) = said.get_mut(at)
                    && said.as_ref().is_none_or(|(_, before)| standing(&answer) > standing(before))
                {
                    *said = Some((turn, answer));
                }
            }
        }
        let missing = || (0, Err(Error::new(ErrorKind::Protocol, "no part was asked")));
        said.into_iter().map(|said| said.unwrap_or_else(missing)).collect()
    }

    async fn ask(&self, calls: Calls<SignalId>) -> Vec<(usize, Result<Datapoint, Error>)> {
        let calls = calls.into_iter().filter_map(|(number, (ats, signals))| {
            let part = self.parts.get(number)?.clone();
            Some(Box::pin(async move { (ats, part.get(Get::of(&signals)).await) }))
        });
        together(calls.collect()).await.into_iter().flat_map(by_place).collect()
    }
}

/// Whether the next part is to be asked.
fn is_open(answer: &Result<Datapoint, Error>) -> bool {
    match answer {
        Ok(point) => Standing::of(&point.state) < Standing::Answers,
        // A missing right is a word; another part does not give it.
        Err(error) => error.kind() != ErrorKind::Denied,
    }
}

pub(super) fn standing(answer: &Result<Datapoint, Error>) -> Standing {
    answer.as_ref().map_or(Standing::Silent, |point| Standing::of(&point.state))
}
