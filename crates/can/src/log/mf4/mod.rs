//! MF4 (ASAM MDF 4) with bus logging: the groups of CAN frames become one sequence in the order of time.
//!
//! *Invariant:* memory does not grow with the log: each data group is a stream of its own, one frame of each is compared; other groups are
//! passed over; a file that was not finished is read as far as it goes.
//! *Next:* `block.rs` (what is where), `group.rs` (the description), `data.rs` (the bytes), `record.rs` (one record), `stream.rs` (one group).

mod block;
mod data;
mod group;
mod record;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vehicle_tests;

use super::LogFault;
use super::record::{ByteFlaw, RecordFault};
use crate::Frame;
use block::Place;
use coachwork_vehicle::TimeBase;
use std::collections::VecDeque;
use std::io::{Read, Seek};
use stream::Stream;

/// No file has more data groups with CAN frames.
const MAX_STREAMS: usize = 256;

/// An MF4 log.
#[derive(Debug)]
pub(super) struct Mf4Reader<R> {
    state: State<R>,
    streams: Vec<(Stream, Option<Frame>)>,
    flaws: VecDeque<ByteFlaw>,
    start: Option<i64>,
}

#[derive(Debug)]
enum State<R> {
    New(R),
    Open(Place<R>),
    Ended,
}

/// Where the header block is.
const HEADER: u64 = 64;

impl<R: Read + Seek> Mf4Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { state: State::New(input), streams: Vec::new(), flaws: VecDeque::new(), start: None }
    }

    fn open(&mut self, input: R) -> Result<(), ByteFlaw> {
        let mut place = Place::new(input).map_err(|cause| ByteFlaw::new(0, LogFault::Io(cause)))?;
        let id: [u8; 64] = place.bytes(0)?;
        if !id.starts_with(b"MDF     ") && !id.starts_with(b"UnFinMF ") {
            return Err(ByteFlaw::new(0, RecordFault::Damaged("no MF4 file begins so")));
        }
        let version = super::window::le16(&id, 28).unwrap_or(0);
        if !(400..500).contains(&version) {
            let what = "a version of the format (400 to 499 are read),";
            return Err(ByteFlaw::new(28, RecordFault::Unknown { what, number: version.into() }));
        }
        let unfinished = id.starts_with(b"UnFinMF ");
        let header = place.block_of(*b"##HD", HEADER)?;
        let data: [u8; 16] = place.data(&header)?;
        let start = record::start(&data).ok_or(ByteFlaw::new(header.data_at(), LogFault::Time))?;
        self.start = Some(start).filter(|start| *start != 0);
        let first = place.link(&header, 0)?;
        let mut flaws = Vec::new();
        let mut groups = group::all(&mut place, first, &mut flaws);
        if let Some(groups) = groups.get(MAX_STREAMS) {
            let at = groups.each.first().map_or(0, |group| group.at);
            flaws.push(ByteFlaw::new(
                at,
                RecordFault::Damaged("more data groups with CAN frames than are read"),
            ));
        }
        groups.truncate(MAX_STREAMS);
        let len = place.len();
        self.streams =
            groups.into_iter().map(|groups| (Stream::new(groups, start, unfinished, len), None)).collect();
        self.flaws.extend(flaws);
        self.state = State::Open(place);
        Ok(())
    }
}

/// What the log's reader asks of a log that it can read anywhere.
pub(super) trait Anywhere: std::fmt::Debug + Send {
    /// The next frame in time.
    fn next(&mut self) -> Option<Result<Frame, ByteFlaw>>;

    /// What the times count from.
    fn time_base(&self) -> TimeBase;
}

impl<R: Read + Seek + std::fmt::Debug + Send> Anywhere for Mf4Reader<R> {
    fn time_base(&self) -> TimeBase {
        if self.start.is_some() { TimeBase::Utc } else { TimeBase::Unknown }
    }

    fn next(&mut self) -> Option<Result<Frame, ByteFlaw>> {
        if let State::New(_) = self.state
            && let State::New(input) = std::mem::replace(&mut self.state, State::Ended)
            && let Err(flaw) = self.open(input)
        {
            return Some(Err(flaw));
        }
        if let Some(flaw) = self.flaws.pop_front() {
            return Some(Err(flaw));
        }
        let State::Open(place) = &mut self.state else { return None };
        let mut ended = false;
        for (stream, head) in &mut self.streams {
            if head.is_none() {
                match stream.next(place) {
                    Some(Ok(frame)) => *head = Some(frame),
                    Some(Err(flaw)) => {
                        if let LogFault::Io(_) = flaw.fault {
                            self.state = State::Ended;
                        }
                        return Some(Err(flaw));
                    }
                    None => ended = true,
                }
            }
        }
        if ended {
            self.streams.retain(|(_, head)| head.is_some());
        }
        let first = self.streams.iter_mut().min_by_key(|(_, head)| head.as_ref().and_then(Frame::time))?;
        first.1.take().map(Ok)
    }
}
