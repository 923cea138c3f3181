//! Any vehicle onto a bus: its values encoded into the database's messages, and commands on the bus made requests to it.
//!
//! It is the other end of a `CanVehicle` with the same mapping: what that reads (`dbc2vss`) is sent here, what that sends (`vss2dbc`) is read
//! here, each through the inverse of the entry's transform.
//! *Invariant:* a value that the vehicle does not have goes out as the signal's "not available" or "error", or its message is not sent;
//! never as another value.
//! *Next:* `plan/value.rs` (the inverses), `vehicle.rs` (the other end).

use crate::bus::{Bus, BusError};
use crate::error::bus_error;
use crate::lines::{Lines, Sinks};
use crate::mapping::StartValues;
use crate::network::Network;
use crate::plan::{
    Cadence, Names, Place, Special, Stamping, StartPayloads, ToVehicle, ToWire, Wire, payload_frame,
};
use crate::{CanId, Databases, Direction, Frame, Mapping, MappingError, MappingFault};
use coachwork_dbc::{Raw, SignalIndex, Value as DbcValue};
use coachwork_vehicle::{
    Clock, Driver, Entry, Error, Event, Get, Monotonic, Outcome, Permission, Receipt, Request, SignalId,
    Stage, State, Subscribe, Unit, Value, Vehicle,
};
use futures_util::future::{Either, select};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// A vehicle, ready to be put on a bus.
///
/// A message with a cycle time in the database is sent in that cycle, others when a value changes. A message whose signals the mapping has in
/// part carries the database's start values in the rest.
///
/// A command (a signal of a `vss2dbc`) that arrives becomes a `set` on the vehicle: when it changes, and when it is repeated while the reading is
/// another and no request is open. The bus carries no answer; the reading that follows is the answer.
pub struct Emit {
    vehicle: Arc<dyn Vehicle>,
    network: Network,
    messages: Vec<Outgoing>,
    commands: HashMap<usize, Vec<Incoming>>,
    /// What each subscribed signal last said.
    states: HashMap<SignalId, State>,
    stamping: Stamping,
    missing: Vec<String>,
}

/// Messages to be sent, by place, identifier and what selects their signals.
type Groups = BTreeMap<(usize, CanId, Option<(String, Vec<(u64, u64)>)>), Outgoing>;

/// Signals that are always there go out with each group of those that are not.
fn merged(mut groups: Groups) -> Vec<Outgoing> {
    let plain: Vec<(usize, CanId)> = groups
        .keys()
        .filter(|(.., selector)| selector.is_none())
        .map(|(position, id, _)| (*position, *id))
        .collect();
    for (position, id) in plain {
        let is_other = |key: &(usize, CanId, Option<_>)| (key.0, key.1) == (position, id) && key.2.is_some();
        if !groups.keys().any(is_other) {
            continue;
        }
        let Some(always) = groups.remove(&(position, id, None)) else { continue };
        for (_, group) in groups.iter_mut().filter(|(key, _)| is_other(key)) {
            group.signals.extend(always.signals.iter().cloned());
        }
    }
    groups.into_values().collect()
}

/// A message that is sent.
struct Outgoing {
    segment: usize,
    position: usize,
    id: CanId,
    signals: Vec<Spoken>,
    /// Start values of the rest.
    start: Vec<(SignalIndex, Raw)>,
    cycle: Option<Duration>,
    due: Option<Monotonic>,
    changed: bool,
    /// The payload that was sent last.
    sent: Option<Vec<u8>>,
}

/// A signal that says what a path is.
#[derive(Clone)]
struct Spoken {
    signal: SignalIndex,
    id: SignalId,
    to_wire: ToWire,
    special: Special,
}

/// A command that is read.
struct Incoming {
    id: SignalId,
    signal: SignalIndex,
    source: Option<u8>,
    to_vehicle: ToVehicle,
    last: Option<Raw>,
    receipt: Option<Receipt>,
}

impl Emit {
    /// Prepares `vehicle` for a bus: every entry of the mapping whose path the vehicle has. For several buses, counters and checksums there is
    /// [`Wiring::emit`](crate::Wiring::emit).
    ///
    /// # Errors
    /// The mapping does not fit the database, names a bus, or has a transform without an inverse; a unit of the vehicle does not convert.
    pub fn of(
        vehicle: Arc<dyn Vehicle>,
        databases: impl Into<Databases>,
        mapping: &Mapping,
    ) -> Result<Self, MappingError> {
        let network = Network::from(databases.into());
        Self::on(vehicle, network, mapping, Stamping::default(), &StartValues::default())
    }

    pub(crate) fn on(
        vehicle: Arc<dyn Vehicle>,
        network: Network,
        mapping: &Mapping,
        stamping: Stamping,
        start: &StartValues,
    ) -> Result<Self, MappingError> {
        let catalogue = vehicle.catalogue();
        let start = StartPayloads::compile(start, &network)?;
        let (mut outgoing, mut commands, mut missing) =
            (Groups::new(), HashMap::<usize, Vec<Incoming>>::new(), Vec::new());
        {
            let names = Names::new(&network);
            for entry in mapping.entries() {
                let at = |name| {
                    move |fault: MappingFault| {
                        MappingError::at(mapping.name(), entry.path(), Some(name), fault)
                    }
                };
                let known = catalogue.id(entry.path()).and_then(|id| Some((id, catalogue.entry(id).ok()?)));
                let Some((id, known)) = known else {
                    missing.push(entry.path().to_owned());
                    continue;
                };
                let (data_type, unit) =
                    (known.data_type(), known.unit().map(Unit::key).or(entry.unit.as_deref()));
                if let Some(from) = entry.from_bus() {
                    let at = at("dbc2vss");
                    same_unit(known, entry, from.transform.is_some()).map_err(at)?;
                    let (place, signal) = names.find(&from.signal).map_err(at)?;
                    names.sendable(place).map_err(at)?;
                    let to_wire = ToWire::inverse(from, signal, data_type, unit).map_err(at)?;
                    // Signals of different multiplexer values need a frame each.
                    let selector = signal.multiplexed().map(|multiplexed| {
                        (multiplexed.multiplexer().to_owned(), multiplexed.values().to_vec())
                    });
                    let message = outgoing
                        .entry((place.message, place.id, selector))
                        .or_insert_with(|| Outgoing::new(place, start.of(place.message)));
                    // Where one signal feeds several paths, the first speaks for it.
                    if !message.signals.iter().any(|known| known.signal == place.signal) {
                        let special = Special::of(signal, Some(from));
                        message.signals.push(Spoken { signal: place.signal, id, to_wire, special });
                    }
                }
                if let Some(to) = entry.to_bus() {
                    let at = at("vss2dbc");
                    same_unit(known, entry, to.transform.is_some()).map_err(at)?;
                    let (place, signal) = names.find(&to.signal).map_err(at)?;
                    let to_vehicle = ToVehicle::inverse(to, signal, data_type, unit).map_err(at)?;
                    let command = Incoming {
                        id,
                        signal: place.signal,
                        source: place.source,
                        to_vehicle,
                        last: None,
                        receipt: None,
                    };
                    commands.entry(place.message).or_default().push(command);
                }
            }
        }
        let (messages, states) = (merged(outgoing), HashMap::new());
        Ok(Self { vehicle, network, messages, commands, states, stamping, missing })
    }

    /// The paths of the mapping that the vehicle does not have; their signals carry start values.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Puts the vehicle on `bus`. The driver sends and listens until the bus ends or the vehicle does.
    pub fn onto(self, bus: Bus, clock: Arc<dyn Clock>) -> Driver {
        let (lines, sinks) = Lines::new(vec![(bus, 1)], &self.network);
        self.run(lines, sinks, clock)
    }

    pub(crate) fn run(self, lines: Lines, sinks: Sinks, clock: Arc<dyn Clock>) -> Driver {
        Driver::new(self.drive(lines, sinks, clock))
    }

    async fn drive(mut self, mut lines: Lines, sinks: Sinks, clock: Arc<dyn Clock>) -> Result<(), Error> {
        let mut signals: Vec<SignalId> =
            self.messages.iter().flat_map(|message| message.signals.iter().map(|spoken| spoken.id)).collect();
        signals.sort_unstable();
        signals.dedup();
        let mut watch = self.vehicle.subscribe(Subscribe::to(signals).on_change()).await?;
        loop {
            match self.send_due(&sinks, &*clock).await {
                // Nobody listens any more, so nobody asks any more either.
                Err((_, BusError::Closed)) => return Ok(()),
                sent => sent.map_err(|(segment, error)| {
                    bus_error(error, self.network.names().nth(segment).unwrap_or_default())
                })?,
            }
            let next_due = self.messages.iter().filter_map(|message| message.due).min();
            let timer = async {
                match next_due {
                    Some(due) => clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let read =
                async { if lines.all_ended() { std::future::pending().await } else { lines.read().await } };
            let happened = match select(pin!(watch.next()), pin!(select(pin!(read), pin!(timer)))).await {
                Either::Left((event, _)) => Happened::Event(event),
                Either::Right((Either::Left(((line, read), _)), _)) => Happened::Read(line, read),
                Either::Right((Either::Right(((), _)), _)) => Happened::Due,
            };
            match happened {
                Happened::Event(Some(Event::Changed(points))) => {
                    for (id, point) in points.iter() {
                        self.states.insert(id, point.state.clone());
                        self.mark(id);
                    }
                }
                Happened::Event(Some(Event::Access(changes))) => {
                    for (id, permission) in changes {
                        if let Permission::Denied(reason) = permission {
                            self.states.insert(id, State::NotAvailable(reason));
                            self.mark(id);
                        }
                    }
                }
                Happened::Event(Some(Event::Ended(_)) | None) => return Ok(()),
                Happened::Event(Some(_)) | Happened::Due => {}
                Happened::Read(line, read) => {
                    read.map_err(|error| bus_error(error, lines.name(line)))?;
                    if lines.line(line).is_none_or(|line| line.batch.is_empty()) {
                        // A bus that is only written ends for reading and goes on.
                        lines.end(line);
                        if lines.all_ended()
                            && !(0..self.network.len()).any(|segment| sinks.writable(segment))
                        {
                            return Ok(());
                        }
                    }
                }
            }
            for line in lines.iter_mut() {
                for frame in line.batch.frames() {
                    if let Some(segment) = line.segment(frame) {
                        self.obey(segment, frame).await;
                    }
                }
                line.batch.clear();
            }
        }
    }

    fn mark(&mut self, id: SignalId) {
        for message in &mut self.messages {
            message.changed |= message.signals.iter().any(|spoken| spoken.id == id);
        }
    }

    /// Sends what is due: in its cycle, or because it changed. A message of a bus that is not written is not sent.
    async fn send_due(&mut self, sinks: &Sinks, clock: &dyn Clock) -> Result<(), (usize, BusError)> {
        let now = clock.monotonic();
        for message in &mut self.messages {
            let is_due = match (message.cycle, message.due) {
                (Some(_), Some(due)) => now >= due,
                _ => message.changed,
            };
            if !is_due || !sinks.writable(message.segment) {
                continue;
            }
            message.changed = false;
            let Some((frame, payload)) = message.frame(&self.network, &self.states, &mut self.stamping)
            else {
                // As soon as there is something true to say, it is said.
                message.due = None;
                continue;
            };
            message.due = message.cycle.map(|cycle| match message.due {
                // The cycle does not drift, and what was missed is not made up for.
                Some(due) if due.saturating_add(cycle) > now => due.saturating_add(cycle),
                _ => now.saturating_add(cycle),
            });
            let frame = frame.with_time(clock.now()).with_direction(Some(Direction::Transmitted));
            if let Some((sink, frame)) = sinks.addressed(message.segment, frame) {
                match sink.send(&frame).await {
                    // What is true when the bus is back is said then.
                    Err(BusError::Down(_)) => message.changed = true,
                    Err(error) => return Err((message.segment, error)),
                    Ok(()) => message.sent = Some(payload),
                }
            }
        }
        Ok(())
    }

    /// Makes requests of the commands in a frame.
    async fn obey(&mut self, segment: usize, frame: &Frame) {
        let found = self.network.find(segment, frame.id()).filter(|_| frame.is_data());
        let Some((position, message)) = found else { return };
        let Some(commands) = self.commands.get_mut(&position) else { return };
        let mut requests = Vec::new();
        for (place, command) in commands.iter_mut().enumerate() {
            if command.source.is_some() && command.source != frame.id().source_address() {
                continue;
            }
            let Some(sample) = message.decode_signal(command.signal, frame.data()) else { continue };
            let before = command.last.replace(sample.raw());
            // "Not available" in a command is no request.
            let Some(State::Valid(value)) = command.to_vehicle.convert(&sample) else { continue };
            let is_open = command.receipt.as_ref().is_some_and(|receipt| receipt.stage() == Stage::Accepted);
            let is_new = before != Some(sample.raw());
            if is_new
                || (!is_open
                    && present(&*self.vehicle, command.id).await.is_some_and(|reading| !reading.same(&value)))
            {
                requests.push((place, Request::new(command.id, value)));
            }
        }
        let (places, requests): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        if requests.is_empty() {
            return;
        }
        // What the vehicle refuses does not move, and that is what the bus then says.
        let Ok(receipts) = self.vehicle.set(requests).await else { return };
        for (place, receipt) in places.into_iter().zip(receipts) {
            if let (Some(command), Ok(receipt)) = (commands.get_mut(place), receipt) {
                let settled = matches!(receipt.stage(), Stage::Settled(Outcome::Refused(_)));
                command.receipt = if settled { None } else { Some(receipt) };
            }
        }
    }
}

enum Happened {
    Event(Option<Event>),
    Read(usize, Result<(), BusError>),
    Due,
}

async fn present(vehicle: &dyn Vehicle, id: SignalId) -> Option<Value> {
    vehicle.get(Get::of(&[id])).await.ok()?.pop()?.ok()?.value().cloned()
}

/// A transform is between the signal and the mapping's unit: the vehicle must have that one.
fn same_unit(known: &Entry, entry: &crate::MappingEntry, transformed: bool) -> Result<(), MappingFault> {
    let units = known.unit().map(Unit::key).zip(entry.unit.as_deref());
    match units.filter(|_| transformed) {
        Some((known, said)) if known != said => {
            let (signal, unit, wanted) = (entry.path.clone(), said.to_owned(), known.to_owned());
            Err(MappingFault::UnitMismatch { signal, unit, wanted })
        }
        _ => Ok(()),
    }
}

impl Outgoing {
    fn new(place: Place, start: &[(SignalIndex, Raw)]) -> Self {
        let cycle = match place.cadence {
            Cadence::Cyclic(cycle) => Some(cycle),
            Cadence::OnEvent | Cadence::CyclicIfActive(_) => None,
        };
        Self {
            segment: place.segment,
            position: place.message,
            id: place.id,
            signals: Vec::new(),
            start: start.to_vec(),
            cycle,
            due: None,
            changed: false,
            sent: None,
        }
    }

    /// The message as the states have it, or `None` where a signal has nothing to say and no way to say so.
    fn frame(
        &self,
        network: &Network,
        states: &HashMap<SignalId, State>,
        stamping: &mut Stamping,
    ) -> Option<(Frame, Vec<u8>)> {
        let message = network.message(self.position)?;
        let mut wires = Vec::with_capacity(self.signals.len() + self.start.len());
        for Spoken { signal, id, to_wire, special } in &self.signals {
            let wire = match states.get(id) {
                Some(State::Valid(value)) => to_wire.convert(value)?,
                Some(State::Error(_)) => Wire::Raw(special.error.or(special.not_available)?),
                _ => Wire::Raw(special.not_available?),
            };
            wires.push((*signal, wire));
        }
        let rest =
            self.start.iter().filter(|(signal, _)| !self.signals.iter().any(|own| own.signal == *signal));
        let rest: Vec<_> = rest.map(|(signal, raw)| (*signal, Wire::Raw(*raw))).collect();
        let encode = |wires: &[(SignalIndex, Wire)]| {
            let all = [wires, &*rest].concat();
            let values: Vec<(SignalIndex, DbcValue<'_>)> =
                all.iter().map(|(index, wire)| (*index, wire.as_value())).collect();
            message.encode(&values).ok()
        };
        let mut payload = encode(&wires).or_else(|| {
            // A value that the signal cannot carry goes out as an error, where the signal can say that.
            for ((index, wire), spoken) in wires.iter_mut().zip(&self.signals) {
                if message.encode(&[(*index, wire.as_value())]).is_err() {
                    *wire = Wire::Raw(spoken.special.error.or(spoken.special.not_available)?);
                }
            }
            encode(&wires)
        })?;
        stamping.write(self.position, message, self.id, self.sent.as_deref(), &mut payload).ok()?;
        Some((payload_frame(self.id, &payload).ok()?, payload))
    }
}

impl fmt::Debug for Emit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Emit({}, {} messages, {} commands)",
            self.vehicle,
            self.messages.len(),
            self.commands.values().map(Vec::len).sum::<usize>()
        )
    }
}
