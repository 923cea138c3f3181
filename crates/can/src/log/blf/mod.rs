//! BLF, Vector's binary log: a header, then objects in containers, most of them compressed.
//!
//! *Invariant:* memory does not grow with the log: an object that is a frame is small, all others are passed over; damage costs the objects
//! it touches, for reading goes on at the next that begins; what was cut off is said at the end.
//! *Next:* `header.rs`, `containers.rs` (the bytes of the objects), `object.rs` (one object, one frame), `write.rs` (the way back).

mod containers;
mod header;
mod object;
#[cfg(test)]
mod tests;
mod write;

pub use write::BlfWriter;

use super::LogFault;
use super::record::{ByteFlaw, RecordFault};
use super::window::le32;
use crate::{Channel, Frame};
use coachwork_vehicle::{TimeBase, Timestamp};
use containers::{BASE_HEADER, CONTAINER, Containers, MAGIC, MAX_PADDING, Piece};
use header::Header;
use memchr::memmem::Finder;
use std::fmt;
use std::io::BufRead;

/// So many bytes behind an object show whether another one begins there.
const LOOK_AHEAD: usize = MAGIC.len() + MAX_PADDING;

/// How much of the unpacked content is held at a time.
const CONTENT: usize = 128 * 1024;

/// No object is longer; one that says so is damaged.
const MAX_OBJECT: u64 = 256 * 1024 * 1024;

/// A BLF log.
pub(super) struct BlfReader<R> {
    containers: Containers<R>,
    magic: Finder<'static>,
    content: Box<[u8]>,
    start: usize,
    end: usize,
    state: State,
    header: Header,
    /// The last number of a channel, and its name.
    channel: (u16, Channel),
    pending: Option<ByteFlaw>,
    /// After damage, which was reported, the next object is searched for.
    lost: bool,
    /// How much of a long object is still to be passed over.
    over: u64,
    /// The times count from here.
    begin: Timestamp,
    /// It was said that the log is cut off.
    cut: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    New,
    Reading,
    /// The containers have ended; what is held is the last.
    Last,
    Ended,
}

impl<R> fmt::Debug for BlfReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlfReader")
            .field("state", &self.state)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// What the content at hand is.
enum Found {
    Frame(Frame),
    /// Something that is no frame.
    Nothing,
    Flaw(LogFault),
    /// More has to be read.
    TooLittle,
}

impl<R: BufRead> BlfReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            containers: Containers::new(input),
            magic: Finder::new(MAGIC),
            content: vec![0; CONTENT].into_boxed_slice(),
            start: 0,
            end: 0,
            state: State::New,
            header: Header::default(),
            channel: (0, Channel::NONE),
            pending: None,
            lost: false,
            over: 0,
            begin: Timestamp::from_nanoseconds(0),
            cut: false,
        }
    }

    /// What the times count from: 1970 where the header has a date.
    pub(super) fn time_base(&self) -> TimeBase {
        if self.header.start.is_some() { TimeBase::Utc } else { TimeBase::Unknown }
    }

    /// How far the log was read.
    pub(super) fn offset(&self) -> u64 {
        self.containers.offset_of(self.end - self.start)
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<Result<Frame, ByteFlaw>> {
        loop {
            let held = self.end - self.start;
            // Nearly always the next frame is whole and at hand.
            match self.at_hand() {
                Found::Frame(frame) => return Some(Ok(frame)),
                Found::Nothing => {}
                Found::Flaw(fault) => {
                    return Some(Err(ByteFlaw { offset: self.containers.offset_of(held), fault }));
                }
                Found::TooLittle => match self.read_on() {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(flaw) => {
                        self.cut |= matches!(flaw.fault, LogFault::Record(RecordFault::Truncated(_)));
                        return Some(Err(flaw));
                    }
                },
            }
        }
    }

    /// What the held content begins with; it is consumed.
    #[inline]
    fn at_hand(&mut self) -> Found {
        let bytes = self.content.get(self.start..self.end).unwrap_or_default();
        if self.over > 0 || !bytes.starts_with(MAGIC) {
            return self.search();
        }
        self.lost = false;
        let (Some(size), Some(kind)) = (le32(bytes, 8), le32(bytes, 12)) else { return Found::TooLittle };
        let Some(len) = usize::try_from(size).ok().filter(|_| object::is_frame(kind)) else {
            return self.other(kind, size.into());
        };
        if !(BASE_HEADER..=object::MAX_FRAME_OBJECT).contains(&len) {
            return self.no_object(RecordFault::Size { what: "an object", size: size.into() });
        }
        let sealed = self.pending.is_some() || self.state != State::Reading;
        let after = match bytes.get(len..) {
            Some(after) if after.len() >= LOOK_AHEAD || sealed => after,
            None if sealed => return self.too_long(),
            _ => return Found::TooLittle,
        };
        let usual = object::usual_size(kind, bytes);
        if (len > usual || !after.starts_with(MAGIC))
            && let Some(inner) = self.wrong_size(bytes, len, after, usual)
        {
            self.start += inner;
            return Found::Flaw(RecordFault::Damaged("an object's size leads into the next").into());
        }
        self.start += len;
        match object::frame(kind, bytes.get(..len).unwrap_or_default(), self.begin) {
            Ok((frame, channel)) => {
                if self.channel.0 != channel {
                    self.channel = (channel, Channel::numbered(channel.into()));
                }
                Found::Frame(frame.with_channel(self.channel.1))
            }
            Err(fault) => Found::Flaw(fault),
        }
    }

    /// Where the next object begins inside of this one, when it is unusually long or nothing begins after it: then its size is wrong.
    #[cold]
    fn wrong_size(&self, bytes: &[u8], len: usize, after: &[u8], usual: usize) -> Option<usize> {
        let begins = |next| self.magic.find(next).is_some_and(|gap| gap <= MAX_PADDING);
        // Nothing comes after the last one.
        let ends_well = after.get(..LOOK_AHEAD).is_none_or(begins);
        if ends_well && len <= usual {
            return None;
        }
        // It may begin in this object's last bytes and end behind it.
        let end = bytes.len().min(len + MAGIC.len() - 1);
        Some(self.magic.find(bytes.get(MAGIC.len()..end)?)? + MAGIC.len())
    }

    /// The object is longer than what is held: it was cut off, is one of the very long ones, or its size is wrong.
    #[cold]
    fn too_long(&mut self) -> Found {
        let held = self.content.get(self.start..self.end).unwrap_or_default();
        match self.magic.find(held.get(MAGIC.len()..).unwrap_or_default()) {
            Some(inner) => {
                self.start += inner + MAGIC.len();
                Found::Flaw(RecordFault::Damaged("an object's size leads over the next").into())
            }
            None => Found::TooLittle,
        }
    }

    /// An object that is no frame: it is passed over.
    #[cold]
    fn other(&mut self, kind: u32, size: u64) -> Found {
        if kind == CONTAINER {
            return self.no_object(RecordFault::Damaged("a container within another"));
        }
        if !(BASE_HEADER as u64..=MAX_OBJECT).contains(&size) {
            return self.no_object(RecordFault::Size { what: "an object", size });
        }
        let held = self.content.get(self.start..self.end).unwrap_or_default();
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        if len > CONTENT - LOOK_AHEAD {
            if held.len() < CONTENT / 2 && self.pending.is_none() && self.state == State::Reading {
                return Found::TooLittle;
            }
            let found = self.too_long();
            if matches!(found, Found::TooLittle) {
                self.over = size;
            }
            return found;
        }
        let sealed = self.pending.is_some() || self.state != State::Reading;
        let after = match held.get(len..) {
            Some(after) if after.len() >= LOOK_AHEAD || sealed => after,
            None if sealed => return self.too_long(),
            _ => return Found::TooLittle,
        };
        if let Some(inner) = self.wrong_size(held, len, after, usize::MAX) {
            self.start += inner;
            return Found::Flaw(RecordFault::Damaged("an object's size leads into the next").into());
        }
        self.start += len;
        Found::Nothing
    }

    #[cold]
    fn no_object(&mut self, fault: RecordFault) -> Found {
        self.start += MAGIC.len();
        self.lost = true;
        Found::Flaw(fault.into())
    }

    /// The next object does not begin here: over a long object, over padding, or over what is damaged.
    #[cold]
    fn search(&mut self) -> Found {
        let held = self.content.get(self.start..self.end).unwrap_or_default();
        if self.over > 0 {
            let step = held.len().min(usize::try_from(self.over).unwrap_or(usize::MAX));
            self.start += step;
            self.over -= step as u64;
            return if self.over > 0 { Found::TooLittle } else { Found::Nothing };
        }
        let sealed = self.pending.is_some() || self.state != State::Reading;
        let skipped = match self.magic.find(held) {
            Some(gap) => gap,
            None if sealed && held.len() <= MAX_PADDING => {
                self.start = self.end;
                return Found::TooLittle;
            }
            None if held.len() < LOOK_AHEAD && !sealed => return Found::TooLittle,
            None if sealed => held.len(),
            None => held.len() - (MAGIC.len() - 1),
        };
        let is_padding = skipped <= MAX_PADDING;
        self.start += skipped;
        if is_padding || self.lost {
            return Found::Nothing;
        }
        self.lost = true;
        Found::Flaw(RecordFault::Damaged("no object begins here").into())
    }

    /// Makes more of the content available; says whether there may be more.
    #[cold]
    fn read_on(&mut self) -> Result<bool, ByteFlaw> {
        let result = match self.state {
            State::New => self.open(),
            State::Reading => self.fill(),
            State::Last => self.end(),
            State::Ended => return Ok(false),
        };
        if let Err(ByteFlaw { fault: LogFault::Io(_), .. }) = result {
            self.state = State::Ended;
            self.start = self.end;
        }
        result.map(|()| true)
    }

    fn open(&mut self) -> Result<(), ByteFlaw> {
        self.state = State::Reading;
        let raw = self.containers.raw();
        let io = |cause| ByteFlaw::new(0, LogFault::Io(cause));
        let whole = raw.fill(header::SIZE).map_err(io)?;
        let Some(header) = Header::parse(raw.bytes()).filter(|_| whole) else {
            self.state = State::Ended;
            return Err(ByteFlaw::new(raw.bytes().len() as u64, RecordFault::Truncated("the header")));
        };
        self.header = header;
        self.begin = header.start.unwrap_or(Timestamp::from_nanoseconds(0));
        if (header::SIZE..=header::MAX_SIZE).contains(&header.size) {
            raw.skip(header.size as u64).map_err(io)?;
            return Ok(());
        }
        raw.consume(header::SIZE);
        Err(ByteFlaw::new(4, RecordFault::Size { what: "a header", size: header.size as u64 }))
    }

    /// Reads more content behind what is held.
    fn fill(&mut self) -> Result<(), ByteFlaw> {
        if let Some(flaw) = self.pending.take() {
            // The object that was begun does not go on.
            self.start = self.end;
            self.over = 0;
            self.lost = true;
            return Err(flaw);
        }
        self.content.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.content.get_mut(self.end..).unwrap_or_default();
        if room.is_empty() {
            self.start = self.end;
            self.lost = true;
            return Ok(());
        }
        match self.containers.read(room) {
            Ok(Piece::Bytes(count)) => self.end += count,
            Ok(Piece::Break(flaw)) => self.pending = Some(flaw),
            Ok(Piece::End) => self.state = State::Last,
            Err(cause) => return Err(ByteFlaw::new(self.containers.offset_of(0), LogFault::Io(cause))),
        }
        Ok(())
    }

    /// All was read: was it all there is?
    fn end(&mut self) -> Result<(), ByteFlaw> {
        self.state = State::Ended;
        let held = self.end - self.start;
        self.start = self.end;
        let offset = self.containers.raw().offset();
        if self.cut {
            return Ok(());
        }
        if held > 0 || self.over > 0 {
            self.over = 0;
            return Err(ByteFlaw::new(offset, RecordFault::Truncated("an object")));
        }
        if offset < self.header.file_size {
            return Err(ByteFlaw::new(offset, RecordFault::Short(self.header.file_size)));
        }
        Ok(())
    }
}
