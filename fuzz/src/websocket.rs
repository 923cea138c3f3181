//! Bytes from a client become a WebSocket and its messages. The first byte says how large the pieces are, the second what is tried: frames after a
//! sound request, or the request itself.
//!
//! *Oracle:* the size of the pieces changes nothing; what an independent reader (tungstenite) takes, ours takes, with the same messages before the
//! same kind of end; no message is above the limit; what was fed by our writer is read by the independent one.
//! *Next:* `coachwork_websocket::WebSocket`.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use coachwork_transport::{Connection, ConnectionExt, Info, Limits, Message, TransportError};
use coachwork_websocket::{Accept, WebSocket};
use futures::executor::block_on;
use futures::io::{AsyncRead, AsyncWrite};
use tungstenite::protocol::{Role, WebSocketConfig};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: car\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// No message is longer.
const LIMIT: usize = 2_000;

/// Runs one input.
pub fn run(data: &[u8]) {
    messages(data);
}

/// How many messages came.
pub fn messages(data: &[u8]) -> Option<usize> {
    let [piece, what, data @ ..] = data else { return None };
    if what % 4 == 0 {
        let taken = accepted(data, 8_192);
        assert_eq!(
            taken,
            accepted(data, usize::from(*piece) + 1),
            "the size of the pieces changes what is taken"
        );
        return None;
    }
    let bytes = [REQUEST, data].concat();
    let whole = read(&bytes, 8_192).expect("a sound request");
    let pieces = read(&bytes, usize::from(*piece) + 1).expect("a sound request");
    assert_eq!(whole, pieces, "the size of the pieces changes what is read");
    let (ours, end) = whole;
    assert!(ours.iter().all(|message| message.data().len() <= LIMIT));
    // RFC 6455, section 5.5: a control frame has at most 125 bytes, which its seven bits hold. The other reader takes a small length in more bytes, too.
    let (sound, _) = data.split_at(first_long_control(data));
    let (theirs, broken) = independent(sound);
    let shown: Vec<_> =
        ours.iter().map(|message| (message.data().to_vec(), matches!(message, Message::Text(_)))).collect();
    assert_eq!(shown, theirs, "another reader reads other messages; ours ended with {end}");
    // An end in the middle is the same to both: nothing more comes.
    if end == End::Closed || end == End::Cut {
        assert!(!broken, "another reader finds fault with what ours takes");
    }
    echoed(&ours);
    Some(ours.len())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Cut,
    Refused,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.message = LIMIT;
    limits
}

/// What becomes of a request: the subprotocol, or why there is none.
fn accepted(bytes: &[u8], piece: usize) -> Result<Option<String>, String> {
    let stream = Pieces { rest: bytes.to_vec(), piece, written: Vec::new() };
    match block_on(WebSocket::accept(stream, Info::new("peer"), &limits(), &Accept::viss())) {
        Ok(socket) => Ok(socket.info().subprotocol.as_deref().map(str::to_owned)),
        Err(error) => Err(error.to_string()),
    }
}

/// All messages, and how it ended.
fn read(bytes: &[u8], piece: usize) -> Option<(Vec<Message>, End)> {
    let stream = Pieces { rest: bytes.to_vec(), piece, written: Vec::new() };
    let mut socket =
        block_on(WebSocket::accept(stream, Info::new("peer"), &limits(), &Accept::viss())).ok()?;
    let mut messages = Vec::new();
    loop {
        match block_on(socket.recv()) {
            Ok(message) => messages.push(message),
            Err(error) => {
                assert_eq!(block_on(socket.recv()).unwrap_err().to_string(), error.to_string());
                let end = match error {
                    TransportError::Closed { .. } => End::Closed,
                    TransportError::Io { .. } => End::Cut,
                    _ => End::Refused,
                };
                return Some((messages, end));
            }
        }
    }
}

/// Where the first control frame begins whose length is not in the header's seven bits; the end where there is none.
fn first_long_control(frames: &[u8]) -> usize {
    let mut at = 0;
    while let Some([first, second, rest @ ..]) = frames.get(at..) {
        let (head, length) = match (second & 0x7F, rest) {
            (126 | 127, _) if first & 0x08 != 0 => return at,
            (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
            (126 | 127, _) => break,
            (short, _) => (2, u64::from(short)),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let next =
            usize::try_from(length).ok().and_then(|length| at.checked_add(head + mask)?.checked_add(length));
        at = next.unwrap_or(usize::MAX);
    }
    frames.len()
}

/// What tungstenite reads of the same frames, and whether it finds fault with them.
fn independent(frames: &[u8]) -> (Vec<(Vec<u8>, bool)>, bool) {
    let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let stream = Blocking(io::Cursor::new(frames.to_vec()));
    let mut socket = tungstenite::WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    let mut messages = Vec::new();
    loop {
        match socket.read() {
            Ok(tungstenite::Message::Text(text)) => messages.push((text.as_bytes().to_vec(), true)),
            Ok(tungstenite::Message::Binary(data)) => messages.push((data.to_vec(), false)),
            // What comes after the close is no message.
            Ok(tungstenite::Message::Close(_)) => return (messages, false),
            Ok(_) => {}
            Err(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return (messages, false),
            Err(tungstenite::Error::Io(_) | tungstenite::Error::ConnectionClosed) => {
                return (messages, false);
            }
            // It looks at each part of a text, ours at the whole: a text that never ends may be at fault to it alone.
            Err(tungstenite::Error::Utf8(_)) => return (messages, false),
            Err(_) => return (messages, true),
        }
    }
}

/// What a client of ours writes, tungstenite reads.
fn echoed(messages: &[Message]) {
    let answer = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    let stream = Answering { answer: answer.to_vec(), sent: 0, written: Vec::new() };
    let mut socket = block_on(WebSocket::connect(stream, Info::new("peer"), &limits(), "car", "/", &[]))
        .expect("an answer");
    for message in messages {
        block_on(socket.send(message)).expect("room");
    }
    let stream = socket.into_inner();
    let frames = stream.written.windows(4).position(|four| four == b"\r\n\r\n").expect("a request") + 4;
    let (read, broken) = independent(&stream.written[frames..]);
    let shown: Vec<_> = messages
        .iter()
        .map(|message| (message.data().to_vec(), matches!(message, Message::Text(_))))
        .collect();
    assert_eq!((read, broken), (shown, false));
}

/// A stream that comes in pieces and ends.
struct Pieces {
    rest: Vec<u8>,
    piece: usize,
    written: Vec<u8>,
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        let count = self.piece.min(to.len()).min(self.rest.len());
        to[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A server that answers whatever key it is asked with, and says nothing more.
struct Answering {
    answer: Vec<u8>,
    sent: usize,
    written: Vec<u8>,
}

impl AsyncRead for Answering {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.sent == 0 {
            let head = String::from_utf8_lossy(&self.written).into_owned();
            let key = head
                .lines()
                .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
                .expect("a key")
                .to_owned();
            let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
            self.answer.extend_from_slice(accept.as_bytes());
            self.answer.extend_from_slice(b"\r\n\r\n");
        }
        let rest = &self.answer[self.sent..];
        let count = rest.len().min(to.len());
        to[..count].copy_from_slice(&rest[..count]);
        self.sent += count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Answering {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A blocking stream that swallows what is written.
struct Blocking(io::Cursor<Vec<u8>>);

impl Read for Blocking {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl Write for Blocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(messages(&[&[3, 1][..], &hello, &hello].concat()), Some(2));
        assert_eq!(messages(&[&[3, 1][..], &hello, &hello[..9]].concat()), Some(1));
        assert_eq!(messages(b"\x03\x01\x81\x01a"), Some(0));
        assert_eq!(accepted(REQUEST, 5), Ok(None));
        assert!(accepted(b"GET /x HTTP/1.1\r\n\r\n", 5).is_err());
        assert_eq!(messages(&[&[3, 0][..], REQUEST].concat()), None);
    }
}
