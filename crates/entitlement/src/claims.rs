//! A payload becomes a [`Grant`], and a grant becomes the one payload that says it (RFC 8392 and `docs/entitlement.md`).
//!
//! *Invariant:* decoding and encoding are inverse: what is read here is written again byte for byte, so no two
//! payloads say the same. Claims come in ascending order; one that is not known is refused, not skipped.
//! *Next:* `token.rs` has the envelope around the payload; `grant.rs` the type.

use crate::car::{OwnerEpoch, VehicleId};
use crate::cbor::{Major, Malformed, Reader};
use crate::feature::FeatureName;
use crate::grant::{Grant, MAX_SECONDS};
use crate::id::GrantId;

// Registered claims (RFC 8392 §4).
const EXPIRES: u64 = 4;
const NOT_BEFORE: u64 = 5;
const ISSUED: u64 = 6;
const ID: u64 = 7;
/// Claim -65537, the first for private use, holds what is ours: written as `-1 - 65536`.
const OURS: u64 = 65536;

// Within it.
const VEHICLE: u64 = 1;
const FEATURES: u64 = 2;
const SEQUENCE: u64 = 3;
const OWNER: u64 = 4;
const GRACE: u64 = 5;

/// Reads the claims of a grant.
pub(crate) fn decode(payload: &[u8]) -> Result<Grant, Malformed> {
    let mut r = Reader::new(payload);
    let claims = r.map("a map of 3 to 5 claims")?;
    let mut optional = 0;

    let expires = optional_claim(&mut r, EXPIRES, &mut optional)?;
    let at_not_before = r.position();
    let not_before = optional_claim(&mut r, NOT_BEFORE, &mut optional)?;
    r.exactly(Major::Unsigned, ISSUED, "claim 6 (iat)")?;
    let issued = seconds(&mut r)?;
    if not_before.is_some_and(|starts| starts <= issued) {
        return Err(Malformed {
            at: at_not_before,
            expected: "a start (nbf) after the issue (iat), or none",
        });
    }
    let starts = not_before.unwrap_or(issued);
    if expires.is_some_and(|expires| expires <= starts) {
        return Err(r.malformed("an expiry (exp) after the start"));
    }

    r.exactly(Major::Unsigned, ID, "claim 7 (cti)")?;
    let at_id = r.position();
    let id = GrantId::new(r.bytes("a byte string")?)
        .map_err(|_| Malformed { at: at_id, expected: "an id of 1 to 16 bytes" })?;

    r.negative(OURS, "claim -65537")?;
    let mut ours = Ours::decode(&mut r)?;
    r.end("the end of the payload")?;
    if claims != 3 + optional {
        return Err(Malformed { at: 0, expected: "the number of claims that follow" });
    }
    match expires {
        None if ours.grace > 0 => return Err(r.malformed("no grace without an expiry")),
        Some(expires) if ours.grace > MAX_SECONDS - expires => {
            return Err(r.malformed("an end before the year 2262"));
        }
        _ => {}
    }
    Ok(Grant {
        id,
        sequence: ours.sequence,
        vehicle: ours.vehicle,
        owner: ours.owner,
        issued,
        starts,
        expires,
        grace: ours.grace,
        features: std::mem::take(&mut ours.features).into(),
    })
}

struct Ours {
    vehicle: VehicleId,
    features: Vec<FeatureName>,
    sequence: u64,
    owner: Option<OwnerEpoch>,
    grace: u64,
}

impl Ours {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let at = r.position();
        let entries = r.map("a map of 2 to 5 entries")?;
        let mut optional = 0;

        r.exactly(Major::Unsigned, VEHICLE, "entry 1 (vehicle)")?;
        let at_vehicle = r.position();
        let vehicle = <[u8; VehicleId::LEN]>::try_from(r.bytes("a byte string")?)
            .map_err(|_| Malformed { at: at_vehicle, expected: "a vehicle id of 16 bytes" })?;

        r.exactly(Major::Unsigned, FEATURES, "entry 2 (features)")?;
        let features = features(r)?;

        let sequence = optional_count(r, SEQUENCE, &mut optional)?;
        let owner = match optional_entry(r, OWNER, &mut optional)? {
            None => None,
            Some(epoch) => Some(OwnerEpoch(
                u32::try_from(epoch).map_err(|_| r.malformed("an owner epoch below 2^32 before this"))?,
            )),
        };
        let grace = optional_count(r, GRACE, &mut optional)?;
        if grace > MAX_SECONDS {
            return Err(r.malformed("a grace below 2^33 seconds before this"));
        }
        if entries != 2 + optional {
            return Err(Malformed { at, expected: "the number of entries that follow" });
        }
        Ok(Self { vehicle: VehicleId::opaque(vehicle), features, sequence, owner, grace })
    }
}

fn features(r: &mut Reader<'_>) -> Result<Vec<FeatureName>, Malformed> {
    let count = r.array("an array of feature names")?;
    if count == 0 {
        return Err(r.malformed("at least one feature name before this"));
    }
    // The count is the sender's word: nothing is reserved for it, and each name is read before the next is believed.
    let mut names: Vec<FeatureName> = Vec::new();
    for _ in 0..count {
        let at = r.position();
        let name: FeatureName = r
            .text("a feature name")?
            .parse()
            .map_err(|_| Malformed { at, expected: "a name of 1 to 64 of a-z, 0-9, '.', '_' and '-'" })?;
        if names.last().is_some_and(|last| *last >= name) {
            return Err(Malformed { at, expected: "names in ascending order, none twice" });
        }
        names.push(name);
    }
    Ok(names)
}

/// A date.
pub(crate) fn seconds(r: &mut Reader<'_>) -> Result<u64, Malformed> {
    let at = r.position();
    let seconds = r.unsigned("whole seconds since 1970")?;
    if seconds > MAX_SECONDS {
        return Err(Malformed { at, expected: "a time before the year 2262" });
    }
    Ok(seconds)
}

fn optional_claim(r: &mut Reader<'_>, key: u64, present: &mut u64) -> Result<Option<u64>, Malformed> {
    if r.peek_unsigned() != Some(key) {
        return Ok(None);
    }
    r.unsigned("a claim")?;
    *present += 1;
    seconds(r).map(Some)
}

fn optional_entry(r: &mut Reader<'_>, key: u64, present: &mut u64) -> Result<Option<u64>, Malformed> {
    if r.peek_unsigned() != Some(key) {
        return Ok(None);
    }
    r.unsigned("an entry")?;
    *present += 1;
    r.unsigned("an unsigned integer").map(Some)
}

/// An entry that is left out where it would be zero.
fn optional_count(r: &mut Reader<'_>, key: u64, present: &mut u64) -> Result<u64, Malformed> {
    let at = r.position();
    match optional_entry(r, key, present)? {
        Some(0) => Err(Malformed { at, expected: "no entry where the number is zero" }),
        count => Ok(count.unwrap_or(0)),
    }
}

/// Writes the claims of a grant.
#[cfg(feature = "issuer")]
pub(crate) fn encode(grant: &Grant) -> Vec<u8> {
    use crate::cbor::{write_bytes, write_head, write_text};

    let mut out = Vec::new();
    let put = |out: &mut Vec<u8>, key: u64, value: u64| {
        write_head(out, Major::Unsigned, key);
        write_head(out, Major::Unsigned, value);
    };
    let later = grant.starts > grant.issued;
    write_head(&mut out, Major::Map, 3 + u64::from(grant.expires.is_some()) + u64::from(later));
    if let Some(expires) = grant.expires {
        put(&mut out, EXPIRES, expires);
    }
    if later {
        put(&mut out, NOT_BEFORE, grant.starts);
    }
    put(&mut out, ISSUED, grant.issued);
    write_head(&mut out, Major::Unsigned, ID);
    write_bytes(&mut out, grant.id.as_bytes());

    write_head(&mut out, Major::Negative, OURS);
    let optional = [grant.sequence > 0, grant.owner.is_some(), grant.grace > 0];
    write_head(&mut out, Major::Map, 2 + optional.into_iter().map(u64::from).sum::<u64>());
    write_head(&mut out, Major::Unsigned, VEHICLE);
    write_bytes(&mut out, grant.vehicle.as_bytes());
    write_head(&mut out, Major::Unsigned, FEATURES);
    write_head(&mut out, Major::Array, grant.features.len() as u64);
    for name in grant.features.iter() {
        write_text(&mut out, name.as_str());
    }
    if grant.sequence > 0 {
        put(&mut out, SEQUENCE, grant.sequence);
    }
    if let Some(OwnerEpoch(epoch)) = grant.owner {
        put(&mut out, OWNER, u64::from(epoch));
    }
    if grant.grace > 0 {
        put(&mut out, GRACE, grant.grace);
    }
    out
}
