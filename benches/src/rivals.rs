//! Rivals from the registry, behind one trait: a frame in, the physical values of its signals out.
//!
//! *Invariant:* a rival does what its own API offers for this and no more; what it answers is compared before it is timed.
//! *Next:* `case.rs` (what they load).

use std::collections::HashMap;
use std::hint::black_box;

use canparse::pgn::{ParseMessage, PgnLibrary, SpnDefinition};
use coachwork_dbc::{BatchFrame, Database, Match};

/// A decoder.
pub trait Decoder {
    /// Its name and version.
    fn name(&self) -> &'static str;

    /// Decodes one frame and drops the values.
    fn run(&self, id: u32, payload: &[u8]);

    /// The value of each signal by name; `None` where the frame cannot be decoded.
    fn values(&self, id: u32, payload: &[u8]) -> Option<HashMap<String, f64>>;
}

/// can_decode: frames become maps from name to value.
#[derive(Debug)]
pub struct CanDecode(can_decode::Parser);

impl CanDecode {
    /// Loads a DBC file.
    pub fn load(text: &str) -> Result<Self, String> {
        let mut parser = can_decode::Parser::new();
        parser.add_from_str(text).map_err(|error| error.to_string())?;
        Ok(Self(parser))
    }
}

impl Decoder for CanDecode {
    fn name(&self) -> &'static str {
        "can_decode 0.7"
    }

    fn run(&self, id: u32, payload: &[u8]) {
        black_box(self.0.decode_msg(id & 0x1FFF_FFFF, payload));
    }

    fn values(&self, id: u32, payload: &[u8]) -> Option<HashMap<String, f64>> {
        let decoded = self.0.decode_msg(id & 0x1FFF_FFFF, payload)?;
        Some(decoded.signals.into_iter().map(|(name, signal)| (name, signal.value.physical)).collect())
    }
}

/// dbc-rs: frames become vectors of names, values and units.
#[derive(Debug)]
pub struct DbcRs(dbc_rs::Dbc);

impl DbcRs {
    /// Loads a DBC file.
    pub fn load(text: &str) -> Result<Self, String> {
        dbc_rs::Dbc::parse(text).map(Self).map_err(|error| error.to_string())
    }
}

impl Decoder for DbcRs {
    fn name(&self) -> &'static str {
        "dbc-rs 0.7"
    }

    fn run(&self, id: u32, payload: &[u8]) {
        let _ = black_box(self.0.decode(id & 0x1FFF_FFFF, payload, id >> 31 == 1));
    }

    fn values(&self, id: u32, payload: &[u8]) -> Option<HashMap<String, f64>> {
        let decoded = self.0.decode(id & 0x1FFF_FFFF, payload, id >> 31 == 1).ok()?;
        Some(decoded.iter().map(|signal| (signal.name.to_string(), signal.value)).collect())
    }
}

/// canparse: signals by name, J1939 alone; frames of 8 bytes.
#[derive(Debug)]
pub struct Canparse(HashMap<u32, Vec<(String, SpnDefinition)>>);

impl Canparse {
    /// Loads the lines of a DBC file. Its library finds messages by parameter group, which standard identifiers do not have: they are kept by
    /// identifier here, which favours it.
    pub fn load(text: &str) -> Result<Self, String> {
        let mut messages = HashMap::new();
        let mut id = 0;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("BO_ ") {
                id = rest.split(' ').next().and_then(|id| id.parse().ok()).ok_or("no identifier")?;
            } else if line.starts_with(" SG_ ") {
                let name = line.split_whitespace().nth(1).unwrap_or_default().to_string();
                // Its parser waits for the end of the line.
                let signal: SpnDefinition =
                    format!("{line}\n").parse().map_err(|error| format!("{line}: {error}"))?;
                messages.entry(id).or_insert_with(Vec::new).push((name, signal));
            }
        }
        Ok(Self(messages))
    }

    /// Loads a file the way its documentation says.
    pub fn library(path: &std::path::Path) -> std::io::Result<PgnLibrary> {
        PgnLibrary::from_dbc_file(path)
    }
}

impl Decoder for Canparse {
    fn name(&self) -> &'static str {
        "canparse 0.1"
    }

    fn run(&self, id: u32, payload: &[u8]) {
        for (_, signal) in self.0.get(&id).into_iter().flatten() {
            black_box(signal.parse_message(payload));
        }
    }

    fn values(&self, id: u32, payload: &[u8]) -> Option<HashMap<String, f64>> {
        let signals = self.0.get(&id)?.iter();
        Some(
            signals
                .filter_map(|(name, signal)| Some((name.clone(), signal.parse_message(payload)?.into())))
                .collect(),
        )
    }
}

/// How a rival's answers compare with ours.
#[derive(Clone, Copy, Debug, Default)]
pub struct Agreement {
    /// Values that are equal.
    pub equal: usize,
    /// Values that differ, or are there for one side alone.
    pub different: usize,
    /// Frames that the rival refuses.
    pub refused: usize,
}

impl Agreement {
    /// The share of values that are equal, in percent, rounded down.
    pub fn percent(&self) -> usize {
        100 * self.equal / (self.equal + self.different).max(1)
    }
}

/// Compares a rival with ours, frame by frame. Equal means to 6 digits, because some rivals answer in singles.
pub fn compare<F: BatchFrame>(database: &Database, rival: &dyn Decoder, frames: &[F]) -> Agreement {
    let mut agreement = Agreement::default();
    for frame in frames {
        let Some(message) = database.find(frame.id(), Match::Exact) else { continue };
        let ours = message.decode_partial(frame.payload());
        let Some(mut theirs) = rival.values(frame.id().to_dbc(), frame.payload()) else {
            agreement.refused += 1;
            agreement.different += ours.count();
            continue;
        };
        for value in ours {
            let want = value.physical().to_f64();
            match theirs.remove(value.name()) {
                Some(have) if close(have, want, 1e-6) => agreement.equal += 1,
                _ => agreement.different += 1,
            }
        }
        agreement.different += theirs.len();
    }
    agreement
}

/// Whether two numbers are equal within a relative error; near zero, where an offset cancels, of a thousandth.
pub fn close(a: f64, b: f64, within: f64) -> bool {
    (a - b).abs() <= within * a.abs().max(b.abs()).max(1e-3) || a.is_nan() && b.is_nan()
}
