//! One CAN frame, classic or FD, with what its source says of it: time, channel, direction.
//!
//! The payload is owned inline and padded with zeros to 64 bytes, so that a codec reads fixed windows; a frame is `Copy` and never allocates.
//! *Invariant:* bytes beyond `len` are zero; a classic data frame has at most 8 bytes; a remote frame has none; equality compares everything.
//! *Next:* `log` (frames from text and back), `bus` (frames in motion), `plan.rs` (frames to datapoints).

use crate::{CanId, Channel};
use coachwork_vehicle::Timestamp;
use embedded_can::Id;
use std::fmt;

/// One CAN frame: identifier, payload, flags, and the time, channel and direction its source gave.
///
/// ```
/// use coachwork_can::{CanId, Frame};
/// use coachwork_vehicle::Timestamp;
/// let id = CanId::standard(0x123).ok_or("not an id")?;
/// let frame = Frame::new(id, &[1, 2, 3])?.with_time(Timestamp::from_seconds(1_700_000_000)).with_channel("can0".parse()?);
/// assert_eq!(frame.data(), [1, 2, 3]);
/// assert_eq!(frame.to_string(), "(1700000000.000000) can0 123#010203");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frame {
    data: [u8; 64],
    time: Timestamp,
    id: CanId,
    channel: Channel,
    len: u8,
    dlc: u8,
    flags: u8,
}

const FD: u8 = 1;
const BRS: u8 = 1 << 1;
const ESI: u8 = 1 << 2;
const REMOTE: u8 = 1 << 3;
const ERROR: u8 = 1 << 4;
const RECEIVED: u8 = 1 << 5;
const TRANSMITTED: u8 = 1 << 6;

/// The time of a frame whose source gives none.
const NO_TIME: Timestamp = Timestamp::from_nanoseconds(i64::MIN);

/// Whether the recorder received a frame or sent it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// The recorder received it.
    Received,
    /// The recorder sent it.
    Transmitted,
}

/// Why bytes do not make a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// More bytes than the kind of frame can carry.
    #[error("{len} bytes do not fit a frame of at most {max}")]
    TooLong {
        /// The bytes given.
        len: usize,
        /// The bytes that fit: 8, or 64 for CAN FD.
        max: usize,
    },
    /// A data length code above 15.
    #[error("{0} is not a data length code")]
    NotALengthCode(usize),
    /// An error class of more than 29 bits.
    #[error("{0:#x} is not an error class of 29 bits")]
    NotAnErrorClass(u32),
}

impl Frame {
    /// The longest payload of a classic frame, in bytes.
    pub const MAX_CLASSIC: usize = 8;

    /// The longest payload of a CAN FD frame, in bytes.
    pub const MAX_FD: usize = 64;

    pub(crate) const fn empty(id: CanId) -> Self {
        Self { data: [0; 64], time: NO_TIME, id, channel: Channel::NONE, len: 0, dlc: 0, flags: 0 }
    }

    fn filled(id: CanId, data: &[u8], max: usize, flags: u8) -> Result<Self, FrameError> {
        let mut frame = Self::empty(id);
        let too_long = FrameError::TooLong { len: data.len(), max };
        let into = frame.data.get_mut(..data.len()).filter(|_| data.len() <= max).ok_or(too_long)?;
        into.copy_from_slice(data);
        frame.len = u8::try_from(data.len()).map_err(|_| too_long)?;
        frame.dlc = frame.len;
        frame.flags = flags;
        Ok(frame)
    }

    /// A classic data frame.
    ///
    /// # Errors
    /// `data` is longer than 8 bytes.
    pub fn new(id: CanId, data: &[u8]) -> Result<Self, FrameError> {
        Self::filled(id, data, Self::MAX_CLASSIC, 0)
    }

    /// Becomes a classic data frame; bytes of `data` beyond `len` are zeros.
    #[inline]
    pub(crate) fn set_classic(
        &mut self,
        id: CanId,
        data: [u8; 8],
        len: u8,
        time: Timestamp,
        channel: Channel,
    ) {
        let (first, rest) = self.data.split_at_mut(data.len());
        if usize::from(self.len) > data.len() {
            rest.fill(0);
        }
        first.copy_from_slice(&data);
        (self.id, self.time, self.channel) = (id, time, channel);
        (self.len, self.dlc, self.flags) = (len, len, 0);
    }

    /// A CAN FD data frame. Any length from 0 to 64 is kept as given, also those a bus would pad.
    ///
    /// # Errors
    /// `data` is longer than 64 bytes.
    pub fn fd(id: CanId, data: &[u8]) -> Result<Self, FrameError> {
        Self::filled(id, data, Self::MAX_FD, FD)
    }

    /// A remote frame: it asks for `dlc` bytes and carries none.
    ///
    /// # Errors
    /// `dlc` is above 15.
    pub fn remote(id: CanId, dlc: usize) -> Result<Self, FrameError> {
        let mut frame = Self::empty(id);
        frame.flags = REMOTE;
        frame.with_dlc(dlc)
    }

    /// An error frame as SocketCAN reports it: `class` holds the bits of the error classes, `data` their details.
    ///
    /// # Errors
    /// `class` has more than 29 bits, or `data` is longer than 8 bytes.
    pub fn error(class: u32, data: &[u8]) -> Result<Self, FrameError> {
        let class = CanId::extended(class).ok_or(FrameError::NotAnErrorClass(class))?;
        Self::filled(class, data, Self::MAX_CLASSIC, ERROR)
    }

    /// The frame with this time, in its source's time base. The earliest timestamp of all stands for none.
    #[must_use]
    pub const fn with_time(mut self, time: Timestamp) -> Self {
        self.time = time;
        self
    }

    /// The frame on this channel.
    #[must_use]
    pub const fn with_channel(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// The frame with this direction, or with none known.
    #[must_use]
    pub const fn with_direction(mut self, direction: Option<Direction>) -> Self {
        self.flags &= !(RECEIVED | TRANSMITTED);
        self.flags |= match direction {
            None => 0,
            Some(Direction::Received) => RECEIVED,
            Some(Direction::Transmitted) => TRANSMITTED,
        };
        self
    }

    /// The frame with its bit rate switched (CAN FD; without effect on a classic frame).
    #[must_use]
    pub const fn with_bit_rate_switch(self, on: bool) -> Self {
        self.with_fd_flag(BRS, on)
    }

    /// The frame with the error state indicator of its sender (CAN FD; without effect on a classic frame).
    #[must_use]
    pub const fn with_error_state(self, on: bool) -> Self {
        self.with_fd_flag(ESI, on)
    }

    const fn with_fd_flag(mut self, flag: u8, on: bool) -> Self {
        if on && self.flags & FD != 0 {
            self.flags |= flag;
        } else {
            self.flags &= !flag;
        }
        self
    }

    /// The frame with this raw data length code. A classic frame of 8 bytes may carry 9 to 15; a remote frame any up to 15.
    /// On other frames the code follows from the length and this does nothing.
    ///
    /// # Errors
    /// `dlc` is above 15.
    pub fn with_dlc(mut self, dlc: usize) -> Result<Self, FrameError> {
        let code = u8::try_from(dlc).ok().filter(|c| *c <= 15).ok_or(FrameError::NotALengthCode(dlc))?;
        if self.flags & REMOTE != 0 || (self.flags & FD == 0 && self.len == 8 && code >= 8) {
            self.dlc = code;
        }
        Ok(self)
    }

    /// The identifier; on an error frame the error class.
    #[inline]
    pub const fn id(&self) -> CanId {
        self.id
    }

    /// The payload, at its length.
    #[inline]
    pub fn data(&self) -> &[u8] {
        self.data.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The payload padded with zeros to 64 bytes.
    #[inline]
    pub const fn padded(&self) -> &[u8; 64] {
        &self.data
    }

    /// The length of the payload, in bytes.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether the payload is empty.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The raw data length code: the length for data frames up to 8 bytes, 9 to 15 for a longer FD frame or where the source
    /// says so, the requested length on a remote frame.
    pub const fn dlc(&self) -> u8 {
        match self.dlc {
            code if self.flags & FD == 0 => code,
            code @ 0..=8 => code,
            9..=12 => 9,
            13..=16 => 10,
            17..=20 => 11,
            21..=24 => 12,
            25..=32 => 13,
            33..=48 => 14,
            _ => 15,
        }
    }

    /// The time in the source's time base (of most logs: since 1970 UTC); `None` when the source gives none.
    #[inline]
    pub const fn time(&self) -> Option<Timestamp> {
        if self.time.nanoseconds() == NO_TIME.nanoseconds() { None } else { Some(self.time) }
    }

    /// The channel; [`Channel::NONE`] when the source does not say.
    #[inline]
    pub const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The direction, where the source says it.
    pub const fn direction(&self) -> Option<Direction> {
        if self.flags & RECEIVED != 0 {
            Some(Direction::Received)
        } else if self.flags & TRANSMITTED != 0 {
            Some(Direction::Transmitted)
        } else {
            None
        }
    }

    /// Whether this is a CAN FD frame.
    #[inline]
    pub const fn is_fd(&self) -> bool {
        self.flags & FD != 0
    }

    /// Whether the bit rate was switched (CAN FD).
    pub const fn bit_rate_switch(&self) -> bool {
        self.flags & BRS != 0
    }

    /// Whether the sender was error passive (CAN FD).
    pub const fn error_state(&self) -> bool {
        self.flags & ESI != 0
    }

    /// Whether this is a remote frame.
    #[inline]
    pub const fn is_remote(&self) -> bool {
        self.flags & REMOTE != 0
    }

    /// Whether this is an error frame.
    #[inline]
    pub const fn is_error(&self) -> bool {
        self.flags & ERROR != 0
    }

    /// Whether this is a data frame: neither remote nor error. Only these hold signals.
    #[inline]
    pub const fn is_data(&self) -> bool {
        self.flags & (REMOTE | ERROR) == 0
    }
}

impl embedded_can::Frame for Frame {
    fn new(id: impl Into<Id>, data: &[u8]) -> Option<Self> {
        Self::new(CanId::from(id.into()), data).ok()
    }

    fn new_remote(id: impl Into<Id>, dlc: usize) -> Option<Self> {
        Self::remote(CanId::from(id.into()), dlc).ok().filter(|_| dlc <= Self::MAX_CLASSIC)
    }

    fn is_extended(&self) -> bool {
        self.id.is_extended()
    }

    fn is_remote_frame(&self) -> bool {
        self.is_remote()
    }

    fn is_data_frame(&self) -> bool {
        self.is_data()
    }

    fn id(&self) -> Id {
        self.id.into()
    }

    fn dlc(&self) -> usize {
        usize::from(self.dlc())
    }

    fn data(&self) -> &[u8] {
        self.data()
    }
}

/// As a line of a candump log; a time or channel the source does not give is written `-`.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = crate::log::Line::new();
        crate::log::write_line(&mut line, self);
        f.write_str(line.as_str())
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> CanId {
        CanId::standard(0x123).unwrap()
    }

    #[test]
    fn each_kind_holds_what_fits_and_refuses_the_rest() {
        assert_eq!(Frame::new(id(), &[0; 9]), Err(FrameError::TooLong { len: 9, max: 8 }));
        assert_eq!(Frame::fd(id(), &[0; 65]), Err(FrameError::TooLong { len: 65, max: 64 }));
        assert_eq!(Frame::remote(id(), 16), Err(FrameError::NotALengthCode(16)));
        for len in 0..=64 {
            assert_eq!(Frame::fd(id(), &[1; 64][..len]).unwrap().data().len(), len);
        }
    }

    #[test]
    fn length_codes_follow_the_standard() {
        let fd = |len: usize| Frame::fd(id(), &[0; 64][..len]).unwrap().dlc();
        assert_eq!(
            [8, 9, 12, 13, 16, 20, 24, 32, 33, 48, 49, 64].map(fd),
            [8, 9, 9, 10, 10, 11, 12, 13, 14, 14, 15, 15]
        );
        assert_eq!(Frame::new(id(), &[0; 8]).unwrap().with_dlc(13).unwrap().dlc(), 13);
        assert_eq!(Frame::new(id(), &[0; 3]).unwrap().with_dlc(13).unwrap().dlc(), 3);
        assert_eq!(Frame::remote(id(), 5).unwrap().dlc(), 5);
    }

    #[test]
    fn fd_flags_need_an_fd_frame() {
        let classic = Frame::new(id(), &[]).unwrap().with_bit_rate_switch(true).with_error_state(true);
        assert!(!classic.bit_rate_switch() && !classic.error_state());
        let fd = Frame::fd(id(), &[]).unwrap().with_bit_rate_switch(true).with_error_state(true);
        assert!(fd.bit_rate_switch() && fd.error_state());
    }

    #[test]
    fn it_speaks_embedded_can() {
        use embedded_can::{ExtendedId, Frame as _, StandardId};
        let frame = <Frame as embedded_can::Frame>::new(ExtendedId::MAX, &[7]).unwrap();
        assert!(embedded_can::Frame::is_extended(&frame) && frame.is_data_frame());
        assert_eq!(embedded_can::Frame::id(&frame), Id::Extended(ExtendedId::MAX));
        let remote = Frame::new_remote(StandardId::MAX, 8).unwrap();
        assert!(remote.is_remote_frame() && !remote.is_data_frame());
        assert_eq!(embedded_can::Frame::dlc(&remote), 8);
        assert!(Frame::new_remote(StandardId::MAX, 9).is_none());
    }
}
