//! What the server holds and gives: memory, its start, the metadata of the tree, and what a slow peer misses.
//!
//! *Invariant:* memory is what the system says of the server's process.
//! *Next:* `../remote.rs` (which lines there are).

use std::time::Duration;

use coachwork_benches::clock::thread_nanoseconds;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::remote::SIGNAL;
use coachwork_benches::remote::child::Served;
use coachwork_benches::remote::event::{Reading, values};
use coachwork_benches::remote::link::Link;
use coachwork_benches::rounds::median;

use super::floods::flood;
use super::{peers, subscribe};
use crate::Run;

/// The metadata of the whole tree.
pub(super) async fn described(run: &Run, lines: &mut Vec<Line>) {
    let served = Served::start();
    let mut link = Link::websocket(served.websocket, "VISSv3").await;
    let wish = r#"{"action":"get","path":"Vehicle","filter":{"variant":"metadata","parameter":"0"},"requestId":"1"}"#;
    let mut took = Vec::new();
    for _ in 0..=run.rounds {
        let (server, own) = (served.processor(), thread_nanoseconds());
        link.send(wish).await;
        let answer = link.receive().await;
        assert!(answer.len() > 100_000, "{}", answer.len());
        took.push((served.processor() - server + thread_nanoseconds() - own) / 1e6);
    }
    let first = took.remove(0);
    let name = |when: &str| format!("metadata of 1,268 leaves, {when}, processors' ms");
    lines.push(Line::alone(name("the first time"), first, Budget::Figure(2.0)));
    lines.push(Line::alone(name("again"), median(took.into_iter()), Budget::Figure(2.0)));
}

/// Memory at rest and after a flood, and how soon it listens.
pub(super) async fn held(run: &Run, lines: &mut Vec<Line>) {
    let served = Served::start();
    let mut link = Link::websocket(served.websocket, "VISSv3").await;
    link.send(r#"{"action":"get","path":"Vehicle","filter":{"variant":"metadata","parameter":"0"},"requestId":"1"}"#).await;
    link.receive().await;
    lines.push(Line::alone("memory at rest, MiB", served.memory(), Budget::Figure(6.0)));
    let links = peers(&served, 100).await;
    let (_, links) = flood(&served, links, (run.frames / 20) as u64, Reading::Scan).await;
    lines.push(Line::alone("memory after a flood to 100, MiB", served.memory(), Budget::Figure(12.0)));
    drop((links, served));
    let mut started = Vec::new();
    for _ in 0..run.rounds {
        started.push(Served::start().started.as_secs_f64() * 1e3);
    }
    lines.push(Line::alone("start to listening, ms", median(started.into_iter()), Budget::Figure(20.0)));
}

/// A peer that does not read for a while: what it misses, the stream says.
pub(super) async fn slow(lines: &mut Vec<Line>) {
    const UPDATES: u64 = 200_000;
    const LAGGED: &[u8] = b"\"lagged\":\"";
    let served = Served::start();
    let mut link = Link::websocket(served.websocket, "VISSv3").await;
    link.send(&subscribe(1, SIGNAL).replace("queue:65536", "queue:10")).await;
    link.receive().await;
    link.receive().await;
    served.tell(&format!("publish {UPDATES}"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut seen, mut lagged) = (0, 0);
    while seen + lagged < UPDATES {
        let message = link.receive().await;
        match memchr::memmem::find(message, LAGGED) {
            Some(at) => {
                let rest = &message[at + LAGGED.len()..];
                let digits = &rest[..memchr::memchr(b'"', rest).expect("a number")];
                lagged += std::str::from_utf8(digits)
                    .ok()
                    .and_then(|text| text.parse::<u64>().ok())
                    .expect("a number");
            }
            None => values(message, Reading::Parse, |_| seen += 1),
        }
    }
    let silent = UPDATES as f64 - (seen + lagged) as f64;
    let name = format!("slow peer: lost silently, of {UPDATES} ({lagged} told)");
    lines.push(Line::alone(name, silent.abs(), Budget::Figure(0.0)));
}
