//! Physical values become payloads, beside cantools' generated C, which checks nothing, and beside cantools and can_decode, which do.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use coachwork_benches::case::Case;
use coachwork_benches::clock::time;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::process::{Rival, folder};
use coachwork_benches::random::Random;
use coachwork_benches::rounds::paired;
use coachwork_dbc::{Message, Number, Signal, SignalIndex, ValueType};

use crate::Run;
use crate::decode::start_python;

/// Frames for a rival that needs microseconds.
const FEW: usize = 5_000;
/// Payloads that are compared before anything is timed.
const COMPARED: usize = 100_000;

/// Frames to encode: their messages, and the values of all their signals one after the other.
struct Inputs<'a> {
    messages: Vec<(u32, &'a Message)>,
    values: Vec<f64>,
}

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    run.cases.iter().flat_map(|case| one(run, case)).collect()
}

fn one(run: &Run, case: &Case) -> Vec<Line> {
    let inputs = Inputs::new(case, run.frames);
    let signals = inputs.values.len() as f64;
    let path = folder().join(format!("{}.inputs", case.name));
    let mut lines = Vec::new();
    std::fs::create_dir_all(folder()).expect("the rivals' folder");
    inputs.write(&path).expect("the values are written");
    let (name, budget) = (format!("{} / C -O3 -flto", case.name), Budget::Ratio(1.0));
    match Rival::start(&mut Command::new(folder().join(&case.name).join("decode-lto"))) {
        Ok(mut rival) => {
            rival.ask(&format!("inputs {}", path.display()));
            let wrong = inputs.compare(&mut rival);
            let share = 100.0 * wrong as f64 / inputs.messages.len().min(COMPARED) as f64;
            let name = if wrong == 0 { name } else { format!("{name} ({share:.1} % wrong)") };
            let ours = || inputs.encode() / signals;
            lines.push(Line::new(name, paired(run.rounds, ours, || rival.time("encode") / signals), budget));
        }
        Err(why) => lines.push(Line::missing(name, why, budget)),
    }
    let (name, budget) = (format!("{} / cantools (Python)", case.name), Budget::Times(80.0));
    match start_python(case) {
        Ok(mut rival) => {
            rival.ask(&format!("inputs {} {FEW}", path.display()));
            let few: usize =
                inputs.messages.iter().take(FEW).map(|(_, message)| message.signals().len()).sum();
            let theirs = || rival.time("encode") / few as f64;
            lines.push(Line::new(
                name,
                paired(run.rounds.min(3), || inputs.encode() / signals, theirs),
                budget,
            ));
        }
        Err(why) => lines.push(Line::missing(name, why, budget)),
    }
    let _ = std::fs::remove_file(path);
    lines
}

impl<'a> Inputs<'a> {
    /// Random messages without multiplexers, and values on the grid of raw values, in range.
    fn new(case: &'a Case, count: usize) -> Self {
        let mut random = Random::new(0x00E2_C0DE);
        let usable = |message: &Message| {
            let plain = !message.is_multiplexed() && !message.signals().is_empty();
            plain && message.signals().iter().all(|signal| raw_range(signal).is_some())
        };
        let all: Vec<(u32, &Message)> =
            (0..).zip(case.database.messages()).filter(|(_, message)| usable(message)).collect();
        let messages: Vec<_> = (0..count).map(|_| all[random.below(all.len() as u64) as usize]).collect();
        let signals = messages.iter().flat_map(|(_, message)| message.signals());
        let values = signals.filter_map(|signal| value(signal, &mut random)).collect();
        Self { messages, values }
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&(self.messages.len() as u64).to_le_bytes())?;
        file.write_all(&(self.values.len() as u64).to_le_bytes())?;
        let mut values = self.values.iter();
        for (position, message) in &self.messages {
            file.write_all(&position.to_le_bytes())?;
            file.write_all(&(message.signals().len() as u32).to_le_bytes())?;
            for value in values.by_ref().take(message.signals().len()) {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.flush()
    }

    /// Nanoseconds to encode everything, with every check.
    fn encode(&self) -> f64 {
        let mut given: Vec<(SignalIndex, Number)> = Vec::with_capacity(64);
        let mut payload = [0; 64];
        time(|| {
            let mut values = self.values.as_slice();
            for (_, message) in &self.messages {
                encode(message, &mut values, &mut given, &mut payload);
                black_box(&payload);
            }
        })
    }

    /// The number of payloads that differ, in the first frames: the C truncates where it should round.
    fn compare(&self, rival: &mut Rival) -> usize {
        let path: PathBuf = folder().join("payloads");
        rival.ask(&format!("payloads {COMPARED} {}", path.display()));
        let theirs = std::fs::read(&path).expect("the rival's payloads");
        let _ = std::fs::remove_file(path);
        let mut given = Vec::new();
        let mut values = self.values.as_slice();
        let mut wrong = 0;
        for ((_, message), theirs) in self.messages.iter().zip(theirs.chunks_exact(64)) {
            let mut payload = [0; 64];
            encode(message, &mut values, &mut given, &mut payload);
            wrong += usize::from(payload != *theirs);
        }
        wrong
    }
}

fn encode(
    message: &Message,
    values: &mut &[f64],
    given: &mut Vec<(SignalIndex, Number)>,
    payload: &mut [u8; 64],
) {
    let (now, rest) = values.split_at(message.signals().len());
    *values = rest;
    given.clear();
    given
        .extend(message.indexed_signals().zip(now).map(|((index, _), value)| (index, Number::Float(*value))));
    message.encode_onto(given, &mut payload[..message.length()]).expect("the values are in range");
}

/// A value on the signal's grid, in its range.
fn value(signal: &Signal, random: &mut Random) -> Option<f64> {
    let (from, to) = raw_range(signal)?;
    let raw = from + (random.unit() * (to - from + 1.0)).floor();
    let value = raw * signal.factor() + signal.offset();
    // The product may pass the stated limit by its last bit.
    Some(signal.range().map_or(value, |(min, max)| value.clamp(min, max)))
}

/// The raw values of the stated range, as far as the bits hold it; `None` where they hold none of it.
fn raw_range(signal: &Signal) -> Option<(f64, f64)> {
    // Beyond 51 bits a double does not count one by one.
    let bits = f64::from(signal.length().min(51));
    let (low, high) = match signal.value_type() {
        ValueType::Signed => (-(bits - 1.0).exp2(), (bits - 1.0).exp2() - 1.0),
        ValueType::Unsigned => (0.0, bits.exp2() - 1.0),
        ValueType::F32 | ValueType::F64 => (-100.0, 100.0),
    };
    let raw = |physical: f64| (physical - signal.offset()) / signal.factor();
    if signal.range().is_some_and(|(min, max)| min > max) {
        return None;
    }
    let ends = signal.range().map(|(min, max)| (raw(min), raw(max)));
    let (from, to) =
        ends.map_or((low, high), |(a, b)| (a.min(b).ceil().max(low), a.max(b).floor().min(high)));
    (from <= to).then_some((from, to))
}
