//! The names of a mapping become places in the databases of a vehicle's buses.
//!
//! *Invariant:* a name that means no signal, or several, is an error that says so.
//! *Next:* `mod.rs`, which asks once per entry; `cadence.rs` (how often a message comes).

use super::Cadence;
use crate::mapping::SignalName;
use crate::network::Network;
use crate::{CanId, Frame, MappingFault};
use coachwork_dbc::{Message, Signal, SignalIndex};
use std::collections::HashMap;

/// Where a signal is: on which bus, in which message, which signal of it, and what the database says of both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) segment: usize,
    pub(crate) message: usize,
    pub(crate) signal: SignalIndex,
    pub(crate) factor: f64,
    pub(crate) cadence: Cadence,
    /// The identifier that a frame of the message is sent with.
    pub(crate) id: CanId,
    /// Frames are matched by this parameter group alone.
    pub(crate) group: Option<u32>,
    /// Only frames of this J1939 source address.
    pub(crate) source: Option<u8>,
}

/// Every signal of the databases by its name.
pub(crate) struct Names<'a> {
    network: &'a Network,
    signals: HashMap<&'a str, Vec<Spot>>,
}

/// A place and what the database says of the signal there.
type Found<'a> = (Place, &'a Signal);

/// Segment, message and signal.
type Spot = (usize, usize, SignalIndex);

impl<'a> Names<'a> {
    pub(crate) fn new(network: &'a Network) -> Self {
        let mut signals: HashMap<&str, Vec<_>> = HashMap::new();
        for (position, segment, message) in network.messages() {
            for (index, signal) in message.indexed_signals() {
                signals.entry(signal.name()).or_default().push((segment, position, index));
            }
        }
        Self { network, signals }
    }

    /// The one signal that a name means.
    pub(crate) fn find(&self, name: &SignalName) -> Result<(Place, &'a Signal), MappingFault> {
        match *self.spots(name)? {
            [spot] => self.place(spot, name),
            ref several => Err(self.ambiguous(name, several)),
        }
    }

    /// Every signal of one bus that a name means, and what is to be said where there are several: the format reads them all.
    pub(crate) fn find_all(
        &self,
        name: &SignalName,
    ) -> Result<(Vec<Found<'a>>, Option<MappingFault>), MappingFault> {
        let spots = self.spots(name)?;
        let fault = (spots.len() > 1).then(|| self.ambiguous(name, &spots));
        // On several buses, even of one message, nobody can have meant all.
        let is_apart = |(a, b): (&Spot, &Spot)| a.0 != b.0;
        if let Some(fault) = &fault
            && spots.iter().zip(spots.iter().skip(1)).any(is_apart)
        {
            return Err(fault.clone());
        }
        let places = spots.iter().map(|spot| self.place(*spot, name)).collect::<Result<_, _>>()?;
        Ok((places, fault))
    }

    fn ambiguous(&self, name: &SignalName, spots: &[Spot]) -> MappingFault {
        MappingFault::AmbiguousSignal { signal: name.to_string(), messages: self.listed(spots) }
    }

    /// Where a name is; at least one place.
    fn spots(&self, name: &SignalName) -> Result<Vec<Spot>, MappingFault> {
        let bus = name.bus.as_deref().map(|bus| self.bus(bus)).transpose()?;
        let on_bus = |segment: usize| bus.is_none_or(|bus| bus == segment);
        let is_meant = |message: &Message| {
            name.message.as_ref().is_none_or(|wanted| message.name() == wanted)
                && name.pgn.is_none_or(|group| message.id().pgn() == Some(group))
        };
        let known = || self.network.messages().filter(|(_, segment, _)| on_bus(*segment));
        if let Some(wanted) = &name.message
            && !known().any(|(.., message)| message.name() == wanted)
        {
            return Err(MappingFault::UnknownMessage(wanted.clone()));
        }
        if let Some(group) = name.pgn
            && !known().any(|(.., message)| is_meant(message))
        {
            return Err(MappingFault::UnknownGroup(group));
        }
        let spots = self.signals.get(name.signal.as_str()).map_or(&[][..], Vec::as_slice);
        let meant =
            |(segment, message, _): &&Spot| on_bus(*segment) && self.message(*message).is_some_and(is_meant);
        let mut found: Vec<Spot> = spots.iter().filter(meant).copied().collect();
        // Where one of several messages of a group is that of the sender, it is the one that is meant.
        let of_source = |(_, message, _): &Spot| {
            self.message(*message).is_some_and(|message| message.id().source_address() == name.source)
        };
        if name.source.is_some() && found.len() > 1 && found.iter().any(of_source) {
            found.retain(of_source);
        }
        if found.is_empty() { Err(MappingFault::UnknownSignal(name.to_string())) } else { Ok(found) }
    }

    /// The position of the one message that is meant by `Message` or `bus:Message`.
    pub(crate) fn message_named(&self, name: &str) -> Result<usize, MappingFault> {
        let (bus, message) = match name.split_once(':') {
            Some((bus, message)) => (Some(self.bus(bus)?), message),
            None => (None, name),
        };
        let mut found = self
            .network
            .messages()
            .filter(|(_, segment, known)| known.name() == message && bus.is_none_or(|bus| bus == *segment));
        match (found.next(), found.next()) {
            (Some((position, ..)), None) => Ok(position),
            (None, _) => Err(MappingFault::UnknownMessage(name.to_owned())),
            (Some(_), Some(_)) => Err(MappingFault::Entry(format!(
                "the message {name:?} is on several buses; write `bus:Message`"
            ))),
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

    fn bus(&self, name: &str) -> Result<usize, MappingFault> {
        self.network.segment_named(name).ok_or_else(|| MappingFault::UnknownBus {
            bus: name.to_owned(),
            known: self.network.names().take(8).collect::<Vec<_>>().join(", "),
        })
    }

    fn message(&self, position: usize) -> Option<&'a Message> {
        self.network.message(position)
    }

    /// The first few places, for people.
    fn listed(&self, spots: &[Spot]) -> String {
        let several = self.network.len() > 1;
        let named = |(segment, message, _): &Spot| {
            let message = self.message(*message)?.name();
            let bus = self.network.names().nth(*segment).filter(|_| several);
            Some(bus.map_or_else(|| message.to_owned(), |bus| format!("{bus}:{message}")))
        };
        spots.iter().take(8).filter_map(named).collect::<Vec<_>>().join(", ")
    }

    fn place(&self, spot: Spot, name: &SignalName) -> Result<(Place, &'a Signal), MappingFault> {
        let (segment, position, index) = spot;
        let unknown = || MappingFault::UnknownSignal(name.to_string());
        let message = self.message(position).ok_or_else(unknown)?;
        let signal = message.signal(index).ok_or_else(unknown)?;
        let no_source = || MappingFault::NoSource(message.name().to_owned());
        let id = match name.source {
            None => message.id(),
            Some(_) if message.id().source_address().is_none() => return Err(no_source()),
            Some(source) => {
                CanId::extended(message.id().raw() & !0xFF | u32::from(source)).ok_or_else(no_source)?
            }
        };
        let database = self.network.database(position).ok_or_else(unknown)?;
        let place = Place {
            segment,
            message: position,
            signal: index,
            factor: signal.factor(),
            cadence: Cadence::of(database, message),
            id,
            group: name.pgn,
            source: name.source,
        };
        Ok((place, signal))
    }
}
