//! What is bounded.

use std::future::poll_fn;
use std::task::Poll;

use coachwork_transport::{ConnectionExt, Message, MessageKind, TransportError};
use futures_util::future::join;

use super::{End, Wire, broken, message, receive};
use crate::trial::{ensure, skip};
use crate::verdict::{Ran, Verdict};

/// What may be under way in buffers that are not the transport's own: the kernel's.
const ON_THE_WAY: usize = 64 * 1024 * 1024;

pub(super) async fn t7_a_message_above_the_limit_is_not_taken(
    mut near: End,
    mut far: End,
    wire: &Wire,
) -> Ran {
    let limit = wire.limits().message;
    if limit > 16 * 1024 * 1024 {
        return skip("the limit of a message is above 16 MiB");
    }
    let large = message(1, limit + 1);
    let (head, tail) = large.data().split_at(limit / 2);
    let refused = near.feed(MessageKind::Binary, &[head, tail]);
    let right = matches!(&refused, Err(error @ TransportError::TooLargeToSend { size, .. }) if *size == limit + 1 && !error.is_fatal());
    ensure!(right, "a message above the limit is answered {refused:?}");
    let received = wire.pass(&mut *near, &mut *far, &[Message::text("still here")]).await?;
    ensure!(
        received == [Message::text("still here")],
        "after a message that was not taken, {received:?} arrives"
    );
    Ok(Verdict::Passed)
}

pub(super) async fn t8_a_full_buffer_takes_nothing(mut near: End, mut far: End, wire: &Wire) -> Ran {
    let length = wire.limits().message.clamp(1, 16 * 1024);
    let most = wire.limits().write_buffer / length + wire.limits().message / length + 2;
    let mut fed = Vec::new();
    let refused = loop {
        let next = message(fed.len(), length);
        match near.feed(next.kind(), &[next.data()]) {
            Ok(()) => fed.push(next),
            Err(error) => break error,
        }
        ensure!(fed.len() <= most, "{} bytes were fed and no limit was reached", fed.len() * length);
    };
    let full = matches!(refused, TransportError::Full { .. }) && !refused.is_fatal();
    ensure!(full, "a full buffer is answered {refused:?}");
    let count = fed.len();
    let (flushed, received) =
        wire.must("what was fed", join(near.flush(), receive(&mut *far, count))).await?;
    flushed.map_err(broken("flushing"))?;
    let received = received.map_err(broken("receiving"))?;
    ensure!(received == fed, "of {count} messages that were fed before the buffer was full, others arrive");
    wire.must("room", poll_fn(|cx| near.poll_ready(cx))).await?.map_err(broken("waiting for room"))?;
    let last = wire.pass(&mut *near, &mut *far, &[Message::text("room again")]).await?;
    ensure!(last == [Message::text("room again")], "after a full buffer, {last:?} arrives");
    Ok(Verdict::Passed)
}

pub(super) async fn t9_a_slow_reader_holds_the_sender_back(mut near: End, mut far: End, wire: &Wire) -> Ran {
    let length = wire.limits().message.clamp(1, 64 * 1024);
    let most = ON_THE_WAY / length;
    let messages = [0, 1, 2, 3].map(|seed| message(seed, length));
    let [first, second, third, fourth] = &messages;
    let nth = |n: usize| match n % 4 {
        0 => first,
        1 => second,
        2 => third,
        _ => fourth,
    };
    let mut sent = 0;
    // Nobody reads: at some time there is no room, and the sender waits instead of gathering more.
    let held = loop {
        let next = nth(sent);
        let step = poll_fn(|cx| match near.poll_ready(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(near.feed(next.kind(), &[next.data()])),
            other => other,
        });
        match wire.within(wire.moment(), step).await {
            Some(taken) => taken.map_err(broken("sending"))?,
            None => break true,
        }
        sent += 1;
        let flush = poll_fn(|cx| match near.poll_flush(cx) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => Poll::Ready(Ok(())),
        });
        flush.await.map_err(broken("flushing"))?;
        if sent > most {
            break false;
        }
    };
    ensure!(held, "nobody reads, and the sender took {} MiB", sent * length / 1024 / 1024);
    let (flushed, received) = wire.must("all of it", join(near.flush(), receive(&mut *far, sent))).await?;
    flushed.map_err(broken("flushing"))?;
    let received = received.map_err(broken("receiving"))?;
    let whole = received.iter().enumerate().all(|(n, got)| got == nth(n));
    ensure!(whole, "what was held back arrives changed or in another order");
    Ok(Verdict::Passed)
}
