//! Frames become elements, as the client sends them and as the daemon does.
//!
//! *Invariant:* what is written is read back by `decode.rs` as the same frame; what the protocol cannot say is refused and nothing is written.
//! *Next:* `session.rs`, which sends them.

use super::CARRIES;
use crate::Frame;
use crate::bus::NotCarried;
use coachwork_vehicle::Timestamp;

/// Appends `< send … >`: the frame as a client sends it. The protocol has no time here.
///
/// # Errors
/// Remote, error and CAN FD frames, which the protocol does not have. A raw length code above 8 is sent as 8.
pub fn encode_send(frame: &Frame, out: &mut Vec<u8>) -> Result<(), NotCarried> {
    CARRIES.check(frame)?;
    out.extend_from_slice(b"< send ");
    id(frame, out);
    out.extend_from_slice(&[b' ', digit(u8::try_from(frame.len()).unwrap_or(8))]);
    for byte in frame.data() {
        out.push(b' ');
        if *byte >= 16 {
            out.push(digit(byte >> 4).to_ascii_lowercase());
        }
        out.push(digit(byte & 15).to_ascii_lowercase());
    }
    out.extend_from_slice(b" >");
    Ok(())
}

/// Appends `< frame … >`, or `< error … >` for an error frame: the frame as a daemon sends it, of an error frame the class alone. A frame
/// without a time has the time zero.
///
/// # Errors
/// Remote and CAN FD frames, and times before 1970, which the protocol does not have.
pub fn encode_frame(frame: &Frame, out: &mut Vec<u8>) -> Result<(), NotCarried> {
    if !frame.is_error() {
        CARRIES.check(frame)?;
    }
    let time = frame.time().map_or(0, Timestamp::nanoseconds);
    let (Ok(seconds), Ok(rest)) = (u64::try_from(time / 1_000_000_000), u32::try_from(time % 1_000_000_000))
    else {
        return Err(NotCarried { bus: CARRIES.bus, what: "times before 1970" });
    };
    if frame.is_error() {
        out.extend_from_slice(format!("< error {:03X}", frame.id().raw()).as_bytes());
    } else {
        out.extend_from_slice(b"< frame ");
        id(frame, out);
    }
    // Microseconds, as the daemon does; more digits only where there is more to say.
    let decimals = if rest % 1000 == 0 { format!("{:06}", rest / 1000) } else { format!("{rest:09}") };
    out.extend_from_slice(format!(" {seconds}.{decimals} ").as_bytes());
    if !frame.is_error() {
        for byte in frame.data() {
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        out.push(b' ');
    }
    out.push(b'>');
    Ok(())
}

/// Three digits, or eight for an extended identifier.
fn id(frame: &Frame, out: &mut Vec<u8>) {
    let digits: u32 = if frame.id().is_extended() { 8 } else { 3 };
    for place in (0..digits).rev() {
        out.push(digit(u8::try_from(frame.id().raw() >> (4 * place) & 15).unwrap_or_default()));
    }
}

fn digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + (nibble & 15) - 10,
    }
}
