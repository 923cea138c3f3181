//! The blocks of an MF4 file, each at its place: identity, length, links to others, data.
//!
//! *Invariant:* nothing is read beyond the file, no link is followed to nowhere, and no size in the file is allocated.
//! *Next:* `group.rs` (what the blocks describe), `data.rs` (what they hold).

use crate::log::LogFault;
use crate::log::record::{ByteFlaw, RecordFault};
use std::io::{ErrorKind, Read, Seek, SeekFrom};

/// A log that can be read anywhere.
#[derive(Debug)]
pub(super) struct Place<R> {
    input: R,
    len: u64,
    /// Where the input stands, to seek no more than needed.
    at: u64,
}

/// The head of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) id: [u8; 4],
    pub(super) at: u64,
    pub(super) len: u64,
    pub(super) links: u64,
}

/// Identity, reserved, length, count of links.
pub(super) const HEAD: u64 = 24;

impl<R: Read + Seek> Place<R> {
    pub(super) fn new(mut input: R) -> std::io::Result<Self> {
        let len = input.seek(SeekFrom::End(0))?;
        Ok(Self { input, len, at: len })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Reads from `at` on; says how much, which is less than `into` only at the end of the file.
    pub(super) fn read(&mut self, at: u64, into: &mut [u8]) -> Result<usize, ByteFlaw> {
        let io = |cause| ByteFlaw::new(at, LogFault::Io(cause));
        if self.at != at {
            self.input.seek(SeekFrom::Start(at)).map_err(io)?;
            self.at = at;
        }
        let mut count = 0;
        while let Some(room) = into.get_mut(count..).filter(|room| !room.is_empty()) {
            match self.input.read(room) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(io(cause)),
            }
        }
        self.at += count as u64;
        Ok(count)
    }

    /// `N` bytes at `at`.
    pub(super) fn bytes<const N: usize>(&mut self, at: u64) -> Result<[u8; N], ByteFlaw> {
        let mut bytes = [0; N];
        if self.read(at, &mut bytes)? == N {
            Ok(bytes)
        } else {
            Err(ByteFlaw::new(at, RecordFault::Truncated("a block")))
        }
    }

    /// The block at `at`.
    pub(super) fn block(&mut self, at: u64) -> Result<Block, ByteFlaw> {
        let head: [u8; 24] = self.bytes(at)?;
        let [i_0, i_1, i_2, i_3, _, _, _, _, rest @ ..] = head;
        let (mut len, mut links) = ([0; 8], [0; 8]);
        for (n, byte) in rest.into_iter().enumerate() {
            let into = if n < 8 { len.get_mut(n) } else { links.get_mut(n - 8) };
            if let Some(into) = into {
                *into = byte;
            }
        }
        let block = Block {
            id: [i_0, i_1, i_2, i_3],
            at,
            len: u64::from_le_bytes(len),
            links: u64::from_le_bytes(links),
        };
        let fits = block
            .links
            .checked_mul(8)
            .and_then(|links| links.checked_add(HEAD))
            .is_some_and(|head| head <= block.len);
        if !block.id.starts_with(b"##") || !fits {
            return Err(ByteFlaw::new(at, RecordFault::Damaged("no block is here")));
        }
        Ok(block)
    }

    /// The block of this kind at `at`.
    pub(super) fn block_of(&mut self, kind: [u8; 4], at: u64) -> Result<Block, ByteFlaw> {
        let block = self.block(at)?;
        if block.id == kind {
            Ok(block)
        } else {
            Err(ByteFlaw::new(at, RecordFault::Damaged("a block of another kind is here")))
        }
    }

    /// Where the link with this number leads; `None` where it leads nowhere.
    pub(super) fn link(&mut self, block: &Block, number: u64) -> Result<Option<u64>, ByteFlaw> {
        if number >= block.links {
            return Ok(None);
        }
        let to = u64::from_le_bytes(self.bytes(block.at + HEAD + number * 8)?);
        Ok(Some(to).filter(|to| *to != 0))
    }

    /// The first `N` bytes of a block's data.
    pub(super) fn data<const N: usize>(&mut self, block: &Block) -> Result<[u8; N], ByteFlaw> {
        if block.data_len() < N as u64 {
            return Err(ByteFlaw::new(block.at, RecordFault::Size { what: "a block", size: block.len }));
        }
        self.bytes(block.data_at())
    }

    /// The text of the block at `at`, up to 255 bytes of it.
    pub(super) fn text(&mut self, at: Option<u64>) -> Result<String, ByteFlaw> {
        let Some(at) = at else { return Ok(String::new()) };
        let block = self.block(at)?;
        let mut bytes = [0; 255];
        let len = usize::try_from(block.data_len()).unwrap_or(usize::MAX).min(bytes.len());
        let count = self.read(block.data_at(), bytes.get_mut(..len).unwrap_or_default())?;
        let text = bytes.get(..count).unwrap_or_default();
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

impl Block {
    pub(super) fn data_at(&self) -> u64 {
        self.at + HEAD + self.links * 8
    }

    pub(super) fn data_len(&self) -> u64 {
        self.len - HEAD - self.links * 8
    }
}
