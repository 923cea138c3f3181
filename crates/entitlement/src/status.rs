//! A status list becomes the standing of a grant: valid, or withdrawn, by whom it was signed and why.
//!
//! *Invariant:* a list is read within bounds that hold before anything is allocated: [`MAX_STATUS_TOKEN`] bytes on the
//! wire, [`MAX_STATUSES`] bytes unpacked. What the list does not say, or says without the reason that it owes, withdraws
//! nothing. Token Status List: draft-ietf-oauth-status-list, as CWT.
//! *Next:* `verify.rs` checks the signature; `license.rs` judges by a [`Standing`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use coachwork_vehicle::Timestamp;

use crate::cbor::{Major, Malformed, Reader};
use crate::claims::seconds;
use crate::grant::{Grant, timestamp};
use crate::terms::Because;

/// The longest status list, in bytes, as it is sent.
pub const MAX_STATUS_TOKEN: usize = 65_536;

/// The longest status list, in bytes, unpacked: a million statuses of eight bits, or eight million of one.
pub const MAX_STATUSES: usize = 1 << 20;

/// The longest URI of a status list, in bytes.
pub const MAX_URI: usize = 128;

/// The most reasons of one list.
pub const MAX_REASONS: u64 = 8192;

/// How long a new grant needs no status: the list that it names may not have arrived.
pub const FIRST_STATUS: Duration = Duration::from_secs(86_400);

// Claims of a status list (RFC 8392 §4 and the draft's §5.2, §14.5).
const SUBJECT: u64 = 2;
const EXPIRES: u64 = 4;
const ISSUED: u64 = 6;
const LIST: u64 = 65533;
const TTL: u64 = 65534;
/// Claim -65537, the reasons, written as `-1 - 65536`.
const REASONS: u64 = 65536;

/// Where the status of a grant is published: a list and a place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRef {
    pub(crate) uri: Arc<str>,
    pub(crate) index: u32,
}

impl StatusRef {
    /// The place `index` in the list that `uri` names.
    ///
    /// # Errors
    /// [`UriError`] if it is not 1 to 128 of the printable ASCII characters without space.
    pub fn new(uri: &str, index: u32) -> Result<Self, UriError> {
        if is_uri(uri) { Ok(Self { uri: uri.into(), index }) } else { Err(UriError) }
    }

    /// The list's name: its URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The place in the list.
    pub fn index(&self) -> u32 {
        self.index
    }
}

pub(crate) fn is_uri(text: &str) -> bool {
    (1..=MAX_URI).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The text cannot name a status list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a status list's URI is 1 to 128 printable ASCII characters without space")]
pub struct UriError;

/// What a status list says about a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// 0: nothing is wrong.
    Valid,
    /// 1: it was withdrawn for good.
    Invalid,
    /// 2: it does not work at present.
    Suspended,
    /// 3: a payment failed, and its grace is over; paying puts it back.
    OnHold,
    /// 12: the owner wanted it to rest.
    Paused,
    /// 13: the owner cancelled it; what is paid for stays.
    Cancelled,
    /// 14: it went to another car, on the owner's wish.
    Transferred,
    /// A number that this version does not know. It withdraws nothing.
    Other(u8),
}

impl Status {
    /// Its number in a list.
    pub fn number(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Suspended => 2,
            Self::OnHold => 3,
            Self::Paused => 12,
            Self::Cancelled => 13,
            Self::Transferred => 14,
            Self::Other(number) => number,
        }
    }

    /// The status with this number.
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Valid,
            1 => Self::Invalid,
            2 => Self::Suspended,
            3 => Self::OnHold,
            12 => Self::Paused,
            13 => Self::Cancelled,
            14 => Self::Transferred,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("valid"),
            Self::Invalid => f.write_str("withdrawn"),
            Self::Suspended => f.write_str("suspended"),
            Self::OnHold => f.write_str("on hold"),
            Self::Paused => f.write_str("paused"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Transferred => f.write_str("transferred"),
            Self::Other(number) => write!(f, "status {number}"),
        }
    }
}

/// What a car knows about a grant beside the grant: its status, why, and until when that is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The status.
    pub status: Status,
    /// Why it was withdrawn or suspended.
    pub because: Option<Because>,
    /// Until when nobody needs to look again; `None` where the grant has no status list.
    pub fresh_until: Option<Timestamp>,
}

impl Standing {
    /// Of a grant whose list has not arrived, or that has none.
    pub fn unknown(grant: &Grant) -> Self {
        let first = grant.issued().saturating_add(FIRST_STATUS);
        Self {
            status: Status::Valid,
            because: None,
            fresh_until: grant.status().map(|_| first.max(grant.starts())),
        }
    }
}

/// A list of statuses, from a [`Verifier`](crate::Verifier).
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList {
    pub(crate) uri: Arc<str>,
    pub(crate) issued: u64,
    pub(crate) expires: Option<u64>,
    pub(crate) ttl: Option<u64>,
    pub(crate) bits: u8,
    pub(crate) statuses: Arc<[u8]>,
    /// By index, ascending.
    pub(crate) reasons: Arc<[(u32, Because)]>,
}

impl StatusList {
    /// Its name: its URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// When it was issued. A car takes no list that is older than the one it has.
    pub fn issued(&self) -> Timestamp {
        timestamp(self.issued)
    }

    /// Until when a car need not ask for another: its expiry or, if that is earlier, the end of its time to live. With
    /// neither, one day.
    pub fn fresh_until(&self) -> Timestamp {
        let live = self.ttl.map(|ttl| self.issued.saturating_add(ttl));
        let until = [self.expires, live].into_iter().flatten().min();
        timestamp(until.unwrap_or_else(|| self.issued.saturating_add(FIRST_STATUS.as_secs())))
    }

    /// How many places it has.
    pub fn len(&self) -> usize {
        self.statuses.len() * usize::from(8 / self.bits)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.statuses.is_empty()
    }

    /// The status at a place; `None` beyond its end.
    pub fn status(&self, index: u32) -> Option<Status> {
        let each = u32::from(8 / self.bits);
        let byte = *self.statuses.get(usize::try_from(index / each).ok()?)?;
        let shift = index % each * u32::from(self.bits);
        let mask = u8::MAX >> (8 - self.bits);
        Some(Status::from_number(byte >> shift & mask))
    }

    /// Why, at a place, where the list says it.
    pub fn because(&self, index: u32) -> Option<Because> {
        let at = self.reasons.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        self.reasons.get(at).map(|(_, because)| *because)
    }

    /// What it says about a grant: `None` if it is not the grant's list, or too short for it.
    pub fn standing(&self, grant: &Grant) -> Option<Standing> {
        let place = grant.status().filter(|place| place.uri == self.uri)?;
        Some(Standing {
            status: self.status(place.index)?,
            because: self.because(place.index),
            fresh_until: Some(self.fresh_until()),
        })
    }
}

impl fmt::Debug for StatusList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusList")
            .field("uri", &self.uri)
            .field("issued", &self.issued())
            .finish_non_exhaustive()
    }
}

/// Reads the claims of a status list.
pub(crate) fn decode(payload: &[u8]) -> Result<StatusList, Malformed> {
    let mut r = Reader::new(payload);
    let claims = r.map("a map of 3 to 6 claims")?;
    r.exactly(Major::Unsigned, SUBJECT, "claim 2 (sub)")?;
    let at = r.position();
    let uri = r.text("the list's URI")?;
    if !is_uri(uri) {
        return Err(Malformed { at, expected: "a URI of 1 to 128 printable ASCII characters" });
    }
    let expires = claim(&mut r, EXPIRES)?;
    r.exactly(Major::Unsigned, ISSUED, "claim 6 (iat)")?;
    let issued = seconds(&mut r)?;
    if expires.is_some_and(|expires| expires <= issued) {
        return Err(r.malformed("an expiry (exp) after the issue (iat)"));
    }
    r.exactly(Major::Unsigned, LIST, "claim 65533 (status list)")?;
    let (bits, packed) = list(&mut r)?;
    let ttl = claim(&mut r, TTL)?;
    if ttl == Some(0) {
        return Err(r.malformed("a time to live from 1"));
    }
    let reasons = if r.is_at_end() { None } else { Some(reasons(&mut r)?) };
    r.end("the end of the payload")?;
    let optional = [expires.is_some(), ttl.is_some(), reasons.is_some()];
    if claims != 3 + optional.into_iter().map(u64::from).sum::<u64>() {
        return Err(Malformed { at: 0, expected: "the number of claims that follow" });
    }
    let statuses = unpack(packed).ok_or(Malformed { at: 0, expected: "a zlib stream of at most 1 MiB" })?;
    Ok(StatusList {
        uri: uri.into(),
        issued,
        expires,
        ttl,
        bits,
        statuses: statuses.into(),
        reasons: reasons.unwrap_or_default().into(),
    })
}

/// The map of `bits` and `lst` (draft §4.3), in either order: the draft's own examples have the longer key first.
fn list<'b>(r: &mut Reader<'b>) -> Result<(u8, &'b [u8]), Malformed> {
    r.exactly(Major::Map, 2, "a map of bits and lst")?;
    if r.clone().text("").is_ok_and(|key| key == "bits") {
        let bits = bits(r)?;
        key(r, "lst", "the key lst")?;
        return Ok((bits, r.bytes("a compressed list")?));
    }
    key(r, "lst", "the key lst or bits")?;
    let packed = r.bytes("a compressed list")?;
    Ok((bits(r)?, packed))
}

fn bits(r: &mut Reader<'_>) -> Result<u8, Malformed> {
    key(r, "bits", "the key bits")?;
    let at = r.position();
    let bits = u8::try_from(r.unsigned("1, 2, 4 or 8")?).ok().filter(|bits| matches!(bits, 1 | 2 | 4 | 8));
    bits.ok_or(Malformed { at, expected: "1, 2, 4 or 8" })
}

pub(crate) fn key(r: &mut Reader<'_>, name: &str, expected: &'static str) -> Result<(), Malformed> {
    let at = r.position();
    if r.text(expected)? == name { Ok(()) } else { Err(Malformed { at, expected }) }
}

fn reasons(r: &mut Reader<'_>) -> Result<Vec<(u32, Because)>, Malformed> {
    r.negative(REASONS, "claim -65537 (reasons)")?;
    let at = r.position();
    let count = r.map("a map of reasons")?;
    if !(1..=MAX_REASONS).contains(&count) {
        return Err(Malformed { at, expected: "1 to 8192 reasons" });
    }
    let mut reasons: Vec<(u32, Because)> = Vec::new();
    for _ in 0..count {
        let at = r.position();
        let index = u32::try_from(r.unsigned("a place in the list")?)
            .ok()
            .filter(|index| reasons.last().is_none_or(|(last, _)| last < index))
            .ok_or(Malformed { at, expected: "places in ascending order, none twice" })?;
        let at = r.position();
        let because = Because::from_number(r.unsigned("a reason")?);
        reasons.push((index, because.ok_or(Malformed { at, expected: "a reason from 1 to 7" })?));
    }
    Ok(reasons)
}

fn claim(r: &mut Reader<'_>, key: u64) -> Result<Option<u64>, Malformed> {
    if r.peek_unsigned() != Some(key) {
        return Ok(None);
    }
    r.unsigned("a claim")?;
    seconds(r).map(Some)
}

/// The bytes in a zlib stream, if it is whole, nothing follows it, and there are not too many.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut inflate = flate2::Decompress::new(true);
    let mut out = Vec::new();
    let mut block = [0; 4096];
    loop {
        let (read, written) = (usize::try_from(inflate.total_in()).ok()?, inflate.total_out());
        let rest = packed.get(read..)?;
        let status = inflate.decompress(rest, &mut block, flate2::FlushDecompress::None).ok()?;
        let new = usize::try_from(inflate.total_out() - written).ok()?;
        out.extend_from_slice(block.get(..new)?);
        if out.len() > MAX_STATUSES {
            return None;
        }
        let consumed = usize::try_from(inflate.total_in()).ok()?;
        match status {
            flate2::Status::StreamEnd => return (consumed == packed.len() && !out.is_empty()).then_some(out),
            _ if new == 0 && consumed == read => return None,
            _ => {}
        }
    }
}

/// Writes the claims of a status list.
#[cfg(feature = "issuer")]
pub(crate) fn encode(list: &StatusList) -> Vec<u8> {
    use std::io::Write;

    use crate::cbor::{write_bytes, write_head, write_text};

    let mut pack = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    // Writing into memory does not fail.
    let packed = pack.write_all(&list.statuses).and_then(|()| pack.finish()).unwrap_or_default();

    let mut out = Vec::new();
    let number = |out: &mut Vec<u8>, key: u64, value: u64| {
        write_head(out, Major::Unsigned, key);
        write_head(out, Major::Unsigned, value);
    };
    let optional = [list.expires.is_some(), list.ttl.is_some(), !list.reasons.is_empty()];
    write_head(&mut out, Major::Map, 3 + optional.into_iter().map(u64::from).sum::<u64>());
    write_head(&mut out, Major::Unsigned, SUBJECT);
    write_text(&mut out, &list.uri);
    if let Some(expires) = list.expires {
        number(&mut out, EXPIRES, expires);
    }
    number(&mut out, ISSUED, list.issued);
    write_head(&mut out, Major::Unsigned, LIST);
    write_head(&mut out, Major::Map, 2);
    write_text(&mut out, "lst");
    write_bytes(&mut out, &packed);
    write_text(&mut out, "bits");
    write_head(&mut out, Major::Unsigned, u64::from(list.bits));
    if let Some(ttl) = list.ttl {
        number(&mut out, TTL, ttl);
    }
    if !list.reasons.is_empty() {
        write_head(&mut out, Major::Negative, REASONS);
        write_head(&mut out, Major::Map, list.reasons.len() as u64);
        for (index, because) in list.reasons.iter() {
            number(&mut out, u64::from(*index), u64::from(because.number()));
        }
    }
    out
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
