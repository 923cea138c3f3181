//! What a client hears: the meanings that a message of the server can have.
//!
//! *Next:* `receive.rs`, which tells which it is.

use bytes::Bytes;
use coachwork_vehicle::{Datapoint, Each, Error, Event, Outcome, Stage};

use super::Ticket;
use crate::viss::{Metadata, SubscriptionId};

/// What a message of the server means.
#[derive(Debug)]
#[non_exhaustive]
pub enum Arrived {
    /// A request is settled.
    Answer {
        /// The request.
        ticket: Ticket,
        /// What the server says.
        answer: Result<Reply, Error>,
    },
    /// A subscription tells something. After [`Event::Ended`] it is gone.
    Event {
        /// The subscription.
        subscription: SubscriptionId,
        /// What it tells.
        event: Event,
        /// How many datapoints of signals that the catalogue does not have were left out.
        unknown: usize,
    },
    /// A server of pure VISS says that something temporary is wrong with a subscription. By the standard it has ended; there are servers that go on
    /// with it after a gap. Unsubscribe, and subscribe anew.
    Interrupted {
        /// The subscription, which still stands here.
        subscription: SubscriptionId,
        /// What the server says.
        error: Error,
    },
    /// A receipt of a set is settled.
    Receipt {
        /// The request.
        ticket: Ticket,
        /// Its place among the items of the request.
        index: usize,
        /// How it ended.
        outcome: Outcome,
    },
    /// The server has a newer catalogue, of this number: ask for the metadata again.
    CatalogueChanged {
        /// The number.
        revision: u64,
    },
    /// Nothing but a message to send: a subscription that nobody waited for any more is to be ended.
    Send(Bytes),
    /// Nothing: the answer to a request that was cancelled or had its time, or an event of a subscription that is gone.
    Nothing,
}

/// The answer to a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// To a get: one datapoint for each signal, in the order asked.
    Points(Each<Datapoint>),
    /// To a request for metadata.
    Metadata(Metadata),
    /// To a request for history: what was recorded of each signal, the oldest first, in the order asked.
    History(Each<Vec<Datapoint>>),
    /// To a set: how far each item has come, in the order asked. What is accepted is settled later by an [`Arrived::Receipt`], if
    /// the server gives additional members; otherwise nothing more is heard of it.
    Set(Each<Stage>),
    /// To a subscribe: the subscription stands.
    Subscribed {
        /// Its name.
        subscription: SubscriptionId,
        /// The signals that it does not cover at present, by path, with the reason.
        refused: Vec<(String, Error)>,
    },
    /// To an unsubscribe.
    Unsubscribed,
    /// To a delivery.
    Delivered {
        /// The highest number of its lane that is stored, zero where there is none.
        stored: u64,
        /// The note behind it, where that one will never be.
        refused: Option<u64>,
    },
}
