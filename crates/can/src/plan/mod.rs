//! A mapping and a database become what is done with each frame, and with each request: no name is compared after this.
//!
//! *Invariant:* every entry of the mapping has its signal, or compiling fails with file, path, entry and cause.
//! *Next:* `names.rs` (signals by name), `units.rs` and `value.rs` (one value's way), `inward.rs` (frames to datapoints), `outward.rs` (values to
//! frames), `stamp.rs` (what every frame carries).

mod cadence;
mod inward;
mod names;
mod outward;
mod stamp;
#[cfg(test)]
mod tests;
mod units;
mod value;

pub(crate) use cadence::Cadence;
pub(crate) use inward::{Fate, Inward};
pub(crate) use names::{Names, Place};
pub(crate) use outward::{Outward, StartPayloads, payload_frame};
pub(crate) use stamp::Stamping;
pub use stamp::Stamps;
pub(crate) use value::{Special, ToVehicle, ToWire, Wire};

use crate::mapping::{MappingEntry, StartValues};
use crate::network::Network;
use crate::{Mapping, MappingError, MappingFault};
use coachwork_vehicle::{Access, Catalogue, Facts, Permission, ScalarType};
use std::time::Duration;

/// A value is stale when this many cycles of its message passed without it.
const STALE_CYCLES: u32 = 3;

/// What becomes of each path of a mapping.
pub(crate) struct Plan {
    pub(crate) network: Network,
    pub(crate) routes: Vec<Route>,
    pub(crate) start: StartPayloads,
    /// What the mapping leaves open.
    pub(crate) remarks: Vec<MappingError>,
}

/// The ways of one path; its row in the catalogue is its place in the plan.
pub(crate) struct Route {
    pub(crate) entry: MappingEntry,
    pub(crate) reading: Option<Reading>,
    pub(crate) command: Option<Command>,
}

/// From the bus to the path.
pub(crate) struct Reading {
    pub(crate) place: Place,
    pub(crate) to_vehicle: ToVehicle,
    /// Further messages that have the signal too.
    pub(crate) also: Vec<(Place, ToVehicle)>,
    pub(crate) interval: Duration,
    pub(crate) on_change: bool,
    pub(crate) stale_after: Option<Duration>,
}

/// From a request on the path to the bus.
pub(crate) struct Command {
    pub(crate) place: Place,
    pub(crate) to_wire: ToWire,
    /// How the message is repeated.
    pub(crate) cadence: Cadence,
}

impl Plan {
    pub(crate) fn compile(
        network: impl Into<Network>,
        mapping: &Mapping,
        start: &StartValues,
    ) -> Result<Self, MappingError> {
        let network = network.into().checked(mapping.name())?;
        let names = Names::new(&network);
        let (mut routes, mut remarks) = (Vec::with_capacity(mapping.entries().len()), Vec::new());
        for entry in mapping.entries() {
            let at = |name| {
                move |fault: MappingFault| MappingError::at(mapping.name(), entry.path(), Some(name), fault)
            };
            let found =
                entry.from_bus().map(|_| reading(&names, entry)).transpose().map_err(at("dbc2vss"))?;
            let (reading, remark) = found.unzip();
            remarks.extend(remark.flatten().map(at("dbc2vss")));
            let command =
                entry.to_bus().map(|_| command(&names, entry)).transpose().map_err(at("vss2dbc"))?;
            routes.push(Route { entry: entry.clone(), reading, command });
        }
        let start = StartPayloads::compile(start, &network)?;
        Ok(Self { network, routes, start, remarks })
    }

    /// The catalogue of the routes: a path is read where it has a reading, written where it has a command and its bus is `writable`.
    pub(crate) fn catalogue(
        &self,
        mapping: &Mapping,
        writable: impl Fn(usize) -> bool,
        facts: Facts,
    ) -> Result<Catalogue, MappingError> {
        let entries = self.routes.iter().map(|route| {
            let entry = route.entry.catalogue_entry();
            let entry = match route.step() {
                Some(step) => entry.with_step(step),
                None => entry,
            };
            match route.reading.as_ref().and_then(|reading| reading.stale_after) {
                Some(limit) => entry.with_stale_after(limit),
                None => entry,
            }
        });
        let catalogue = Catalogue::new(entries, facts)
            .map_err(|error| MappingError::whole(mapping.name(), MappingFault::Entry(error.to_string())))?;
        let mut routes = self.routes.iter();
        Ok(catalogue.with_access(|_, access| {
            let route = routes.next();
            let read = route.is_some_and(|route| route.reading.is_some());
            let command = route.and_then(|route| route.command.as_ref());
            let write = command.is_some_and(|command| writable(command.place.segment));
            Access {
                read: if read { access.read.clone() } else { Permission::No },
                write: if write { access.write.clone() } else { Permission::No },
            }
        }))
    }
}

impl Route {
    /// The distance of neighbouring values on the bus, as far as it is known and coarser than the path's type.
    fn step(&self) -> Option<f64> {
        let reading = self.reading.as_ref()?;
        let read = reading.to_vehicle.slope()? * reading.place.factor;
        let written = match &self.command {
            Some(command) => command.place.factor / command.to_wire.slope()?,
            None => 0.0,
        };
        let step = read.abs().max(written.abs());
        let scalar = self.entry.data_type.scalar();
        let whole = scalar.integer_range().is_some() && step <= 1.0;
        let is_step = step.is_finite() && step > 0.0 && scalar.is_number() && scalar != ScalarType::Boolean;
        if is_step && !whole { Some(step) } else { None }
    }
}

fn reading(names: &Names<'_>, entry: &MappingEntry) -> Result<(Reading, Option<MappingFault>), MappingFault> {
    let from = entry.from_bus().ok_or(MappingFault::Missing("dbc2vss"))?;
    let (places, remark) = names.find_all(&from.signal)?;
    let compile = |(place, signal)| {
        ToVehicle::compile(from, signal, entry.data_type, entry.unit.as_deref()).map(|way| (place, way))
    };
    let mut ways = places.into_iter().map(compile).collect::<Result<Vec<(Place, _)>, _>>()?;
    let cycles: Option<Vec<Duration>> = ways.iter().map(|(place, _)| place.cadence.regular()).collect();
    // Gated samples come an interval apart, and the first after that may be a cycle late.
    let regular = cycles.and_then(|cycles| Some(from.interval + cycles.into_iter().max()? * STALE_CYCLES));
    let stale_after = from.stale_after.or(regular).filter(|limit| !limit.is_zero());
    let also = ways.split_off(1.min(ways.len()));
    let (place, to_vehicle) =
        ways.pop().ok_or_else(|| MappingFault::UnknownSignal(from.signal.to_string()))?;
    let (interval, on_change) = (from.interval, from.on_change);
    Ok((Reading { place, to_vehicle, also, interval, on_change, stale_after }, remark))
}

fn command(names: &Names<'_>, entry: &MappingEntry) -> Result<Command, MappingFault> {
    let to = entry.to_bus().ok_or(MappingFault::Missing("vss2dbc"))?;
    let (place, signal) = names.find(&to.signal)?;
    names.sendable(place)?;
    let to_wire = ToWire::compile(to, signal, entry.data_type, entry.unit.as_deref())?;
    let cadence = match to.cycle {
        None => place.cadence,
        Some(cycle) if cycle.is_zero() => Cadence::OnEvent,
        Some(cycle) => Cadence::Cyclic(cycle),
    };
    Ok(Command { place, to_wire, cadence })
}
