//! The name of a channel (`can0`, `1`, `slcan0`) held inline, so that a frame carries it without allocating.
//!
//! *Invariant:* at most [`Channel::MAX_LEN`] bytes of printable ASCII without spaces; unused bytes are zero; longer or other names are refused, never cut.
//! *Next:* `frame.rs`, which carries one; `log`, which reads and writes them.

use std::fmt;

/// The name of the channel a frame was seen on; empty when the source does not say.
///
/// ```
/// use coachwork_can::Channel;
/// let channel: Channel = "can0".parse()?;
/// assert_eq!(channel.as_str(), "can0");
/// assert!(Channel::NONE.is_none());
/// # Ok::<(), coachwork_can::ChannelError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    name: [u8; Channel::MAX_LEN],
    len: u8,
}

/// Why a text is not a channel name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The name is longer than [`Channel::MAX_LEN`] bytes.
    #[error("a channel name has at most {max} bytes, not {0}", max = Channel::MAX_LEN)]
    TooLong(usize),
    /// The name holds a space, a control character or something that is not ASCII.
    #[error("a channel name is printable ASCII without spaces")]
    NotPrintable,
}

impl Channel {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 23;

    /// No channel: the source does not say.
    pub const NONE: Self = Self { name: [0; Self::MAX_LEN], len: 0 };

    /// A channel of this name; the empty name, and `-` as logs write it, are [`Channel::NONE`].
    ///
    /// # Errors
    /// The name is too long, or not printable ASCII.
    pub fn new(name: &[u8]) -> Result<Self, ChannelError> {
        let mut channel = Self::NONE;
        if name == b"-" {
            return Ok(channel);
        }
        let Some(into) = channel.name.get_mut(..name.len()) else {
            return Err(ChannelError::TooLong(name.len()));
        };
        if !name.iter().all(u8::is_ascii_graphic) {
            return Err(ChannelError::NotPrintable);
        }
        into.copy_from_slice(name);
        channel.len = u8::try_from(name.len()).map_err(|_| ChannelError::TooLong(name.len()))?;
        Ok(channel)
    }

    /// The channel that a log numbers so; 0 is none.
    pub(crate) fn numbered(number: u32) -> Self {
        let mut channel = Self::NONE;
        let digits = number.checked_ilog10().map_or(0, |log| log as usize + 1);
        let mut left = number;
        for into in channel.name.iter_mut().take(digits).rev() {
            *into = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
        }
        channel.len = u8::try_from(digits).unwrap_or(0);
        channel
    }

    /// The name; empty for [`Channel::NONE`].
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The name as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.name.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether the source did not say the channel.
    pub const fn is_none(&self) -> bool {
        self.len == 0
    }
}

impl Default for Channel {
    fn default() -> Self {
        Self::NONE
    }
}

impl std::str::FromStr for Channel {
    type Err = ChannelError;

    fn from_str(name: &str) -> Result<Self, ChannelError> {
        Self::new(name.as_bytes())
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_name() {
        for number in [1, 9, 10, 65_535, u32::MAX] {
            assert_eq!(Channel::numbered(number).as_str(), number.to_string());
        }
        assert_eq!(Channel::numbered(0), Channel::NONE);
    }

    #[test]
    fn a_name_is_kept_or_refused_never_cut() {
        let longest = "a".repeat(Channel::MAX_LEN);
        assert_eq!(longest.parse::<Channel>().unwrap().as_str(), longest);
        assert_eq!("a".repeat(24).parse::<Channel>(), Err(ChannelError::TooLong(24)));
        assert_eq!("can 0".parse::<Channel>(), Err(ChannelError::NotPrintable));
        assert_eq!("kän0".parse::<Channel>(), Err(ChannelError::NotPrintable));
        assert_eq!("".parse::<Channel>(), Ok(Channel::NONE));
    }

    /// Found by the fuzzer: a CSV log with `-` for its bus came back without a channel.
    #[test]
    fn a_dash_is_no_channel() {
        assert_eq!(Channel::new(b"-").unwrap(), Channel::NONE);
        assert_eq!(Channel::new(b"").unwrap(), Channel::NONE);
        assert_ne!(Channel::new(b"--").unwrap(), Channel::NONE);
    }
}
