//! A message and a list of its signals become an encoder: names are resolved once, frames are arrays of values.
//!
//! *Invariant:* an encoder gives the payloads and the errors that [`Message::encode_into`] and [`Message::encode_onto`] give, and allocates
//! nothing for up to 64 signals.
//! *Next:* `plan.rs` (what is compiled), `run.rs` (what runs), `batch.rs` (many encoders, many frames).

use alloc::vec::Vec;

use super::bits::{OFF_GRID, Steps};
use super::error::EncodeError;
use super::given::{Given, GivenList};
use super::piece::WORDS;
use super::plan::{Kind, Plan, word};
use super::run::{Long, short};
use super::value::{SignalKey, Value};
use crate::model::message::{Message, SignalIndex};

/// A message and which of its signals are given, in which order.
#[derive(Clone, Debug)]
pub(super) struct List<'m> {
    pub(super) message: &'m Message,
    positions: Vec<u32>,
    pub(super) steps: Steps,
}

impl List<'_> {
    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }

    /// One frame, the long way.
    pub(super) fn write_new<'v, V>(&self, values: &[V], buffer: &mut [u8]) -> Result<usize, EncodeError>
    where
        V: Into<Value<'v>> + Copy,
    {
        let mut given = GivenList::new();
        self.give(values, &mut given)?;
        self.message.write_new(given.as_slice(), buffer)
    }

    /// One frame, the long way, onto a payload.
    fn write_onto<'v, V>(&self, values: &[V], payload: &mut [u8]) -> Result<(), EncodeError>
    where
        V: Into<Value<'v>> + Copy,
    {
        let mut given = GivenList::new();
        self.give(values, &mut given)?;
        self.message.write_onto(given.as_slice(), payload)
    }

    fn give<'v, V>(&self, values: &[V], given: &mut GivenList) -> Result<(), EncodeError>
    where
        V: Into<Value<'v>> + Copy,
    {
        for (position, value) in self.positions.iter().zip(values) {
            let bits = self.message.bits(*position, (*value).into(), self.steps)?;
            given.push(Given::new(*position, bits));
        }
        self.message.sort(given.as_mut_slice())
    }

    /// How far from a step a value may lie to be accepted, in steps.
    pub(super) fn tolerance(&self) -> f64 {
        match self.steps {
            Steps::Round => 1.0,
            Steps::Refuse => OFF_GRID,
        }
    }
}

/// A message and a list of its signals, compiled: arrays of values become payloads.
///
/// ```
/// use coachwork_dbc::{CanId, Message, Signal, Value};
///
/// let engine = Message::builder("Engine", CanId::standard(0x100).unwrap(), 3)
///     .signal(Signal::new("Speed", 0, 16).with_scaling(0.25, 0.0))
///     .signal(Signal::new("Gear", 16, 4))
///     .build()?;
/// let encoder = engine.encoder(&["Gear", "Speed"]).unwrap();
/// let mut payload = [0; 3];
/// encoder.encode(&[1.0, 2000.0], &mut payload).unwrap();
/// assert_eq!(payload, [0x40, 0x1F, 0x01]);
///
/// // Between two steps a value is rounded, or refused where that is asked for.
/// encoder.encode(&[1.0, 0.3], &mut payload).unwrap();
/// assert_eq!(payload, [0x01, 0x00, 0x01]);
/// let exact = encoder.exact();
/// let error = exact.encode(&[1.0, 0.3], &mut payload).unwrap_err();
/// assert_eq!(error.to_string(), "Speed = 0.3 is between the steps 0.25 and 0.5");
/// # Ok::<(), coachwork_dbc::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder<'m> {
    pub(super) list: List<'m>,
    pub(super) plan: Plan,
    #[cfg(feature = "std")]
    level: fearless_simd::Level,
}

impl Message {
    /// Compiles an encoder for these signals, named or by handle; values are then given in this order.
    ///
    /// # Errors
    /// [`EncodeError`] for an unknown signal, one that is there twice, and signals that exclude each other.
    pub fn encoder<K: SignalKey>(&self, signals: &[K]) -> Result<Encoder<'_>, EncodeError> {
        let positions: Result<Vec<u32>, EncodeError> = signals.iter().map(|key| self.position(key)).collect();
        let positions = positions?;
        let plan = Plan::compile(self, &positions)?;
        Ok(Encoder {
            list: List { message: self, positions, steps: Steps::Round },
            plan,
            #[cfg(feature = "std")]
            level: fearless_simd::Level::new(),
        })
    }

    /// Compiles an encoder for all signals, in the order of the file.
    ///
    /// # Errors
    /// [`EncodeError::Contradiction`] where multiplexed signals exclude each other: these need an encoder for each value of the multiplexer.
    pub fn encoder_of_all(&self) -> Result<Encoder<'_>, EncodeError> {
        let all: Vec<SignalIndex> = self.indexed_signals().map(|(index, _)| index).collect();
        self.encoder(&all)
    }
}

impl<'m> Encoder<'m> {
    /// The same encoder, which refuses values between two steps: [`Steps::Refuse`].
    #[must_use]
    pub fn exact(self) -> Self {
        self.with_steps(Steps::Refuse)
    }

    /// Sets what becomes of values between two steps. Float signals have no steps.
    #[must_use]
    pub fn with_steps(mut self, steps: Steps) -> Self {
        self.list.steps = steps;
        self
    }

    /// The message.
    pub fn message(&self) -> &'m Message {
        self.list.message
    }

    /// The signals, in the order in which their values are given.
    pub fn signals(&self) -> impl ExactSizeIterator<Item = SignalIndex> {
        self.list.positions.iter().map(|position| SignalIndex(*position))
    }

    /// Encodes physical values into a new payload, in a buffer, as [`Message::encode`] does; returns the payload's length. Bytes behind it stay.
    ///
    /// # Errors
    /// [`EncodeError`] as for [`Message::encode_into`], [`EncodeError::OffGrid`] where the encoder refuses that, and [`EncodeError::Count`]. The
    /// buffer is then unchanged.
    pub fn encode(&self, values: &[f64], buffer: &mut [u8]) -> Result<usize, EncodeError> {
        self.count(values.len())?;
        let payload = self.list.message.room(buffer)?;
        if let Some(words) = self.words(values) {
            for ((bytes, word), base) in payload.chunks_mut(8).zip(words).zip(self.plan.base) {
                store(bytes, word | base);
            }
            return Ok(payload.len());
        }
        self.list.write_new(values, payload)
    }

    /// Encodes physical values onto an existing payload, as [`Message::encode_onto`] does.
    ///
    /// # Errors
    /// [`EncodeError`] as for [`encode`](Self::encode). The payload is then unchanged.
    pub fn encode_onto(&self, values: &[f64], payload: &mut [u8]) -> Result<(), EncodeError> {
        self.count(values.len())?;
        let room = self.list.message.room(payload)?;
        if self.plan.onto
            && let Some(words) = self.words(values)
        {
            for ((bytes, bits), own) in room.chunks_mut(8).zip(words).zip(self.plan.own) {
                let kept = word(bytes) & !own;
                store(bytes, kept | bits);
            }
            return Ok(());
        }
        self.list.write_onto(values, payload)
    }

    /// Encodes physical, raw or label values into a new payload, as [`encode`](Self::encode) does, one by one.
    ///
    /// # Errors
    /// [`EncodeError`] as for [`encode`](Self::encode). The buffer is then unchanged.
    pub fn encode_values<'v, V>(&self, values: &[V], buffer: &mut [u8]) -> Result<usize, EncodeError>
    where
        V: Into<Value<'v>> + Copy,
    {
        self.count(values.len())?;
        self.list.write_new(values, buffer)
    }

    /// Encodes physical, raw or label values onto an existing payload, as [`encode_onto`](Self::encode_onto) does, one by one.
    ///
    /// # Errors
    /// [`EncodeError`] as for [`encode`](Self::encode). The payload is then unchanged.
    pub fn encode_values_onto<'v, V>(&self, values: &[V], payload: &mut [u8]) -> Result<(), EncodeError>
    where
        V: Into<Value<'v>> + Copy,
    {
        self.count(values.len())?;
        self.list.message.room(payload)?;
        self.list.write_onto(values, payload)
    }

    fn count(&self, values: usize) -> Result<(), EncodeError> {
        if values == self.list.len() {
            return Ok(());
        }
        Err(self.miscount(values))
    }

    /// So many values are not what this encoder takes.
    #[cold]
    pub(super) fn miscount(&self, values: usize) -> EncodeError {
        let message = self.list.message.name.clone();
        EncodeError::Count { message, signals: self.list.len(), values }
    }

    /// The bits of the values in their places; `None` where these go the long way.
    #[inline]
    fn words(&self, values: &[f64]) -> Option<[u64; WORDS]> {
        if self.plan.kind == Kind::Careful {
            return None;
        }
        #[cfg(feature = "std")]
        return fearless_simd::dispatch!(self.level, simd => self.run(simd, values));
        #[cfg(not(feature = "std"))]
        self.run((), values)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn run<S>(&self, _simd: S, values: &[f64]) -> Option<[u64; WORDS]> {
        match self.list.steps {
            Steps::Round => self.run_steps::<false>(values),
            Steps::Refuse => self.run_steps::<true>(values),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn run_steps<const EXACT: bool>(&self, values: &[f64]) -> Option<[u64; WORDS]> {
        let Plan { steps, targets, singles, .. } = &self.plan;
        let List { message, steps: rounding, .. } = self.list;
        let tolerance = self.list.tolerance();
        let mut words = [0; WORDS];
        if self.plan.kind == Kind::Short {
            let (all, accepted) = short::<EXACT, 0>(steps, values, tolerance);
            if let Some(word) = words.first_mut() {
                *word = if self.plan.big { all.swap_bytes() } else { all };
            }
            return accepted.then_some(words);
        }
        let long = Long { steps, targets, singles, message, rounding };
        long.run::<EXACT>(values, tolerance, &mut words).then_some(words)
    }
}

/// Stores the first bytes of a word.
#[inline]
fn store(bytes: &mut [u8], word: u64) {
    let all = word.to_le_bytes();
    if let Some(eight) = bytes.first_chunk_mut() {
        *eight = all;
        return;
    }
    for (to, from) in bytes.iter_mut().zip(all) {
        *to = from;
    }
}
