//! What a vehicle said becomes lines of text, and such lines a vehicle again.
//!
//! *Invariant:* what was recorded comes back in the same words: values in the catalogue's type to the bit, states with their reasons, points
//! that came together together. Numbers are counted, lines are bounded, and a line that makes no sense costs itself alone.
//! *Next:* `recorder.rs` (writes), `recorded.rs` (plays back), `line.rs` (one line of it).

mod line;
mod recorded;
mod recorder;
#[cfg(test)]
mod tests;

pub use recorded::{Pace, Playback, Recorded};
pub use recorder::Recorder;

use std::io;
use std::sync::Arc;

/// The first line of a recording, before the word for its times.
const MAGIC: &str = "coachwork-recording 1";

/// The longest line, in bytes.
const MAX_LINE: usize = 1 << 20;

/// The most signals of a recording.
const MAX_SIGNALS: usize = 65_536;

/// The most points that are held together.
const MAX_GROUP: usize = 65_536;

/// Why a recording cannot be opened.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name}:{line}: {fault}")]
pub struct RecordingError {
    /// What the recording is called.
    pub name: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub fault: RecordingFault,
}

/// What is wrong with a recording.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingFault {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[source] Arc<io::Error>),
    /// It does not begin as a recording of this version does.
    #[error("this is no recording that begins with `coachwork-recording 1`")]
    NotARecording,
    /// A signal's line makes no sense.
    #[error("not a signal: {0}")]
    Signal(String),
    /// There are more signals than a recording may have.
    #[error("more than {MAX_SIGNALS} signals")]
    TooManySignals,
}
