//! Exchanges numbered frames with a peer on a bus and says what arrived: `exchange NAME FRAMES [cut]`.
//!
//! The peer sends the frames 0 to FRAMES - 1 once it hears the first one from here. With `cut` somebody takes the link away in the middle; then the
//! peer's successor sends FRAMES to 2 * FRAMES - 1. One JSON object says how it went. `crates/can/scripts/interop_bus` runs it against python-can.

#![allow(clippy::print_stdout)]

use coachwork_can::bus::{Batch, BusError, BusName, FrameSink, FrameSource, Gap, Link};
use coachwork_can::{CanId, Frame};
use coachwork_tokio::can::Buses;
use coachwork_vehicle::Backoff;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The frame of this number: every third has an extended identifier, and the lengths are 4 to 8.
fn numbered(number: u32) -> Option<Frame> {
    let id = if number.is_multiple_of(3) { CanId::extended(number) } else { CanId::standard(number & 0x7FF) };
    let mut data = [0xA5; 8];
    data[..4].copy_from_slice(&number.to_be_bytes());
    Frame::new(id?, data.get(..4 + usize::try_from(number % 5).ok()?)?).ok()
}

/// The number of a frame, where it is as [`numbered`] makes it.
fn number(frame: &Frame) -> Option<u32> {
    let number = u32::from_be_bytes(*frame.data().first_chunk()?);
    let made = numbered(number)?;
    (made.id() == frame.id() && made.data() == frame.data()).then_some(number)
}

struct Received {
    numbers: Vec<u32>,
    wrong: u64,
    gaps: Vec<Gap>,
    took: Duration,
}

async fn receive(mut source: Box<dyn FrameSource>, last: u32) -> Result<Received, BusError> {
    let mut received = Received { numbers: Vec::new(), wrong: 0, gaps: Vec::new(), took: Duration::ZERO };
    let (mut batch, mut began) = (Batch::new(256), None);
    while received.numbers.last() != Some(&last) {
        source.read(&mut batch).await?;
        if batch.is_empty() {
            break;
        }
        let began = *began.get_or_insert_with(Instant::now);
        received.gaps.extend(batch.gap().cloned());
        for frame in batch.frames() {
            match number(frame) {
                Some(number) => received.numbers.push(number),
                None => received.wrong += 1,
            }
        }
        batch.clear();
        received.took = began.elapsed();
    }
    Ok(received)
}

/// Sends all frames; says how many were refused because the link was down, and how long it took.
async fn send(
    sink: Arc<dyn FrameSink>,
    link: Link,
    frames: u32,
    cut: bool,
) -> Result<(u64, Duration), BusError> {
    let (mut refused, began) = (0, Instant::now());
    for number in 0..frames {
        // What is left then is for the peer's successor.
        while cut && number == frames / 4 * 3 && link.counts().losses == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        let Some(frame) = numbered(number) else { continue };
        match sink.send(&frame).await {
            Err(BusError::Down(_)) => {
                refused += 1;
                sleep(Duration::from_millis(1)).await;
            }
            sent => sent?,
        }
    }
    link.flushed().await;
    Ok((refused, began.elapsed()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let name: BusName = arguments.next().ok_or("the name of a bus")?.parse()?;
    let frames: u32 = arguments.next().ok_or("a number of frames")?.parse()?;
    let cut = arguments.next().is_some_and(|word| word == "cut");
    let buses = Buses::new()?.with_options(|options| {
        options.backoff = Backoff { first: Duration::from_millis(50), most: Duration::from_millis(500) };
    });
    let bus = buses.keep(&name)?;
    let link = bus.link().ok_or("a bus with a link")?.clone();
    let (source, sink) = bus.into_parts();
    link.up().await;
    let sending = tokio::spawn(send(sink.ok_or("a bus that is written")?, link.clone(), frames, cut));
    let last = if cut { 2 * frames - 1 } else { frames - 1 };
    let received = tokio::time::timeout(Duration::from_secs(600), receive(source, last)).await??;
    let (refused, sent_in) = tokio::time::timeout(Duration::from_secs(600), sending).await???;

    let (first, second): (Vec<u32>, Vec<u32>) = received.numbers.iter().partition(|number| **number < frames);
    let whole = |numbers: &[u32], from: u32| numbers.iter().copied().eq((from..).take(numbers.len()));
    let counts = link.counts();
    let gaps: Vec<String> = received.gaps.iter().map(|gap| format!("{:?}", gap.to_string())).collect();
    println!(
        "{{\"received\": {}, \"of_second\": {}, \"in_order\": {}, \"wrong\": {}, \"receive_seconds\": {:.3}, \"send_seconds\": {:.3}, \
         \"sent\": {}, \"confirmed\": {}, \"refused_while_down\": {refused}, \"unsent\": {}, \"in_doubt\": {}, \"lost\": {}, \"bad\": {}, \
         \"losses\": {}, \"gaps\": [{}]}}",
        received.numbers.len(),
        second.len(),
        whole(&first, 0) && whole(&second, frames),
        received.wrong,
        received.took.as_secs_f64(),
        sent_in.as_secs_f64(),
        counts.sent,
        counts.confirmed,
        counts.unsent,
        counts.in_doubt,
        counts.lost,
        counts.bad,
        counts.losses,
        gaps.join(", ")
    );
    Ok(())
}
