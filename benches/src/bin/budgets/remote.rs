//! A gateway at the other end of a socket, beside bare sockets and a databroker: round trips, events, floods, and what it holds.
//!
//! *Invariant:* both sides of a ratio are measured in turn by the same peer; in a flood nothing may be missing, which is checked value by value.
//! *Next:* `../../remote/` (the server's process, and the peers).

#![allow(clippy::disallowed_methods)]

use std::future::Future;
use std::time::{Duration, Instant};

use coachwork_benches::clock::thread_nanoseconds;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::remote::child::Served;
use coachwork_benches::remote::event::{Reading, source_time, values};
use coachwork_benches::remote::link::Link;
use coachwork_benches::remote::{PEERS, SERVER, SIGNAL, bare, now, pin, unpin};
use coachwork_benches::rounds::{Paired, median};
use tokio::net::{TcpStream, UnixStream};

use crate::Run;

/// Where the peers run.
const CORES: [(&str, usize); 2] = [("same core", SERVER), ("cross core", PEERS)];

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut lines = Vec::new();
    runtime.block_on(async {
        for (cores, processor) in CORES {
            let served = Served::start();
            pin(processor);
            gets(run, &served, cores, &mut lines).await;
            events(run, &served, cores, &mut lines).await;
            unpin();
        }
        for readers in [1, 8, 100] {
            floods(run, readers, &mut lines).await;
        }
        fed(run, &mut lines).await;
        others(run, &mut lines).await;
        last_of_many(run, &mut lines).await;
        described(run, &mut lines).await;
        held(run, &mut lines).await;
        slow(&mut lines).await;
    });
    databroker(&mut lines);
    lines
}

/// The budgets that are ratios to KUKSA's databroker.
fn databroker(lines: &mut Vec<Line>) {
    let why = "the databroker comes from no registry";
    for (name, budget) in [
        ("get, WebSocket / KUKSA's VISS get", Budget::Ratio(1.0)),
        ("set on A to event on B / KUKSA", Budget::Ratio(0.6)),
        ("flood to 8 / KUKSA", Budget::Times(3.0)),
        ("flood to 100 / KUKSA", Budget::Times(6.0)),
        ("last of 100 peers / KUKSA", Budget::Ratio(0.6)),
    ] {
        lines.push(Line::missing(name, why, budget));
    }
}

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

fn quantile(sorted: &[f64], of: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * of) as usize]
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
async fn gets(run: &Run, served: &Served, cores: &str, lines: &mut Vec<Line>) {
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

/// A subscription with a queue that is long enough for everything that a flood leaves on its way.
fn subscribe(id: u32, path: &str) -> String {
    format!(
        r#"{{"action":"subscribe","signals":[{{"paths":["{path}"]}}],"overflow":"queue:65536","coachwork":"1","requestId":"{id}"}}"#
    )
}

async fn subscribed(mut link: Link) -> Link {
    link.send(&subscribe(1, SIGNAL)).await;
    let answer = String::from_utf8_lossy(link.receive().await).into_owned();
    assert!(answer.contains("subscriptionId") && !answer.contains("error"), "{answer}");
    // The present value.
    link.receive().await;
    link
}

fn parsed(message: &[u8]) -> f64 {
    let mut value = f64::NAN;
    values(message, Reading::Parse, |one| value = one);
    assert!(!value.is_nan(), "{}", String::from_utf8_lossy(message));
    value
}

/// From a publish in the server's process, and from a set on another connection, to the event.
async fn events(run: &Run, served: &Served, cores: &str, lines: &mut Vec<Line>) {
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

/// Reads so many values, which must follow one another.
async fn read(mut link: Link, updates: u64, reading: Reading) -> Link {
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

/// What a flood took, in nanoseconds per delivery.
#[derive(Clone, Copy)]
struct Took {
    /// By the wall.
    wall: f64,
    /// The server's processor.
    server: f64,
    /// The peers' processor.
    peers: f64,
}

impl Took {
    const LONG: Self = Self { wall: f64::INFINITY, server: f64::INFINITY, peers: f64::INFINITY };

    fn least(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            server: self.server.min(other.server),
            peers: self.peers.min(other.peers),
        }
    }

    /// What two processors with nothing else to do take.
    fn busier(self) -> f64 {
        self.server.max(self.peers)
    }
}

/// A flood to so many peers on another core.
async fn flood(served: &Served, links: Vec<Link>, updates: u64, reading: Reading) -> (Took, Vec<Link>) {
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

async fn peers(served: &Served, count: usize) -> Vec<Link> {
    let mut links = Vec::new();
    for _ in 0..count {
        links.push(subscribed(Link::websocket(served.websocket, "VISSv3").await).await);
    }
    links
}

async fn floods(run: &Run, readers: usize, lines: &mut Vec<Line>) {
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

/// Sets from a socket, each a message, 64 in a write, and their events at another peer.
async fn fed(run: &Run, lines: &mut Vec<Line>) {
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

/// What an update costs with a thousand subscriptions to other signals.
async fn others(run: &Run, lines: &mut Vec<Line>) {
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

/// One update every four milliseconds to a hundred peers: when the last of them has it.
async fn last_of_many(run: &Run, lines: &mut Vec<Line>) {
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

/// The metadata of the whole tree.
async fn described(run: &Run, lines: &mut Vec<Line>) {
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
async fn held(run: &Run, lines: &mut Vec<Line>) {
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
async fn slow(lines: &mut Vec<Line>) {
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
