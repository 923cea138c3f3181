//! A CAN identifier: 11 bits, or 29 bits.
use embedded_can::{ExtendedId, Id, StandardId};

/// A CAN identifier, standard (11 bits) or extended (29 bits).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CanId(u32);

const EXTENDED: u32 = 1 << 31;

impl CanId {
    /// The standard identifier `raw`, if it fits 11 bits.
    pub const fn standard(raw: u32) -> Option<Self> {
        if raw <= 0x7FF { Some(Self(raw)) } else { None }
    }

    /// The extended identifier `raw`, if it fits 29 bits.
    pub const fn extended(raw: u32) -> Option<Self> {
        if raw <= 0x1FFF_FFFF { Some(Self(raw | EXTENDED)) } else { None }
    }

    /// The identifier without its kind.
    pub const fn raw(self) -> u32 {
        self.0 & !EXTENDED
    }

    /// Whether it has 29 bits.
    pub const fn is_extended(self) -> bool {
        self.0 & EXTENDED != 0
    }
}

impl From<Id> for CanId {
    fn from(id: Id) -> Self {
        match id {
            Id::Standard(id) => Self(u32::from(id.as_raw())),
            Id::Extended(id) => Self(id.as_raw() | EXTENDED),
        }
    }
}

impl From<CanId> for Id {
    fn from(id: CanId) -> Self {
        if id.is_extended() {
            Self::Extended(ExtendedId::new(id.raw()).unwrap_or(ExtendedId::ZERO))
        } else {
            Self::Standard(u16::try_from(id.raw()).ok().and_then(StandardId::new).unwrap_or(StandardId::ZERO))
        }
    }
}
