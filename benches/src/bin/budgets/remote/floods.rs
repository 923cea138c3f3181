//! Floods: updates published in the server's process as fast as peers read them, and the floor of it within one thread.
//!
//! *Invariant:* no value may be missing, which every peer checks. Figures are processor time per delivery.
//! *Next:* `fed.rs` (updates that come over a socket).

use std::time::Instant;

use coachwork_benches::clock::thread_nanoseconds;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::remote::child::Served;
use coachwork_benches::remote::event::{Reading, values};
use coachwork_benches::remote::link::Link;
use coachwork_benches::remote::{PEERS, SIGNAL, pin, unpin};
use coachwork_benches::rounds::Paired;

use super::{peers, subscribe};
use crate::Run;

/// What a flood took, in nanoseconds per delivery.
#[derive(Clone, Copy)]
pub(super) struct Took {
    /// By the wall.
    pub(super) wall: f64,
    /// The server's processor.
    pub(super) server: f64,
    /// The peers' processor.
    pub(super) peers: f64,
}

impl Took {
    pub(super) const LONG: Self = Self { wall: f64::INFINITY, server: f64::INFINITY, peers: f64::INFINITY };

    pub(super) fn least(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            server: self.server.min(other.server),
            peers: self.peers.min(other.peers),
        }
    }

    /// What two processors with nothing else to do take.
    pub(super) fn busier(self) -> f64 {
        self.server.max(self.peers)
    }
}

/// A flood to so many peers on another core.
pub(super) async fn flood(
    served: &Served,
    links: Vec<Link>,
    updates: u64,
    reading: Reading,
) -> (Took, Vec<Link>) {
    let peers = links.len() as u64;
    let (server, own) = (served.processor(), thread_nanoseconds());
    let local = tokio::task::LocalSet::new();
    let began = Instant::now();
    served.tell(&format!("flood {updates} {peers}"));
    let links = local
        .run_until(async {
            let tasks: Vec<_> = links
                .into_iter()
                .map(|link| tokio::task::spawn_local(read(link, updates, reading)))
                .collect();
            let mut links = Vec::new();
            for task in tasks {
                links.push(task.await.expect("a peer"));
            }
            links
        })
        .await;
    let wall = began.elapsed().as_secs_f64() * 1e9;
    served.done();
    let all = (updates * peers) as f64;
    let (server, own) = (served.processor() - server, thread_nanoseconds() - own);
    (Took { wall: wall / all, server: server / all, peers: own / all }, links)
}

/// Reads so many values, which must follow one another.
pub(super) async fn read(mut link: Link, updates: u64, reading: Reading) -> Link {
    let (mut seen, mut last) = (0, f64::NAN);
    while seen < updates {
        while let Some(message) = link.received() {
            values(message, reading, |value| {
                assert!(last.is_nan() || (value - last - 1.0).abs() < 1e-9, "{value} follows {last}");
                (last, seen) = (value, seen + 1);
            });
        }
        if seen < updates {
            link.fill().await;
        }
    }
    link
}

pub(super) async fn floods(run: &Run, readers: usize, lines: &mut Vec<Line>) {
    let served = Served::start();
    let mut links = peers(&served, readers).await;
    pin(PEERS);
    for (reading, word, least) in [(Reading::Scan, "scan", 3.0), (Reading::Parse, "parse", 0.8)] {
        let updates = (run.frames * 2 / readers.max(4)) as u64;
        let mut best = Took::LONG;
        for _ in 0..=run.rounds.min(5) {
            let took;
            (took, links) = flood(&served, links, updates, reading).await;
            best = best.least(took);
        }
        // One subscriber has a budget of its own.
        let least = if readers == 1 { least / 2.0 } else { least };
        let (server, peers, wall) = (best.server, best.peers, 1e3 / best.wall);
        let name = format!(
            "flood to {readers}, {word}, ns: server {server:.0}, peers {peers:.0}; {wall:.2} M/s by the wall"
        );
        let (ours, rival) = (best.busier(), broadcast(readers, updates, reading));
        let paired = Paired { ours, rival, ratio: ours / rival };
        lines.push(Line::new(format!("{name} / tokio broadcast"), paired, Budget::Figure(1e3 / least)));
    }
    unpin();
}

/// The floor of a flood: as many texts through tokio's broadcast channel within this thread, read in the same way; nanoseconds per delivery.
fn broadcast(readers: usize, updates: u64, reading: Reading) -> f64 {
    const BURST: u64 = 256;
    let (to, _) = tokio::sync::broadcast::channel::<bytes::Bytes>(1024);
    let mut from: Vec<_> = (0..readers).map(|_| to.subscribe()).collect();
    let event = |value: u64| {
        let time = "2026-01-01T00:00:00.123456789Z";
        let item = format!(r#"{{"path":"{SIGNAL}","dp":{{"value":"{value}","ts":"{time}"}}}}"#);
        format!(r#"{{"action":"subscription","subscriptionId":"1","data":{item},"ts":"{time}"}}"#).into()
    };
    let events: Vec<bytes::Bytes> = (0..BURST).map(event).collect();
    let bursts = updates.div_ceil(BURST);
    let began = thread_nanoseconds();
    for _ in 0..bursts {
        for event in &events {
            to.send(event.clone()).expect("readers");
        }
        for from in &mut from {
            let mut next = 0.0;
            while let Ok(event) = from.try_recv() {
                values(&event, reading, |value| next += f64::from(u8::from((value - next).abs() < 0.5)));
            }
            assert!((next - BURST as f64).abs() < 0.5);
        }
    }
    (thread_nanoseconds() - began) / (bursts * BURST * readers as u64) as f64
}

/// What an update costs with a thousand subscriptions to other signals.
pub(super) async fn others(run: &Run, lines: &mut Vec<Line>) {
    let crowded = Served::start();
    let updates = (run.frames / 2) as u64;
    let mut links = peers(&crowded, 1).await;
    pin(PEERS);
    let mut without = Took::LONG;
    for _ in 0..=run.rounds.min(5) {
        let took;
        (took, links) = flood(&crowded, links, updates, Reading::Scan).await;
        without = without.least(took);
    }
    let mut silent = Vec::new();
    for _ in 0..10 {
        let mut link = Link::websocket(crowded.websocket, "VISSv3").await;
        for id in 0..100 {
            link.send(&subscribe(id, "Vehicle.Speed")).await;
            link.receive().await;
        }
        silent.push(link);
    }
    let mut with = Took::LONG;
    for _ in 0..=run.rounds.min(5) {
        let took;
        (took, links) = flood(&crowded, links, updates, Reading::Scan).await;
        with = with.least(took);
    }
    unpin();
    let paired = Paired { ours: with.server, rival: without.server, ratio: with.server / without.server };
    lines.push(Line::new(
        "flood to 1 with 1,000 others / with none, server's ns",
        paired,
        Budget::Ratio(1.1),
    ));
}
