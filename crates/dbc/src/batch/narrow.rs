//! Columns in the narrowest type that holds every value of their signal exactly.
//!
//! *Invariant:* a column's type follows from the signal alone, not from the values that happen to come; nothing is rounded but what a double of the
//! plain decoder rounds, too.
//! *Next:* `columns.rs` (who fills them), `block.rs` (doubles instead).

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::cells::Cell;
use super::columns::{About, BUCKET, Store};
use crate::model::signal::ByteOrder;
use crate::number::whole;
use crate::plan::mask;
use crate::{Message, Number, Signal, SignalIndex, ValueType};

/// What narrow columns hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Raw values, as [`SignalValue::raw`](crate::SignalValue::raw) gives them.
    Raw,
    /// Physical values: raw × factor + offset, as [`SignalValue::physical`](crate::SignalValue::physical) gives them.
    Physical,
}

macro_rules! columns {
    ($(($name:ident, $pool:ident, $t:ty, $what:literal)),*) => {
        /// The type of a column's values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ColumnType {
            $(#[doc = $what] $name,)*
        }

        /// The values of one signal, one for each frame of a block.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Column<'a> {
            $(#[doc = $what] $name(&'a [$t]),)*
        }

        impl Column<'_> {
            /// The type of the values.
            pub fn column_type(&self) -> ColumnType {
                match self {
                    $(Self::$name(_) => ColumnType::$name,)*
                }
            }

            /// The number of values.
            pub fn len(&self) -> usize {
                match self {
                    $(Self::$name(values) => values.len(),)*
                }
            }

            /// Whether there are no values.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// One value: an integer in full, or a double; `None` beyond the last.
            pub fn value(&self, at: usize) -> Option<Number> {
                match self {
                    $(Self::$name(values) => values.get(at).map(|value| number::$pool(*value)),)*
                }
            }
        }

        /// Room for a block of columns, by type.
        #[derive(Clone, Debug, Default)]
        struct Pools {
            $($pool: Vec<$t>,)*
        }

        impl Pools {
            /// Room for so many columns of each type.
            fn new(most: impl Fn(ColumnType) -> usize) -> Self {
                Self { $($pool: vec![<$t>::default(); most(ColumnType::$name) * BUCKET],)* }
            }

            fn column(&self, of: ColumnType, from: usize, length: usize) -> Column<'_> {
                match of {
                    $(ColumnType::$name => Column::$name(self.$pool.get(from..from + length).unwrap_or_default()),)*
                }
            }
        }

        impl ColumnType {
            /// Every type.
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}
columns!(
    (Bool, bools, bool, "No or yes: 0 or 1."),
    (U8, u8s, u8, "Integers from 0 to 2^8 - 1."),
    (I8, i8s, i8, "Integers from -2^7 to 2^7 - 1."),
    (U16, u16s, u16, "Integers from 0 to 2^16 - 1."),
    (I16, i16s, i16, "Integers from -2^15 to 2^15 - 1."),
    (U32, u32s, u32, "Integers from 0 to 2^32 - 1."),
    (I32, i32s, i32, "Integers from -2^31 to 2^31 - 1."),
    (U64, u64s, u64, "Integers from 0 to 2^64 - 1."),
    (I64, i64s, i64, "Integers from -2^63 to 2^63 - 1."),
    (F32, f32s, f32, "Singles."),
    (F64, f64s, f64, "Doubles.")
);

/// A value of each type as a number.
mod number {
    use crate::Number;

    macro_rules! numbers {
        ($($name:ident: $t:ty),*) => {
            $(pub(super) fn $name(value: $t) -> Number { Number::from(value) })*
        };
    }
    numbers!(u8s: u8, i8s: i8, u16s: u16, i16s: i16, u32s: u32, i32s: i32, u64s: u64, i64s: i64, f32s: f32, f64s: f64);

    pub(super) fn bools(value: bool) -> Number {
        Number::from(u8::from(value))
    }
}

impl ColumnType {
    /// The narrowest type that holds every value that the bits of this signal can make; `None` for a signal of more than 64 bits, which has no value.
    ///
    /// | signal | raw | physical |
    /// |---|---|---|
    /// | integer, whole factor and offset | from its bits and sign | from the least and the greatest value |
    /// | integer, other factor or offset | the same | [`F32`](Self::F32) where every raw × factor + offset is a single, exactly; otherwise [`F64`](Self::F64) |
    /// | single | [`F32`](Self::F32) | [`F32`](Self::F32) with factor 1 and offset 0, otherwise [`F64`](Self::F64) |
    /// | double | [`F64`](Self::F64) | [`F64`](Self::F64) |
    ///
    /// Of two integer types of one width, the unsigned one wins; integers that neither 64-bit type holds are [`F64`](Self::F64), rounded as
    /// [`SignalValue::double`](crate::SignalValue::double) rounds them.
    pub fn of(signal: &Signal, content: Content) -> Option<Self> {
        if !(1..=64).contains(&signal.length()) {
            return None;
        }
        let (factor, offset) = match content {
            Content::Raw => (1.0, 0.0),
            Content::Physical => (signal.factor(), signal.offset()),
        };
        let mask = i128::from(mask(signal.length()));
        let (low, high) = match signal.value_type() {
            ValueType::Unsigned => (0, mask),
            ValueType::Signed => (-(mask >> 1) - 1, mask >> 1),
            #[expect(clippy::float_cmp, reason = "exactly these leave a single as it is")]
            ValueType::F32 if factor == 1.0 && offset == 0.0 => return Some(Self::F32),
            ValueType::F32 | ValueType::F64 => return Some(Self::F64),
        };
        let Some((factor, offset)) = whole(factor).zip(whole(offset)) else {
            return Some(if fits_single(low, high, factor, offset) { Self::F32 } else { Self::F64 });
        };
        let ends = [low, high].map(|raw| raw * i128::from(factor) + i128::from(offset));
        Some(Self::holding(ends[0].min(ends[1]), ends[0].max(ends[1])))
    }

    fn holding(low: i128, high: i128) -> Self {
        macro_rules! first {
            ($($name:ident: $t:ty),*) => {
                $(if <$t>::try_from(low).is_ok() && <$t>::try_from(high).is_ok() { return Self::$name; })*
            };
        }
        if low >= 0 && high <= 1 {
            return Self::Bool;
        }
        first!(U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, U64: u64, I64: i64);
        Self::F64
    }
}

/// Whether raw × factor + offset is exact in a single for all raw integers between these: all of them, and each step on the way, are multiples of one
/// power of two, and at most 2^24 of it.
#[expect(clippy::cast_precision_loss, reason = "what is compared are powers of two and sums far below 2^53")]
fn fits_single(low: i128, high: i128, factor: f64, offset: f64) -> bool {
    const MOST: i128 = 1 << 24;
    if low < -MOST || high > MOST {
        return false;
    }
    (1..=64_u32).any(|places| {
        let unit = (1_u128 << places) as f64;
        let Some((factor, offset)) = whole(factor * unit).zip(whole(offset * unit)) else { return false };
        [low, high].into_iter().all(|raw| {
            let product = raw * i128::from(factor);
            product.abs() <= MOST && (product + i128::from(offset)).abs() <= MOST
        })
    })
}

/// Some frames of one message, by signal, each column in the narrowest type that holds its signal.
///
/// Every cell has a value: signals that some frames lack are in blocks of their own. Whether a raw value stands for "not available" or "error", the
/// signal says: [`Signal::availability`].
#[derive(Clone, Copy)]
pub struct NarrowBlock<'a> {
    about: About<'a>,
    narrow: &'a Narrow,
}

impl<'a> NarrowBlock<'a> {
    pub(super) fn new(about: About<'a>, narrow: &'a Narrow) -> Self {
        Self { about, narrow }
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

    /// The values of the signal at this place of [`signals`](Self::signals), one for each frame; `None` beyond the last signal.
    pub fn column(&self, at: usize) -> Option<Column<'a>> {
        let (of, from) = *self.narrow.places.get(at).filter(|_| at < self.about.signals.len())?;
        Some(self.narrow.pools.column(of, from, self.about.frames.len()))
    }

    /// Whether a multiplexer has a value for which the database defines nothing, so that signals may be missing.
    pub fn is_partial(&self) -> bool {
        self.about.partial
    }
}

impl fmt::Debug for NarrowBlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = (0..self.about.signals.len()).filter_map(|at| self.column(at));
        f.debug_struct("NarrowBlock")
            .field("message", &self.about.message.name())
            .field("signals", &self.about.signals)
            .field("frames", &self.about.frames)
            .field("columns", &columns.collect::<Vec<_>>())
            .field("partial", &self.about.partial)
            .finish()
    }
}

/// Room for a block of narrow columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Narrow {
    pools: Pools,
    content: Option<Content>,
    /// By column: its type, and where it begins.
    places: Vec<(ColumnType, usize)>,
    /// By type: how much is taken.
    taken: [usize; ColumnType::ALL.len()],
}

impl Narrow {
    /// Makes room for messages with these signals.
    pub(super) fn prepare(&mut self, messages: &[Message], content: Content, widest: usize) {
        if self.content == Some(content) {
            return;
        }
        let mut most = [0; ColumnType::ALL.len()];
        for message in messages {
            let mut here = [0; ColumnType::ALL.len()];
            for of in message.signals().iter().filter_map(|signal| ColumnType::of(signal, content)) {
                if let Some(count) = here.get_mut(of as usize) {
                    *count += 1;
                }
            }
            for (most, here) in most.iter_mut().zip(here) {
                *most = here.max(*most);
            }
        }
        self.pools = Pools::new(|of| most.get(of as usize).copied().unwrap_or(0));
        self.places = Vec::with_capacity(widest);
        self.content = Some(content);
    }
}

macro_rules! integers {
    ($cell:ident, $windows:ident, $out:expr, $t:ty, $content:ident) => {
        fill($cell, $windows, $out, $content, |value| value as $t)
    };
}

impl Store for Narrow {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
    #[expect(clippy::cast_possible_truncation, reason = "the type holds every value of the signal")]
    fn column(&mut self, at: usize, cell: &Cell, windows: &[u64]) {
        if at == 0 {
            self.places.clear();
            self.taken = Default::default();
        }
        let content = self.content.unwrap_or(Content::Raw);
        let of = if content == Content::Raw { cell.raw } else { cell.physical };
        let Some(taken) = self.taken.get_mut(of as usize) else { return };
        let range = *taken..*taken + windows.len();
        self.places.push((of, *taken));
        *taken = range.end;
        let pools = &mut self.pools;
        macro_rules! out {
            ($pool:ident) => {
                pools.$pool.get_mut(range).unwrap_or_default()
            };
        }
        match of {
            ColumnType::Bool => fill(cell, windows, out!(bools), content, |value| value != 0),
            ColumnType::U8 => integers!(cell, windows, out!(u8s), u8, content),
            ColumnType::I8 => integers!(cell, windows, out!(i8s), i8, content),
            ColumnType::U16 => integers!(cell, windows, out!(u16s), u16, content),
            ColumnType::I16 => integers!(cell, windows, out!(i16s), i16, content),
            ColumnType::U32 => integers!(cell, windows, out!(u32s), u32, content),
            ColumnType::I32 => integers!(cell, windows, out!(i32s), i32, content),
            ColumnType::U64 => fill(cell, windows, out!(u64s), content, |value| value),
            ColumnType::I64 => fill(cell, windows, out!(i64s), content, u64::cast_signed),
            ColumnType::F32 if cell.value_type == ValueType::F32 => {
                for (out, window) in out!(f32s).iter_mut().zip(windows) {
                    *out = f32::from_bits(cell.bits.of(*window) as u32);
                }
            }
            ColumnType::F32 => {
                let (factor, offset) = cell.scaling;
                for (out, window) in out!(f32s).iter_mut().zip(windows) {
                    *out = (cell.raw_double(*window) * factor + offset) as f32;
                }
            }
            ColumnType::F64 if content == Content::Raw => {
                for (out, window) in out!(f64s).iter_mut().zip(windows) {
                    *out = cell.raw_double(*window);
                }
            }
            ColumnType::F64 => cell.doubles(windows, out!(f64s)),
        }
    }
}

/// A column of integers, modulo 2^64 and then in its type.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must take on the caller's instruction set")]
fn fill<T>(cell: &Cell, windows: &[u64], out: &mut [T], content: Content, narrow: impl Fn(u64) -> T) {
    let whole = cell.whole.filter(|whole| content == Content::Physical && *whole != (1, 0));
    let (shift, mask, sign) = (cell.bits.shift & 63, cell.bits.mask, cell.sign);
    let raw = move |word: u64| (((word >> shift) & mask) ^ sign).wrapping_sub(sign);
    let values = out.iter_mut().zip(windows);
    match (cell.order(), whole) {
        (ByteOrder::LittleEndian, None) => values.for_each(|(out, word)| *out = narrow(raw(*word))),
        (ByteOrder::BigEndian, None) => values.for_each(|(out, word)| *out = narrow(raw(word.swap_bytes()))),
        (order, Some((factor, offset))) => {
            let (factor, offset) = (factor.cast_unsigned(), offset.cast_unsigned());
            let scaled = |word| narrow(raw(word).wrapping_mul(factor).wrapping_add(offset));
            if order == ByteOrder::LittleEndian {
                values.for_each(|(out, word)| *out = scaled(*word));
            } else {
                values.for_each(|(out, word)| *out = scaled(word.swap_bytes()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_from_bits_and_scaling() {
        use ColumnType::{Bool, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
        let plain = |length| Signal::new("s", 0, length);
        let signed = |length| plain(length).with_value_type(ValueType::Signed);
        for (signal, raw, physical) in [
            (plain(1), Bool, Bool),
            (plain(1).with_scaling(-1.0, 1.0), Bool, Bool),
            (plain(1).with_scaling(2.0, 0.0), Bool, U8),
            (signed(1), I8, I8),
            (plain(2), U8, U8),
            (plain(8), U8, U8),
            (plain(8).with_scaling(1.0, -40.0), U8, I16),
            (plain(8).with_scaling(1.0, 1.0), U8, U16),
            (plain(7).with_scaling(-1.0, 0.0), U8, I8),
            (signed(8), I8, I8),
            (signed(9), I16, I16),
            (plain(16).with_scaling(1000.0, 0.0), U16, U32),
            (plain(17), U32, U32),
            (signed(32), I32, I32),
            (plain(33), U64, U64),
            (signed(64), I64, I64),
            (plain(64), U64, U64),
            // Beyond both 64-bit types.
            (plain(64).with_scaling(1.0, -1.0), U64, F64),
            (plain(64).with_scaling(2.0, 0.0), U64, F64),
            // Binary fractions are exact in a single as long as there are few enough of them.
            (plain(16).with_scaling(0.5, 0.0), U16, F32),
            (plain(16).with_scaling(0.015_625, -273.0), U16, F32),
            (plain(24).with_scaling(0.5, 0.0), U32, F32),
            (plain(25).with_scaling(0.5, 0.0), U32, F64),
            (plain(16).with_scaling(0.5, 0.25), U16, F32),
            (plain(24).with_scaling(0.5, 0.25), U32, F64),
            (plain(8).with_scaling(0.1, 0.0), U8, F64),
            (plain(8).with_scaling(1.0, 0.1), U8, F64),
            (plain(32).with_value_type(ValueType::F32), F32, F32),
            (plain(32).with_value_type(ValueType::F32).with_scaling(2.0, 0.0), F32, F64),
            (plain(64).with_value_type(ValueType::F64), F64, F64),
        ] {
            assert_eq!(ColumnType::of(&signal, Content::Raw), Some(raw), "{signal:?}");
            assert_eq!(ColumnType::of(&signal, Content::Physical), Some(physical), "{signal:?}");
        }
        assert_eq!(ColumnType::of(&plain(65), Content::Raw), None);
    }
}
