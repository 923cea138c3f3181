//! Clocks that are wrong in every direction.

use proptest::prelude::*;

use super::*;

const YEAR: i64 = 365 * 86_400;
const NOW: i64 = 1_780_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn mono(seconds: u64) -> Monotonic {
    Monotonic::from_nanoseconds(seconds * 1_000_000_000)
}

/// A keeper that knew `NOW` from this source, and was then switched off.
fn after(source: Trust) -> Timekeeper {
    let mut keeper = Timekeeper::resume(SavedTime::first(at(NOW - YEAR)), mono(0));
    assert_eq!(keeper.tell(at(NOW), source, mono(0)), Reading::Taken);
    Timekeeper::resume(keeper.save(mono(0)), mono(0))
}

#[test]
fn without_a_source_time_goes_on_from_what_was_known() {
    let keeper = after(Trust::Network);
    let later = keeper.now(mono(60));
    assert_eq!((later.at, later.trust), (at(NOW + 60), Trust::Unknown));
    assert_eq!(keeper.lost_at(mono(60)), Some(at(NOW).saturating_add(TIME_PATIENCE)));
    // The patience does not start again with the engine.
    let again = Timekeeper::resume(keeper.save(mono(3600)), mono(0));
    assert_eq!(again.lost_at(mono(0)), Some(at(NOW).saturating_add(TIME_PATIENCE)));
}

#[test]
fn a_dead_rtc_is_noticed_and_ignored() {
    let mut keeper = after(Trust::Secure);
    for dead in [0, 1_577_836_800, NOW - 400] {
        assert!(matches!(keeper.tell(at(dead), Trust::Rtc, mono(1)), Reading::RolledBack { .. }));
    }
    assert!(matches!(keeper.tell(at(4_133_980_800), Trust::Rtc, mono(1)), Reading::Implausible { .. }));
    assert!(matches!(
        keeper.tell(Timestamp::from_nanoseconds(i64::MAX), Trust::Rtc, mono(1)),
        Reading::Implausible { .. }
    ));
    assert_eq!(keeper.now(mono(2)), TrustedTime { at: at(NOW + 2), trust: Trust::Unknown });
    assert_eq!(keeper.tell(at(NOW + YEAR), Trust::Rtc, mono(2)), Reading::Taken);
}

#[test]
fn a_rollback_gains_nothing_for_ever() {
    let mut keeper = after(Trust::Network);
    // To below the floor: ignored. To between: unknown, and repeating it does not make it known.
    assert!(matches!(keeper.tell(at(NOW - 2 * YEAR), Trust::Network, mono(0)), Reading::RolledBack { .. }));
    assert!(matches!(keeper.tell(at(NOW - 86_400), Trust::Network, mono(0)), Reading::Disputed { .. }));
    for hour in 1..100 {
        let told = at(NOW - 86_400 + i64::try_from(hour).unwrap() * 3600);
        let reading = keeper.tell(told.min(at(NOW - 3600)), Trust::Network, mono(hour * 3600));
        assert!(matches!(reading, Reading::Disputed { .. }), "{hour}: {reading}");
        assert_eq!(keeper.now(mono(hour * 3600)).trust, Trust::Unknown);
    }
    // However often it is repeated, the patience is used up.
    let end = mono(100 * 3600);
    assert!(keeper.lost_at(end).unwrap() <= keeper.now(end).at);
    // A better source ends it, forwards or back.
    assert!(matches!(keeper.tell(at(NOW - 60), Trust::Secure, mono(360_000)), Reading::Corrected { .. }));
    assert_eq!(keeper.now(mono(360_000)).trust, Trust::Secure);
    assert!(matches!(keeper.tell(at(NOW - 600), Trust::Secure, mono(360_000)), Reading::RolledBack { .. }));
}

#[test]
fn a_network_that_was_wrong_is_put_right() {
    let mut keeper = after(Trust::Network);
    assert_eq!(keeper.tell(at(4_133_980_800), Trust::Network, mono(1)), Reading::Taken);
    assert!(matches!(keeper.tell(at(NOW + 5), Trust::Network, mono(2)), Reading::Disputed { .. }));
    // Nothing is cut for what nobody knows: the earlier time holds, for a while.
    assert_eq!(keeper.now(mono(2)), TrustedTime { at: at(NOW + 5), trust: Trust::Unknown });
    assert!(matches!(keeper.tell(at(NOW + 6), Trust::Secure, mono(3)), Reading::Corrected { .. }));
    assert_eq!(keeper.now(mono(3)).at, at(NOW + 6));
}

#[test]
fn what_was_signed_proves_the_time() {
    let mut keeper = after(Trust::Rtc);
    keeper.prove(at(NOW + 1000), mono(0));
    assert_eq!(keeper.now(mono(0)).at, at(NOW + 1000));
    assert!(matches!(keeper.tell(at(NOW), Trust::Network, mono(0)), Reading::RolledBack { .. }));
    assert_eq!(keeper.tell(at(NOW + 900), Trust::Network, mono(0)), Reading::Taken);
    assert_eq!(keeper.now(mono(0)).at, at(NOW + 1000));
    keeper.prove(at(NOW), mono(0));
    assert_eq!(keeper.floor(mono(0)), at(NOW + 1000));
}

#[test]
fn small_differences_are_no_rollback() {
    let mut keeper = after(Trust::Secure);
    assert_eq!(keeper.tell(at(NOW - 299), Trust::Network, mono(0)), Reading::Taken);
    assert_eq!(keeper.now(mono(0)).at, at(NOW));
}

proptest! {
    /// Whatever is told: the floor never falls, the time is never below it, and running time is never lost.
    #[test]
    fn the_floor_only_rises(
        readings in prop::collection::vec((any::<i64>(), 0i64..4 * NOW, 0u8..6, 0u64..1_000_000), 0..40),
    ) {
        let mut keeper = Timekeeper::resume(SavedTime::first(at(NOW)), mono(0));
        let (mut time, mut floor) = (0u64, at(NOW));
        for (wild, tame, kind, elapsed) in readings {
            time += elapsed;
            let told = if kind == 5 { Timestamp::from_nanoseconds(wild) } else { at(tame) };
            match kind {
                0 => { keeper.tell(told, Trust::Rtc, mono(time)); }
                2 => { keeper.tell(told, Trust::Secure, mono(time)); }
                3 => keeper.prove(told, mono(time)),
                4 => keeper = Timekeeper::resume(keeper.save(mono(time)), mono(time)),
                _ => { keeper.tell(told, Trust::Network, mono(time)); }
            }
            let least = floor.saturating_add(Duration::from_secs(elapsed));
            floor = keeper.floor(mono(time));
            prop_assert!(floor >= least);
            prop_assert!(keeper.now(mono(time)).at >= floor);
            prop_assert_eq!(keeper.lost_at(mono(time)).is_some(), keeper.now(mono(time)).trust == Trust::Unknown);
        }
    }
}
