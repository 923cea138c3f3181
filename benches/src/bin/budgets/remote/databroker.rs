//! The same work for our gateway and for KUKSA's databroker, in turn: round trips over VISS, and updates that come over one socket and leave over others.
//!
//! *Invariant:* both get their updates from a peer, one message each, and every peer must see every value. Ours travel as VISS in JSON over WebSocket,
//! the databroker's as `kuksa.val.v2` over gRPC, where its subscribers are served best.
//! *Next:* `../../../remote/databroker.rs` (its process), `floods.rs` (updates of the server's own).

use std::time::{Duration, Instant};

use coachwork_benches::clock::thread_nanoseconds;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::process::Rival;
use coachwork_benches::remote::child::Served;
use coachwork_benches::remote::databroker::{Databroker, built};
use coachwork_benches::remote::event::Reading;
use coachwork_benches::remote::link::Link;
use coachwork_benches::remote::{PEERS, SIGNAL, pin, unpin};
use coachwork_benches::rounds::{Paired, median};

use super::floods::{Took, read};
use super::{CORES, parsed, peers, quantile};
use crate::Run;

/// The budgets that are ratios to the databroker.
const BUDGETS: [(&str, Budget); 7] = [
    ("get, VISS 2 over WebSocket / KUKSA's VISS", Budget::Ratio(1.0)),
    ("set on A to event on B / KUKSA's publish to event", Budget::Ratio(0.6)),
    ("set on A to event on B / KUKSA's answered publish to event", Budget::Ratio(0.6)),
    ("fed flood to 8 / KUKSA", Budget::Times(3.0)),
    ("fed flood to 100 / KUKSA", Budget::Times(6.0)),
    ("last of 100 peers after a set / KUKSA", Budget::Ratio(0.6)),
    ("memory / KUKSA", Budget::Ratio(1.0)),
];

pub(super) async fn measure(run: &Run) -> Vec<Line> {
    if let Err(why) = built() {
        return BUDGETS.map(|(name, budget)| Line::missing(name, &why, budget)).to_vec();
    }
    let mut lines = Vec::new();
    for (cores, processor) in CORES {
        trips(run, cores, processor, &mut lines).await;
    }
    for (readers, least) in [(1, 1.0), (8, 3.0), (100, 6.0)] {
        floods(run, readers, least, &mut lines).await;
    }
    last_of_many(run, &mut lines).await;
    held(run, &mut lines).await;
    lines
}

/// A median and a 99th percentile.
type Both = [f64; 2];
/// Their names.
const QUANTILES: [&str; 2] = ["p50", "p99"];

fn both(mut took: Vec<f64>) -> Both {
    took.sort_by(f64::total_cmp);
    [quantile(&took, 0.5), quantile(&took, 0.99)]
}

/// What the databroker's peers answer.
fn numbers(peers: &mut Rival, request: &str) -> Both {
    let answer = peers.ask(request);
    let mut numbers = answer.split(' ').map(|number| number.parse().unwrap_or_else(|_| panic!("{answer}")));
    [(); 2].map(|()| numbers.next().expect("two numbers"))
}

/// Ours and theirs of each round.
fn paired(rounds: &[(f64, f64)]) -> Paired {
    Paired {
        ours: median(rounds.iter().map(|round| round.0)),
        rival: median(rounds.iter().map(|round| round.1)),
        ratio: median(rounds.iter().map(|round| round.0 / round.1)),
    }
}

fn one_of_both(rounds: &[(Both, Both)], at: usize) -> Paired {
    let rounds: Vec<_> = rounds.iter().map(|(ours, theirs)| (ours[at], theirs[at])).collect();
    paired(&rounds)
}

fn set(value: usize) -> String {
    format!(r#"{{"action":"set","path":"{SIGNAL}","value":"{value}","requestId":"1"}}"#)
}

/// Sets a value over `mover`, and reads its event at every peer.
async fn moved(mover: &mut Link, watching: &mut [Link], value: usize) {
    mover.send(&set(value)).await;
    for watch in watching {
        let seen = parsed(watch.receive().await);
        assert!((seen - value as f64).abs() < 0.5, "{seen} is not {value}");
    }
    let answer = mover.receive().await;
    assert!(memchr::memmem::find(answer, b"\"error\"").is_none(), "{}", String::from_utf8_lossy(answer));
}

/// Gets over VISS by the same peer, and from an update on one connection to its event on another.
async fn trips(run: &Run, cores: &str, processor: usize, lines: &mut Vec<Line>) {
    let count = run.frames / 500;
    let get = format!(r#"{{"action":"get","path":"{SIGNAL}","requestId":"1"}}"#);
    let (served, broker) = (Served::start(), Databroker::start());
    let mut theirs = broker.peers(processor);
    pin(processor);
    let mut watching = peers(&served, 1).await;
    let mut mover = Link::websocket(served.websocket, "VISSv3").await;
    let mut links =
        [Link::websocket(served.websocket, "VISSv2").await, Link::websocket(broker.viss, "VISSv2").await];
    moved(&mut mover, &mut watching, 1_000_000).await;
    for (request, answer) in [("subscribers 1", "1"), ("publish 1000000", "1000000"), ("value", "1000000")] {
        assert_eq!(theirs.ask(request), answer, "{request}");
    }
    // The same answer, but for the times and what stands around it.
    for link in &mut links {
        link.send(&get).await;
        let answer: serde_json::Value = serde_json::from_slice(link.receive().await).expect("JSON");
        assert_eq!(answer["action"], "get");
        assert_eq!(answer["requestId"], "1");
        assert_eq!(answer["data"]["path"], SIGNAL);
        assert_eq!(answer["data"]["dp"]["value"], "1000000");
        assert!(answer["data"]["dp"]["ts"].is_string());
    }
    let (mut gets, mut events, mut answered) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=run.rounds {
        let mut took = [[0.0; 2]; 2];
        for (link, took) in links.iter_mut().zip(&mut took) {
            let mut each = Vec::with_capacity(count);
            for _ in 0..count {
                let began = Instant::now();
                link.send(&get).await;
                let answer = link.receive().await;
                assert!(memchr::memmem::find(answer, b"\"value\":\"").is_some());
                each.push(began.elapsed().as_secs_f64() * 1e6);
            }
            *took = both(each);
        }
        let mut each = Vec::with_capacity(count);
        for at in 0..count {
            let value = 2_000_000 + round * count + at;
            let began = Instant::now();
            mover.send(&set(value)).await;
            let seen = parsed(watching[0].receive().await);
            each.push(began.elapsed().as_secs_f64() * 1e6);
            assert!((seen - value as f64).abs() < 0.5, "{seen} is not {value}");
            assert!(!mover.receive().await.is_empty());
        }
        let ours = both(each);
        let streamed = numbers(&mut theirs, &format!("round {count}"));
        let theirs = numbers(&mut theirs, &format!("answered {count}"));
        // The first warms up.
        if round > 0 {
            gets.push((took[0], took[1]));
            events.push((ours, streamed));
            answered.push((ours, theirs));
        }
    }
    unpin();
    for (rounds, (name, budget)) in [(gets, BUDGETS[0]), (events, BUDGETS[1]), (answered, BUDGETS[2])] {
        for (at, quantile) in QUANTILES.iter().enumerate() {
            let name = format!("{name}, {cores}, {quantile} µs");
            lines.push(Line::new(name, one_of_both(&rounds, at), budget));
        }
    }
}

/// Sets over one connection, 64 in a write, and their events at all peers.
async fn flood(served: &Served, feeder: &mut Link, links: Vec<Link>, updates: usize) -> (Took, Vec<Link>) {
    const WRITE: usize = 64;
    // As far ahead as the databroker's provider goes.
    const AHEAD: usize = 1000 - WRITE;
    let all = (updates * links.len()) as f64;
    let (server, own) = (served.processor(), thread_nanoseconds());
    let local = tokio::task::LocalSet::new();
    let began = Instant::now();
    let links = local
        .run_until(async {
            let tasks: Vec<_> = links
                .into_iter()
                .map(|link| tokio::task::spawn_local(read(link, updates as u64, Reading::Parse)))
                .collect();
            let (mut sent, mut answered) = (0, 0);
            while answered < updates {
                while sent < updates && sent - answered <= AHEAD {
                    for _ in 0..WRITE.min(updates - sent) {
                        sent += 1;
                        feeder.put(&set(sent));
                    }
                    feeder.flush().await;
                }
                feeder.fill().await;
                while let Some(answer) = feeder.received() {
                    let refused = memchr::memmem::find(answer, b"\"error\"").is_some();
                    assert!(!refused, "{}", String::from_utf8_lossy(answer));
                    answered += 1;
                }
            }
            let mut links = Vec::new();
            for task in tasks {
                links.push(task.await.expect("a peer"));
            }
            links
        })
        .await;
    let wall = began.elapsed().as_secs_f64() * 1e9;
    let (server, own) = (served.processor() - server, thread_nanoseconds() - own);
    (Took { wall: wall / all, server: server / all, peers: own / all }, links)
}

async fn floods(run: &Run, readers: usize, least: f64, lines: &mut Vec<Line>) {
    let (served, broker) = (Served::start(), Databroker::start());
    let updates = run.frames / [5, 20, 200][[1, 8, 100].iter().position(|of| *of == readers).unwrap_or(0)];
    let mut theirs = broker.peers(PEERS);
    let ready = theirs.ask(&format!("subscribers {readers}"));
    assert_eq!(ready, readers.to_string());
    let mut links = peers(&served, readers).await;
    let mut feeder = Link::websocket(served.websocket, "VISSv3").await;
    pin(PEERS);
    let mut rounds = Vec::new();
    for round in 0..=run.rounds.min(5) {
        let ours;
        (ours, links) = flood(&served, &mut feeder, links, updates).await;
        let all = (updates * readers) as f64;
        let server = broker.processor();
        let [wall, peers] = numbers(&mut theirs, &format!("flood {updates}"));
        let theirs =
            Took { wall: wall / all, server: (broker.processor() - server) / all, peers: peers / all };
        if round > 0 {
            rounds.push((ours, theirs));
        }
    }
    unpin();
    let paired = |of: fn(&Took) -> f64| {
        let rounds: Vec<_> = rounds.iter().map(|(ours, theirs)| (of(ours), of(theirs))).collect();
        paired(&rounds)
    };
    let (server, peers) = (paired(|took| took.server), paired(|took| took.peers));
    let name = format!(
        "fed flood to {readers} / KUKSA, ns: server {:.0} / {:.0}, peers {:.0} / {:.0}",
        server.ours, server.rival, peers.ours, peers.rival
    );
    let budget = Budget::Times(least);
    lines.push(Line::new(name, paired(|took| took.busier()), budget));
    lines.push(Line::new(
        format!("fed flood to {readers} / KUKSA, ns by the wall"),
        paired(|took| took.wall),
        budget,
    ));
}

/// One update every four milliseconds over a socket to a hundred peers: when the last of them has it.
async fn last_of_many(run: &Run, lines: &mut Vec<Line>) {
    let (served, broker) = (Served::start(), Databroker::start());
    let mut theirs = broker.peers(PEERS);
    assert_eq!(theirs.ask("subscribers 100"), "100");
    let mut links = peers(&served, 100).await;
    let mut mover = Link::websocket(served.websocket, "VISSv3").await;
    pin(PEERS);
    let count = (run.frames / 10_000).max(20);
    let mut rounds = Vec::new();
    for round in 0..=run.rounds {
        let ours;
        (ours, links) = last(&mut mover, links, round * count, count).await;
        let theirs = numbers(&mut theirs, &format!("every 4 {count}"));
        if round > 0 {
            rounds.push((ours, theirs));
        }
    }
    unpin();
    let (name, budget) = BUDGETS[5];
    for (at, quantile) in QUANTILES.iter().enumerate() {
        lines.push(Line::new(format!("{name}, {quantile} µs"), one_of_both(&rounds, at), budget));
    }
}

async fn last(mover: &mut Link, links: Vec<Link>, first: usize, count: usize) -> (Both, Vec<Link>) {
    use std::cell::RefCell;
    use std::rc::Rc;
    let began = Rc::new(RefCell::new(Vec::<Instant>::new()));
    let took = Rc::new(RefCell::new(vec![Duration::ZERO; count]));
    let links = tokio::task::LocalSet::new()
        .run_until(async {
            let read = links.into_iter().map(|mut link| {
                let (began, took) = (began.clone(), took.clone());
                tokio::task::spawn_local(async move {
                    for at in 0..count {
                        let value = parsed(link.receive().await);
                        assert!((value - (first + at) as f64).abs() < 0.5, "{value} is not {}", first + at);
                        let mut took = took.borrow_mut();
                        took[at] = took[at].max(began.borrow()[at].elapsed());
                    }
                    link
                })
            });
            let tasks: Vec<_> = read.collect();
            for at in 0..count {
                tokio::time::sleep(Duration::from_millis(4)).await;
                began.borrow_mut().push(Instant::now());
                mover.send(&set(first + at)).await;
                mover.receive().await;
            }
            let mut links = Vec::new();
            for task in tasks {
                links.push(task.await.expect("a peer"));
            }
            links
        })
        .await;
    let took = took.take().iter().map(|took| took.as_secs_f64() * 1e6).collect();
    (both(took), links)
}

/// What both hold when a peer has read the metadata, and after a flood to a hundred; and how soon both listen.
async fn held(run: &Run, lines: &mut Vec<Line>) {
    const METADATA: &str =
        r#"{"action":"get","path":"Vehicle","filter":{"type":"static-metadata"},"requestId":"1"}"#;
    let (served, broker) = (Served::start(), Databroker::start());
    for address in [served.websocket, broker.viss] {
        let mut link = Link::websocket(address, "VISSv2").await;
        link.send(METADATA).await;
        let answer = link.receive().await;
        assert!(answer.len() > 100_000, "{}", String::from_utf8_lossy(answer));
    }
    let (name, budget) = BUDGETS[6];
    let name = |when: &str| format!("{name} {when}, MiB");
    let pair = |ours: f64, rival: f64| Paired { ours, rival, ratio: ours / rival };
    lines.push(Line::new(name("at rest"), pair(served.memory(), broker.memory()), budget));
    let mut theirs = broker.peers(PEERS);
    assert_eq!(theirs.ask("subscribers 100"), "100");
    let links = peers(&served, 100).await;
    let mut feeder = Link::websocket(served.websocket, "VISSv3").await;
    pin(PEERS);
    let updates = run.frames / 200;
    let (_, links) = flood(&served, &mut feeder, links, updates).await;
    numbers(&mut theirs, &format!("flood {updates}"));
    unpin();
    lines.push(Line::new(name("after a fed flood to 100"), pair(served.memory(), broker.memory()), budget));
    drop((links, theirs, served, broker));
    let mut rounds = Vec::new();
    for _ in 0..run.rounds {
        let ours = Served::start().started.as_secs_f64() * 1e3;
        rounds.push((ours, Databroker::start().started.as_secs_f64() * 1e3));
    }
    lines.push(Line::new("start to listening / KUKSA, ms", paired(&rounds), Budget::Ratio(1.0)));
}
