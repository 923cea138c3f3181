//! What is printed of a frame after its identifier is kept: most frames of a recording say what their message has said before.
//!
//! *Invariant:* a kept body is the body that the frame would be given anew; at most [`KEPT`] are kept, of at most [`LONGEST`] bytes.
//! *Next:* `render.rs`, which asks here first.

use coachwork_can::Frame;

/// How many are kept, as a power of two.
const KEPT_BITS: u32 = 11;
const KEPT: usize = 1 << KEPT_BITS;

/// A longer body is not kept.
const LONGEST: usize = 2048;

/// The bodies of the last frames, each in the place that message and payload scatter it to.
#[derive(Debug)]
pub(super) struct Bodies(Vec<(Key, Vec<u8>)>);

/// What a body depends on: of a classic frame message, length and payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    /// The message's position from 1, and the length; zero where nothing is kept.
    which: u64,
    payload: u64,
}

impl Key {
    /// Of a CAN FD frame, which repeats itself less, there is none.
    #[inline]
    pub(super) fn of(frame: &Frame, position: usize) -> Option<Self> {
        if frame.is_fd() {
            return None;
        }
        let payload = u64::from_le_bytes(*frame.padded().first_chunk()?);
        Some(Self { which: (position as u64 + 1) << 8 | frame.len() as u64, payload })
    }

    #[inline]
    fn place(self) -> usize {
        // The golden ratio scatters what is near together; twice, because a payload may differ in its last byte alone.
        const RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
        let once = (self.payload ^ self.which.wrapping_mul(RATIO)).wrapping_mul(RATIO);
        let twice = (once ^ once >> 32).wrapping_mul(RATIO);
        usize::try_from(twice >> (u64::BITS - KEPT_BITS)).unwrap_or(0)
    }
}

impl Bodies {
    pub(super) fn new() -> Self {
        Self(vec![(Key::default(), Vec::new()); KEPT])
    }

    #[inline]
    pub(super) fn body(&self, key: Key) -> Option<&[u8]> {
        self.0.get(key.place()).filter(|kept| kept.0 == key).map(|kept| &*kept.1)
    }

    /// Keeps a body instead of the one that was in its place.
    pub(super) fn keep(&mut self, key: Key, body: &[u8]) {
        if let Some(kept) = self.0.get_mut(key.place()).filter(|_| body.len() <= LONGEST) {
            kept.0 = key;
            kept.1.clear();
            kept.1.extend_from_slice(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coachwork_can::CanId;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn key(position: usize, data: &[u8]) -> Key {
        Key::of(&Frame::new(CanId::standard(1).unwrap(), data).unwrap(), position).unwrap()
    }

    #[test]
    fn message_length_and_payload_tell_bodies_apart() {
        let mut bodies = Bodies::new();
        bodies.keep(key(0, &[]), b"none");
        bodies.keep(key(0, &[0]), b"one");
        bodies.keep(key(1, &[0]), b"other");
        bodies.keep(key(2, &[0]), &[0; LONGEST + 1]);
        assert_eq!(bodies.body(key(0, &[0])), Some(&b"one"[..]));
        assert_eq!(bodies.body(key(1, &[0])), Some(&b"other"[..]));
        assert_eq!(bodies.body(key(0, &[])), Some(&b"none"[..]));
        assert_eq!(bodies.body(key(0, &[0, 0])), None);
        assert_eq!(bodies.body(key(2, &[0])), None);
        let fd = Frame::fd(CanId::standard(1).unwrap(), &[0]).unwrap();
        assert_eq!(Key::of(&fd, 0), None);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_was_given_last(frames in proptest::collection::vec((0_usize..20, proptest::collection::vec(0_u8..3, 0..=8), any::<u8>()), 0..3000)) {
            let (mut bodies, mut model) = (Bodies::new(), HashMap::new());
            for (position, data, body) in frames {
                if let Some(kept) = bodies.body(key(position, &data)) {
                    prop_assert_eq!(Some(&kept.to_vec()), model.get(&(position, data.clone())));
                }
                bodies.keep(key(position, &data), &[body]);
                model.insert((position, data.clone()), vec![body]);
                prop_assert_eq!(bodies.body(key(position, &data)), Some(&[body][..]));
            }
        }
    }
}
