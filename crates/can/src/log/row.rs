//! Numbers become the digits of a line that is put together in one buffer.
//!
//! *Invariant:* nothing is rounded; the buffer is reused, so that a line costs no allocation.
//! *Next:* the writers of text formats.

/// A line in the making.
#[derive(Debug, Default)]
pub(super) struct Row(Vec<u8>);

impl Row {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    #[inline]
    pub(super) fn push(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }

    /// Spaces up to this column (from 0), and one at least.
    pub(super) fn pad_to(&mut self, column: usize) {
        let end = column.max(self.0.len() + 1);
        self.0.resize(end, b' ');
    }

    /// What `write` writes, spaces before it so that it ends in this column.
    pub(super) fn right(&mut self, column: usize, write: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        write(self);
        let missing = column.saturating_sub(self.0.len());
        self.0.resize(self.0.len() + missing, b' ');
        if let Some(tail) = self.0.get_mut(start..) {
            tail.rotate_right(missing);
        }
    }

    /// Hexadecimal, at least this many digits.
    #[inline]
    pub(super) fn hex(&mut self, value: u32, digits: u32) {
        let needed = (32 - value.leading_zeros()).div_ceil(4);
        for place in (0..digits.max(needed)).rev() {
            self.nibble(value >> (place * 4));
        }
    }

    #[inline]
    fn nibble(&mut self, value: u32) {
        let digit = u8::try_from(value & 0xF).unwrap_or(0);
        self.0.push(if digit < 10 { b'0' + digit } else { b'A' - 10 + digit });
    }

    /// Bytes as pairs of digits with a space before each.
    #[inline]
    pub(super) fn spaced(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0.push(b' ');
            self.hex(u32::from(*byte), 2);
        }
    }

    /// Decimal, at least this many digits.
    pub(super) fn decimal(&mut self, value: u64, digits: usize) {
        let start = self.0.len();
        let mut left = value;
        loop {
            self.0.push(b'0' + u8::try_from(left % 10).unwrap_or(0));
            left /= 10;
            if left == 0 && self.0.len() - start >= digits {
                break;
            }
        }
        if let Some(tail) = self.0.get_mut(start..) {
            tail.reverse();
        }
    }

    /// `value` in units of the last of `decimals` digits after the point; `short` digits where the others are zeros.
    pub(super) fn fixed(&mut self, value: i64, decimals: u32, short: u32) {
        if value < 0 {
            self.0.push(b'-');
        }
        let value = value.unsigned_abs();
        let unit = 10u64.pow(decimals);
        let cut = 10u64.pow(decimals - short);
        self.decimal(value / unit, 1);
        self.0.push(b'.');
        let rest = value % unit;
        if rest.is_multiple_of(cut) {
            self.decimal(rest / cut, usize::try_from(short).unwrap_or(0));
        } else {
            self.decimal(rest, usize::try_from(decimals).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl FnOnce(&mut Row)) -> String {
        let mut row = Row::default();
        write(&mut row);
        String::from_utf8(row.0).unwrap()
    }

    #[test]
    fn digits() {
        assert_eq!(shown(|row| row.hex(0x18FE, 2)), "18FE");
        assert_eq!(shown(|row| row.hex(0, 1)), "0");
        assert_eq!(shown(|row| row.hex(0xA, 4)), "000A");
        assert_eq!(shown(|row| row.hex(u32::MAX, 1)), "FFFFFFFF");
        assert_eq!(shown(|row| row.decimal(0, 1)), "0");
        assert_eq!(shown(|row| row.decimal(1700, 6)), "001700");
        assert_eq!(shown(|row| row.fixed(1_500_000_000, 9, 6)), "1.500000");
        assert_eq!(shown(|row| row.fixed(-1_500_000_001, 9, 6)), "-1.500000001");
        assert_eq!(shown(|row| row.spaced(&[1, 0xFE])), " 01 FE");
        assert_eq!(shown(|row| row.right(4, |row| row.decimal(12, 1))), "  12");
        assert_eq!(
            shown(|row| {
                row.push(b"abc");
                row.pad_to(2);
                row.push(b"d");
            }),
            "abc d"
        );
    }
}
