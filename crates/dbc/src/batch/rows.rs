//! Frames become rows: for each frame the values of its signals, side by side.
//!
//! *Invariant:* the loop's only branches on data are the width of the identifier, the frame's length, the number of chunks, and what the header's
//! kind asks for; who a row is about is looked up when it is asked.
//! *Next:* `layout.rs` (headers and chunks), `lanes.rs` (the arithmetic).

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::lanes::LANES;
use super::layout::{Header, Kind, Layout, Layouts};
use super::{BatchCounts, BatchFrame, message_of, single};
use crate::{Database, Message, SignalIndex};

/// The signals of one frame.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    frame: usize,
    database: &'a Database,
    layouts: &'a Layouts,
    layout: u32,
    values: &'a [f64],
    /// The signals, and whether something is undefined, where a layout does not say.
    each: Option<(&'a [SignalIndex], bool)>,
}

impl<'a> Row<'a> {
    /// The place of the frame in the batch.
    #[inline]
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// The message.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "a row has a layout, and a layout a message of this database"
    )]
    pub fn message(&self) -> &'a Message {
        &self.database.messages()[self.layout().message as usize]
    }

    /// The signals that are present, in the order of the file.
    #[inline]
    pub fn signals(&self) -> &'a [SignalIndex] {
        match self.each {
            Some((signals, _)) => signals,
            None => &self.layout().signals,
        }
    }

    /// Their physical values.
    #[inline]
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// Whether a multiplexer has a value for which the database defines nothing, so that signals may be missing.
    #[inline]
    pub fn is_partial(&self) -> bool {
        self.each.map_or_else(|| self.layout().undefined, |each| each.1)
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "a row has a layout")]
    fn layout(&self) -> &'a Layout {
        &self.layouts.list[self.layout as usize]
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("frame", &self.frame)
            .field("message", &self.message().name())
            .field("signals", &self.signals())
            .field("values", &self.values)
            .field("partial", &self.is_partial())
            .finish()
    }
}

/// How many frames ahead long frames are asked for.
const AHEAD: usize = 10;
/// The bytes of a cache line.
const CACHE_LINE: usize = 64;

/// Room for one row.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    values: Vec<f64>,
    signals: Vec<SignalIndex>,
}

impl Scratch {
    pub(super) fn new(widest: usize) -> Self {
        // Whole chunks, three at least, and room to begin at a cache line.
        let values = vec![0.0; widest.next_multiple_of(LANES) + 5 * LANES];
        Self { values, signals: Vec::with_capacity(widest) }
    }

    /// The values, from a cache line on, so that eight are written at once; and the signals.
    fn parts(&mut self) -> (&mut [f64], &mut Vec<SignalIndex>) {
        let at = self.values.as_ptr().align_offset(CACHE_LINE).min(LANES);
        (self.values.get_mut(at..).unwrap_or_default(), &mut self.signals)
    }
}

/// Everything, one by one, and whether something is undefined. The values are the first of `out`.
#[cold]
fn each(message: &Message, payload: &[u8], signals: &mut Vec<SignalIndex>, out: &mut [f64]) -> bool {
    signals.clear();
    let payload = payload.get(..message.length()).unwrap_or(payload);
    for (value, slot) in message.decode_partial(payload).zip(out) {
        signals.push(value.index());
        *slot = value.double();
    }
    message.plan.undefined_multiplexer(payload).is_some()
}

/// One pass over a batch.
pub(super) struct Pass<'a> {
    pub(super) database: &'a Database,
    pub(super) layouts: &'a Layouts,
    pub(super) scratch: &'a mut Scratch,
}

impl Pass<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(super) fn run<S, F: BatchFrame>(
        &mut self,
        _simd: S,
        frames: &[F],
        sink: impl FnMut(Row<'_>),
    ) -> BatchCounts {
        let Layouts { floor, regular, plain, .. } = *self.layouts;
        match (floor, regular, plain) {
            (1, true, true) => self.frames::<F, 1, true, true>(frames, sink),
            (1, true, false) => self.frames::<F, 1, true, false>(frames, sink),
            (1, false, _) => self.frames::<F, 1, false, false>(frames, sink),
            (_, true, true) => self.frames::<F, 2, true, true>(frames, sink),
            (_, true, false) => self.frames::<F, 2, true, false>(frames, sink),
            (_, false, _) => self.frames::<F, 2, false, false>(frames, sink),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn frames<F: BatchFrame, const FLOOR: usize, const REGULAR: bool, const PLAIN: bool>(
        &mut self,
        frames: &[F],
        mut sink: impl FnMut(Row<'_>),
    ) -> BatchCounts {
        let (database, layouts) = (self.database, self.layouts);
        let (out, signals) = self.scratch.parts();
        let mut counts = BatchCounts::default();
        for (at, frame) in frames.iter().enumerate() {
            // Where the windows of a long frame are is known late: what comes is asked for early.
            if size_of::<F>() > CACHE_LINE / 2
                && let Some(coming) = frames.get(at + AHEAD)
            {
                core::hint::black_box(coming.window(24));
            }
            let mut header = layouts.header(frame.id());
            if is_short(frame, header) {
                header = layouts.otherwise(database, frame.id(), header);
                if is_short(frame, header) {
                    counts.miss(header);
                    continue;
                }
            }
            if !PLAIN && header.kind == Kind::Multiplexed {
                header = layouts.choose(header, frame);
            }
            chunks::<F, FLOOR, REGULAR>(layouts, header, frame, out);
            let mut row =
                Row { frame: at, database, layouts, layout: header.layout, values: &[], each: None };
            if !PLAIN && header.kind != Kind::Plain {
                let layout = layouts.list.get(header.layout as usize);
                let message = layout.and_then(|layout| message_of(database, layout.message));
                let Some((layout, message)) = layout.zip(message) else { continue };
                if header.kind == Kind::Mixed {
                    fill(message, layout, frame.payload(), out);
                } else {
                    let partial = each(message, frame.payload(), signals, out);
                    row.values = out.get(..signals.len()).unwrap_or_default();
                    row.each = Some((signals, partial));
                    sink(row);
                    continue;
                }
            }
            row.values = out.get(..usize::from(header.signals)).unwrap_or_default();
            sink(row);
        }
        counts.decoded = frames.len() - counts.unknown - counts.short;
        counts
    }
}

/// Whether a frame has fewer bytes than its message, or no message.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
pub(super) fn is_short<F: BatchFrame>(frame: &F, header: &Header) -> bool {
    // Longer than any message is long enough, but not for no message.
    frame.length().min(usize::from(super::layout::NEVER - 1)) < usize::from(header.least)
}

/// The lanes of one frame: some chunks whether they are wanted or not, then the rest.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
fn chunks<F: BatchFrame, const FLOOR: usize, const REGULAR: bool>(
    layouts: &Layouts,
    header: &Header,
    frame: &F,
    out: &mut [f64],
) {
    let Some(chunks) = layouts.chunks.get(header.first as usize..) else { return };
    let Some((always, more)) = chunks.split_first_chunk::<FLOOR>() else { return };
    let starts = [0, header.second];
    for (at, (chunk, start)) in always.iter().zip(starts).enumerate() {
        let start = if REGULAR { at * LANES } else { usize::from(start) };
        chunk.row::<F, REGULAR>(start, frame, out);
    }
    if usize::from(header.chunks) > FLOOR {
        for chunk in more.iter().take(usize::from(header.chunks) - FLOOR) {
            chunk.row::<F, REGULAR>(chunk.start, frame, out);
        }
    }
}

/// What the lanes left out.
#[cold]
fn fill(message: &Message, layout: &Layout, payload: &[u8], out: &mut [f64]) {
    for place in &layout.singles {
        let value = layout.signals.get(*place as usize).and_then(|index| single(message, *index, payload));
        if let Some((slot, value)) = out.get_mut(*place as usize).zip(value) {
            *slot = value;
        }
    }
}
