//! Keys that must not be trusted, and Wycheproof's signatures.

use super::*;

/// The 19 numbers from `2^255 - 19` on encode again what those from 0 on encode.
#[test]
fn a_second_encoding_of_a_key_is_refused() {
    let mut curve_points = 0;
    for small in 0..19u8 {
        for sign in [0, 0x80] {
            let mut second = [0xff; 32];
            second[0] = 0xed + small;
            second[31] = 0x7f | sign;
            curve_points += u32::from(VerifyingKey::from_bytes(&second).is_ok());
            assert_eq!(PublicKey::from_bytes(&second), Err(KeyError::Invalid), "{small}");
        }
    }
    // Those for which dalek's own decoding would have been no obstacle.
    assert_eq!(curve_points, 24);
}

/// The eight points of small order, and the other ways to write them: y is 0, 1, -1, or one of the two of order eight.
#[test]
fn no_key_of_small_order_is_trusted() {
    let eighth = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
    let number = |first: u8, rest: u8, last: u8| {
        let mut bytes = [rest; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    // p - y: what is subtracted from 2^255 - 19 borrows nowhere here.
    let mut other_eighth = number(0xed, 0xff, 0x7f);
    for (byte, less) in other_eighth.iter_mut().zip(eighth) {
        *byte -= less;
    }
    let (zero, one) = (number(0, 0, 0), number(1, 0, 0));
    let (minus_one, p, p_and_one) =
        (number(0xec, 0xff, 0x7f), number(0xed, 0xff, 0x7f), number(0xee, 0xff, 0x7f));
    let mut weak = 0;
    for y in [zero, one, minus_one, p, p_and_one, eighth, other_eighth] {
        for sign in [0, 0x80] {
            let mut bytes = y;
            bytes[31] |= sign;
            let refused = PublicKey::from_bytes(&bytes).unwrap_err();
            weak += u32::from(refused == KeyError::Weak);
            // With such a key, a signature of zeros would hold for about every eighth message, or for all.
            if let Ok(key) = VerifyingKey::from_bytes(&bytes) {
                assert!(!PublicKey(key).verifies(b"any", &[0; 64]));
            }
        }
    }
    // The rest are no canonical encodings of a point.
    assert_eq!(weak, 8);
}

#[test]
fn wycheproof_every_signature_is_judged_as_it_says() {
    use wycheproof::TestResult;
    use wycheproof::eddsa::{TestName, TestSet};

    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut held, mut refused) = (0, 0);
    for group in &set.test_groups {
        let key = PublicKey::from_bytes(&group.key.pk[..].try_into().unwrap()).unwrap();
        for case in &group.tests {
            // A signature of another length has no place in a token: `token.rs` refuses it by its shape.
            let signature = <[u8; 64]>::try_from(&case.sig[..]);
            let holds = signature.is_ok_and(|signature| key.verifies(&case.msg, &signature));
            let expected = match case.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("{}: strictness has no third answer", case.tc_id),
            };
            assert_eq!(holds, expected, "{} {:?}: {}", case.tc_id, case.flags, case.comment);
            *if holds { &mut held } else { &mut refused } += 1;
        }
    }
    assert_eq!(held + refused, set.number_of_tests);
    assert!(held > 80 && refused > 60, "{held} {refused}");
}
