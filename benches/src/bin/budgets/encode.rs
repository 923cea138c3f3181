//! Physical values become payloads: many frames at once, frame by frame through an encoder, and through the message, beside cantools' generated C,
//! which checks nothing, and beside cantools, which does.

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
use coachwork_dbc::{BatchEncoder, Encoder, Message, Signal, SignalIndex, ValueType};

use crate::Run;
use crate::decode::start_python;

/// Frames for a rival that needs microseconds.
const FEW: usize = 5_000;
/// Payloads that are compared before anything is timed.
const COMPARED: usize = 100_000;

/// Frames to encode: their messages, and the values of all their signals one after the other.
struct Inputs<'a> {
    /// The positions of the frames' messages in the database.
    positions: Vec<u32>,
    /// The places of the frames' encoders.
    frames: Vec<u32>,
    values: Vec<f64>,
    encoders: Vec<Encoder<'a>>,
    batch: BatchEncoder<'a>,
    handles: Vec<Vec<SignalIndex>>,
}

/// Which interface encodes.
#[derive(Clone, Copy, PartialEq)]
enum Interface {
    /// `BatchEncoder`: frames by the number of their encoder, values one after the other.
    Batch,
    /// `Encoder::encode`: one call a frame, with an array of values.
    Encoder,
    /// `Message::encode_into`: one call a frame, with pairs of handle and value.
    Message,
}

const INTERFACES: [(&str, Interface); 3] =
    [("batch", Interface::Batch), ("encoder", Interface::Encoder), ("message", Interface::Message)];

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
    inputs.compare_interfaces();
    let budget = Budget::Ratio(1.0);
    match Rival::start(&mut Command::new(folder().join(&case.name).join("decode-lto"))) {
        Ok(mut rival) => {
            rival.ask(&format!("inputs {}", path.display()));
            let wrong = inputs.compare(&mut rival);
            let share = 100.0 * wrong as f64 / inputs.frames.len().min(COMPARED) as f64;
            let note = if wrong == 0 { String::new() } else { format!(" ({share:.1} % wrong)") };
            for (word, interface) in INTERFACES {
                let name = format!("{}, {word} / C -O3 -flto{note}", case.name);
                let ours = || inputs.encode(interface) / signals;
                let figures = paired(run.rounds, ours, || rival.time("encode") / signals);
                lines.push(Line::new(name, figures, budget));
            }
        }
        Err(why) => lines.push(Line::missing(format!("{} / C -O3 -flto", case.name), why, budget)),
    }
    let budget = Budget::Times(80.0);
    match start_python(case) {
        Ok(mut rival) => {
            rival.ask(&format!("inputs {} {FEW}", path.display()));
            let few: usize =
                inputs.frames.iter().take(FEW).map(|frame| inputs.handles[*frame as usize].len()).sum();
            for (word, interface) in INTERFACES {
                let name = format!("{}, {word} / cantools (Python)", case.name);
                let theirs = || rival.time("encode") / few as f64;
                let ours = || inputs.encode(interface) / signals;
                lines.push(Line::new(name, paired(run.rounds.min(3), ours, theirs), budget));
            }
        }
        Err(why) => lines.push(Line::missing(format!("{} / cantools (Python)", case.name), why, budget)),
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
        let frames: Vec<u32> = (0..count).map(|_| random.below(all.len() as u64) as u32).collect();
        let signals = frames.iter().flat_map(|frame| all[*frame as usize].1.signals());
        let values = signals.filter_map(|signal| value(signal, &mut random)).collect();
        let encoders: Vec<Encoder<'_>> =
            all.iter().map(|(_, message)| message.encoder_of_all().expect("no multiplexers")).collect();
        let handles = encoders.iter().map(|encoder| encoder.signals().collect()).collect();
        let positions = frames.iter().map(|frame| all[*frame as usize].0).collect();
        let batch = BatchEncoder::new(encoders.iter().cloned());
        Self { positions, frames, values, encoders, batch, handles }
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&(self.frames.len() as u64).to_le_bytes())?;
        file.write_all(&(self.values.len() as u64).to_le_bytes())?;
        let mut values = self.values.iter();
        for (position, frame) in self.positions.iter().zip(&self.frames) {
            let signals = self.handles[*frame as usize].len();
            file.write_all(&position.to_le_bytes())?;
            file.write_all(&(signals as u32).to_le_bytes())?;
            for value in values.by_ref().take(signals) {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.flush()
    }

    /// Nanoseconds to encode everything, with every check.
    fn encode(&self, interface: Interface) -> f64 {
        time(|| {
            self.each(interface, usize::MAX, |payload| {
                black_box(payload);
            });
        })
    }

    /// Hands out the payloads of the first frames.
    fn each(&self, interface: Interface, most: usize, mut sink: impl FnMut(&[u8])) {
        let frames = &self.frames[..most.min(self.frames.len())];
        if interface == Interface::Batch {
            self.batch
                .encode(frames, &self.values, |frame| sink(frame.payload()))
                .expect("the values are in range");
            return;
        }
        let mut given: Vec<(SignalIndex, f64)> = Vec::with_capacity(64);
        let mut payload = [0; 64];
        let mut values = self.values.as_slice();
        for frame in frames {
            let encoder = &self.encoders[*frame as usize];
            let handles = &self.handles[*frame as usize];
            let (now, rest) = values.split_at(handles.len());
            values = rest;
            let length = if interface == Interface::Encoder {
                encoder.encode(now, &mut payload)
            } else {
                given.clear();
                given.extend(handles.iter().copied().zip(now.iter().copied()));
                encoder.message().encode_into(&given, &mut payload)
            };
            sink(&payload[..length.expect("the values are in range")]);
        }
    }

    /// All interfaces give the same payloads.
    fn compare_interfaces(&self) {
        let payloads = |interface| {
            let mut all = Vec::new();
            self.each(interface, COMPARED, |payload| all.push(payload.to_vec()));
            all
        };
        let batch = payloads(Interface::Batch);
        assert!(batch == payloads(Interface::Encoder) && batch == payloads(Interface::Message));
    }

    /// The number of payloads that differ, in the first frames: the C truncates where it should round.
    fn compare(&self, rival: &mut Rival) -> usize {
        let path: PathBuf = folder().join("payloads");
        rival.ask(&format!("payloads {COMPARED} {}", path.display()));
        let theirs = std::fs::read(&path).expect("the rival's payloads");
        let _ = std::fs::remove_file(path);
        let mut theirs = theirs.chunks_exact(64);
        let mut wrong = 0;
        self.each(Interface::Batch, COMPARED, |payload| {
            let theirs = theirs.next().expect("as many payloads");
            wrong += usize::from(theirs[..payload.len()] != *payload);
        });
        wrong
    }
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
