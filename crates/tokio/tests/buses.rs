//! Buses by their names, against peers in the tree: every frame both ways, and what is missing after a peer was killed.

#![cfg(all(unix, feature = "serial"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]
#![allow(missing_docs, unreachable_pub)]

#[path = "bus_peers/mod.rs"]
mod bus_peers;

use bus_peers::{Seen, Task, adapter, daemon, number, numbered, soon, speak};
use coachwork_can::bus::{Batch, Bus, BusError, FrameSink, FrameSource, Gap, Link, LinkState};
use coachwork_tokio::can::Buses;
use coachwork_vehicle::Backoff;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::Instant;

const FRAMES: u32 = 20_000;

/// One test at a time has pseudo-terminals: the number of one that was unplugged is given to the next that is opened, and a link that comes back
/// would find another test's adapter there.
static TERMINALS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn buses() -> Buses {
    Buses::new().unwrap().with_options(|options| {
        options.backoff = Backoff { first: Duration::from_millis(20), most: Duration::from_millis(100) };
        options.keep_alive = Some(Duration::from_millis(200));
    })
}

/// Reads up to the frame of this number, or the end.
async fn read_to(source: &mut Box<dyn FrameSource>, last: u32) -> (Vec<u32>, Vec<Gap>) {
    let (mut batch, mut numbers, mut gaps) = (Batch::new(256), Vec::new(), Vec::new());
    while numbers.last() != Some(&last) {
        source.read(&mut batch).await.unwrap();
        if batch.is_empty() {
            break;
        }
        assert_eq!((batch.lost(), batch.bad()), (0, 0));
        gaps.extend(batch.gap().cloned());
        numbers.extend(batch.frames().iter().map(number));
        batch.clear();
    }
    (numbers, gaps)
}

async fn send_all(sink: Arc<dyn FrameSink>, link: Link, range: std::ops::Range<u32>) {
    for at in range {
        sink.send(&numbered(at)).await.unwrap();
    }
    link.flushed().await;
}

/// Everything both ways over a bus whose peer plays along.
async fn both_ways(bus: Bus, peer: impl Future<Output = Seen>) {
    let link = bus.link().unwrap().clone();
    let (mut source, sink) = bus.into_parts();
    let began = Instant::now();
    let sending = async {
        send_all(sink.unwrap(), link.clone(), 0..FRAMES).await;
    };
    let reading = async {
        let read = read_to(&mut source, FRAMES - 1).await;
        (read, source)
    };
    let client = async {
        let (((numbers, gaps), source), ()) = tokio::join!(reading, sending);
        let took = began.elapsed();
        // Both directions are gone: the link is left, and so is the peer.
        drop(source);
        (numbers, gaps, took)
    };
    let ((numbers, gaps, took), seen) = soon(async { tokio::join!(client, peer) }).await;
    assert!(numbers.into_iter().eq(0..FRAMES) && gaps.is_empty());
    assert!(seen.received.into_iter().eq(0..FRAMES));
    let counts = link.counts();
    assert_eq!(
        (counts.received, counts.sent, counts.confirmed),
        (FRAMES.into(), FRAMES.into(), FRAMES.into())
    );
    assert_eq!((counts.lost, counts.bad, counts.refused, counts.losses, counts.in_doubt), (0, 0, 0, 0, 0));
    eprintln!("{}: {FRAMES} frames each way in {took:?}", link.name());
}

#[tokio::test]
async fn socketcand_carries_every_frame_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = format!("socketcand:{}/can0", listener.local_addr().unwrap()).parse().unwrap();
    let serving =
        tokio::spawn(
            async move { daemon(&listener, Task { send: (0, FRAMES), stop_after: usize::MAX }).await },
        );
    let bus = buses().open(&name).await.unwrap();
    both_ways(bus, async { serving.await.unwrap() }).await;
}

#[tokio::test]
async fn slcan_carries_every_frame_both_ways() {
    let _alone = TERMINALS.lock().await;
    let path = std::env::temp_dir().join(format!("coachwork-slcan-{}", std::process::id()));
    let mut master = adapter(&path);
    let name = format!("slcan:{}?bitrate=500000&sleep_after_open=0", path.display()).parse().unwrap();
    let serving =
        tokio::spawn(
            async move { speak(&mut master, Task { send: (0, FRAMES), stop_after: usize::MAX }).await },
        );
    let bus = buses().open(&name).await.unwrap();
    both_ways(bus, async { serving.await.unwrap() }).await;
    std::fs::remove_file(path).unwrap();
}

/// What was read and what the peers received, where the first was killed and a second took its place.
async fn killed(bus: Bus, peers: impl Future<Output = (Seen, Seen)> + Send + 'static) {
    let link = bus.link().unwrap().clone();
    let (mut source, sink) = bus.into_parts();
    let (sink, sending_link) = (sink.unwrap(), link.clone());
    let peers = tokio::spawn(peers);
    let sending = tokio::spawn(async move {
        let mut refused = 0;
        for at in 0..FRAMES {
            // The last quarter is for the second peer, or for nobody.
            while at == FRAMES / 4 * 3 && sending_link.counts().losses == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            match sink.send(&numbered(at)).await {
                // Told at once that it does not go out; the application knows which.
                Err(BusError::Down(_)) => {
                    refused += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                sent => sent.unwrap(),
            }
        }
        sending_link.flushed().await;
        refused
    });
    let (numbers, gaps) = soon(read_to(&mut source, 2 * FRAMES - 1)).await;
    let refused: u64 = soon(sending).await.unwrap();
    drop(source);
    let (first, second) = soon(peers).await.unwrap();

    // The gap was told when it began and when it ended, with what was not sent and what is in doubt.
    let ended = gaps.last().unwrap();
    assert!(gaps.iter().all(|gap| gap.from == gaps[0].from), "{gaps:?}");
    assert!(ended.until.is_some_and(|until| until >= ended.from), "{gaps:?}");
    let counts = link.counts();
    assert_eq!(
        (counts.losses, counts.unsent, counts.in_doubt),
        (1, ended.unsent, ended.in_doubt),
        "{counts:?}"
    );

    // In: what the first peer wrote last may have died with it; of the second, everything came.
    let (of_first, of_second): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|number| *number < FRAMES);
    assert!(
        of_first.iter().copied().eq(0..u32::try_from(of_first.len()).unwrap()),
        "in order, up to the cut"
    );
    assert!(of_first.len() <= first.sent as usize);
    assert!(of_second.into_iter().eq(FRAMES..2 * FRAMES));

    // Out: each frame was received, or refused, or not sent, or in doubt; and nothing twice.
    let mut received: Vec<u32> = first.received.iter().chain(&second.received).copied().collect();
    let arrived = u64::try_from(received.len()).unwrap();
    assert!(received.is_sorted(), "no frame was sent later than one after it");
    received.dedup();
    assert_eq!(u64::try_from(received.len()).unwrap(), arrived, "no frame twice");
    let missing = u64::from(FRAMES) - arrived;
    let told = refused + counts.unsent;
    assert!(
        missing >= told && missing <= told + counts.in_doubt,
        "{missing} missing, {refused} refused, {counts:?}"
    );
    assert!(missing > 0 && !second.received.is_empty(), "the peer was killed in the middle");
    eprintln!("{}: {missing} missing, {refused} refused at once, {counts:?}", link.name());
}

#[tokio::test]
async fn a_daemon_that_was_killed_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bus = buses().keep(&format!("socketcand:{address}/can0").parse().unwrap()).unwrap();
    killed(bus, async move {
        let first = daemon(&listener, Task { send: (0, FRAMES), stop_after: FRAMES as usize / 2 }).await;
        drop(listener);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let listener = TcpListener::bind(address).await.unwrap();
        let second = daemon(&listener, Task { send: (FRAMES, 2 * FRAMES), stop_after: usize::MAX }).await;
        (first, second)
    })
    .await;
}

#[tokio::test]
async fn an_adapter_that_was_unplugged_is_found_again() {
    let _alone = TERMINALS.lock().await;
    let path = std::env::temp_dir().join(format!("coachwork-unplugged-{}", std::process::id()));
    let mut master = adapter(&path);
    let name = format!("slcan:{}?sleep_after_open=0", path.display()).parse().unwrap();
    let bus = buses().open(&name).await.unwrap();
    let other = path.clone();
    killed(bus, async move {
        let first = speak(&mut master, Task { send: (0, FRAMES), stop_after: FRAMES as usize / 2 }).await;
        drop(master);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut master = adapter(&other);
        let second = speak(&mut master, Task { send: (FRAMES, 2 * FRAMES), stop_after: usize::MAX }).await;
        (first, second)
    })
    .await;
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn what_cannot_be_opened_is_said() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = buses().open(&format!("socketcand:{closed}/can0").parse().unwrap()).await.unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("socketcand:{closed}/can0: Connection refused")),
        "{error}"
    );

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = format!("socketcand:{}/can7", listener.local_addr().unwrap()).parse().unwrap();
    let serving =
        tokio::spawn(async move { daemon(&listener, Task { send: (0, 0), stop_after: usize::MAX }).await });
    let error = buses().open(&name).await.unwrap_err();
    assert!(error.to_string().ends_with("the daemon refused `can7`: could not open bus"), "{error}");
    serving.await.unwrap();

    let error = buses().open(&"slcan:/dev/no-such-port".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[cfg(all(feature = "socketcan", target_os = "linux"))]
#[tokio::test]
async fn an_interface_that_is_none_and_a_kernel_without_can_are_said() {
    let error = buses().open(&"socketcan:no-such-can".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "socketcan:no-such-can: there is no CAN interface `no-such-can`");
    // The loopback is an interface, and no CAN one.
    let error = buses().open(&"socketcan:lo".parse().unwrap()).await.unwrap_err().to_string();
    assert!(
        error.contains("this kernel has no CAN sockets") || error.contains("there is no CAN interface"),
        "{error}"
    );
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bus = buses()
        .keep(&format!("socketcand:{}/can0", listener.local_addr().unwrap()).parse().unwrap())
        .unwrap();
    let link = bus.link().unwrap().clone();
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"< hi >< ok >< ok >").await.unwrap();
    assert!(soon(link.up()).await);
    // The stream stays open, and nobody answers the echo.
    let down = async {
        loop {
            if let LinkState::Down { why, .. } = link.state() {
                return why;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert_eq!(&*soon(down).await, "nothing was heard for 400ms");
    drop(bus);
}
