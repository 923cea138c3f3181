//! Messages become layouts: for each message, and for each value of its multiplexer, the signals that are present and their lanes.
//!
//! *Invariant:* signals keep the order of the file; what the lanes cannot hold is decoded one by one afterwards, into the same places.
//! *Next:* `lanes.rs` (the lanes), `rows.rs` and `columns.rs` (the loops).

use alloc::vec;
use alloc::vec::Vec;

use super::lanes::{Chunk, LANES, Lane};
use crate::index::IdTable;
use crate::model::message::{Message, SignalIndex};
use crate::model::signal::Signal;
use crate::{Database, Match};

/// The widest multiplexer that gets a table of its values.
const MAX_TABLE_BITS: u32 = 12;
/// A payload that no frame has.
pub(super) const NEVER: u8 = u8::MAX;
/// The bytes of a window.
const WINDOW: u32 = 8;

/// What the loop over frames needs of a layout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) first: u32,
    pub(super) layout: u32,
    pub(super) chunks: u8,
    /// The payload's least length; [`NEVER`] for no message.
    pub(super) least: u8,
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

pub(super) const UNKNOWN: Header = Header { first: 0, layout: 0, chunks: 0, least: NEVER, kind: Kind::Plain };

/// The signals of a message, for one value of its multiplexer where it has one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    pub(super) message: u32,
    pub(super) signals: Vec<SignalIndex>,
    /// Lanes by signal, with their window; `None` where lanes cannot hold it.
    pub(super) lanes: Vec<Option<(u32, Lane)>>,
    /// Places in `signals` that the chunks leave out.
    pub(super) singles: Vec<u32>,
    pub(super) multiplexer: Option<Multiplexer>,
    /// The multiplexer has a value for which nothing is defined.
    pub(super) undefined: bool,
}

/// A multiplexer and the layouts of its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Multiplexer {
    pub(super) lane: Lane,
    pub(super) window: u32,
    /// Headers by value.
    pub(super) headers: Vec<u32>,
}

/// Every message of a database, laid out.
#[derive(Clone, Debug)]
pub(super) struct Layouts {
    pub(super) headers: Vec<Header>,
    pub(super) list: Vec<Layout>,
    pub(super) chunks: Vec<Chunk>,
    /// The window of each chunk.
    pub(super) windows: Vec<u8>,
    /// How many chunks every message has at least.
    pub(super) floor: usize,
    pub(super) ids: IdTable,
    pub(super) by: Match,
    /// The most signals of a layout.
    pub(super) widest: usize,
}

impl Layouts {
    pub(super) fn new(database: &Database, by: Match) -> Self {
        let messages = database.messages();
        let mut layouts = Self {
            headers: vec![UNKNOWN; messages.len()],
            list: Vec::new(),
            chunks: Vec::new(),
            windows: Vec::new(),
            floor: 1,
            ids: IdTable::new((0..).zip(messages).map(|(place, message)| (message.id(), place))),
            by,
            widest: messages.iter().map(|message| message.signals().len()).max().unwrap_or(0),
        };
        for (place, message) in (0..).zip(messages) {
            let header = layouts.add_message(place, message);
            if let Some(slot) = layouts.headers.get_mut(place as usize) {
                *slot = header;
            }
        }
        // Dense files decode two chunks at once, so that the number of chunks seldom varies.
        let wide = layouts.headers.iter().filter(|header| header.chunks > 1).count();
        layouts.floor = if wide * 10 > layouts.headers.len() { 2 } else { 1 };
        for _ in 0..layouts.floor {
            layouts.chunks.push(Chunk::default());
            layouts.windows.push(0);
        }
        layouts
    }

    fn add_message(&mut self, place: u32, message: &Message) -> Header {
        let Ok(least) = u8::try_from(message.length()) else { return UNKNOWN };
        if message.length() > 64 {
            return UNKNOWN;
        }
        let present: Vec<SignalIndex> = message
            .indexed_signals()
            .filter(|(index, _)| message.holds(*index))
            .map(|(index, _)| index)
            .collect();
        let mut multiplexers = message.plan.multiplexers().filter(|at| !message.plan.defined(*at).is_empty());
        let (first, second) = (multiplexers.next(), multiplexers.next());
        let Some(multiplexer) = first else { return self.add(place, message, present, least, false) };
        let nested = second.is_some() || message.plan.selector(multiplexer).is_some();
        let small =
            message.signals.get(multiplexer).filter(|signal| signal.length <= MAX_TABLE_BITS && !nested);
        let lane = small
            .filter(|_| message.plan.field(multiplexer).is_some_and(|field| field.fits(message.length())))
            .and_then(|signal| window_of(signal, message.length()));
        let Some((signal, (window, lane))) = small.zip(lane) else { return self.add_single(place, least) };
        // One layout for each set of signals that a value selects.
        let mut known: Vec<(Vec<SignalIndex>, bool, u32)> = Vec::new();
        let mut headers = Vec::new();
        for value in 0..1_u64 << signal.length {
            let selected: Vec<SignalIndex> = present
                .iter()
                .copied()
                .filter(|index| message.plan.is_selected(index.position(), multiplexer, value))
                .collect();
            let undefined = !crate::plan::contains(message.plan.defined(multiplexer), value);
            let same = known.iter().find(|known| known.0 == selected && known.1 == undefined);
            let header = if let Some(known) = same {
                known.2
            } else {
                let header = self.add(place, message, selected.clone(), least, undefined);
                let at = u32::try_from(self.headers.len()).unwrap_or(u32::MAX);
                self.headers.push(header);
                known.push((selected, undefined, at));
                at
            };
            headers.push(header);
        }
        let layout = self.next_layout();
        self.list.push(Layout {
            message: place,
            multiplexer: Some(Multiplexer { lane, window, headers }),
            ..Layout::default()
        });
        Header { first: 0, layout, chunks: 0, least, kind: Kind::Multiplexed }
    }

    fn next_layout(&self) -> u32 {
        u32::try_from(self.list.len()).unwrap_or(u32::MAX)
    }

    fn add_single(&mut self, place: u32, least: u8) -> Header {
        let layout = self.next_layout();
        self.list.push(Layout { message: place, ..Layout::default() });
        Header { first: 0, layout, chunks: 0, least, kind: Kind::Single }
    }

    fn add(
        &mut self,
        place: u32,
        message: &Message,
        signals: Vec<SignalIndex>,
        least: u8,
        undefined: bool,
    ) -> Header {
        let (Ok(chunks), Ok(first)) =
            (u8::try_from(signals.len().div_ceil(LANES)), u32::try_from(self.chunks.len()))
        else {
            return self.add_single(place, least);
        };
        let lanes: Vec<Option<(u32, Lane)>> =
            signals.iter().map(|index| window_of(message.signal(*index)?, message.length())).collect();
        let mut singles = Vec::new();
        for group in lanes.chunks(LANES) {
            // Eight signals share a window where they can; what does not fit is decoded one by one.
            let window = best_window(message, &signals, self.chunks.len() - first as usize);
            let mut chunk = Chunk::default();
            let from = (self.chunks.len() - first as usize) * LANES;
            for (at, index) in signals.iter().skip(from).take(group.len()).enumerate() {
                match message.signal(*index).and_then(|signal| Lane::new(signal, window)) {
                    Some(lane) => chunk.set(at, &lane),
                    None => singles.extend(u32::try_from(from + at)),
                }
            }
            self.chunks.push(chunk);
            self.windows.push(u8::try_from(window).unwrap_or(0));
        }
        let layout = self.next_layout();
        let kind = if singles.is_empty() { Kind::Plain } else { Kind::Mixed };
        self.list.push(Layout { message: place, signals, lanes, singles, multiplexer: None, undefined });
        Header { first, layout, chunks, least, kind }
    }
}

/// The window for a group of eight signals that holds most of them.
fn best_window(message: &Message, signals: &[SignalIndex], group: usize) -> u32 {
    let group: Vec<&Signal> =
        signals.iter().skip(group * LANES).take(LANES).filter_map(|index| message.signal(*index)).collect();
    let held = |window: u32| group.iter().filter(|signal| Lane::new(signal, window).is_some()).count();
    if message.length() <= WINDOW as usize {
        return 0;
    }
    let firsts = group.iter().map(|signal| signal.start / 8);
    firsts
        .flat_map(|first| [first, first.saturating_sub(3), first.saturating_sub(6)])
        .max_by_key(|window| (held(*window), core::cmp::Reverse(*window)))
        .unwrap_or(0)
}

/// A window that holds a signal alone.
fn window_of(signal: &Signal, length: usize) -> Option<(u32, Lane)> {
    let window = if length <= WINDOW as usize { 0 } else { signal.start / 8 };
    Some((window, Lane::new(signal, window)?))
}
