//! The sources and sinks of a vehicle's buses, read as one: whichever has frames first.
//!
//! *Invariant:* a frame belongs to the segment that claims its channel, else to the one without a channel; a line that ends or fails ends alone.
//! *Next:* `vehicle.rs` and `emit.rs`, which read here; `wiring.rs`, which makes them.

use crate::bus::{Batch, Bus, BusError, FrameSink, FrameSource};
use crate::network::Network;
use crate::{Channel, Frame};
use coachwork_vehicle::TimeBase;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// How many frames are read at once.
const BATCH: usize = 64;

/// One source of frames with its sink.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) source: Box<dyn FrameSource>,
    /// The segments that it carries, those with a channel first.
    segments: Vec<(usize, Option<Channel>)>,
    pub(crate) batch: Batch,
    ended: bool,
}

/// All lines of a vehicle.
#[derive(Debug)]
pub(crate) struct Lines {
    lines: Vec<Line>,
    /// Who is asked first, so that a busy line does not silence the others.
    turn: usize,
}

/// What is written: the sink of each segment.
#[derive(Clone, Debug)]
pub(crate) struct Sinks(Arc<[Mouth]>);

/// Where the frames of a segment go, and the channel they are put on.
type Mouth = (Option<Arc<dyn FrameSink>>, Option<Channel>);

impl Lines {
    /// The buses with how many segments each carries, in the order of the network's segments.
    pub(crate) fn new(buses: Vec<(Bus, usize)>, network: &Network) -> (Self, Sinks) {
        let (mut lines, mut sinks, mut next) = (Vec::new(), Vec::new(), 0);
        for (bus, count) in buses {
            let (source, sink) = bus.into_parts();
            let mut segments: Vec<_> =
                (next..next + count).map(|segment| (segment, network.channel(segment))).collect();
            next += count;
            sinks.extend(segments.iter().map(|(_, channel)| (sink.clone(), *channel)));
            segments.sort_by_key(|(_, channel)| channel.is_none());
            lines.push(Line { source, segments, batch: Batch::new(BATCH), ended: false });
        }
        (Self { lines, turn: 0 }, Sinks(sinks.into()))
    }

    /// Waits until a line has frames, has ended (its batch is empty) or failed; the line's number and its outcome. Other lines may
    /// have frames too. Cancel-safe. Never completes when all have ended.
    pub(crate) async fn read(&mut self) -> (usize, Result<(), BusError>) {
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn;
        if let [only] = &mut *self.lines
            && !only.ended
        {
            return (0, only.source.read(&mut only.batch).await);
        }
        let mut reads: Vec<_> = self
            .lines
            .iter_mut()
            .enumerate()
            .filter(|(_, line)| !line.ended)
            .map(|(number, line)| (number, line.source.read(&mut line.batch)))
            .collect();
        let count = reads.len().max(1);
        reads.rotate_left(turn % count);
        poll_fn(|cx| {
            let done = reads.iter_mut().find_map(|(number, read)| match read.as_mut().poll(cx) {
                Poll::Ready(outcome) => Some((*number, outcome)),
                Poll::Pending => None,
            });
            done.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Takes a line out of the reading.
    pub(crate) fn end(&mut self, number: usize) {
        if let Some(line) = self.lines.get_mut(number) {
            line.ended = true;
        }
    }

    /// Whether no line is read any more.
    pub(crate) fn all_ended(&self) -> bool {
        self.lines.iter().all(|line| line.ended)
    }

    /// All lines, those that have ended too.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Line> {
        self.lines.iter_mut()
    }

    pub(crate) fn line(&self, number: usize) -> Option<&Line> {
        self.lines.get(number)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// What a line's source is called.
    pub(crate) fn name(&self, number: usize) -> &str {
        self.lines.get(number).map_or("", |line| line.source.name())
    }

    /// Whether every source waits for its reader.
    pub(crate) fn all_wait(&self) -> bool {
        self.lines.iter().all(|line| line.source.waits())
    }

    /// What the times count from: UTC where all do.
    pub(crate) fn time_base(&self) -> TimeBase {
        let utc = self.lines.iter().all(|line| line.source.time_base() == TimeBase::Utc);
        if utc { TimeBase::Utc } else { TimeBase::Unknown }
    }
}

impl Line {
    /// The segment that a frame of this line belongs to.
    #[inline]
    pub(crate) fn segment(&self, frame: &Frame) -> Option<usize> {
        if let [(segment, None)] = *self.segments {
            return Some(segment);
        }
        let claims = |channel: &Option<Channel>| channel.is_none_or(|channel| channel == *frame.channel());
        self.segments.iter().find(|(_, channel)| claims(channel)).map(|(segment, _)| *segment)
    }

    /// The segments that it carries.
    pub(crate) fn segments(&self) -> impl Iterator<Item = usize> {
        self.segments.iter().map(|(segment, _)| *segment)
    }
}

impl Sinks {
    /// Whether a segment can be written.
    pub(crate) fn writable(&self, segment: usize) -> bool {
        self.0.get(segment).is_some_and(|(sink, _)| sink.is_some())
    }

    /// Sends a frame on a segment, if it can be written and there is room now.
    pub(crate) fn try_send(&self, segment: usize, frame: Frame) -> Result<(), BusError> {
        let (sink, frame) = self.addressed(segment, frame).ok_or(BusError::Closed)?;
        sink.try_send(&frame)
    }

    /// The sink of a segment, and the frame on its channel.
    pub(crate) fn addressed(&self, segment: usize, frame: Frame) -> Option<(&Arc<dyn FrameSink>, Frame)> {
        let (sink, channel) = self.0.get(segment)?;
        let frame = channel.map_or(frame, |channel| frame.with_channel(channel));
        Some((sink.as_ref()?, frame))
    }
}
