//! A bus in the process: what one connection sends, every other receives.
//!
//! *Invariant:* each connection holds at most `capacity` frames that were not read; a sender waits for the slowest, so that nothing is lost.
//! *Next:* `mod.rs`, whose traits it implements.

use super::{Batch, Bus, BusError, FrameSink, FrameSource};
use crate::Frame;
use async_trait::async_trait;
use coachwork_vehicle::TimeBase;
use event_listener::Event;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A bus in the process. Each [`connect`](Self::connect) is a node on it; clones are the same bus.
///
/// A connection ends when the bus and every other connection are dropped and its frames are read.
///
/// ```
/// use coachwork_can::{CanId, Frame};
/// use coachwork_can::bus::{Batch, VirtualBus};
///
/// # futures::executor::block_on(async {
/// let bus = VirtualBus::new("body", 64);
/// let (_, seat) = bus.connect().into_parts();
/// let (mut cluster, _) = bus.connect().into_parts();
/// seat.ok_or("a bus that is written")?.send(&Frame::new(CanId::standard(0x123).ok_or("not an id")?, &[1])?).await?;
/// let mut batch = Batch::new(16);
/// cluster.read(&mut batch).await?;
/// assert_eq!(batch.frames()[0].data(), [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct VirtualBus(Arc<Shared>);

struct Shared {
    name: String,
    capacity: usize,
    state: Mutex<State>,
    /// Frames came, frames were read, or somebody left.
    changed: Event,
}

#[derive(Default)]
struct State {
    next: u64,
    receivers: Vec<Receiver>,
    /// The connections that may still send.
    senders: Vec<u64>,
    /// How many handles of the bus itself there are; each may connect a new sender.
    handles: usize,
}

struct Receiver {
    node: u64,
    frames: VecDeque<Frame>,
}

impl VirtualBus {
    /// A bus of this name, whose connections each hold up to `capacity` frames (at least one) that were not read yet.
    pub fn new(name: &str, capacity: usize) -> Self {
        let state = Mutex::new(State { handles: 1, ..State::default() });
        Self(Arc::new(Shared { name: name.into(), capacity: capacity.max(1), state, changed: Event::new() }))
    }

    /// A new node on the bus. It receives what the others send from now on, and not what it sends itself.
    pub fn connect(&self) -> Bus {
        let mut state = self.0.lock();
        let node = state.next;
        state.next += 1;
        state.receivers.push(Receiver { node, frames: VecDeque::new() });
        state.senders.push(node);
        let end = |shared: &Arc<Shared>| End { shared: Arc::clone(shared), node };
        Bus::new(VirtualSource(end(&self.0)), VirtualSink(end(&self.0)))
    }
}

impl Clone for VirtualBus {
    fn clone(&self) -> Self {
        self.0.lock().handles += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for VirtualBus {
    fn drop(&mut self) {
        self.0.lock().handles -= 1;
        self.0.changed.notify(usize::MAX);
    }
}

impl fmt::Debug for VirtualBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualBus({:?}, {} nodes)", self.0.name, self.0.lock().receivers.len())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One end of a connection.
struct End {
    shared: Arc<Shared>,
    node: u64,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, node {}", self.shared.name, self.node)
    }
}

#[derive(Debug)]
struct VirtualSource(End);

impl Drop for VirtualSource {
    fn drop(&mut self) {
        self.0.shared.lock().receivers.retain(|receiver| receiver.node != self.0.node);
        self.0.shared.changed.notify(usize::MAX);
    }
}

impl VirtualSource {
    /// Moves what is there into the batch; whether the call is done.
    fn take(&self, batch: &mut Batch) -> bool {
        let mut state = self.0.shared.lock();
        let ended = state.handles == 0 && state.senders.iter().all(|sender| *sender == self.0.node);
        let Some(own) = state.receivers.iter_mut().find(|receiver| receiver.node == self.0.node) else {
            return true;
        };
        let mut moved = false;
        while !batch.is_full()
            && let Some(frame) = own.frames.pop_front()
        {
            moved |= batch.push(frame);
        }
        drop(state);
        if moved {
            self.0.shared.changed.notify(usize::MAX);
        }
        ended || !batch.is_empty()
    }
}

#[async_trait]
impl FrameSource for VirtualSource {
    async fn read(&mut self, batch: &mut Batch) -> Result<(), BusError> {
        loop {
            let changed = self.0.shared.changed.listen();
            if self.take(batch) {
                return Ok(());
            }
            changed.await;
        }
    }

    fn name(&self) -> &str {
        &self.0.shared.name
    }

    fn time_base(&self) -> TimeBase {
        TimeBase::Utc
    }

    fn waits(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct VirtualSink(End);

impl Drop for VirtualSink {
    fn drop(&mut self) {
        self.0.shared.lock().senders.retain(|sender| *sender != self.0.node);
        self.0.shared.changed.notify(usize::MAX);
    }
}

#[async_trait]
impl FrameSink for VirtualSink {
    fn try_send(&self, frame: &Frame) -> Result<(), BusError> {
        let shared = &self.0.shared;
        let mut state = shared.lock();
        let mut others = state.receivers.iter_mut().filter(|receiver| receiver.node != self.0.node);
        if others.any(|receiver| receiver.frames.len() >= shared.capacity) {
            return Err(BusError::Full);
        }
        for receiver in state.receivers.iter_mut().filter(|receiver| receiver.node != self.0.node) {
            receiver.frames.push_back(*frame);
        }
        drop(state);
        shared.changed.notify(usize::MAX);
        Ok(())
    }

    async fn send(&self, frame: &Frame) -> Result<(), BusError> {
        loop {
            let changed = self.0.shared.changed.listen();
            match self.try_send(frame) {
                Err(BusError::Full) => changed.await,
                sent => return sent,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CanId;
    use futures::FutureExt;
    use futures::executor::block_on;

    fn frame(byte: u8) -> Frame {
        Frame::new(CanId::standard(1).unwrap(), &[byte]).unwrap()
    }

    #[test]
    fn everybody_else_receives_in_order() {
        let bus = VirtualBus::new("test", 8);
        let (mut a, to_a) = bus.connect().into_parts();
        let (mut b, _to_b) = bus.connect().into_parts();
        let to_a = to_a.unwrap();
        for byte in 0..5 {
            to_a.try_send(&frame(byte)).unwrap();
        }
        let mut batch = Batch::new(3);
        block_on(b.read(&mut batch)).unwrap();
        assert_eq!(batch.frames(), [frame(0), frame(1), frame(2)]);
        batch.clear();
        block_on(b.read(&mut batch)).unwrap();
        assert_eq!(batch.frames(), [frame(3), frame(4)]);
        batch.clear();
        assert!(a.read(&mut batch).now_or_never().is_none(), "nobody hears itself");
    }

    #[test]
    fn a_full_receiver_holds_the_sender_back_until_it_reads_or_leaves() {
        let bus = VirtualBus::new("test", 2);
        let (_a, sink) = bus.connect().into_parts();
        let (mut b, _) = bus.connect().into_parts();
        let sink = sink.unwrap();
        sink.try_send(&frame(0)).unwrap();
        sink.try_send(&frame(1)).unwrap();
        assert!(matches!(sink.try_send(&frame(2)), Err(BusError::Full)));
        let third = frame(2);
        let mut waiting = sink.send(&third);
        assert!((&mut waiting).now_or_never().is_none());
        let mut batch = Batch::new(1);
        block_on(b.read(&mut batch)).unwrap();
        block_on(waiting).unwrap();
        assert!(matches!(sink.try_send(&frame(3)), Err(BusError::Full)));
        drop(b);
        sink.try_send(&frame(3)).unwrap();
    }

    #[test]
    fn a_connection_ends_when_nobody_can_send_to_it_any_more() {
        let bus = VirtualBus::new("test", 2);
        let (mut a, _own) = bus.connect().into_parts();
        let (_, other) = bus.connect().into_parts();
        let other = other.unwrap();
        other.try_send(&frame(7)).unwrap();
        drop(bus);
        drop(other);
        let mut batch = Batch::new(4);
        block_on(a.read(&mut batch)).unwrap();
        assert_eq!(batch.frames(), [frame(7)]);
        batch.clear();
        block_on(a.read(&mut batch)).unwrap();
        assert!(batch.is_empty());
    }
}
