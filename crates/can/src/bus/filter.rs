//! Identifiers and masks decide which frames pass, as SocketCAN's filters do.
//!
//! *Invariant:* an empty list passes everything; of several filters one is enough. Error frames have no identifier, and are not looked at.
//! *Next:* `link` (what is received), `gateway.rs` (what is passed on).

use crate::Frame;
use std::fmt;
use std::str::FromStr;

/// Which identifiers pass: those that equal `id` in the bits that `mask` has, or with `inverted` those that do not.
///
/// As text it is python-can's form, in hexadecimal: `100:7FC`, inverted `100~7FC`; eight digits in front mean extended identifiers alone, three
/// standard ones alone.
///
/// ```
/// use coachwork_can::bus::IdFilter;
/// use coachwork_can::{CanId, Frame};
///
/// let filter: IdFilter = "100:7FC".parse()?;
/// let frame = |id| CanId::standard(id).and_then(|id| Frame::new(id, &[]).ok()).ok_or("not a frame");
/// assert!(filter.passes(&frame(0x103)?));
/// assert!(!filter.passes(&frame(0x104)?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdFilter {
    /// The identifier to compare with.
    pub id: u32,
    /// The bits that are compared.
    pub mask: u32,
    /// Which width of identifiers passes at all; `None` is both.
    pub extended: Option<bool>,
    /// Whether the others pass instead.
    pub inverted: bool,
}

/// Filters of which one is enough for a frame to pass. Empty, they pass everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IdFilters(Vec<IdFilter>);

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no filter: write id:mask, or id~mask for all others, in hexadecimal, such as 100:7FC")]
pub struct IdFilterError(String);

impl IdFilter {
    /// Whether a frame passes. Error frames do.
    pub fn passes(&self, frame: &Frame) -> bool {
        let id = frame.id();
        let has_width = self.extended.is_none_or(|extended| extended == id.is_extended());
        let is_equal = (id.raw() ^ self.id) & self.mask == 0;
        frame.is_error() || (has_width && is_equal != self.inverted)
    }
}

impl IdFilters {
    /// These filters.
    pub fn new(filters: impl IntoIterator<Item = IdFilter>) -> Self {
        Self(filters.into_iter().collect())
    }

    /// Whether a frame passes.
    pub fn passes(&self, frame: &Frame) -> bool {
        self.0.is_empty() || self.0.iter().any(|filter| filter.passes(frame))
    }

    /// The filters.
    pub fn as_slice(&self) -> &[IdFilter] {
        &self.0
    }

    /// Whether everything passes, because there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for IdFilter {
    type Err = IdFilterError;

    fn from_str(text: &str) -> Result<Self, IdFilterError> {
        let bad = || IdFilterError(text.to_owned());
        let (inverted, (id, mask)) = match (text.split_once(':'), text.split_once('~')) {
            (Some(parts), None) => (false, parts),
            (None, Some(parts)) => (true, parts),
            _ => return Err(bad()),
        };
        let number = |digits: &str| {
            let is_hex = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            u32::from_str_radix(digits, 16).ok().filter(|number| is_hex && *number < 1 << 29).ok_or_else(bad)
        };
        let extended = match id.len() {
            8 => Some(true),
            3 => Some(false),
            _ => None,
        };
        let filter = Self { id: number(id)?, mask: number(mask)?, extended, inverted };
        let is_wide = filter.id > 0x7FF && extended == Some(false);
        if is_wide { Err(bad()) } else { Ok(filter) }
    }
}

impl fmt::Display for IdFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.inverted { '~' } else { ':' };
        let width = match self.extended {
            Some(true) => 8,
            Some(false) => 3,
            // One digit more than needed, where three or eight would say something else.
            None => 4,
        };
        write!(f, "{:0width$X}{sign}{:X}", self.id, self.mask)
    }
}

/// Filters with spaces or commas between them.
impl FromStr for IdFilters {
    type Err = IdFilterError;

    fn from_str(text: &str) -> Result<Self, IdFilterError> {
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        words.map(str::parse).collect::<Result<Vec<_>, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CanId;
    use proptest::prelude::*;

    fn frame(id: u32, extended: bool) -> Frame {
        let id = if extended { CanId::extended(id) } else { CanId::standard(id) };
        Frame::new(id.unwrap(), &[]).unwrap()
    }

    #[test]
    fn one_of_several_is_enough_and_none_passes_all() {
        let filters: IdFilters = "100:7FF, 200:700".parse().unwrap();
        let passing: Vec<u32> = [0x100, 0x101, 0x1FF, 0x200, 0x2AB, 0x300]
            .into_iter()
            .filter(|id| filters.passes(&frame(*id, false)))
            .collect();
        assert_eq!(passing, [0x100, 0x200, 0x2AB]);
        assert!(!filters.passes(&frame(0x100, true)), "three digits are standard identifiers");
        assert!(IdFilters::default().passes(&frame(0x100, true)));
        assert!(filters.passes(&Frame::error(4, &[]).unwrap()));
    }

    #[test]
    fn widths_and_inversion() {
        let passes =
            |text: &str, id, extended| text.parse::<IdFilter>().unwrap().passes(&frame(id, extended));
        assert!(passes("0100:7FF", 0x100, false) && passes("0100:7FF", 0x100, true));
        assert!(passes("00000100:1FFFFFFF", 0x100, true) && !passes("00000100:1FFFFFFF", 0x100, false));
        assert!(!passes("100~7FF", 0x100, false) && passes("100~7FF", 0x101, false));
        for bad in ["100", "100:7FF:1", "g:1", "100:", ":1", "900:7FF", "FFFFFFFF:1", "100:7FF~1"] {
            assert!(bad.parse::<IdFilter>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(id in 0..0x800_u32, mask in 0..1_u32 << 29, extended: Option<bool>, inverted: bool) {
            let filter = IdFilter { id, mask, extended, inverted };
            prop_assert_eq!(filter.to_string().parse::<IdFilter>(), Ok(filter));
        }
    }
}
