//! Bytes become a status list, as they are, signed as the claims that they say they are, or as the statuses in one.
//!
//! *Oracle:* a second reading of the claims, from the documentation and over ciborium and flate2, takes and refuses the
//! same payloads and finds the same status at every place.
//! *Next:* `coachwork_entitlement::Verifier::verify_status`.

use std::io::Read;
use std::sync::LazyLock;

use coachwork_entitlement::{
    Issuer, KeyId, MAX_STATUS_TOKEN, MAX_STATUSES, StatusList, Verifier, VerifyError,
};
use coset::CborSerializable;
use coset::cbor::Value;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::token_verify::{Verdict, integer, sign_for};

const PROTECTED: &[u8] = b"\xa3\x01\x27\x04\x44fuzz\x10\x78\x1aapplication/statuslist+cwt";
const LAST: i128 = 9_223_372_036;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let issuer = Issuer::new(KeyId::new("fuzz").expect("an id"), &[7; 32]).expect("a key");
    Verifier::new([(issuer.key_id(), issuer.public_key())]).expect("a set")
});

/// The first byte says what the rest is: a document, a payload to be signed, or statuses to be packed.
pub fn run(data: &[u8]) {
    judge(data);
}

/// As [`run`], with the outcome.
pub fn judge(data: &[u8]) -> Verdict {
    let (mode, rest) = data.split_first().unwrap_or((&0, &[]));
    if mode % 3 == 0 {
        return verdict(VERIFIER.verify_status(rest).map(|list| list.into_inner()));
    }
    let payload = if mode % 3 == 1 { rest.to_vec() } else { payload(1 << (mode / 3 % 4), rest) };
    let document = sign_for(b"", PROTECTED, &payload);
    let outcome = VERIFIER.verify_status(&document).map(|list| list.into_inner());
    let expected = if document.len() <= MAX_STATUS_TOKEN { read(&payload) } else { None };
    assert_eq!(outcome.is_ok(), expected.is_some(), "{outcome:?}");
    if let (Ok(list), Some((bits, statuses))) = (&outcome, expected) {
        assert_eq!(list.len(), statuses.len() * 8 / bits);
        for at in (0..list.len()).take(4096).chain([list.len()]) {
            let status = list.status(u32::try_from(at).expect("a place"));
            let expected =
                statuses.get(at * bits / 8).map(|byte| byte >> (at * bits % 8) & (0xff >> (8 - bits)));
            assert_eq!(status.map(|status| status.number()), expected, "at {at}");
        }
    }
    verdict(outcome)
}

fn verdict(outcome: Result<StatusList, VerifyError>) -> Verdict {
    match outcome {
        Ok(_) => Verdict::Grant,
        Err(VerifyError::Claims { .. }) => Verdict::Claims,
        Err(_) => Verdict::Token,
    }
}

fn payload(bits: i64, statuses: &[u8]) -> Vec<u8> {
    let mut pack = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut pack, statuses).expect("memory");
    let (int, text) = (|n: i64| Value::Integer(n.into()), |s: &str| Value::Text(s.into()));
    let list = vec![(text("lst"), Value::Bytes(pack.finish().expect("memory"))), (text("bits"), int(bits))];
    let claims = vec![(int(2), text("list")), (int(6), int(1_780_000_000)), (int(65533), Value::Map(list))];
    Value::Map(claims).to_vec().expect("a value")
}

/// The claims as `docs/entitlement.md` has them: the width and the statuses.
fn read(payload: &[u8]) -> Option<(usize, Vec<u8>)> {
    let value = Value::from_slice(payload).ok()?;
    if value.clone().to_vec().ok()? != payload {
        return None;
    }
    let [sub, exp, iat, list, ttl, reasons] =
        crate::token_verify::entries(value, [2, 4, 6, 65533, 65534, -65537])?;
    let uri = sub?.into_text().ok()?;
    let printable = (1..=128).contains(&uri.len()) && uri.bytes().all(|byte| byte.is_ascii_graphic());
    let iat = integer(iat?).filter(|n| (0..=LAST).contains(n))?;
    let optional = |value: Option<Value>, first: i128| match value {
        None => Some(()),
        Some(value) => integer(value).filter(|n| (first..=LAST).contains(n)).map(drop),
    };
    optional(exp, iat + 1)?;
    optional(ttl, 1)?;
    if let Some(reasons) = reasons {
        let reasons = reasons.into_map().ok().filter(|map| (1..=8192).contains(&map.len()))?;
        let mut last = -1;
        for (place, because) in reasons {
            let place = integer(place).filter(|place| (last + 1..1 << 32).contains(place))?;
            last = place;
            integer(because).filter(|because| (1..=7).contains(because))?;
        }
    }
    let mut list = list?.into_map().ok().filter(|map| map.len() == 2)?;
    list.sort_by_key(|(key, _)| key.as_text().unwrap_or_default().len());
    let [(lst, packed), (bits_key, bits)] = <[_; 2]>::try_from(list).ok()?;
    let named = lst.as_text()? == "lst" && bits_key.as_text()? == "bits";
    let bits = integer(bits).filter(|bits| [1, 2, 4, 8].contains(bits))?;
    let packed = packed.into_bytes().ok()?;
    let mut unpack = ZlibDecoder::new(&packed[..]);
    let mut statuses = Vec::new();
    let limit = u64::try_from(MAX_STATUSES + 1).expect("small");
    unpack.by_ref().take(limit).read_to_end(&mut statuses).ok()?;
    let whole = usize::try_from(unpack.total_in()).expect("small") == packed.len();
    let fits = (1..=MAX_STATUSES).contains(&statuses.len());
    (printable && named && whole && fits).then_some((usize::try_from(bits).expect("small"), statuses))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides() {
        assert_eq!(judge(b"\x02\x01\x02"), Verdict::Grant);
        assert_eq!(judge(b"\x02"), Verdict::Claims);
        let mut signed = vec![1];
        signed.extend(payload(4, b"some"));
        assert_eq!(judge(&signed), Verdict::Grant);
        *signed.last_mut().expect("a byte") ^= 3;
        assert_eq!(judge(&signed), Verdict::Claims);
        assert_eq!(judge(&[]), Verdict::Token);
    }
}
