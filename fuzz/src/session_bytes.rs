//! Bytes from a peer become frames, requests and answers. The first byte chooses the dialect, each line after it is a message.
//!
//! *Oracle:* however the bytes are cut, the frames are the same; a request that is read is written and read again the same; whatever
//! the server's session says, the client's session can read; and whatever either takes has the shape that a slow reading finds.
//! *Next:* `slow_viss.rs` (that reading), `coachwork_transport` (`ServerSession`, `ClientSession`, `Framed`).

use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use coachwork_transport::viss::{
    Answer, Call, Capabilities, Dialect, EncodedEvent, EncodedMetadata, Request, Target, WireValue,
};
use coachwork_transport::{
    Arrived, ClientSession, ConnectionExt, Framed, Info, Limits, Message, Moment, Received, ServerSession,
    TransportError,
};
use coachwork_vehicle::{
    Catalogue, Credential, DataType, Datapoint, Entry, Error, ErrorKind, Event, Facts, Monotonic, Outcome,
    Points, Reason, ReasonKind, ScalarType, Stage, State, StructType, StructValue, Subscribe, Timestamp,
    Value,
};
use futures::io::{AsyncRead, AsyncWrite};

use crate::slow_viss;

const NOW: Moment = Moment { time: Timestamp::EPOCH, monotonic: Monotonic::from_nanoseconds(0) };

/// A struct of structs, with a default.
static PLACE: LazyLock<Arc<StructType>> = LazyLock::new(|| {
    let x =
        [Entry::attribute("X", DataType::FLOAT), Entry::attribute("Y", DataType::FLOAT).with_default(0.5)];
    let point = StructType::new("Types.Point", x).expect("a struct");
    let properties = [
        Entry::attribute("Name", DataType::STRING).with_default("here"),
        Entry::attribute("Way", DataType::Array(ScalarType::Struct)).with_struct(&point),
    ];
    StructType::new("Types.Place", properties).expect("a struct")
});

static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h"),
        Entry::actuator("Vehicle.Seat.Heating", DataType::INT8)
            .with_range(Value::from(-100_i8), Value::from(100_i8)),
        Entry::attribute("Vehicle.Name", DataType::STRING),
        Entry::sensor("Vehicle.Codes", DataType::Array(ScalarType::Uint16)),
        Entry::actuator("Vehicle.Door.Left.IsOpen", DataType::BOOLEAN),
        Entry::actuator("Vehicle.Door.Right.IsOpen", DataType::BOOLEAN),
        Entry::actuator("Vehicle.Goal", DataType::STRUCT).with_struct(&PLACE),
    ];
    Arc::new(Catalogue::new(entries, Facts::default()).expect("a catalogue"))
});

/// What was seen of the input, to show that it is used.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests that were read.
    pub requests: usize,
    /// Messages that the client's session understood as they came.
    pub arrived: usize,
    /// Messages that the server's session gave.
    pub replies: usize,
    /// Frames.
    pub frames: usize,
}

/// One input.
pub fn run(data: &[u8]) {
    look(data);
}

fn look(data: &[u8]) -> Seen {
    let mut seen = Seen { frames: frames(data), ..Seen::default() };
    let Some((&choice, messages)) = data.split_first() else { return seen };
    let dialect = if choice & 1 == 0 { Dialect::V3 } else { Dialect::V2 };
    let mut limits = Limits::default();
    (limits.requests, limits.subscriptions, limits.receipts) = (8, 4, 8);
    let mut server = ServerSession::new(dialect, Credential::None, &limits);
    let mut client = client(dialect, choice & 2 != 0, &limits);
    for (place, line) in messages.split(|&byte| byte == b'\n').enumerate() {
        let message = Message::Text(line.to_vec().into());
        // What a peer may send to the other end must not harm it either.
        let arrived = client.receive(&message, NOW);
        if let Ok(Arrived::Answer { answer: Ok(_), .. } | Arrived::Event { .. } | Arrived::Receipt { .. }) =
            &arrived
        {
            seen.arrived += 1;
            assert_eq!(slow_viss::reply(line), Ok(()), "{arrived:?}");
        }
        if let Ok(request) = Request::decode(&message, dialect, &limits) {
            seen.requests += 1;
            assert_eq!(slow_viss::request(line, &request.id), Ok(()), "{request:?}");
            let again = Message::Text(request.encode(dialect));
            let again = Request::decode(&again, dialect, &limits);
            assert!(again.as_ref().is_ok_and(|again| *again == request), "{request:?} became {again:?}");
        }
        for reply in serve(&mut server, &message, place) {
            seen.replies += 1;
            let text = String::from_utf8(reply.clone()).expect("UTF-8");
            if let Err(error) = client.receive(&Message::Text(reply.into()), NOW) {
                // The client has not asked this; but it has read it.
                let unasked = [
                    "an answer to a request that was never made",
                    "an answer without requestId",
                    "a receipt without requestId",
                ];
                assert!(unasked.contains(&error.message()), "{text}: {error}");
            }
        }
    }
    seen
}

/// A client with one request of each kind open: metadata is 1, get 2, set 3, subscribe 4, history 5.
fn client(dialect: Dialect, additions: bool, limits: &Limits) -> ClientSession {
    let mut client = ClientSession::new(dialect, Credential::None, limits);
    client.set_catalogue(CATALOGUE.clone());
    if !additions {
        client = client.pure();
    }
    let within = Duration::from_secs(1);
    let ids: Vec<_> = CATALOGUE.ids().collect();
    client.metadata(Target::everything(), within, NOW).expect("a request");
    client.get(&ids, within, NOW).expect("a request");
    client.set(&[coachwork_vehicle::Request::new(ids[1], 5)], within, NOW).expect("a request");
    client.subscribe(&Subscribe::to([ids[0]]), within, NOW).expect("a request");
    client.history(&ids, within, within, NOW).expect("a request");
    client
}

/// Everything that the server says to one message, events and receipts included.
fn serve(server: &mut ServerSession, message: &Message, place: usize) -> Vec<Vec<u8>> {
    let (ticket, call) = match server.receive(message, NOW) {
        Received::Refused { reply, .. } => return vec![reply.to_vec()],
        Received::Call { ticket, call, .. } => (ticket, call),
    };
    if call == Call::Capabilities {
        // No client of ours asks for them: they are JSON, and that is all.
        let reply = server.answer(ticket, &Answer::Capabilities(Capabilities::default()), NOW);
        assert!(reply.is_some_and(|reply| serde_json::from_slice::<serde_json::Value>(&reply).is_ok()));
        return Vec::new();
    }
    let mut out = Vec::new();
    let answer = answer(server, &call, place);
    let accepted =
        matches!(&answer, Answer::Set(stages) if matches!(stages.first(), Some(Ok(Stage::Accepted))));
    out.extend(server.answer(ticket, &answer, NOW).map(|reply| reply.to_vec()));
    assert!(server.answer(ticket, &answer, NOW).is_none(), "answered once");
    if accepted {
        let outcome = Outcome::Confirmed(Timestamp::EPOCH);
        out.extend(server.receipt(ticket, 0, &outcome, NOW).map(|reply| reply.to_vec()));
    }
    let subscriptions: Vec<_> = server.subscriptions().cloned().collect();
    for subscription in subscriptions {
        let event = match place % 3 {
            0 => Event::Lagged(3),
            1 => Event::Changed(Points::new(vec![(CATALOGUE.ids().next().expect("a signal"), point(place))])),
            _ => Event::Ended(Reason::new(ReasonKind::Ended)),
        };
        let Some(event) = EncodedEvent::new(server.form(), &event, &CATALOGUE, NOW.time) else { continue };
        out.extend(server.event(&subscription, &event).map(|head| [head.as_ref(), event.body()].concat()));
    }
    assert!(server.subscriptions().len() <= 4 && server.requests() == 0);
    out
}

fn answer(server: &ServerSession, call: &Call, place: usize) -> Answer {
    let failed = |error: Error| Answer::Failed(error);
    match call {
        Call::Get(target) => match target.resolve(&CATALOGUE) {
            Ok(found) => Answer::Points(
                found.into_iter().map(|found| (found.path, found.signal.map(|_| point(place)))).collect(),
            ),
            Err(error) => failed(error),
        },
        Call::Metadata { target, generations } => {
            EncodedMetadata::new(server.form(), &CATALOGUE, target, *generations)
                .map_or_else(failed, Answer::Metadata)
        }
        Call::History { target, .. } => match target.resolve(&CATALOGUE) {
            Ok(found) => Answer::History(
                found.into_iter().map(|found| (found.path, vec![point(place), point(place + 1)])).collect(),
            ),
            Err(error) => failed(error),
        },
        Call::Set(items) => {
            let stage = |item: &coachwork_transport::viss::SetItem| {
                let request = item.resolve(&CATALOGUE)?;
                let entry = CATALOGUE.entry(request.signal)?;
                assert!(entry.holds(&request.value), "{:?} was read as {:?}", item.value, request.value);
                let again = WireValue::of(&request.value).parse(entry)?;
                assert!(again.same(&request.value), "{:?} became {again:?}", request.value);
                Ok(Stage::Accepted)
            };
            Answer::Set(items.iter().map(stage).collect())
        }
        Call::Subscribe(wanted) => match wanted.resolve(&CATALOGUE) {
            Ok(resolved) if resolved.subscribe.check().is_ok() => {
                Answer::Subscribed { refused: resolved.refused }
            }
            Ok(_) => failed(Error::new(ErrorKind::Invalid, "a malformed wish")),
            Err(error) => failed(error),
        },
        _ => Answer::Unsubscribed,
    }
}

fn point(place: usize) -> Datapoint {
    let reason = || Reason::because(ReasonKind::Source, "\"\\\u{1}");
    let states = [
        State::Valid(Value::Float(50.5)),
        State::Stale(Value::Text("\"\n".into())),
        State::NeverSet,
        State::NotAvailable(reason()),
        State::Error(reason()),
        State::Valid(Value::Array([Value::Uint(1)].into())),
        State::Valid(StructValue::new(&PLACE, [("Way", Value::Array([].into()))]).expect("a place").into()),
    ];
    Datapoint::new(states[place % states.len()].clone(), NOW.time)
}

/// How many frames the bytes hold; the same however they are cut.
fn frames(data: &[u8]) -> usize {
    let read = |step: usize| {
        let mut limits = Limits::default();
        limits.message = 64 * 1024;
        let mut framed = Framed::new(Pieces { data, step }, Info::new("peer"), &limits);
        let mut messages = Vec::new();
        loop {
            match futures::executor::block_on(framed.recv()) {
                Ok(message) => messages.push(message),
                Err(error) => break (messages, kind(&error)),
            }
        }
    };
    let whole = read(usize::MAX);
    assert_eq!(whole, read(1));
    assert_eq!(whole, read(1 + data.len() % 7));
    whole.0.len()
}

fn kind(error: &TransportError) -> String {
    assert_eq!(error.peer(), "peer");
    error.to_string()
}

/// A stream that yields a few bytes at a time.
struct Pieces<'d> {
    data: &'d [u8],
    step: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let take = self.data.len().min(self.step).min(buf.len());
        let (now, later) = self.data.split_at(take);
        buf[..take].copy_from_slice(now);
        self.data = later;
        Poll::Ready(Ok(take))
    }
}

impl AsyncWrite for Pieces<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_is_used() {
        let one = look(b"0{\"action\":\"get\",\"path\":\"Vehicle.Speed\",\"requestId\":\"1\"}");
        assert_eq!(one, Seen { requests: 1, replies: 1, ..Seen::default() });
        let set = look(b"0{\"action\":\"set\",\"path\":\"Vehicle.Goal\",\"value\":{\"Way\":[{\"X\":\"1\"}]},\"requestId\":\"1\"}");
        assert_eq!(set, Seen { requests: 1, replies: 1, ..Seen::default() });
        let answer = look(b"2{\"action\":\"set\",\"requestId\":\"3\",\"ts\":\"2024-01-01T00:00:00Z\"}");
        assert_eq!(answer, Seen { arrived: 1, replies: 1, ..Seen::default() });
        assert_eq!(look(b"0\nnoise"), Seen { replies: 2, ..Seen::default() });
        assert_eq!(look(b"\0\0\0\x01\x01x"), Seen { replies: 1, frames: 1, ..Seen::default() });
    }
}
