//! Many frames become rows or columns of doubles, with the widest instructions that the processor has.
//!
//! *Invariant:* every value equals raw × factor + offset in plain doubles, to the last bit, on every processor; nothing is allocated per frame.
//! *Next:* `batch/layout.rs` (what is compiled), `batch/rows.rs` and `batch/columns.rs` (the two forms).

mod block;
mod cells;
mod columns;
mod lanes;
mod layout;
mod narrow;
mod rows;

use self::cells::Cells;
use self::layout::{Header, Layouts, NEVER};
use crate::{CanId, Database, Match, Message, SignalIndex};

pub use self::block::Block;
pub use self::narrow::{Column, ColumnType, Content, NarrowBlock};
pub use self::rows::Row;

/// A frame as batch decoding reads it. [`ClassicFrame`] and [`FdFrame`] are ready; a frame type with a padded payload reads fastest.
pub trait BatchFrame {
    /// The identifier.
    fn id(&self) -> CanId;

    /// The payload.
    fn payload(&self) -> &[u8];

    /// The length of the payload.
    fn length(&self) -> usize {
        self.payload().len()
    }

    /// Eight bytes of the payload from `from` on as a little-endian number, zeros where it ends.
    fn window(&self, from: usize) -> u64 {
        let mut word = [0; 8];
        let payload = self.payload();
        let bytes = payload.get(from.min(payload.len())..(from + 8).min(payload.len())).unwrap_or_default();
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        u64::from_le_bytes(word)
    }
}

/// A frame of at most 8 bytes, in 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassicFrame {
    id: CanId,
    length: u8,
    data: [u8; 8],
}

/// A frame of at most 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdFrame {
    id: CanId,
    length: u8,
    data: [u8; 64],
}

macro_rules! frame {
    ($name:ident, $most:literal) => {
        impl $name {
            #[doc = concat!("A frame with this payload; `None` where it is longer than ", $most, " bytes.")]
            pub fn new(id: CanId, payload: &[u8]) -> Option<Self> {
                let length = u8::try_from(payload.len()).ok().filter(|length| *length <= $most)?;
                let mut data = [0; $most];
                data.get_mut(..payload.len())?.copy_from_slice(payload);
                Some(Self { id, length, data })
            }
        }

        impl BatchFrame for $name {
            #[inline]
            fn id(&self) -> CanId {
                self.id
            }

            #[inline]
            fn payload(&self) -> &[u8] {
                self.data.get(..usize::from(self.length)).unwrap_or_default()
            }

            #[inline]
            fn length(&self) -> usize {
                usize::from(self.length)
            }

            #[inline]
            fn window(&self, from: usize) -> u64 {
                match self.data.get(from..).and_then(|bytes| bytes.first_chunk()) {
                    Some(bytes) => u64::from_le_bytes(*bytes),
                    None => last_window(&self.data, from),
                }
            }
        }
    };
}

/// A window that ends behind the last byte.
#[cold]
fn last_window(data: &[u8], from: usize) -> u64 {
    data.get(from..).unwrap_or_default().iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

frame!(ClassicFrame, 8);
frame!(FdFrame, 64);

/// What a batch held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchCounts {
    /// Frames that were decoded.
    pub decoded: usize,
    /// Frames whose identifier the database does not know, or knows as a message of more than 64 bytes.
    pub unknown: usize,
    /// Frames that are shorter than their message.
    pub short: usize,
}

impl BatchCounts {
    /// Counts a frame that has no message, or too few bytes for it.
    #[cold]
    fn miss(&mut self, header: &Header) {
        if header.least == NEVER {
            self.unknown += 1;
        } else {
            self.short += 1;
        }
    }
}

/// A database compiled for many frames at once.
///
/// Signals longer than 52 bits, floats, and messages with nested multiplexers are decoded one by one; everything else in lanes of eight.
///
/// ```
/// use coachwork_dbc::{Batch, CanId, ClassicFrame, Database, Match};
///
/// let database = Database::parse("BO_ 256 Engine: 8 X\n SG_ Speed : 0|16@1+ (0.25,0) [0|0] \"rpm\" X\n")?;
/// let frames = [0x1F40_u16, 0x2000].map(|raw| ClassicFrame::new(CanId::standard(256).unwrap(), &[&raw.to_le_bytes()[..], &[0; 6]].concat()).unwrap());
///
/// let mut batch = Batch::new(&database, Match::Exact);
/// let mut speeds = Vec::new();
/// batch.rows(&frames, |row| speeds.push(row.values()[0]));
/// assert_eq!(speeds, [2000.0, 2048.0]);
///
/// batch.columns(&frames, |block| assert_eq!(block.column(0), [2000.0, 2048.0]));
/// # Ok::<(), coachwork_dbc::LoadError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch<'d> {
    database: &'d Database,
    layouts: Layouts,
    scratch: rows::Scratch,
    cells: Cells,
    buckets: columns::Buckets,
    doubles: block::Doubles,
    narrow: narrow::Narrow,
}

impl<'d> Batch<'d> {
    /// Compiles a database; `by` says how identifiers find messages.
    pub fn new(database: &'d Database, by: Match) -> Self {
        let layouts = Layouts::new(database, by);
        let scratch = rows::Scratch::new(layouts.widest);
        Self {
            database,
            layouts,
            scratch,
            cells: Cells::new(database),
            buckets: columns::Buckets::default(),
            doubles: block::Doubles::default(),
            narrow: narrow::Narrow::default(),
        }
    }

    /// The database.
    pub fn database(&self) -> &'d Database {
        self.database
    }

    /// Decodes frames one after the other and hands out a row for each that the database knows.
    pub fn rows<F: BatchFrame>(&mut self, frames: &[F], sink: impl FnMut(Row<'_>)) -> BatchCounts {
        let mut pass =
            rows::Pass { database: self.database, layouts: &self.layouts, scratch: &mut self.scratch };
        #[cfg(feature = "std")]
        return fearless_simd::dispatch!(fearless_simd::Level::new(), simd => pass.run(simd, frames, sink));
        #[cfg(not(feature = "std"))]
        pass.run((), frames, sink)
    }

    /// Decodes frames message by message and hands out blocks of columns: for each message in turn some of its frames, and for each signal their values.
    ///
    /// A block holds the frames of one message in their order; blocks of different messages interleave.
    pub fn columns<F: BatchFrame>(&mut self, frames: &[F], mut sink: impl FnMut(Block<'_>)) -> BatchCounts {
        let Self { database, layouts, cells, buckets, doubles, .. } = self;
        doubles.prepare(layouts.widest);
        let sink = |about: columns::About<'_>, doubles: &block::Doubles| sink(Block::new(about, doubles));
        let mut pass = columns::Pass { database, layouts, cells, buckets };
        #[cfg(feature = "std")]
        return fearless_simd::dispatch!(fearless_simd::Level::new(), simd => pass.run(simd, frames, doubles, sink));
        #[cfg(not(feature = "std"))]
        pass.run((), frames, doubles, sink)
    }

    /// The same with each column in the narrowest type that holds every value of its signal exactly: [`ColumnType::of`] says which.
    ///
    /// ```
    /// use coachwork_dbc::{Batch, CanId, ClassicFrame, Column, Content, Database, Match};
    ///
    /// let text = "BO_ 256 Body: 2 X\n SG_ Open : 0|1@1+ (1,0) [0|0] \"\" X\n SG_ Outside : 8|8@1+ (1,-40) [0|0] \"degC\" X\n";
    /// let database = Database::parse(text)?;
    /// let frames = [[1, 30], [0, 61]].map(|payload| ClassicFrame::new(CanId::standard(256).unwrap(), &payload).unwrap());
    ///
    /// Batch::new(&database, Match::Exact).narrow_columns(&frames, Content::Physical, |block| {
    ///     assert_eq!(block.column(0), Some(Column::Bool(&[true, false])));
    ///     assert_eq!(block.column(1), Some(Column::I16(&[-10, 21])));
    /// });
    /// # Ok::<(), coachwork_dbc::LoadError>(())
    /// ```
    pub fn narrow_columns<F: BatchFrame>(
        &mut self,
        frames: &[F],
        content: Content,
        mut sink: impl FnMut(NarrowBlock<'_>),
    ) -> BatchCounts {
        let Self { database, layouts, cells, buckets, narrow, .. } = self;
        narrow.prepare(database.messages(), content, layouts.widest);
        let sink = |about: columns::About<'_>, narrow: &narrow::Narrow| sink(NarrowBlock::new(about, narrow));
        let mut pass = columns::Pass { database, layouts, cells, buckets };
        #[cfg(feature = "std")]
        return fearless_simd::dispatch!(fearless_simd::Level::new(), simd => pass.run(simd, frames, narrow, sink));
        #[cfg(not(feature = "std"))]
        pass.run((), frames, narrow, sink)
    }
}

/// What a row and a block are about.
fn message_of(database: &Database, place: u32) -> Option<&Message> {
    database.messages().get(place as usize)
}

/// Decodes one by one what lanes cannot hold.
fn single(message: &Message, index: SignalIndex, payload: &[u8]) -> Option<f64> {
    let field = message.plan.field(index.position())?;
    Some(field.double(field.bits(payload)?))
}
