//! A link over a port that a test plays: what comes, what goes, what is lost, and when it is dialled again.

use super::*;
use crate::bus::{Batch, BusError, Carries, FrameSink, FrameSource, Gap, Intake};
use crate::{CanId, Frame};
use async_trait::async_trait;
use coachwork_vehicle::{ManualClock, Monotonic};
use futures::FutureExt;
use futures::executor::block_on;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// What the test and the port share.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the test's")]
struct Wire {
    /// Whether dialling succeeds.
    reachable: bool,
    dialled: Vec<Monotonic>,
    arriving: VecDeque<Result<Frame, &'static str>>,
    /// How many frames the port takes.
    takes: usize,
    sent: Vec<Frame>,
    /// Whether what it took is not written yet.
    holds: bool,
    confirms: bool,
    must_answer: bool,
    probes: usize,
    closed: bool,
    waker: Option<Waker>,
}

#[derive(Clone, Debug, Default)]
struct Played(Arc<Mutex<Wire>>);

impl Played {
    fn with<T>(&self, look: impl FnOnce(&mut Wire) -> T) -> T {
        let mut wire = self.0.lock().unwrap();
        let looked = look(&mut wire);
        if let Some(waker) = wire.waker.take() {
            waker.wake();
        }
        looked
    }

    fn arrive(&self, bytes: impl IntoIterator<Item = u8>) {
        self.with(|wire| wire.arriving.extend(bytes.into_iter().map(|byte| Ok(frame(byte)))));
    }

    fn fail(&self, why: &'static str) {
        self.with(|wire| wire.arriving.push_back(Err(why)));
    }
}

#[async_trait]
impl Dial for Played {
    fn name(&self) -> &'static str {
        "played"
    }

    fn carries(&self) -> Carries {
        Carries { bus: "played", fd: false, remote: false }
    }

    async fn dial(&mut self, clock: &Arc<dyn Clock>) -> io::Result<Box<dyn Port>> {
        self.with(|wire| {
            wire.dialled.push(clock.monotonic());
            let port: Box<dyn Port> = Box::new(self.clone());
            if wire.reachable { Ok(port) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
        })
    }
}

impl Port for Played {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        _now: Timestamp,
        intake: &mut Intake,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.lock().unwrap();
        match wire.arriving.pop_front() {
            Some(Ok(frame)) => intake.frame(frame),
            Some(Err(why)) => return Poll::Ready(Err(io::Error::other(why))),
            None => {
                wire.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
        intake: &mut Intake,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.lock().unwrap();
        while wire.takes > 0
            && let Some(frame) = frames.pop_front()
        {
            wire.takes -= 1;
            wire.sent.push(frame);
            intake.sent();
            if wire.confirms {
                intake.confirmed(1);
            }
        }
        wire.waker = Some(cx.waker().clone());
        if frames.is_empty() && !wire.holds { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn probe(&mut self) -> bool {
        let mut wire = self.0.lock().unwrap();
        wire.probes += 1;
        wire.must_answer
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap().closed = true;
        Poll::Ready(Ok(()))
    }
}

fn frame(byte: u8) -> Frame {
    Frame::new(CanId::standard(1).unwrap(), &[byte]).unwrap()
}

/// A link over a played wire, run by hand.
struct Stand {
    wire: Played,
    clock: ManualClock,
    source: Option<Box<dyn FrameSource>>,
    sink: Option<Arc<dyn FrameSink>>,
    link: Link,
    driver: Driver,
}

fn stand(change: impl FnOnce(&mut LinkOptions)) -> Stand {
    let (wire, clock) = (Played::default(), ManualClock::new(Timestamp::from_seconds(1000)));
    wire.with(|wire| (wire.reachable, wire.takes) = (true, usize::MAX));
    let mut options = LinkOptions { queue: 4, keep_alive: None, seed: 7, ..LinkOptions::default() };
    change(&mut options);
    let (bus, driver) = Link::keep(wire.clone(), Arc::new(clock.clone()), options);
    let link = bus.link().unwrap().clone();
    let (source, sink) = bus.into_parts();
    let mut stand = Stand { wire, clock, source: Some(source), sink, link, driver };
    assert!(stand.turn().is_none());
    stand
}

impl Stand {
    /// Lets the driver run as far as it goes.
    fn turn(&mut self) -> Option<Result<(), coachwork_vehicle::Error>> {
        for _ in 0..20 {
            if let Some(ended) = (&mut self.driver).now_or_never() {
                return Some(ended);
            }
        }
        None
    }

    /// Moves time on in small steps.
    fn wait(&mut self, time: Duration) {
        for _ in 0..100 {
            self.clock.advance(time / 100);
            assert!(self.turn().is_none());
        }
    }

    /// What can be read now.
    fn read(&mut self) -> Option<(Vec<u8>, Option<Gap>, u64)> {
        let mut batch = Batch::new(64);
        self.source.as_mut().unwrap().read(&mut batch).now_or_never()?.unwrap();
        let bytes = batch.frames().iter().map(|frame| frame.data()[0]).collect();
        Some((bytes, batch.gap().cloned(), batch.lost()))
    }

    fn send(&self, byte: u8) -> Result<(), BusError> {
        self.sink.as_ref().unwrap().try_send(&frame(byte))
    }
}

#[test]
fn a_loss_is_a_gap_told_when_it_begins_and_when_it_ends() {
    let mut stand = stand(|_| {});
    stand.wire.with(|wire| wire.confirms = true);
    stand.send(1).unwrap();
    stand.wire.arrive([10, 11]);
    stand.turn();
    // One frame is written and not confirmed, one is accepted and not written.
    stand.wire.with(|wire| (wire.confirms, wire.takes) = (false, 1));
    stand.send(2).unwrap();
    stand.send(3).unwrap();
    stand.turn();
    stand.wire.with(|wire| wire.reachable = false);
    stand.wire.fail("unplugged");
    stand.turn();
    assert_eq!(stand.read().unwrap(), (vec![10, 11], None, 0));
    let (bytes, gap, _) = stand.read().unwrap();
    let began = gap.unwrap();
    assert!(bytes.is_empty() && began.until.is_none() && &*began.why == "unplugged");
    assert_eq!((began.from, began.unsent, began.in_doubt), (Timestamp::from_seconds(1000), 1, 1));
    assert!(stand.read().is_none(), "and then nothing comes");
    assert!(matches!(stand.send(4), Err(BusError::Down(_))));

    stand.wire.with(|wire| (wire.reachable, wire.takes) = (true, usize::MAX));
    stand.wait(Duration::from_secs(40));
    stand.wire.arrive([12]);
    stand.turn();
    let (bytes, gap, _) = stand.read().unwrap();
    let ended = gap.unwrap();
    assert!(ended.until.is_some_and(|until| until > ended.from));
    assert_eq!(Gap { until: None, ..ended }, Gap { why: began.why.clone(), ..began });
    assert_eq!(bytes, [12], "the gap's end is told with what comes after it");
    stand.send(5).unwrap();
    stand.turn();
    let sent: Vec<u8> = stand.wire.with(|wire| wire.sent.iter().map(|frame| frame.data()[0]).collect());
    assert_eq!(sent, [1, 2, 5], "what was not sent is not sent later");
    let counts = stand.link.counts();
    assert_eq!(
        (counts.sent, counts.confirmed, counts.unsent, counts.in_doubt, counts.losses),
        (3, 1, 1, 1, 1)
    );
}

#[test]
fn it_is_dialled_with_growing_waits_and_given_up_where_that_was_asked_for() {
    let mut stand = stand(|options| options.attempts = Some(6));
    stand.wire.with(|wire| wire.reachable = false);
    stand.wire.fail("gone");
    let mut ended = None;
    for _ in 0..100_000 {
        ended = stand.turn();
        if ended.is_some() {
            break;
        }
        stand.clock.advance(Duration::from_millis(1));
    }
    assert!(ended.unwrap().unwrap_err().to_string().contains("connection refused"));
    let dialled = stand.wire.with(|wire| wire.dialled.clone());
    assert_eq!(dialled.len(), 1 + 6);
    for (failures, pair) in dialled.windows(2).enumerate() {
        let bound = Duration::from_millis(251) * (1 << failures);
        assert!(pair[1].saturating_since(pair[0]) <= bound, "{pair:?}");
    }
    assert_eq!((stand.link.counts().failures, stand.link.state()), (6, LinkState::Ended));
    let (_, gap, _) = stand.read().unwrap();
    assert!(gap.is_some());
    let error = block_on(stand.source.as_mut().unwrap().read(&mut Batch::new(1))).unwrap_err();
    assert_eq!(error.to_string(), "connection refused");
    assert!(stand.read().unwrap().0.is_empty(), "then it has ended");
    assert!(matches!(stand.send(1), Err(BusError::Closed)));
}

#[test]
fn a_full_queue_holds_the_link_back_or_drops_the_oldest() {
    let mut waiting = stand(|_| {});
    waiting.wire.arrive(0..10);
    waiting.turn();
    assert_eq!(waiting.wire.with(|wire| wire.arriving.len()), 6, "four frames wait here, the rest there");
    let mut read = Vec::new();
    while read.len() < 10 {
        read.extend(waiting.read().unwrap().0);
        waiting.turn();
    }
    assert!(read.into_iter().eq(0..10));
    assert_eq!(waiting.link.counts().lost, 0);

    let mut dropping = stand(|options| options.when_full = WhenFull::DropOldest);
    dropping.wire.arrive(0..10);
    dropping.turn();
    assert_eq!(dropping.read().unwrap(), (vec![6, 7, 8, 9], None, 6));
    assert_eq!((dropping.link.counts().lost, dropping.link.counts().received), (6, 10));
}

#[test]
fn a_full_way_out_says_so_and_makes_its_caller_wait() {
    let mut stand = stand(|_| {});
    stand.wire.with(|wire| wire.takes = 0);
    for byte in 0..4 {
        stand.send(byte).unwrap();
        stand.turn();
    }
    assert!(matches!(stand.send(4), Err(BusError::Full)));
    let sink = stand.sink.clone().unwrap();
    let last = frame(4);
    let mut waiting = sink.send(&last);
    assert!((&mut waiting).now_or_never().is_none());
    stand.wire.with(|wire| wire.takes = 1);
    stand.turn();
    block_on(waiting).unwrap();
    assert!((stand.link.flushed()).now_or_never().is_none());
    stand.wire.with(|wire| wire.takes = 9);
    stand.turn();
    block_on(stand.link.flushed());
    assert_eq!(stand.link.counts().sent, 5);
    // What the port took and did not write yet is not flushed.
    stand.wire.with(|wire| wire.holds = true);
    stand.send(5).unwrap();
    stand.turn();
    assert!((stand.link.flushed()).now_or_never().is_none());
    stand.wire.with(|wire| wire.holds = false);
    stand.turn();
    block_on(stand.link.flushed());
}

#[test]
fn gaps_without_frames_between_them_are_one_and_nothing_grows() {
    for when_full in [WhenFull::Wait, WhenFull::DropOldest] {
        let mut stand = stand(|options| options.when_full = when_full);
        for round in 0..50 {
            if when_full == WhenFull::DropOldest {
                stand.wire.arrive([round; 3]);
                stand.turn();
            }
            stand.wire.fail("again");
            stand.turn();
            stand.wait(Duration::from_secs(31));
        }
        let mut gaps = Vec::new();
        while let Some((_, gap, _)) = stand.read() {
            gaps.extend(gap);
        }
        assert_eq!(stand.link.counts().losses, 50);
        assert!(gaps.len() <= 5, "{when_full:?}: {} gaps", gaps.len());
        assert_eq!(gaps[0].from, Timestamp::from_seconds(1000), "from the first loss on");
    }
}

#[test]
fn silence_after_a_probe_is_a_loss_only_where_an_answer_is_due() {
    let mut answering = stand(|options| options.keep_alive = Some(Duration::from_secs(5)));
    answering.wire.with(|wire| wire.must_answer = true);
    for _ in 0..10 {
        answering.wait(Duration::from_secs(4));
        answering.wire.arrive([1]);
        answering.turn();
        answering.read().unwrap();
    }
    assert_eq!(answering.link.counts().losses, 0);
    answering.wait(Duration::from_secs(16));
    assert_eq!(answering.link.counts().losses, 1);
    assert_eq!(&*answering.read().unwrap().1.unwrap().why, "nothing was heard for 10s");

    let mut silent = stand(|options| options.keep_alive = Some(Duration::from_secs(5)));
    silent.wait(Duration::from_secs(60));
    assert_eq!(silent.link.counts().losses, 0);
    assert!(silent.wire.with(|wire| wire.probes) > 5);
}

#[test]
fn it_ends_when_both_directions_are_dropped_after_everything_is_written() {
    let mut stand = stand(|_| {});
    stand.wire.with(|wire| wire.takes = 0);
    stand.send(1).unwrap();
    stand.send(2).unwrap();
    (stand.source, stand.sink) = (None, None);
    assert!(stand.turn().is_none(), "two frames are not written yet");
    stand.wire.with(|wire| wire.takes = 9);
    stand.turn().unwrap().unwrap();
    assert_eq!(stand.wire.with(|wire| (wire.sent.len(), wire.closed)), (2, true));
    assert_eq!(stand.link.state(), LinkState::Ended);
}

#[test]
fn what_a_bus_does_not_carry_is_refused_and_filters_hold_back() {
    let mut stand = stand(|options| options.filters = "002:7FF".parse().unwrap());
    let sink = stand.sink.clone().unwrap();
    let id = CanId::standard(1).unwrap();
    let refused = |frame: &Frame| sink.try_send(frame).unwrap_err().to_string();
    assert_eq!(refused(&Frame::fd(id, &[]).unwrap()), "played does not carry CAN FD frames");
    assert_eq!(refused(&Frame::remote(id, 1).unwrap()), "played does not carry remote frames");
    assert_eq!(refused(&Frame::error(1, &[]).unwrap()), "played does not carry error frames");
    stand.wire.arrive([1, 2]);
    stand.turn();
    assert!(stand.read().is_none());
    assert_eq!(stand.link.counts().received, 0);
}

#[test]
fn a_first_attempt_that_fails_says_why() {
    let (wire, clock) = (Played::default(), Arc::new(ManualClock::default()));
    let failed = block_on(Link::dial(wire.clone(), clock.clone(), LinkOptions::default())).unwrap_err();
    assert_eq!(failed.kind(), io::ErrorKind::ConnectionRefused);
    wire.with(|wire| wire.reachable = true);
    let (bus, driver) = block_on(Link::dial(wire, clock, LinkOptions::default())).unwrap();
    assert!(block_on(bus.link().unwrap().up()));
    // Whoever drops the driver ends the link.
    drop(driver);
    assert!(!block_on(bus.link().unwrap().up()));
}
