//! Bytes become a scenario and what is done to the car: steps of the clock, requests, faults, healings.
//!
//! *Oracle:* no panic; what is read stays in the catalogue's range and type, the state of charge within 0 to 100, the odometer never falls;
//! every receipt settles; a second run of the same actions says the same, with the clock moved in other steps.
//! *Next:* `coachwork_simulator::SimulatedVehicle`.

use coachwork_simulator::{Corner, Fault, Route, Scenario, SimulatedVehicle};
use coachwork_vehicle::{
    Event, Kind, ManualClock, Receipt, Request, ScalarType, Set, SignalId, Stage, State, Subscribe, Value,
    Vehicle,
};
use futures::FutureExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How much one input may do.
const MOST_ACTIONS: usize = 48;
const MOST_MILLISECONDS: u64 = 240_000;

/// Runs one input.
pub fn run(data: &[u8]) {
    let once = drive(data, None);
    assert_eq!(once, drive(data, Some(333)), "the same actions, another story");
}

/// How many datapoints were told of each path, and a sum of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Of each path.
    pub told: BTreeMap<String, usize>,
    /// Of path, state and time of each datapoint, in their order.
    pub sum: u64,
    /// How many requests were taken.
    pub requests: usize,
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn wide(&mut self) -> u64 {
        (0..8).fold(0, |wide, _| wide << 8 | u64::from(self.next()))
    }

    fn share(&mut self) -> f64 {
        f64::from(self.next()) / 255.0
    }
}

/// Does what the bytes say, the clock moved in steps of at most so many milliseconds.
///
/// # Panics
/// Where the car breaks what is promised of it.
pub fn drive(data: &[u8], step: Option<u64>) -> Story {
    let mut bytes = Bytes(data);
    let scenario = scenario(&mut bytes);
    let clock = ManualClock::default();
    let Ok((car, mut driver)) = SimulatedVehicle::new(Arc::new(clock.clone()), &scenario) else {
        return Story::default();
    };
    let ids: Vec<SignalId> = car.catalogue().ids().collect();
    let watch = car.subscribe(Subscribe::to(ids.clone()).queue(65_536)).now_or_never();
    let mut watch = watch.expect("it is at hand").expect("a wish in order");
    let (mut seen, mut receipts) = (Seen::default(), Vec::<Receipt>::new());
    let mut left = MOST_MILLISECONDS;
    let mut go = |milliseconds: u64, seen: &mut Seen| {
        let mut rest = milliseconds;
        while rest > 0 {
            let now = rest.min(step.unwrap_or(2500));
            rest -= now;
            clock.advance(Duration::from_millis(now));
            assert!((&mut driver).now_or_never().is_none(), "the driver ended");
            while let Some(Some(event)) = watch.next().now_or_never() {
                let Event::Changed(points) = event else { panic!("{event:?}") };
                for (id, point) in points.iter() {
                    seen.look(&car, id, watch.path(id), &point.state, point.source.nanoseconds());
                }
            }
        }
    };
    for _ in 0..MOST_ACTIONS {
        if bytes.0.is_empty() || left == 0 {
            break;
        }
        match bytes.next() % 8 {
            0..=2 => {
                // A tenth of a second to half a minute.
                let time = (u64::from(bytes.next()) * 117 + 100).min(left);
                left -= time;
                go(time, &mut seen);
            }
            3 => {
                let time = (u64::from(bytes.next()) * 2000).min(left);
                left -= time;
                go(time, &mut seen);
            }
            4 | 5 => {
                let id = ids[usize::from(bytes.next()) % ids.len()];
                let value = value(&car, id, &mut bytes);
                let within = Duration::from_millis(u64::from(bytes.next()) * 50 + 1);
                let request = Request::new(id, value).with(Set::within(within));
                let answer = car.set(vec![request]).now_or_never().expect("at once").expect("a batch");
                receipts.extend(answer.into_iter().flatten());
            }
            6 => drop(car.inject(fault(&car, &ids, &mut bytes))),
            _ => drop(car.heal(fault(&car, &ids, &mut bytes))),
        }
    }
    go(13_000, &mut seen);
    assert!(receipts.iter().all(|receipt| matches!(receipt.stage(), Stage::Settled(_))), "{receipts:?}");
    assert!(car.faults().len() <= 2 * ids.len() + 6);
    seen.story.requests = receipts.len();
    seen.story
}

#[derive(Default)]
struct Seen {
    story: Story,
    odometer: u64,
}

impl Seen {
    fn look(&mut self, car: &SimulatedVehicle, id: SignalId, path: &str, state: &State, time: i64) {
        // That a value is old is noticed by whoever looks, when it looks: no part of the story.
        if !matches!(state, State::Stale(_)) {
            for byte in format!("{path} {state:?} {time}").bytes() {
                self.story.sum = (self.story.sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
            }
            *self.story.told.entry(path.to_owned()).or_default() += 1;
        }
        let (State::Valid(value) | State::Stale(value)) = state else { return };
        let catalogue = car.catalogue();
        let entry = catalogue.entry(id).expect("its own signal");
        assert!(value.is(entry.data_type()), "{path}: {value:?}");
        let number = value.as_f64();
        let low = entry.min().and_then(Value::as_f64).zip(number).is_some_and(|(min, now)| now < min);
        let high = entry.max().and_then(Value::as_f64).zip(number).is_some_and(|(max, now)| now > max);
        assert!(!low && !high && number.is_none_or(f64::is_finite), "{path}: {value:?}");
        assert!(entry.allowed().is_empty() || entry.allowed().contains(value), "{path}: {value:?}");
        match (path, value) {
            ("Vehicle.TraveledDistance", Value::Uint(now)) => {
                assert!(*now >= self.odometer, "{} to {now}", self.odometer);
                self.odometer = *now;
            }
            ("Vehicle.Speed", Value::Float(now)) => assert!((0.0..200.0).contains(now), "{now}"),
            ("Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed", Value::Float(now)) => {
                assert!((0.0..=100.0).contains(now), "{now}");
            }
            _ => {}
        }
    }
}

fn scenario(bytes: &mut Bytes<'_>) -> Scenario {
    let seed = bytes.wide();
    let mut scenario = Scenario {
        state_of_charge: bytes.share() * 100.0,
        state_of_health: 50.0 + bytes.share() * 50.0,
        outside_temperature: -40.0 + bytes.share() * 100.0,
        weak_low_voltage_battery: bytes.next() & 1 == 1,
        odometer: u32::from(bytes.next()) * 7_800_000,
        ..Scenario::seeded(seed)
    };
    let places = usize::from(bytes.next() % 6);
    if places >= 2 {
        let mut route = Route::start(bytes.share() * 100.0 - 50.0, bytes.share() * 300.0 - 150.0);
        let (mut latitude, mut longitude) = (0.0, 0.0);
        for _ in 0..places {
            latitude = (latitude + bytes.share() - 0.5).clamp(-60.0, 60.0) * 0.2;
            longitude += (bytes.share() - 0.5) * 0.05;
            route = route
                .limit(10.0 + bytes.share() * 125.0)
                .to(latitude, longitude)
                .altitude(bytes.share() * 300.0);
        }
        scenario.route = route.closed().ok();
    }
    scenario
}

fn value(car: &SimulatedVehicle, id: SignalId, bytes: &mut Bytes<'_>) -> Value {
    let catalogue = car.catalogue();
    let entry = catalogue.entry(id).expect("its own signal");
    let raw = bytes.next();
    match entry.data_type().scalar() {
        ScalarType::Boolean => Value::Bool(raw & 1 == 1),
        ScalarType::String if !entry.allowed().is_empty() => {
            entry.allowed()[usize::from(raw) % entry.allowed().len()].clone()
        }
        ScalarType::String => Value::from("nothing"),
        ScalarType::Float | ScalarType::Double => Value::Double(f64::from(raw) / 2.0 - 20.0),
        _ if entry.kind() == Kind::Actuator => Value::Int(i64::from(raw) - 5),
        _ => Value::Uint(raw.into()),
    }
}

fn fault(car: &SimulatedVehicle, ids: &[SignalId], bytes: &mut Bytes<'_>) -> Fault {
    let id = ids[usize::from(bytes.next()) % ids.len()];
    let catalogue = car.catalogue();
    let path = catalogue.path(id).expect("its own signal").as_str().to_owned();
    match bytes.next() % 8 {
        0 => Fault::stuck(&path),
        1 => Fault::lost(&path),
        2 => Fault::not_available(&path),
        3 => Fault::wrong(&path),
        4 => Fault::blocked(&path),
        5 => Fault::slow_leak(Corner::ALL[usize::from(bytes.next() % 4)], bytes.share() * 11_000.0),
        6 => Fault::BatteryAgeing { percent_per_hour: bytes.share() * 1100.0 },
        _ => Fault::WeakLowVoltageBattery,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_are_another_story() {
        let one = drive(b"\0\0\0\0\0\0\0\x01\x80\xFF\x40\0\x01\0\x03\x20\0\x40", None);
        let two = drive(b"\0\0\0\0\0\0\0\x02\x80\xFF\x40\0\x01\0\x03\x20\0\x40", None);
        assert!(one.told.len() > 90 && one.told.values().sum::<usize>() > 5_000, "{one:?}");
        assert_ne!(one.sum, two.sum);
        // A request for each signal; most are no actuators.
        let ids: Vec<_> = (0..101_u8).collect();
        let asked = ids.iter().map(|id| {
            let mut data = vec![0; 14];
            data.extend([4, *id, 60, 200]);
            drive(&data, None).requests
        });
        assert!(asked.sum::<usize>() > 20);
    }
}
