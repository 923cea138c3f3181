//! A request to move something becomes a frame: the command's signal with the value asked, the rest of its message as last known.
//!
//! What else is in the message is, in this order: what it was in the last frame of the message that was sent or seen; else the present readings
//! of other commands, or their "not available" (no request); else the start values that were given; else those of the database.
//! A message that is cyclic is repeated from its first request on, as it was last sent.
//! *Invariant:* only messages that the mapping's `vss2dbc` entries name are ever made; a frame that does not encode is an error, not a guess.
//! *Next:* `vehicle.rs` (who sends them), `value.rs` (the transforms), `stamp.rs` (counters and checksums).

use super::value::raw_constant;
use super::{Cadence, Plan, Special, Stamping, Wire};
use crate::error::encode_error;
use crate::mapping::StartValues;
use crate::network::Network;
use crate::{CanId, Frame, MappingError};
use coachwork_dbc::{Message, Raw, SignalIndex, Value as DbcValue};
use coachwork_vehicle::{Error, ErrorKind, Monotonic, Value};
use event_listener::{Event, EventListener};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A message that is sent: its position and the identifier that it is sent with.
type Key = (usize, CanId);

/// The commands of a mapping, and the last payload of each of their messages.
pub(crate) struct Outward {
    plan: Arc<Plan>,
    /// By message that carries commands: the rows of its commands.
    rows: HashMap<Key, Vec<usize>>,
    book: Mutex<Book>,
    /// A message has begun to be repeated.
    armed: Event,
}

struct Book {
    sent: HashMap<Key, Sent>,
    stamping: Stamping,
}

/// The last of a message.
struct Sent {
    payload: Vec<u8>,
    repeat: Option<Repeat>,
}

#[derive(Clone, Copy)]
struct Repeat {
    segment: usize,
    cycle: Duration,
    due: Monotonic,
}

/// A frame and the segment it goes to.
pub(crate) type Addressed = (usize, Frame);

impl Outward {
    pub(crate) fn new(plan: &Arc<Plan>, stamping: Stamping) -> Self {
        let mut rows: HashMap<Key, Vec<usize>> = HashMap::new();
        for (row, route) in plan.routes.iter().enumerate() {
            if let Some(command) = &route.command {
                rows.entry((command.place.message, command.place.id)).or_default().push(row);
            }
        }
        let book = Mutex::new(Book { sent: HashMap::new(), stamping });
        Self { plan: Arc::clone(plan), rows, book, armed: Event::new() }
    }

    /// Whether any message carries a command.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the path of `row` also has a reading, which can confirm a command.
    pub(crate) fn is_read(&self, row: usize) -> bool {
        self.plan.routes.get(row).is_some_and(|route| route.reading.is_some())
    }

    /// Remembers a frame that somebody else put on a segment.
    pub(crate) fn seen(&self, segment: usize, frame: &Frame) {
        let Some((position, _)) = self.plan.network.find(segment, frame.id()).filter(|_| frame.is_data())
        else {
            return;
        };
        let key = (position, frame.id());
        if !self.rows.contains_key(&key) {
            return;
        }
        let mut book = self.lock();
        match book.sent.get_mut(&key) {
            Some(sent) => {
                sent.payload.clear();
                sent.payload.extend_from_slice(frame.data());
            }
            None => {
                book.sent.insert(key, Sent { payload: frame.data().to_vec(), repeat: None });
            }
        }
    }

    /// Makes the frame of a command and hands it to `send` with its segment; where that succeeds, the frame is what is known of its message,
    /// and is repeated where the message is.
    pub(crate) fn command(
        &self,
        row: usize,
        value: &Value,
        now: Monotonic,
        reading: impl Fn(usize) -> Option<Value>,
        send: impl FnOnce(Addressed) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let missing = || Error::new(ErrorKind::NotActuator, "the mapping has no vss2dbc for it");
        let command =
            self.plan.routes.get(row).and_then(|route| route.command.as_ref()).ok_or_else(missing)?;
        let (place, key) = (command.place, (command.place.message, command.place.id));
        let message = self.plan.network.message(place.message).ok_or_else(missing)?;
        let nothing =
            || Error::new(ErrorKind::OutOfRange, format!("the mapping has nothing to send for {value}"));
        let wire = command.to_wire.convert(value).ok_or_else(nothing)?;
        let mut book = self.lock();
        let Book { sent, stamping } = &mut *book;
        let known = sent.get(&key).filter(|sent| sent.payload.len() >= message.length());
        let mut payload = match known {
            Some(last) => {
                let mut payload = last.payload.clone();
                let asked = [(place.signal, wire.as_value())];
                message.encode_onto(&asked, &mut payload).map_err(|e| encode_error(&e))?;
                payload
            }
            None => self.first_payload(message, key, (place.signal, &wire), row, reading)?,
        };
        let before = known.map(|last| &*last.payload);
        let stamped = stamping.write(place.message, message, place.id, before, &mut payload);
        stamped.map_err(|e| encode_error(&e))?;
        send((place.segment, payload_frame(place.id, &payload)?))?;
        let cycle = match command.cadence {
            Cadence::OnEvent => None,
            Cadence::Cyclic(cycle) => Some(cycle),
            Cadence::CyclicIfActive(cycle) => self.is_active(message, key, &payload).then_some(cycle),
        };
        let repeat =
            cycle.map(|cycle| Repeat { segment: place.segment, cycle, due: now.saturating_add(cycle) });
        sent.insert(key, Sent { payload, repeat });
        drop(book);
        if repeat.is_some() {
            self.armed.notify(usize::MAX);
        }
        Ok(())
    }

    /// A listener for messages that begin to be repeated; to be made before [`next_due`](Self::next_due) is asked.
    pub(crate) fn armed(&self) -> EventListener {
        self.armed.listen()
    }

    /// When the next repetition is due.
    pub(crate) fn next_due(&self) -> Option<Monotonic> {
        self.lock().sent.values().filter_map(|sent| Some(sent.repeat?.due)).min()
    }

    /// Hands every frame whose repetition is due to `send`, which says whether it was sent; a frame that was not is skipped until its next cycle.
    pub(crate) fn repeat(&self, now: Monotonic, mut send: impl FnMut(Addressed) -> bool) {
        let mut book = self.lock();
        let Book { sent, stamping } = &mut *book;
        for ((position, id), sent) in sent.iter_mut() {
            let Some(repeat) = sent.repeat.as_mut().filter(|repeat| repeat.due <= now) else { continue };
            // The cycle does not drift, and what was missed is not made up for.
            let next = repeat.due.saturating_add(repeat.cycle);
            repeat.due = if next > now { next } else { now.saturating_add(repeat.cycle) };
            let Some(message) = self.plan.network.message(*position) else { continue };
            let mut payload = sent.payload.clone();
            // What could be stamped once can be stamped again.
            let stamped = stamping.write(*position, message, *id, Some(&sent.payload), &mut payload);
            let Some(frame) = stamped.ok().and_then(|()| payload_frame(*id, &payload).ok()) else { continue };
            if send((repeat.segment, frame)) {
                sent.payload = payload;
            }
        }
    }

    /// Whether a command of the message asks for something: is not at its start value.
    fn is_active(&self, message: &Message, key: Key, payload: &[u8]) -> bool {
        self.rows.get(&key).into_iter().flatten().any(|row| {
            let route = self.plan.routes.get(*row).and_then(|route| route.command.as_ref());
            let sample = route.and_then(|command| message.decode_signal(command.place.signal, payload));
            sample.is_some_and(|sample| {
                let start = sample.signal().start_value().and_then(Raw::integer).unwrap_or(0);
                sample.raw().integer() != Some(start)
            })
        })
    }

    fn first_payload(
        &self,
        message: &Message,
        key: Key,
        asked: (SignalIndex, &Wire),
        row: usize,
        reading: impl Fn(usize) -> Option<Value>,
    ) -> Result<Vec<u8>, Error> {
        let mut wires = vec![(asked.0, asked.1.clone())];
        for other in self.rows.get(&key).into_iter().flatten().filter(|other| **other != row) {
            let Some(command) = self.plan.routes.get(*other).and_then(|route| route.command.as_ref()) else {
                continue;
            };
            if wires.iter().any(|(known, _)| *known == command.place.signal) {
                continue;
            }
            let present = reading(*other).and_then(|value| command.to_wire.convert(&value));
            let none = || {
                let signal = message.signal(command.place.signal)?;
                Special::of(signal, None).not_available.map(Wire::Raw)
            };
            wires.extend(present.or_else(none).map(|wire| (command.place.signal, wire)));
        }
        let start = self.plan.start.of(key.0);
        let others = start.iter().filter(|(signal, _)| !wires.iter().any(|(known, _)| known == signal));
        let rest: Vec<_> = others.map(|(signal, raw)| (*signal, Wire::Raw(*raw))).collect();
        let encode = |wires: &[(SignalIndex, Wire)]| {
            let values: Vec<(SignalIndex, DbcValue<'_>)> =
                wires.iter().map(|(signal, wire)| (*signal, wire.as_value())).collect();
            message.encode(&values)
        };
        // Others may be multiplexed out, or their readings not fit; then what was asked stands with start values, or alone.
        encode(&[&*wires, &*rest].concat())
            .or_else(|_| encode(&[wires.get(..1).unwrap_or_default(), &*rest].concat()))
            .or_else(|_| encode(wires.get(..1).unwrap_or_default()))
            .map_err(|e| encode_error(&e))
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // A stamp that panics leaves the payloads as they were.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A payload as a frame, CAN FD where it is longer than a classic frame.
pub(crate) fn payload_frame(id: CanId, payload: &[u8]) -> Result<Frame, Error> {
    let frame =
        if payload.len() > Frame::MAX_CLASSIC { Frame::fd(id, payload) } else { Frame::new(id, payload) };
    frame.map_err(|error| Error::new(ErrorKind::Other, error.to_string()).caused_by(error))
}

/// The start values that were given, by message.
#[derive(Debug, Default)]
pub(crate) struct StartPayloads(HashMap<usize, Vec<(SignalIndex, Raw)>>);

impl StartPayloads {
    /// A signal by its name alone is meant wherever it is; one that is nowhere is an error.
    pub(crate) fn compile(values: &StartValues, network: &Network) -> Result<Self, MappingError> {
        let mut compiled: HashMap<usize, Vec<(SignalIndex, Raw)>> = HashMap::new();
        for (name, constant) in &values.values {
            let fault = |fault| MappingError::at(values.name(), name, None, fault);
            let (wanted, signal) = match name.split_once('.') {
                Some((message, signal)) => (Some(message), signal),
                None => (None, name.as_str()),
            };
            let mut found = false;
            for (position, _, message) in network.messages() {
                if wanted.is_some_and(|wanted| wanted != message.name()) {
                    continue;
                }
                let Some((index, signal)) =
                    message.signal_index(signal).and_then(|i| Some((i, message.signal(i)?)))
                else {
                    continue;
                };
                found = true;
                let raw = raw_constant(signal, constant).ok_or_else(|| {
                    fault(crate::MappingFault::Constant {
                        constant: format!("{constant:?}"),
                        what: signal.name().into(),
                    })
                })?;
                compiled.entry(position).or_default().push((index, raw));
            }
            if !found {
                return Err(fault(crate::MappingFault::UnknownSignal(name.clone())));
            }
        }
        Ok(Self(compiled))
    }

    pub(crate) fn of(&self, position: usize) -> &[(SignalIndex, Raw)] {
        self.0.get(&position).map_or(&[], Vec::as_slice)
    }
}
