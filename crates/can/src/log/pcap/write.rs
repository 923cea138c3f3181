//! Frames become a pcapng file, which Wireshark, tcpdump and scapy read.
//!
//! One section, little-endian, times in nanoseconds; an interface for each channel, described before its first packet.
//! *Invariant:* nothing is cut or made up: a frame that has no place in the format is refused.
//! *Next:* `ng.rs`, the way back; `socketcan.rs`, whose packets these are.

use super::ng::{IF_NAME, IF_RESOLUTION, INTERFACE, PACKET, PACKET_FLAGS, SECTION};
use super::socketcan;
use crate::log::{LogFormat, Unheld, WriteError};
use crate::{Channel, Direction, Frame};
use std::collections::HashMap;
use std::io::Write;

/// No log has more channels.
const MAX_INTERFACES: usize = 255;

/// Writes frames as a pcapng file of link type 227 (SocketCAN).
///
/// Each channel is an interface of its name; all that a frame has is kept, for this format has a place for it.
///
/// ```
/// use coachwork_can::{CanId, Frame, log::{LogReader, PcapngWriter}};
/// use coachwork_vehicle::Timestamp;
/// let mut log = PcapngWriter::new(Vec::new())?;
/// let id = CanId::standard(0x123).ok_or("not an id")?;
/// let frame = Frame::new(id, &[1, 2])?.with_time(Timestamp::from_seconds(1_700_000_000)).with_channel("can0".parse()?);
/// log.write(&frame)?;
/// let file = log.finish()?;
/// assert_eq!(LogReader::new("log.pcapng", &file[..]).next().ok_or("empty")??, frame);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PcapngWriter<W> {
    output: W,
    interfaces: HashMap<Channel, u32>,
    last: Option<(Channel, u32)>,
    block: Vec<u8>,
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a file. The writer writes in small pieces: give it a buffered output.
    ///
    /// # Errors
    /// The output failed.
    pub fn new(output: W) -> Result<Self, WriteError> {
        let mut log = Self { output, interfaces: HashMap::new(), last: None, block: Vec::new() };
        // The byte order, version 1.0, a section of unknown length.
        log.begin(SECTION);
        log.put(&0x1A2B_3C4D_u32.to_le_bytes());
        log.put(&[1, 0, 0, 0]);
        log.put(&u64::MAX.to_le_bytes());
        log.end()?;
        Ok(log)
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// The frame has no time or one before 1970, or there are too many channels (then nothing was written, and other frames can be);
    /// the output failed.
    pub fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        let time = frame.time().ok_or(WriteError::NoTime(LogFormat::Pcapng))?;
        let time = u64::try_from(time.nanoseconds()).map_err(|_| unheld(Unheld::Time))?;
        let interface = self.interface(*frame.channel())?;
        let header = socketcan::header(frame);
        let len = header.len() + frame.len();
        let size = u32::try_from(len).unwrap_or(0).to_le_bytes();
        self.begin(PACKET);
        self.put(&interface.to_le_bytes());
        let [low_0, low_1, low_2, low_3, high @ ..] = time.to_le_bytes();
        self.put(&high);
        self.put(&[low_0, low_1, low_2, low_3]);
        self.put(&size);
        self.put(&size);
        self.put(&header);
        self.put(frame.data());
        self.pad(len);
        let direction = match frame.direction() {
            None => 0,
            Some(Direction::Received) => 1_u32,
            Some(Direction::Transmitted) => 2,
        };
        if direction != 0 {
            self.option(PACKET_FLAGS, &direction.to_le_bytes());
            self.put(&[0; 4]);
        }
        self.end()
    }

    /// Flushes the output and gives it back.
    ///
    /// # Errors
    /// The output failed.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.output.flush()?;
        Ok(self.output)
    }

    /// The interface of a channel, which is described when it is new.
    fn interface(&mut self, channel: Channel) -> Result<u32, WriteError> {
        if let Some((last, number)) = self.last
            && last == channel
        {
            return Ok(number);
        }
        let number = match self.interfaces.get(&channel) {
            Some(number) => *number,
            None => self.describe(channel)?,
        };
        self.last = Some((channel, number));
        Ok(number)
    }

    fn describe(&mut self, channel: Channel) -> Result<u32, WriteError> {
        let number = self.interfaces.len();
        let number = u32::try_from(number).ok().filter(|_| number < MAX_INTERFACES);
        let number = number.ok_or(unheld(Unheld::Channel))?;
        self.begin(INTERFACE);
        self.put(&socketcan::SOCKETCAN.to_le_bytes());
        // Packets of any length.
        self.put(&[0; 4]);
        // Without a name a reader would give it its number.
        self.option(IF_NAME, channel.as_bytes());
        self.option(IF_RESOLUTION, &[9]);
        self.put(&[0; 4]);
        self.end()?;
        self.interfaces.insert(channel, number);
        Ok(number)
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.put(&kind.to_le_bytes());
        self.put(&[0; 4]);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
    }

    fn pad(&mut self, len: usize) {
        self.put([0; 3].get(..len.next_multiple_of(4) - len).unwrap_or_default());
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.put(&code.to_le_bytes());
        self.put(&u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
        self.put(value);
        self.pad(value.len());
    }

    /// Writes the block, with its length at both ends.
    fn end(&mut self) -> Result<(), WriteError> {
        let size = u32::try_from(self.block.len() + 4).unwrap_or(0).to_le_bytes();
        if let Some(into) = self.block.get_mut(4..8) {
            into.copy_from_slice(&size);
        }
        self.put(&size);
        Ok(self.output.write_all(&self.block)?)
    }
}

fn unheld(what: Unheld) -> WriteError {
    WriteError::Unheld { format: LogFormat::Pcapng, what }
}
