//! The little geometry of the earth that a route needs: lengths and directions between places that are near to each other.
//!
//! *Invariant:* only `+ - * /` and the square root, which IEEE 754 rounds correctly: every machine computes the same bits. Not for great circles.
//! *Next:* `route.rs` (which measures its legs once).

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

/// Metres in a degree of a meridian, on a sphere.
const DEGREE: f64 = 6_371_008.8 * PI / 180.0;

/// Metres to the east and to the north from one place to another, in degrees.
pub(crate) fn metres(from: (f64, f64), to: (f64, f64)) -> (f64, f64) {
    let middle = from.0.midpoint(to.0);
    ((to.1 - from.1) * DEGREE * cosine(middle * PI / 180.0), (to.0 - from.0) * DEGREE)
}

/// Degrees from north by east, 0 to below 360.
pub(crate) fn heading(east: f64, north: f64) -> f64 {
    let (steep, flat) = (east.abs().max(north.abs()), east.abs().min(north.abs()));
    if steep <= 0.0 {
        return 0.0;
    }
    let small = arctangent(flat / steep);
    let from_north = if east.abs() > north.abs() { FRAC_PI_2 - small } else { small };
    let half = if north < 0.0 { PI - from_north } else { from_north };
    let degrees = half * 180.0 / PI;
    whole_turn(if east < 0.0 { -degrees } else { degrees })
}

/// The same direction, 0 to below 360.
pub(crate) fn whole_turn(degrees: f64) -> f64 {
    let turned = degrees % 360.0;
    let turned = if turned < 0.0 { turned + 360.0 } else { turned };
    // A tiny negative number becomes a whole turn when it is rounded.
    if turned >= 360.0 { 0.0 } else { turned }
}

/// The way from one direction to another by the shorter side, -180 to 180, positive by east.
pub(crate) fn turn(from: f64, to: f64) -> f64 {
    let turned = whole_turn(to - from);
    if turned > 180.0 { turned - 360.0 } else { turned }
}

/// The cosine, from -π/2 to π/2, by its series.
fn cosine(x: f64) -> f64 {
    let square = x * x;
    let (mut sum, mut term) = (1.0, 1.0);
    for n in [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0] {
        term *= -square / (n * (n - 1.0));
        sum += term;
    }
    sum
}

/// The arctangent, from 0 to 1, by its series.
fn arctangent(x: f64) -> f64 {
    // The series is quick near zero only.
    if x > 0.414 {
        return FRAC_PI_4 - arctangent_near_zero((1.0 - x) / (1.0 + x));
    }
    arctangent_near_zero(x)
}

fn arctangent_near_zero(x: f64) -> f64 {
    let square = x * x;
    let (mut sum, mut power) = (0.0, x);
    for n in [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0, 19.0, 21.0] {
        sum += power / n;
        power *= -square;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_agree_with_the_library() {
        for step in -90..=90 {
            let x = f64::from(step) * PI / 180.0;
            assert!((cosine(x) - x.cos()).abs() < 1e-12, "{step}");
        }
        for step in 0..3600 {
            let angle = f64::from(step) / 10.0;
            let (east, north) = ((angle * PI / 180.0).sin(), (angle * PI / 180.0).cos());
            assert!(turn(angle, heading(east, north)).abs() < 1e-7, "{angle}: {}", heading(east, north));
        }
    }

    #[test]
    fn a_turn_goes_by_the_shorter_side() {
        assert!((turn(350.0, 20.0) - 30.0).abs() < 1e-9);
        assert!((turn(20.0, 350.0) + 30.0).abs() < 1e-9);
        assert!(whole_turn(-1e-20) < 360.0);
    }
}
