//! Buses, their names, their databases and what is written into every frame, put together into one vehicle, or under one.
//!
//! *Invariant:* every bus has a name of its own and every channel of a source one bus; what does not fit is an error before anything runs.
//! *Next:* `vehicle.rs` (buses as a vehicle), `emit.rs` (a vehicle onto buses).

use crate::bus::Bus;
use crate::lines::{Lines, Sinks};
use crate::mapping::StartValues;
use crate::network::{Network, Segment};
use crate::plan::{Stamping, Stamps};
use crate::{CanVehicle, Emit, Mapping, MappingError, MappingFault};
use coachwork_vehicle::{Clock, Driver, Vehicle};
use std::fmt;
use std::sync::Arc;

/// The buses of one vehicle: which source carries which bus, what is on it, and what every frame that is sent carries.
///
/// ```
/// use coachwork_can::bus::{Bus, LogSource};
/// use coachwork_can::log::LogReader;
/// use coachwork_can::{Mapping, Segment, Wiring};
/// use coachwork_dbc::Database;
/// use coachwork_vehicle::{ManualClock, Vehicle};
/// use std::sync::Arc;
///
/// // One log, two buses, each with a message 0x123 of its own.
/// let log = LogReader::new("drive.log", "(1.0) can0 123#0A\n(1.1) can1 123#01\n".as_bytes());
/// let drive = Database::parse("BU_: A\nBO_ 291 Drive: 1 A\n SG_ Speed : 0|8@1+ (1,0) [0|250] \"km/h\" A\n")?;
/// let body = Database::parse("BU_: A\nBO_ 291 Doors: 1 A\n SG_ Open : 0|1@1+ (1,0) [0|1] \"\" A\n")?;
/// let mapping = Mapping::parse("car.json", r#"{"Vehicle": {"type": "branch", "children": {
///     "Speed": {"type": "sensor", "datatype": "float", "unit": "km/h", "dbc2vss": {"bus": "drive", "signal": "Speed"}},
///     "IsOpen": {"type": "sensor", "datatype": "boolean", "dbc2vss": {"bus": "body", "signal": "Open"}}}}}"#)?;
/// let (car, driver) = Wiring::new()
///     .bus(
///         Bus::read_only(LogSource::new(log)),
///         [
///             Segment::new("drive", drive).on_channel("can0".parse()?),
///             Segment::new("body", body).on_channel("can1".parse()?),
///         ],
///     )
///     .vehicle(&mapping, Arc::new(ManualClock::default()))?;
/// assert_eq!(car.catalogue().len(), 2);
/// # let _ = driver;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Wiring {
    buses: Vec<(Bus, usize)>,
    segments: Vec<Segment>,
    stamps: Stamps,
    start: StartValues,
}

/// What a wiring comes down to.
pub(crate) struct Wired {
    pub(crate) network: Network,
    pub(crate) lines: Lines,
    pub(crate) sinks: Sinks,
    pub(crate) stamping: Stamping,
    pub(crate) start: StartValues,
}

impl Wiring {
    /// No bus yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source of frames, with its sink where it has one, and the buses that it carries: one, or several by channel.
    #[must_use]
    pub fn bus(mut self, bus: Bus, segments: impl IntoIterator<Item = Segment>) -> Self {
        let before = self.segments.len();
        self.segments.extend(segments);
        self.buses.push((bus, self.segments.len() - before));
        self
    }

    /// What is written into every frame of some messages: counters, checksums, hooks.
    #[must_use]
    pub fn stamps(mut self, stamps: Stamps) -> Self {
        self.stamps = stamps;
        self
    }

    /// What signals carry that nothing else is known of.
    #[must_use]
    pub fn start_values(mut self, start: StartValues) -> Self {
        self.start = start;
        self
    }

    /// The vehicle on these buses, and the driver that reads them.
    ///
    /// # Errors
    /// As [`CanVehicle::new`]; two buses of one name, two of one channel; a stamp or a start value of a signal that there is not.
    pub fn vehicle(
        self,
        mapping: &Mapping,
        clock: Arc<dyn Clock>,
    ) -> Result<(CanVehicle, Driver), MappingError> {
        CanVehicle::wired(self, mapping, clock)
    }

    /// `vehicle` onto these buses: the driver that sends and listens, and the paths of the mapping that the vehicle does not have.
    ///
    /// # Errors
    /// As [`vehicle`](Self::vehicle), and a transform without an inverse.
    pub fn emit(
        self,
        vehicle: Arc<dyn Vehicle>,
        mapping: &Mapping,
        clock: Arc<dyn Clock>,
    ) -> Result<(Driver, Vec<String>), MappingError> {
        let wired = self.wired(mapping)?;
        let emit = Emit::on(vehicle, wired.network, mapping, wired.stamping, &wired.start)?;
        let missing = emit.missing().to_vec();
        Ok((emit.run(wired.lines, wired.sinks, clock), missing))
    }

    pub(crate) fn wired(self, mapping: &Mapping) -> Result<Wired, MappingError> {
        let mut rest = &*self.segments;
        for (bus, count) in &self.buses {
            let (own, others) = rest.split_at_checked(*count).unwrap_or((rest, &[]));
            rest = others;
            let name = bus.source.name();
            let fault = |text: String| MappingError::whole(mapping.name(), MappingFault::Entry(text));
            if own.is_empty() {
                return Err(fault(format!("the source {name} carries no bus")));
            }
            for (place, segment) in own.iter().enumerate() {
                if own.iter().take(place).any(|other| other.channel() == segment.channel()) {
                    let channel = segment
                        .channel()
                        .map_or_else(|| "everything".to_owned(), |c| format!("the channel {c}"));
                    return Err(fault(format!("two buses claim {channel} of {name}")));
                }
            }
        }
        let network = Network::new(self.segments).checked(mapping.name())?;
        let (lines, sinks) = Lines::new(self.buses, &network);
        let stamping = Stamping::compile(self.stamps, &network, mapping.name())?;
        Ok(Wired { network, lines, sinks, stamping, start: self.start })
    }

    pub(crate) fn first_name(&self) -> String {
        let names: Vec<&str> = self.buses.iter().map(|(bus, _)| bus.source.name()).collect();
        names.join(" and ")
    }
}

impl fmt::Debug for Wiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.segments.iter().map(Segment::name)).finish()
    }
}
