//! Given signals, as positions and bits, become a payload.
//!
//! *Invariant:* everything is checked before the first bit is written; of signals that share bits, the later in the file has them.
//! *Next:* `multiplex.rs` (what the multiplexers become), `bits.rs` (where the bits came from).

use super::error::EncodeError;
use super::multiplex::Chosen;
use super::piece::write;
use super::short::Short;
use crate::model::message::Message;

/// A signal's position in its message, and its bits, right-aligned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) bits: u64,
    pub(super) position: u32,
    /// Without it a list of zeros would not be plain zeros.
    pub(super) filling: u32,
}

impl Given {
    #[inline]
    pub(super) fn new(position: u32, bits: u64) -> Self {
        Self { bits, position, filling: 0 }
    }
}

/// What is given for one frame.
pub(super) type GivenList = Short<Given, 64>;

impl Message {
    /// Sorts what is given by position; refuses a signal that is there twice.
    pub(super) fn sort(&self, given: &mut [Given]) -> Result<(), EncodeError> {
        if !given.is_sorted_by(|a, b| a.position < b.position) {
            given.sort_unstable_by_key(|given| given.position);
            let mut pairs = given.iter().zip(given.iter().skip(1));
            if let Some((twice, _)) = pairs.find(|(a, b)| a.position == b.position) {
                return Err(EncodeError::Duplicate { signal: self.signal_name(twice.position) });
            }
        }
        Ok(())
    }

    /// Writes what is given, sorted, into the message's bytes, and start values into the rest of them.
    pub(super) fn write_new(&self, given: &[Given], payload: &mut [u8]) -> Result<usize, EncodeError> {
        let payload = self.room(payload)?;
        let mut chosen = Chosen::new();
        self.multiplexers(given, None, &mut chosen)?;
        self.check_inside(given, payload)?;
        payload.fill(0);
        let chosen = chosen.as_slice();
        // Present signals depend on multiplexers, so these are chosen first. A start value outside the message is nobody's wish.
        let start = |position| {
            let bits = self.start_bits(position, self.plan.field(position as usize)?)?;
            self.selected(position, chosen).then(|| Given::new(position, bits))
        };
        let starts = (0..).take(self.signals.len()).filter_map(start);
        self.put(starts.chain(self.present(chosen)).chain(given.iter().copied()), payload);
        Ok(payload.len())
    }

    /// Writes what is given, sorted, onto a payload, and what the multiplexers must be for that.
    pub(super) fn write_onto(&self, given: &[Given], payload: &mut [u8]) -> Result<(), EncodeError> {
        self.room(payload)?;
        let mut chosen = Chosen::new();
        self.multiplexers(given, Some(payload), &mut chosen)?;
        self.check_inside(given, payload)?;
        self.put(self.present(chosen.as_slice()).chain(given.iter().copied()), payload);
        Ok(())
    }

    /// The bytes of the message in a buffer.
    pub(super) fn room<'a>(&self, payload: &'a mut [u8]) -> Result<&'a mut [u8], EncodeError> {
        let length = payload.len();
        payload.get_mut(..self.length()).ok_or_else(|| EncodeError::TooShort {
            message: self.name.clone(),
            length: self.length(),
            payload: length,
        })
    }

    fn check_inside(&self, given: &[Given], payload: &[u8]) -> Result<(), EncodeError> {
        let inside = |given: &&Given| {
            self.plan.field(given.position as usize).is_some_and(|field| field.fits(payload.len()))
        };
        match given.iter().find(|given| !inside(given)) {
            None => Ok(()),
            Some(given) => {
                Err(EncodeError::Outside { signal: self.signal_name(given.position), length: payload.len() })
            }
        }
    }

    /// The multiplexers that are present.
    fn present<'a>(&'a self, chosen: &'a [Given]) -> impl Iterator<Item = Given> + 'a {
        chosen.iter().copied().filter(|given| self.selected(given.position, chosen))
    }

    fn put(&self, all: impl Iterator<Item = Given>, payload: &mut [u8]) {
        let length = payload.len();
        // Short payloads are written in a word, because a signal is.
        let mut word = [0; 8];
        let target = match word.get_mut(..length) {
            Some(room) => {
                room.copy_from_slice(payload);
                &mut word
            }
            None => &mut *payload,
        };
        for Given { position, bits, .. } in all {
            let known = self.signals.get(position as usize).zip(self.plan.field(position as usize));
            if let Some((signal, field)) = known.filter(|(_, field)| field.fits(length))
                && write(signal, target, bits).is_none()
            {
                let _ = field.write(target, bits);
            }
        }
        if let Some(room) = word.get(..length) {
            payload.copy_from_slice(room);
        }
    }
}
