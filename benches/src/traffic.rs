//! Frames for a database: random payloads, identifiers in random order or as a bus with cycle times would bring them.
//!
//! *Invariant:* the same frames in every run; multiplexers have values for which something is defined; rivals in other processes read the same
//! frames from a file.
//! *Next:* `process.rs` (who reads the file).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use coachwork_dbc::{BatchFrame, CanId, ClassicFrame, Database, FdFrame, Message, Signal};

use crate::case::selector;
use crate::random::Random;

/// In which order identifiers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Uniformly random over all messages: nothing can be predicted.
    Random,
    /// Every message with a period of 10 to 1000 ms, a random phase and 0.3 ms of jitter: a real bus.
    Periodic,
}

impl Order {
    /// The order in a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Periodic => "periodic",
        }
    }
}

/// A frame that the generator can make.
pub trait Make: BatchFrame + Sized {
    /// The bytes of a frame in a file.
    const STRIDE: usize;

    /// A frame with a payload that fits.
    fn make(id: CanId, payload: &[u8]) -> Self;
}

impl Make for ClassicFrame {
    const STRIDE: usize = 8;

    fn make(id: CanId, payload: &[u8]) -> Self {
        Self::new(id, payload).expect("a classic payload")
    }
}

impl Make for FdFrame {
    const STRIDE: usize = 64;

    fn make(id: CanId, payload: &[u8]) -> Self {
        Self::new(id, payload).expect("an FD payload")
    }
}

/// Frames, and the position of each one's message.
#[derive(Debug)]
pub struct Traffic<F> {
    /// The frames.
    pub frames: Vec<F>,
    /// The position of each frame's message in the database.
    pub messages: Vec<u32>,
}

impl<F: Make> Traffic<F> {
    /// So many frames.
    pub fn new(database: &Database, order: Order, count: usize) -> Self {
        let mut random = Random::new(0x5EED);
        let messages = match order {
            Order::Random => {
                let all = database.messages().len() as u64;
                (0..count).map(|_| random.below(all) as u32).collect()
            }
            Order::Periodic => periodic(database.messages().len(), count, &mut random),
        };
        let frames =
            messages.iter().map(|position| frame(&database.messages()[*position as usize], &mut random));
        Self { frames: frames.collect(), messages }
    }

    /// Writes the frames for rivals in other processes: their number and stride, then each one's message, identifier, length and bytes.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&(self.frames.len() as u64).to_le_bytes())?;
        file.write_all(&(F::STRIDE as u64).to_le_bytes())?;
        for (frame, message) in self.frames.iter().zip(&self.messages) {
            let payload = frame.payload();
            for number in [*message, frame.id().to_dbc(), payload.len() as u32, 0] {
                file.write_all(&number.to_le_bytes())?;
            }
            let mut bytes = [0; 64];
            bytes[..payload.len()].copy_from_slice(payload);
            file.write_all(&bytes[..F::STRIDE])?;
        }
        file.flush()
    }
}

fn frame<F: Make>(message: &Message, random: &mut Random) -> F {
    let mut payload = [0; 64];
    for bytes in payload.chunks_mut(8) {
        bytes.copy_from_slice(&random.bits().to_le_bytes());
    }
    if let Some((multiplexer, values)) = selector(message).filter(|(_, values)| !values.is_empty()) {
        put(&mut payload, multiplexer, values[random.below(values.len() as u64) as usize]);
    }
    F::make(message.id(), &payload[..message.length()])
}

/// Writes the bits of a signal, bit by bit.
pub fn put(payload: &mut [u8], signal: &Signal, bits: u64) {
    for (number, place) in signal.bit_positions().enumerate() {
        let (byte, mask) = (place as usize / 8, 1 << (place % 8));
        if bits >> number & 1 == 1 {
            payload[byte] |= mask;
        } else {
            payload[byte] &= !mask;
        }
    }
}

fn periodic(messages: usize, count: usize, random: &mut Random) -> Vec<u32> {
    const PERIODS: [f64; 8] = [10.0, 20.0, 25.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
    let plan: Vec<(f64, f64)> = (0..messages)
        .map(|_| {
            let period = PERIODS[random.below(PERIODS.len() as u64) as usize];
            (period, random.unit() * period)
        })
        .collect();
    let per_millisecond: f64 = plan.iter().map(|(period, _)| 1.0 / period).sum();
    let until = count as f64 / per_millisecond * 1.01 + 1000.0;
    let mut times = Vec::new();
    for (message, (period, phase)) in (0_u32..).zip(&plan) {
        let mut at = *phase;
        while at < until {
            times.push((at + random.unit() * 0.3, message));
            at += period;
        }
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let messages: Vec<u32> = times.into_iter().map(|entry| entry.1).take(count).collect();
    assert_eq!(messages.len(), count, "enough frames");
    messages
}

#[cfg(test)]
mod tests {
    use coachwork_dbc::Raw;

    use super::*;

    const TEXT: &str = "BS_:\nBU_: n\nBO_ 1 a: 8 n\n SG_ x M : 0|4@1+ (1,0) [0|0] \"\" n\n SG_ y m3 : 8|8@1+ (1,0) [0|0] \"\" n\n\nBO_ 2 b: 4 n\n SG_ z : 7|16@0- (1,0) [0|0] \"\" n\n";

    #[test]
    fn frames_are_the_same_again_and_defined() {
        let database = Database::parse(TEXT).expect("it loads");
        for order in [Order::Random, Order::Periodic] {
            let traffic = Traffic::<ClassicFrame>::new(&database, order, 1000);
            assert_eq!(traffic.frames, Traffic::<ClassicFrame>::new(&database, order, 1000).frames);
            for (frame, position) in traffic.frames.iter().zip(&traffic.messages) {
                let message = &database.messages()[*position as usize];
                assert_eq!(frame.id(), message.id());
                assert!(message.decode(frame.payload()).is_ok());
            }
            let first = traffic.messages.iter().filter(|message| **message == 0).count();
            assert!((1..1000).contains(&first), "{first}");
        }
    }

    #[test]
    fn bits_are_put_where_the_decoder_finds_them() {
        let database = Database::parse(TEXT).expect("it loads");
        let message = &database.messages()[1];
        let signal = &message.signals()[0];
        let mut payload = [0xFF; 4];
        put(&mut payload, signal, 0x1234);
        let raw = message.decode(&payload).expect("it decodes").next().expect("a signal").raw();
        assert_eq!(raw, Raw::Signed(0x1234));
        assert_eq!(payload, [0x12, 0x34, 0xFF, 0xFF]);
    }
}
