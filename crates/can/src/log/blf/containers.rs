//! The containers of a BLF file become one stream of bytes: the objects, one after the other, which may begin in one and end in the next.
//!
//! *Invariant:* a container is unpacked as a stream into the caller's room, whatever sizes it states; the offset of every flaw is its place in
//! the file; after damage the search for the next object begins at once, for a size in a damaged header is not to be trusted.
//! *Next:* `mod.rs`, which makes frames of the objects.

use crate::log::record::{ByteFlaw, RecordFault};
use crate::log::window::{Window, le16, le32};
use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem::Finder;
use std::fmt;
use std::io::{self, Read};

/// How every object begins.
pub(super) const MAGIC: &[u8; 4] = b"LOBJ";

/// Magic, header size, header version, size, type.
pub(super) const BASE_HEADER: usize = 16;

/// The type of a container.
pub(super) const CONTAINER: u32 = 10;

/// The base header, then compression method, content size, and what is reserved.
pub(super) const CONTAINER_HEADER: usize = 32;

/// No container holds more; what is beyond is not unpacked.
const MAX_CONTENT: u64 = 256 * 1024 * 1024;

/// Padding after an object is at most this long, whatever it says.
pub(super) const MAX_PADDING: usize = 4;

/// How much of the file is held at a time.
const WINDOW: usize = 64 * 1024;

/// The content of all containers.
pub(super) struct Containers<R> {
    raw: Window<R>,
    inflate: Decompress,
    magic: Finder<'static>,
    inside: Option<Inside>,
    /// Where the container that was read last begins, if it is a compressed one.
    compressed: Option<u64>,
    pending: Option<ByteFlaw>,
    /// After damage, which was reported, the next object is searched for.
    lost: bool,
}

/// The container being read.
#[derive(Clone, Copy, Debug)]
struct Inside {
    at: u64,
    /// Its size as its header states it.
    stated: u64,
    method: Method,
    /// All that was given to the decompressor was unpacked: it may read over the mark of an object.
    drained: bool,
    /// Bytes of it in the file that were not read yet.
    left: u64,
    /// Bytes of content that may still come.
    room: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    Stored,
    Deflate,
}

/// What [`Containers::read`] found.
#[derive(Debug)]
pub(super) enum Piece {
    /// So many bytes of content.
    Bytes(usize),
    /// What follows does not continue what was before.
    Break(ByteFlaw),
    End,
}

impl<R> fmt::Debug for Containers<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Containers").field("inside", &self.inside).finish_non_exhaustive()
    }
}

impl<R: Read> Containers<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            raw: Window::new(input, WINDOW),
            inflate: Decompress::new(true),
            magic: Finder::new(MAGIC),
            inside: None,
            compressed: None,
            pending: None,
            lost: false,
        }
    }

    /// The file itself, for its header.
    pub(super) fn raw(&mut self) -> &mut Window<R> {
        &mut self.raw
    }

    /// Where in the file the last `held` bytes of content are: in a container that is not compressed exactly, else where the container
    /// begins.
    pub(super) fn offset_of(&self, held: usize) -> u64 {
        self.compressed.unwrap_or(self.raw.offset().saturating_sub(held as u64))
    }

    /// The next content, into `room`, which is not empty.
    pub(super) fn read(&mut self, room: &mut [u8]) -> io::Result<Piece> {
        loop {
            if let Some(flaw) = self.pending.take() {
                return Ok(Piece::Break(flaw));
            }
            let Some(inside) = self.inside else {
                if !self.open()? {
                    return Ok(Piece::End);
                }
                continue;
            };
            let count = match inside.method {
                Method::Stored => self.stored(inside, room)?,
                Method::Deflate => self.unpack(inside, room)?,
            };
            if count > 0 {
                return Ok(Piece::Bytes(count));
            }
        }
    }

    /// Goes to the next container; says whether there is one. It leaves a flaw where there is none and should be.
    fn open(&mut self) -> io::Result<bool> {
        if !self.find()? {
            return Ok(self.pending.is_some());
        }
        let at = self.raw.offset();
        self.raw.fill(CONTAINER_HEADER)?;
        let bytes = self.raw.bytes();
        let (Some(size), Some(kind)) = (le32(bytes, 8), le32(bytes, 12)) else {
            return Ok(self.ends(at, "an object's header"));
        };
        let size = u64::from(size);
        if kind != CONTAINER {
            if size < BASE_HEADER as u64 {
                return Ok(self.damage(at, RecordFault::Size { what: "an object", size }));
            }
            // An object of its own, as old writers have them, is its own content; up to the next mark, for its size may be wrong.
            // The mark may begin in its last bytes and end behind them.
            let end = usize::try_from(size).unwrap_or(WINDOW).saturating_add(MAGIC.len() - 1).min(WINDOW);
            self.raw.fill(end)?;
            let held = self.raw.bytes();
            let next = self.magic.find(held.get(MAGIC.len()..end.min(held.len())).unwrap_or_default());
            let size = next.map_or(size, |next| size.min((next + MAGIC.len()) as u64));
            self.compressed = None;
            let (method, drained) = (Method::Stored, false);
            self.inside = Some(Inside { at, stated: size, method, drained, left: size, room: size });
            return Ok(true);
        }
        let (Some(method), Some(content)) = (le16(bytes, 16), le32(bytes, 24)) else {
            return Ok(self.ends(at, "a container's header"));
        };
        let content = u64::from(content);
        if size < CONTAINER_HEADER as u64 {
            return Ok(self.damage(at, RecordFault::Size { what: "a container", size }));
        }
        if content > MAX_CONTENT {
            return Ok(self.damage(at, RecordFault::Size { what: "a container's content", size: content }));
        }
        let left = size - CONTAINER_HEADER as u64;
        let (method, room) = match method {
            // It states the same size twice; where they differ, what follows the smaller shows which was right.
            0 => (Method::Stored, if content == 0 { left } else { content }),
            2 => (Method::Deflate, content),
            method => {
                let what = "a container's compression";
                return Ok(self.damage(at, RecordFault::Unknown { what, number: method.into() }));
            }
        };
        self.raw.consume(CONTAINER_HEADER);
        self.inflate.reset(true);
        let left = if method == Method::Stored { left.min(room) } else { left };
        self.compressed = (method == Method::Deflate).then_some(at);
        self.inside = Some(Inside { at, stated: size, method, drained: false, left, room });
        Ok(true)
    }

    /// Goes to where the next object begins, over padding or, after damage, over anything.
    fn find(&mut self) -> io::Result<bool> {
        loop {
            self.raw.fill(MAGIC.len() + MAX_PADDING)?;
            let bytes = self.raw.bytes();
            if bytes.is_empty() {
                return Ok(false);
            }
            match self.magic.find(bytes) {
                Some(gap) if gap <= MAX_PADDING || self.lost => {
                    self.raw.consume(gap);
                    self.lost = false;
                    return Ok(true);
                }
                None if self.lost => {
                    let keep = if self.raw.fill(WINDOW)? { MAGIC.len() - 1 } else { 0 };
                    let len = self.raw.bytes().len();
                    // More came; it may hold the next one.
                    if self.magic.find(self.raw.bytes()).is_none() {
                        self.raw.consume(len - keep);
                    }
                }
                None if bytes.len() < MAGIC.len() && bytes.iter().all(|byte| *byte == 0) => {
                    let len = bytes.len();
                    self.raw.consume(len);
                    return Ok(false);
                }
                _ => {
                    let at = self.raw.offset();
                    self.damage(at, RecordFault::Damaged("no object begins here"));
                    return Ok(false);
                }
            }
        }
    }

    fn stored(&mut self, inside: Inside, room: &mut [u8]) -> io::Result<usize> {
        if inside.left == 0 {
            self.inside = None;
            return Ok(0);
        }
        if !self.raw.fill(1)? {
            let at = self.raw.offset();
            self.ends(at, "a container");
            return Ok(0);
        }
        let bytes = self.raw.bytes();
        let count = usize::try_from(inside.left).unwrap_or(usize::MAX).min(bytes.len()).min(room.len());
        if let (Some(into), Some(from)) = (room.get_mut(..count), bytes.get(..count)) {
            into.copy_from_slice(from);
        }
        self.raw.consume(count);
        self.inside = Some(Inside { left: inside.left - count as u64, ..inside });
        Ok(count)
    }

    fn unpack(&mut self, inside: Inside, room: &mut [u8]) -> io::Result<usize> {
        if inside.left > 0 && !self.raw.fill(1)? {
            let at = self.raw.offset();
            self.ends(at, "a container");
            return Ok(0);
        }
        let given = self.go_to_next_mark(inside)?;
        let bytes = self.raw.bytes();
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status =
            self.inflate.decompress(bytes.get(..given).unwrap_or_default(), room, FlushDecompress::None);
        let used = self.inflate.total_in() - before_in;
        let made = self.inflate.total_out() - before_out;
        self.raw.consume(usize::try_from(used).unwrap_or(usize::MAX));
        let left = inside.left.saturating_sub(used);
        let drained = given == 0 && made == 0;
        self.inside = Some(Inside { drained, left, room: inside.room.saturating_sub(made), ..inside });
        let container = "a container";
        if made > inside.room {
            let fault = RecordFault::Damaged("a container holds more than it states");
            self.damage(inside.at, fault);
            return Ok(usize::try_from(inside.room).unwrap_or(0));
        }
        match status {
            Ok(Status::StreamEnd) if self.is_padding(left)? => {
                if self.raw.skip(left)? {
                    self.inside = None;
                } else {
                    self.ends(inside.at, container);
                }
            }
            // The data end before the container does: its size is wrong, and the next object may be right here.
            Ok(Status::StreamEnd) => {
                self.damage(inside.at, RecordFault::Size { what: container, size: inside.stated });
            }
            Ok(_) if used == 0 && made == 0 && left == 0 => {
                self.damage(inside.at, RecordFault::Damaged("a container ends within its compressed data"));
            }
            Ok(_) if used > 0 || made > 0 || drained => {}
            // Neither more input nor more room gets it further.
            Ok(_) | Err(_) => {
                self.damage(inside.at, RecordFault::Compression(container));
            }
        }
        Ok(usize::try_from(made).unwrap_or(0))
    }

    /// Whether so many bytes can be padding: not many, and no object begins in them.
    fn is_padding(&mut self, left: u64) -> io::Result<bool> {
        let Some(left) = usize::try_from(left).ok().filter(|left| *left <= MAX_PADDING) else {
            return Ok(false);
        };
        let end = left + MAGIC.len() - 1;
        self.raw.fill(end)?;
        let held = self.raw.bytes();
        Ok(self.magic.find(held.get(..end.min(held.len())).unwrap_or_default()).is_none())
    }

    /// How much of a container's data the decompressor may have: up to where an object may begin, and over that mark only when all before it
    /// was unpacked. So the search after damage finds the same object, however the file is read.
    fn go_to_next_mark(&mut self, inside: Inside) -> io::Result<usize> {
        let whole = self.raw.fill(MAGIC.len())?;
        let bytes = self.raw.bytes();
        if bytes.starts_with(MAGIC) && !inside.drained {
            return Ok(0);
        }
        let next = self.magic.find(bytes.get(1..).unwrap_or_default()).map(|gap| gap + 1);
        // A mark may begin in the last bytes that are here.
        let known = if whole { bytes.len() - (MAGIC.len() - 1) } else { bytes.len() };
        let given = next.unwrap_or(known);
        Ok(usize::try_from(inside.left).unwrap_or(usize::MAX).min(given))
    }

    /// Leaves a flaw; what follows is searched for. Always `true`: there may be more.
    #[cold]
    fn damage(&mut self, at: u64, fault: RecordFault) -> bool {
        self.inside = None;
        self.lost = true;
        self.pending = Some(ByteFlaw::new(at, fault));
        if self.raw.offset() == at {
            // Not this object again.
            self.raw.consume(1);
        }
        true
    }

    /// Leaves a flaw: nothing follows.
    #[cold]
    fn ends(&mut self, at: u64, within: &'static str) -> bool {
        self.inside = None;
        let len = self.raw.bytes().len();
        self.raw.consume(len);
        self.pending = Some(ByteFlaw::new(at, RecordFault::Truncated(within)));
        true
    }
}
