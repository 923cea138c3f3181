//! A newer token for a link that stands: asked for before the present one ends, and when the gateway says that it has.
//!
//! *Invariant:* the link goes on with the token it has until there is another one. A source is asked once at a time, and not more often
//! than every [`PAUSE`], unless it says so itself.
//! *Next:* `driver.rs` (which polls it), `token.rs` (where tokens come from).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use coachwork_vehicle::{Error, Monotonic, Timestamp};

use crate::shared::Shared;
use crate::token::Token;

/// How long to wait after a source had no token, or after a gateway did not take the newest one.
const PAUSE: Duration = Duration::from_secs(5);

type Asking = Pin<Box<dyn Future<Output = Result<Token, Error>> + Send>>;

#[derive(Default)]
pub(crate) struct Renewal {
    due: Option<Monotonic>,
    /// When the source was asked last.
    last: Option<Monotonic>,
    asking: Option<Asking>,
}

impl Renewal {
    /// `renew`: when the token that the link began with wants to be renewed.
    pub(crate) fn new(shared: &Shared, renew: Option<Timestamp>) -> Self {
        Self { due: renew.map(|at| at_least_now(shared, at)), last: None, asking: None }
    }

    /// When to poll it next; while it waits for the source, that wakes.
    pub(crate) fn due(&self) -> Option<Monotonic> {
        self.due.filter(|_| self.asking.is_none())
    }

    pub(crate) fn poll(&mut self, shared: &Arc<Shared>, cx: &mut Context<'_>) {
        let Some(source) = &shared.options.tokens else { return };
        let now = shared.clock.monotonic();
        if shared.was_told_to_renew() {
            let next = self.last.map_or(now, |last| last.saturating_add(PAUSE).max(now));
            self.due = Some(self.due.map_or(next, |due| due.min(next)));
        }
        if self.asking.is_none() && self.due.is_some_and(|due| due <= now) {
            let source = source.clone();
            (self.due, self.last) = (None, Some(now));
            self.asking = Some(Box::pin(async move { source.token().await }));
        }
        let Some(asking) = &mut self.asking else { return };
        let Poll::Ready(token) = asking.as_mut().poll(cx) else { return };
        self.asking = None;
        self.due = match token {
            Ok(token) => {
                let next = token.renew.map(|at| at_least_now(shared, at));
                shared.show(token);
                // A source that gives the same token once more is not asked in a loop.
                next.map(|next| next.max(now.saturating_add(Duration::from_secs(1))))
            }
            Err(_) => Some(now.saturating_add(PAUSE)),
        };
    }
}

fn at_least_now(shared: &Shared, at: Timestamp) -> Monotonic {
    shared.clock.monotonic().saturating_add(at.saturating_since(shared.clock.now()))
}
