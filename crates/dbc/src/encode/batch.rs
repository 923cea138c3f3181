//! Many frames of physical values become payloads, with the widest instructions that the processor has.
//!
//! *Invariant:* every payload and every error is what [`Encoder::encode`] gives for that frame; nothing is allocated per frame.
//! *Next:* `run.rs` (what runs), `plan.rs` (what is compiled).

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::bits::Steps;
use super::encoder::{Encoder, List};
use super::error::EncodeError;
use super::lanes::{Chunk, Part};
use super::piece::WORDS;
use super::plan::{Kind, MAX_CHUNKS, Plan, Single, Spill};
use super::run::{Long, Scratch, short};
use crate::model::message::Message;

/// A frame that was encoded.
#[derive(Clone, Copy, Debug)]
pub struct EncodedFrame<'a> {
    frame: usize,
    list: &'a List<'a>,
    payload: &'a [u8],
}

impl<'a> EncodedFrame<'a> {
    /// The place of the frame in the batch.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// The message.
    pub fn message(&self) -> &'a Message {
        self.list.message
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
    pub cause: EncodeError,
}

impl fmt::Display for BatchEncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {}: {}", self.frame, self.cause)
    }
}

impl core::error::Error for BatchEncodeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// What the loop over frames needs of an encoder.
#[derive(Clone, Copy, Debug)]
struct Header {
    kind: Kind,
    /// The word of a short payload is meant with its first byte on top.
    big: bool,
    refuse: bool,
    length: u8,
    chunks: u16,
    parts: u16,
    spills: u16,
    singles: u16,
    signals: u32,
    chunk: u32,
    part: u32,
    spill: u32,
    single: u32,
}

/// Encoders, compiled together for many frames at once.
///
/// Each frame names its encoder by number, and the values of all frames follow one another. One encoder serves each set of signals that is sent
/// together: of a multiplexed message, one for each value of its multiplexer.
///
/// Floats, signals longer than 51 bits, and values that lie outside the range but have a label are encoded one by one; messages longer than 64 bytes,
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
    lists: Vec<List<'m>>,
    headers: Vec<Header>,
    /// What is the same in every frame, by encoder.
    bases: Vec<[u64; WORDS]>,
    chunks: Vec<Chunk>,
    parts: Vec<Part>,
    spills: Vec<Spill>,
    singles: Vec<Single>,
    /// How many chunks every short plan has at least.
    floor: usize,
    /// Whether some encoder refuses values between two steps.
    refuses: bool,
    longest: usize,
}

impl<'m> BatchEncoder<'m> {
    /// Compiles encoders together; frames name them by their place in this list.
    pub fn new(encoders: impl IntoIterator<Item = Encoder<'m>>) -> Self {
        let (lists, plans): (Vec<List<'m>>, Vec<Plan>) =
            encoders.into_iter().map(|encoder| (encoder.list, encoder.plan)).unzip();
        let wide = plans.iter().filter(|plan| plan.kind == Kind::Short && plan.chunks.len() > 1).count();
        let mut all = Self {
            // Dense messages do two chunks at once, so that the number of chunks seldom varies.
            floor: if wide * 10 > plans.len() { 2 } else { 1 },
            refuses: lists.iter().any(|list| list.steps == Steps::Refuse),
            longest: lists.iter().map(|list| list.message.length()).max().unwrap_or(0),
            ..Self::default()
        };
        for (list, plan) in lists.iter().zip(plans) {
            let header = all.add(list, plan);
            all.headers.push(header);
        }
        all.lists = lists;
        all
    }

    /// The number of encoders.
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether there is no encoder.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    fn add(&mut self, list: &List<'_>, mut plan: Plan) -> Header {
        if plan.kind == Kind::Short {
            while plan.chunks.len() < self.floor {
                plan.chunks.push(Chunk::default());
                let big = plan.parts.first().is_some_and(|part| part.big);
                plan.parts.push(Part { big, ..Part::default() });
            }
        }
        let counts = [plan.chunks.len(), plan.parts.len(), plan.spills.len(), plan.singles.len()];
        let places = [self.chunks.len(), self.parts.len(), self.spills.len(), self.singles.len()];
        let small = |count: usize| u16::try_from(count).ok();
        let large = |count: usize| u32::try_from(count).ok();
        let header = || {
            Some(Header {
                kind: plan.kind,
                big: plan.parts.first().is_some_and(|part| part.big),
                refuse: list.steps == Steps::Refuse,
                length: u8::try_from(list.message.length()).ok()?,
                chunks: small(counts[0])?,
                parts: small(counts[1])?,
                spills: small(counts[2])?,
                singles: small(counts[3])?,
                signals: large(list.len())?,
                chunk: large(places[0])?,
                part: large(places[1])?,
                spill: large(places[2])?,
                single: large(places[3])?,
            })
        };
        let careful = Header {
            kind: Kind::Careful,
            big: false,
            refuse: false,
            length: 0,
            chunks: 0,
            parts: 0,
            spills: 0,
            singles: 0,
            signals: large(list.len()).unwrap_or(u32::MAX),
            chunk: 0,
            part: 0,
            spill: 0,
            single: 0,
        };
        let header = header().unwrap_or(careful);
        self.bases.push(plan.base);
        self.chunks.append(&mut plan.chunks);
        self.parts.append(&mut plan.parts);
        self.spills.append(&mut plan.spills);
        self.singles.append(&mut plan.singles);
        header
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
        let mut scratch: Scratch = [[0; 8]; MAX_CHUNKS];
        let mut bytes = [0; 8 * WORDS];
        // Only messages longer than a frame need more.
        let mut beyond = if self.longest > bytes.len() { vec![0; self.longest] } else { Vec::new() };
        let mut rest = values;
        for (frame, number) in frames.iter().enumerate() {
            let known = self.headers.get(*number as usize).zip(self.lists.get(*number as usize));
            let Some((header, list)) = known.filter(|(header, _)| rest.len() >= header.signals as usize)
            else {
                return Err(self.refuse(frame, *number, values.len() - rest.len(), rest.len()));
            };
            let accepted = match header.kind {
                Kind::Short => self.short::<EXACT, FLOOR>(*header, *number, rest, &mut bytes),
                Kind::Long => self.long::<EXACT>(*header, list, *number, rest, &mut scratch, &mut bytes),
                Kind::Careful => false,
            };
            let payload = if accepted {
                bytes.get(..usize::from(header.length)).unwrap_or_default()
            } else {
                let buffer =
                    if list.message.length() > bytes.len() { &mut beyond[..] } else { &mut bytes[..] };
                careful(list, rest, buffer).map_err(|cause| BatchEncodeError {
                    frame,
                    value: values.len() - rest.len(),
                    cause,
                })?
            };
            sink(EncodedFrame { frame, list, payload });
            rest = rest.get(header.signals as usize..).unwrap_or_default();
        }
        Ok(values.len() - rest.len())
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn short<const EXACT: bool, const FLOOR: usize>(
        &self,
        header: Header,
        number: u32,
        values: &[f64],
        bytes: &mut [u8; 8 * WORDS],
    ) -> bool {
        let chunks = self.chunks.get(header.chunk as usize..).unwrap_or_default();
        let parts = self.parts.get(header.part as usize..).unwrap_or_default();
        let tolerance = if header.refuse { super::bits::OFF_GRID } else { 1.0 };
        let (all, accepted) =
            short::<EXACT, FLOOR>(chunks, parts, usize::from(header.chunks), values, tolerance);
        let all = if header.big { all.swap_bytes() } else { all };
        let base = self.bases.get(number as usize).map_or(0, |base| base[0]);
        if let Some(first) = bytes.first_chunk_mut() {
            *first = (all | base).to_le_bytes();
        }
        accepted
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn long<const EXACT: bool>(
        &self,
        header: Header,
        list: &List<'_>,
        number: u32,
        values: &[f64],
        scratch: &mut Scratch,
        bytes: &mut [u8; 8 * WORDS],
    ) -> bool {
        let tolerance = if header.refuse { super::bits::OFF_GRID } else { 1.0 };
        let long = Long {
            chunks: some(&self.chunks, header.chunk, header.chunks),
            parts: some(&self.parts, header.part, header.parts),
            spills: some(&self.spills, header.spill, header.spills),
            singles: some(&self.singles, header.single, header.singles),
            message: list.message,
            steps: list.steps,
        };
        let Some(mut words) = self.bases.get(number as usize).copied() else { return false };
        let accepted = long.run::<EXACT>(values, tolerance, scratch, &mut words);
        for (bytes, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        accepted
    }

    /// Why a frame cannot even be tried.
    #[cold]
    fn refuse(&self, frame: usize, number: u32, value: usize, values: usize) -> BatchEncodeError {
        let cause = match self.lists.get(number as usize) {
            None => EncodeError::UnknownEncoder { number },
            Some(list) => {
                EncodeError::Count { message: list.message.name.clone(), signals: list.len(), values }
            }
        };
        BatchEncodeError { frame, value, cause }
    }
}

/// So many from a place on.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
fn some<T>(all: &[T], from: u32, count: u16) -> &[T] {
    let from = from as usize;
    all.get(from..from + usize::from(count)).unwrap_or_default()
}

/// One frame, the long way.
#[cold]
fn careful<'b>(list: &List<'_>, values: &[f64], buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    let values = values.get(..list.len()).unwrap_or_default();
    let length = list.message.write_new(list.given(values)?.as_slice(), buffer)?;
    Ok(buffer.get(..length).unwrap_or_default())
}
