//! The app: written once, against `&dyn Vehicle`. Nothing in this file knows what is under it.
//!
//! *Next:* `platforms.rs` (what is under it), `story.rs` (what is said of it).

use std::time::Duration;

use coachwork::{
    Error, ErrorKind, Event, Get, Outcome, ReasonKind, Set, SignalId, State, Subscribe, Timestamp, TypedPath,
    Value, Vehicle, VehicleExt, VssValue, vss,
};

/// As fast as this, in km/h, and the app has seen enough.
pub(crate) const FAST: f32 = 30.0;
/// How often it looks at the speed, and how many times at most.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: usize = 75;

/// What the app saw and did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) looks: usize,
    /// How long after the first look the car was fast, by the car's own times.
    pub(crate) fast_after: Option<Duration>,
    pub(crate) dashboard: Dashboard,
    pub(crate) seat: Seat,
}

/// What the app shows, in words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dashboard {
    pub(crate) speed: String,
    pub(crate) energy: (&'static str, String),
    pub(crate) doors: String,
}

/// What became of the seat.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Seat {
    #[default]
    NotAsked,
    /// It has been seen warm, so long after it was asked.
    Warm(Duration),
    /// It stays cold, and why.
    Cold(String),
}

pub(crate) async fn app(car: &dyn Vehicle) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    let now = drive_along(car, &mut seen).await?;
    seen.seat = warm_the_seat(car, now).await?;
    Ok(seen)
}

/// Looks at the speed until the car is fast or has no more to say, and keeps the dashboard up to date. Returns the car's time.
async fn drive_along(car: &dyn Vehicle, seen: &mut Seen) -> Result<Option<Timestamp>, Error> {
    seen.dashboard = dashboard(car).await?;
    let Ok(speed) = vss::SPEED.resolve(&car.catalogue()) else { return Ok(None) };
    let mut watch = car.subscribe(Subscribe::to([speed]).every(LOOK).queue(LOOKS)).await?;
    let (mut first, mut now) = (None, None);
    while seen.looks < LOOKS {
        let points = match watch.next().await {
            Some(Event::Changed(points)) => points,
            Some(Event::Ended(_)) | None => break,
            // Rights that change and looks that are missed change nothing here.
            Some(_) => continue,
        };
        for (_, point) in points.iter() {
            seen.looks += 1;
            let kmh = match &point.state {
                State::Valid(kmh) => kmh.as_f64().unwrap_or_default(),
                // A log at its end: the last dashboard stands.
                State::NotAvailable(why) if why.kind() == ReasonKind::Ended => return Ok(now),
                _ => continue,
            };
            now = Some(point.source);
            seen.dashboard = dashboard(car).await?;
            let since = point.source.saturating_since(*first.get_or_insert(point.source));
            if kmh > f64::from(FAST) {
                seen.fast_after = Some(since);
                return Ok(now);
            }
        }
    }
    Ok(now)
}

async fn dashboard(car: &dyn Vehicle) -> Result<Dashboard, Error> {
    let speed = read(car, vss::SPEED, |speed| format!("{speed:.1} km/h")).await?;
    Ok(Dashboard { speed, energy: energy(car).await?, doors: doors(car).await? })
}

/// Range where the car knows it; else what is in the tank or the battery.
async fn energy(car: &dyn Vehicle) -> Result<(&'static str, String), Error> {
    if car.catalogue().id(vss::POWERTRAIN_RANGE.path()).is_some() {
        let range = read(car, vss::POWERTRAIN_RANGE, |metres| format!("{} km", metres / 1000)).await?;
        return Ok(("range", range));
    }
    if car.catalogue().id(vss::POWERTRAIN_FUEL_SYSTEM_RELATIVE_LEVEL.path()).is_some() {
        return Ok((
            "fuel",
            read(car, vss::POWERTRAIN_FUEL_SYSTEM_RELATIVE_LEVEL, |level| format!("{level} percent")).await?,
        ));
    }
    if car.catalogue().id(vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_CHARGE_DISPLAYED.path()).is_some() {
        let charge = read(car, vss::POWERTRAIN_TRACTION_BATTERY_STATE_OF_CHARGE_DISPLAYED, |charge| {
            format!("{charge:.1} percent")
        })
        .await?;
        return Ok(("charge", charge));
    }
    Ok(("range", "this car says nothing of it".to_owned()))
}

async fn doors(car: &dyn Vehicle) -> Result<String, Error> {
    let doors = car.find("Vehicle.Cabin.Door.**.IsOpen")?;
    let (mut open, mut unknown) = (Vec::new(), 0);
    for (id, point) in doors.iter().zip(car.get(Get::of(&doors)).await?) {
        match point?.state {
            State::Valid(Value::Bool(true)) => open.push(side(car, *id)?),
            State::Valid(_) => {}
            _ => unknown += 1,
        }
    }
    let count = doors.len();
    let known = match (open.is_empty(), unknown) {
        _ if count == 0 => return Ok("this car says nothing of them".to_owned()),
        (true, 0) => "all closed".to_owned(),
        (true, n) if n == count => "not known at present".to_owned(),
        (true, n) => format!("{n} not known at present, the others closed"),
        (false, 0) => format!("open: {}", open.join(", ")),
        (false, n) => format!("open: {}; {n} not known at present", open.join(", ")),
    };
    Ok(format!("{count}, {known}"))
}

async fn warm_the_seat(car: &dyn Vehicle, asked_at: Option<Timestamp>) -> Result<Seat, Error> {
    let ask = car
        .write(vss::CABIN_SEAT_ROW1_DRIVER_SIDE_HEATING_COOLING, 60, Set::within(Duration::from_secs(5)))
        .await;
    Ok(match ask {
        Ok(receipt) => match receipt.outcome().await {
            Outcome::Confirmed(at) => Seat::Warm(at.saturating_since(asked_at.unwrap_or(at))),
            Outcome::Refused(why) => Seat::Cold(why.to_string()),
            other => Seat::Cold(other.to_string()),
        },
        // The request makes no sense on this car; the app says so and goes on.
        Err(error) if !error.is_temporary() => Seat::Cold(error.message().to_owned()),
        Err(error) => return Err(error),
    })
}

/// A reading in words, or why there is none.
async fn read<T: VssValue + std::fmt::Display>(
    car: &dyn Vehicle,
    path: TypedPath<T>,
    words: impl FnOnce(T) -> String,
) -> Result<String, Error> {
    match car.read(path).await {
        Ok(reading) => Ok(reading.valid().map_or_else(|why| why.to_string(), words)),
        Err(error) if error.kind() == ErrorKind::UnknownSignal => {
            Ok("this car says nothing of it".to_owned())
        }
        Err(error) => Err(error),
    }
}

/// `Row1.DriverSide` of `Vehicle.Cabin.Door.Row1.DriverSide.IsOpen`.
fn side(car: &dyn Vehicle, door: SignalId) -> Result<String, Error> {
    let path = car.catalogue().path(door)?.to_string();
    Ok(path.trim_start_matches("Vehicle.Cabin.Door.").trim_end_matches(".IsOpen").to_owned())
}
