//! A board agrees with its model, whatever happens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use coachwork_conformance::model;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_board_agrees_with_its_model(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Err(failure) = model::run(&bytes) {
            return Err(TestCaseError::fail(failure.to_string()));
        }
    }
}
