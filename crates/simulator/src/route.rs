//! Where the simulated car drives: places one after the other with heights and speed limits, round and round.
//!
//! *Invariant:* a route that was built has legs of 20 m to 100 km between places on the earth; the last leads back to the first.
//! *Next:* `trip.rs` (which keeps to the limits), `motion.rs` (which follows the direction).

use std::sync::Arc;

use coachwork_vehicle::Error;

use crate::geo;
use crate::scenario::invalid;

/// How far ahead the driver looks, in metres.
const SIGHT: f64 = 400.0;
/// How hard a driver brakes for what is in sight, in metres per second squared.
const FORESIGHT: f64 = 1.3;
/// Where the driver begins to signal a turn, in metres before it.
const SIGNAL: f64 = 60.0;
/// Degrees from which on a bend is a turn.
const BEND: f64 = 40.0;
const MOST_LEGS: usize = 10_000;

/// A closed way for the simulated car.
///
/// [`Route::default`] is a loop of nine kilometres through a town and over a hill. One of your own is built place by place; what is said of height and limit holds
/// from the last place on:
///
/// ```
/// use coachwork_simulator::{Route, Scenario};
/// let triangle = Route::start(47.05, 8.30)
///     .altitude(436.0)
///     .limit(50.0)
///     .to(47.06, 8.31)
///     .limit(80.0)
///     .to(47.05, 8.33)
///     .altitude(470.0)
///     .closed()?;
/// assert!((5_000.0..6_000.0).contains(&triangle.length()));
/// let scenario = Scenario { route: Some(triangle), ..Scenario::seeded(1) };
/// # Ok::<(), coachwork_vehicle::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Route(Arc<[Leg]>);

/// A route that is being built, from [`Route::start`].
#[derive(Clone, Debug)]
#[must_use = "a route is done when it is closed"]
pub struct RouteBuilder(Vec<Place>);

#[derive(Clone, Copy, Debug)]
struct Place {
    latitude: f64,
    longitude: f64,
    altitude: f64,
    /// From here on, in kilometres per hour.
    limit: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Leg {
    latitude: f64,
    longitude: f64,
    altitude: f64,
    /// Degrees and metres for a metre of the way.
    per_metre: (f64, f64, f64),
    length: f64,
    heading: f64,
    /// Metres per second.
    limit: f64,
    /// The bend at its end, in degrees, positive to the right, and the speed for it in metres per second.
    bend: f64,
    corner: f64,
}

impl Route {
    /// A route that begins here, in degrees: at sea level and with a limit of 50 km/h until something else is said.
    pub fn start(latitude: f64, longitude: f64) -> RouteBuilder {
        RouteBuilder(vec![Place { latitude, longitude, altitude: 0.0, limit: 50.0 }])
    }

    /// Once round, in metres.
    pub fn length(&self) -> f64 {
        self.0.iter().map(|leg| leg.length).sum()
    }

    /// How many legs it has.
    pub fn legs(&self) -> usize {
        self.0.len()
    }

    fn leg(&self, number: usize) -> Leg {
        self.0.get(number).copied().unwrap_or_default()
    }
}

impl Default for Route {
    fn default() -> Self {
        Self(default_legs().into())
    }
}

impl RouteBuilder {
    /// The height of the place named last, in metres above the sea, -500 to 9000; places after it are as high.
    pub fn altitude(mut self, metres: f64) -> Self {
        if let Some(last) = self.0.last_mut() {
            last.altitude = metres;
        }
        self
    }

    /// The speed limit from the place named last on, in kilometres per hour, 10 to 130.
    pub fn limit(mut self, kilometres_per_hour: f64) -> Self {
        if let Some(last) = self.0.last_mut() {
            last.limit = kilometres_per_hour;
        }
        self
    }

    /// Straight on to another place, in degrees.
    pub fn to(mut self, latitude: f64, longitude: f64) -> Self {
        let (altitude, limit) = self.0.last().map_or((0.0, 50.0), |last| (last.altitude, last.limit));
        self.0.push(Place { latitude, longitude, altitude, limit });
        self
    }

    /// Back to the start.
    ///
    /// # Errors
    /// [`Invalid`](coachwork_vehicle::ErrorKind::Invalid) for fewer than two places or more than 10,000, a number outside its range (latitudes to 85 degrees either way), and a leg shorter
    /// than 20 m or longer than 100 km; the last leg back to the start counts.
    pub fn closed(self) -> Result<Route, Error> {
        if !(2..=MOST_LEGS).contains(&self.0.len()) {
            return Err(invalid("a route has 2 to 10,000 places"));
        }
        for place in &self.0 {
            // A NaN is in no range.
            if !(-85.0..=85.0).contains(&place.latitude) || !(-180.0..=180.0).contains(&place.longitude) {
                return Err(invalid(
                    "a place has a latitude of -85 to 85 and a longitude of -180 to 180 degrees",
                ));
            }
            if !(-500.0..=9000.0).contains(&place.altitude) {
                return Err(invalid("an altitude is -500 to 9000 metres"));
            }
            if !(10.0..=130.0).contains(&place.limit) {
                return Err(invalid("a speed limit is 10 to 130 km/h"));
            }
        }
        let legs = legs(&self.0);
        if !legs.iter().all(|leg| (20.0..=100_000.0).contains(&leg.length)) {
            return Err(invalid("a leg is 20 metres to 100 kilometres long"));
        }
        Ok(Route(legs.into()))
    }
}

fn legs(places: &[Place]) -> Vec<Leg> {
    let round = || places.iter().zip(places.iter().cycle().skip(1));
    let mut legs: Vec<Leg> = round()
        .map(|(from, to)| {
            let (east, north) = geo::metres((from.latitude, from.longitude), (to.latitude, to.longitude));
            let length = (east * east + north * north).sqrt();
            let share = if length > 0.0 { 1.0 / length } else { 0.0 };
            let per_metre = (
                (to.latitude - from.latitude) * share,
                (to.longitude - from.longitude) * share,
                (to.altitude - from.altitude) * share,
            );
            Leg {
                latitude: from.latitude,
                longitude: from.longitude,
                altitude: from.altitude,
                per_metre,
                length,
                heading: geo::heading(east, north),
                limit: from.limit / 3.6,
                bend: 0.0,
                corner: 0.0,
            }
        })
        .collect();
    let headings: Vec<f64> = legs.iter().map(|leg| leg.heading).collect();
    for (leg, next) in legs.iter_mut().zip(headings.iter().cycle().skip(1)) {
        leg.bend = geo::turn(leg.heading, *next);
        leg.corner = (68.0 - 0.55 * leg.bend.abs()).max(15.0) / 3.6;
        if leg.bend.abs() < 15.0 {
            leg.corner = f64::INFINITY;
        }
    }
    legs
}

/// Through a town, out along a river, over a hill and back. The places are real, the roads are not.
fn default_legs() -> Vec<Leg> {
    let place = |(latitude, longitude, altitude, limit)| Place { latitude, longitude, altitude, limit };
    let places = [
        (48.3705, 10.8978, 489.0, 50.0),
        (48.3741, 10.8972, 490.0, 50.0),
        (48.3768, 10.8990, 491.0, 50.0),
        (48.3790, 10.9035, 489.0, 60.0),
        (48.3812, 10.9102, 480.0, 80.0),
        (48.3825, 10.9190, 474.0, 100.0),
        (48.3818, 10.9290, 471.0, 100.0),
        (48.3782, 10.9362, 478.0, 80.0),
        (48.3730, 10.9385, 512.0, 80.0),
        (48.3682, 10.9360, 536.0, 70.0),
        (48.3655, 10.9288, 520.0, 70.0),
        (48.3650, 10.9195, 497.0, 50.0),
        (48.3662, 10.9110, 488.0, 50.0),
        (48.3655, 10.9040, 486.0, 30.0),
        (48.3678, 10.9000, 487.0, 30.0),
        (48.3692, 10.8988, 488.0, 50.0),
    ]
    .map(place);
    legs(&places)
}

/// A point on a route that moves along it.
#[derive(Clone, Debug)]
pub(crate) struct Along {
    route: Route,
    leg: usize,
    /// The present leg.
    here: Leg,
    /// Metres of it.
    metres: f64,
}

/// What the driver sees of the road.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Road {
    /// The highest speed from which the limits and bends in sight can be kept.
    pub(crate) cap: f64,
    /// A turn that is near, in degrees, positive to the right; 0 for none.
    pub(crate) turn: f64,
}

impl Along {
    pub(crate) fn new(route: Route) -> Self {
        let here = route.leg(0);
        Self { route, leg: 0, here, metres: 0.0 }
    }

    pub(crate) fn advance(&mut self, metres: f64) {
        self.metres += metres;
        while self.metres >= self.here.length && self.here.length > 0.0 {
            self.metres -= self.here.length;
            self.leg = self.after(self.leg);
            self.here = self.route.leg(self.leg);
        }
    }

    pub(crate) fn road(&self) -> Road {
        let mut road = Road { cap: self.here.limit, turn: 0.0 };
        let (mut number, mut leg) = (self.leg, self.here);
        let mut distance = leg.length - self.metres;
        if distance < SIGNAL && leg.bend.abs() > BEND {
            road.turn = leg.bend;
        }
        while distance < SIGHT {
            let corner = leg.corner;
            number = self.after(number);
            leg = self.route.leg(number);
            let then = corner.min(leg.limit);
            if then < road.cap {
                road.cap = road.cap.min((then * then + 2.0 * FORESIGHT * distance).sqrt());
            }
            distance += leg.length.max(1.0);
        }
        road
    }

    /// Degrees.
    pub(crate) fn latitude(&self) -> f64 {
        self.here.latitude + self.here.per_metre.0 * self.metres
    }

    /// Degrees.
    pub(crate) fn longitude(&self) -> f64 {
        self.here.longitude + self.here.per_metre.1 * self.metres
    }

    /// Metres.
    pub(crate) fn altitude(&self) -> f64 {
        self.here.altitude + self.here.per_metre.2 * self.metres
    }

    /// Metres up for a metre of the way.
    pub(crate) fn slope(&self) -> f64 {
        self.here.per_metre.2
    }

    /// The direction of the road, in degrees.
    pub(crate) fn heading(&self) -> f64 {
        self.here.heading
    }

    fn after(&self, leg: usize) -> usize {
        if leg + 1 >= self.route.legs() { 0 } else { leg + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_is_a_way_that_the_builder_would_take() {
        let route = Route::default();
        assert!((8_000.0..10_000.0).contains(&route.length()), "{}", route.length());
        assert!(route.0.iter().all(|leg| (20.0..=100_000.0).contains(&leg.length)));
        assert!(route.0.iter().all(|leg| leg.per_metre.2.abs() < 0.1), "no road is steeper");
    }

    #[test]
    fn once_round_is_where_it_began() {
        let mut along = Along::new(Route::default());
        let start = (along.latitude(), along.longitude(), along.altitude());
        let length = Route::default().length();
        for _ in 0..1000 {
            along.advance(length / 1000.0);
        }
        let (latitude, longitude, altitude) = (along.latitude(), along.longitude(), along.altitude());
        assert!((latitude - start.0).abs() < 1e-6 && (longitude - start.1).abs() < 1e-6);
        assert!((altitude - start.2).abs() < 0.1);
    }

    #[test]
    fn a_driver_who_keeps_to_the_cap_takes_every_bend_at_its_speed() {
        let mut along = Along::new(Route::default());
        let mut speed = 0.0_f64;
        for _ in 0..20_000 {
            let road = along.road();
            assert!(road.cap <= along.here.limit);
            speed = (speed + 0.2).min(road.cap);
            let before = along.leg;
            let corner = along.here.corner;
            along.advance(speed * 0.1);
            assert!(along.leg == before || speed <= corner + 0.5, "{speed} at {corner}");
        }
    }

    #[test]
    fn what_is_no_route_is_refused() {
        let nowhere = |route: RouteBuilder| route.closed().unwrap_err().to_string();
        assert!(nowhere(Route::start(1.0, 1.0)).contains("2 to 10,000 places"));
        assert!(nowhere(Route::start(1.0, 1.0).to(86.0, 1.0)).contains("latitude"));
        assert!(nowhere(Route::start(1.0, 1.0).to(f64::NAN, 1.0)).contains("latitude"));
        assert!(nowhere(Route::start(1.0, 1.0).to(1.0, 1.0)).contains("20 metres"));
        assert!(nowhere(Route::start(1.0, -179.9).to(1.0, 179.9)).contains("100 kilometres"));
        assert!(nowhere(Route::start(1.0, 1.0).limit(9.0).to(1.0, 1.01)).contains("limit"));
        assert!(nowhere(Route::start(1.0, 1.0).altitude(9001.0).to(1.0, 1.01)).contains("altitude"));
    }
}
