//! Frames become lines, the same from a host and from an adapter.
//!
//! *Invariant:* what is written is read back by `decode.rs` as the same frame, but for what the protocol has no place for: a raw length code
//! above 8, a length that CAN FD pads, the error state of a sender.
//! *Next:* `session.rs`, which sends them.

use super::CARRIES;
use super::decode::LENGTHS;
use crate::Frame;
use crate::bus::NotCarried;

/// Appends a frame as a line, its carriage return included. A CAN FD frame whose length is none of the bus's is padded with zeros to the
/// next; its error state indicator is not sent.
///
/// # Errors
/// Error frames, which the protocol does not have.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) -> Result<(), NotCarried> {
    line(frame, out)?;
    out.push(b'\r');
    Ok(())
}

/// The same with an adapter's time stamp, in milliseconds, of which it writes what goes beyond whole minutes.
///
/// # Errors
/// As [`encode`].
pub fn encode_stamped(frame: &Frame, milliseconds: u64, out: &mut Vec<u8>) -> Result<(), NotCarried> {
    line(frame, out)?;
    hexadecimal(u32::try_from(milliseconds % u64::from(super::decode::MINUTE)).unwrap_or_default(), 4, out);
    out.push(b'\r');
    Ok(())
}

fn line(frame: &Frame, out: &mut Vec<u8>) -> Result<(), NotCarried> {
    CARRIES.check(frame)?;
    let kind = match (frame.is_remote(), frame.is_fd(), frame.bit_rate_switch()) {
        (true, ..) => b'r',
        (_, true, false) => b'd',
        (_, true, true) => b'b',
        _ => b't',
    };
    let is_extended = frame.id().is_extended();
    out.push(if is_extended { kind.to_ascii_uppercase() } else { kind });
    hexadecimal(frame.id().raw(), if is_extended { 8 } else { 3 }, out);
    // Adapters know no codes above 8 but those of CAN FD.
    let code = if frame.is_fd() { frame.dlc() } else { frame.dlc().min(8) };
    out.push(digit(code));
    let len = match code {
        _ if frame.is_remote() => 0,
        9.. => LENGTHS.get(usize::from(code) - 9).copied().unwrap_or(frame.len()),
        _ => usize::from(code),
    };
    for byte in frame.padded().get(..len).unwrap_or_default() {
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    Ok(())
}

fn hexadecimal(number: u32, digits: u32, out: &mut Vec<u8>) {
    for place in (0..digits).rev() {
        out.push(digit(u8::try_from(number >> (4 * place) & 15).unwrap_or_default()));
    }
}

fn digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + (nibble & 15) - 10,
    }
}
