//! What travels.

use std::task::Poll;
use std::time::Duration;

use coachwork_transport::{Connection, ConnectionExt, Message, MessageKind, TransportError};
use futures_util::future::join;

use super::{End, Wire, broken, message, receive};
use crate::trial::ensure;
use crate::verdict::{Failure, Ran, Verdict};

/// Messages of both kinds and all sorts of lengths, up to the limit.
fn assorted(wire: &Wire) -> Vec<Message> {
    let limit = wire.limits().message;
    let lengths = [0, 1, 2, 125, 126, 127, 128, 255, 256, 4_096, 65_535, 65_536, limit - 1, limit, 0, 7];
    let fitting = lengths.into_iter().filter(|length| *length <= limit).enumerate();
    let mut all: Vec<_> = fitting.map(|(seed, length)| message(seed, length)).collect();
    all.extend(["", "{}", "a line\nand another", "ünïcödé"].map(Message::text));
    all
}

pub(super) async fn t1_messages_arrive_whole_and_in_order(mut near: End, mut far: End, wire: &Wire) -> Ran {
    let messages = assorted(wire);
    for direction in 0..2 {
        let (from, to) = if direction == 0 { (&mut near, &mut far) } else { (&mut far, &mut near) };
        let received = wire.pass(from, to, &messages).await?;
        for (n, (sent, received)) in messages.iter().zip(&received).enumerate() {
            ensure!(sent == received, "message {n} was {sent:?} and arrived as another: {received:?}");
        }
    }
    Ok(Verdict::Passed)
}

pub(super) async fn t2_parts_are_one_message(mut near: End, mut far: End, wire: &Wire) -> Ran {
    near.feed(MessageKind::Text, &[b"one ", b"", b"message", b"!"]).map_err(broken("feeding parts"))?;
    near.feed(MessageKind::Binary, &[]).map_err(broken("feeding no parts"))?;
    let flush = async { near.flush().await };
    let (flushed, received) = wire.must("a message of parts", join(flush, receive(&mut *far, 2))).await?;
    flushed.map_err(broken("flushing"))?;
    let received = received.map_err(broken("receiving"))?;
    let wanted = [Message::text("one message!"), Message::Binary(bytes::Bytes::new())];
    ensure!(received == wanted, "parts arrive as {received:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn t3_what_is_fed_waits_for_a_flush(mut near: End, mut far: End, wire: &Wire) -> Ran {
    for n in 0..3 {
        near.feed(MessageKind::Binary, &[&[n]]).map_err(broken("feeding"))?;
    }
    let early = wire.within(wire.moment(), far.recv()).await;
    ensure!(early.is_none(), "something arrives before the flush: {early:?}");
    let (flushed, received) =
        wire.must("what was flushed", join(near.flush(), receive(&mut *far, 3))).await?;
    flushed.map_err(broken("flushing"))?;
    let received = received.map_err(broken("receiving"))?;
    let wanted = [0_u8, 1, 2].map(|n| Message::Binary(vec![n].into()));
    ensure!(received == wanted, "three messages of one flush arrive as {received:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn t4_both_ways_at_once(mut near: End, mut far: End, wire: &Wire) -> Ran {
    // More than any buffer on the way holds, so that an end that only writes would wait for ever.
    let length = wire.limits().message.min(64 * 1024);
    let count = 16 * 1024 * 1024 / length.max(1);
    let messages: Vec<_> = (0..8).map(|seed| message(seed, length)).collect();
    let (one, two) = wire
        .must(
            "all messages of both ways",
            join(both(&mut near, &messages, count), both(&mut far, &messages, count)),
        )
        .await?;
    one?;
    two?;
    Ok(Verdict::Passed)
}

/// Sends and receives at once, in one task, as a session does.
async fn both(end: &mut End, messages: &[Message], count: usize) -> Result<(), Failure> {
    let (mut sent, mut received) = (0, 0);
    let mut wrong = None;
    let done = std::future::poll_fn(|cx| {
        loop {
            let mut moved = false;
            while sent < count {
                match end.poll_ready(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
                let Some(message) = messages.get(sent % messages.len().max(1)) else { break };
                end.feed(message.kind(), &[message.data()])?;
                (sent, moved) = (sent + 1, true);
            }
            let flushed = end.poll_flush(cx)?.is_ready();
            while received < count {
                match end.poll_recv(cx)? {
                    Poll::Ready(message) => {
                        let right = messages.get(received % messages.len().max(1)) == Some(&message);
                        if !right {
                            wrong.get_or_insert(received);
                        }
                        (received, moved) = (received + 1, true);
                    }
                    Poll::Pending => break,
                }
            }
            if sent == count && received == count && flushed {
                return Poll::Ready(Ok(()));
            }
            if !moved {
                return Poll::Pending;
            }
        }
    });
    done.await.map_err(broken("sending and receiving at once"))?;
    ensure!(wrong.is_none(), "message {wrong:?} arrives as another");
    Ok(())
}

pub(super) async fn t5_a_dropped_recv_loses_nothing(mut near: End, mut far: End, wire: &Wire) -> Ran {
    let length = wire.limits().message.min(40_000);
    let messages: Vec<_> =
        (0..24).map(|seed| message(seed, if seed % 2 == 0 { length } else { seed })).collect();
    let mut received = Vec::new();
    for two in messages.chunks(2) {
        for message in two {
            near.feed(message.kind(), &[message.data()]).map_err(broken("feeding"))?;
        }
        // Writing and receiving are both dropped somewhere in the middle, some of them before their first step.
        for time in [Duration::ZERO, Duration::ZERO, Duration::from_micros(1), Duration::ZERO] {
            if let Some(flushed) = wire.within(time, near.flush()).await {
                flushed.map_err(broken("flushing"))?;
            }
            drop(far.recv());
            if let Some(message) = wire.within(time, far.recv()).await {
                received.push(message.map_err(broken("receiving"))?);
            }
        }
        let flushed = wire.must("a flush", flushed_and_read(&mut *near, &mut *far, &mut received)).await?;
        flushed.map_err(broken("flushing or receiving"))?;
    }
    let rest = messages.len() - received.len();
    received.extend(wire.must("the rest", receive(&mut *far, rest)).await?.map_err(broken("receiving"))?);
    ensure!(received == messages, "of {} messages, dropped calls lost or changed some", messages.len());
    Ok(Verdict::Passed)
}

/// Flushes one end, and receives at the other what arrives meanwhile, to make room on the way.
async fn flushed_and_read(
    near: &mut dyn Connection,
    far: &mut dyn Connection,
    received: &mut Vec<Message>,
) -> Result<(), TransportError> {
    std::future::poll_fn(|cx| {
        let flushed = near.poll_flush(cx)?;
        while let Poll::Ready(message) = far.poll_recv(cx)? {
            received.push(message);
        }
        flushed.map(Ok)
    })
    .await
}

pub(super) async fn t6_a_connection_names_its_peer(mut near: End, mut far: End, wire: &Wire) -> Ran {
    let before = (near.info().clone(), far.info().clone());
    let named = !before.0.peer.is_empty() && !before.1.peer.is_empty();
    ensure!(named, "a peer has no name: {before:?}");
    wire.pass(&mut *near, &mut *far, &[Message::text("hello")]).await?;
    ensure!(before == (near.info().clone(), far.info().clone()), "what is known of a link has changed");
    ensure!(before.0.subprotocol == before.1.subprotocol, "two ends agreed on different subprotocols");
    Ok(Verdict::Passed)
}
