//! Lists, read at every width, and what is no list.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::cbor::{write_bytes, write_head, write_text};
use crate::test_grants::grant;

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut pack = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    pack.write_all(bytes).unwrap();
    pack.finish().unwrap()
}

/// A payload with these parts, as its issuer may have got them wrong.
fn payload(bits: u64, packed: &[u8], ttl: Option<u64>, reasons: &[(u64, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    let optional = u64::from(ttl.is_some()) + u64::from(!reasons.is_empty());
    write_head(&mut out, Major::Map, 3 + optional);
    write_head(&mut out, Major::Unsigned, 2);
    write_text(&mut out, "https://example.com/1");
    write_head(&mut out, Major::Unsigned, 6);
    write_head(&mut out, Major::Unsigned, 1_000_000);
    write_head(&mut out, Major::Unsigned, 65533);
    write_head(&mut out, Major::Map, 2);
    write_text(&mut out, "lst");
    write_bytes(&mut out, packed);
    write_text(&mut out, "bits");
    write_head(&mut out, Major::Unsigned, bits);
    if let Some(ttl) = ttl {
        write_head(&mut out, Major::Unsigned, 65534);
        write_head(&mut out, Major::Unsigned, ttl);
    }
    if !reasons.is_empty() {
        write_head(&mut out, Major::Negative, 65536);
        write_head(&mut out, Major::Map, reasons.len() as u64);
        for (index, because) in reasons {
            write_head(&mut out, Major::Unsigned, *index);
            write_head(&mut out, Major::Unsigned, *because);
        }
    }
    out
}

proptest! {
    /// Statuses stand from the lowest bits up, as the draft's §4.1 has it.
    #[test]
    fn every_width_is_read(width in 0u32..4, bytes in prop::collection::vec(any::<u8>(), 1..50)) {
        let bits = 1usize << width;
        let list = decode(&payload(bits as u64, &pack(&bytes), None, &[])).unwrap();
        prop_assert_eq!(list.len(), bytes.len() * 8 / bits);
        for index in 0..list.len() {
            let number = (0..bits).map(|bit| {
                let at = index * bits + bit;
                (bytes[at / 8] >> (at % 8) & 1) << bit
            }).sum::<u8>();
            prop_assert_eq!(list.status(u32::try_from(index).unwrap()), Some(Status::from_number(number)));
        }
        prop_assert_eq!(list.status(u32::try_from(list.len()).unwrap()), None);
        prop_assert_eq!(list.status(u32::MAX), None);
    }

    #[test]
    fn numbers_and_statuses_are_inverse(number: u8) {
        prop_assert_eq!(Status::from_number(number).number(), number);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = decode(&bytes);
        let _ = decode(&payload(1, &bytes, None, &[]));
    }
}

#[test]
fn a_list_is_fresh_until_its_expiry_or_time_to_live() {
    let fresh = |ttl| decode(&payload(1, &pack(&[0]), ttl, &[])).unwrap().fresh_until().seconds();
    assert_eq!(fresh(None), 1_086_400);
    assert_eq!(fresh(Some(50)), 1_000_050);
    assert_eq!(fresh(Some(crate::MAX_SECONDS)), i64::MAX / 1_000_000_000);
}

#[test]
fn a_standing_is_only_the_grants_own() {
    let list = decode(&payload(4, &pack(&[0x10]), Some(60), &[(1, 1)])).unwrap();
    let mut grant = grant("g", &["x"], 0, None, 0).into_inner();
    assert_eq!(list.standing(&grant), None);
    for (uri, index, standing) in [
        ("https://example.com/1", 0, Some((Status::Valid, None))),
        ("https://example.com/1", 1, Some((Status::Invalid, Some(Because::Refund)))),
        ("https://example.com/1", 2, None),
        ("https://example.com/2", 1, None),
    ] {
        grant.status = Some(StatusRef::new(uri, index).unwrap());
        let found = list.standing(&grant);
        assert_eq!(found.map(|standing| (standing.status, standing.because)), standing, "{uri} {index}");
    }
}

#[test]
fn what_is_too_large_or_torn_is_refused() {
    let refused = |packed: &[u8]| assert!(decode(&payload(1, packed, None, &[])).is_err());
    // A bomb: 8 MiB in 8 KiB.
    let bomb = pack(&vec![0; 8 << 20]);
    assert!(bomb.len() < 10_000);
    refused(&bomb);
    refused(&pack(&vec![0; MAX_STATUSES + 1]));
    assert!(decode(&payload(1, &pack(&vec![0; MAX_STATUSES]), None, &[])).is_ok());
    let good = pack(&[1, 2, 3]);
    for end in 0..good.len() {
        refused(&good[..end]);
    }
    refused(&[&good[..], &[0]].concat());
    let mut wrong = good.clone();
    *wrong.last_mut().unwrap() ^= 1;
    refused(&wrong);
    refused(&pack(&[]));
    for bits in [0, 3, 5, 6, 7, 9, 16, u64::MAX] {
        assert!(decode(&payload(bits, &good, None, &[])).is_err());
    }
    assert!(decode(&payload(1, &good, Some(0), &[])).is_err());
    for reasons in [&[(1, 0)][..], &[(1, 8)], &[(2, 1), (1, 1)], &[(1, 1), (1, 1)], &[(1 << 32, 1)]] {
        assert!(decode(&payload(1, &good, None, reasons)).is_err(), "{reasons:?}");
    }
    assert!(decode(&payload(1, &good, None, &[(1, 1), (2, 7)])).is_ok());
}

/// The claims and the list in every other order, twice, without one, and with one more.
#[test]
fn duplicated_reordered_missing_and_unknown_claims_are_refused() {
    let good = payload(1, &pack(&[1]), Some(60), &[(1, 1)]);
    assert!(decode(&good).is_ok());
    let entries = entries(&good);
    assert_eq!(entries.len(), 5);
    let refused = |entries: &[&[u8]], what: &str| {
        let head = 0xa0 + u8::try_from(entries.len()).unwrap();
        let payload = [&[head][..], &entries.concat()].concat();
        assert!(decode(&payload).is_err(), "{what}");
    };
    for at in 0..entries.len() {
        let (mut twice, mut missing) = (entries.clone(), entries.clone());
        twice.insert(at, entries[at]);
        refused(&twice, "twice");
        missing.remove(at);
        // The time to live and the reasons may be left out.
        if at < 3 {
            refused(&missing, "missing");
        }
        for other in at + 1..entries.len() {
            let mut swapped = entries.clone();
            swapped.swap(at, other);
            refused(&swapped, "swapped");
        }
    }
    for at in 0..=entries.len() {
        let mut more = entries.clone();
        // "iss", which CWT has and the profile does not.
        more.insert(at, b"\x01\x61a");
        refused(&more, "one more");
    }
}

/// The entries of a map with fewer than 24.
fn entries(map: &[u8]) -> Vec<&[u8]> {
    let mut decoder = minicbor::Decoder::new(map);
    let count = decoder.map().unwrap().unwrap();
    let mut found = Vec::new();
    for _ in 0..count {
        let from = decoder.position();
        decoder.skip().unwrap();
        decoder.skip().unwrap();
        found.push(&map[from..decoder.position()]);
    }
    found
}
