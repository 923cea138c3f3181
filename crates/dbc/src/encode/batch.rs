//! Many frames of physical values become payloads, with the widest instructions that the processor has.
//!
//! *Invariant:* every payload and every error is what [`Encoder::encode`] gives for that frame; nothing is allocated per frame.
//! *Next:* `run.rs` (what runs), `plan.rs` (what is compiled).

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::bits::Steps;
use super::encoder::{Encoder, List};
use super::error::EncodeError;
use super::piece::WORDS;
use super::plan::{Kind, Plan, Step, Target};
use super::run::{Long, short};
use crate::model::message::Message;

/// A frame that was encoded.
#[derive(Clone, Copy, Debug)]
pub struct EncodedFrame<'a> {
    frame: usize,
    entry: &'a Entry<'a>,
    payload: &'a [u8],
}

impl<'a> EncodedFrame<'a> {
    /// The place of the frame in the batch.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// The message.
    pub fn message(&self) -> &'a Message {
        self.entry.encoder.list.message
    }

    /// The payload, as long as the message.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Why a batch ended before its end. The frames before were handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchEncodeError {
    /// The place of the refused frame in the batch.
    pub frame: usize,
    /// The place of its first value.
    pub value: usize,
    /// Why it was refused.
    pub cause: Box<EncodeError>,
}

impl fmt::Display for BatchEncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {}: {}", self.frame, self.cause)
    }
}

impl core::error::Error for BatchEncodeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

/// An encoder, and in front what the loop over frames needs of it most.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Entry<'m> {
    steps: Box<[Step]>,
    targets: Box<[Target]>,
    /// What is the same in every frame, of a short plan.
    base: u64,
    signals: u32,
    /// Of the payload, in bytes; of one longer than a frame, nothing.
    length: u8,
    kind: Kind,
    /// The word of a short plan is meant with its first byte on top.
    big: bool,
    tolerance: f64,
    encoder: Box<Encoder<'m>>,
}

/// Encoders, compiled together for many frames at once.
///
/// Each frame names its encoder by number, and the values of all frames follow one another. One encoder serves each set of signals that is sent
/// together: of a multiplexed message, one for each value of its multiplexer.
///
/// Floats, signals longer than 51 bits or across a border of eight bytes, and values outside the range that have a label go one by one; messages longer than 64 bytes,
/// and lists with a multiplexer that may have several values, take the long way as a whole; everything else goes in lanes of eight.
///
/// ```
/// use coachwork_dbc::{BatchEncoder, Database};
///
/// let database = Database::parse("BO_ 256 Engine: 2 X\n SG_ Speed : 0|16@1+ (0.25,0) [0|0] \"rpm\" X\nBO_ 257 Gear: 1 X\n SG_ Gear : 0|4@1+ (1,0) [0|6] \"\" X\n SG_ Sport : 4|1@1+ (1,0) [0|1] \"\" X\n")?;
/// let encoders = database.messages().iter().map(|message| message.encoder_of_all().unwrap());
/// let batch = BatchEncoder::new(encoders);
///
/// let mut payloads = Vec::new();
/// let used = batch.encode(&[0, 1, 0], &[2000.0, 3.0, 1.0, 2048.0], |frame| payloads.push(frame.payload().to_vec())).unwrap();
/// assert_eq!((payloads, used), (vec![vec![0x40, 0x1F], vec![0x13], vec![0x00, 0x20]], 4));
///
/// let error = batch.encode(&[1, 1], &[3.0, 1.0, 7.0, 0.0], |_| ()).unwrap_err();
/// assert_eq!((error.frame, error.value, error.to_string().as_str()), (1, 2, "frame 1: Gear = 7 is outside 0 to 6"));
/// # Ok::<(), coachwork_dbc::LoadError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BatchEncoder<'m> {
    entries: Vec<Entry<'m>>,
    /// How many steps every short plan has at least.
    floor: usize,
    /// Whether some encoder refuses values between two steps.
    refuses: bool,
    longest: usize,
}

impl<'m> BatchEncoder<'m> {
    /// Compiles encoders together; frames name them by their place in this list.
    pub fn new(encoders: impl IntoIterator<Item = Encoder<'m>>) -> Self {
        let mut encoders: Vec<Encoder<'m>> = encoders.into_iter().collect();
        let short = |encoder: &&mut Encoder<'m>| encoder.plan.kind == Kind::Short;
        let wide =
            encoders.iter_mut().filter(|encoder| short(encoder) && encoder.plan.steps.len() > 1).count();
        // Dense messages do two steps at once, so that the number of steps seldom varies.
        let floor = if wide * 10 > encoders.len() { 2 } else { 1 };
        for encoder in encoders.iter_mut().filter(short) {
            let steps = encoder.plan.steps.len().max(floor);
            encoder.plan.steps.resize(steps, Step::default());
        }
        let entries: Vec<Entry<'m>> = encoders.into_iter().map(Entry::new).collect();
        Self {
            floor,
            refuses: entries.iter().any(|entry| entry.encoder.list.steps == Steps::Refuse),
            longest: entries.iter().map(|entry| entry.encoder.list.message.length()).max().unwrap_or(0),
            entries,
        }
    }

    /// The number of encoders.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no encoder.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Encodes frames one after the other: for each the number of its encoder, and its physical values, which follow those of the frame before.
    /// Hands out each payload, and returns the number of values that were used.
    ///
    /// # Errors
    /// [`BatchEncodeError`] for the first frame that is refused; the frames before it were handed out.
    pub fn encode(
        &self,
        frames: &[u32],
        values: &[f64],
        sink: impl FnMut(EncodedFrame<'_>),
    ) -> Result<usize, BatchEncodeError> {
        #[cfg(feature = "std")]
        return fearless_simd::dispatch!(fearless_simd::Level::new(), simd => self.run(simd, frames, values, sink));
        #[cfg(not(feature = "std"))]
        self.run((), frames, values, sink)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn run<S>(
        &self,
        _simd: S,
        frames: &[u32],
        values: &[f64],
        sink: impl FnMut(EncodedFrame<'_>),
    ) -> Result<usize, BatchEncodeError> {
        match (self.refuses, self.floor) {
            (false, 1) => self.frames::<false, 1>(frames, values, sink),
            (false, _) => self.frames::<false, 2>(frames, values, sink),
            (true, 1) => self.frames::<true, 1>(frames, values, sink),
            (true, _) => self.frames::<true, 2>(frames, values, sink),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn frames<const EXACT: bool, const FLOOR: usize>(
        &self,
        frames: &[u32],
        values: &[f64],
        mut sink: impl FnMut(EncodedFrame<'_>),
    ) -> Result<usize, BatchEncodeError> {
        let mut bytes = [0; 8 * WORDS];
        // Only messages longer than a frame need more.
        let mut beyond = if self.longest > bytes.len() { vec![0; self.longest] } else { Vec::new() };
        let mut rest = values;
        for (frame, number) in frames.iter().enumerate() {
            let Some(entry) = self.entries.get(*number as usize) else {
                return Err(refuse(
                    frame,
                    values.len() - rest.len(),
                    EncodeError::UnknownEncoder { number: *number },
                ));
            };
            // Lanes read beyond a frame's values, and give nothing for that.
            let Some((_, next)) = rest.split_at_checked(entry.signals as usize) else {
                return Err(refuse(frame, values.len() - rest.len(), entry.encoder.miscount(rest.len())));
            };
            let accepted = match entry.kind {
                Kind::Short => {
                    let (all, accepted) = short::<EXACT, FLOOR>(&entry.steps, rest, entry.tolerance);
                    let all = if entry.big { all.swap_bytes() } else { all };
                    let [first, ..] = bytes.as_chunks_mut::<8>().0 else { continue };
                    *first = (all | entry.base).to_le_bytes();
                    accepted
                }
                Kind::Long => entry.long::<EXACT>(rest, &mut bytes),
                Kind::Careful => false,
            };
            let payload = if accepted {
                bytes.get(..usize::from(entry.length)).unwrap_or_default()
            } else {
                let long = usize::from(entry.length) == 0;
                let buffer = if long { &mut beyond[..] } else { &mut bytes[..] };
                match entry.careful(rest, buffer) {
                    Ok(payload) => payload,
                    Err(cause) => return Err(refuse(frame, values.len() - rest.len(), cause)),
                }
            };
            sink(EncodedFrame { frame, entry, payload });
            rest = next;
        }
        Ok(values.len() - rest.len())
    }
}

/// A frame that is refused.
#[cold]
fn refuse(frame: usize, value: usize, cause: EncodeError) -> BatchEncodeError {
    BatchEncodeError { frame, value, cause: Box::new(cause) }
}

impl<'m> Entry<'m> {
    fn new(mut encoder: Encoder<'m>) -> Self {
        let length = encoder.list.message.length();
        Self {
            steps: core::mem::take(&mut encoder.plan.steps).into(),
            targets: core::mem::take(&mut encoder.plan.targets).into(),
            base: encoder.plan.base[0],
            // More signals than that do not fit any list of values.
            signals: u32::try_from(encoder.list.len()).unwrap_or(u32::MAX),
            length: u8::try_from(length).ok().filter(|_| length <= 8 * WORDS).unwrap_or(0),
            kind: encoder.plan.kind,
            big: encoder.plan.big,
            tolerance: encoder.list.tolerance(),
            encoder: Box::new(encoder),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn long<const EXACT: bool>(&self, values: &[f64], bytes: &mut [u8; 8 * WORDS]) -> bool {
        let Plan { singles, base, .. } = &self.encoder.plan;
        let List { message, steps: rounding, .. } = self.encoder.list;
        let Self { steps, targets, .. } = self;
        let mut words = *base;
        let long = Long { steps, targets, singles, message, rounding };
        let accepted = long.run::<EXACT>(values, self.tolerance, &mut words);
        for (bytes, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        accepted
    }

    /// One frame, the long way.
    #[cold]
    fn careful<'b>(&self, values: &[f64], buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let list = &self.encoder.list;
        let values = values.get(..list.len()).unwrap_or_default();
        let length = list.write_new(values, buffer)?;
        Ok(buffer.get(..length).unwrap_or_default())
    }
}
