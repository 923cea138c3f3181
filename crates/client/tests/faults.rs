//! Clients with queues and a gateway in bad weather, killed again and again: nothing acknowledged is lost or doubled, subscriptions end up
//! with what is so, no request hangs, memory stays bounded. Each run is a seed; a failure says how to see it again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]
#![allow(clippy::cast_possible_truncation, clippy::rc_buffer)]

mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use world::World;

/// What happened in many runs.
#[derive(Debug, Default)]
struct Happened {
    runs: u64,
    notes: u64,
    moved: usize,
    in_doubt: usize,
    gateways_killed: u64,
    clients_killed: u64,
    cuts: u64,
    silences: u64,
    connections: u64,
    broken: u64,
    most_bytes: usize,
}

fn one(seed: u64, broken: bool) -> Result<World, String> {
    let mut world = World::new(seed, 1 + (seed % 3) as usize);
    if broken {
        let mut weather = coachwork_conformance::wire::network::Weather::fine();
        weather.delay = (Duration::from_millis(1), Duration::from_millis(100));
        weather.broken = 30;
        world.network.set_weather(weather);
    }
    for _ in 0..60 {
        world.step();
    }
    world.heal();
    if broken {
        // What was swapped on its last way stays so until there is another link.
        world.network.cut();
        world.pass(Duration::from_secs(30));
    }
    let wrong = world.judge();
    if wrong.is_empty() { Ok(world) } else { Err(wrong.join("\n  ")) }
}

/// Runs seeds on two threads.
fn runs(first: u64, count: u64, broken: bool) {
    if let Some(seed) = std::env::var("COACHWORK_SEED").ok().and_then(|seed| seed.parse().ok()) {
        let outcome = one(seed, broken).map(drop);
        assert!(outcome.is_ok(), "seed {seed}:\n  {}", outcome.unwrap_err());
        return;
    }
    let (next, happened, failed) =
        (AtomicU64::new(first), Mutex::new(Happened::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || failed.lock().unwrap().len() >= 3 {
                        return;
                    }
                    match one(seed, broken) {
                        Err(wrong) => failed.lock().unwrap().push(format!("seed {seed}:\n  {wrong}")),
                        Ok(world) => {
                            let mut happened = happened.lock().unwrap();
                            let counts = world.network.counts();
                            happened.runs += 1;
                            happened.notes += world.notes() as u64;
                            let (moved, in_doubt) = world.moved();
                            (happened.moved, happened.in_doubt) =
                                (happened.moved + moved, happened.in_doubt + in_doubt);
                            happened.gateways_killed += u64::from(world.gateways_killed);
                            happened.clients_killed += u64::from(world.clients_killed);
                            happened.cuts += counts.cuts;
                            happened.silences += counts.silences;
                            happened.connections += counts.connections;
                            happened.broken += counts.broken;
                            happened.most_bytes = happened.most_bytes.max(world.network.most_bytes());
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{}\nto see one again: COACHWORK_SEED=<seed> cargo test -p coachwork-client --test faults -- --exact <this test>",
        failed.join("\n")
    );
    println!("{:?}", happened.into_inner().unwrap());
}

#[test]
fn two_thousand_runs_in_bad_weather() {
    runs(0, 2_000, false);
}

#[test]
fn three_hundred_runs_over_what_no_transport_does() {
    runs(1_000_000, 300, true);
}

#[test]
#[ignore = "takes minutes: for before a release"]
fn a_hundred_thousand_runs_in_bad_weather() {
    runs(10_000_000, 100_000, false);
}

#[test]
fn a_run_is_the_same_each_time() {
    let show = |seed| {
        one(seed, false).map(|world| (world.network.counts(), world.notes(), world.network.most_bytes()))
    };
    for seed in 0..5 {
        assert_eq!(show(seed), show(seed));
    }
}
