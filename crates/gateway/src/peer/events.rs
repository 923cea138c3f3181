//! What a subscription says becomes messages, in the words of the peer.
//!
//! *Invariant:* an event is encoded once for all peers that are told the same. Of a subscription that is gone nothing is said any more.
//! *Next:* `../peer.rs` (which writes them), `../encoded.rs` (what is shared), `../feeds.rs` (where they come from).

use coachwork_transport::viss::{EncodedEvent, SubscriptionId};
use coachwork_transport::{CloseCode, CloseReason, Moment};
use coachwork_vehicle::{Datapoint, Event, Permission, Reason, SignalId};

use super::{End, Peer};
use crate::observer::Happened;
use crate::options::SlowPeers;

/// How many datapoints go into one message.
const POINTS: usize = 256;

impl Peer {
    /// An event of a subscription, in the words of the peer.
    pub(super) fn tell(&mut self, id: SubscriptionId, event: Event, now: Moment) {
        if let Event::Lagged(count) = event {
            self.lagged(count);
        }
        let form = self.session.form();
        let Some(feed) = self.feeds.feed_mut(&id) else { return };
        match event {
            Event::Changed(points) => {
                let points = points.iter().map(|(signal, point)| (signal, point.clone()));
                let points: Vec<(SignalId, Datapoint)> = match &mut feed.trigger {
                    Some(trigger) => trigger.admit(points),
                    None => points.collect(),
                };
                self.tally.datapoints += points.len() as u64;
                let catalogue = feed.subscription.catalogue().clone();
                for part in points.chunks(POINTS) {
                    let shared = self.shared.counted.subscriptions.load() > 1;
                    let encoded = self.shared.events.points(form, part, &catalogue, now.time, shared);
                    self.events.push_back((id.clone(), encoded));
                }
            }
            event => {
                // Pure VISS has no word for a right that goes while others stay: there, access is all or nothing.
                let event = denied(&event).filter(|_| !form.additions).map_or(event, Event::Ended);
                let catalogue = feed.subscription.catalogue();
                let encoded = EncodedEvent::new(form, &event, catalogue, now.time);
                self.events.extend(encoded.map(|encoded| (id, encoded)));
            }
        }
    }

    pub(super) fn forget(&mut self, subscription: &SubscriptionId) {
        self.feeds.remove(subscription);
        self.events.retain(|(id, _)| id != subscription);
    }

    /// The peer is told, where its dialect has a word for it, and goes where the gateway has no patience.
    pub(super) fn lagged(&mut self, count: u64) {
        self.tally.lagged += count;
        self.shared.tell(&Happened::Lagged { connection: self.number, count });
        if let SlowPeers::Cut { after } = self.shared.options.slow_peers
            && self.tally.lagged > after
        {
            let text = format!("too slow: {} datapoints were lost", self.tally.lagged);
            self.end = Some(End { reason: Some(CloseReason::new(CloseCode::Policy, text)), cut_off: true });
        }
    }
}

/// Why a signal may not be read any more, if that is what happened.
fn denied(event: &Event) -> Option<Reason> {
    let Event::Access(changes) = event else { return None };
    changes.iter().find_map(|(_, permission)| match permission {
        Permission::Denied(why) => Some(why.clone()),
        _ => None,
    })
}
