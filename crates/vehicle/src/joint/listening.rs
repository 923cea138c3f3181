//! A wish becomes a subscription to each part that has one of its signals, and one report.
//!
//! *Invariant:* a signal is granted where one part at least grants it; strictness is judged over the whole, not part by part.
//! *Next:* `source.rs` (where the parts' events become one stream).

use std::collections::BTreeMap;

use super::Joint;
use super::source::JointSource;
use super::together::together;
use super::view::View;
use crate::catalogue::SignalId;
use crate::error::{Error, ErrorKind, Operation};
use crate::subscribe::{Filter, Overflow, Subscribe};
use crate::subscription::Subscription;

/// What the parts made of their shares of a wish.
struct Answers {
    parts: Vec<(usize, Subscription)>,
    failed: BTreeMap<usize, Error>,
}

impl Joint {
    pub(crate) async fn subscribe(&self, wish: Subscribe) -> Result<Subscription, Error> {
        wish.check()?;
        let view = self.view();
        if matches!(wish.overflow, Overflow::Block(_)) && !view.catalogue.facts().back_pressure {
            let message = "not every part's source can be held back; use a queue";
            return Err(Error::new(ErrorKind::Unsupported, message).during(Operation::Subscribe));
        }
        let mut refused: Vec<(String, Error)> = Vec::new();
        let mut wanted: BTreeMap<SignalId, Filter> = BTreeMap::new();
        for (signal, filter) in wish.signals {
            match view.places(signal).map_err(|e| e.during(Operation::Subscribe)) {
                Ok(_) => _ = wanted.entry(signal).or_insert(filter),
                Err(error) if wish.strict => return Err(error),
                Err(error) => refused.push((format!("{signal:?}"), error)),
            }
        }
        let Answers { parts, mut failed } = self.wish(&view, &wanted, wish.overflow).await?;
        if parts.is_empty()
            && let Some((_, first)) = failed.pop_first()
        {
            return Err(first);
        }
        let mut granted = Vec::new();
        for signal in wanted.into_keys() {
            let (path, places) = (view.path(signal), view.places(signal)?);
            let part = |number: usize| parts.iter().find(|(other, _)| *other == number).map(|(_, part)| part);
            let covered = places
                .iter()
                .any(|place| part(place.part).is_some_and(|part| part.granted().contains(&place.signal)));
            let why = places.first().and_then(|lead| match part(lead.part) {
                Some(lead) => lead.refused().find(|(refused, _)| *refused == path).map(|(_, why)| why),
                None => failed.get(&lead.part),
            });
            // Where another part stands in, only a missing right is worth a word.
            if let Some(why) = why.filter(|why| !covered || why.kind() == ErrorKind::Denied) {
                if wish.strict {
                    return Err(why.clone());
                }
                refused.push((path.to_owned(), why.clone()));
            }
            if covered {
                granted.push(signal);
            }
        }
        let source = JointSource::new(view.clone(), self.clock.clone(), parts, &granted);
        Ok(Subscription::new(view.catalogue.clone(), granted, refused, Box::new(source)))
    }

    /// Asks each part for its share.
    async fn wish(
        &self,
        view: &View,
        wanted: &BTreeMap<SignalId, Filter>,
        overflow: Overflow,
    ) -> Result<Answers, Error> {
        let mut shares: BTreeMap<usize, Vec<(SignalId, Filter)>> = BTreeMap::new();
        for (signal, filter) in wanted {
            for place in view.places(*signal)? {
                shares.entry(place.part).or_default().push((place.signal, *filter));
            }
        }
        if shares.is_empty() {
            // A subscription to nothing lives as long as the parts do.
            shares = (0..self.parts.len()).map(|part| (part, Vec::new())).collect();
        }
        let calls = shares.into_iter().filter_map(|(number, signals)| {
            let part = self.parts.get(number)?.clone();
            let share = Subscribe { signals, overflow, strict: false };
            Some(Box::pin(async move { (number, part.subscribe(share).await) }))
        });
        let mut answers = Answers { parts: Vec::new(), failed: BTreeMap::new() };
        for (number, answer) in together(calls.collect()).await {
            match answer {
                Ok(part) => answers.parts.push((number, part)),
                Err(error) => _ = answers.failed.insert(number, error),
            }
        }
        Ok(answers)
    }
}
