//! A payload becomes a [`KeySet`]: the keys that sign grants, each with its time, as an offline root names them.
//!
//! *Invariant:* decoding and encoding are inverse, as for claims. Ids are distinct and sorted; every key is one that
//! strict verification may use. A key's time is compared with a grant's date of issue, so that no clock is needed.
//! *Next:* `verify.rs` checks the root's signature and makes a [`Verifier`](crate::Verifier) of the set.

use std::sync::Arc;

use coachwork_vehicle::Timestamp;

use crate::cbor::{Major, Malformed, Reader};
use crate::claims::seconds;
use crate::grant::timestamp;
use crate::id::KeyId;
use crate::key::PublicKey;
use crate::verify::MAX_KEYS;

const ISSUED: u64 = 6;
/// Claim -65537, the keys, written as `-1 - 65536`.
const KEYS: u64 = 65536;
/// Claim -65538, the sequence.
const SEQUENCE: u64 = 65537;

// Within a key.
const ID: u64 = 1;
const PUBLIC: u64 = 2;
const PURPOSE: u64 = 3;
const FROM: u64 = 4;
const UNTIL: u64 = 5;

/// The keys that a platform signs with, from a root's document.
///
/// Keys overlap in time: the next one is in the set before the first grant is signed with it, and the last one stays
/// for as long as its grants are of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    pub(crate) sequence: u64,
    pub(crate) issued: u64,
    pub(crate) keys: Arc<[SetKey]>,
}

/// A key of a [`KeySet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetKey {
    pub(crate) id: KeyId,
    pub(crate) public: PublicKey,
    pub(crate) purpose: Purpose,
    pub(crate) from: u64,
    pub(crate) until: Option<u64>,
}

/// What a key may sign, as a number from 1 to 255. A verifier uses a key for no purpose but its own, and leaves keys for
/// purposes that it does not know alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Purpose(pub(crate) u8);

impl Purpose {
    /// Grants.
    pub const GRANTS: Self = Self(1);

    /// Status lists.
    pub const STATUS: Self = Self(2);

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl KeySet {
    /// Its place in the row of sets: a higher one replaces it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When the root issued it.
    pub fn issued(&self) -> Timestamp {
        timestamp(self.issued)
    }

    /// Its keys, sorted by id.
    pub fn keys(&self) -> &[SetKey] {
        &self.keys
    }
}

impl SetKey {
    /// The id by which tokens name it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// What it may sign.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The first instant at which what it signs may be issued.
    pub fn from(&self) -> Timestamp {
        timestamp(self.from)
    }

    /// The first instant at which it may not any more; `None` while that is open.
    pub fn until(&self) -> Option<Timestamp> {
        self.until.map(timestamp)
    }
}

/// Reads the claims of a key set.
pub(crate) fn decode(payload: &[u8]) -> Result<KeySet, Malformed> {
    let mut r = Reader::new(payload);
    r.exactly(Major::Map, 3, "a map of 3 claims")?;
    r.exactly(Major::Unsigned, ISSUED, "claim 6 (iat)")?;
    let issued = seconds(&mut r)?;
    r.negative(KEYS, "claim -65537 (keys)")?;
    let count = r.array("an array of keys")?;
    if !usize::try_from(count).is_ok_and(|count| (1..=MAX_KEYS).contains(&count)) {
        return Err(r.malformed("1 to 64 keys from here"));
    }
    let mut keys: Vec<SetKey> = Vec::new();
    for _ in 0..count {
        let at = r.position();
        let key = key(&mut r)?;
        if keys.last().is_some_and(|last| last.id >= key.id) {
            return Err(Malformed { at, expected: "keys in ascending order of their ids, none twice" });
        }
        keys.push(key);
    }
    r.negative(SEQUENCE, "claim -65538 (sequence)")?;
    let at = r.position();
    let sequence = r.unsigned("an unsigned integer")?;
    if sequence == 0 {
        return Err(Malformed { at, expected: "a sequence from 1" });
    }
    r.end("the end of the payload")?;
    Ok(KeySet { sequence, issued, keys: keys.into() })
}

fn key(r: &mut Reader<'_>) -> Result<SetKey, Malformed> {
    let at = r.position();
    let entries = r.map("a map of 4 or 5 entries")?;
    r.exactly(Major::Unsigned, ID, "entry 1 (kid)")?;
    let at_id = r.position();
    let id = KeyId::new(r.bytes("a byte string")?)
        .map_err(|_| Malformed { at: at_id, expected: "a key id of 1 to 16 bytes" })?;
    r.exactly(Major::Unsigned, PUBLIC, "entry 2 (x)")?;
    let at_public = r.position();
    let public = <&[u8; 32]>::try_from(r.bytes("a byte string")?).ok();
    let public = public.and_then(|bytes| PublicKey::from_bytes(bytes).ok());
    let public = public.ok_or(Malformed { at: at_public, expected: "a sound Ed25519 key of 32 bytes" })?;
    r.exactly(Major::Unsigned, PURPOSE, "entry 3 (purpose)")?;
    let at_purpose = r.position();
    let purpose = u8::try_from(r.unsigned("an unsigned integer")?).ok().filter(|number| *number > 0);
    let purpose = purpose.ok_or(Malformed { at: at_purpose, expected: "a purpose from 1 to 255" })?;
    r.exactly(Major::Unsigned, FROM, "entry 4 (from)")?;
    let from = seconds(r)?;
    let until = match r.peek_unsigned() {
        Some(UNTIL) => {
            r.unsigned("an entry")?;
            Some(seconds(r)?)
        }
        _ => None,
    };
    if entries != 4 + u64::from(until.is_some()) {
        return Err(Malformed { at, expected: "the number of entries that follow" });
    }
    if until.is_some_and(|until| until <= from) {
        return Err(r.malformed("an end (until) after the beginning before this"));
    }
    Ok(SetKey { id, public, purpose: Purpose(purpose), from, until })
}

/// Writes the claims of a key set.
#[cfg(feature = "issuer")]
pub(crate) fn encode(set: &KeySet) -> Vec<u8> {
    use crate::cbor::{write_bytes, write_head};

    let mut out = Vec::new();
    let number = |out: &mut Vec<u8>, key: u64, value: u64| {
        write_head(out, Major::Unsigned, key);
        write_head(out, Major::Unsigned, value);
    };
    write_head(&mut out, Major::Map, 3);
    number(&mut out, ISSUED, set.issued);
    write_head(&mut out, Major::Negative, KEYS);
    write_head(&mut out, Major::Array, set.keys.len() as u64);
    for key in set.keys.iter() {
        write_head(&mut out, Major::Map, 4 + u64::from(key.until.is_some()));
        write_head(&mut out, Major::Unsigned, ID);
        write_bytes(&mut out, key.id.as_bytes());
        write_head(&mut out, Major::Unsigned, PUBLIC);
        write_bytes(&mut out, &key.public.to_bytes());
        number(&mut out, PURPOSE, u64::from(key.purpose.0));
        number(&mut out, FROM, key.from);
        if let Some(until) = key.until {
            number(&mut out, UNTIL, until);
        }
    }
    write_head(&mut out, Major::Negative, SEQUENCE);
    write_head(&mut out, Major::Unsigned, set.sequence);
    out
}
