//! Messages become layouts: for each message, and for each value of its multiplexer, the signals that are present and their lanes.
//!
//! *Invariant:* signals keep the order of the file; what the lanes cannot hold is decoded one by one afterwards, into the same places; an identifier
//! leads to its header in one read (two more for 29 bits), and an unknown one to a header that every frame is too short for.
//! *Next:* `lanes.rs` (the lanes), `rows.rs` and `columns.rs` (the loops).

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::BatchFrame;
use super::lanes::{Bits, Chunk, LANES, Lane, span};
use crate::index::KeyTable;
use crate::model::message::{Message, SignalIndex};
use crate::model::signal::{ByteOrder, Signal};
use crate::plan::Field;
use crate::{CanId, Database, Match};

/// The widest multiplexer that gets a table of its values.
const MAX_TABLE_BITS: u32 = 12;
/// The most entries of all these tables.
const MAX_CHOSEN: usize = 1 << 20;
/// A length that no payload reaches; longer ones count as one byte less.
pub(super) const NEVER: u16 = u16::MAX;
/// The most signals of a layout in lanes.
const MAX_SIGNALS: usize = 1024;
/// The number of 11-bit identifiers.
const STANDARD: usize = 2048;

/// What the loop over frames needs of a layout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    /// The first chunk; of a multiplexed message, its multiplexer.
    pub(super) first: u32,
    pub(super) layout: u32,
    /// The payload's least length; [`NEVER`] for no message.
    pub(super) least: u16,
    pub(super) signals: u16,
    /// Where the second and the third chunk begin in the row, or would if there were one.
    pub(super) second: u8,
    pub(super) third: u8,
    pub(super) chunks: u8,
    pub(super) kind: Kind,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lanes hold everything.
    Plain,
    /// Some signals are decoded one by one.
    Mixed,
    /// A multiplexer chooses another layout.
    Multiplexed,
    /// Everything is decoded one by one.
    Single,
}

pub(super) static UNKNOWN: Header = Header {
    first: 0,
    layout: 0,
    least: NEVER,
    signals: 0,
    second: 8,
    third: 16,
    chunks: 0,
    kind: Kind::Plain,
};

/// The signals of a message, for one value of its multiplexer where it has one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    pub(super) message: u32,
    pub(super) signals: Vec<SignalIndex>,
    /// Places in `signals` that the chunks leave out.
    pub(super) singles: Vec<u32>,
    /// The multiplexer has a value for which nothing is defined.
    pub(super) undefined: bool,
}

/// A multiplexer and the headers of its values.
#[derive(Clone, Debug, PartialEq)]
struct Multiplexer {
    bits: Bits,
    window: usize,
    /// The place of the header of value 0; those of the other values follow.
    base: usize,
    /// The value from which on nothing is defined.
    last: u64,
}

/// Every message of a database, laid out.
#[derive(Clone, Debug)]
pub(super) struct Layouts {
    /// By message.
    headers: Vec<Header>,
    /// By 11-bit identifier.
    standard: Box<[Header]>,
    extended: KeyTable,
    by: Match,
    pub(super) list: Vec<Layout>,
    pub(super) chunks: Vec<Chunk>,
    multiplexers: Vec<Multiplexer>,
    /// Headers by the values of multiplexers.
    chosen: Vec<Header>,
    /// How many chunks every frame gets at least.
    pub(super) floor: usize,
    /// Chunks lie side by side in their rows, and all read the first eight bytes.
    pub(super) regular: bool,
    /// Lanes hold everything, and there is no multiplexer.
    pub(super) plain: bool,
    /// The most signals of a layout.
    pub(super) widest: usize,
}

impl Layouts {
    pub(super) fn new(database: &Database, by: Match) -> Self {
        let messages = database.messages();
        let extended = (0..).zip(messages).filter(|(_, message)| message.id().is_extended());
        let mut layouts = Self {
            headers: Vec::with_capacity(messages.len()),
            standard: vec![UNKNOWN; STANDARD].into_boxed_slice(),
            extended: KeyTable::new(extended.map(|(place, message)| (message.id().raw(), place)).collect()),
            by,
            list: Vec::new(),
            chunks: Vec::new(),
            multiplexers: Vec::new(),
            chosen: Vec::new(),
            floor: 1,
            regular: true,
            plain: true,
            widest: messages.iter().map(|message| message.signals().len()).max().unwrap_or(0),
        };
        for (place, message) in (0..).zip(messages) {
            let header = layouts.add_message(place, message);
            layouts.headers.push(header);
            // Of equal identifiers the first wins.
            let at = message.id().to_dbc() as usize;
            if let Some(slot) = layouts
                .standard
                .get_mut(at)
                .filter(|_| database.message(message.id()).is_some_and(|first| core::ptr::eq(first, message)))
            {
                *slot = header;
            }
        }
        let all = || layouts.headers.iter().chain(&layouts.chosen);
        layouts.plain = all().all(|header| header.kind == Kind::Plain);
        // Where many messages have more than one chunk, two are decoded at once, so that their number seldom surprises.
        let wide = |more: u8| layouts.headers.iter().filter(|header| header.chunks > more).count();
        layouts.floor = if wide(1) * 10 > layouts.headers.len() { 2 } else { 1 };
        layouts.regular =
            layouts.chunks.iter().all(|chunk| chunk.window == 0 && chunk.start.is_multiple_of(LANES));
        layouts.chunks.resize_with(layouts.chunks.len() + 3, Chunk::default);
        layouts
    }

    /// The header of the message that a frame carries.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(super) fn header(&self, id: CanId) -> &Header {
        // An extended identifier is beyond the table.
        match self.standard.get(id.to_dbc() as usize) {
            Some(header) => header,
            None => self.headers.get(self.extended.place(id.raw()) as usize).unwrap_or(&UNKNOWN),
        }
    }

    /// The header by parameter group, where the identifier led to none.
    #[inline(never)]
    pub(super) fn otherwise<'a>(&'a self, database: &Database, id: CanId, header: &'a Header) -> &'a Header {
        if header.least != NEVER || self.by == Match::Exact {
            return header;
        }
        let place = database.find_position(id, self.by);
        place.and_then(|place| self.headers.get(place)).unwrap_or(&UNKNOWN)
    }

    /// The header that a multiplexer's value chooses.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    pub(super) fn choose<F: BatchFrame>(&self, header: &Header, frame: &F) -> &Header {
        let Some(multiplexer) = self.multiplexers.get(header.first as usize) else { return &UNKNOWN };
        let value = multiplexer.bits.of(frame.window(multiplexer.window)).min(multiplexer.last);
        // At most 2^12.
        #[expect(clippy::cast_possible_truncation, reason = "it is below the table's length")]
        let at = multiplexer.base + value as usize;
        self.chosen.get(at).unwrap_or(&UNKNOWN)
    }

    fn add_message(&mut self, place: u32, message: &Message) -> Header {
        let Some(least) = u16::try_from(message.length()).ok().filter(|length| *length <= 64) else {
            return UNKNOWN;
        };
        let present: Vec<SignalIndex> = message
            .indexed_signals()
            .filter(|(index, _)| message.holds(*index))
            .map(|(index, _)| index)
            .collect();
        let mut multiplexers = message.plan.multiplexers().filter(|at| !message.plan.defined(*at).is_empty());
        let (first, second) = (multiplexers.next(), multiplexers.next());
        let Some(position) = first else { return self.add(place, message, present, least, false) };
        let nested = second.is_some() || message.plan.selector(position).is_some();
        let small = message.signals.get(position).filter(|signal| {
            let field = message.plan.field(position);
            !nested
                && signal.length <= MAX_TABLE_BITS
                && field.is_some_and(|field| field.fits(message.length()))
        });
        let bits = small.and_then(|signal| {
            let window = window(signal.start / 8, message.length());
            Some((signal, window, Bits::new(signal, window, signal.byte_order)?))
        });
        // Beyond the last value that is defined, all are alike.
        let defined = message.plan.defined(position);
        let last = defined.last().map_or(0, |range| range.1.saturating_add(1));
        let room = self.chosen.len() + (1 << MAX_TABLE_BITS) < MAX_CHOSEN;
        let Some((signal, window, bits)) = bits.filter(|_| room) else {
            return self.add_single(place, least);
        };
        let last = last.min(crate::plan::mask(signal.length));
        let base = self.chosen.len();
        // One layout for each set of signals that a value selects.
        let mut known: Vec<(Vec<SignalIndex>, bool, Header)> = Vec::new();
        for value in 0..=last {
            let selected: Vec<SignalIndex> = present
                .iter()
                .copied()
                .filter(|index| message.plan.is_selected(index.position(), position, value))
                .collect();
            let undefined = !crate::plan::contains(defined, value);
            let same = known.iter().find(|known| known.0 == selected && known.1 == undefined);
            let header = if let Some(known) = same {
                known.2
            } else {
                let header = self.add(place, message, selected.clone(), least, undefined);
                known.push((selected, undefined, header));
                header
            };
            self.chosen.push(header);
        }
        let first = u32::try_from(self.multiplexers.len()).unwrap_or(u32::MAX);
        self.multiplexers.push(Multiplexer { bits, window: window as usize, base, last });
        let chunks = known.iter().map(|known| known.2.chunks).max().unwrap_or(0);
        Header { first, chunks, kind: Kind::Multiplexed, ..self.add_single(place, least) }
    }

    fn add_single(&mut self, place: u32, least: u16) -> Header {
        let layout = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(Layout { message: place, ..Layout::default() });
        Header { layout, least, kind: Kind::Single, ..UNKNOWN }
    }

    fn add(
        &mut self,
        place: u32,
        message: &Message,
        signals: Vec<SignalIndex>,
        least: u16,
        undefined: bool,
    ) -> Header {
        let first = u32::try_from(self.chunks.len());
        let (Ok(first), Ok(count), true) =
            (first, u16::try_from(signals.len()), signals.len() <= MAX_SIGNALS)
        else {
            return self.add_single(place, least);
        };
        let pair = |index: &SignalIndex| message.signal(*index).zip(message.plan.field(index.position()));
        let of: Vec<Option<(&Signal, &Field)>> = signals.iter().map(pair).collect();
        let mut singles = Vec::new();
        let mut starts = [usize::from(u8::MAX); 3];
        let (mut start, mut chunks) = (0, 0_u8);
        while let Some(rest) = of.get(start..).filter(|rest| !rest.is_empty()) {
            let (length, window, order) = group(rest, message.length());
            let mut chunk = Chunk::new(start, window, order);
            for (at, signal) in rest.iter().take(length).enumerate() {
                match signal.and_then(|(signal, field)| Lane::new(signal, field, window, order)) {
                    Some(lane) => chunk.set(at, &lane),
                    None => singles.extend(u32::try_from(start + at)),
                }
            }
            self.chunks.push(chunk);
            if let Some(slot) = starts.get_mut(usize::from(chunks)) {
                *slot = start;
            }
            let Some(more) = chunks.checked_add(1) else { return self.add_single(place, least) };
            chunks = more;
            start += length;
        }
        let byte = |at: usize| u8::try_from(at).unwrap_or(u8::MAX);
        let second = if chunks > 1 { byte(starts[1]) } else { 8 };
        let third = if chunks > 2 { byte(starts[2]) } else { second + 8 };
        let layout = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let kind = if singles.is_empty() { Kind::Plain } else { Kind::Mixed };
        self.list.push(Layout { message: place, signals, singles, undefined });
        Header { first, layout, least, signals: count, second, third, chunks, kind }
    }
}

/// How many of these signals, at most eight, go into one chunk: they share a window of eight bytes, and a byte order. What no lane holds takes part
/// wherever it stands.
fn group(signals: &[Option<(&Signal, &Field)>], length: usize) -> (usize, u32, ByteOrder) {
    let (mut count, mut bytes, mut order) = (0, None::<(u32, u32)>, None);
    for signal in signals.iter().take(LANES) {
        let held = signal.filter(|(signal, field)| {
            Lane::new(signal, field, signal.start / 8, signal.byte_order).is_some()
        });
        let held = held.and_then(|(signal, _)| Some((span(signal)?, signal.byte_order)));
        if let Some(((first, last), of)) = held {
            let (from, to) = bytes.map_or((first, last), |(from, to)| (from.min(first), to.max(last)));
            let of = (first != last).then_some(of);
            if to - from > 7 || order.zip(of).is_some_and(|(order, of)| order != of) {
                break;
            }
            (bytes, order) = (Some((from, to)), order.or(of));
        }
        count += 1;
    }
    (count, window(bytes.map_or(0, |bytes| bytes.0), length), order.unwrap_or_default())
}

/// The window for what begins at this byte: all of it within the message, where that is long enough.
pub(super) fn window(first: u32, length: usize) -> u32 {
    first.min(u32::try_from(length.saturating_sub(8)).unwrap_or(u32::MAX))
}
