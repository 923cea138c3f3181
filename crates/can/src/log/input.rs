//! A byte stream shows its first bytes, by which its kind is known, and unpacks itself where it is gzip.
//!
//! *Invariant:* nothing is held but the first [`HEAD`] bytes and a buffer of fixed size, so that a small file that unpacks to a huge one is
//! a long log and nothing worse; no more is read than it takes to tell the kind.
//! *Next:* `mod.rs`, which picks a reader by [`Kind`].

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

/// What a log is, as far as its first bytes tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// None of the others.
    Text,
    Gzip,
    Blf,
    Pcap,
    Pcapng,
    /// Its parts are anywhere in it.
    Mf4,
    /// One that is not read, and its name.
    Other(&'static str),
}

/// How files that are no text begin.
const KINDS: [(&[u8], Kind); 15] = [
    (b"\x1F\x8B", Kind::Gzip),
    (b"LOGG", Kind::Blf),
    (b"MDF     ", Kind::Mf4),
    (b"UnFinMF ", Kind::Mf4),
    (b"\x0A\x0D\x0D\x0A", Kind::Pcapng),
    (b"\xA1\xB2\xC3\xD4", Kind::Pcap),
    (b"\xD4\xC3\xB2\xA1", Kind::Pcap),
    (b"\xA1\xB2\x3C\x4D", Kind::Pcap),
    (b"\x4D\x3C\xB2\xA1", Kind::Pcap),
    (b"PK\x03\x04", Kind::Other("zip")),
    (b"\x28\xB5\x2F\xFD", Kind::Other("zstd")),
    (b"BZh", Kind::Other("bzip2")),
    (b"SQLite format 3", Kind::Other("SQLite")),
    (b"\xFF\xFE", Kind::Other("UTF-16 text")),
    (b"\xFE\xFF", Kind::Other("UTF-16 text")),
];

/// How many bytes tell every kind.
const HEAD: usize = 16;

/// A reader whose first bytes have been looked at and are still there.
#[derive(Debug)]
pub(super) struct Head<R> {
    input: R,
    held: [u8; HEAD],
    len: usize,
    at: usize,
}

impl<R: BufRead> Head<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, held: [0; HEAD], len: 0, at: 0 }
    }

    /// What the first bytes say. It waits for no more bytes than it takes.
    pub(super) fn kind(&mut self) -> io::Result<Kind> {
        while self.len < HEAD && KINDS.iter().any(|(magic, _)| self.may_become(magic)) {
            let buffer = match self.input.fill_buf() {
                Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let (Some(byte), Some(into)) = (buffer.first(), self.held.get_mut(self.len)) else { break };
            *into = *byte;
            self.len += 1;
            self.input.consume(1);
        }
        let held = self.held();
        let known = KINDS.iter().find(|(magic, _)| held.starts_with(magic));
        Ok(known.map_or(Kind::Text, |(_, kind)| *kind))
    }

    fn held(&self) -> &[u8] {
        self.held.get(self.at..self.len).unwrap_or_default()
    }

    fn may_become(&self, magic: &[u8]) -> bool {
        magic.len() > self.len && magic.starts_with(self.held())
    }
}

impl<R: BufRead> BufRead for Head<R> {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.len {
            Ok(self.held.get(self.at..self.len).unwrap_or_default())
        } else {
            self.input.fill_buf()
        }
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        if self.at < self.len {
            self.at += count.min(self.len - self.at);
        } else {
            self.input.consume(count);
        }
    }
}

impl<R: BufRead> Read for Head<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

/// A log's bytes, unpacked where they are packed.
#[derive(Debug)]
pub(super) enum Input<R> {
    Plain(Head<R>),
    Gzip(Box<Head<BufReader<MultiGzDecoder<Head<R>>>>>),
}

impl<R: BufRead> Input<R> {
    /// The input from its beginning, and what kind it is; of a gzip file, what its content is.
    pub(super) fn open(input: R) -> io::Result<(Self, Kind)> {
        let mut plain = Head::new(input);
        match plain.kind()? {
            Kind::Gzip => {
                let unpacked = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(plain));
                let mut unpacked = Box::new(Head::new(unpacked));
                let kind = match unpacked.kind()? {
                    Kind::Gzip => Kind::Other("gzip file in a gzip"),
                    kind => kind,
                };
                Ok((Self::Gzip(unpacked), kind))
            }
            kind => Ok((Self::Plain(plain), kind)),
        }
    }
}

impl<R: BufRead> BufRead for Input<R> {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Plain(input) => input.fill_buf(),
            Self::Gzip(input) => input.fill_buf(),
        }
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        match self {
            Self::Plain(input) => input.consume(count),
            Self::Gzip(input) => input.consume(count),
        }
    }
}

impl<R: BufRead> Read for Input<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(into),
            Self::Gzip(input) => input.read(into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(content).unwrap();
        gzip.finish().unwrap()
    }

    fn read(bytes: &[u8], piece: usize) -> (Kind, Vec<u8>) {
        let (mut input, kind) = Input::open(BufReader::with_capacity(piece, bytes)).unwrap();
        let mut content = Vec::new();
        input.read_to_end(&mut content).unwrap();
        (kind, content)
    }

    #[test]
    fn first_bytes_tell_the_kind_and_are_still_there() {
        for content in
            [&b""[..], b"(", b"(1.0) can0 123#01\n", b"LOG", b"LOGG\x90", b"\x0A\x0D\x0D", b"SQLite format"]
        {
            let kind = if content.starts_with(b"LOGG") { Kind::Blf } else { Kind::Text };
            for piece in [1, 2, 64] {
                assert_eq!(read(content, piece), (kind, content.to_vec()));
                assert_eq!(read(&packed(content), piece), (kind, content.to_vec()));
            }
        }
    }

    #[test]
    fn members_follow_each_other_and_do_not_nest() {
        let both = [packed(b"one\n"), packed(b"two\n")].concat();
        assert_eq!(read(&both, 7), (Kind::Text, b"one\ntwo\n".to_vec()));
        assert_eq!(read(&packed(&packed(b"one")), 7).0, Kind::Other("gzip file in a gzip"));
    }

    #[test]
    fn no_more_is_read_than_tells_the_kind() {
        for (text, left) in [("can0 1#", "an0 1#"), ("(1.0) c 1#", ".0) c 1#"), ("LOG x", "x")] {
            let mut rest = text.as_bytes();
            Head::new(&mut rest).kind().unwrap();
            assert_eq!(rest, left.as_bytes());
        }
    }
}
