//! What a config says of its vehicle becomes one: a bus, a log, a recording, the simulator or a memory, or several of them as one.
//!
//! *Invariant:* a bus is dialled until it is there, so that a gateway may start before its car; a file that cannot be read is an error at once.
//! *Next:* `running.rs` (which drives and serves it), `repeat.rs` (logs), `clock.rs` (time that runs faster).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use coachwork_can::bus::{Bus, BusName};
use coachwork_can::{Databases, Mapping, Segment, StartValues, Wiring};
use coachwork_simulator::{Corner, Fault, Incident, Scenario, SimulatedVehicle};
use coachwork_tokio::SystemClock;
use coachwork_tokio::can::Buses;
use coachwork_vehicle::{
    Access, Catalogue, Clock, Datapoint, Driver, Facts, Kind, MemoryVehicle, Merged, Pace, Permission,
    Recorded, Vehicle, Vspec, vss,
};

use super::clock::Faster;
use super::config::{self, What, Wheel};
use super::from;
use super::repeat::Played;
use crate::live::failure;
use crate::{Failure, database};

/// A vehicle with what drives its parts.
pub(super) struct Built {
    pub(super) vehicle: Arc<dyn Vehicle>,
    pub(super) drivers: Vec<(String, Driver)>,
    /// What is odd about it and no error.
    pub(super) remarks: Vec<String>,
}

/// The vehicle of a config; buses are dialled where `live`.
pub(super) fn build(
    config: &config::Vehicle,
    folder: &Path,
    clock: &Arc<SystemClock>,
    live: bool,
) -> Result<Built, Failure> {
    let mut building = Building {
        folder,
        clock: clock.clone(),
        parts: Vec::new(),
        drivers: Vec::new(),
        remarks: Vec::new(),
    };
    for bus in &config.bus {
        building.bus(bus, live)?;
    }
    for log in &config.log {
        building.log(log)?;
    }
    for recording in &config.recording {
        building.recording(recording)?;
    }
    if let Some(simulator) = &config.simulator {
        building.simulator(simulator)?;
    }
    if let Some(memory) = &config.memory {
        building.memory(memory)?;
    }
    if !config.overlay.is_empty() {
        building.overlay(&config.overlay)?;
    }
    let Building { mut parts, drivers, remarks, .. } = building;
    let vehicle = match parts.len() {
        1 => parts.remove(0),
        _ => Arc::new(Merged::new(parts, clock.clone()).map_err(failure)?),
    };
    Ok(Built { vehicle, drivers, remarks })
}

struct Building<'a> {
    folder: &'a Path,
    clock: Arc<SystemClock>,
    parts: Vec<Arc<dyn Vehicle>>,
    drivers: Vec<(String, Driver)>,
    remarks: Vec<String>,
}

impl Building<'_> {
    fn add(&mut self, vehicle: impl Vehicle, driver: Option<Driver>) {
        self.drivers.extend(driver.map(|driver| (vehicle.to_string(), driver)));
        self.parts.push(Arc::new(vehicle));
    }

    fn bus(&mut self, config: &config::OnBus, live: bool) -> Result<(), Failure> {
        let name: BusName =
            config.bus.parse().map_err(|why| failure(format_args!("{}: {why}", config.bus)))?;
        let start = config.start_values.as_ref().map(|path| StartValues::load(from(self.folder, path)));
        let start = start.transpose().map_err(failure)?.unwrap_or_default();
        let segment = Segment::new(name.channel(), self.databases(&config.databases)?);
        let mapping = self.mapping(&config.mapping)?;
        let bus = if live {
            Buses::new().map_err(failure)?.keep(&name).map_err(failure)?
        } else {
            coachwork_can::bus::VirtualBus::new(name.channel(), 1).connect()
        };
        let bus = if config.listen_only { bus.listening() } else { bus };
        self.wired(Wiring::new().bus(bus, [segment]).start_values(start), &mapping)
    }

    fn log(&mut self, config: &config::OfLog) -> Result<(), Failure> {
        let path = from(self.folder, &config.file);
        let played = Played::open(path, self.clock.clone(), config.speed.times(), config.repeat)?;
        let segment = Segment::new("log", self.databases(&config.databases)?);
        let mapping = self.mapping(&config.mapping)?;
        self.wired(Wiring::new().bus(Bus::read_only(played), [segment]), &mapping)
    }

    fn wired(&mut self, wiring: Wiring, mapping: &Mapping) -> Result<(), Failure> {
        let (car, driver) = wiring.vehicle(mapping, self.clock.clone()).map_err(failure)?;
        self.remarks.extend(car.remarks().iter().map(ToString::to_string));
        self.add(car, Some(driver));
        Ok(())
    }

    fn databases(&self, paths: &[PathBuf]) -> Result<Databases, Failure> {
        paths.iter().map(|path| database::load(&from(self.folder, path), false)).collect()
    }

    fn mapping(&self, path: &Path) -> Result<Mapping, Failure> {
        Mapping::load(from(self.folder, path)).map_err(failure)
    }

    fn recording(&mut self, config: &config::Recording) -> Result<(), Failure> {
        let path = from(self.folder, &config.file);
        let file = fs::File::open(&path).map_err(|why| failure(format_args!("{}: {why}", path.display())))?;
        let reader = std::io::BufReader::with_capacity(1 << 16, file);
        let pace = Pace::Times(config.speed.times());
        let name = path.display().to_string();
        let (car, driver) = Recorded::open(&name, reader, self.clock.clone(), pace).map_err(failure)?;
        self.add(car, Some(driver));
        Ok(())
    }

    fn simulator(&mut self, config: &config::Simulator) -> Result<(), Failure> {
        let times = config.speed.times();
        let system: Arc<dyn Clock> = self.clock.clone();
        let clock: Arc<dyn Clock> =
            if times.to_bits() == 1.0_f64.to_bits() { system } else { Arc::new(Faster::new(system, times)) };
        let (car, driver) = SimulatedVehicle::new(clock, &scenario(config)).map_err(failure)?;
        self.add(car, Some(driver));
        Ok(())
    }

    fn memory(&mut self, config: &config::Memory) -> Result<(), Failure> {
        let catalogue = match self.trees(&config.trees)? {
            Some(tree) => tree.into_catalogue(Facts::default()),
            None => Catalogue::new(vss::entries(), Facts::default()),
        };
        self.stand_in(catalogue.map_err(failure)?)
    }

    /// A memory of these signals, in which an attribute that has a default says it.
    fn stand_in(&mut self, catalogue: Catalogue) -> Result<(), Failure> {
        let (car, now) = (MemoryVehicle::new(catalogue, self.clock.clone()), self.clock.now());
        let catalogue = car.catalogue();
        let said = catalogue.iter().filter(|(_, entry)| entry.kind() == Kind::Attribute);
        let said =
            said.filter_map(|(id, entry)| Some((id, Datapoint::valid(entry.default_value()?.clone(), now))));
        car.board().publish(&said.collect::<Vec<_>>()).map_err(failure)?;
        self.add(car, None);
        Ok(())
    }

    /// Signals that nobody here has: they can be seen, and nobody moves them.
    fn overlay(&mut self, paths: &[PathBuf]) -> Result<(), Failure> {
        let Some(tree) = self.trees(paths)? else { return Ok(()) };
        let catalogue = tree.into_catalogue(Facts::default()).map_err(failure)?;
        let catalogue = catalogue.with_access(|_, own| Access {
            read: own.read.clone(),
            write: Permission::denied("no vehicle here moves it"),
        });
        self.stand_in(catalogue)
    }

    fn trees(&self, paths: &[PathBuf]) -> Result<Option<Vspec>, Failure> {
        let mut tree: Option<Vspec> = None;
        for path in paths {
            let path = from(self.folder, path);
            let fault = |why: &dyn std::fmt::Display| failure(format_args!("{}: {why}", path.display()));
            let read =
                Vspec::from_json(&fs::read(&path).map_err(|why| fault(&why))?).map_err(|why| fault(&why))?;
            tree = Some(match tree {
                None => read,
                Some(under) => under.overlay(read).map_err(|why| fault(&why))?,
            });
        }
        Ok(tree)
    }
}

/// The scenario of a config.
fn scenario(config: &config::Simulator) -> Scenario {
    let usual = Scenario::seeded(u64::from(config.seed));
    Scenario {
        state_of_charge: config.state_of_charge.unwrap_or(usual.state_of_charge),
        state_of_health: config.state_of_health.unwrap_or(usual.state_of_health),
        odometer: config.odometer.unwrap_or(usual.odometer),
        outside_temperature: config.outside_temperature.unwrap_or(usual.outside_temperature),
        weak_low_voltage_battery: config.weak_low_voltage_battery,
        faults: config.fault.iter().map(incident).collect(),
        ..usual
    }
}

/// A fault of a checked config, which has what its kind needs.
fn incident(config: &config::Fault) -> Incident {
    let path = config.path.as_deref().unwrap_or_default();
    let rate = config.rate.unwrap_or_default();
    let fault = match config.what {
        What::Stuck => Fault::stuck(path),
        What::Lost => Fault::lost(path),
        What::NotAvailable => Fault::not_available(path),
        What::Wrong => Fault::wrong(path),
        What::Blocked => Fault::blocked(path),
        What::SlowLeak => Fault::slow_leak(corner(config.wheel.unwrap_or(Wheel::FrontLeft)), rate),
        What::BatteryAgeing => Fault::BatteryAgeing { percent_per_hour: rate },
        What::WeakLowVoltageBattery => Fault::WeakLowVoltageBattery,
    };
    let after = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Incident { fault, from: after(config.from), until: config.until.map(after) }
}

fn corner(wheel: Wheel) -> Corner {
    match wheel {
        Wheel::FrontLeft => Corner::FrontLeft,
        Wheel::FrontRight => Corner::FrontRight,
        Wheel::RearLeft => Corner::RearLeft,
        Wheel::RearRight => Corner::RearRight,
    }
}
