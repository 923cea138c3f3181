//! The data of a group become one stream of bytes: one block or a list of them, stored or compressed, in order.
//!
//! *Invariant:* a window of bounded size is held, and of a transposed block its content, which may have at most [`MAX_TRANSPOSED`] bytes;
//! a damaged block costs itself; a list has no more blocks than the file has room for.
//! *Next:* `stream.rs` (records), `signal.rs` (values of variable length).

use super::block::{Block, HEAD, Place};
use crate::log::record::{ByteFlaw, RecordFault};
use flate2::{Decompress, FlushDecompress, Status};
use std::fmt;
use std::io::{Read, Seek};

/// How much is held of a stream, and of compressed data.
const WINDOW: usize = 32 * 1024;

/// No transposed block holds more; the format's own advice is 4 MiB.
const MAX_TRANSPOSED: u64 = 16 * 1024 * 1024;

/// A stream of bytes out of blocks.
pub(super) struct Data {
    list: List,
    part: Part,
    buffer: Vec<u8>,
    start: usize,
    /// How many bytes of the stream are before the window.
    before: u64,
    /// Whether the file was not finished: the last block then does not know its length.
    unfinished: bool,
    /// Blocks still believed.
    budget: u64,
    pending: Option<ByteFlaw>,
    inflate: Decompress,
    packed: Vec<u8>,
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data").field("list", &self.list).field("part", &self.part).finish_non_exhaustive()
    }
}

/// The blocks that are to come.
#[derive(Clone, Copy, Debug)]
enum List {
    None,
    One(u64),
    /// A list block, the number of its next link.
    Of(Block, u64),
}

/// The block that is being read.
#[derive(Clone, Debug)]
enum Part {
    None,
    Stored { at: u64, left: u64 },
    Deflate { block: u64, at: u64, left: u64, room: u64 },
    Held { block: u64, content: Vec<u8>, at: usize },
}

impl Data {
    pub(super) fn new(at: Option<u64>, unfinished: bool, file: u64) -> Self {
        Self {
            list: at.map_or(List::None, List::One),
            part: Part::None,
            buffer: Vec::new(),
            start: 0,
            before: 0,
            unfinished,
            budget: file / HEAD + 1,
            pending: None,
            inflate: Decompress::new(true),
            packed: Vec::new(),
        }
    }

    /// What was read and not consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// How many bytes of the stream are before [`bytes`](Self::bytes).
    pub(super) fn position(&self) -> u64 {
        self.before
    }

    /// Where in the file what comes next is, or the block that holds it.
    pub(super) fn offset(&self) -> u64 {
        match &self.part {
            Part::None => 0,
            Part::Stored { at, .. } => at.saturating_sub(self.bytes().len() as u64),
            Part::Deflate { block, .. } | Part::Held { block, .. } => *block,
        }
    }

    /// Whether another block may follow.
    pub(super) fn has_more(&self) -> bool {
        !matches!((&self.list, &self.part), (List::None, Part::None))
    }

    /// Begins again, at the block that is at `at`.
    pub(super) fn restart(&mut self, at: u64, file: u64) {
        self.list = List::One(at);
        self.part = Part::None;
        self.buffer.clear();
        (self.start, self.before, self.budget) = (0, 0, file / HEAD + 1);
    }

    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.bytes().len());
        self.start += count;
        self.before += count as u64;
    }

    /// Reads until `wanted` bytes are there; says whether they are.
    pub(super) fn fill<R: Read + Seek>(
        &mut self,
        place: &mut Place<R>,
        wanted: usize,
    ) -> Result<bool, ByteFlaw> {
        while self.bytes().len() < wanted {
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            if !self.read_on(place)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads over `count` bytes; says whether there are so many.
    pub(super) fn skip<R: Read + Seek>(
        &mut self,
        place: &mut Place<R>,
        count: u64,
    ) -> Result<bool, ByteFlaw> {
        let mut left = count;
        while left > 0 {
            if !self.fill(place, 1)? {
                return Ok(false);
            }
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(self.bytes().len());
            self.consume(step);
            left -= step as u64;
        }
        Ok(true)
    }

    /// Puts more into the buffer; says whether there may be more. After a flaw the next block follows.
    fn read_on<R: Read + Seek>(&mut self, place: &mut Place<R>) -> Result<bool, ByteFlaw> {
        if let Some(flaw) = self.pending.take() {
            return Err(flaw);
        }
        match &mut self.part {
            Part::None => return self.open(place),
            Part::Stored { left: 0, .. } => self.part = Part::None,
            Part::Stored { at, left } => {
                let from = self.buffer.len();
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(WINDOW);
                self.buffer.resize(from + count, 0);
                let read = place.read(*at, self.buffer.get_mut(from..).unwrap_or_default());
                self.buffer.truncate(from + read.as_ref().map_or(0, |read| *read));
                let read = read? as u64;
                *at += read;
                *left -= read;
                if read == 0 {
                    let at = *at;
                    self.part = Part::None;
                    self.list = List::None;
                    return Err(ByteFlaw::new(at, RecordFault::Truncated("a data block")));
                }
            }
            Part::Held { content, at, .. } => {
                let end = content.len().min(*at + WINDOW);
                self.buffer.extend_from_slice(content.get(*at..end).unwrap_or_default());
                *at = end;
                if end == content.len() {
                    self.part = Part::None;
                }
            }
            Part::Deflate { block, at, left, room } => {
                let (block, from) = (*block, self.buffer.len());
                self.buffer.resize(from + WINDOW, 0);
                let into = self.buffer.get_mut(from..).unwrap_or_default();
                let step = unpack(&mut self.inflate, place, &mut self.packed, at, left, into);
                let made = step.as_ref().map_or(0, |(made, _)| *made);
                let kept = usize::try_from(*room).unwrap_or(usize::MAX).min(made);
                *room -= kept as u64;
                match step {
                    // The data have said themselves where they end, and their checksum is right: so is what they hold.
                    Ok((made, true)) => {
                        self.buffer.truncate(from + made);
                        self.part = Part::None;
                    }
                    Ok((made, false)) => {
                        self.buffer.truncate(from + kept);
                        if kept < made {
                            self.part = Part::None;
                            let fault = RecordFault::Damaged("a block holds more than it states");
                            self.pending = Some(ByteFlaw::new(block, fault));
                        }
                    }
                    Err(flaw) => {
                        self.buffer.truncate(from);
                        self.part = Part::None;
                        return Err(flaw);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Goes to the next block; says whether there is one.
    fn open<R: Read + Seek>(&mut self, place: &mut Place<R>) -> Result<bool, ByteFlaw> {
        let at = match &mut self.list {
            List::None => return Ok(false),
            List::One(at) => {
                let at = *at;
                self.list = List::None;
                at
            }
            List::Of(block, number) => {
                let (block, current) = (*block, *number);
                *number += 1;
                if current >= block.links {
                    // The first link is to the list's next part.
                    let next = place.link(&block, 0).inspect_err(|_| self.list = List::None)?;
                    self.list = next.map_or(List::None, List::One);
                    return Ok(next.is_some());
                }
                match place.link(&block, current)? {
                    Some(at) => at,
                    None => return Ok(true),
                }
            }
        };
        self.budget = self.budget.saturating_sub(1);
        if self.budget == 0 {
            self.list = List::None;
            return Err(ByteFlaw::new(
                at,
                RecordFault::Damaged("a list of data blocks that comes back to itself"),
            ));
        }
        let block = place.block(at)?;
        match &block.id {
            b"##DL" => self.list = List::Of(block, 1),
            b"##HL" => self.list = place.link(&block, 0)?.map_or(List::None, List::One),
            b"##DT" | b"##SD" | b"##DV" => {
                let to_end = place.len().saturating_sub(block.data_at());
                // A file that was not finished does not know how long its last block is.
                let left = if self.unfinished && block.data_len() == 0 { to_end } else { block.data_len() };
                self.part = Part::Stored { at: block.data_at(), left };
            }
            b"##DZ" => self.part = self.zipped(place, &block)?,
            _ => return Err(ByteFlaw::new(at, RecordFault::Damaged("no data block is here"))),
        }
        Ok(true)
    }

    /// Original type 2, method, reserved, parameter 4, original length 8, length 8, data.
    fn zipped<R: Read + Seek>(&mut self, place: &mut Place<R>, block: &Block) -> Result<Part, ByteFlaw> {
        let head: [u8; 24] = place.data(block)?;
        let [_, _, method, _, p_0, p_1, p_2, p_3, rest @ ..] = head;
        let columns = u32::from_le_bytes([p_0, p_1, p_2, p_3]);
        let number = |at: usize| crate::log::window::le64(&rest, at).unwrap_or(0);
        let (room, left) = (number(0), number(8).min(block.data_len().saturating_sub(24)));
        self.inflate.reset(true);
        let mut at = block.data_at() + 24;
        match method {
            0 => Ok(Part::Deflate { block: block.at, at, left, room }),
            1 if room > MAX_TRANSPOSED => {
                Err(ByteFlaw::new(block.at, RecordFault::Size { what: "a transposed block", size: room }))
            }
            1 => {
                let (mut left, mut content) = (left, Vec::new());
                loop {
                    let from = content.len();
                    content.resize(from + WINDOW, 0);
                    let into = content.get_mut(from..).unwrap_or_default();
                    let (made, ended) =
                        unpack(&mut self.inflate, place, &mut self.packed, &mut at, &mut left, into)?;
                    content.truncate(from + made);
                    if ended {
                        break;
                    }
                    if content.len() as u64 > MAX_TRANSPOSED {
                        let fault = RecordFault::Damaged("a block holds more than it states");
                        return Err(ByteFlaw::new(block.at, fault));
                    }
                }
                Ok(Part::Held { block: block.at, content: turned(&content, columns), at: 0 })
            }
            method => {
                let what = "a data block's compression";
                Err(ByteFlaw::new(block.at, RecordFault::Unknown { what, number: method.into() }))
            }
        }
    }
}

/// Unpacks into `into`; says how much, and whether that was the end.
fn unpack<R: Read + Seek>(
    inflate: &mut Decompress,
    place: &mut Place<R>,
    packed: &mut Vec<u8>,
    at: &mut u64,
    left: &mut u64,
    into: &mut [u8],
) -> Result<(usize, bool), ByteFlaw> {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(WINDOW);
    packed.resize(count, 0);
    let read = place.read(*at, packed)?;
    let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(packed.get(..read).unwrap_or_default(), into, FlushDecompress::None);
    let (used, made) = (inflate.total_in() - before_in, inflate.total_out() - before_out);
    let broken = ByteFlaw::new(*at, RecordFault::Compression("a data block"));
    *at += used;
    *left = left.saturating_sub(used);
    match status {
        Ok(Status::StreamEnd) => Ok((usize::try_from(made).unwrap_or(0), true)),
        Ok(_) if used > 0 || made > 0 => Ok((usize::try_from(made).unwrap_or(0), false)),
        Ok(_) if read < count => Err(ByteFlaw::new(*at, RecordFault::Truncated("a data block"))),
        Ok(_) | Err(_) => Err(broken),
    }
}

/// Columns become rows again; what does not fill a row stays at the end.
fn turned(content: &[u8], columns: u32) -> Vec<u8> {
    let columns = usize::try_from(columns).unwrap_or(0);
    let rows = content.len().checked_div(columns).unwrap_or(0);
    if rows == 0 {
        return content.to_vec();
    }
    let (grid, tail) = content.split_at(rows * columns);
    let mut out = vec![0; grid.len()];
    for (column, values) in grid.chunks_exact(rows).enumerate() {
        for (row, value) in values.iter().enumerate() {
            if let Some(into) = out.get_mut(row * columns + column) {
                *into = *value;
            }
        }
    }
    out.extend_from_slice(tail);
    out
}

#[cfg(test)]
mod tests {
    use super::turned;

    #[test]
    fn columns_become_rows() {
        assert_eq!(turned(b"adgbehcfi!", 3), b"abcdefghi!");
        assert_eq!(turned(b"abc", 0), b"abc");
        assert_eq!(turned(b"abc", 4), b"abc");
    }
}
