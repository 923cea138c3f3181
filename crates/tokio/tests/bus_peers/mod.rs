//! Peers in the tree: a socketcand daemon over TCP, and an slcan adapter behind a pseudo-terminal. Each sends numbered frames, counts the ones
//! it receives, and can be stopped at any frame.

use coachwork_can::bus::{slcan, socketcand};
use coachwork_can::{CanId, Frame};
use coachwork_vehicle::Timestamp;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::net::unix::pipe;

/// The frame of this number: identifiers of both widths, all lengths but those too short for the number.
pub fn numbered(number: u32) -> Frame {
    let id = if number.is_multiple_of(3) {
        CanId::extended(number & 0x1FFF_FFFF)
    } else {
        CanId::standard(number & 0x7FF)
    };
    let mut data = [0xA5; 8];
    data[..4].copy_from_slice(&number.to_be_bytes());
    let len = 4 + usize::try_from(number % 5).unwrap();
    Frame::new(id.unwrap(), &data[..len])
        .unwrap()
        .with_time(Timestamp::from_nanoseconds(i64::from(number) * 1000))
}

/// The number of a frame, which is otherwise as [`numbered`] makes it.
pub fn number(frame: &Frame) -> u32 {
    let number = u32::from_be_bytes(frame.data()[..4].try_into().unwrap());
    let made = numbered(number);
    assert_eq!((frame.id(), frame.data()), (made.id(), made.data()));
    number
}

/// What a peer does.
#[derive(Clone, Copy)]
pub struct Task {
    /// The numbers of the frames that it sends.
    pub send: (u32, u32),
    /// After how many received frames it stops at once.
    pub stop_after: usize,
}

/// What a peer saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub received: Vec<u32>,
    pub sent: u32,
}

/// Serves one client of a socketcand daemon.
pub async fn daemon(listener: &TcpListener, task: Task) -> Seen {
    let (stream, _) = listener.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let (mut decoder, mut chunk) = (socketcand::Decoder::new("can0".parse().unwrap()), vec![0; 16 * 1024]);
    let (mut out, mut seen, mut raw) = (b"< hi >".to_vec(), Seen::default(), false);
    let (mut next, end) = task.send;
    loop {
        while raw && next < end && out.len() < 8192 {
            socketcand::encode_frame(&numbered(next), &mut out).unwrap();
            next += 1;
        }
        let read = tokio::select! {
            biased;
            read = reading.read(&mut chunk) => read.unwrap(),
            written = writing.write(&out), if !out.is_empty() => {
                out.drain(..written.unwrap());
                seen.sent = next - task.send.0;
                continue;
            }
        };
        if read == 0 {
            return seen;
        }
        decoder.decode(&chunk[..read], |element| match element.unwrap() {
            socketcand::Element::Open(name) if name == "can0" => out.extend_from_slice(b"< ok >"),
            socketcand::Element::Open(_) => out.extend_from_slice(b"< error could not open bus >"),
            socketcand::Element::RawMode => {
                raw = true;
                out.extend_from_slice(b"< ok >");
            }
            socketcand::Element::Echo => out.extend_from_slice(b"< echo >"),
            socketcand::Element::Send(frame) => seen.received.push(number(&frame)),
            other => panic!("{other:?}"),
        });
        if seen.received.len() >= task.stop_after {
            // Gone without a word, as a process that is killed.
            return seen;
        }
    }
}

/// The adapter's end of a pseudo-terminal.
pub struct Adapter {
    read: pipe::Receiver,
    write: pipe::Sender,
}

/// An slcan adapter on a new pseudo-terminal, to which `path` leads.
pub fn adapter(path: &Path) -> Adapter {
    const NONBLOCK: i32 = 0o4000;
    const NOCTTY: i32 = 0o400;
    let master =
        OpenOptions::new().read(true).write(true).custom_flags(NONBLOCK | NOCTTY).open("/dev/ptmx").unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
    let _ = std::fs::remove_file(path);
    std::os::unix::fs::symlink(name.to_str().unwrap(), path).unwrap();
    // What reads and writes a pipe does so with any descriptor that does not block.
    let write = pipe::Sender::from_file_unchecked(master.try_clone().unwrap()).unwrap();
    Adapter { read: pipe::Receiver::from_file_unchecked(master).unwrap(), write }
}

/// Speaks for an adapter until it is told `C` after everything, or stops.
pub async fn speak(port: &mut Adapter, task: Task) -> Seen {
    let (mut decoder, mut chunk) = (slcan::Decoder::new("slcan0".parse().unwrap()), vec![0; 16 * 1024]);
    let (mut out, mut seen, mut open) = (Vec::new(), Seen::default(), false);
    let (mut next, end) = task.send;
    loop {
        while open && next < end && out.len() < 2048 {
            slcan::encode(&numbered(next), &mut out).unwrap();
            next += 1;
        }
        let read = tokio::select! {
            biased;
            read = port.read.read(&mut chunk) => read,
            written = port.write.write(&out), if !out.is_empty() => {
                out.drain(..written.unwrap());
                seen.sent = next - task.send.0;
                continue;
            }
        };
        let Ok(read) = read else { return seen };
        let mut closed = false;
        decoder.decode(&chunk[..read], |line| match line.unwrap() {
            slcan::Line::Command(b'O') => {
                open = true;
                out.push(b'\r');
            }
            slcan::Line::Command(b'C') => {
                // An adapter that is closed already rings the bell.
                out.push(if open { b'\r' } else { 7 });
                closed = open;
                open = false;
            }
            slcan::Line::Command(b'F') => out.extend_from_slice(b"F00\r"),
            slcan::Line::Done | slcan::Line::Command(_) => out.push(b'\r'),
            slcan::Line::Frame(frame, None) => {
                seen.received.push(number(&frame));
                out.extend_from_slice(if frame.id().is_extended() { b"Z\r" } else { b"z\r" });
            }
            other => panic!("{other:?}"),
        });
        if closed || read == 0 || seen.received.len() >= task.stop_after {
            return seen;
        }
    }
}

/// At most this long for anything.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("in time")
}
