//! Bytes become CBOR items, and items become bytes, in the one deterministic form of RFC 8949 §4.2.1.
//!
//! *Invariant:* every length is checked against what is left before it is used; nothing here allocates for what it
//! reads, recurses, or takes a second encoding of the same item. Indefinite lengths, floats, tags other than the
//! expected one and heads longer than needed are errors. There is no way to skip an item: what a caller does not
//! know, it refuses.
//! *Next:* `token.rs` reads and writes the envelope and the claims with it.

/// CBOR's major types (RFC 8949 §3.1), as far as the profile has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Major {
    Unsigned = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Tag = 6,
}

/// Where the bytes stop being the profile's, and what was expected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

/// Reads items from the front of a slice.
#[derive(Clone)]
pub(crate) struct Reader<'b> {
    rest: &'b [u8],
    len: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, len: bytes.len() }
    }

    /// How many bytes were read.
    pub(crate) fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    /// An error at the present position.
    pub(crate) fn malformed(&self, expected: &'static str) -> Malformed {
        Malformed { at: self.position(), expected }
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    /// An item's head: its argument, in the shortest form, if its major type is the expected one.
    fn head(&mut self, major: Major, expected: &'static str) -> Result<u64, Malformed> {
        let before = self.clone();
        let argument = self.argument(major);
        if argument.is_none() {
            *self = before;
        }
        argument.ok_or_else(|| self.malformed(expected))
    }

    fn argument(&mut self, major: Major) -> Option<u64> {
        let [first] = self.take::<1>()?;
        if first >> 5 != major as u8 {
            return None;
        }
        // Each longer form is only for what the one before it cannot hold.
        match first & 0x1f {
            small @ 0..=23 => Some(u64::from(small)),
            24 => self.take().map(u8::from_be_bytes).map(u64::from).filter(|v| *v >= 24),
            25 => self.take().map(u16::from_be_bytes).map(u64::from).filter(|v| *v > 0xff),
            26 => self.take().map(u32::from_be_bytes).map(u64::from).filter(|v| *v > 0xffff),
            27 => self.take().map(u64::from_be_bytes).filter(|v| *v > 0xffff_ffff),
            _ => None,
        }
    }

    pub(crate) fn unsigned(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        self.head(Major::Unsigned, expected)
    }

    /// The exact item `-1 - argument`.
    pub(crate) fn negative(&mut self, argument: u64, expected: &'static str) -> Result<(), Malformed> {
        self.exactly(Major::Negative, argument, expected)
    }

    pub(crate) fn tag(&mut self, tag: u64, expected: &'static str) -> Result<(), Malformed> {
        self.exactly(Major::Tag, tag, expected)
    }

    pub(crate) fn array(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        self.head(Major::Array, expected)
    }

    pub(crate) fn map(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        self.head(Major::Map, expected)
    }

    /// A head with one permitted argument.
    pub(crate) fn exactly(
        &mut self,
        major: Major,
        argument: u64,
        expected: &'static str,
    ) -> Result<(), Malformed> {
        let before = self.clone();
        if self.head(major, expected)? == argument {
            return Ok(());
        }
        *self = before;
        Err(self.malformed(expected))
    }

    /// The next unsigned integer, if the next item is one; reads nothing otherwise.
    pub(crate) fn peek_unsigned(&self) -> Option<u64> {
        self.clone().argument(Major::Unsigned)
    }

    pub(crate) fn bytes(&mut self, expected: &'static str) -> Result<&'b [u8], Malformed> {
        self.string(Major::Bytes, expected)
    }

    pub(crate) fn text(&mut self, expected: &'static str) -> Result<&'b str, Malformed> {
        let at = self.position();
        let bytes = self.string(Major::Text, expected)?;
        std::str::from_utf8(bytes).map_err(|_| Malformed { at, expected })
    }

    fn string(&mut self, major: Major, expected: &'static str) -> Result<&'b [u8], Malformed> {
        let before = self.clone();
        let length = self.head(major, expected)?;
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        if let Some((string, rest)) = split {
            self.rest = rest;
            return Ok(string);
        }
        *self = before;
        Err(self.malformed(expected))
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may follow.
    pub(crate) fn end(&self, expected: &'static str) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed(expected)) }
    }
}

/// Appends an item's head in its shortest form.
pub(crate) fn write_head(out: &mut Vec<u8>, major: Major, argument: u64) {
    let major = (major as u8) << 5;
    if let Ok(byte) = u8::try_from(argument) {
        if byte < 24 {
            out.push(major | byte);
        } else {
            out.extend([major | 0x18, byte]);
        }
    } else if let Ok(short) = u16::try_from(argument) {
        out.push(major | 0x19);
        out.extend(short.to_be_bytes());
    } else if let Ok(word) = u32::try_from(argument) {
        out.push(major | 0x1a);
        out.extend(word.to_be_bytes());
    } else {
        out.push(major | 0x1b);
        out.extend(argument.to_be_bytes());
    }
}

/// Appends a byte string.
pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_head(out, Major::Bytes, bytes.len() as u64);
    out.extend(bytes);
}

/// Appends a text string.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    write_head(out, Major::Text, text.len() as u64);
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_longer_head_than_needed_is_refused() {
        for wide in [
            &[0x18, 23][..],
            &[0x19, 0, 255],
            &[0x1a, 0, 0, 255, 255],
            &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
        ] {
            let mut reader = Reader::new(wide);
            assert_eq!(reader.unsigned("x"), Err(Malformed { at: 0, expected: "x" }), "{wide:02x?}");
            assert_eq!(reader.position(), 0);
        }
        for indefinite in [0x1f, 0x5f, 0x7f, 0x9f, 0xbf, 0xff] {
            assert!(Reader::new(&[indefinite, 0xff]).bytes("x").is_err());
            assert!(Reader::new(&[indefinite, 0xff]).map("x").is_err());
        }
    }

    #[test]
    fn a_length_beyond_the_end_reads_nothing() {
        let mut reader = Reader::new(&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        assert!(reader.bytes("x").is_err());
        assert_eq!(reader.position(), 0);
    }

    proptest! {
        #[test]
        fn heads_are_minicbors(argument: u64, shift in 0u32..64) {
            let argument = argument >> shift;
            let mut ours = Vec::new();
            write_head(&mut ours, Major::Unsigned, argument);
            let mut theirs = minicbor::Encoder::new(Vec::new());
            theirs.u64(argument).unwrap();
            prop_assert_eq!(&ours, theirs.writer());
            prop_assert_eq!(Reader::new(&ours).unsigned("x"), Ok(argument));
        }

        #[test]
        fn strings_are_minicbors(bytes: Vec<u8>) {
            let mut ours = Vec::new();
            write_bytes(&mut ours, &bytes);
            let mut theirs = minicbor::Encoder::new(Vec::new());
            theirs.bytes(&bytes).unwrap();
            prop_assert_eq!(&ours, theirs.writer());
            prop_assert_eq!(Reader::new(&ours).bytes("x"), Ok(&bytes[..]));
        }
    }
}
