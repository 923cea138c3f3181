//! Bytes become a token, as they are or signed as what they claim to be; whatever verifies is exactly what its grant says.
//!
//! *Oracle:* a verified grant is issued again to the same bytes, coset decodes and re-encodes them alike, and a second
//! reading of the claims, from the documentation and over ciborium, takes and refuses the same payloads.
//! *Next:* `coachwork_entitlement::Verifier`.

use std::sync::LazyLock;

use coachwork_entitlement::{Issuer, KeyId, Verifier, VerifyError};
use coset::cbor::Value;
use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier as _};

const DOMAIN: &[u8] = b"coachwork/grant/v1";
const KID: &[u8] = b"fuzz";
const PROTECTED: &[u8] = b"\xa2\x01\x27\x04\x44fuzz";
const LAST: i128 = 9_223_372_036;

struct Keys {
    key: SigningKey,
    issuer: Issuer,
    verifier: Verifier,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let issuer = Issuer::new(KeyId::new(KID).expect("an id"), &[7; 32]).expect("a key");
    let verifier = Verifier::new([(issuer.key_id(), issuer.public_key())]).expect("a set");
    Keys { key: SigningKey::from_bytes(&[7; 32]), issuer, verifier }
});

/// What an input was worth, for the test that shows that inputs matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A grant came out.
    Grant,
    /// Refused before the signature was looked at, or by it.
    Token,
    /// Refused for what was signed.
    Claims,
}

/// The first byte says what the rest is: a whole token, a payload to be signed, or a protected header (its length first)
/// and a payload to be signed.
pub fn run(data: &[u8]) {
    judge(data);
}

/// As [`run`], with the outcome.
pub fn judge(data: &[u8]) -> Verdict {
    let Some((mode, rest)) = data.split_first() else { return check(&[], None) };
    match mode % 3 {
        0 => check(rest, None),
        1 => check(&sign(PROTECTED, rest), Some(rest)),
        _ => {
            let (length, rest) = rest.split_first().unwrap_or((&0, &[]));
            let (protected, payload) = rest.split_at_checked(usize::from(*length)).unwrap_or((rest, &[]));
            let payload_is_ours = (protected == PROTECTED).then_some(payload);
            check(&sign(protected, payload), payload_is_ours)
        }
    }
}

/// `payload` is given where the envelope is right, so that the claims alone decide.
fn check(token: &[u8], payload: Option<&[u8]>) -> Verdict {
    let outcome = KEYS.verifier.verify(token);
    if let Some(payload) = payload {
        let expected = token.len() <= coachwork_entitlement::MAX_TOKEN && is_grant(payload);
        assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
    }
    match outcome {
        Ok(grant) => {
            assert_eq!(
                KEYS.issuer.issue(&grant).expect("it was a token"),
                token,
                "the grant has another token"
            );
            let read = CoseSign1::from_tagged_slice(token).expect("coset reads what we verify");
            let public = KEYS.key.verifying_key();
            let verified = read.verify_signature(DOMAIN, |signature, message| {
                public.verify(message, &Signature::from_slice(signature).expect("64 bytes"))
            });
            verified.expect("coset verifies what we verify");
            assert_eq!(read.to_tagged_vec().expect("coset writes what it read"), token);
            Verdict::Grant
        }
        Err(VerifyError::Claims { .. }) => Verdict::Claims,
        Err(_) => Verdict::Token,
    }
}

fn sign(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    sign_for(DOMAIN, protected, payload)
}

/// A message in the profile's envelope, signed with the fuzzer's key for a purpose.
pub(crate) fn sign_for(domain: &[u8], protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let signed = [Value::Text("Signature1".into()), bytes(protected), bytes(domain), bytes(payload)];
    let signed = Value::Array(signed.to_vec()).to_vec().expect("a value");
    let signature = KEYS.key.sign(&signed).to_bytes();
    let parts = vec![bytes(protected), Value::Map(vec![]), bytes(payload), bytes(&signature)];
    Value::Tag(18, Box::new(Value::Array(parts))).to_vec().expect("a value")
}

/// The claims as `docs/entitlement.md` has them, read with ciborium.
fn is_grant(payload: &[u8]) -> bool {
    let Ok(value) = Value::from_slice(payload) else { return false };
    // What is not in the one canonical form comes back differently.
    if value.clone().to_vec().ok().as_deref() != Some(payload) {
        return false;
    }
    grant(value).is_some()
}

fn grant(value: Value) -> Option<()> {
    let [exp, nbf, iat, cti, status, ours] = entries(value, [4, 5, 6, 7, 65535, -65537])?;
    let time = |value: Option<Value>| match value.map(integer) {
        None => Some(None),
        Some(seconds) => seconds.filter(|seconds| (0..=LAST).contains(seconds)).map(Some),
    };
    let (exp, nbf, iat) = (time(exp)?, time(nbf)?, time(iat)??);
    let id = cti?.into_bytes().ok()?;
    let starts = nbf.unwrap_or(iat);
    let in_order = nbf.is_none_or(|nbf| nbf > iat) && exp.is_none_or(|exp| exp > starts);
    let [vehicle, features, sequence, owner, grace, kind, offline, regions, plan, because, scopes] =
        entries(ours?, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])?;
    let has_status = status.is_some();
    if let Some(status) = status {
        place(status)?;
    }
    let vehicle = vehicle?.into_bytes().ok()?;
    let names = features?
        .into_array()
        .ok()?
        .into_iter()
        .map(|name| name.into_text().ok())
        .collect::<Option<Vec<_>>>()?;
    let named = names.iter().all(|name| is_name(name));
    let count = |value: Option<Value>, range: std::ops::RangeInclusive<i128>| match value.map(integer) {
        None => Some(None),
        Some(number) => number.filter(|number| range.contains(number)).map(Some),
    };
    let sequence = count(sequence, 1..=i128::from(u64::MAX))?;
    count(owner, 0..=i128::from(u32::MAX))?;
    let grace = count(grace, 1..=LAST)?;
    let kind = count(kind, 1..=3)?;
    let offline = count(offline, 1..=LAST)?;
    let because = count(because, 1..=7)?;
    let fits = (exp.is_some() || (kind.is_none() && offline.is_none()))
        && (offline.is_none() || has_status)
        && (because.is_none() || sequence.is_some());
    let capitals = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let well_named = list(regions, 256)?.iter().all(|region| capitals(region))
        && plan.map(Value::into_text).is_none_or(|plan| plan.is_ok_and(|plan| is_name(&plan)))
        && list(scopes, 64)?.iter().all(|scope| is_scope(scope));
    if !fits || !well_named {
        return None;
    }
    let ends = match (exp, grace) {
        (None, Some(_)) => return None,
        (exp, grace) => exp.unwrap_or(0) + grace.unwrap_or(0),
    };
    let well_formed = (1..=16).contains(&id.len()) && vehicle.len() == 16 && !names.is_empty() && named;
    (in_order && well_formed && names.is_sorted_by(|a, b| a < b) && ends <= LAST).then_some(())
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| b"abcdefghijklmnopqrstuvwxyz0123456789._-".contains(&byte))
}

/// Texts in ascending order; none where there is no list, and at least one where there is.
fn list(value: Option<Value>, most: usize) -> Option<Vec<String>> {
    let Some(value) = value else { return Some(vec![]) };
    let texts: Option<Vec<_>> =
        value.into_array().ok()?.into_iter().map(|text| text.into_text().ok()).collect();
    texts.filter(|texts| (1..=most).contains(&texts.len()) && texts.is_sorted_by(|a, b| a < b))
}

fn is_scope(scope: &str) -> bool {
    let paths = match scope.strip_prefix("read").or_else(|| scope.strip_prefix("actuate")) {
        Some("") => return true,
        Some(rest) => rest.strip_prefix(':'),
        None => None,
    };
    scope.len() <= 256 && paths.is_some_and(|paths| coachwork_vehicle::Pattern::new(paths).is_ok())
}

fn place(status: Value) -> Option<()> {
    let mut status = status.into_map().ok().filter(|map| map.len() == 1)?;
    let (name, place) = status.pop()?;
    let mut place = place.into_map().ok().filter(|map| map.len() == 2)?;
    let ((uri_name, uri), (idx_name, idx)) = (place.pop()?, place.pop()?);
    let named = [name.as_text()?, idx_name.as_text()?, uri_name.as_text()?] == ["status_list", "idx", "uri"];
    let uri = uri.into_text().ok()?;
    let printable = (1..=128).contains(&uri.len()) && uri.bytes().all(|byte| byte.is_ascii_graphic());
    let index = integer(idx).filter(|index| (0..=i128::from(u32::MAX)).contains(index));
    (named && printable && index.is_some()).then_some(())
}

/// The values of these keys, if the map has no others and has them in this order.
pub(crate) fn entries<const N: usize>(map: Value, keys: [i128; N]) -> Option<[Option<Value>; N]> {
    let mut entries = map.into_map().ok()?.into_iter().peekable();
    let found =
        keys.map(|key| entries.next_if(|(is, _)| integer(is.clone()) == Some(key)).map(|(_, value)| value));
    entries.next().is_none().then_some(found)
}

pub(crate) fn integer(value: Value) -> Option<i128> {
    value.into_integer().ok().map(i128::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides() {
        let payload = std::fs::read("seeds/token_verify/payload_full").expect("the seed");
        assert_eq!(judge(&payload), Verdict::Grant);
        let mut worse = payload.clone();
        worse[1] ^= 1;
        assert_eq!(judge(&worse), Verdict::Claims);
        let token = std::fs::read("seeds/token_verify/token").expect("the seed");
        assert_eq!(judge(&token), Verdict::Grant);
        let mut worse = token.clone();
        *worse.last_mut().expect("a byte") ^= 1;
        assert_eq!(judge(&worse), Verdict::Token);
        assert_eq!(judge(&[]), Verdict::Token);
    }
}
