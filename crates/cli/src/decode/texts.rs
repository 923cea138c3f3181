//! The value of a signal becomes text: name, number or label, unit.
//!
//! Most values of a recording are values that it had before, so that the texts of the last ones are kept.
//! *Invariant:* a kept text is the text that the value would be given anew; how many are kept never grows.
//! *Next:* `../number.rs` (the digits), `render.rs` (what stands around the signals).

use super::line::Line;
use crate::Format;
use crate::number;
use coachwork_dbc::{Database, Message, Raw, SignalValue};

/// How signals are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) format: Format,
    pub(super) raw: bool,
    pub(super) single_line: bool,
    pub(super) labels: bool,
}

impl Style {
    /// What stands between two signals on the same line.
    pub(super) fn separator(self) -> &'static [u8] {
        match self.format {
            Format::Text if self.single_line => b", ",
            Format::Text | Format::Jsonl => b",",
        }
    }
}

/// The texts of a database's signals.
#[derive(Debug)]
pub(super) struct Texts {
    style: Style,
    /// By signal, those of the first message first.
    around: Vec<Around>,
    kept: Vec<Kept>,
    scratch: Vec<u8>,
}

/// What stands before and after the value of a signal.
#[derive(Debug)]
struct Around {
    /// `"Signal":`, or `\n    Signal: `.
    before: Vec<u8>,
    /// ` km/h`; for the text of a number.
    unit: Vec<u8>,
}

/// A text with its separator, and whose it is.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Kept {
    /// Signal and value; zero where nothing is kept.
    key: u64,
    len: u8,
    text: [u8; LONGEST],
}

/// The longest text that is kept, so that one takes two lines of the cache.
const LONGEST: usize = 119;
/// A text of this length takes the first line alone.
const USUAL: usize = 55;
/// How many texts are kept, as a power of two: a megabyte of them.
const KEPT_BITS: u32 = 13;

impl Texts {
    pub(super) fn new(database: &Database, style: Style) -> Self {
        let mut around = Vec::new();
        for signal in database.messages().iter().flat_map(Message::signals) {
            let mut before = Vec::new();
            let mut unit = Vec::new();
            match style.format {
                Format::Jsonl => {
                    number::text(&mut before, signal.name());
                    before.push(b':');
                }
                Format::Text => {
                    before.extend_from_slice(if style.single_line { b"" } else { b"\n    " });
                    before.extend_from_slice(signal.name().as_bytes());
                    before.extend_from_slice(b": ");
                    if !signal.unit().is_empty() && !style.raw {
                        unit.push(b' ');
                        unit.extend_from_slice(signal.unit().as_bytes());
                    }
                }
            }
            around.push(Around { before, unit });
        }
        let kept = vec![Kept { key: 0, len: 0, text: [0; LONGEST] }; 1 << KEPT_BITS];
        Self { style, around, kept, scratch: Vec::new() }
    }

    /// Adds a value with its separator; `signal` counts the signals of all messages.
    #[expect(clippy::inline_always, reason = "the place in the line stays in a register")]
    #[inline(always)]
    pub(super) fn put(&mut self, line: &mut Line<'_>, signal: usize, value: &SignalValue<'_>) -> Option<()> {
        let short = match value.raw() {
            Raw::Unsigned(value) => u16::try_from(value).ok(),
            Raw::Signed(value) => i16::try_from(value).ok().map(i16::cast_unsigned),
            Raw::F32(_) | Raw::F64(_) => None,
        };
        let Some(short) = short else { return line.extend(self.write(signal, value, None)) };
        let key = (signal as u64 + 1) << 16 | u64::from(short);
        // The golden ratio scatters what is near together.
        let place = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - KEPT_BITS);
        let place = usize::try_from(place).unwrap_or(0);
        match self.kept.get(place) {
            Some(kept) if kept.key == key => {
                let len = usize::from(kept.len);
                if let (true, Some(text)) = (len <= USUAL, kept.text.first_chunk::<USUAL>()) {
                    line.put(text, len)
                } else {
                    line.put(&kept.text, len)
                }
            }
            _ => line.extend(self.write(signal, value, Some((key, place)))),
        }
    }

    /// Makes the text and keeps it where a place is given.
    #[inline(never)]
    fn write(&mut self, signal: usize, value: &SignalValue<'_>, keep: Option<(u64, usize)>) -> &[u8] {
        let Some(around) = self.around.get(signal) else { return &[] };
        let text = &mut self.scratch;
        text.clear();
        text.extend_from_slice(&around.before);
        let label = if self.style.labels && !self.style.raw && self.style.format == Format::Text {
            value.label()
        } else {
            None
        };
        match (label, self.style.format) {
            (Some(label), _) => text.extend_from_slice(label.as_bytes()),
            _ if self.style.raw => number::raw(text, value.raw()),
            (None, Format::Jsonl) => number::physical(text, value.physical()),
            (None, Format::Text) => {
                number::plain(text, value.physical());
                text.extend_from_slice(&around.unit);
            }
        }
        text.extend_from_slice(self.style.separator());
        if let Some((key, place)) = keep
            && let Some(kept) = self.kept.get_mut(place)
            && let Some(into) = kept.text.get_mut(..text.len())
            && let Ok(len) = u8::try_from(text.len())
        {
            into.copy_from_slice(text);
            (kept.key, kept.len) = (key, len);
        }
        text
    }
}
