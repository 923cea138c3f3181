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
use crate::scope::{MAX_SCOPES, Scope};
use crate::status::{self, StatusRef};
use crate::terms::{Because, Kind, Region};

// Registered claims (RFC 8392 §4).
const EXPIRES: u64 = 4;
const NOT_BEFORE: u64 = 5;
const ISSUED: u64 = 6;
const ID: u64 = 7;
/// Where the status is published (draft-ietf-oauth-status-list §6.3).
const STATUS: u64 = 65535;
/// Claim -65537, the first for private use, holds what is ours: written as `-1 - 65536`.
const OURS: u64 = 65536;

// Within it.
const VEHICLE: u64 = 1;
const FEATURES: u64 = 2;
const SEQUENCE: u64 = 3;
const OWNER: u64 = 4;
const GRACE: u64 = 5;
const KIND: u64 = 6;
const OFFLINE: u64 = 7;
const REGIONS: u64 = 8;
const PLAN: u64 = 9;
const BECAUSE: u64 = 10;
const SCOPES: u64 = 11;

/// The most countries of a grant.
const MAX_REGIONS: u64 = 256;

/// Reads the claims of a grant.
pub(crate) fn decode(payload: &[u8]) -> Result<Grant, Malformed> {
    let mut r = Reader::new(payload);
    let claims = r.map("a map of 3 to 6 claims")?;
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

    let status = status(&mut r, &mut optional)?;
    r.negative(OURS, "claim -65537")?;
    let ours = Ours::decode(&mut r)?;
    r.end("the end of the payload")?;
    if claims != 3 + optional {
        return Err(Malformed { at: 0, expected: "the number of claims that follow" });
    }
    match expires {
        None if ours.grace > 0 => return Err(r.malformed("no grace without an expiry")),
        None if ours.offline.is_some() => return Err(r.malformed("no offline allowance without an expiry")),
        None if ours.kind.is_some() => return Err(r.malformed("no kind without an expiry")),
        Some(expires) if ours.grace > MAX_SECONDS - expires => {
            return Err(r.malformed("an end before the year 2262"));
        }
        _ => {}
    }
    if ours.offline.is_some() && status.is_none() {
        return Err(r.malformed("no offline allowance without a status (claim 65535)"));
    }
    let kind = ours.kind.unwrap_or(if expires.is_some() { Kind::Recurring } else { Kind::Perpetual });
    Ok(Grant {
        id,
        sequence: ours.sequence,
        vehicle: ours.vehicle,
        owner: ours.owner,
        issued,
        starts,
        expires,
        grace: ours.grace,
        features: ours.features.into(),
        kind,
        offline: ours.offline,
        regions: ours.regions.into(),
        plan: ours.plan,
        because: ours.because,
        scopes: ours.scopes.into(),
        status,
    })
}

fn status(r: &mut Reader<'_>, present: &mut u64) -> Result<Option<StatusRef>, Malformed> {
    if r.peek_unsigned() != Some(STATUS) {
        return Ok(None);
    }
    r.unsigned("a claim")?;
    *present += 1;
    r.exactly(Major::Map, 1, "a map of status_list")?;
    status::key(r, "status_list", "the key status_list")?;
    r.exactly(Major::Map, 2, "a map of idx and uri")?;
    status::key(r, "idx", "the key idx")?;
    let at = r.position();
    let index = u32::try_from(r.unsigned("a place in the list")?);
    let index = index.map_err(|_| Malformed { at, expected: "a place below 2^32" })?;
    status::key(r, "uri", "the key uri")?;
    let at = r.position();
    let place = StatusRef::new(r.text("a URI")?, index);
    place.map(Some).map_err(|_| Malformed { at, expected: "a URI of 1 to 128 printable ASCII characters" })
}

struct Ours {
    vehicle: VehicleId,
    features: Vec<FeatureName>,
    sequence: u64,
    owner: Option<OwnerEpoch>,
    grace: u64,
    kind: Option<Kind>,
    offline: Option<u64>,
    regions: Vec<Region>,
    plan: Option<FeatureName>,
    because: Option<Because>,
    scopes: Vec<Scope>,
}

impl Ours {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let at = r.position();
        let entries = r.map("a map of 2 to 11 entries")?;
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
        let kind = match optional_entry(r, KIND, &mut optional)? {
            None => None,
            Some(number) => Some(kind(number).ok_or(r.malformed("a kind from 1 to 3 before this"))?),
        };
        let offline = Some(optional_count(r, OFFLINE, &mut optional)?).filter(|seconds| *seconds > 0);
        if grace > MAX_SECONDS || offline.is_some_and(|seconds| seconds > MAX_SECONDS) {
            return Err(r.malformed("times below 2^33 seconds before this"));
        }
        let regions = regions(r, &mut optional)?;
        let plan = plan(r, &mut optional)?;
        let because = match optional_entry(r, BECAUSE, &mut optional)? {
            None => None,
            Some(number) => {
                Some(Because::from_number(number).ok_or(r.malformed("a reason from 1 to 7 before this"))?)
            }
        };
        if because.is_some() && sequence == 0 {
            return Err(r.malformed("no reason to replace editions (10) in the first one"));
        }
        let scopes = scopes(r, &mut optional)?;
        if entries != 2 + optional {
            return Err(Malformed { at, expected: "the number of entries that follow" });
        }
        let vehicle = VehicleId::opaque(vehicle);
        Ok(Self { vehicle, features, sequence, owner, grace, kind, offline, regions, plan, because, scopes })
    }
}

fn kind(number: u64) -> Option<Kind> {
    let at = usize::try_from(number.checked_sub(1)?).ok()?;
    Kind::WRITTEN.get(at).copied()
}

/// Whether the next key is this one, which is then read and counted.
fn present(r: &mut Reader<'_>, key: u64, present: &mut u64) -> Result<bool, Malformed> {
    if r.peek_unsigned() != Some(key) {
        return Ok(false);
    }
    *present += 1;
    r.unsigned("an entry").map(|_| true)
}

fn regions(r: &mut Reader<'_>, optional: &mut u64) -> Result<Vec<Region>, Malformed> {
    let mut regions: Vec<Region> = Vec::new();
    if !present(r, REGIONS, optional)? {
        return Ok(regions);
    }
    let at = r.position();
    let count = r.array("an array of countries")?;
    if !(1..=MAX_REGIONS).contains(&count) {
        return Err(Malformed { at, expected: "1 to 256 countries" });
    }
    for _ in 0..count {
        let at = r.position();
        let region = r.text("a country")?.parse().ok();
        let region = region.filter(|region| regions.last().is_none_or(|last| last < region));
        regions.push(
            region.ok_or(Malformed { at, expected: "countries of two capitals, ascending, none twice" })?,
        );
    }
    Ok(regions)
}

fn plan(r: &mut Reader<'_>, optional: &mut u64) -> Result<Option<FeatureName>, Malformed> {
    if !present(r, PLAN, optional)? {
        return Ok(None);
    }
    let at = r.position();
    let name = r.text("a plan's name")?.parse();
    name.map(Some).map_err(|_| Malformed { at, expected: "a name of 1 to 64 of a-z, 0-9, '.', '_' and '-'" })
}

fn scopes(r: &mut Reader<'_>, optional: &mut u64) -> Result<Vec<Scope>, Malformed> {
    let mut scopes = Vec::new();
    if !present(r, SCOPES, optional)? {
        return Ok(scopes);
    }
    let at = r.position();
    let count = r.array("an array of scopes")?;
    if !(1..=MAX_SCOPES as u64).contains(&count) {
        return Err(Malformed { at, expected: "1 to 64 scopes" });
    }
    let mut last = "";
    for _ in 0..count {
        let at = r.position();
        let text = r.text("a scope")?;
        if text <= last {
            return Err(Malformed { at, expected: "scopes in ascending order, none twice" });
        }
        last = text;
        // Each scope has one spelling here.
        let scope = text.parse::<Scope>().ok().filter(|scope| scope.to_string() == text);
        scopes.push(scope.ok_or(Malformed { at, expected: "read or actuate, a colon and a path pattern" })?);
    }
    Ok(scopes)
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
    let optional = [grant.expires.is_some(), later, grant.status.is_some()];
    write_head(&mut out, Major::Map, 3 + optional.into_iter().map(u64::from).sum::<u64>());
    if let Some(expires) = grant.expires {
        put(&mut out, EXPIRES, expires);
    }
    if later {
        put(&mut out, NOT_BEFORE, grant.starts);
    }
    put(&mut out, ISSUED, grant.issued);
    write_head(&mut out, Major::Unsigned, ID);
    write_bytes(&mut out, grant.id.as_bytes());
    if let Some(StatusRef { uri, index }) = &grant.status {
        write_head(&mut out, Major::Unsigned, STATUS);
        write_head(&mut out, Major::Map, 1);
        write_text(&mut out, "status_list");
        write_head(&mut out, Major::Map, 2);
        write_text(&mut out, "idx");
        write_head(&mut out, Major::Unsigned, u64::from(*index));
        write_text(&mut out, "uri");
        write_text(&mut out, uri);
    }

    write_head(&mut out, Major::Negative, OURS);
    let kind = grant.kind.number();
    let optional = [
        grant.sequence > 0,
        grant.owner.is_some(),
        grant.grace > 0,
        kind > 0,
        grant.offline.is_some(),
        !grant.regions.is_empty(),
        grant.plan.is_some(),
        grant.because.is_some(),
        !grant.scopes.is_empty(),
    ];
    write_head(&mut out, Major::Map, 2 + optional.into_iter().map(u64::from).sum::<u64>());
    write_head(&mut out, Major::Unsigned, VEHICLE);
    write_bytes(&mut out, grant.vehicle.as_bytes());
    let texts = |out: &mut Vec<u8>, key: u64, texts: &mut dyn ExactSizeIterator<Item = String>| {
        write_head(out, Major::Unsigned, key);
        write_head(out, Major::Array, texts.len() as u64);
        texts.for_each(|text| write_text(out, &text));
    };
    texts(&mut out, FEATURES, &mut grant.features.iter().map(ToString::to_string));
    if grant.sequence > 0 {
        put(&mut out, SEQUENCE, grant.sequence);
    }
    if let Some(OwnerEpoch(epoch)) = grant.owner {
        put(&mut out, OWNER, u64::from(epoch));
    }
    if grant.grace > 0 {
        put(&mut out, GRACE, grant.grace);
    }
    if kind > 0 {
        put(&mut out, KIND, kind);
    }
    if let Some(offline) = grant.offline {
        put(&mut out, OFFLINE, offline);
    }
    if !grant.regions.is_empty() {
        texts(&mut out, REGIONS, &mut grant.regions.iter().map(ToString::to_string));
    }
    if let Some(plan) = &grant.plan {
        write_head(&mut out, Major::Unsigned, PLAN);
        write_text(&mut out, plan.as_str());
    }
    if let Some(because) = grant.because {
        put(&mut out, BECAUSE, u64::from(because.number()));
    }
    if !grant.scopes.is_empty() {
        texts(&mut out, SCOPES, &mut grant.scopes.iter().map(ToString::to_string));
    }
    out
}
