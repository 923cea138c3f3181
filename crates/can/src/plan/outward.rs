//! A request to move something becomes a frame: the command's signal with the value asked, the rest of its message as last known.
//!
//! What else is in the message is, in this order: what it was in the last frame of the message that was sent or seen; else the present readings
//! of other commands, or their "not available" (no request); else the database's start values.
//! *Invariant:* only messages that the mapping's `vss2dbc` entries name are ever made; a frame that does not encode is an error, not a guess.
//! *Next:* `vehicle.rs` (who sends them), `value.rs` (the transforms).

use super::{Plan, Wire};
use crate::error::encode_error;
use crate::{CanId, Frame};
use coachwork_dbc::{Message, Raw, Signal, SignalIndex, Value as DbcValue, ValueType};
use coachwork_vehicle::{Error, ErrorKind, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The commands of a mapping, and the last payload of each of their messages.
pub(crate) struct Outward {
    plan: Arc<Plan>,
    /// By message that carries commands: the rows of its commands.
    rows: HashMap<usize, Vec<usize>>,
    payloads: Mutex<HashMap<usize, Vec<u8>>>,
}

impl Outward {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        let mut rows: HashMap<usize, Vec<usize>> = HashMap::new();
        for (row, route) in plan.routes.iter().enumerate() {
            if let Some(command) = &route.command {
                rows.entry(command.place.message).or_default().push(row);
            }
        }
        Self { plan: Arc::clone(plan), rows, payloads: Mutex::default() }
    }

    /// Whether any message carries a command.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the path of `row` also has a reading, which can confirm a command.
    pub(crate) fn is_read(&self, row: usize) -> bool {
        self.plan.routes.get(row).is_some_and(|route| route.reading.is_some())
    }

    /// Remembers a frame that somebody else put on the bus.
    pub(crate) fn seen(&self, frame: &Frame) {
        let position = self.plan.databases.find(frame.id());
        if let Some(position) =
            position.filter(|position| frame.is_data() && self.rows.contains_key(position))
        {
            self.lock().insert(position, frame.data().to_vec());
        }
    }

    /// Makes the frame of a command and hands it to `send`; where that succeeds, the frame is what is known of its message.
    pub(crate) fn command(
        &self,
        row: usize,
        value: &Value,
        reading: impl Fn(usize) -> Option<Value>,
        send: impl FnOnce(&Frame) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let missing = || Error::new(ErrorKind::NotActuator, "the mapping has no vss2dbc for it");
        let command =
            self.plan.routes.get(row).and_then(|route| route.command.as_ref()).ok_or_else(missing)?;
        let message = self.plan.databases.message(command.place.message).ok_or_else(missing)?;
        let nothing =
            || Error::new(ErrorKind::OutOfRange, format!("the mapping has nothing to send for {value}"));
        let wire = command.to_wire.convert(value).ok_or_else(nothing)?;
        let mut payloads = self.lock();
        let payload =
            match payloads.get(&command.place.message).filter(|payload| payload.len() >= message.length()) {
                Some(last) => {
                    let mut payload = last.clone();
                    message
                        .encode_onto(&[(command.place.signal, wire.as_value())], &mut payload)
                        .map_err(|e| encode_error(&e))?;
                    payload
                }
                None => self.first_payload(
                    message,
                    command.place.message,
                    (command.place.signal, &wire),
                    row,
                    reading,
                )?,
            };
        send(&payload_frame(message.id(), &payload)?)?;
        payloads.insert(command.place.message, payload);
        Ok(())
    }

    fn first_payload(
        &self,
        message: &Message,
        position: usize,
        asked: (SignalIndex, &Wire),
        row: usize,
        reading: impl Fn(usize) -> Option<Value>,
    ) -> Result<Vec<u8>, Error> {
        let mut wires = vec![(asked.0, asked.1.clone())];
        for other in self.rows.get(&position).into_iter().flatten().filter(|other| **other != row) {
            let Some(command) = self.plan.routes.get(*other).and_then(|route| route.command.as_ref()) else {
                continue;
            };
            let present = reading(*other).and_then(|value| command.to_wire.convert(&value));
            let signal = message.signal(command.place.signal);
            let wire = present.or_else(|| signal.and_then(not_available).map(Wire::Raw));
            wires.extend(
                wire.filter(|_| command.place.signal != asked.0).map(|wire| (command.place.signal, wire)),
            );
        }
        let values: Vec<(SignalIndex, DbcValue<'_>)> =
            wires.iter().map(|(signal, wire)| (*signal, wire.as_value())).collect();
        // Other commands may be multiplexed out, or their readings not fit; then the one that was asked stands alone.
        message
            .encode(&values)
            .or_else(|_| message.encode(&[(asked.0, asked.1.as_value())]))
            .map_err(|e| encode_error(&e))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Vec<u8>>> {
        self.payloads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A payload as a frame, CAN FD where it is longer than a classic frame.
pub(crate) fn payload_frame(id: CanId, payload: &[u8]) -> Result<Frame, Error> {
    let frame =
        if payload.len() > Frame::MAX_CLASSIC { Frame::fd(id, payload) } else { Frame::new(id, payload) };
    frame.map_err(|error| Error::new(ErrorKind::Other, error.to_string()).caused_by(error))
}

/// The raw value by which a signal says that it has none.
pub(crate) fn not_available(signal: &Signal) -> Option<Raw> {
    raw(signal, signal.not_available().last()?.1)
}

/// The raw value by which a signal says that its value is wrong.
pub(crate) fn error_value(signal: &Signal) -> Option<Raw> {
    raw(signal, signal.error_values().last()?.1)
}

fn raw(signal: &Signal, value: i128) -> Option<Raw> {
    match signal.value_type() {
        ValueType::Signed => i64::try_from(value).ok().map(Raw::Signed),
        ValueType::Unsigned => u64::try_from(value).ok().map(Raw::Unsigned),
        ValueType::F32 | ValueType::F64 => None,
    }
}
