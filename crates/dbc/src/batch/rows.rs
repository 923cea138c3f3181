//! Frames become rows: for each frame the values of its signals, side by side.
//!
//! *Invariant:* the loop's only branches on data are the frame's length, the number of chunks, and what the header's kind asks for.
//! *Next:* `layout.rs` (headers and chunks), `lanes.rs` (the arithmetic).

use alloc::vec;
use alloc::vec::Vec;

use super::lanes::LANES;
use super::layout::{Header, Kind, Layout, Layouts, UNKNOWN};
use super::{BatchCounts, BatchFrame, message_of, single};
use crate::{Database, Message, SignalIndex};

/// The signals of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    frame: usize,
    message: &'a Message,
    signals: &'a [SignalIndex],
    values: &'a [f64],
    partial: bool,
}

impl<'a> Row<'a> {
    /// The place of the frame in the batch.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// The message.
    pub fn message(&self) -> &'a Message {
        self.message
    }

    /// The signals that are present, in the order of the file.
    pub fn signals(&self) -> &'a [SignalIndex] {
        self.signals
    }

    /// Their physical values.
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// Whether a multiplexer has a value for which the database defines nothing, so that signals may be missing.
    pub fn is_partial(&self) -> bool {
        self.partial
    }
}

/// Room for one row.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    pub(super) values: Vec<[f64; LANES]>,
    signals: Vec<SignalIndex>,
}

impl Scratch {
    pub(super) fn new(widest: usize) -> Self {
        Self { values: vec![[0.0; LANES]; widest.div_ceil(LANES) + 2], signals: Vec::with_capacity(widest) }
    }

    /// Everything, one by one, and whether something is undefined.
    #[cold]
    pub(super) fn each(&mut self, message: &Message, payload: &[u8]) -> (&[SignalIndex], &[f64], bool) {
        self.signals.clear();
        for (value, slot) in message.decode_partial(payload).zip(self.values.as_flattened_mut()) {
            self.signals.push(value.index());
            *slot = value.double();
        }
        let values = self.values.as_flattened().get(..self.signals.len()).unwrap_or_default();
        (&self.signals, values, message.plan.undefined_multiplexer(payload).is_some())
    }
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
        let windows = self.layouts.windows.iter().any(|window| *window != 0);
        match (self.layouts.floor, windows) {
            (1, false) => self.frames::<F, 1, false>(frames, sink),
            (1, true) => self.frames::<F, 1, true>(frames, sink),
            (_, false) => self.frames::<F, 2, false>(frames, sink),
            (_, true) => self.frames::<F, 2, true>(frames, sink),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn frames<F: BatchFrame, const FLOOR: usize, const WINDOWS: bool>(
        &mut self,
        frames: &[F],
        mut sink: impl FnMut(Row<'_>),
    ) -> BatchCounts {
        let mut counts = BatchCounts::default();
        for (at, frame) in frames.iter().enumerate() {
            let mut header = self.layouts.header(self.database, frame.id());
            if frame.payload().len() < usize::from(header.least) {
                counts.miss(header);
                continue;
            }
            if header.kind == Kind::Multiplexed {
                header = self.layouts.choose(header, frame);
            }
            let Some(layout) = self.layouts.list.get(header.layout as usize) else { continue };
            let Some(message) = message_of(self.database, layout.message) else { continue };
            counts.decoded += 1;
            self.chunks::<F, FLOOR, WINDOWS>(header, frame);
            if matches!(header.kind, Kind::Single | Kind::Multiplexed) {
                let (signals, values, partial) = self.scratch.each(message, frame.payload());
                sink(Row { frame: at, message, signals, values, partial });
                continue;
            }
            if header.kind == Kind::Mixed {
                self.fill(message, layout, frame.payload());
            }
            let signals = layout.signals.as_slice();
            let values = self.scratch.values.as_flattened().get(..signals.len()).unwrap_or_default();
            sink(Row { frame: at, message, signals, values, partial: layout.undefined });
        }
        counts
    }

    /// The lanes of one frame: some chunks whether they are wanted or not, then the rest.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn chunks<F: BatchFrame, const FLOOR: usize, const WINDOWS: bool>(&mut self, header: Header, frame: &F) {
        let first = header.first as usize;
        let Some(chunks) = self.layouts.chunks.get(first..) else { return };
        let Some((always, more)) = chunks.split_first_chunk::<FLOOR>() else { return };
        let Some((out, rest)) = self.scratch.values.split_first_chunk_mut::<FLOOR>() else { return };
        let word = frame.window(0);
        if WINDOWS {
            let windows = self.layouts.windows.get(first..).unwrap_or_default();
            for ((chunk, out), window) in always.iter().zip(out).zip(windows) {
                chunk.decode(frame.window(usize::from(*window)), out);
            }
            if usize::from(header.chunks) > FLOOR {
                let windows = windows.get(FLOOR..).unwrap_or_default();
                for ((chunk, out), window) in
                    more.iter().zip(rest).zip(windows).take(usize::from(header.chunks) - FLOOR)
                {
                    chunk.decode(frame.window(usize::from(*window)), out);
                }
            }
        } else {
            for (chunk, out) in always.iter().zip(out) {
                chunk.decode(word, out);
            }
            if usize::from(header.chunks) > FLOOR {
                for (chunk, out) in more.iter().zip(rest).take(usize::from(header.chunks) - FLOOR) {
                    chunk.decode(word, out);
                }
            }
        }
    }

    /// What the lanes left out.
    #[cold]
    fn fill(&mut self, message: &Message, layout: &Layout, payload: &[u8]) {
        let values = self.scratch.values.as_flattened_mut();
        for place in &layout.singles {
            let value =
                layout.signals.get(*place as usize).and_then(|index| single(message, *index, payload));
            if let Some((slot, value)) = values.get_mut(*place as usize).zip(value) {
                *slot = value;
            }
        }
    }
}

impl Layouts {
    /// The header that a multiplexer's value chooses.
    #[inline]
    pub(super) fn choose<F: BatchFrame>(&self, header: Header, frame: &F) -> Header {
        let multiplexer =
            self.list.get(header.layout as usize).and_then(|layout| layout.multiplexer.as_ref());
        let Some(multiplexer) = multiplexer else { return UNKNOWN };
        let bits = multiplexer.lane.bits(frame.window(multiplexer.window as usize));
        let chosen = usize::try_from(bits).ok().and_then(|bits| multiplexer.headers.get(bits));
        chosen.and_then(|at| self.headers.get(*at as usize)).copied().unwrap_or(UNKNOWN)
    }
}
