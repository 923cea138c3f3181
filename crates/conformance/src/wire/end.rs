//! How it ends.

use std::future::poll_fn;

use coachwork_transport::{
    CloseCode, CloseReason, Connection, ConnectionExt, Message, MessageKind, TransportError,
};
use futures_util::future::join;

use super::{End, Wire, broken, receive};
use crate::trial::ensure;
use crate::verdict::{Failure, Ran, Verdict};

fn reason() -> CloseReason {
    CloseReason::new(CloseCode::GoingAway, "back in an hour")
}

pub(super) async fn t10_a_close_brings_what_was_fed_and_the_reason(
    mut near: End,
    mut far: End,
    wire: &Wire,
) -> Ran {
    let last = [Message::text("one more thing"), Message::text("and another")];
    for message in &last {
        near.feed(message.kind(), &[message.data()]).map_err(broken("feeding"))?;
    }
    let read = async {
        let received = receive(&mut *far, last.len()).await?;
        Ok::<_, TransportError>((received, far.recv().await))
    };
    let (closed, read) = wire.must("the end", join(near.close(reason()), read)).await?;
    closed.map_err(broken("closing"))?;
    let (received, end) = read.map_err(broken("receiving"))?;
    ensure!(received == last, "what was fed before the close arrives as {received:?}");
    match end {
        Err(TransportError::Closed { reason: seen, .. }) if seen == reason() => Ok(Verdict::Passed),
        other => Err(Failure::new(format!("closed with {:?}, and the peer is told {other:?}", reason()))),
    }
}

/// What every call of an ended connection answers.
async fn all_calls(end: &mut dyn Connection, wire: &Wire) -> Result<(), Failure> {
    let fatal = |what: &str, error: Option<TransportError>| {
        let right = error.as_ref().is_some_and(TransportError::is_fatal);
        if right { Ok(()) } else { Err(Failure::new(format!("after the end, {what} is answered {error:?}"))) }
    };
    for _ in 0..2 {
        fatal("recv", wire.must("a recv after the end", end.recv()).await?.err())?;
        fatal("ready", wire.must("ready after the end", poll_fn(|cx| end.poll_ready(cx))).await?.err())?;
        fatal("feed", end.feed(MessageKind::Text, &[b"late"]).err())?;
        fatal("flush", wire.must("a flush after the end", end.flush()).await?.err())?;
        // A second close is an error or nothing, as the link has it; it must not hang.
        drop(wire.must("a close after the end", end.close(CloseReason::normal())).await?);
    }
    Ok(())
}

pub(super) async fn t11_after_the_end_every_call_fails(mut near: End, mut far: End, wire: &Wire) -> Ran {
    let (closed, told) = wire.must("the end", join(near.close(reason()), far.recv())).await?;
    closed.map_err(broken("closing"))?;
    ensure!(told.is_err(), "a closed link brings {told:?}");
    all_calls(&mut *near, wire).await?;
    all_calls(&mut *far, wire).await?;
    Ok(Verdict::Passed)
}

pub(super) async fn t12_a_peer_that_is_gone_is_noticed(near: End, mut far: End, wire: &Wire) -> Ran {
    drop(near);
    let gone = wire.must("word that the peer is gone", far.recv()).await?;
    let fatal = gone.as_ref().is_err_and(TransportError::is_fatal);
    ensure!(fatal, "the peer is gone, and a recv is answered {gone:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn t13_debug_shows_no_message(mut near: End, mut far: End, wire: &Wire) -> Ran {
    const SECRET: &str = "the credential of somebody";
    near.feed(MessageKind::Text, &[SECRET.as_bytes()]).map_err(broken("feeding"))?;
    let fed = format!("{near:?} {far:?}");
    let (flushed, received) = wire.must("a message", join(near.flush(), receive(&mut *far, 1))).await?;
    flushed.map_err(broken("flushing"))?;
    let received = received.map_err(broken("receiving"))?;
    let shown = format!("{fed} {near:?} {far:?} {received:?}");
    let bytes = format!("{:?}", SECRET.as_bytes());
    let inner = bytes.trim_matches(['[', ']']);
    ensure!(!shown.contains(SECRET) && !shown.contains(inner), "Debug shows what a message holds: {shown}");
    Ok(Verdict::Passed)
}
