//! A board and its readers, and tokio's broadcast channel doing the same: how many datapoints arrive, and what a reader waits meanwhile.
//!
//! *Invariant:* whoever measures counts what arrived; both sides carry the same datapoints to as many readers, and lose none where they must not.
//! *Next:* `bin/budgets/board.rs` (two threads), `../benches/board.rs` (criterion, one thread).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use coachwork_vehicle::{
    Board, Catalogue, Clock, DataType, Datapoint, Entry, Event, Facts, Get, Monotonic, Overflow, Reason,
    ReasonKind, SignalId, Sleep, Subscribe, Subscription, Timestamp,
};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::join_all;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// A datapoint on its way.
pub type Point = (SignalId, Datapoint);

/// How many signals a reader wants, of those that the catalogue has.
pub const WANTED: usize = 64;

/// How many signals the catalogue has: as many as VSS 6.0.
pub const SIGNALS: usize = 1267;

/// How many updates a queue holds.
pub const BOUND: usize = 1024;

/// The processor's time since the clock was made. Nothing here sleeps.
#[derive(Clone, Copy, Debug)]
pub struct RunningClock(Instant);

impl Default for RunningClock {
    #[expect(clippy::disallowed_methods, reason = "it is a clock")]
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RunningClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000).saturating_add(self.0.elapsed())
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_nanoseconds(self.0.elapsed().as_nanos() as u64)
    }

    fn sleep_until(&self, _: Monotonic) -> Sleep {
        Sleep::new(std::future::pending())
    }
}

/// A board with [`SIGNALS`] signals, and the ids of those that readers want.
pub fn board() -> (Board, Vec<SignalId>) {
    let entries =
        (0..SIGNALS).map(|n| Entry::sensor(&format!("Vehicle.Branch{}.Signal{n}", n % 40), DataType::FLOAT));
    let mut facts = Facts::default();
    facts.back_pressure = true;
    let catalogue = Catalogue::new(entries, facts).expect("a catalogue");
    let ids = catalogue.ids().take(WANTED).collect();
    (Board::new(catalogue, Arc::new(RunningClock::default())), ids)
}

/// Batches that take turns over the wanted signals, each with another value than before.
pub fn batches(ids: &[SignalId], batch: usize) -> Vec<Vec<Point>> {
    let now = Timestamp::from_seconds(1_700_000_000);
    let turns = 4 * WANTED / batch;
    let point = |n: usize| (ids[n % ids.len()], Datapoint::valid(n as f32, now));
    (0..turns).map(|turn| (turn * batch..(turn + 1) * batch).map(point).collect()).collect()
}

/// What came of a flood.
#[derive(Clone, Debug, Default)]
pub struct Flood {
    /// Datapoints that all readers got together.
    pub delivered: u64,
    /// Datapoints that were counted as lost.
    pub lagged: u64,
    /// What the reader that got least had got when the publisher stopped.
    pub least: u64,
    /// How many datapoints were published.
    pub published: u64,
    /// From the first publish to the last reader's end.
    pub took: Duration,
}

impl Flood {
    /// Deliveries per second, in millions.
    pub fn millions(&self) -> f64 {
        self.delivered as f64 / self.took.as_secs_f64() / 1e6
    }
}

/// What a reader got: datapoints, datapoints lost, and datapoints while the publisher ran.
type Got = (u64, u64, u64);

async fn read(mut watch: Subscription, over: &AtomicBool) -> Got {
    let (mut got, mut lost, mut during) = (0, 0, 0);
    while let Some(event) = watch.next().await {
        match event {
            Event::Changed(points) => {
                got += points.iter().filter(|(_, point)| point.is_valid()).count() as u64;
            }
            Event::Lagged(n) => lost += n,
            Event::Ended(_) => break,
            _ => {}
        }
        if !over.load(Ordering::Relaxed) {
            during = got;
        }
    }
    (got, lost, during)
}

/// Publishes flat out on one thread to readers on another, each with a task of its own: so many updates, and on until so much time has passed.
pub fn flood(readers: usize, batch: usize, overflow: Overflow, updates: u64, time: Duration) -> Flood {
    let (board, ids) = board();
    let batches = batches(&ids, batch);
    let subscriptions: Vec<_> = (0..readers)
        .map(|_| {
            let mut wish = Subscribe::to(ids.iter().copied());
            wish.overflow = overflow;
            board.subscribe(wish).expect("a subscription")
        })
        .collect();
    let over = AtomicBool::new(false);
    two_threads(
        (updates, time),
        batch,
        &over,
        || block_on(join_all(subscriptions.into_iter().map(|watch| read(watch, &over)))),
        |n| {
            let points = &batches[n as usize % batches.len()];
            if matches!(overflow, Overflow::Block(_)) {
                match board.feed(points).now_or_never() {
                    Some(fed) => fed.expect("it is fed"),
                    None => block_on(board.feed(points)).expect("it is fed"),
                }
            } else {
                board.publish(points).expect("it is published");
            }
        },
        || board.end(&Reason::new(ReasonKind::Ended)),
    )
}

/// The same by tokio's broadcast channel, whose sender waits where a reader would lose something.
pub fn broadcast_flood(readers: usize, batch: usize, updates: u64) -> Flood {
    let (_, ids) = board();
    let batches = batches(&ids, batch);
    let (sender, first) = broadcast::channel::<Point>(BOUND);
    let mut receivers: Vec<_> = (1..readers).map(|_| sender.subscribe()).collect();
    receivers.push(first);
    let over = AtomicBool::new(false);
    let read = async |mut receiver: broadcast::Receiver<Point>| {
        let (mut got, mut lost) = (0, 0);
        loop {
            match receiver.recv().await {
                Ok((_, point)) => got += u64::from(point.is_valid()),
                Err(RecvError::Lagged(n)) => lost += n,
                Err(RecvError::Closed) => return (got, lost, 0),
            }
        }
    };
    let sender = std::cell::RefCell::new(Some(sender));
    two_threads(
        (updates, Duration::ZERO),
        batch,
        &over,
        || block_on(join_all(receivers.into_iter().map(read))),
        |n| {
            let sender = sender.borrow();
            let Some(sender) = sender.as_ref() else { return };
            while sender.len() + batch > BOUND {
                std::thread::yield_now();
            }
            for point in &batches[n as usize % batches.len()] {
                sender.send(point.clone()).expect("there are readers");
            }
        },
        || drop(sender.borrow_mut().take()),
    )
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn two_threads(
    (updates, time): (u64, Duration),
    batch: usize,
    over: &AtomicBool,
    read: impl FnOnce() -> Vec<Got> + Send,
    publish: impl Fn(u64),
    end: impl FnOnce(),
) -> Flood {
    std::thread::scope(|scope| {
        let reader = scope.spawn(read);
        let began = Instant::now();
        let mut rounds = 0;
        let least = updates / batch as u64;
        while rounds < least || began.elapsed() < time {
            for _ in 0..16.min(least.saturating_sub(rounds)).max(1) {
                publish(rounds);
                rounds += 1;
            }
        }
        over.store(true, Ordering::Relaxed);
        end();
        let got = reader.join().expect("the readers end");
        let took = began.elapsed();
        Flood {
            delivered: got.iter().map(|got| got.0).sum(),
            lagged: got.iter().map(|got| got.1).sum(),
            least: got.iter().map(|got| got.2).min().unwrap_or(0),
            published: rounds * batch as u64,
            took,
        }
    })
}

/// What `get` of one signal takes while another thread publishes flat out to `readers` readers that nobody polls: sorted, in nanoseconds.
#[expect(clippy::disallowed_methods, reason = "it measures")]
pub fn get_under_flood(readers: usize, batch: usize, gets: usize, of: usize) -> Vec<u64> {
    let (board, ids) = board();
    let batches = batches(&ids, batch);
    let subscriptions: Vec<_> = (0..readers)
        .map(|_| board.subscribe(Subscribe::to(ids.iter().copied())).expect("a subscription"))
        .collect();
    let over = AtomicBool::new(false);
    let mut took: Vec<u64> = std::thread::scope(|scope| {
        scope.spawn(|| {
            for points in batches.iter().cycle() {
                board.publish(points).expect("it is published");
                if over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let one = |n: usize| {
            let from = n % (ids.len() - of + 1);
            let began = Instant::now();
            let got = board.get(Get::of(&ids[from..from + of])).expect("an answer");
            let took = began.elapsed().as_nanos() as u64;
            assert!(got.iter().all(Result::is_ok));
            took
        };
        (0..gets / 10).for_each(|n| {
            let _ = one(n);
        });
        let took = (0..gets).map(one).collect();
        over.store(true, Ordering::Relaxed);
        took
    });
    drop(subscriptions);
    took.sort_unstable();
    took
}

/// One thread: publishes `rounds` batches and lets every reader read after each; returns the datapoints that arrived.
pub fn in_turn(board: &Board, batches: &[Vec<Point>], watches: &mut [Subscription], rounds: usize) -> u64 {
    let mut got = 0;
    for points in batches.iter().cycle().take(rounds) {
        board.publish(points).expect("it is published");
        for watch in &mut *watches {
            while let Some(Some(event)) = watch.next().now_or_never() {
                if let Event::Changed(points) = event {
                    got += points.iter().filter(|(_, point)| point.is_valid()).count() as u64;
                }
            }
        }
    }
    got
}

/// The same by tokio's broadcast channel.
pub fn broadcast_in_turn(
    sender: &broadcast::Sender<Point>,
    batches: &[Vec<Point>],
    receivers: &mut [broadcast::Receiver<Point>],
    rounds: usize,
) -> u64 {
    let mut got = 0;
    for points in batches.iter().cycle().take(rounds) {
        for point in points {
            sender.send(point.clone()).expect("there are readers");
        }
        for receiver in &mut *receivers {
            while let Some(Ok((_, point))) = receiver.recv().now_or_never() {
                got += u64::from(point.is_valid());
            }
        }
    }
    got
}
