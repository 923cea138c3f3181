//! A log whose parts are anywhere in it, and which comes as a stream, becomes a file that can seek.
//!
//! *Invariant:* the file has no name and is gone with its reader; it is as large as the content and never above [`MAX_SPOOLED`].
//! *Next:* `mf4/`, which reads it.

use super::LogFault;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

/// A small gzip that unpacks to more than this is refused.
pub(super) const MAX_SPOOLED: u64 = 16 << 30;

/// The whole of `input` as a file, at its beginning.
pub(super) fn spooled(input: impl Read) -> Result<BufReader<File>, LogFault> {
    at_most(input, MAX_SPOOLED)
}

fn at_most(input: impl Read, most: u64) -> Result<BufReader<File>, LogFault> {
    let mut file = tempfile::tempfile().map_err(LogFault::Io)?;
    let copied = io::copy(&mut input.take(most.saturating_add(1)), &mut file).map_err(LogFault::Io)?;
    if copied > most {
        return Err(LogFault::TooLong(most));
    }
    file.rewind().map_err(LogFault::Io)?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spooled_is_the_same_and_bounded() {
        let mut content = Vec::new();
        at_most(&b"MDF 4.10"[..], 8).unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(content, b"MDF 4.10");
        assert!(matches!(at_most(&b"MDF 4.10"[..], 7), Err(LogFault::TooLong(7))));
        assert!(matches!(at_most(io::repeat(0), 1 << 20), Err(LogFault::TooLong(_))));
    }
}
