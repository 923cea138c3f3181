//! Sets that come over a socket, and their events at another peer.
//!
//! *Invariant:* every set is answered without an error, and every event follows the one before it.
//! *Next:* `floods.rs` (updates of the server's own).

use std::time::Instant;

use coachwork_benches::clock::thread_nanoseconds;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::remote::child::Served;
use coachwork_benches::remote::event::{Reading, values};
use coachwork_benches::remote::link::Link;
use coachwork_benches::remote::{PEERS, SIGNAL, pin, unpin};

use super::floods::Took;
use super::subscribed;
use crate::Run;

/// Sets from a socket, each a message, 64 in a write, and their events at another peer.
pub(super) async fn fed(run: &Run, lines: &mut Vec<Line>) {
    const WRITE: usize = 64;
    let served = Served::start();
    let mut watch = subscribed(Link::websocket(served.websocket, "VISSv3").await).await;
    let mut feeder = Link::websocket(served.websocket, "VISSv3").await;
    pin(PEERS);
    let updates = run.frames / 5;
    let mut best = Took::LONG;
    for round in 0..=run.rounds.min(5) {
        let first = (round + 1) * 10_000_000;
        let (server, own) = (served.processor(), thread_nanoseconds());
        let began = Instant::now();
        let feed = async {
            let (mut sent, mut answered) = (0, 0);
            while answered < updates {
                while sent < updates && sent - answered <= 128 {
                    for _ in 0..WRITE {
                        let value = first + sent;
                        feeder.put(&format!(
                            r#"{{"action":"set","path":"{SIGNAL}","value":"{value}","requestId":"{sent}"}}"#
                        ));
                        sent += 1;
                    }
                    feeder.flush().await;
                }
                feeder.fill().await;
                while let Some(answer) = feeder.received() {
                    assert!(
                        memchr::memmem::find(answer, b"\"error\"").is_none(),
                        "{}",
                        String::from_utf8_lossy(answer)
                    );
                    answered += 1;
                }
            }
        };
        let events = async {
            let mut seen = 0;
            while seen < updates {
                watch.fill().await;
                while let Some(message) = watch.received() {
                    values(message, Reading::Parse, |value| {
                        assert!(
                            (value - (first + seen) as f64).abs() < 0.5,
                            "{value} is not {}",
                            first + seen
                        );
                        seen += 1;
                    });
                }
            }
        };
        futures::future::join(feed, events).await;
        let wall = began.elapsed().as_secs_f64() * 1e9;
        let (server, own) = (served.processor() - server, thread_nanoseconds() - own);
        let all = updates as f64;
        best = best.least(Took { wall: wall / all, server: server / all, peers: own / all });
    }
    unpin();
    let (server, peers, wall) = (best.server, best.peers, 1e3 / best.wall);
    let name = format!(
        "fed over a socket, parse, ns: server {server:.0}, peers {peers:.0}; {wall:.2} M/s by the wall"
    );
    lines.push(Line::alone(name, best.busier(), Budget::Figure(2000.0)));
}
