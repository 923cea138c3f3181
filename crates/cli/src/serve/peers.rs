//! What peers do at a gateway becomes lines for the report.
//!
//! *Invariant:* a gateway never waits for its report: lines that it has no room for are counted, and that is said. No credential and no value is in them.
//! *Next:* `running.rs`, which writes them down.

use std::sync::atomic::{AtomicU64, Ordering};

use coachwork_gateway::{Happened, Observer};
use tokio::sync::mpsc::Sender;

/// Tells of peers.
#[derive(Debug)]
pub(super) struct Peers {
    lines: Sender<String>,
    /// Lines that there was no room for.
    missed: AtomicU64,
}

impl Peers {
    pub(super) fn new(lines: Sender<String>) -> Self {
        Self { lines, missed: AtomicU64::new(0) }
    }
}

impl Observer for Peers {
    fn happened(&self, what: &Happened<'_>) {
        let Some(line) = line(what) else { return };
        let missed = self.missed.swap(0, Ordering::Relaxed);
        let line = if missed > 0 { format!("{line} ({missed} lines before it are missing)") } else { line };
        if self.lines.try_send(line).is_err() {
            self.missed.fetch_add(missed + 1, Ordering::Relaxed);
        }
    }
}

fn line(what: &Happened<'_>) -> Option<String> {
    Some(match *what {
        Happened::Arrived { connection, peer, security } => {
            format!("peer {connection} came in: {peer}, {}", format!("{security:?}").to_lowercase())
        }
        Happened::TurnedAway { peer, why } => {
            format!("{} was turned away: {why}", peer.unwrap_or("somebody"))
        }
        Happened::Refused { connection, action, kind } => {
            format!("peer {connection}: {action} refused: {kind:?}")
        }
        Happened::Lagged { connection, count } => {
            format!("peer {connection} was too slow for {count} datapoints")
        }
        Happened::Throttled { connection } => format!("peer {connection} is above its bytes in a second"),
        Happened::Renewed { connection } => {
            format!("peer {connection}: a subscription goes on by another token")
        }
        Happened::Left { connection, tally, cut_off } => {
            let why = cut_off.map_or_else(String::new, |why| format!(", cut off: {why}"));
            format!(
                "peer {connection} left{why}; {} requests, {} refused, {} datapoints, {} bytes in, {} bytes out",
                tally.requests, tally.refused, tally.datapoints, tally.bytes_in, tally.bytes_out
            )
        }
        _ => return None,
    })
}
