//! What frames lose in the format they are written in.
//!
//! *Invariant:* what a format has no place for is counted, frame by frame; nothing is lost uncounted but what a channel was called and
//! that a direction was unknown.
//! *Next:* `writer.rs`, which counts.

use super::LogFormat;
use crate::Frame;
use std::fmt;

/// How many of the written frames have lost what their format has no place for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Losses {
    /// Frames that were on a known channel.
    pub channel: u64,
    /// Frames whose direction was known.
    pub direction: u64,
    /// CAN FD frames whose flags (bit rate switch, error state; of up to 8 bytes that they are CAN FD at all) are gone.
    pub fd: u64,
    /// Error frames whose class or details are gone.
    pub error: u64,
}

/// What a format has a place for.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a place is there or not")]
pub(super) struct Places {
    pub(super) channel: bool,
    pub(super) direction: bool,
    pub(super) error_direction: bool,
    pub(super) fd: bool,
    pub(super) error: bool,
}

impl Places {
    pub(super) const ALL: Self =
        Self { channel: true, direction: true, error_direction: true, fd: true, error: true };

    pub(super) const fn of(format: LogFormat) -> Self {
        match format {
            LogFormat::Asc | LogFormat::Trc => Self { error: false, ..Self::ALL },
            LogFormat::Csv => {
                Self { error: true, channel: false, direction: false, error_direction: false, fd: false }
            }
            LogFormat::Blf => Self { error_direction: false, ..Self::ALL },
            _ => Self::ALL,
        }
    }
}

impl Losses {
    pub(super) fn count(&mut self, places: Places, frame: &Frame) {
        let error = frame.is_error() && (frame.id().raw() != 0 || !frame.is_empty());
        let fd = frame.is_fd()
            && (frame.len() <= Frame::MAX_CLASSIC || frame.bit_rate_switch() || frame.error_state());
        self.channel += u64::from(!places.channel && !frame.channel().is_none());
        let direction = if frame.is_error() { places.error_direction } else { places.direction };
        self.direction += u64::from(!direction && frame.direction().is_some());
        self.fd += u64::from(!places.fd && fd);
        self.error += u64::from(!places.error && error);
    }

    /// Whether nothing was lost.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// `5 without their channel, 2 without their CAN FD flags`; empty when nothing was lost.
impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost = [
            (self.channel, "channel"),
            (self.direction, "direction"),
            (self.fd, "CAN FD flags"),
            (self.error, "error details"),
        ];
        let mut separator = "";
        for (count, what) in lost.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} without their {what}")?;
            separator = ", ";
        }
        Ok(())
    }
}
