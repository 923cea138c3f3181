//! What stands in a segment: a header, then records, each with its length and a checksum; and how they are found again in whatever is left.
//!
//! A segment: `CWQUEUE1`, then the header: origin (16 bytes), segment, next item, next record (8 bytes each), checksum (4).
//! A record: `C0 71`, the length of its body (4 bytes), the checksum of length and body (4), the body. All numbers are little-endian, the
//! checksum is CRC-32 (IEEE 802.3). A body: the record's own number (8), its kind (1), and for an item (1) its id, the times when it was put
//! and when it expires (8 each, nanoseconds UTC), priority, content (1 each), the length of the name (2), name, payload; for an end (2) the
//! id of the item.
//!
//! *Invariant:* nothing is taken whose checksum is wrong, and no byte that is skipped goes uncounted. Reading does bounded work.
//! *Next:* `log.rs` (which writes and reads segments).

use bytes::Bytes;
use coachwork_transport::{Note, Origin};
use coachwork_vehicle::Timestamp;

use super::item::{Content, Item, Priority};

pub(crate) const HEADER: usize = 52;
/// Bytes of a record besides its body.
pub(crate) const FRAME: usize = 10;
/// Bytes of a body besides name and payload, of an item.
pub(crate) const ITEM: usize = 37;
/// The longest payload that can be taken, in bytes.
pub(crate) const MAX_PAYLOAD: usize = Note::MAX_PAYLOAD;
/// The longest name in bytes.
pub(crate) const MAX_NAME: usize = Note::MAX_NAME;
const MAX_BODY: usize = ITEM + MAX_NAME + MAX_PAYLOAD;
const MAGIC: &[u8; 8] = b"CWQUEUE1";
const MARK: [u8; 2] = [0xC0, b'q'];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) origin: Origin,
    pub(crate) segment: u64,
    /// No item before the segment has this number or a higher one.
    pub(crate) next_item: u64,
    /// The number of the segment's first record.
    pub(crate) next_record: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Item(Item),
    /// The item need not be kept any more.
    End(u64),
}

/// What a segment was found to hold.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) header: Option<Header>,
    /// Each with its number.
    pub(crate) records: Vec<(u64, Record)>,
    /// How many bytes before the last record could not be read.
    pub(crate) damaged: usize,
    /// Where the last record ends, or the header.
    pub(crate) end: usize,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(self.origin.as_bytes());
        for number in [self.segment, self.next_item, self.next_record] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    fn decode(data: &[u8]) -> Option<Self> {
        let (sum, mut rest) = (data.get(HEADER - 4..HEADER)?, data.strip_prefix(MAGIC)?);
        if crc32fast::hash(data.get(..HEADER - 4)?).to_le_bytes() != sum {
            return None;
        }
        let origin = Origin::from_bytes(*take(&mut rest)?);
        let mut number = || take(&mut rest).copied().map(u64::from_le_bytes);
        Some(Self { origin, segment: number()?, next_item: number()?, next_record: number()? })
    }
}

impl Record {
    pub(crate) fn encode(&self, number: u64, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&[0; FRAME]);
        out.extend_from_slice(&number.to_le_bytes());
        match self {
            Self::Item(item) => {
                out.push(1);
                out.extend_from_slice(&item.number.to_le_bytes());
                out.extend_from_slice(&item.put.nanoseconds().to_le_bytes());
                let expires = item.expires.map_or(i64::MAX, Timestamp::nanoseconds);
                out.extend_from_slice(&expires.to_le_bytes());
                out.extend_from_slice(&[item.priority.to_byte(), item.content.to_byte()]);
                let length = u16::try_from(item.name.len()).unwrap_or(u16::MAX);
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(item.name.as_bytes());
                out.extend_from_slice(&item.payload);
            }
            Self::End(item) => {
                out.push(2);
                out.extend_from_slice(&item.to_le_bytes());
            }
        }
        let length = u32::try_from(out.len() - begin - FRAME).unwrap_or(u32::MAX).to_le_bytes();
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&length);
        hasher.update(out.get(begin + FRAME..).unwrap_or_default());
        let sum = hasher.finalize().to_le_bytes();
        let head = [MARK.as_slice(), &length, &sum].concat();
        if let Some(frame) = out.get_mut(begin..begin + FRAME) {
            frame.copy_from_slice(&head);
        }
    }

    /// The record at the beginning of `data`, its number and its length; `work` is lowered by the bytes that were looked at.
    fn decode(data: &[u8], work: &mut usize) -> Option<(u64, Self, usize)> {
        let mut rest = data.strip_prefix(&MARK)?;
        let (length, sum): (&[u8; 4], &[u8; 4]) = (take(&mut rest)?, take(&mut rest)?);
        let body_length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        if body_length > MAX_BODY {
            return None;
        }
        let mut body = rest.get(..body_length)?;
        *work = work.checked_sub(body_length)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(length);
        hasher.update(body);
        if hasher.finalize().to_le_bytes() != *sum {
            return None;
        }
        let number = u64::from_le_bytes(*take(&mut body)?);
        let [kind] = *take(&mut body)?;
        let record = match kind {
            1 => Self::Item(decode_item(body)?),
            2 => {
                let item = u64::from_le_bytes(*take(&mut body)?);
                body.is_empty().then_some(Self::End(item))?
            }
            _ => return None,
        };
        Some((number, record, FRAME + body_length))
    }
}

fn decode_item(mut body: &[u8]) -> Option<Item> {
    let number = u64::from_le_bytes(*take(&mut body)?);
    let put = Timestamp::from_nanoseconds(i64::from_le_bytes(*take(&mut body)?));
    let expires = i64::from_le_bytes(*take(&mut body)?);
    let expires = (expires != i64::MAX).then(|| Timestamp::from_nanoseconds(expires));
    let [priority, content] = *take(&mut body)?;
    let length = usize::from(u16::from_le_bytes(*take(&mut body)?));
    let (name, payload) = body.split_at_checked(length)?;
    if name.len() > MAX_NAME || payload.len() > MAX_PAYLOAD {
        return None;
    }
    Some(Item {
        number,
        put,
        expires,
        priority: Priority::from_byte(priority)?,
        content: Content::from_byte(content)?,
        name: std::str::from_utf8(name).ok()?.into(),
        payload: Bytes::copy_from_slice(payload),
    })
}

fn take<'d, const N: usize>(data: &mut &'d [u8]) -> Option<&'d [u8; N]> {
    let (taken, rest) = data.split_first_chunk()?;
    *data = rest;
    Some(taken)
}

/// Finds what can be found.
pub(crate) fn scan(data: &[u8]) -> Scan {
    let header = Header::decode(data);
    let begin = if header.is_some() { HEADER } else { 0 };
    let mut scan = Scan { header, end: begin, ..Scan::default() };
    // A whole segment is looked at once; a damaged one at most as often as this.
    let mut work = data.len().saturating_mul(4).saturating_add(MAX_BODY);
    let mut at = begin;
    while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some((number, record, length)) = Record::decode(rest, &mut work) {
            scan.damaged += at - scan.end;
            at += length;
            scan.end = at;
            scan.records.push((number, record));
            continue;
        }
        // The next place where a record may begin.
        let next = rest.iter().skip(1).position(|&byte| byte == MARK[0]);
        match next {
            Some(next) if work > 0 => at += next + 1,
            _ => break,
        }
    }
    scan
}
