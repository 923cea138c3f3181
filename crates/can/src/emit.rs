//! Any vehicle onto a bus: its values encoded into the database's messages, and commands on the bus made requests to it.
//!
//! It is the other end of a `CanVehicle` with the same mapping: what that reads (`dbc2vss`) is sent here, what that sends (`vss2dbc`) is read
//! here, each through the inverse of the entry's transform.
//! *Invariant:* a value that the vehicle does not have goes out as the signal's "not available" or "error", or its message is not sent;
//! never as another value.
//! *Next:* `plan/value.rs` (the inverses), `vehicle.rs` (the other end).

use crate::bus::{Batch, Bus, BusError, FrameSink, FrameSource};
use crate::error::bus_error;
use crate::plan::{Names, Place, ToVehicle, ToWire, Wire, error_value, not_available, payload_frame};
use crate::{Databases, Direction, Frame, Mapping, MappingError, MappingFault};
use coachwork_dbc::{Raw, SignalIndex, Value as DbcValue};
use coachwork_vehicle::{
    Clock, Driver, Error, Event, Get, Monotonic, Outcome, Permission, Receipt, Request, SignalId, Stage,
    State, Subscribe, Value, Vehicle,
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
    databases: Databases,
    messages: Vec<Outgoing>,
    commands: HashMap<usize, Vec<Incoming>>,
    /// What each subscribed signal last said.
    states: HashMap<SignalId, State>,
    missing: Vec<String>,
}

/// Messages to be sent, by place and by what selects their signals.
type Groups = BTreeMap<(usize, Option<(String, Vec<(u64, u64)>)>), Outgoing>;

/// Signals that are always there go out with each group of those that are not.
fn merged(mut groups: Groups) -> Vec<Outgoing> {
    let plain: Vec<usize> =
        groups.keys().filter(|(_, selector)| selector.is_none()).map(|(position, _)| *position).collect();
    for position in plain {
        let is_other = |(other, selector): &&(usize, Option<_>)| *other == position && selector.is_some();
        if !groups.keys().any(|key| is_other(&key)) {
            continue;
        }
        let Some(always) = groups.remove(&(position, None)) else { continue };
        for (_, group) in groups.iter_mut().filter(|(key, _)| is_other(key)) {
            group.signals.extend(always.signals.iter().cloned());
        }
    }
    groups.into_values().collect()
}

/// A message that is sent.
struct Outgoing {
    position: usize,
    signals: Vec<(SignalIndex, SignalId, ToWire)>,
    cycle: Option<Duration>,
    due: Option<Monotonic>,
    changed: bool,
}

/// A command that is read.
struct Incoming {
    id: SignalId,
    signal: SignalIndex,
    to_vehicle: ToVehicle,
    last: Option<Raw>,
    receipt: Option<Receipt>,
}

impl Emit {
    /// Prepares `vehicle` for a bus: every entry of the mapping whose path the vehicle has.
    ///
    /// # Errors
    /// The mapping does not fit the database, or has a transform without an inverse.
    pub fn of(
        vehicle: Arc<dyn Vehicle>,
        databases: impl Into<Databases>,
        mapping: &Mapping,
    ) -> Result<Self, MappingError> {
        let (catalogue, databases) = (vehicle.catalogue(), databases.into());
        let (mut outgoing, mut commands, mut missing) =
            (Groups::new(), HashMap::<usize, Vec<Incoming>>::new(), Vec::new());
        {
            let names = Names::new(&databases);
            for entry in mapping.entries() {
                let at = |name| {
                    move |fault: MappingFault| {
                        MappingError::at(mapping.name(), entry.path(), Some(name), fault)
                    }
                };
                let known = catalogue
                    .id(entry.path())
                    .and_then(|id| Some((id, catalogue.entry(id).ok()?.data_type())));
                let Some((id, data_type)) = known else {
                    missing.push(entry.path().to_owned());
                    continue;
                };
                if let Some(from) = entry.from_bus() {
                    let (place, signal) = names.find(&from.signal).map_err(at("dbc2vss"))?;
                    names.sendable(place).map_err(at("dbc2vss"))?;
                    let to_wire =
                        ToWire::inverse(from.transform.as_ref(), signal, data_type).map_err(at("dbc2vss"))?;
                    // Signals of different multiplexer values need a frame each.
                    let selector = signal.multiplexed().map(|multiplexed| {
                        (multiplexed.multiplexer().to_owned(), multiplexed.values().to_vec())
                    });
                    let message =
                        outgoing.entry((place.message, selector)).or_insert_with(|| Outgoing::new(place));
                    // Where one signal feeds several paths, the first speaks for it.
                    if !message.signals.iter().any(|(known, ..)| *known == place.signal) {
                        message.signals.push((place.signal, id, to_wire));
                    }
                }
                if let Some(to) = entry.to_bus() {
                    let (place, signal) = names.find(&to.signal).map_err(at("vss2dbc"))?;
                    let to_vehicle = ToVehicle::inverse(to.transform.as_ref(), signal, data_type)
                        .map_err(at("vss2dbc"))?;
                    let command =
                        Incoming { id, signal: place.signal, to_vehicle, last: None, receipt: None };
                    commands.entry(place.message).or_default().push(command);
                }
            }
        }
        Ok(Self { vehicle, databases, messages: merged(outgoing), commands, states: HashMap::new(), missing })
    }

    /// The paths of the mapping that the vehicle does not have; their signals carry start values.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Puts the vehicle on `bus`. The driver sends and listens until the bus ends or the vehicle does.
    pub fn onto(self, bus: Bus, clock: Arc<dyn Clock>) -> Driver {
        let (source, sink) = bus.into_parts();
        Driver::new(self.run(source, sink, clock))
    }

    async fn run(
        mut self,
        mut source: Box<dyn FrameSource>,
        sink: Option<Arc<dyn FrameSink>>,
        clock: Arc<dyn Clock>,
    ) -> Result<(), Error> {
        let mut signals: Vec<SignalId> =
            self.messages.iter().flat_map(|message| message.signals.iter().map(|(_, id, _)| *id)).collect();
        signals.sort_unstable();
        signals.dedup();
        let mut watch = self.vehicle.subscribe(Subscribe::to(signals).on_change()).await?;
        let mut batch = Batch::new(64);
        let mut listening = true;
        loop {
            if let Some(sink) = &sink {
                match self.send_due(&**sink, &*clock).await {
                    // Nobody listens any more, so nobody asks any more either.
                    Err(BusError::Closed) => return Ok(()),
                    sent => sent.map_err(|error| bus_error(error, source.name()))?,
                }
            }
            let next_due = self.messages.iter().filter_map(|message| message.due).min();
            let timer = async {
                match next_due {
                    Some(due) => clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let read = async {
                if listening { source.read(&mut batch).await } else { std::future::pending().await }
            };
            let happened = match select(pin!(watch.next()), pin!(select(pin!(read), pin!(timer)))).await {
                Either::Left((event, _)) => Happened::Event(event),
                Either::Right((Either::Left((read, _)), _)) => Happened::Read(read),
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
                Happened::Read(read) => {
                    read.map_err(|error| bus_error(error, source.name()))?;
                    // A bus that is only written ends for reading and goes on.
                    listening = !batch.is_empty();
                    if !listening && sink.is_none() {
                        return Ok(());
                    }
                    for frame in batch.frames() {
                        self.obey(frame).await;
                    }
                    batch.clear();
                }
            }
        }
    }

    fn mark(&mut self, id: SignalId) {
        for message in &mut self.messages {
            message.changed |= message.signals.iter().any(|(_, signal, _)| *signal == id);
        }
    }

    /// Sends what is due: in its cycle, or because it changed.
    async fn send_due(&mut self, sink: &dyn FrameSink, clock: &dyn Clock) -> Result<(), BusError> {
        let now = clock.monotonic();
        for message in &mut self.messages {
            let is_due = match (message.cycle, message.due) {
                (Some(_), Some(due)) => now >= due,
                _ => message.changed,
            };
            if !is_due {
                continue;
            }
            message.changed = false;
            let Some(frame) = message.frame(&self.databases, &self.states) else {
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
            match sink.send(&frame).await {
                // What is true when the bus is back is said then.
                Err(BusError::Down(_)) => message.changed = true,
                sent => sent?,
            }
        }
        Ok(())
    }

    /// Makes requests of the commands in a frame.
    async fn obey(&mut self, frame: &Frame) {
        let position = self.databases.find(frame.id()).filter(|_| frame.is_data());
        let Some(message) = position.and_then(|position| self.databases.message(position)) else {
            return;
        };
        let Some(commands) = position.and_then(|position| self.commands.get_mut(&position)) else { return };
        let mut requests = Vec::new();
        for (place, command) in commands.iter_mut().enumerate() {
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
    Read(Result<(), BusError>),
    Due,
}

async fn present(vehicle: &dyn Vehicle, id: SignalId) -> Option<Value> {
    vehicle.get(Get::of(&[id])).await.ok()?.pop()?.ok()?.value().cloned()
}

impl Outgoing {
    fn new(place: Place) -> Self {
        Self { position: place.message, signals: Vec::new(), cycle: place.cycle, due: None, changed: false }
    }

    /// The message as the states have it, or `None` where a signal has nothing to say and no way to say so.
    fn frame(&self, databases: &Databases, states: &HashMap<SignalId, State>) -> Option<Frame> {
        let message = databases.message(self.position)?;
        let mut wires = Vec::with_capacity(self.signals.len());
        for (index, id, to_wire) in &self.signals {
            let signal = message.signal(*index)?;
            let wire = match states.get(id) {
                Some(State::Valid(value)) => to_wire.convert(value)?,
                Some(State::Error(_)) => Wire::Raw(error_value(signal).or_else(|| not_available(signal))?),
                _ => Wire::Raw(not_available(signal)?),
            };
            wires.push((*index, wire));
        }
        let encode = |wires: &[(SignalIndex, Wire)]| {
            let values: Vec<(SignalIndex, DbcValue<'_>)> =
                wires.iter().map(|(index, wire)| (*index, wire.as_value())).collect();
            message.encode(&values).ok()
        };
        let payload = encode(&wires).or_else(|| {
            // A value that the signal cannot carry goes out as an error, where the signal can say that.
            for (index, wire) in &mut wires {
                if message.encode(&[(*index, wire.as_value())]).is_err() {
                    *wire = Wire::Raw(
                        message
                            .signal(*index)
                            .and_then(|signal| error_value(signal).or_else(|| not_available(signal)))?,
                    );
                }
            }
            encode(&wires)
        })?;
        payload_frame(message.id(), &payload).ok()
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
