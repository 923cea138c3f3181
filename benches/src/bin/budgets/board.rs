//! A board whose publisher never rests, beside tokio's broadcast channel: deliveries on two threads, what a `get` takes meanwhile, and what a
//! publish costs where others subscribe to other signals.
//!
//! *Invariant:* what must be lossless is counted to be; figures on two threads are the best of several short runs, because the machine is never quiet.
//! *Next:* `../../fanout.rs` (which does the work).

use std::time::Duration;

use coachwork_benches::clock::time;
use coachwork_benches::fanout::{
    BOUND, Flood, WANTED, batches, board, broadcast_flood, broadcast_in_turn, flood, get_under_flood, in_turn,
};
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::rounds::{Paired, paired};
use coachwork_vehicle::{Overflow, Subscribe};
use tokio::sync::broadcast;

use crate::Run;

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let mut lines = Vec::new();
    for (batch, least) in [(1, 1.5), (32, 15.0)] {
        for readers in [8, 100] {
            lines.push(lossless(run, readers, batch, least));
        }
    }
    for (word, overflow) in [("latest", Overflow::Latest), ("queue", Overflow::Queue(BOUND))] {
        for batch in [1, 32] {
            for readers in [8, 100] {
                lines.push(fair(run, word, overflow, readers, batch));
            }
        }
    }
    for (readers, of, budget) in [(0, 1, 1000.0), (8, 1, 1000.0), (100, 1, 1000.0), (8, 64, 10_000.0)] {
        let took = get_under_flood(readers, 32, run.frames / 5, of);
        let p99 = took[took.len() * 99 / 100] as f64;
        let name = format!("get of {of} under a flood to {readers}, p99 ns");
        lines.push(Line::alone(name, p99, Budget::Figure(budget)));
    }
    lines.push(others(run));
    for readers in [1, 8, 100] {
        for batch in [1, 32] {
            lines.push(one_thread(run, readers, batch));
        }
    }
    lines
}

/// Nanoseconds per delivery, all of them counted.
fn lossless(run: &Run, readers: usize, batch: usize, least: f64) -> Line {
    let updates = updates(run, readers, batch);
    let whole = |flood: &Flood| {
        assert_eq!(flood.delivered, updates / batch as u64 * (batch * readers) as u64, "{flood:?}");
        assert_eq!(flood.lagged, 0);
        1e3 / flood.millions()
    };
    let (mut ours, mut rival) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..run.rounds {
        ours = ours.min(whole(&flood(readers, batch, Overflow::Block(BOUND), updates, Duration::ZERO)));
        rival = rival.min(whole(&broadcast_flood(readers, batch, updates)));
    }
    let name = format!("block, {readers} readers, batches of {batch} / tokio broadcast");
    Line::new(name, Paired { ours, rival, ratio: ours / rival }, Budget::Figure(1e3 / least))
}

/// How often the reader that got least got its share of what the board delivered, while the publisher ran: at least a tenth of the mean.
fn fair(run: &Run, word: &str, overflow: Overflow, readers: usize, batch: usize) -> Line {
    let updates = updates(run, readers, batch);
    let mut best = (f64::INFINITY, 0.0);
    for _ in 0..run.rounds.min(3) {
        let flood = flood(readers, batch, overflow, updates, Duration::from_millis(200));
        if overflow != Overflow::Latest {
            assert_eq!(flood.delivered + flood.lagged, flood.published * readers as u64, "{flood:?}");
        }
        let share = flood.delivered as f64 / readers as f64 / flood.least as f64;
        if share < best.0 {
            best = (share, flood.millions());
        }
    }
    let name = format!("{word}, {readers} readers of {batch}, {:.1} M/s: mean / least", best.1);
    Line::alone(name, best.0, Budget::Figure(10.0))
}

fn updates(run: &Run, readers: usize, batch: usize) -> u64 {
    let deliveries = run.frames * if batch == 1 { 1 } else { 5 };
    (deliveries / readers / batch).max(64) as u64 * batch as u64
}

/// A publish with 10,000 subscriptions to other signals, beside one without.
fn others(run: &Run) -> Line {
    let (alone, ids) = board();
    let (crowded, same) = board();
    let elsewhere = crowded.catalogue().ids().skip(WANTED).collect::<Vec<_>>();
    let _crowd: Vec<_> = (0..10_000)
        .map(|n| crowded.subscribe(Subscribe::to([elsewhere[n % elsewhere.len()]])).expect("a subscription"))
        .collect();
    let publish = |board: &coachwork_vehicle::Board, ids: &[_]| {
        let batches = batches(ids, 1);
        let rounds = run.frames / 10;
        time(|| {
            for points in batches.iter().cycle().take(rounds) {
                board.publish(points).expect("it is published");
            }
        }) / rounds as f64
    };
    let measured = paired(run.rounds, || publish(&crowded, &same), || publish(&alone, &ids));
    Line::new("publish, 10,000 readers of others / none, ns", measured, Budget::Ratio(1.1))
}

/// Processor time per delivery where one thread publishes and reads in turn.
fn one_thread(run: &Run, readers: usize, batch: usize) -> Line {
    let (board, ids) = board();
    let batches = batches(&ids, batch);
    let wish = || Subscribe::to(ids.iter().copied()).queue(BOUND);
    let mut watches: Vec<_> =
        (0..readers).map(|_| board.subscribe(wish()).expect("a subscription")).collect();
    let (sender, first) = broadcast::channel(BOUND);
    let mut receivers: Vec<_> = (1..readers).map(|_| sender.subscribe()).collect();
    receivers.push(first);
    let rounds = (run.frames / readers / batch).max(10);
    let all = (rounds * readers * batch) as u64;
    let ours = || time(|| assert_eq!(in_turn(&board, &batches, &mut watches, rounds), all)) / all as f64;
    let theirs = || {
        time(|| assert_eq!(broadcast_in_turn(&sender, &batches, &mut receivers, rounds), all)) / all as f64
    };
    let measured = paired(run.rounds.min(5), ours, theirs);
    let name = format!("one thread, {readers} readers, batches of {batch} / tokio broadcast");
    Line::new(name, measured, Budget::Ratio(1.0))
}
