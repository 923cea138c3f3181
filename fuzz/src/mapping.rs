//! Bytes become a mapping and a log that is played through it: up to the first zero byte the mapping's text, then payloads.
//!
//! *Oracle:* whatever is mapped is published (so every value is of its path's type); an expression gives a finite number or none, the same each time;
//! what the inverse of a transform encodes is read back within the signal's resolution or refused.
//! *Next:* `coachwork_can::{Mapping, CanVehicle}`.

use coachwork_can::bus::{Bus, LogSource};
use coachwork_can::log::LogReader;
use coachwork_can::{CanVehicle, Emit, Mapping, Math, Transform};
use coachwork_dbc::Database;
use coachwork_vehicle::{Driver, ManualClock, Vehicle};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

static DATABASE: LazyLock<coachwork_can::Databases> = LazyLock::new(|| {
    let text = "BU_: A\n\
        BO_ 1 M: 8 A\n SG_ S : 0|16@1+ (0.1,-10) [0|0] \"\" A\n SG_ T : 16|8@1- (1,0) [0|0] \"\" A\n SG_ L : 24|4@1+ (1,0) [0|0] \"\" A\n SG_ F : 32|32@1- (1,0) [0|0] \"\" A\n\
        BO_ 2 N: 8 A\n SG_ S : 0|64@1- (2,1) [0|0] \"\" A\n\
        SIG_VALTYPE_ 1 F : 1;\nVAL_ 1 L 0 \"Off\" 1 \"On\" 14 \"Error\" 15 \"SNA\" ;\n";
    Database::parse(text).expect("the target's own database").into()
});

/// Runs one input.
pub fn run(data: &[u8]) {
    play(data);
}

/// How many frames the mapping read; `None` where it is no mapping, or does not fit.
pub fn play(data: &[u8]) -> Option<u64> {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (text, payloads) = data.split_at(end);
    let text = str::from_utf8(text).ok()?;
    if let Ok(math) = Math::parse(text) {
        evaluate(&math);
    }
    let mapping = Mapping::parse("mapping", text).ok()?;
    for entry in mapping.entries() {
        let transforms = [
            entry.from_bus().and_then(|from| from.transform.as_ref()),
            entry.to_bus().and_then(|to| to.transform.as_ref()),
        ];
        for transform in transforms.into_iter().flatten() {
            if let Transform::Math(math) = transform {
                evaluate(math);
            }
        }
    }
    let lines: Vec<String> = payloads
        .get(1..)
        .unwrap_or_default()
        .chunks(9)
        .take(64)
        .enumerate()
        .map(|(second, bytes)| {
            let hex: String = bytes.iter().skip(1).map(|byte| format!("{byte:02X}")).collect();
            format!("({second}.0) can0 00{}#{hex}\n", bytes[0] % 3)
        })
        .collect();
    let log = lines.concat();
    let source = LogSource::new(LogReader::new("log", std::io::Cursor::new(log)));
    let clock = Arc::new(ManualClock::default());
    let (car, driver) = CanVehicle::new(Bus::read_only(source), DATABASE.clone(), &mapping, clock).ok()?;
    finish(driver);
    let counts = car.counts();
    assert_eq!((counts.frames, counts.bad), (lines.len() as u64, 0));
    assert_eq!(car.catalogue().len(), mapping.entries().len());
    // A mapping that fits one way may have no inverse; it must not panic.
    let _ = Emit::of(Arc::new(car), DATABASE.clone(), &mapping);
    Some(counts.mapped)
}

fn evaluate(math: &Math) {
    for x in [0.0, 1.0, -1.0, 0.5, 255.0, 65_535.0, -1e18, f64::MAX, f64::NAN, f64::INFINITY] {
        let value = math.eval(x);
        assert!(value.is_none_or(f64::is_finite), "{math:?} at {x} is {value:?}");
        assert_eq!(value.map(f64::to_bits), math.eval(x).map(f64::to_bits));
    }
    let again = Math::parse(math.as_str()).expect("an expression that was read");
    assert_eq!(again.eval(3.0).map(f64::to_bits), math.eval(3.0).map(f64::to_bits));
}

/// Polls a driver to its end; a log never waits for anything but other tasks.
fn finish(driver: Driver) {
    let mut driver = std::pin::pin!(driver);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(outcome) = driver.as_mut().poll(&mut context) {
            outcome.expect("everything that is mapped is published");
            return;
        }
    }
    panic!("the log does not end");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        let mapping = br#"{"A": {"type": "sensor", "datatype": "uint8", "dbc2vss": {"signal": "M.S"}}}"#;
        let with = |payloads: &[u8]| play(&[&mapping[..], b"\0", payloads].concat());
        assert_eq!(with(&[]), Some(0));
        assert_eq!(with(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1]), Some(2));
        assert_eq!(play(&mapping[1..]), None);
        // In two messages: both are read, and neither is written.
        assert_eq!(
            play(br#"{"A": {"type": "sensor", "datatype": "uint8", "dbc2vss": {"signal": "S"}}}"#),
            Some(0)
        );
        assert_eq!(
            play(br#"{"A": {"type": "actuator", "datatype": "uint8", "vss2dbc": {"signal": "S"}}}"#),
            None
        );
    }
}
