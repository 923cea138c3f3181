//! Several calls run at once, and are done when the last one is.
//!
//! *Invariant:* dropped early, it drops the calls.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// The results of all calls, in their order.
pub(super) async fn together<F: Future>(calls: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.into_iter().map(Ok).collect();
    poll_fn(|cx| {
        let mut open = false;
        for call in &mut calls {
            if let Ok(running) = call {
                match running.as_mut().poll(cx) {
                    Poll::Ready(done) => *call = Err(done),
                    Poll::Pending => open = true,
                }
            }
        }
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    calls.into_iter().filter_map(Result::err).collect()
}
