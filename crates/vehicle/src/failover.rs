//! Several vehicles that can tell the same become one that tells it as long as one of them does.
//!
//! *Invariant:* every method is forwarded; of each signal, the first vehicle that answers is heard, and no other.
//! *Next:* `joint.rs` (which does it), `merged.rs` (vehicles with signals of their own).

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

/// The first of several vehicles that answers, signal by signal: a bus with a gateway behind it, two control units that say the same.
///
/// - **A vehicle answers** for a signal where it has a valid value, or where its source itself says that there is none or that it is
///   wrong. It does not where its link is lost or it has ended, where the value is stale or was never set, or where the call fails. Where
///   none answers, the first that has said anything at all is heard.
/// - **The tree** is that of all vehicles; a later one stands by for a path where its signal is of the same kind, type and unit as
///   the first one's, and is shadowed there otherwise. Rights and limits are those of the first vehicle that has the path: what it denies
///   is denied.
/// - **Subscriptions** move by themselves. When the vehicle that is heard stops answering, that is told (not available, or stale) and marks
///   the gap; then comes the present value of the next that answers, and its updates. When a vehicle before it answers again, the
///   subscription moves back to it, with its present value first. It ends when all vehicles have.
/// - **Requests** go to the vehicle that answers for the actuator, else to the first; to another one only where a vehicle says
///   [`Unavailable`](crate::ErrorKind::Unavailable), so that nothing is sent twice. A key stays with the vehicle that took it, for as many
///   keys as a board remembers.
/// - **Facts** promise what all vehicles keep, and no snapshot across them.
///
/// With a range filter, a vehicle whose value is out of range delivers nothing, and so is not moved back to before it is in range.
///
/// ```
/// use coachwork_vehicle::{
///     Catalogue, DataType, Datapoint, Entry, Facts, Failover, ManualClock, MemoryVehicle, Reason, ReasonKind, Timestamp, VehicleExt,
/// };
/// use std::sync::Arc;
///
/// # futures::executor::block_on(async {
/// let clock = Arc::new(ManualClock::default());
/// let tree = || Catalogue::new([Entry::sensor("Vehicle.Speed", DataType::FLOAT)], Facts::default());
/// let (near, far) = (MemoryVehicle::new(tree()?, clock.clone()), MemoryVehicle::new(tree()?, clock.clone()));
/// let car = Failover::new([Arc::new(near.clone()) as _, Arc::new(far.clone()) as _], clock)?;
///
/// near.publish(&[("Vehicle.Speed", Datapoint::valid(50.0_f32, Timestamp::EPOCH))])?;
/// far.publish(&[("Vehicle.Speed", Datapoint::valid(49.5_f32, Timestamp::EPOCH))])?;
/// assert_eq!(car.read_path("Vehicle.Speed").await?.state.to_string(), "50");
/// near.board().withdraw_all(&Reason::new(ReasonKind::Link));
/// assert_eq!(car.read_path("Vehicle.Speed").await?.state.to_string(), "49.5");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Failover(Joint);

impl Failover {
    /// The first of these that answers. `clock` dates what is said of a vehicle that has ended.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for no vehicle at all, or more signals than a catalogue has numbers.
    pub fn new(
        vehicles: impl IntoIterator<Item = Arc<dyn Vehicle>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Joint::new(vehicles, clock, Share::StandBy).map(Self)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Vehicle for Failover {
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

impl fmt::Display for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.names().collect::<Vec<_>>().join(", else "))
    }
}

#[cfg(test)]
mod tests;
