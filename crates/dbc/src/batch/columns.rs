//! Frames become columns: the frames of a message are gathered, and each signal is decoded for all of them at once.
//!
//! *Invariant:* a bucket is handed out when it is full or the batch ends, and holds the frames of one layout in their order.
//! *Next:* `layout.rs` (lanes), `rows.rs` (the other form).

use alloc::vec;
use alloc::vec::Vec;

use super::layout::{Kind, Layout, Layouts};
use super::rows::Scratch;
use super::{BatchCounts, BatchFrame, message_of, single};
use crate::{Database, Message, SignalIndex};

/// The most frames of a block: small enough that a block stays in the cache.
const BUCKET: usize = 256;
/// The same for messages whose frames are longer than a window.
const LONG_BUCKET: usize = 32;

/// Some frames of one message, by signal.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    message: &'a Message,
    signals: &'a [SignalIndex],
    frames: &'a [u32],
    values: &'a [f64],
    partial: bool,
}

impl<'a> Block<'a> {
    /// The message.
    pub fn message(&self) -> &'a Message {
        self.message
    }

    /// The signals that all these frames hold, in the order of the file.
    pub fn signals(&self) -> &'a [SignalIndex] {
        self.signals
    }

    /// The places of the frames in the batch, in order.
    pub fn frames(&self) -> &'a [u32] {
        self.frames
    }

    /// The physical values of the signal at this place of [`signals`](Self::signals), one for each frame; empty beyond the last signal.
    pub fn column(&self, at: usize) -> &'a [f64] {
        let length = self.frames.len();
        self.values
            .get(at * length..(at + 1) * length)
            .filter(|_| at < self.signals.len())
            .unwrap_or_default()
    }

    /// Whether a multiplexer has a value for which the database defines nothing, so that signals may be missing.
    pub fn is_partial(&self) -> bool {
        self.partial
    }
}

/// What is gathered, and room to decode it.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    /// By layout: how many frames are gathered.
    counts: Vec<u32>,
    /// By layout: places of frames, and their first windows.
    frames: Vec<u32>,
    words: Vec<u64>,
    window: Vec<u64>,
    values: Vec<f64>,
}

/// One pass over a batch.
pub(super) struct Pass<'a> {
    pub(super) database: &'a Database,
    pub(super) layouts: &'a Layouts,
    pub(super) buckets: &'a mut Buckets,
    pub(super) scratch: &'a mut Scratch,
}

impl Pass<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(super) fn run<S, F: BatchFrame>(
        &mut self,
        _simd: S,
        frames: &[F],
        mut sink: impl FnMut(Block<'_>),
    ) -> BatchCounts {
        self.prepare();
        let mut counts = BatchCounts::default();
        for (frame, at) in frames.iter().zip(0_u32..) {
            let mut header = self.layouts.header(self.database, frame.id());
            if frame.payload().len() < usize::from(header.least) {
                counts.miss(header);
                continue;
            }
            if header.kind == Kind::Multiplexed {
                header = self.layouts.choose(header, frame);
            }
            counts.decoded += 1;
            let place = header.layout as usize;
            if matches!(header.kind, Kind::Single | Kind::Multiplexed) {
                self.alone(place, frame, at, &mut sink);
                continue;
            }
            let limit = if usize::from(header.least) > 8 { LONG_BUCKET } else { BUCKET };
            if self.buckets.push(place, at, frame.window(0)) == limit {
                self.flush(place, frames, &mut sink);
            }
        }
        for place in 0..self.layouts.list.len() {
            self.flush(place, frames, &mut sink);
        }
        counts
    }

    fn prepare(&mut self) {
        let layouts = self.layouts.list.len();
        if self.buckets.counts.len() != layouts {
            self.buckets.counts = vec![0; layouts];
            self.buckets.frames = vec![0; layouts * BUCKET];
            self.buckets.words = vec![0; layouts * BUCKET];
            self.buckets.window = vec![0; BUCKET];
            self.buckets.values = vec![0.0; self.layouts.widest * BUCKET];
        }
    }

    /// Hands out what is gathered for a layout.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn flush<F: BatchFrame>(&mut self, place: usize, frames: &[F], sink: &mut impl FnMut(Block<'_>)) {
        let count = self.buckets.counts.get_mut(place).map_or(0, core::mem::take) as usize;
        let Some(layout) = self.layouts.list.get(place).filter(|_| count > 0) else { return };
        let Some(message) = message_of(self.database, layout.message) else { return };
        let from = place * BUCKET;
        let gathered = self.buckets.frames.get(from..from + count).unwrap_or_default();
        let words = self.buckets.words.get(from..from + count).unwrap_or_default();
        let mut loaded = 0;
        for ((lane, index), out) in
            layout.lanes.iter().zip(&layout.signals).zip(self.buckets.values.chunks_exact_mut(count))
        {
            match lane {
                Some((0, lane)) => lane.column(words, out),
                Some((window, lane)) => {
                    let windows = self.buckets.window.get_mut(..count).unwrap_or_default();
                    if loaded != *window {
                        loaded = *window;
                        for (word, at) in windows.iter_mut().zip(gathered) {
                            *word =
                                frames.get(*at as usize).map_or(0, |frame| frame.window(*window as usize));
                        }
                    }
                    lane.column(windows, out);
                }
                None => {
                    for (out, at) in out.iter_mut().zip(gathered) {
                        *out = frames
                            .get(*at as usize)
                            .and_then(|frame| single(message, *index, frame.payload()))
                            .unwrap_or(0.0);
                    }
                }
            }
        }
        let values = self.buckets.values.get(..layout.signals.len() * count).unwrap_or_default();
        sink(Block {
            message,
            signals: &layout.signals,
            frames: gathered,
            values,
            partial: layout.undefined,
        });
    }

    /// A frame that is decoded signal by signal is a block of its own.
    #[cold]
    fn alone<F: BatchFrame>(&mut self, place: usize, frame: &F, at: u32, sink: &mut impl FnMut(Block<'_>)) {
        let message = self
            .layouts
            .list
            .get(place)
            .map(|layout: &Layout| layout.message)
            .and_then(|place| message_of(self.database, place));
        let Some(message) = message else { return };
        let (signals, values, partial) = self.scratch.each(message, frame.payload());
        sink(Block { message, signals, frames: &[at], values, partial });
    }
}

impl Buckets {
    /// Adds a frame; how many there are then.
    #[inline]
    fn push(&mut self, place: usize, frame: u32, word: u64) -> usize {
        let Some(count) = self.counts.get_mut(place) else { return 0 };
        let at = place * BUCKET + *count as usize;
        if let Some((frames, words)) = self.frames.get_mut(at).zip(self.words.get_mut(at)) {
            *frames = frame;
            *words = word;
        }
        *count += 1;
        *count as usize
    }
}
