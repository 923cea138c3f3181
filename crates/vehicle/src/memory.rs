//! A vehicle that is only a board: for tests, and as the smallest complete backend to read.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::board::Board;
use crate::catalogue::{Catalogue, SignalId};
use crate::clock::Clock;
use crate::datapoint::Datapoint;
use crate::error::Error;
use crate::receipt::Receipt;
use crate::request::Request;
use crate::subscribe::Subscribe;
use crate::subscription::Subscription;
use crate::vehicle::{Each, Get, Vehicle};

/// A vehicle in memory: what is published is read, and every actuator moves at once. Clones are the same vehicle.
///
/// ```
/// use coachwork_vehicle::{Catalogue, DataType, Entry, Facts, ManualClock, MemoryVehicle, Set, VehicleExt, vss};
/// use std::sync::Arc;
///
/// # futures::executor::block_on(async {
/// let seat = Entry::actuator("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling", DataType::INT8).with_unit("percent");
/// let car = MemoryVehicle::new(Catalogue::new([seat], Facts::default())?, Arc::new(ManualClock::default()));
/// car.write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 60, Set::default()).await?.outcome().await;
/// assert_eq!(car.read(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING).await?.valid(), Ok(60));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct MemoryVehicle {
    board: Board,
}

impl MemoryVehicle {
    /// A vehicle with the signals of `catalogue`, all of them never set.
    pub fn new(catalogue: Catalogue, clock: Arc<dyn Clock>) -> Self {
        Self { board: Board::new(catalogue, clock) }
    }

    /// Its board, to publish to.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Reports datapoints by path, all of them or none.
    ///
    /// # Errors
    /// As [`Board::publish`], and where a path does not exist.
    pub fn publish(&self, points: &[(&str, Datapoint)]) -> Result<(), Error> {
        let catalogue = self.board.catalogue();
        let resolve = |(path, point): &(&str, Datapoint)| Ok((catalogue.resolve(path)?, point.clone()));
        let points: Vec<(SignalId, Datapoint)> = points.iter().map(resolve).collect::<Result<_, Error>>()?;
        self.board.publish(&points)
    }
}

impl fmt::Display for MemoryVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Vehicle for MemoryVehicle {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.board.catalogue()
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        self.board.get(get)
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        let now = self.board.clock().now();
        self.board.set(requests, |command| {
            self.board.publish(&[(command.signal, Datapoint::valid(command.value.clone(), now))])
        })
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        self.board.subscribe(subscribe)
    }
}
