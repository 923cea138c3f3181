//! Two buses become one where filters let frames through: what one receives is sent on the other.
//!
//! *Invariant:* a gateway sends nothing that it did not receive, and passes nothing on twice: a frame that a bus marks as sent by this node stays,
//! as do error frames. A bus that gives back what was sent on it (SocketCAN with `receive_own_messages`) must not be given to a gateway. Where the other bus is down, frames are dropped and counted, for they would be old.
//! *Next:* `filter.rs` (what passes), `link` (buses that come back).

use super::{Batch, Bus, BusError, FrameSink, FrameSource, IdFilters};
use crate::error::bus_error;
use crate::{Channel, Direction};
use coachwork_vehicle::{Driver, Error};
use futures_util::future::{Either, select};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A gateway between two buses, of which each direction has its own filters. It is a look at the counts; the driver does the work.
///
/// ```
/// use coachwork_can::bus::{Batch, BusGateway, IdFilters, VirtualBus};
/// use coachwork_can::{CanId, Frame};
/// use futures::task::SpawnExt;
///
/// let (body, drive) = (VirtualBus::new("body", 8), VirtualBus::new("drive", 8));
/// let (_, sender) = drive.connect().into_parts();
/// let (mut listener, _) = body.connect().into_parts();
/// // Everything from the body to the drive, and of the drive the wheel speeds alone.
/// let (gateway, driver) =
///     BusGateway::new(body.connect(), drive.connect(), IdFilters::default(), "0B0:7F0".parse()?);
/// let mut pool = futures::executor::LocalPool::new();
/// pool.spawner().spawn(async move { drop(driver.await) })?;
/// pool.run_until(async {
///     let sender = sender.ok_or("a bus that is written")?;
///     for id in [0x0B4, 0x200, 0x0B6] {
///         sender.send(&Frame::new(CanId::standard(id).ok_or("not an id")?, &[])?).await?;
///     }
///     let mut batch = Batch::new(8);
///     while batch.frames().len() < 2 {
///         listener.read(&mut batch).await?;
///     }
///     assert_eq!(gateway.counts().to_first.passed, 2);
///     assert_eq!(gateway.counts().to_first.filtered, 1);
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BusGateway(Arc<[Counters; 2]>);

/// What a gateway did in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayCounts {
    /// From the first bus to the second.
    pub to_second: Passage,
    /// From the second bus to the first.
    pub to_first: Passage,
}

/// What a gateway did in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passage {
    /// Frames that were passed on.
    pub passed: u64,
    /// Frames that the filters held back.
    pub filtered: u64,
    /// Frames that stay where they are: error frames, and what this node sent itself.
    pub kept: u64,
    /// Frames that were dropped because the other bus was down, or does not carry such frames.
    pub dropped: u64,
    /// Frames that the source says it lost.
    pub lost: u64,
    /// Times without a link to the source.
    pub gaps: u64,
}

#[derive(Debug, Default)]
struct Counters {
    passed: AtomicU64,
    filtered: AtomicU64,
    kept: AtomicU64,
    dropped: AtomicU64,
    lost: AtomicU64,
    gaps: AtomicU64,
}

impl BusGateway {
    /// A gateway between two buses: what passes `to_second` goes from the first to the second, what passes `to_first` the other way. A bus
    /// without a sending side is only read. Empty filters let everything through; not to pass anything, give [`Bus::listening`].
    ///
    /// The driver ends when a bus has ended (a log at its end, a link that is kept by nobody), with an error where it failed.
    pub fn new(first: Bus, second: Bus, to_second: IdFilters, to_first: IdFilters) -> (Self, Driver) {
        let gateway = Self(Arc::default());
        let counters = Arc::clone(&gateway.0);
        let (first_source, first_sink) = first.into_parts();
        let (second_source, second_sink) = second.into_parts();
        let run = async move {
            let [there, back] = &*counters;
            let there = pass(first_source, second_sink, &to_second, there);
            let back = pass(second_source, first_sink, &to_first, back);
            match select(pin!(there), pin!(back)).await {
                Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
            }
        };
        (gateway, Driver::new(run))
    }

    /// What it did so far.
    pub fn counts(&self) -> GatewayCounts {
        let [there, back] = &*self.0;
        GatewayCounts { to_second: there.read(), to_first: back.read() }
    }
}

impl Counters {
    fn read(&self) -> Passage {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Passage {
            passed: of(&self.passed),
            filtered: of(&self.filtered),
            kept: of(&self.kept),
            dropped: of(&self.dropped),
            lost: of(&self.lost),
            gaps: of(&self.gaps),
        }
    }
}

/// How many frames are read at once.
const BATCH: usize = 64;

/// Passes frames on, in one direction.
async fn pass(
    mut source: Box<dyn FrameSource>,
    sink: Option<Arc<dyn FrameSink>>,
    filters: &IdFilters,
    counters: &Counters,
) -> Result<(), Error> {
    let count = |counter: &AtomicU64, frames| counter.fetch_add(frames, Ordering::Relaxed);
    let mut batch = Batch::new(BATCH);
    loop {
        let read = source.read(&mut batch).await;
        count(&counters.lost, batch.lost());
        count(&counters.gaps, u64::from(batch.gap().is_some_and(|gap| gap.until.is_none())));
        read.map_err(|error| bus_error(error, source.name()))?;
        if batch.is_empty() {
            return Ok(());
        }
        for frame in batch.frames() {
            let is_own = frame.direction() == Some(Direction::Transmitted);
            if frame.is_error() || is_own {
                count(&counters.kept, 1);
                continue;
            }
            let Some(sink) = sink.as_deref().filter(|_| filters.passes(frame)) else {
                count(&counters.filtered, 1);
                continue;
            };
            // On the other bus it is a new frame: its channel there, and its time, are that bus's.
            let frame = frame.with_channel(Channel::NONE).with_direction(Some(Direction::Transmitted));
            match sink.send(&frame).await {
                Ok(()) => count(&counters.passed, 1),
                Err(BusError::Down(_) | BusError::NotCarried(_)) => count(&counters.dropped, 1),
                Err(error) => return Err(bus_error(error, source.name())),
            };
        }
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::VirtualBus;
    use crate::{CanId, Frame};
    use futures::FutureExt;
    use futures::executor::block_on;

    fn frame(id: u32) -> Frame {
        Frame::new(CanId::standard(id).unwrap(), &[1]).unwrap()
    }

    #[test]
    fn each_direction_has_its_filters_and_nothing_comes_back() {
        let (left, right) = (VirtualBus::new("left", 64), VirtualBus::new("right", 64));
        let (mut on_left, to_left) = left.connect().into_parts();
        let (mut on_right, to_right) = right.connect().into_parts();
        let filters = |text: &str| text.parse().unwrap();
        let (gateway, driver) =
            BusGateway::new(left.connect(), right.connect(), filters("100:700"), filters("200:700"));
        let mut driver = Box::pin(driver);
        for id in [0x100, 0x200, 0x101] {
            to_left.as_ref().unwrap().try_send(&frame(id)).unwrap();
            to_right.as_ref().unwrap().try_send(&frame(id)).unwrap();
        }
        let own = frame(0x102).with_direction(Some(Direction::Transmitted));
        to_left.as_ref().unwrap().try_send(&own).unwrap();
        to_left.as_ref().unwrap().try_send(&Frame::error(4, &[]).unwrap()).unwrap();
        assert!((&mut driver).now_or_never().is_none(), "it goes on");

        let ids = |source: &mut Box<dyn FrameSource>| -> Vec<u32> {
            let mut batch = Batch::new(64);
            block_on(source.read(&mut batch)).unwrap();
            batch.frames().iter().map(|frame| frame.id().raw()).collect()
        };
        assert_eq!(ids(&mut on_right), [0x100, 0x101]);
        assert_eq!(ids(&mut on_left), [0x200]);
        assert!((&mut driver).now_or_never().is_none());
        let counts = gateway.counts();
        assert_eq!((counts.to_second.passed, counts.to_second.filtered, counts.to_second.kept), (2, 1, 2));
        assert_eq!((counts.to_first.passed, counts.to_first.filtered, counts.to_first.kept), (1, 2, 0));
    }

    #[test]
    fn a_slow_bus_holds_the_other_back_and_loses_nothing() {
        let (left, right) = (VirtualBus::new("left", 4), VirtualBus::new("right", 1));
        let (_, to_left) = left.connect().into_parts();
        let (mut on_right, _keep) = right.connect().into_parts();
        let (gateway, driver) =
            BusGateway::new(left.connect(), right.connect(), IdFilters::default(), IdFilters::default());
        let mut driver = Box::pin(driver);
        let mut seen = Vec::new();
        for id in 0..40 {
            block_on(to_left.as_ref().unwrap().send(&frame(id)).map(|sent| sent.unwrap()));
            let _ = (&mut driver).now_or_never();
            let mut batch = Batch::new(1);
            block_on(on_right.read(&mut batch)).unwrap();
            seen.extend(batch.frames().iter().map(|frame| frame.id().raw()));
        }
        assert!(seen.into_iter().eq(0..40));
        assert_eq!(gateway.counts().to_second.passed, 40);
    }

    #[test]
    fn it_ends_with_a_bus() {
        let (left, right) = (VirtualBus::new("left", 4), VirtualBus::new("right", 4));
        let (gateway, driver) =
            BusGateway::new(left.connect(), right.connect(), IdFilters::default(), IdFilters::default());
        drop(left);
        block_on(driver).unwrap();
        assert_eq!(gateway.counts(), GatewayCounts::default());
    }
}
