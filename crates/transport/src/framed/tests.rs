use std::collections::VecDeque;

use bytes::Bytes;
use futures::executor::block_on;
use proptest::prelude::*;

use super::*;
use crate::CloseCode;
use crate::connection::ConnectionExt;

/// A stream that yields its input in given pieces, pending before each, and takes output a few bytes at a time.
struct Pieces {
    input: VecDeque<Vec<u8>>,
    pending: bool,
    output: Vec<u8>,
    takes: usize,
}

impl Pieces {
    fn new(input: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { input: input.into_iter().collect(), pending: false, output: Vec::new(), takes: 7 }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.pending = !self.pending;
        if self.pending {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(piece) = self.input.front_mut() else { return Poll::Ready(Ok(0)) };
        let take = piece.len().min(buf.len());
        buf[..take].copy_from_slice(&piece[..take]);
        piece.drain(..take);
        if piece.is_empty() {
            self.input.pop_front();
        }
        Poll::Ready(Ok(take))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.pending = !self.pending;
        if self.pending {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let take = buf.len().min(self.takes);
        self.output.extend_from_slice(&buf[..take]);
        Poll::Ready(Ok(take))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn framed(input: impl IntoIterator<Item = Vec<u8>>) -> Framed<Pieces> {
    Framed::new(Pieces::new(input), Info::new("203.0.113.7:4000"), &Limits::default())
}

/// Everything that the stream holds, and how it ended.
fn drain(mut framed: Framed<Pieces>) -> (Vec<Message>, TransportError) {
    let mut messages = Vec::new();
    loop {
        match block_on(framed.recv()) {
            Ok(message) => messages.push(message),
            Err(error) => return (messages, error),
        }
    }
}

fn written(messages: &[Message]) -> Vec<u8> {
    let mut framed = framed([]);
    for message in messages {
        block_on(framed.send(message)).unwrap();
    }
    framed.stream.output
}

fn message() -> impl Strategy<Value = Message> {
    let size = prop_oneof![8 => 0..40_usize, 1 => 16_300..16_500_usize, 1 => 30_000..70_000_usize];
    (any::<bool>(), size, any::<u8>()).prop_map(|(text, size, fill)| {
        let data = vec![fill; size].into();
        if text { Message::Text(data) } else { Message::Binary(data) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_messages(
        messages in prop::collection::vec(message(), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = written(&messages);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| bytes[ends[0]..ends[1]].to_vec()).filter(|piece| !piece.is_empty());
        let (received, end) = drain(framed(pieces));
        prop_assert_eq!(received, messages);
        prop_assert!(matches!(end, TransportError::Io { .. }), "{end}");
    }

    #[test]
    fn noise_ends_in_an_error_that_names_the_peer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (_, end) = drain(framed(bytes.chunks(3).map(<[u8]>::to_vec).collect::<Vec<_>>()));
        prop_assert_eq!(end.peer(), "203.0.113.7:4000");
    }
}

#[test]
fn one_byte_at_a_time_gives_the_same_messages() {
    let messages = [Message::text("one"), Message::Binary(Bytes::new()), Message::text("three")];
    let pieces: Vec<_> = written(&messages).into_iter().map(|byte| vec![byte]).collect();
    assert_eq!(drain(framed(pieces)).0, messages);
}

#[test]
fn a_length_of_a_gibibyte_is_refused_by_its_four_bytes_with_peer_and_limit() {
    let mut connection = framed([vec![0x40, 0, 0, 0]]);
    let error = block_on(connection.recv()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "203.0.113.7:4000: a message of 1073741824 bytes is above the limit of 4194304"
    );
    assert!(matches!(error, TransportError::TooLarge { size: 1_073_741_824, limit: 4_194_304, .. }));
    let at_the_vehicle = coachwork_vehicle::Error::from(error);
    assert_eq!(at_the_vehicle.kind(), coachwork_vehicle::ErrorKind::Limit);
    // The error stays.
    assert!(block_on(connection.recv()).is_err());
    assert!(connection.feed(MessageKind::Text, &[b"x"]).is_err());
}

#[test]
fn an_announced_length_alone_takes_no_memory() {
    let mut reader = Reader::new();
    let header = [0, 0x3f, 0xff, 0xff, 1, b'x'];
    reader.room()[..6].copy_from_slice(&header);
    reader.filled(6);
    assert_eq!(reader.next(usize::MAX), Ok(None));
    let (_, data, missing) = reader.partial.as_ref().unwrap();
    assert!(data.capacity() < 1024);
    assert_eq!((data.len(), *missing), (1, 0x003f_fffe));
}

#[test]
fn an_unknown_kind_and_a_late_hello_are_malformed() {
    for bytes in [vec![0, 0, 0, 0, 9], vec![0, 0, 0, 1, 0, b'x']] {
        let (_, end) = drain(framed([bytes]));
        assert!(matches!(end, TransportError::Malformed { .. }), "{end}");
    }
}

#[test]
fn a_close_is_told_with_its_reason() {
    let mut here = framed([]);
    let reason = CloseReason::new(CloseCode::GoingAway, "the workshop calls");
    block_on(here.send(&Message::text("last"))).unwrap();
    block_on(here.close(reason.clone())).unwrap();
    assert!(matches!(here.feed(MessageKind::Text, &[b"x"]), Err(TransportError::Closed { .. })));
    assert!(matches!(block_on(here.recv()), Err(TransportError::Closed { .. })));
    block_on(here.close(CloseReason::normal())).unwrap();
    let (messages, end) = drain(framed([here.stream.output]));
    assert_eq!(messages, [Message::text("last")]);
    assert!(matches!(end, TransportError::Closed { reason: told, .. } if told == reason));
}

#[test]
fn what_waits_to_be_written_is_bounded() {
    let mut connection = framed([]);
    let half = vec![b'x'; connection.limits.write_buffer / 2];
    connection.feed(MessageKind::Text, &[&half]).unwrap();
    connection.feed(MessageKind::Text, &[&half]).unwrap();
    assert!(matches!(connection.feed(MessageKind::Text, &[b"x"]), Err(TransportError::Full { .. })));
    connection.stream.takes = usize::MAX;
    block_on(connection.feed_message(&Message::text("x"))).unwrap();
    let large = vec![b'x'; connection.limits.message + 1];
    let error = connection.feed(MessageKind::Text, &[&large]).unwrap_err();
    assert!(!error.is_fatal(), "{error}");
    block_on(connection.flush()).unwrap();
}

#[test]
fn parts_are_joined() {
    let mut connection = framed([]);
    connection.feed(MessageKind::Text, &[b"he", b"", b"llo"]).unwrap();
    block_on(connection.flush()).unwrap();
    assert_eq!(connection.stream.output, written(&[Message::text("hello")]));
}

#[test]
fn the_hello_agrees_on_a_subprotocol() {
    let limits = Limits::default();
    let info = || Info::new("peer");
    let mut offer = framed([]);
    offer.say_hello(&["VISSv3", "VISSv2"]).unwrap();
    let offer = offer.writer.waiting().to_vec();
    let server =
        block_on(Framed::accept(Pieces::new([offer.clone()]), info(), &limits, &["VISSv2"])).unwrap();
    assert_eq!(server.info.subprotocol.as_deref(), Some("VISSv2"));
    let answer = server.stream.output;
    let client = block_on(Framed::connect(Pieces::new([answer]), info(), &limits, &["VISSv3", "VISSv2"]));
    let client = client.unwrap();
    assert_eq!(client.info.subprotocol.as_deref(), Some("VISSv2"));
    assert_eq!(client.stream.output, offer);
}

#[test]
fn whoever_speaks_something_else_is_told_apart() {
    let limits = Limits::default();
    let info = || Info::new("peer");
    let accept = |bytes: &[u8]| {
        block_on(Framed::accept(Pieces::new([bytes.to_vec()]), info(), &limits, &["VISSv3"])).unwrap_err()
    };
    assert!(matches!(accept(b"GET / HTTP/1.1\r\n\r\n"), TransportError::TooLarge { limit: MAX_HELLO, .. }));
    assert!(matches!(accept(b"\0\0\0\x05\0hello"), TransportError::Malformed { .. }));
    assert!(matches!(accept(b"\0\0\0\x0e\0coachwork/1 v9"), TransportError::Refused { .. }));
    assert!(matches!(accept(b"\0\0"), TransportError::Io { .. }));
    let refusal = Pieces::new([b"\0\0\0\x06\x03\x03\xf0none".to_vec()]);
    let error = block_on(Framed::connect(refusal, info(), &limits, &["v9"])).unwrap_err();
    assert_eq!(error.to_string(), "peer: none");
}

#[test]
fn a_writer_with_nothing_to_write_keeps_next_to_nothing() {
    use super::wire::{FrameKind, Writer};
    let mut writer = Writer::new();
    for _ in 0..3 {
        for size in [100, 30_000, 7] {
            writer.frame(FrameKind::Text, &[&vec![b'x'; size]]);
        }
        let waiting = writer.waiting().len();
        writer.written(20_000);
        assert_eq!(writer.waiting().len(), waiting - 20_000);
        writer.written(waiting);
        assert!(writer.waiting().is_empty() && writer.kept() < 1024);
    }
    writer.frame(FrameKind::Text, &[b"x"]);
    assert!((16 * 1024..32 * 1024).contains(&writer.kept()), "room for as much as the last time");
}
