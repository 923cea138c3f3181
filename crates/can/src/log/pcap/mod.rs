//! pcap and pcapng, the captures of tcpdump and Wireshark, with CAN frames of SocketCAN in them.
//!
//! *Invariant:* memory does not grow with the log; a packet longer than any CAN frame is passed over; damage costs the records it touches, for
//! reading goes on at the next that is plausible.
//! *Next:* `classic.rs`, `ng.rs` (records), `socketcan.rs` (one packet, one frame), `write.rs` (the way back).

mod classic;
mod ng;
mod socketcan;
#[cfg(test)]
mod tests;
mod write;

pub(super) use classic::PcapReader;
pub(super) use ng::PcapngReader;
pub use write::PcapngWriter;

use coachwork_vehicle::Timestamp;

/// How much of a log is held at a time.
const WINDOW: usize = 64 * 1024;

/// No packet with a CAN frame is longer, whatever is before the frame.
const MAX_PACKET: usize = 1024;

/// No record or block is longer; one that says so is damaged.
const MAX_RECORD: u32 = 16 * 1024 * 1024;

/// 2000-01-01; smaller times count from an unknown start, as of a log without one that was converted.
const YEAR_2000: Timestamp = Timestamp::from_seconds(946_684_800);

/// The byte order that a log states at its beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Little,
    Big,
}

impl Order {
    #[inline]
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *super::window::chunk(bytes, at)?;
        Some(if self == Self::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    #[inline]
    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *super::window::chunk(bytes, at)?;
        Some(if self == Self::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }
}
