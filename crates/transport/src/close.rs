//! Why a connection ends: a code for programs, a text for people. The numbers are those of RFC 6455, section 7.4.
//!
//! *Invariant:* the text is at most 123 bytes, which is what a WebSocket close frame holds.

use std::fmt;
use std::sync::Arc;

const MAX_TEXT: usize = 123;

/// Why a connection was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    code: CloseCode,
    text: Arc<str>,
}

/// What kind of end it is, numbered as in RFC 6455.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 1000: the work is done.
    Normal,
    /// 1001: this side goes away, for instance for maintenance; the same request may succeed elsewhere or later.
    GoingAway,
    /// 1002: the peer broke the protocol.
    Protocol,
    /// 1008: the peer may not do this, or did too much of it.
    Policy,
    /// 1009: a message was too large.
    TooLarge,
    /// 1011: this side failed.
    Internal,
    /// Any other number.
    Other(u16),
}

impl CloseReason {
    /// A reason; of a text longer than 123 bytes, the beginning is kept.
    pub fn new(code: CloseCode, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.len() > MAX_TEXT {
            let end = (0..=MAX_TEXT).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            text.truncate(end);
        }
        Self { code, text: text.into() }
    }

    /// The work is done.
    pub fn normal() -> Self {
        Self::new(CloseCode::Normal, "")
    }

    /// What kind of end it is.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The text for people, often empty.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl CloseCode {
    /// Its number.
    pub const fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::Policy => 1008,
            Self::TooLarge => 1009,
            Self::Internal => 1011,
            Self::Other(number) => number,
        }
    }

    /// The code of a number.
    pub const fn from_number(number: u16) -> Self {
        match number {
            1000 => Self::Normal,
            1001 => Self::GoingAway,
            1002 => Self::Protocol,
            1008 => Self::Policy,
            1009 => Self::TooLarge,
            1011 => Self::Internal,
            number => Self::Other(number),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() { self.code.fmt(f) } else { f.write_str(&self.text) }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("the work is done"),
            Self::GoingAway => f.write_str("the peer goes away"),
            Self::Protocol => f.write_str("the protocol was broken"),
            Self::Policy => f.write_str("against the peer's policy"),
            Self::TooLarge => f.write_str("a message was too large"),
            Self::Internal => f.write_str("the peer failed"),
            Self::Other(number) => write!(f, "close code {number}"),
        }
    }
}
