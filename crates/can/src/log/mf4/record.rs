//! One record of a channel group becomes a frame.
//!
//! *Invariant:* every field is read where the file says it is, or the record is a fault; nothing outside the record is read.
//! *Next:* `group.rs`, which finds the fields; `stream.rs`, which has the records.

use crate::log::LogFault;
use crate::log::record::RecordFault;
use crate::log::window::{chunk, le64};
use crate::{CanId, Channel, Direction, Frame, FrameError};
use coachwork_vehicle::Timestamp;

/// What a group's records are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Data,
    Remote,
    Error,
}

/// Where a value is in a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) byte: usize,
    pub(super) bit: u8,
    pub(super) bits: u32,
    /// 0 and 1 unsigned (little-endian, big-endian), 2 and 3 signed, 4 and 5 floating-point, others bytes.
    pub(super) kind: u8,
}

/// The time of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    field: Field,
    /// Nanoseconds: to add, and in a unit.
    offset: f64,
    unit: f64,
}

/// Where the parts of a frame are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) kind: Kind,
    pub(super) time: Time,
    pub(super) channel: Option<Field>,
    pub(super) id: Option<Field>,
    pub(super) extended: Option<Field>,
    pub(super) dlc: Option<Field>,
    pub(super) len: Option<Field>,
    pub(super) direction: Option<Field>,
    pub(super) fd: Option<Field>,
    pub(super) rate: Option<Field>,
    pub(super) state: Option<Field>,
    pub(super) data: Option<Field>,
    /// Where the bytes are if not in the record, whose field then says at which byte of that; 0 is nowhere.
    pub(super) variable: Option<u64>,
}

/// The bytes of a data length code.
const LENGTHS: [usize; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64];

impl Field {
    /// The value as an unsigned number.
    pub(super) fn number(&self, record: &[u8]) -> Option<u64> {
        let bits = usize::from(self.bit) + usize::try_from(self.bits).ok()?;
        if self.bits == 0 || self.bits > 64 || bits > 72 {
            return None;
        }
        let bytes = record.get(self.byte..)?.get(..bits.div_ceil(8))?;
        let mut value: u128 = 0;
        if matches!(self.kind, 1 | 3 | 5) {
            for byte in bytes {
                value = value << 8 | u128::from(*byte);
            }
        } else {
            for byte in bytes.iter().rev() {
                value = value << 8 | u128::from(*byte);
            }
        }
        let mask = u128::from(u64::MAX >> (64 - self.bits));
        u64::try_from(value >> self.bit & mask).ok()
    }

    /// The first `len` of the bytes that it is.
    fn bytes<'a>(&self, record: &'a [u8], len: usize) -> Option<&'a [u8]> {
        let whole = usize::try_from(self.bits / 8).ok()?;
        record.get(self.byte..)?.get(..whole)?.get(..len)
    }
}

impl Time {
    /// The time in this field, of a linear conversion to seconds.
    pub(super) fn new(field: Field, (offset, factor): (f64, f64)) -> Self {
        // Units are whole nanoseconds in nearly every file, but for what the factor's decimals lose.
        let unit = factor * 1e9;
        let whole = unit.round();
        let unit = if whole >= 1.0 && (unit - whole).abs() < 1e-6 * whole { whole } else { unit };
        Self { field, offset: offset * 1e9, unit }
    }

    /// Nanoseconds since the file's start.
    fn nanoseconds(&self, record: &[u8]) -> Option<i64> {
        let raw = self.field.number(record)?;
        let value = match (self.field.kind, self.field.bits) {
            (4 | 5, 64) => f64::from_bits(raw),
            (4 | 5, 32) => f32::from_bits(u32::try_from(raw).ok()?).into(),
            (0 | 1, _) => return self.of_whole(i64::try_from(raw).ok()?),
            (2 | 3, bits) => return self.of_whole(raw.cast_signed() << (64 - bits) >> (64 - bits)),
            _ => return None,
        };
        // Seconds and their fraction apart: a double of nanoseconds since some start may have more digits than it can.
        let exact = if self.unit >= 1e9 {
            let seconds = value.trunc();
            whole(seconds * self.unit)?.checked_add(whole((value - seconds) * self.unit)?)
        } else {
            whole(value * self.unit)
        };
        exact?.checked_add(whole(self.offset)?)
    }

    fn of_whole(&self, raw: i64) -> Option<i64> {
        let unit = whole(self.unit)?;
        #[expect(
            clippy::float_cmp,
            clippy::cast_precision_loss,
            reason = "whether it is whole, and for that alone"
        )]
        let is_whole = unit as f64 == self.unit;
        #[expect(clippy::cast_precision_loss, reason = "a unit with a fraction has none to lose")]
        let scaled = if is_whole { raw.checked_mul(unit)? } else { whole(raw as f64 * self.unit)? };
        scaled.checked_add(whole(self.offset)?)
    }
}

/// The nearest whole number.
fn whole(value: f64) -> Option<i64> {
    let value = value.round();
    #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
    (value.abs() < 9.2e18).then_some(value as i64)
}

impl Layout {
    pub(super) fn new(kind: Kind) -> Self {
        let field = Field { byte: 0, bit: 0, bits: 0, kind: 0 };
        let time = Time { field, offset: 0.0, unit: 1.0 };
        let [channel, id, extended, dlc, len, direction, fd, rate, state, data] = [None; 10];
        Self { kind, time, channel, id, extended, dlc, len, direction, fd, rate, state, data, variable: None }
    }

    /// At which byte of what is elsewhere the data of this record begin.
    pub(super) fn place_of_data(&self, record: &[u8]) -> Option<u64> {
        self.data?.number(record)
    }

    /// The frame of a record, whose data are `elsewhere` when they are not in it.
    pub(super) fn frame(
        &self,
        record: &[u8],
        start: i64,
        elsewhere: Option<&[u8]>,
    ) -> Result<Frame, LogFault> {
        let number = |field: &Option<Field>| field.and_then(|field| field.number(record));
        let is_set = |field: &Option<Field>| number(field).is_some_and(|value| value != 0);
        let time =
            self.time.nanoseconds(record).and_then(|time| time.checked_add(start)).ok_or(LogFault::Time)?;
        let raw = u32::try_from(number(&self.id).unwrap_or(0)).map_err(|_| LogFault::Identifier)?;
        let id = raw & 0x1FFF_FFFF;
        let extended = match number(&self.extended) {
            Some(extended) => extended != 0,
            None => raw >> 31 != 0 || id > 0x7FF,
        };
        let code = usize::try_from(number(&self.dlc).unwrap_or(0)).unwrap_or(usize::MAX);
        let frame = if self.kind == Kind::Error {
            Frame::error(id, self.payload(record, code, elsewhere, Frame::MAX_CLASSIC)?)
        } else {
            let id = if extended { CanId::extended(id) } else { CanId::standard(id) };
            let id = id.ok_or(LogFault::Identifier)?;
            match self.kind {
                Kind::Remote => Frame::remote(id, code),
                _ if is_set(&self.fd) => Frame::fd(id, self.payload(record, code, elsewhere, Frame::MAX_FD)?),
                _ => Frame::new(id, self.payload(record, code.min(8), elsewhere, Frame::MAX_CLASSIC)?),
            }
        };
        let frame = frame.and_then(|frame| if code > 8 { frame.with_dlc(code) } else { Ok(frame) });
        let frame = frame.map_err(|why| match why {
            FrameError::TooLong { max, .. } => LogFault::PayloadTooLong { max },
            FrameError::NotALengthCode(_) => LogFault::Flags,
            FrameError::NotAnErrorClass(_) => LogFault::Identifier,
        })?;
        let channel = match number(&self.channel) {
            // A number like any other here.
            Some(0) => Channel::new(b"0").unwrap_or_default(),
            Some(channel) => Channel::numbered(u32::try_from(channel).map_err(|_| LogFault::Channel)?),
            None => Channel::NONE,
        };
        let direction = number(&self.direction).map(|direction| match direction {
            0 => Direction::Received,
            _ => Direction::Transmitted,
        });
        let frame = frame.with_bit_rate_switch(is_set(&self.rate)).with_error_state(is_set(&self.state));
        Ok(frame.with_time(Timestamp::from_nanoseconds(time)).with_channel(channel).with_direction(direction))
    }

    fn payload<'a>(
        &self,
        record: &'a [u8],
        code: usize,
        elsewhere: Option<&'a [u8]>,
        max: usize,
    ) -> Result<&'a [u8], LogFault> {
        let len = match self.len.and_then(|field| field.number(record)) {
            Some(len) => usize::try_from(len).unwrap_or(usize::MAX),
            None => LENGTHS.get(code).copied().ok_or(LogFault::Flags)?,
        };
        if len > max {
            return Err(LogFault::PayloadTooLong { max });
        }
        if len == 0 {
            return Ok(&[]);
        }
        let field = self.data.ok_or(RecordFault::Damaged("a frame with a length and without data"))?;
        let (data, found) = match (self.variable, elsewhere) {
            (None, _) => (field.bytes(record, len), usize::try_from(field.bits / 8).unwrap_or(0)),
            (Some(_), Some(data)) => (data.get(..len), data.len()),
            (Some(_), None) => (None, 0),
        };
        data.ok_or(LogFault::Length { said: len, found })
    }
}

/// The start of a file, from the data of its header: nanoseconds since 1970.
pub(super) fn start(header: &[u8]) -> Option<i64> {
    chunk::<8>(header, 0)?;
    i64::try_from(le64(header, 0)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_any_width_and_place() {
        let record = [0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF0, 0x0F];
        let field = |byte, bit, bits, kind| Field { byte, bit, bits, kind }.number(&record);
        assert_eq!(field(0, 0, 8, 0), Some(0x12));
        assert_eq!(field(0, 3, 29, 0), Some(0x7856_3412 >> 3));
        assert_eq!(field(1, 0, 16, 1), Some(0x3456));
        assert_eq!(field(0, 4, 64, 0), Some(0xFF0D_EBC9_A785_6341));
        assert_eq!(field(8, 0, 16, 0), None);
        assert_eq!(field(usize::MAX, 0, 8, 0), None);
        assert_eq!(field(0, 0, 65, 0), None);
        assert_eq!(field(0, 255, 64, 0), None);
    }

    #[test]
    fn times_of_all_kinds() {
        let field = |bits, kind| Field { byte: 0, bit: 0, bits, kind };
        let time = |field, conversion, record: &[u8]| Time::new(field, conversion).nanoseconds(record);
        assert_eq!(time(field(64, 4), (0.0, 1.0), &1.000_000_001_f64.to_le_bytes()), Some(1_000_000_001));
        assert_eq!(time(field(64, 4), (2.0, 1e-9), &7.0_f64.to_le_bytes()), Some(2_000_000_007));
        assert_eq!(time(field(32, 5), (0.0, 1.0), &0.5_f32.to_be_bytes()), Some(500_000_000));
        assert_eq!(time(field(64, 0), (0.0, 1e-9), &(1_u64 << 62).to_le_bytes()), Some(1 << 62));
        assert_eq!(time(field(32, 0), (0.0, 1e-6), &5_u32.to_le_bytes()), Some(5000));
        assert_eq!(time(field(16, 2), (0.0, 1e-3), &(-2_i16).to_le_bytes()), Some(-2_000_000));
        assert_eq!(time(field(64, 4), (0.0, 1.0), &f64::NAN.to_le_bytes()), None);
        assert_eq!(time(field(64, 4), (0.0, 1.0), &1e300_f64.to_le_bytes()), None);
        assert_eq!(time(field(64, 0), (0.0, 1.0), &u64::MAX.to_le_bytes()), None);
    }
}
