//! A signal that the car does not have, computed from two that it has, becomes one more signal of the car.
//!
//! *Invariant:* the power says no more than its parts: where one of them has no valid value, it is not available, and says which.
//! *Next:* `provider.rs` (it at work), `tests/provider.rs` (the proof).

use std::sync::Arc;

use coachwork::{
    Catalogue, Clock, DataType, Datapoint, Driver, Entry, Error, ErrorKind, Event, Facts, MemoryVehicle,
    Merged, Permission, Reading, Reason, ReasonKind, State, Subscribe, Subscription, TypedPath, Vehicle, vss,
};

const VOLTAGE: TypedPath<f32> = vss::POWERTRAIN_TRACTION_BATTERY_CURRENT_VOLTAGE;
const CURRENT: TypedPath<f32> = vss::POWERTRAIN_TRACTION_BATTERY_CURRENT_CURRENT;
const POWER: TypedPath<f32> = vss::POWERTRAIN_TRACTION_BATTERY_CURRENT_POWER;

/// The same car with the power of its battery, and the driver that computes it. Where the car has such a signal itself, its own is first.
///
/// # Errors
/// Where the car has no voltage or current that may be read.
pub async fn with_power(car: Arc<dyn Vehicle>, clock: Arc<dyn Clock>) -> Result<(Merged, Driver), Error> {
    let entry = Entry::sensor(POWER.path(), DataType::FLOAT).with_unit("W");
    let tree = Catalogue::new([entry], Facts::default())
        .map_err(|why| Error::new(ErrorKind::Invalid, why.to_string()))?;
    let computed = MemoryVehicle::new(tree, clock.clone());
    let catalogue = car.catalogue();
    let parts = [VOLTAGE.resolve(&catalogue)?, CURRENT.resolve(&catalogue)?];
    // The driver holds no car: when the last app drops it, the subscription ends.
    let watch = car.subscribe(Subscribe::to(parts).strict()).await?;
    let driver = Driver::new(compute(watch, computed.clone()));
    Ok((Merged::new([car, Arc::new(computed) as _], clock)?, driver))
}

/// A part of the product: its value, or why there is none; with the time of it.
type Part = Option<Result<Reading<f32>, String>>;

async fn compute(mut watch: Subscription, computed: MemoryVehicle) -> Result<(), Error> {
    let (mut voltage, mut current): (Part, Part) = (None, None);
    while let Some(event) = watch.next().await {
        match event {
            Event::Changed(points) => {
                for (signal, point) in points.iter() {
                    let (path, part) = if watch.path(signal) == VOLTAGE.path() {
                        (VOLTAGE, &mut voltage)
                    } else {
                        (CURRENT, &mut current)
                    };
                    *part = Some(Ok(path.read(watch.catalogue(), signal, point)?));
                }
            }
            Event::Access(changes) => {
                for (signal, _) in changes.into_iter().filter(|(_, read)| *read != Permission::Yes) {
                    let part = if watch.path(signal) == VOLTAGE.path() { &mut voltage } else { &mut current };
                    *part = Some(Err("it may not be read".to_owned()));
                }
            }
            Event::Ended(why) => {
                computed.board().withdraw_all(&why);
                break;
            }
            _ => {}
        }
        // What comes together is one moment, and one product.
        let now = computed.board().clock().now();
        let point = product(voltage.as_ref(), current.as_ref())
            .unwrap_or_else(|why| Datapoint::not_available(Reason::because(ReasonKind::Source, why), now));
        computed.publish(&[(POWER.path(), point)])?;
    }
    Ok(())
}

/// The power as of the later of its parts.
fn product(
    voltage: Option<&Result<Reading<f32>, String>>,
    current: Option<&Result<Reading<f32>, String>>,
) -> Result<Datapoint, String> {
    let part = |name: &str, part: Option<&Result<Reading<f32>, String>>| {
        let reading = part.ok_or("not told yet".to_owned()).and_then(Clone::clone);
        let reading = reading.map_err(|why| format!("no {name}: {why}"))?;
        let times = (reading.source, reading.received);
        let value = reading.valid().map_err(|why| format!("no {name}: {why}"))?;
        Ok::<_, String>((value, times))
    };
    let (volts, at) = part("voltage", voltage)?;
    let (amperes, then) = part("current", current)?;
    let state = State::Valid((volts * amperes).into());
    let mut point = Datapoint::new(state, at.0.max(then.0));
    point.received = at.1.max(then.1);
    Ok(point)
}
