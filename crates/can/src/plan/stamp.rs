//! What every frame of a message carries besides its values: a counter, a checksum, or whatever a hook writes.
//!
//! *Invariant:* stamps run in the order in which they were given, on the payload as it will be sent; a counter moves only with what was sent.
//! *Next:* `outward.rs` and `emit.rs`, which stamp what they send.

use super::Names;
use crate::network::Network;
use crate::{CanId, MappingError, MappingFault};
use coachwork_dbc::{EncodeError, Message, Raw, SignalIndex, Value};
use std::collections::HashMap;
use std::fmt;

/// Counters, checksums and hooks of messages that are sent, in the order in which they are written.
///
/// A signal is named `Message.Signal`; where several buses have the message, `bus:Message.Signal`.
///
/// ```
/// use coachwork_can::Stamps;
/// let stamps = Stamps::new()
///     .counter("SeatRequest.Alive")
///     .checksum("SeatRequest.Crc", |id, payload| {
///         payload.iter().fold(id.raw(), |sum, byte| sum.wrapping_add(u32::from(*byte))).into()
///     });
/// assert_eq!(stamps.len(), 2);
/// ```
#[derive(Default)]
pub struct Stamps(Vec<(String, Wish)>);

type Sum = Box<dyn FnMut(CanId, &[u8]) -> u64 + Send>;
type Hook = Box<dyn FnMut(&Message, &mut [u8]) + Send>;

enum Wish {
    Counter(String),
    Checksum(String, Sum),
    Hook(Hook),
}

impl Stamps {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// A signal that is one more in each frame that is sent. It begins with what is known of it (its start value, or what another sender
    /// wrote), ends at the signal's maximum or with its bits, and begins again at its minimum or 0.
    #[must_use]
    pub fn counter(self, signal: &str) -> Self {
        let (message, signal) = parted(signal);
        self.with(message, Wish::Counter(signal))
    }

    /// A signal that is a function of the identifier and the payload. The payload has the signal's own bits at 0, and what earlier stamps wrote;
    /// of the sum, as many bits are sent as the signal has.
    #[must_use]
    pub fn checksum(self, signal: &str, sum: impl FnMut(CanId, &[u8]) -> u64 + Send + 'static) -> Self {
        let (message, signal) = parted(signal);
        self.with(message, Wish::Checksum(signal, Box::new(sum)))
    }

    /// Whatever the function writes into each payload of a message.
    #[must_use]
    pub fn hook(self, message: &str, hook: impl FnMut(&Message, &mut [u8]) + Send + 'static) -> Self {
        self.with(message.to_owned(), Wish::Hook(Box::new(hook)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn with(mut self, message: String, wish: Wish) -> Self {
        self.0.push((message, wish));
        self
    }
}

/// Message and signal of `Message.Signal`.
fn parted(name: &str) -> (String, String) {
    name.rsplit_once('.')
        .map_or_else(|| (String::new(), name.to_owned()), |(m, s)| (m.to_owned(), s.to_owned()))
}

impl fmt::Debug for Stamps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(message, _)| message)).finish()
    }
}

/// The stamps of each message, by its position.
#[derive(Default)]
pub(crate) struct Stamping(HashMap<usize, Vec<Stamp>>);

enum Stamp {
    Counter { signal: SignalIndex, first: u64, last: u64 },
    Checksum(SignalIndex, Sum),
    Hook(Hook),
}

impl Stamping {
    pub(crate) fn compile(stamps: Stamps, network: &Network, file: &str) -> Result<Self, MappingError> {
        let names = Names::new(network);
        let mut compiled = Self::default();
        for (name, wish) in stamps.0 {
            let fault = |fault| MappingError::at(file, &name, Some("stamp"), fault);
            let position = names.message_named(&name).map_err(fault)?;
            let message = network.message(position);
            let index = |signal: &str| {
                message
                    .and_then(|message| {
                        let index = message.signal_index(signal)?;
                        message
                            .signal(index)
                            .filter(|signal| !signal.value_type().is_float() && signal.length() <= 64)?;
                        Some(index)
                    })
                    .ok_or_else(|| fault(MappingFault::UnknownSignal(signal.to_owned())))
            };
            let stamp = match wish {
                Wish::Counter(signal) => {
                    let signal = index(&signal)?;
                    let (first, last) = message.map_or((0, 0), |message| bounds(message, signal));
                    Stamp::Counter { signal, first, last }
                }
                Wish::Checksum(signal, sum) => Stamp::Checksum(index(&signal)?, sum),
                Wish::Hook(hook) => Stamp::Hook(hook),
            };
            compiled.0.entry(position).or_default().push(stamp);
        }
        Ok(compiled)
    }

    /// Writes a message's stamps; `before` is the payload that was sent or seen last.
    pub(crate) fn write(
        &mut self,
        position: usize,
        message: &Message,
        id: CanId,
        before: Option<&[u8]>,
        payload: &mut [u8],
    ) -> Result<(), EncodeError> {
        for stamp in self.0.get_mut(&position).into_iter().flatten() {
            match stamp {
                Stamp::Counter { signal, first, last } => {
                    let known = before.and_then(|before| message.decode_signal(*signal, before));
                    let Some(known) = known.and_then(|known| bits(message, *signal, known.raw())) else {
                        continue;
                    };
                    let next = if known >= *last || known < *first { *first } else { known + 1 };
                    put(message, *signal, next, payload)?;
                }
                Stamp::Checksum(signal, sum) => {
                    put(message, *signal, 0, payload)?;
                    let sum = sum(id, payload) & mask(message, *signal);
                    put(message, *signal, sum, payload)?;
                }
                Stamp::Hook(hook) => hook(message, payload),
            }
        }
        Ok(())
    }
}

/// The smallest and the largest raw value of a counter: its range where that is within its bits.
fn bounds(message: &Message, index: SignalIndex) -> (u64, u64) {
    let all = (0, mask(message, index));
    let Some(signal) = message.signal(index) else { return all };
    let raw = |physical: f64| {
        let raw = (physical - signal.offset()) / signal.factor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within 2^53, as checked"
        )]
        let whole = (0.0..9e15).contains(&raw).then_some(raw as u64);
        whole.filter(|raw| *raw <= all.1)
    };
    let range = signal.range().and_then(|(min, max)| Some((raw(min)?, raw(max)?)));
    range.filter(|(min, max)| min < max).unwrap_or(all)
}

fn mask(message: &Message, index: SignalIndex) -> u64 {
    let length = message.signal(index).map_or(0, coachwork_dbc::Signal::length);
    if length >= 64 { u64::MAX } else { (1 << length) - 1 }
}

/// The bits of a raw integer.
fn bits(message: &Message, index: SignalIndex, raw: Raw) -> Option<u64> {
    let bits = match raw {
        Raw::Unsigned(value) => value,
        Raw::Signed(value) => value.cast_unsigned(),
        Raw::F32(_) | Raw::F64(_) => return None,
    };
    Some(bits & mask(message, index))
}

fn put(message: &Message, index: SignalIndex, bits: u64, payload: &mut [u8]) -> Result<(), EncodeError> {
    let signed = message.signal(index).is_some_and(|s| s.value_type() == coachwork_dbc::ValueType::Signed);
    let length = message.signal(index).map_or(64, coachwork_dbc::Signal::length).clamp(1, 64);
    let raw = if signed {
        // The top bit of the signal is its sign.
        let unused = 64 - length;
        Raw::Signed((bits << unused).cast_signed() >> unused)
    } else {
        Raw::Unsigned(bits)
    };
    message.encode_onto(&[(index, Value::Raw(raw))], payload)
}
