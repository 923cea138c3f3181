//! A car on a manual clock, with its driver polled after each tick.
#![allow(dead_code, unreachable_pub)]

use std::sync::Arc;
use std::time::Duration;

use coachwork_simulator::{Scenario, SimulatedVehicle};
use coachwork_vehicle::{
    Datapoint, Driver, Event, ManualClock, Receipt, Set, SignalId, Subscribe, Subscription, Timestamp,
    TypedPath, Value, Vehicle, VehicleExt, VssValue,
};
use futures::FutureExt;

pub struct Drive {
    pub car: SimulatedVehicle,
    pub clock: ManualClock,
    pub driver: Option<Driver>,
}

impl Drive {
    pub fn new(scenario: &Scenario) -> Self {
        let clock = ManualClock::new(Timestamp::from_seconds(1_700_000_000));
        let (car, driver) = SimulatedVehicle::new(Arc::new(clock.clone()), scenario).unwrap();
        Self { car, clock, driver: Some(driver) }
    }

    /// Moves the clock in one go, and lets the driver catch up.
    pub fn tick(&mut self, by: Duration) {
        self.clock.advance(by);
        if let Some(driver) = &mut self.driver {
            assert!(driver.now_or_never().is_none(), "the driver has ended");
        }
    }

    /// Moves the clock in steps of the simulation.
    pub fn run(&mut self, for_: Duration) {
        let mut left = for_;
        self.tick(Duration::ZERO);
        while !left.is_zero() {
            let step = left.min(Duration::from_millis(100));
            self.tick(step);
            left -= step;
        }
    }

    pub fn stop(&mut self) {
        self.driver = None;
    }

    pub fn subscribe(&self, wish: Subscribe) -> Subscription {
        self.car.subscribe(wish).now_or_never().unwrap().unwrap()
    }

    pub fn watch_all(&self) -> Subscription {
        let all: Vec<_> = self.car.catalogue().ids().collect();
        self.subscribe(Subscribe::to(all).queue(65_536))
    }

    pub fn read<T: VssValue + std::fmt::Debug + std::fmt::Display>(&self, path: TypedPath<T>) -> T {
        self.car.read(path).now_or_never().unwrap().unwrap().valid().unwrap()
    }

    pub fn write<T: VssValue>(&self, path: TypedPath<T>, value: T) -> Receipt {
        self.car.write(path, value, Set::within(Duration::from_secs(10))).now_or_never().unwrap().unwrap()
    }

    pub fn write_path(&self, path: &str, value: impl Into<Value> + Send) -> Receipt {
        self.car
            .write_path(path, value, Set::within(Duration::from_secs(10)))
            .now_or_never()
            .unwrap()
            .unwrap()
    }
}

/// Hands out what is there.
pub fn drain(watch: &mut Subscription, mut each: impl FnMut(SignalId, &str, &Datapoint)) {
    while let Some(Some(event)) = watch.next().now_or_never() {
        match event {
            Event::Changed(points) => {
                for (id, point) in points.iter() {
                    each(id, watch.path(id), point);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}
