//! A board agrees with its model, whatever happens.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use coachwork_conformance::model;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_board_agrees_with_its_model(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Err(failure) = model::run(&bytes) {
            return Err(TestCaseError::fail(failure.to_string()));
        }
    }
}

/// `cargo test --release -p coachwork-conformance --test model -- --ignored --nocapture`
#[test]
#[ignore = "it takes minutes"]
fn a_million_sequences_agree_with_the_model() {
    let (mut sequences, mut actions) = (0_u64, 0_usize);
    let mut runner =
        TestRunner::new(Config { cases: 1_000_000, failure_persistence: None, ..Config::default() });
    let counted = std::cell::RefCell::new((&mut sequences, &mut actions));
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    runner
        .run(&bytes, |bytes| match model::run(&bytes) {
            Ok(done) => {
                let mut counted = counted.borrow_mut();
                *counted.0 += 1;
                *counted.1 += done;
                Ok(())
            }
            Err(failure) => Err(TestCaseError::fail(failure.to_string())),
        })
        .unwrap_or_else(|why| panic!("{why}"));
    println!("{sequences} sequences of {actions} actions agree");
}
