//! What a peer was served, counted for it and for the gateway.
//!
//! *Invariant:* the gateway's counters are brought up to date once a turn, not with each thing that is counted.
//! *Next:* `../counters.rs` (the gateway's), `../observer.rs` (who is told).

use coachwork_vehicle::ErrorKind;

use super::Peer;
use crate::observer::{Happened, Tally};

impl Peer {
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.tally.bytes_out += bytes as u64;
        self.outgoing.spend(bytes);
        self.throttled(self.outgoing.is_spent());
    }

    pub(super) fn throttled(&self, is_spent: bool) {
        if is_spent {
            self.shared.counted.throttled.add(1);
            self.shared.tell(&Happened::Throttled { connection: self.number });
        }
    }

    pub(super) fn refused(&mut self, action: &'static str, kind: ErrorKind) {
        self.tally.refused += 1;
        self.shared.tell(&Happened::Refused { connection: self.number, action, kind });
    }

    /// Adds what was done since the last time to what the gateway has done.
    pub(super) fn count(&mut self) {
        let (now, told) = (self.tally, std::mem::replace(&mut self.told, self.tally));
        if now == told {
            return;
        }
        let counted = &self.shared.counted;
        for (count, now, told) in [
            (&counted.requests, now.requests, told.requests),
            (&counted.refused, now.refused, told.refused),
            (&counted.bytes_in, now.bytes_in, told.bytes_in),
            (&counted.bytes_out, now.bytes_out, told.bytes_out),
            (&counted.datapoints, now.datapoints, told.datapoints),
            (&counted.lagged, now.lagged, told.lagged),
        ] {
            if now != told {
                count.add(now - told);
            }
        }
    }

    /// What it was served, all of it counted.
    pub(super) fn tally(&mut self) -> Tally {
        self.count();
        self.tally
    }
}
