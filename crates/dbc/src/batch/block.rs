//! Columns of doubles: what most programs want.
//!
//! *Invariant:* a column holds raw × factor + offset, equal to the last bit to what decoding frame by frame gives.
//! *Next:* `narrow.rs` (the narrowest types instead), `columns.rs` (who fills blocks).

use alloc::vec;
use alloc::vec::Vec;

use super::cells::Cell;
use super::columns::{About, BUCKET, Store};
use crate::{Message, SignalIndex};

/// Some frames of one message, by signal.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    about: About<'a>,
    values: &'a [f64],
}

impl<'a> Block<'a> {
    pub(super) fn new(about: About<'a>, doubles: &'a Doubles) -> Self {
        let count = about.signals.len() * about.frames.len();
        Self { about, values: doubles.0.get(..count).unwrap_or_default() }
    }

    /// The message.
    pub fn message(&self) -> &'a Message {
        self.about.message
    }

    /// The signals that all these frames hold, in the order of the file.
    pub fn signals(&self) -> &'a [SignalIndex] {
        self.about.signals
    }

    /// The places of the frames in the batch, in order.
    pub fn frames(&self) -> &'a [u32] {
        self.about.frames
    }

    /// The physical values of the signal at this place of [`signals`](Self::signals), one for each frame; empty beyond the last signal.
    pub fn column(&self, at: usize) -> &'a [f64] {
        let length = self.about.frames.len();
        self.values
            .get(at * length..(at + 1) * length)
            .filter(|_| at < self.about.signals.len())
            .unwrap_or_default()
    }

    /// Whether a multiplexer has a value for which the database defines nothing, so that signals may be missing.
    pub fn is_partial(&self) -> bool {
        self.about.partial
    }
}

/// Room for a block of doubles.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubles(Vec<f64>);

impl Doubles {
    pub(super) fn prepare(&mut self, widest: usize) {
        if self.0.is_empty() {
            self.0 = vec![0.0; widest * BUCKET];
        }
    }
}

impl Store for Doubles {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    fn column(&mut self, at: usize, cell: &Cell, windows: &[u64]) {
        let from = at * windows.len();
        if let Some(out) = self.0.get_mut(from..from + windows.len()) {
            cell.doubles(windows, out);
        }
    }
}
