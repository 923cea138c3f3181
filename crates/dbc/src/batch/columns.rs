//! Frames become columns: the frames of a message are gathered, and each signal is decoded for all of them at once.
//!
//! *Invariant:* a bucket is handed out when it is full or the batch ends, and holds the frames of one layout in their order.
//! *Next:* `cells.rs` (where a column's bits are), `block.rs` (doubles) and `narrow.rs` (the narrowest types), `rows.rs` (the other form).

use alloc::vec;
use alloc::vec::Vec;

use super::cells::{Cell, Cells};
use super::layout::{Header, Kind, Layouts};
use super::rows::is_short;
use super::{BatchCounts, BatchFrame, message_of};
use crate::{Database, Message, SignalIndex};

/// The most frames of a block: small enough that a block stays in the cache.
pub(super) const BUCKET: usize = 256;
/// The same for messages whose frames are longer than a window.
const LONG_BUCKET: usize = 64;

/// What a block is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) message: &'a Message,
    pub(super) signals: &'a [SignalIndex],
    pub(super) frames: &'a [u32],
    pub(super) partial: bool,
}

/// Where columns go.
pub(super) trait Store {
    /// Decodes the column at this place of a block, from windows.
    fn column(&mut self, at: usize, cell: &Cell, windows: &[u64]);
}

/// What is gathered.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    /// By layout: how many frames are gathered.
    counts: Vec<u32>,
    /// By layout: places of frames, and their first windows.
    frames: Vec<u32>,
    words: Vec<u64>,
    /// Other windows of the frames of one layout.
    windows: Vec<u64>,
    /// Signals of one frame that is decoded alone.
    alone: Vec<SignalIndex>,
}

/// One pass over a batch.
pub(super) struct Pass<'a> {
    pub(super) database: &'a Database,
    pub(super) layouts: &'a Layouts,
    pub(super) cells: &'a Cells,
    pub(super) buckets: &'a mut Buckets,
}

impl Pass<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(super) fn run<V, F: BatchFrame, S: Store>(
        &mut self,
        _simd: V,
        frames: &[F],
        store: &mut S,
        mut sink: impl FnMut(About<'_>, &S),
    ) -> BatchCounts {
        self.buckets.prepare(self.layouts.list.len(), self.layouts.widest);
        let mut counts = BatchCounts::default();
        for (frame, at) in frames.iter().zip(0_u32..) {
            let mut header = self.layouts.header(frame.id());
            if is_short(frame, header) {
                header = self.layouts.otherwise(self.database, frame.id(), header);
                if is_short(frame, header) {
                    counts.miss(header);
                    continue;
                }
            }
            if header.kind == Kind::Multiplexed {
                header = self.layouts.choose(header, frame);
            }
            if header.kind == Kind::Single {
                self.alone(header, frame, at, store, &mut sink);
                continue;
            }
            let place = header.layout as usize;
            let limit = if header.least > 8 { LONG_BUCKET } else { BUCKET };
            if self.buckets.push(place, at, frame.window(0)) == limit {
                self.flush(place, frames, store, &mut sink);
            }
        }
        for place in 0..self.layouts.list.len() {
            self.flush(place, frames, store, &mut sink);
        }
        counts.decoded = frames.len() - counts.unknown - counts.short;
        counts
    }

    /// Hands out what is gathered for a layout.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn flush<F: BatchFrame, S: Store>(
        &mut self,
        place: usize,
        frames: &[F],
        store: &mut S,
        sink: &mut impl FnMut(About<'_>, &S),
    ) {
        let Buckets { counts, frames: gathered, words, windows, .. } = &mut *self.buckets;
        let count = counts.get_mut(place).map_or(0, core::mem::take) as usize;
        let Some(layout) = self.layouts.list.get(place).filter(|_| count > 0) else { return };
        let Some(message) = message_of(self.database, layout.message) else { return };
        let from = place * BUCKET;
        let gathered = gathered.get(from..from + count).unwrap_or_default();
        let words = words.get(from..from + count).unwrap_or_default();
        let windows = windows.get_mut(..count).unwrap_or_default();
        let mut loaded = None;
        for (at, index) in layout.signals.iter().enumerate() {
            let Some(cell) = self.cells.of(layout.message, *index) else { continue };
            if cell.window == Some(0) {
                store.column(at, cell, words);
                continue;
            }
            // A signal in nine bytes has no window: its bits are gathered instead.
            if loaded != Some(cell.window) || cell.window.is_none() {
                loaded = Some(cell.window);
                for (window, at) in windows.iter_mut().zip(gathered) {
                    *window = frames.get(*at as usize).map_or(0, |frame| cell.load(message, *index, frame));
                }
            }
            store.column(at, cell, windows);
        }
        sink(About { message, signals: &layout.signals, frames: gathered, partial: layout.undefined }, store);
    }

    /// A frame that is decoded signal by signal is a block of its own.
    #[cold]
    fn alone<F: BatchFrame, S: Store>(
        &mut self,
        header: &Header,
        frame: &F,
        at: u32,
        store: &mut S,
        sink: &mut impl FnMut(About<'_>, &S),
    ) {
        let place = self.layouts.list.get(header.layout as usize).map(|layout| layout.message);
        let Some((place, message)) = place.and_then(|place| Some((place, message_of(self.database, place)?)))
        else {
            return;
        };
        let payload = frame.payload();
        let payload = payload.get(..message.length()).unwrap_or(payload);
        let signals = &mut self.buckets.alone;
        signals.clear();
        for value in message.decode_partial(payload) {
            let Some(cell) = self.cells.of(place, value.index()) else { continue };
            store.column(signals.len(), cell, &[cell.load(message, value.index(), frame)]);
            signals.push(value.index());
        }
        let partial = message.plan.undefined_multiplexer(payload).is_some();
        sink(About { message, signals, frames: &[at], partial }, store);
    }
}

impl Buckets {
    fn prepare(&mut self, layouts: usize, widest: usize) {
        if self.counts.len() != layouts {
            self.counts = vec![0; layouts];
            self.frames = vec![0; layouts * BUCKET];
            self.words = vec![0; layouts * BUCKET];
            self.windows = vec![0; BUCKET];
            self.alone = Vec::with_capacity(widest);
        }
    }

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
