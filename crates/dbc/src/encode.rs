//! Values become a payload: the inverse of decoding, with every check that decoding does not need.
//!
//! *Invariant:* a payload is written only when every value fits; rounding is half to even; multiplexers follow from what is given.
//! *Next:* `encode/bits.rs` (a value becomes bits), `encode/given.rs` (bits become a payload), `encode/encoder.rs` and `encode/batch.rs` (the same,
//! compiled).

mod batch;
mod bits;
mod encoder;
mod error;
mod given;
mod lanes;
mod multiplex;
mod near;
mod piece;
mod plan;
mod run;
mod short;
mod value;

use alloc::vec;
use alloc::vec::Vec;

use self::given::{Given, GivenList};
use crate::model::message::Message;

pub use self::batch::{BatchEncodeError, BatchEncoder, EncodedFrame};
pub use self::bits::Steps;
pub use self::encoder::Encoder;
pub use self::error::EncodeError;
pub use self::value::{SignalKey, Value};

impl Message {
    /// Encodes values into a new payload.
    ///
    /// Signals that are not given have their start value, where they are present. Where the database states none, or one that the signal's bits
    /// cannot hold, they have the raw value 0, also where their range excludes it: nothing is made up. Multiplexers that are not given are set so
    /// that the given signals are present: to their start value or 0 where that will do, else to the smallest value that does. Bits that no signal
    /// owns are 0; of signals that share bits, the later in the file has them.
    ///
    /// ```
    /// use coachwork_dbc::{CanId, Message, Signal};
    ///
    /// let engine = Message::builder("Engine", CanId::standard(0x100).unwrap(), 2).signal(Signal::new("Speed", 0, 16).with_scaling(0.25, 0.0)).build()?;
    /// assert_eq!(engine.encode(&[("Speed", 2000)]).unwrap(), [0x40, 0x1F]);
    /// assert_eq!(engine.encode(&[("Speed", -1)]).unwrap_err().to_string(), "Speed = -1 is outside 0 to 16383.75");
    /// # Ok::<(), coachwork_dbc::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError`] for an unknown signal or label, a value that does not fit, or values that contradict each other.
    pub fn encode<'v, K, V>(&self, values: &[(K, V)]) -> Result<Vec<u8>, EncodeError>
    where
        K: SignalKey,
        V: Into<Value<'v>> + Copy,
    {
        let mut given = GivenList::new();
        self.give(values, &mut given)?;
        let mut payload = vec![0; self.length()];
        self.write_new(given.as_slice(), &mut payload)?;
        Ok(payload)
    }

    /// Encodes values into a new payload, as [`encode`](Self::encode) does, in a buffer; returns the payload's length. Bytes behind it stay.
    ///
    /// Nothing is allocated for up to 64 values. An [`Encoder`](crate::Encoder) does the same work once for all frames.
    ///
    /// # Errors
    /// [`EncodeError`] as for [`encode`](Self::encode), and where the buffer is shorter than the message. The buffer is then unchanged.
    pub fn encode_into<'v, K, V>(&self, values: &[(K, V)], buffer: &mut [u8]) -> Result<usize, EncodeError>
    where
        K: SignalKey,
        V: Into<Value<'v>> + Copy,
    {
        let mut given = GivenList::new();
        self.give(values, &mut given)?;
        self.write_new(given.as_slice(), buffer)
    }

    /// Encodes values onto an existing payload: the bits of signals that are not given stay, except multiplexers that must change for the given ones.
    ///
    /// The payload may be longer than the message. A given multiplexer may have a value for which nothing is defined, as in a payload that came in.
    /// Nothing is allocated for up to 64 values.
    ///
    /// # Errors
    /// [`EncodeError`] as for [`encode`](Self::encode), and where the payload is shorter than the message. The payload is then unchanged.
    pub fn encode_onto<'v, K, V>(&self, values: &[(K, V)], payload: &mut [u8]) -> Result<(), EncodeError>
    where
        K: SignalKey,
        V: Into<Value<'v>> + Copy,
    {
        self.room(payload)?;
        let mut given = GivenList::new();
        self.give(values, &mut given)?;
        self.write_onto(given.as_slice(), payload)
    }

    /// Positions and bits of what is given, sorted by position.
    fn give<'v, K, V>(&self, values: &[(K, V)], given: &mut GivenList) -> Result<(), EncodeError>
    where
        K: SignalKey,
        V: Into<Value<'v>> + Copy,
    {
        for (key, value) in values {
            let position = self.position(key)?;
            let bits = self.bits(position, (*value).into(), Steps::Round)?;
            given.push(Given::new(position, bits));
        }
        self.sort(given.as_mut_slice())
    }

    /// The position of a signal.
    fn position(&self, key: &impl SignalKey) -> Result<u32, EncodeError> {
        let unknown = || EncodeError::UnknownSignal { message: self.name.clone(), signal: key.describe() };
        key.resolve(self).map(|index| index.0).ok_or_else(unknown)
    }

    /// The bits of a value of the signal at this position.
    #[inline]
    fn bits(&self, position: u32, value: Value<'_>, steps: Steps) -> Result<u64, EncodeError> {
        let known = self.signals.get(position as usize).zip(self.plan.field(position as usize));
        match known.filter(|(signal, _)| signal.length <= 64) {
            Some((signal, field)) => bits::of_value(signal, field, value, steps),
            None => Err(EncodeError::Outside { signal: self.signal_name(position), length: self.length() }),
        }
    }
}
