//! Several vehicles become one vehicle with all their signals.
//!
//! *Invariant:* every method is forwarded to the parts that it concerns; ids are the merged tree's own, translated by array.
//! *Next:* `joint.rs` (which does it), `failover.rs` (vehicles that stand in for each other).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::datapoint::Datapoint;
use crate::error::Error;
use crate::joint::{Joint, Share};
use crate::receipt::Receipt;
use crate::request::Request;
use crate::subscribe::Subscribe;
use crate::subscription::Subscription;
use crate::vehicle::{Each, Get, Vehicle};

/// Several vehicles as one tree: a car and a trailer, a bus and what is computed from it.
///
/// - **Paths**: a path that several parts have belongs to the first of them; that of the others is shadowed and cannot be reached here.
///   It stays so, whatever grows later. Where paths would meet that mean different things, let one part name its own otherwise.
/// - **Ids** are the merged tree's own. What a part grows is added behind all that was there.
/// - **Rights** are the parts', and follow them: [`Event::Access`](crate::Event::Access) comes through, and a part's new catalogue
///   supersedes the merged one.
/// - **Facts** promise what all parts keep: that receipts end at accepted where those of one part do (those of the others may still be
///   confirmed), and
///   [`snapshots`](crate::Facts::snapshots) is false for more than one part: a batch `get` is one moment for each part, not across them.
/// - **Subscriptions** have a queue of the bound that was asked for in each part. A part that ends makes its signals not available, with
///   its reason; the whole ends with its last part.
/// - A part that cannot be asked at all fails for its own signals alone.
///
/// ```
/// use coachwork_vehicle::{Catalogue, DataType, Datapoint, Entry, Facts, ManualClock, MemoryVehicle, Merged, Timestamp, VehicleExt};
/// use std::sync::Arc;
///
/// # futures::executor::block_on(async {
/// let clock = Arc::new(ManualClock::default());
/// let tree = |path| Catalogue::new([Entry::sensor(path, DataType::FLOAT)], Facts::default());
/// let car = MemoryVehicle::new(tree("Vehicle.Speed")?, clock.clone());
/// let trailer = MemoryVehicle::new(tree("Vehicle.Trailer.Load")?, clock.clone());
/// let both = Merged::new([Arc::new(car) as _, Arc::new(trailer.clone()) as _], clock)?;
///
/// trailer.publish(&[("Vehicle.Trailer.Load", Datapoint::valid(750.0_f32, Timestamp::EPOCH))])?;
/// assert_eq!(both.read_path("Vehicle.Trailer.Load").await?.state.to_string(), "750");
/// assert_eq!(both.read_path("Vehicle.Speed").await?.state.to_string(), "never set");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Merged(Joint);

impl Merged {
    /// These vehicles as one, the first one's paths before those of the next. `clock` dates what is said of a part that has ended.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for no vehicle at all, or more signals than a catalogue has numbers.
    pub fn new(
        parts: impl IntoIterator<Item = Arc<dyn Vehicle>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Joint::new(parts, clock, Share::First).map(Self)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Vehicle for Merged {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.0.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        Ok(self.0.get(get).await)
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        Ok(self.0.set(requests).await)
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.0.subscribe(subscribe).await
    }
}

impl fmt::Display for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.names().collect::<Vec<_>>().join(" with "))
    }
}

#[cfg(test)]
mod tests;
