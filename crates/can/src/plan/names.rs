//! The names of a mapping become places in a database.
//!
//! *Invariant:* a name that means no signal, or several, is an error that says so.
//! *Next:* `mod.rs`, which asks once per entry.

use crate::mapping::SignalName;
use crate::{Databases, Frame, MappingFault};
use coachwork_dbc::{Message, Signal, SignalIndex};
use std::collections::HashMap;
use std::time::Duration;

/// Where a signal is: which message, which signal of it, and what the database says of both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) message: usize,
    pub(crate) signal: SignalIndex,
    pub(crate) factor: f64,
    pub(crate) cycle: Option<Duration>,
}

/// Every signal of the databases by its name.
pub(crate) struct Names<'a> {
    databases: &'a Databases,
    signals: HashMap<&'a str, Vec<(usize, SignalIndex)>>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(databases: &'a Databases) -> Self {
        let mut signals: HashMap<&str, Vec<_>> = HashMap::new();
        for (position, message) in databases.messages() {
            for (index, signal) in message.indexed_signals() {
                signals.entry(signal.name()).or_default().push((position, index));
            }
        }
        Self { databases, signals }
    }

    pub(crate) fn find(&self, name: &SignalName) -> Result<(Place, &'a Signal), MappingFault> {
        let places = self.signals.get(name.signal.as_str()).map_or(&[][..], Vec::as_slice);
        let found = match &name.message {
            None => places.to_vec(),
            Some(message) => {
                if !self.databases.messages().any(|(_, known)| known.name() == message) {
                    return Err(MappingFault::UnknownMessage(message.clone()));
                }
                let named =
                    |position: &usize| self.message(*position).is_some_and(|found| found.name() == message);
                places.iter().copied().filter(|(position, _)| named(position)).collect()
            }
        };
        match *found {
            [(message, signal)] => {
                self.place(message, signal).ok_or_else(|| MappingFault::UnknownSignal(name.to_string()))
            }
            [] => Err(MappingFault::UnknownSignal(name.to_string())),
            [..] => {
                let messages: Vec<_> = found
                    .iter()
                    .filter_map(|(position, _)| self.message(*position))
                    .take(8)
                    .map(Message::name)
                    .collect();
                Err(MappingFault::AmbiguousSignal { signal: name.to_string(), messages: messages.join(", ") })
            }
        }
    }

    /// Checks that the message of a place fits a frame.
    pub(crate) fn sendable(&self, place: Place) -> Result<(), MappingFault> {
        match self.message(place.message) {
            Some(message) if message.length() > Frame::MAX_FD => Err(MappingFault::Constant {
                constant: format!("a message of {} bytes", message.length()),
                what: "a frame".into(),
            }),
            _ => Ok(()),
        }
    }

    fn message(&self, position: usize) -> Option<&'a Message> {
        self.databases.message(position)
    }

    fn place(&self, position: usize, index: SignalIndex) -> Option<(Place, &'a Signal)> {
        let message = self.message(position)?;
        let signal = message.signal(index)?;
        let place =
            Place { message: position, signal: index, factor: signal.factor(), cycle: message.cycle_time() };
        Some((place, signal))
    }
}
