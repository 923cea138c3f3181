//! One frame of RFC 6455, section 5.2: what its first bytes say, and how they are written.
//!
//! *Invariant:* pure; nothing is allocated. A length is given as it was announced, before anything is held for it.
//! *Next:* `reader.rs` (frames become messages), `writer.rs` (messages become frames).

/// The longest payload of a control frame.
pub(crate) const MAX_CONTROL: usize = 125;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn number(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) const fn is_control(self) -> bool {
        self.number() >= 0x8
    }
}

/// What the bytes before a payload say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) is_last: bool,
    pub(crate) opcode: Opcode,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) length: u64,
}

impl Header {
    /// The header at the beginning of `bytes` and its size; `None` when more bytes are needed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, &'static str> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err("a frame uses an extension that was not agreed on");
        }
        let opcode = Opcode::of(first & 0x0F).ok_or("a frame of an unknown kind")?;
        let is_last = first & 0x80 != 0;
        let short = second & 0x7F;
        if opcode.is_control() && (!is_last || usize::from(short) > MAX_CONTROL) {
            return Err("a control frame is longer than 125 bytes, or in parts");
        }
        let (length, rest) = match short {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        if length > u64::MAX >> 1 {
            return Err("a length with its highest bit set");
        }
        let (mask, rest) = match (second & 0x80 != 0, rest.split_first_chunk()) {
            (false, _) => (None, rest),
            (true, Some((mask, rest))) => (Some(*mask), rest),
            (true, None) => return Ok(None),
        };
        Ok(Some((Self { is_last, opcode, mask, length }, bytes.len() - rest.len())))
    }

    /// Appends the header of a whole message or a control frame, in as few bytes as it can be.
    pub(crate) fn append(opcode: Opcode, length: usize, mask: Option<[u8; 4]>, to: &mut Vec<u8>) {
        let masked = if mask.is_some() { 0x80 } else { 0 };
        to.push(0x80 | opcode.number());
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ 0..=125), _) => to.push(masked + short),
            (_, Ok(length)) => {
                to.push(masked + 126);
                to.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                to.push(masked + 127);
                to.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
            }
        }
        if let Some(mask) = mask {
            to.extend_from_slice(&mask);
        }
    }
}

/// Masks or unmasks a payload (RFC 6455, section 5.3) whose first byte here is number `offset` of the frame.
pub(crate) fn apply_mask(payload: &mut [u8], mask: [u8; 4], offset: usize) {
    let [a, b, c, d] = mask;
    let [a, b, c, d] = match offset % 4 {
        0 => [a, b, c, d],
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    };
    let mask = [a, b, c, d, a, b, c, d];
    let wide = u64::from_ne_bytes(mask);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_standard() {
        // RFC 6455, section 5.7.
        let hello = Header { is_last: true, opcode: Opcode::Text, mask: None, length: 5 };
        assert_eq!(Header::parse(b"\x81\x05Hello"), Ok(Some((hello, 2))));
        let masked = Header { mask: Some([0x37, 0xfa, 0x21, 0x3d]), ..hello };
        let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(Header::parse(&bytes), Ok(Some((masked, 6))));
        let mut payload = bytes[6..].to_vec();
        apply_mask(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(payload, b"Hello");
        let long = |length| Header { is_last: true, opcode: Opcode::Binary, mask: None, length };
        assert_eq!(Header::parse(b"\x82\x7E\x01\x00"), Ok(Some((long(256), 4))));
        assert_eq!(Header::parse(b"\x82\x7F\0\0\0\0\0\x01\0\0"), Ok(Some((long(65536), 10))));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bad in [
            &b"\xC1\x00"[..],
            b"\x83\x00",
            b"\x8B\x00",
            b"\x09\x00",
            b"\x89\x7E\x00\x7E",
            b"\x82\x7F\x80\0\0\0\0\0\0\0",
        ] {
            assert!(Header::parse(bad).is_err(), "{bad:?}");
        }
        for little in [&b""[..], b"\x81", b"\x82\x7E\x01", b"\x81\x85\x01\x02\x03"] {
            assert_eq!(Header::parse(little), Ok(None), "{little:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(length in prop_oneof![0usize..130, 65_530usize..65_540, any::<u32>().prop_map(|l| l as usize)], mask: Option<[u8; 4]>) {
            let mut bytes = Vec::new();
            Header::append(Opcode::Text, length, mask, &mut bytes);
            let header = Header { is_last: true, opcode: Opcode::Text, mask, length: length as u64 };
            prop_assert_eq!(Header::parse(&bytes), Ok(Some((header, bytes.len()))));
            for cut in 0..bytes.len() {
                prop_assert_eq!(Header::parse(&bytes[..cut]), Ok(None));
            }
        }

        #[test]
        fn a_mask_is_byte_by_byte_wherever_the_payload_is_cut(payload: Vec<u8>, mask: [u8; 4], cut: usize) {
            let plain: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
            let mut masked = payload.clone();
            let cut = cut % (payload.len() + 1);
            let (head, tail) = masked.split_at_mut(cut);
            apply_mask(head, mask, 0);
            apply_mask(tail, mask, cut);
            prop_assert_eq!(masked, plain);
        }
    }
}
