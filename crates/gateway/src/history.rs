//! What was recorded, for the filter `history`: a trait that a recording supplies, and a bounded memory of what was just now.
//!
//! *Invariant:* an answer is bounded, and so is the memory: the oldest goes first. The rights of a view hold for its past as well.
//! *Next:* `calls.rs` (which asks), `gateway.rs` (which is given one).

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use coachwork_vehicle::{
    Datapoint, Driver, Error, ErrorKind, Event, SignalId, State, Subscription, Timestamp, Value,
};

/// A recording that the filter `history` is answered from.
#[async_trait]
pub trait History: fmt::Debug + Send + Sync + 'static {
    /// What was recorded of each of these signals at `since` or later, by the time of its source, the oldest first, the present datapoint
    /// included or not. Of a signal that it does not have, also of another vehicle, there is nothing.
    ///
    /// Who may read a signal is checked before.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] where there is more than `at_most` datapoints in all; others where the recording cannot be read.
    async fn recall(
        &self,
        signals: &[SignalId],
        since: Timestamp,
        at_most: usize,
    ) -> Result<Vec<Vec<Datapoint>>, Error>;
}

/// A memory of the last datapoints of a vehicle, fed from a subscription. Clones are the same memory.
///
/// ```
/// # use coachwork_gateway::{Gateway, Options, Recent};
/// # use coachwork_vehicle::{Catalogue, Clock, DataType, Entry, Everybody, Facts, ManualClock, MemoryVehicle, Subscribe, Vehicle};
/// # use std::sync::Arc;
/// # futures::executor::block_on(async {
/// # let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
/// # let speed = Entry::sensor("Vehicle.Speed", DataType::FLOAT);
/// # let car = MemoryVehicle::new(Catalogue::new([speed], Facts::default()).unwrap(), clock.clone());
/// let recent = Recent::new(100_000, 16 * 1024 * 1024);
/// let all = Subscribe::to(car.catalogue().ids()).queue(1024);
/// let recording = recent.record(car.subscribe(all).await?); // a driver, to be spawned
/// let gateway = Gateway::new(Arc::new(Everybody::sees(car)), clock, Options::default()).remembering(Arc::new(recent));
/// # drop((recording, gateway));
/// # Ok::<(), coachwork_vehicle::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Recent(Arc<Mutex<Memory>>);

struct Memory {
    signals: HashMap<SignalId, VecDeque<Datapoint>>,
    /// The signals of the datapoints, in the order in which they came.
    order: VecDeque<SignalId>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl Recent {
    /// A memory of at most this many datapoints and bytes; the oldest are forgotten first.
    pub fn new(datapoints: usize, bytes: usize) -> Self {
        let (signals, order) = (HashMap::new(), VecDeque::new());
        Self(Arc::new(Mutex::new(Memory { signals, order, bytes: 0, most: datapoints, most_bytes: bytes })))
    }

    /// Remembers what a subscription tells, until it ends. Use one with a queue: of states that are overwritten nothing is remembered.
    pub fn record(&self, mut subscription: Subscription) -> Driver {
        let memory = self.clone();
        Driver::new(async move {
            while let Some(event) = subscription.next().await {
                if let Event::Changed(points) = event {
                    let mut memory = memory.lock();
                    for (signal, point) in points.iter() {
                        memory.add(signal, point.clone());
                    }
                }
            }
            Ok(())
        })
    }

    /// How many datapoints it holds.
    pub fn len(&self) -> usize {
        self.lock().order.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn add(&mut self, signal: SignalId, point: Datapoint) {
        self.bytes = self.bytes.saturating_add(weight(&point));
        self.signals.entry(signal).or_default().push_back(point);
        self.order.push_back(signal);
        while self.order.len() > self.most || self.bytes > self.most_bytes {
            let Some(oldest) = self.order.pop_front() else { return };
            let Some(points) = self.signals.get_mut(&oldest) else { continue };
            if let Some(gone) = points.pop_front() {
                self.bytes = self.bytes.saturating_sub(weight(&gone));
            }
            if points.is_empty() {
                self.signals.remove(&oldest);
            }
        }
    }
}

/// About how much memory a datapoint takes.
fn weight(point: &Datapoint) -> usize {
    fn held(value: &Value) -> usize {
        let each = |value: &Value| size_of::<Value>().saturating_add(held(value));
        match value {
            Value::Text(text) => text.len(),
            Value::Array(values) => values.iter().map(each).sum(),
            Value::Struct(fields) => fields.iter().map(|(_, value)| each(value)).sum(),
            _ => 0,
        }
    }
    let own = match &point.state {
        State::Valid(value) | State::Stale(value) => held(value),
        State::NotAvailable(reason) | State::Error(reason) => reason.text().map_or(0, str::len),
        State::NeverSet => 0,
    };
    size_of::<Datapoint>().saturating_add(size_of::<SignalId>()).saturating_add(own)
}

#[async_trait]
impl History for Recent {
    async fn recall(
        &self,
        signals: &[SignalId],
        since: Timestamp,
        at_most: usize,
    ) -> Result<Vec<Vec<Datapoint>>, Error> {
        let memory = self.lock();
        let mut left = at_most;
        let mut out = Vec::with_capacity(signals.len());
        for signal in signals {
            let all = memory.signals.get(signal).into_iter().flatten();
            let mut points = Vec::new();
            for point in all.filter(|point| point.source >= since) {
                left = left.checked_sub(1).ok_or_else(|| {
                    let message =
                        format!("more than {at_most} datapoints were recorded: ask for a shorter period");
                    Error::new(ErrorKind::Limit, message)
                })?;
                points.push(point.clone());
            }
            points.sort_by_key(|point| point.source);
            out.push(points);
        }
        Ok(out)
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recent({} datapoints)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_vehicle::{Catalogue, DataType, Entry, Facts};
    use proptest::prelude::*;

    fn ids() -> Vec<SignalId> {
        let entries = ["A.A", "A.B"].map(|path| Entry::sensor(path, DataType::STRING));
        Catalogue::new(entries, Facts::default()).unwrap().ids().collect()
    }

    fn point(text: &str, seconds: i64) -> Datapoint {
        Datapoint::valid(text, Timestamp::from_seconds(seconds))
    }

    fn recall(
        recent: &Recent,
        signals: &[SignalId],
        since: i64,
        at_most: usize,
    ) -> Result<Vec<Vec<i64>>, Error> {
        let since = Timestamp::from_seconds(since);
        let all = futures::executor::block_on(recent.recall(signals, since, at_most))?;
        let second = |point: &Datapoint| point.source.saturating_since(Timestamp::EPOCH).as_secs();
        Ok(all
            .iter()
            .map(|one| one.iter().map(|point| i64::try_from(second(point)).unwrap()).collect())
            .collect())
    }

    #[test]
    fn the_past_of_each_signal_from_a_time_on_and_no_more_than_is_allowed() {
        let (recent, ids) = (Recent::new(100, 100_000), ids());
        for second in 0..10 {
            recent.lock().add(ids[usize::try_from(second % 2).unwrap()], point("x", second));
        }
        assert_eq!(recall(&recent, &ids, 4, 10).unwrap(), [vec![4, 6, 8], vec![5, 7, 9]]);
        assert_eq!(recall(&recent, &ids, 4, 5).unwrap_err().kind(), ErrorKind::Limit);
        let other = Catalogue::new([Entry::sensor("A.A", DataType::STRING)], Facts::default()).unwrap();
        let other: Vec<_> = other.ids().collect();
        assert_eq!(
            recall(&recent, &other, 0, 10).unwrap(),
            [vec![0_i64; 0]],
            "another vehicle has no past here"
        );
    }

    proptest! {
        #[test]
        fn it_holds_no_more_than_it_may(most in 0_usize..20, most_bytes in 0_usize..4000, points in prop::collection::vec((0_usize..2, 0_usize..500), 0..80)) {
            let (recent, ids) = (Recent::new(most, most_bytes), ids());
            for (second, (signal, length)) in (0..).zip(&points) {
                recent.lock().add(ids[*signal], point(&"x".repeat(*length), second));
                let memory = recent.lock();
                let held: Vec<_> = memory.signals.values().flatten().collect();
                prop_assert!(held.len() <= most && held.len() == memory.order.len());
                prop_assert_eq!(memory.bytes, held.iter().map(|point| weight(point)).sum::<usize>());
                prop_assert!(memory.bytes <= most_bytes);
            }
        }
    }
}
