//! Round trips, and events after a publish or another connection's set: microseconds as a peer sees them.
//!
//! *Invariant:* each transport is measured in turn with the bare socket under it, and answers are looked at.
//! *Next:* `../remote.rs` (which lines there are).

use std::future::Future;
use std::time::Instant;

use coachwork_benches::line::{Budget, Line};
use coachwork_benches::remote::child::Served;
use coachwork_benches::remote::event::source_time;
use coachwork_benches::remote::link::Link;
use coachwork_benches::remote::{PEERS, SIGNAL, bare, now, pin, unpin};
use coachwork_benches::rounds::{Paired, median};
use tokio::net::{TcpStream, UnixStream};

use super::{CORES, parsed, peers, quantile, subscribed};
use crate::Run;

/// How many requests one round makes.
fn asks(run: &Run) -> usize {
    run.frames / 500
}

/// Microseconds of each of `count` calls, sorted.
async fn each<S, F: Future<Output = S>>(
    count: usize,
    mut state: S,
    mut call: impl FnMut(S) -> F,
) -> (Vec<f64>, S) {
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        state = call(state).await;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    took.sort_by(f64::total_cmp);
    (took, state)
}

fn ask() -> String {
    format!(r#"{{"action":"get","path":"{SIGNAL}","requestId":"1"}}"#)
}

async fn get(mut link: Link) -> Link {
    link.send(&ask()).await;
    let answer = link.receive().await;
    assert!(answer.ends_with(b"\"}") && memchr::memmem::find(answer, b"\"value\":\"").is_some());
    link
}

/// Round trips, each transport beside the bare socket under it.
pub(super) async fn gets(run: &Run, served: &Served, cores: &str, lines: &mut Vec<Line>) {
    let count = asks(run);
    let mut websocket = Link::websocket(served.websocket, "VISSv3").await;
    let mut tcp = Link::tcp(served.tcp).await;
    let mut unix = Link::unix(&served.unix()).await;
    let mut bare_tcp = TcpStream::connect(served.echo).await.expect("the echo");
    bare_tcp.set_nodelay(true).expect("a socket");
    let mut bare_unix = UnixStream::connect(served.unix_echo()).await.expect("the echo");
    let mut rounds: Vec<[(f64, f64); 5]> = Vec::new();
    for round in 0..=run.rounds {
        let mut took = [(0.0, 0.0); 5];
        let both = |sorted: &[f64]| (quantile(sorted, 0.5), quantile(sorted, 0.99));
        let sorted;
        (sorted, websocket) = each(count, websocket, get).await;
        took[0] = both(&sorted);
        let sorted;
        (sorted, bare_tcp) = each(count, bare_tcp, async |mut stream| {
            bare::ask(&mut stream).await;
            stream
        })
        .await;
        took[1] = both(&sorted);
        let sorted;
        (sorted, tcp) = each(count, tcp, get).await;
        took[2] = both(&sorted);
        let sorted;
        (sorted, unix) = each(count, unix, get).await;
        took[3] = both(&sorted);
        let sorted;
        (sorted, bare_unix) = each(count, bare_unix, async |mut stream| {
            bare::ask(&mut stream).await;
            stream
        })
        .await;
        took[4] = both(&sorted);
        // The first warms up.
        if round > 0 {
            rounds.push(took);
        }
    }
    let paired = |ours: usize, rival: usize, of: fn(&(f64, f64)) -> f64| Paired {
        ours: median(rounds.iter().map(|round| of(&round[ours]))),
        rival: median(rounds.iter().map(|round| of(&round[rival]))),
        ratio: median(rounds.iter().map(|round| of(&round[ours]) / of(&round[rival]))),
    };
    for (word, ours, rival, most) in [
        ("WebSocket / bare TCP", 0, 1, 1.25),
        ("TCP frames / bare TCP", 2, 1, 1.3),
        ("unix frames / bare unix", 3, 4, 1.3),
    ] {
        for (quantile, of) in [("p50", (|both| both.0) as fn(&(f64, f64)) -> f64), ("p99", |both| both.1)] {
            let name = format!("get, {word}, {cores}, {quantile} µs");
            lines.push(Line::new(name, paired(ours, rival, of), Budget::Ratio(most)));
        }
    }
}

/// From a publish in the server's process, and from a set on another connection, to the event.
pub(super) async fn events(run: &Run, served: &Served, cores: &str, lines: &mut Vec<Line>) {
    let count = asks(run);
    let mut took = Vec::new();
    let mut watch = subscribed(Link::websocket(served.websocket, "VISSv3").await).await;
    for at in 0..count + 100 {
        served.tell("publish 1");
        let message = watch.receive().await;
        let (_, source, now) = (parsed(message), source_time(message), now());
        if at >= 100 {
            took.push((now - source) as f64 / 1e3);
        }
    }
    took.sort_by(f64::total_cmp);
    for (word, of, most) in [("p50", 0.5, 15.0), ("p99", 0.99, 35.0)] {
        let name = format!("publish to event, WebSocket, {cores}, {word} µs");
        // Across processors it is a processor's waking that is measured.
        let most = if cores == CORES[0].0 { most } else { f64::INFINITY };
        lines.push(Line::alone(name, quantile(&took, of), Budget::Figure(most)));
    }
    let mut mover = Link::websocket(served.websocket, "VISSv3").await;
    let mut took = Vec::new();
    for value in 0..count + 100 {
        let began = Instant::now();
        let value = 1_000_000 + value;
        mover
            .send(&format!(r#"{{"action":"set","path":"{SIGNAL}","value":"{value}","requestId":"1"}}"#))
            .await;
        let seen = parsed(watch.receive().await);
        assert!((seen - value as f64).abs() < 0.5);
        if value >= 1_000_100 {
            took.push(began.elapsed().as_secs_f64() * 1e6);
        }
        assert!(!mover.receive().await.is_empty());
    }
    took.sort_by(f64::total_cmp);
    for (word, of) in [("p50", 0.5), ("p99", 0.99)] {
        let name = format!("set on A to event on B, WebSocket, {cores}, {word} µs");
        lines.push(Line::alone(name, quantile(&took, of), Budget::Figure(f64::INFINITY)));
    }
}

/// One update every four milliseconds to a hundred peers: when the last of them has it.
pub(super) async fn last_of_many(run: &Run, lines: &mut Vec<Line>) {
    let served = Served::start();
    let links = peers(&served, 100).await;
    let updates = (run.frames / 2000).max(50);
    pin(PEERS);
    served.tell(&format!("every 4 {updates}"));
    let took = std::cell::RefCell::new(vec![0.0_f64; updates]);
    let read = links.into_iter().map(|mut link| {
        let took = &took;
        async move {
            for at in 0..updates {
                let message = link.receive().await;
                let (_, source, now) = (parsed(message), source_time(message), now());
                let mut took = took.borrow_mut();
                took[at] = took[at].max((now - source) as f64 / 1e3);
            }
        }
    });
    futures::future::join_all(read).await;
    unpin();
    let mut took = took.into_inner();
    took.sort_by(f64::total_cmp);
    lines.push(Line::alone("last of 100 peers, p50 µs", quantile(&took, 0.5), Budget::Figure(2000.0)));
    lines.push(Line::alone(
        "last of 100 peers, p99 µs",
        quantile(&took, 0.99),
        Budget::Figure(f64::INFINITY),
    ));
}
