//! Pieces of text become the lines of one frame, in room that somebody else keeps.
//!
//! *Invariant:* nothing is cut: what does not fit is `None`, and then the lines are written anew where there is more room.
//! *Next:* `render.rs`, which puts the pieces in order; `../output.rs`, which has the room.

/// Room, and how much of it is written.
#[derive(Debug)]
pub(super) struct Line<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl<'a> Line<'a> {
    #[inline]
    pub(super) fn new(room: &'a mut [u8]) -> Self {
        Self { room, len: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What was written from a place on.
    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.room.get(start..self.len).unwrap_or_default()
    }

    /// Takes back the last bytes.
    #[inline]
    pub(super) fn shorten(&mut self, count: usize) {
        self.len = self.len.saturating_sub(count);
    }

    /// Room for a piece of which `len` bytes will count; what follows lies over the rest.
    #[inline]
    pub(super) fn space<const N: usize>(&mut self, len: usize) -> Option<&mut [u8; N]> {
        let space = self.room.get_mut(self.len..)?.first_chunk_mut()?;
        self.len += len.min(N);
        Some(space)
    }

    /// Adds the first `len` bytes of a piece, all of which is copied: a copy of a known length is a few moves, one of any length a call.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, piece: &[u8; N], len: usize) -> Option<()> {
        *self.space(len)? = *piece;
        Some(())
    }

    /// Adds bytes.
    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        self.room.get_mut(self.len..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }
}

/// A text that is put as a piece where it is short.
#[derive(Debug)]
pub(super) struct Piece {
    text: Vec<u8>,
    short: Option<[u8; Self::SHORT]>,
}

impl Piece {
    const SHORT: usize = 64;

    pub(super) fn new(text: Vec<u8>) -> Self {
        let mut short = [0; Self::SHORT];
        let fits = short.get_mut(..text.len()).map(|into| into.copy_from_slice(&text));
        Self { short: fits.map(|()| short), text }
    }

    #[inline]
    pub(super) fn put(&self, line: &mut Line<'_>) -> Option<()> {
        match &self.short {
            Some(short) => line.put(short, self.text.len()),
            None => line.extend(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_follow_one_another_or_do_not_fit(
            pieces in proptest::collection::vec((any::<[u8; 32]>(), 0_usize..=32, 0_usize..100), 0..20),
            room in 0_usize..3000,
        ) {
            let (mut room, mut model) = (vec![0xAA; room], Vec::new());
            let mut line = Line::new(&mut room);
            let fits = pieces.iter().all(|(piece, len, more)| {
                let mut put = || {
                    line.put(piece, *len)?;
                    Piece::new(vec![piece[0]; *more]).put(&mut line)?;
                    line.shorten(more / 2);
                    Some(())
                };
                let mut known = piece[..*len].to_vec();
                known.extend(vec![piece[0]; *more]);
                known.truncate(known.len() - more / 2);
                put().map(|()| model.extend(known)).is_some()
            });
            let len = line.len();
            prop_assert_eq!(&room[..model.len()], &model[..]);
            if fits {
                prop_assert_eq!(len, model.len());
            } else {
                prop_assert!(room.len() < model.len() + 32 + 128, "there was room");
            }
        }
    }
}
