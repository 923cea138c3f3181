//! A simulated drive becomes a log: the car is put on a bus by its databases, and the bus is written down.
//!
//! *Invariant:* one manual clock, one thread, a fixed order: the same bytes on every machine.
//! *Next:* `own.rs` (which drive, which files).

use std::sync::Arc;
use std::time::Duration;

use coachwork::ManualClock;
use coachwork::can::bus::{Batch, VirtualBus};
use coachwork::can::log::CandumpWriter;
use coachwork::can::{Databases, Mapping, Segment, Wiring};
use coachwork::simulator::{Scenario, SimulatedVehicle};
use futures::FutureExt;

use crate::own::{Fault, START, stamps};

/// The step of the clock.
const TICK: Duration = Duration::from_millis(10);

/// The first `length` of a drive, as a candump log.
///
/// # Errors
/// The scenario or the mapping is not in order, or a part ends before its time.
pub fn record(
    scenario: &Scenario,
    databases: Databases,
    mapping: &Mapping,
    length: Duration,
) -> Result<Vec<u8>, Fault> {
    let clock = Arc::new(ManualClock::new(START));
    let bus = VirtualBus::new("can0", 4096);
    let (mut tap, _) = bus.connect().into_parts();
    let (car, mut drive) = SimulatedVehicle::new(clock.clone(), scenario)?;
    let wiring = Wiring::new().bus(bus.connect(), [Segment::new("can0", databases)]).stamps(stamps());
    let (mut emit, _) = wiring.emit(Arc::new(car), mapping, clock.clone())?;
    let channel: coachwork::can::Channel = "can0".parse()?;
    let mut log = CandumpWriter::new(Vec::new());
    let mut batch = Batch::new(4096);
    let mut left = length;
    loop {
        for driver in [&mut drive, &mut emit] {
            if let Some(ended) = driver.now_or_never() {
                ended?;
                return Err("a driver ended before the drive did".into());
            }
        }
        while let Some(read) = tap.read(&mut batch).now_or_never() {
            read?;
            for frame in batch.frames() {
                log.write(&frame.with_channel(channel).with_direction(None))?;
            }
            batch.clear();
        }
        if left.is_zero() {
            return Ok(log.into_inner());
        }
        clock.advance(TICK.min(left));
        left = left.saturating_sub(TICK);
    }
}
