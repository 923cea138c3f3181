//! What a simulated day costs, alone and with subscribers.
//!
//! *Next:* `docs/simulator.md` (which states the figures).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use coachwork_simulator::{Scenario, SimulatedVehicle};
use coachwork_vehicle::{
    Driver, Event, ManualClock, Subscribe, Subscription, Timestamp, Vehicle, VehicleExt,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::FutureExt;

const DAY: u64 = 86_400;

struct Drive {
    clock: ManualClock,
    car: SimulatedVehicle,
    driver: Driver,
}

impl Drive {
    fn new(seed: u64) -> Self {
        let clock = ManualClock::new(Timestamp::from_seconds(1_700_000_000));
        let (car, driver) = SimulatedVehicle::new(Arc::new(clock.clone()), &Scenario::seeded(seed)).unwrap();
        Self { clock, car, driver }
    }

    /// Moves the clock second by second; how many datapoints the subscribers were told.
    fn run(&mut self, seconds: u64, watches: &mut [Subscription]) -> usize {
        let mut told = 0;
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            assert!((&mut self.driver).now_or_never().is_none());
            for watch in &mut *watches {
                while let Some(Some(event)) = watch.next().now_or_never() {
                    let Event::Changed(points) = event else { panic!("{event:?}") };
                    told += points.len();
                }
            }
        }
        told
    }

    fn watch(&self, pattern: &str, queue: Option<usize>) -> Subscription {
        let wish = Subscribe::to(self.car.find(pattern).unwrap());
        let wish = match queue {
            Some(length) => wish.queue(length),
            None => wish,
        };
        self.car.subscribe(wish).now_or_never().unwrap().unwrap()
    }
}

fn day(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulated day");
    group.sample_size(10).throughput(Throughput::Elements(DAY));
    group.bench_function("nobody listens", |b| {
        b.iter_batched(
            || Drive::new(1),
            |mut drive| drive.run(DAY, &mut []),
            criterion::BatchSize::PerIteration,
        );
    });
    group.bench_function("the latest of all signals, every speed in a queue", |b| {
        b.iter_batched(
            || {
                let drive = Drive::new(1);
                let watches = [drive.watch("Vehicle.**", None), drive.watch("Vehicle.Speed", Some(1024))];
                (drive, watches)
            },
            |(mut drive, mut watches)| assert!(drive.run(DAY, &mut watches) > 1_000_000),
            criterion::BatchSize::PerIteration,
        );
    });
    group.bench_function("every datapoint in a queue", |b| {
        b.iter_batched(
            || {
                let drive = Drive::new(1);
                let watches = [drive.watch("Vehicle.**", Some(16_384))];
                (drive, watches)
            },
            |(mut drive, mut watches)| assert!(drive.run(DAY, &mut watches) > 1_000_000),
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, day);
criterion_main!(benches);
