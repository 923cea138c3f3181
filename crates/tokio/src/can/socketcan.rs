//! A CAN interface of the Linux kernel becomes a port: raw CAN sockets, with the kernel's time stamps, filters and error frames.
//!
//! *Invariant:* the socket never blocks the task. Frames that the kernel drops because its own queue is full are not told by it.
//! *Next:* coachwork-can's `bus::Link`, which keeps the port.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use coachwork_can::bus::{Carries, Dial, IdFilters, Intake, Port, SocketCanName};
use coachwork_can::{CanId, Channel, Direction, Frame};
use coachwork_vehicle::{Clock, Sleep, Timestamp};
use socketcan::{
    CanAnyFrame, CanDataFrame, CanFdFrame, CanFdSocket, CanFilter, CanRemoteFrame, CanTimestamps,
    EmbeddedFrame, Socket, SocketOptions,
};
use tokio::io::unix::AsyncFd;

/// An interface, to be opened.
#[derive(Debug)]
pub(super) struct Interface {
    name: SocketCanName,
    filters: IdFilters,
}

impl Interface {
    pub(super) fn new(name: &SocketCanName, filters: &IdFilters) -> Self {
        Self { name: name.clone(), filters: filters.clone() }
    }

    fn open(&self) -> io::Result<CanFdSocket> {
        let socket = CanFdSocket::open(&self.name.channel)?;
        socket.set_nonblocking(true)?;
        socket.set_recv_timestamp(true)?;
        socket.set_loopback(self.name.local_loopback)?;
        socket.set_recv_own_msgs(self.name.receive_own_messages)?;
        if self.name.ignore_rx_error_frames {
            socket.set_error_filter_drop_all()?;
        } else {
            socket.set_error_filter_accept_all()?;
        }
        if !self.filters.is_empty() {
            let filters: Vec<CanFilter> = self.filters.as_slice().iter().map(kernel_filter).collect();
            socket.set_filters(&filters)?;
        }
        Ok(socket)
    }
}

/// The form of the kernel: the width of an identifier and the inversion are bits of it.
fn kernel_filter(filter: &coachwork_can::bus::IdFilter) -> CanFilter {
    const EXTENDED: u32 = 1 << 31;
    const INVERTED: u32 = 1 << 29;
    let (mut id, mut mask) = (filter.id, filter.mask);
    if let Some(extended) = filter.extended {
        mask |= EXTENDED;
        id |= if extended { EXTENDED } else { 0 };
    }
    if filter.inverted {
        id |= INVERTED;
    }
    CanFilter::new(id, mask)
}

#[async_trait]
impl Dial for Interface {
    fn name(&self) -> &str {
        &self.name.channel
    }

    fn carries(&self) -> Carries {
        Carries { bus: "this SocketCAN interface", fd: self.name.fd, remote: true }
    }

    async fn dial(&mut self, clock: &Arc<dyn Clock>) -> io::Result<Box<dyn Port>> {
        let socket = self.open().map_err(|why| said(&self.name.channel, why))?;
        let channel = self.name.channel.parse().unwrap_or(Channel::NONE);
        let (fd, clock) = (self.name.fd, Arc::clone(clock));
        Ok(Box::new(Opened { socket: watched(socket)?, channel, fd, clock, full: None }))
    }
}

#[expect(
    deprecated,
    reason = "its successor is `unsafe`; what that asks for holds: the socket owns its descriptor and keeps it"
)]
fn watched(socket: CanFdSocket) -> io::Result<AsyncFd<CanFdSocket>> {
    AsyncFd::new(socket)
}

/// What the kernel's answers mean here.
fn said(channel: &str, why: io::Error) -> io::Error {
    const NO_SUCH_FAMILY: i32 = 97; // EAFNOSUPPORT
    const NO_DEVICE: i32 = 19; // ENODEV
    match why.raw_os_error() {
        Some(NO_SUCH_FAMILY) => io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel has no CAN sockets (the module `can_raw` is neither loaded nor built in)",
        ),
        Some(NO_DEVICE) => {
            io::Error::new(io::ErrorKind::NotFound, format!("there is no CAN interface `{channel}`"))
        }
        _ => why,
    }
}

/// An interface that is open.
struct Opened {
    socket: AsyncFd<CanFdSocket>,
    channel: Channel,
    fd: bool,
    clock: Arc<dyn Clock>,
    /// While the queue of the interface is full; the kernel does not say when it has room again.
    full: Option<Sleep>,
}

/// When a full queue is tried again.
const AGAIN: Duration = Duration::from_millis(1);
/// How many frames are read before other tasks get their turn.
const AT_ONCE: usize = 256;

impl Port for Opened {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        now: Timestamp,
        intake: &mut Intake,
    ) -> Poll<io::Result<()>> {
        let mut read = 0;
        loop {
            let mut ready = match self.socket.poll_read_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending if read > 0 => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            };
            while let Ok(received) = ready.try_io(|socket| socket.get_ref().read_frame_with_timestamps()) {
                match received {
                    Ok((frame, times)) => match frame_of(&frame, self.channel) {
                        Some(frame) if self.fd || !frame.is_fd() => {
                            let time = time_of(&times).unwrap_or(now);
                            intake.frame(frame.with_time(time).with_direction(Some(Direction::Received)));
                        }
                        Some(_) => {}
                        None => intake.bad(),
                    },
                    Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                    Err(why) => return Poll::Ready(Err(why)),
                }
                read += 1;
                if read >= AT_ONCE {
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
        intake: &mut Intake,
    ) -> Poll<io::Result<()>> {
        const NO_BUFFERS: i32 = 105; // ENOBUFS
        while let Some(frame) = frames.front() {
            if let Some(full) = &mut self.full {
                ready!(std::pin::Pin::new(full).poll(cx));
                self.full = None;
            }
            let Some(raw) = raw_of(frame) else {
                frames.pop_front();
                intake.refused();
                continue;
            };
            let mut ready = ready!(self.socket.poll_write_ready(cx))?;
            match ready.try_io(|socket| socket.get_ref().write_frame(&raw)) {
                // Not ready after all: asked again above.
                Err(_) => {}
                Ok(Ok(())) => {
                    frames.pop_front();
                    intake.sent();
                    // The kernel has it: it cannot get lost on a link.
                    intake.confirmed(1);
                }
                Ok(Err(why)) if why.raw_os_error() == Some(NO_BUFFERS) => {
                    let again = self.clock.monotonic().saturating_add(AGAIN);
                    self.full = Some(self.clock.sleep_until(again));
                }
                Ok(Err(why)) if why.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(why)) => return Poll::Ready(Err(why)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A frame as the kernel gives it.
fn frame_of(frame: &CanAnyFrame, channel: Channel) -> Option<Frame> {
    let id = CanId::from(EmbeddedFrame::id(frame));
    let read = match frame {
        CanAnyFrame::Normal(data) => Frame::new(id, data.data()).ok()?,
        CanAnyFrame::Remote(remote) => Frame::remote(id, remote.dlc()).ok()?,
        CanAnyFrame::Error(error) => Frame::error(error.error_bits(), error.data()).ok()?,
        CanAnyFrame::Fd(fd) => {
            Frame::fd(id, fd.data()).ok()?.with_bit_rate_switch(fd.is_brs()).with_error_state(fd.is_esi())
        }
    };
    Some(read.with_channel(channel))
}

/// A frame as the kernel takes it.
fn raw_of(frame: &Frame) -> Option<CanAnyFrame> {
    let id = socketcan::Id::from(frame.id());
    Some(if frame.is_remote() {
        CanRemoteFrame::new_remote(id, usize::from(frame.dlc()).min(8))?.into()
    } else if frame.is_fd() {
        let mut raw = CanFdFrame::new(id, frame.data())?;
        raw.set_brs(frame.bit_rate_switch());
        raw.set_esi(frame.error_state());
        raw.into()
    } else {
        CanDataFrame::new(id, frame.data())?.into()
    })
}

/// When the kernel received it.
fn time_of(times: &CanTimestamps) -> Option<Timestamp> {
    let since = times.socket.or(times.sw)?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::EPOCH.saturating_add(since))
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketCAN({})", self.channel)
    }
}
