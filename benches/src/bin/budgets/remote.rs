//! A gateway at the other end of a socket, beside bare sockets and a databroker: round trips, events, floods, and what it holds.
//!
//! *Invariant:* both sides of a ratio are measured in turn by the same peer; in a flood nothing may be missing, which is checked value by value.
//! *Next:* `remote/` (the lines, by kind); `../../remote/` (the server's process, and the peers).

#![allow(clippy::disallowed_methods)]

mod databroker;
mod fed;
mod floods;
mod held;
mod trips;

use coachwork_benches::line::Line;
use coachwork_benches::remote::child::Served;
use coachwork_benches::remote::event::{Reading, values};
use coachwork_benches::remote::link::Link;
use coachwork_benches::remote::{PEERS, SERVER, SIGNAL, pin, unpin};

use crate::Run;

/// Where the peers run.
const CORES: [(&str, usize); 2] = [("same core", SERVER), ("cross core", PEERS)];

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let mut lines = Vec::new();
    runtime().block_on(async {
        for (cores, processor) in CORES {
            let served = Served::start();
            pin(processor);
            trips::gets(run, &served, cores, &mut lines).await;
            trips::events(run, &served, cores, &mut lines).await;
            unpin();
        }
        for readers in [1, 8, 100] {
            floods::floods(run, readers, &mut lines).await;
        }
        fed::fed(run, &mut lines).await;
        floods::others(run, &mut lines).await;
        trips::last_of_many(run, &mut lines).await;
        held::described(run, &mut lines).await;
        held::held(run, &mut lines).await;
        held::slow(&mut lines).await;
    });
    lines
}

/// The same work for ours and for KUKSA's databroker.
pub(crate) fn beside_databroker(run: &Run) -> Vec<Line> {
    runtime().block_on(databroker::measure(run))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn quantile(sorted: &[f64], of: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * of) as usize]
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

async fn peers(served: &Served, count: usize) -> Vec<Link> {
    let mut links = Vec::new();
    for _ in 0..count {
        links.push(subscribed(Link::websocket(served.websocket, "VISSv3").await).await);
    }
    links
}
