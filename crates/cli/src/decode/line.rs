//! Pieces of text become the lines of one frame, in room that is kept from frame to frame.
//!
//! *Invariant:* nothing is cut: where the room ends, it grows; what lies behind the length is never shown.
//! *Next:* `render.rs`, which puts the pieces in order; `texts.rs`, which keeps those of signals.

/// Room to begin with; the longest frame of most databases takes less.
const ROOM: usize = 1 << 14;

/// The lines of one frame.
#[derive(Debug)]
pub(super) struct Line {
    room: Vec<u8>,
    len: usize,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { room: vec![0; ROOM], len: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }

    /// Takes back the last bytes.
    #[inline]
    pub(super) fn shorten(&mut self, count: usize) {
        self.len = self.len.saturating_sub(count);
    }

    /// Adds the first `len` bytes of a piece. All of it is copied, and what follows lies over the rest: a copy of a known length is a few
    /// moves, one of any length is a call.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, piece: &[u8; N], len: usize) {
        match self.room.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut) {
            Some(into) => {
                *into = *piece;
                self.len += len.min(N);
            }
            None => self.extend(piece.get(..len).unwrap_or(piece)),
        }
    }

    /// Adds bytes.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if let Some(into) = self.room.get_mut(self.len..).and_then(|room| room.get_mut(..bytes.len())) {
            into.copy_from_slice(bytes);
        } else {
            self.room.truncate(self.len);
            self.room.extend_from_slice(bytes);
            self.room.resize(self.room.len() + ROOM, 0);
        }
        self.len += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_follow_one_another(pieces in proptest::collection::vec((any::<[u8; 32]>(), 0_usize..=32, 0_usize..3000), 0..40)) {
            let (mut line, mut model) = (Line::new(), Vec::new());
            for (piece, len, more) in pieces {
                line.put(&piece, len);
                model.extend_from_slice(&piece[..len]);
                line.extend(&vec![piece[0]; more]);
                model.extend_from_slice(&vec![piece[0]; more]);
                line.shorten(more / 2);
                model.truncate(model.len() - more / 2);
                prop_assert_eq!(line.bytes(), &model[..]);
            }
            line.clear();
            prop_assert_eq!(line.bytes(), b"");
        }
    }
}
