//! A CAN identifier with its width becomes one `u32` that compares, sorts and hashes as a number.
//!
//! *Invariant:* a standard id has at most 11 bits, an extended one at most 29, and bit 31 alone tells them apart.
//! *Next:* `model/database.rs` (messages found by id), `model/message.rs`.

use core::fmt;

use embedded_can::{ExtendedId, Id, StandardId};

const EXTENDED: u32 = 1 << 31;
const STANDARD_MAX: u32 = 0x7FF;
const EXTENDED_MAX: u32 = 0x1FFF_FFFF;

/// A CAN identifier: 11 bits (standard) or 29 bits (extended).
///
/// The two widths are different identifiers even where the number is the same.
///
/// ```
/// use coachwork_dbc::CanId;
///
/// let id = CanId::extended(0x0CF0_0400).unwrap();
/// assert_eq!(id.pgn(), Some(0xF004));
/// assert_eq!(id.source_address(), Some(0x00));
/// assert_ne!(CanId::standard(0x123), CanId::extended(0x123));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanId(u32);

impl CanId {
    /// An 11-bit identifier; `None` above 0x7FF.
    pub const fn standard(id: u32) -> Option<Self> {
        if id <= STANDARD_MAX { Some(Self(id)) } else { None }
    }

    /// A 29-bit identifier; `None` above 0x1FFF_FFFF.
    pub const fn extended(id: u32) -> Option<Self> {
        if id <= EXTENDED_MAX { Some(Self(id | EXTENDED)) } else { None }
    }

    /// Reads the form that DBC files use: bit 31 marks an extended identifier.
    ///
    /// `None` where the number is too wide for what bit 31 says.
    pub const fn from_dbc(id: u32) -> Option<Self> {
        if id & EXTENDED == 0 { Self::standard(id) } else { Self::extended(id & !EXTENDED) }
    }

    /// The identifier in the form that DBC files use: bit 31 marks an extended identifier.
    #[inline]
    pub const fn to_dbc(self) -> u32 {
        self.0
    }

    /// The identifier's number, without a mark of its width.
    #[inline]
    pub const fn raw(self) -> u32 {
        self.0 & !EXTENDED
    }

    /// Whether the identifier has 29 bits.
    #[inline]
    pub const fn is_extended(self) -> bool {
        self.0 & EXTENDED != 0
    }

    /// The J1939 parameter group number (18 bits: extended data page, data page, PDU format, and PDU specific where the format is 240 or more).
    ///
    /// `None` for a standard identifier. In PDU1 format (below 240) the low byte is a destination address and is not part of the number.
    pub const fn pgn(self) -> Option<u32> {
        if !self.is_extended() {
            return None;
        }
        let group = (self.0 >> 8) & 0x3_FFFF;
        Some(if (group >> 8) & 0xFF < 240 { group & 0x3_FF00 } else { group })
    }

    /// The J1939 source address; `None` for a standard identifier.
    pub const fn source_address(self) -> Option<u8> {
        if self.is_extended() { Some(self.0.to_le_bytes()[0]) } else { None }
    }

    /// The J1939 destination address of a PDU1 identifier; `None` in PDU2 format and for a standard identifier.
    pub const fn destination_address(self) -> Option<u8> {
        let [_, specific, format, _] = self.0.to_le_bytes();
        if self.is_extended() && format < 240 { Some(specific) } else { None }
    }

    /// The J1939 priority, 0 (highest) to 7; `None` for a standard identifier.
    pub const fn priority(self) -> Option<u8> {
        if self.is_extended() { Some((self.0.to_le_bytes()[3] >> 2) & 7) } else { None }
    }
}

impl From<StandardId> for CanId {
    fn from(id: StandardId) -> Self {
        Self(u32::from(id.as_raw()))
    }
}

impl From<ExtendedId> for CanId {
    fn from(id: ExtendedId) -> Self {
        Self(id.as_raw() | EXTENDED)
    }
}

impl From<Id> for CanId {
    fn from(id: Id) -> Self {
        match id {
            Id::Standard(id) => id.into(),
            Id::Extended(id) => id.into(),
        }
    }
}

impl From<CanId> for Id {
    fn from(id: CanId) -> Self {
        if id.is_extended() {
            ExtendedId::new(id.raw()).unwrap_or(ExtendedId::MAX).into()
        } else {
            u16::try_from(id.raw()).ok().and_then(StandardId::new).unwrap_or(StandardId::MAX).into()
        }
    }
}

/// `123` for a standard identifier, `00000123x` for an extended one.
impl fmt::Display for CanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_extended() { write!(f, "{:08X}x", self.raw()) } else { write!(f, "{:03X}", self.raw()) }
    }
}

impl fmt::Debug for CanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CanId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j1939_parts() {
        let eec1 = CanId::extended(0x0CF0_0425).unwrap();
        assert_eq!(
            (eec1.priority(), eec1.pgn(), eec1.source_address(), eec1.destination_address()),
            (Some(3), Some(0xF004), Some(0x25), None)
        );
        let tsc1 = CanId::extended(0x0C00_17FE).unwrap();
        assert_eq!(
            (tsc1.pgn(), tsc1.source_address(), tsc1.destination_address()),
            (Some(0), Some(0xFE), Some(0x17))
        );
        let nmea = CanId::extended(0x09F8_0117).unwrap();
        assert_eq!(nmea.pgn(), Some(129_025));
        assert_eq!(CanId::standard(0x123).unwrap().pgn(), None);
    }

    #[test]
    fn widths_are_kept_apart() {
        assert_eq!(CanId::standard(0x800), None);
        assert_eq!(CanId::extended(0x2000_0000), None);
        assert_eq!(CanId::from_dbc(0x8000_0123), CanId::extended(0x123));
        assert_eq!(CanId::from_dbc(0x9_0000), None);
        assert_eq!(CanId::extended(0x123).unwrap().to_string(), "00000123x");
        let id: Id = CanId::extended(0x1FFF_FFFF).unwrap().into();
        assert_eq!(CanId::from(id), CanId::extended(0x1FFF_FFFF).unwrap());
    }
}
