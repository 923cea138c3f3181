//! Bytes become packets of a broker, or payloads on a car's topic: envelopes, and what happens to the car's peers. The first byte says which; payloads are
//! lines, and a line that begins with `+` lets so many seconds pass.
//!
//! *Oracle:* an envelope says what `serde_json` reads in the same text, and is refused only for a reason; peers that are told of are those that have
//! arrived and not ended, never more than the bounds say; answers go to topics of apps; no message comes twice. Of packets: the size of the pieces changes
//! nothing, and what is held is bounded.
//! *Next:* `coachwork_mqtt::{Envelope, Peers}`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coachwork_mqtt::packet::{Decoder, Packet};
use coachwork_mqtt::{Envelope, EnvelopeError, Happening, PeerBounds, Peers, check_answer_topic};
use coachwork_transport::{Limits, Message};
use serde_json::Value;

/// No payload is longer.
const LIMIT: usize = 500;

/// Runs one input.
pub fn run(data: &[u8]) {
    outcome(data);
}

/// How many packets, or messages of peers, there were.
pub fn outcome(data: &[u8]) -> usize {
    let Some((what, data)) = data.split_first() else { return 0 };
    if *what % 4 == 0 { packets(data, usize::from(what / 4) + 1) } else { payloads(data) }
}

fn packets(data: &[u8], piece: usize) -> usize {
    let whole = read(data, data.len().max(1));
    assert_eq!(read(data, piece), whole, "the size of the pieces changes what is read");
    for packet in &whole.0 {
        if let Packet::Publish(publish) = packet {
            assert!(publish.payload.len() <= LIMIT);
        }
    }
    whole.0.len()
}

fn read(data: &[u8], piece: usize) -> (Vec<Packet>, Option<&'static str>) {
    let (mut decoder, mut packets) = (Decoder::new(LIMIT), Vec::new());
    for piece in data.chunks(piece) {
        decoder.fill(piece);
        loop {
            match decoder.packet() {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(why) => return (packets, Some(why)),
            }
        }
        assert!(decoder.held() <= LIMIT + 2000 + piece.len(), "{} bytes are held", decoder.held());
    }
    (packets, None)
}

fn payloads(data: &[u8]) -> usize {
    let (mut limits, mut bounds) = (Limits::default(), PeerBounds::default());
    (limits.message, limits.write_buffer, bounds.peers) = (LIMIT, 2 * LIMIT, 3);
    let mut peers = Peers::new("now", &limits, bounds);
    let mut now = Duration::ZERO;
    let mut alive = BTreeSet::new();
    let mut seen: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut count = 0;
    for line in data.split(|byte| *byte == b'\n') {
        if let [b'+', seconds] = line {
            now += Duration::from_secs(u64::from(*seconds));
            for happening in peers.sweep(now) {
                let Happening::Ended { peer, .. } = happening else { panic!("{happening:?}") };
                assert!(alive.remove(&peer));
            }
            continue;
        }
        envelope(line);
        for happening in peers.receive(line, now).unwrap_or_default() {
            match happening {
                Happening::Arrived { peer, topic, .. } => {
                    check_answer_topic(&topic).expect("a topic of an app");
                    assert!(alive.insert(peer));
                }
                Happening::Message { peer, message } => {
                    assert!(alive.contains(&peer) && message.data().len() <= LIMIT);
                    seen.entry(peer).or_default().push(message.data().len());
                    count += 1;
                    // Every other one is taken in and answered.
                    if count % 2 == 0 {
                        let sizes = seen.get(&peer).map_or(0, |sizes| sizes.iter().sum());
                        drop(peers.taken(peer, u64::try_from(sizes).expect("a size")));
                        if peers.may_send(peer) {
                            let (topic, _) = peers.send(peer, &Message::text("{}")).expect("a peer");
                            check_answer_topic(&topic).expect("a topic of an app");
                        }
                    }
                }
                Happening::Room(peer) => assert!(alive.contains(&peer)),
                Happening::Ended { peer, .. } => assert!(alive.remove(&peer)),
                Happening::Say { topic, .. } => check_answer_topic(&topic).expect("a topic of an app"),
                other => panic!("{other:?}"),
            }
        }
        assert!(alive.len() == peers.len() && peers.len() <= 3);
    }
    count
}

/// An envelope, as it is and as `serde_json` reads it.
fn envelope(payload: &[u8]) {
    let other: Option<Value> = serde_json::from_slice(payload).ok();
    match Envelope::parse(payload) {
        Ok(ours) => {
            let again = ours.encode();
            assert_eq!(Envelope::parse(&again).as_ref(), Ok(&ours), "what is written is read as another");
            // The other one refuses numbers and depths in what ours does not look at.
            let Some(other) = other else { return };
            assert_eq!(other["topic"].as_str(), Some(&*ours.topic));
            match &other["request"] {
                Value::String(request) => assert_eq!(request, &*ours.request),
                object @ Value::Object(_) => {
                    assert_eq!(serde_json::from_str::<Value>(&ours.request).ok().as_ref(), Some(object));
                }
                odd => panic!("{odd} was taken for a request"),
            }
            assert_eq!(ours.head.is_some(), other["coachwork"].is_string());
        }
        Err(EnvelopeError::Form(why)) => {
            let Some(other) = other else { return };
            let whole = other["topic"].is_string()
                && (other["request"].is_string() || other["request"].is_object())
                && (other["coachwork"].is_string() || other["coachwork"].is_null());
            assert!(!whole || why.contains("duplicate field"), "{why}: {other}");
        }
        Err(EnvelopeError::Topic(_)) => {
            if let Some(topic) = other.as_ref().and_then(|other| other["topic"].as_str()) {
                assert!(check_answer_topic(topic).is_err());
            }
        }
        Err(EnvelopeError::Head) => {
            if let Some(other) = other {
                assert!(other["coachwork"].is_string());
            }
        }
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides_what_comes_out() {
        assert_eq!(outcome(b"\x01{\"topic\":\"a\",\"request\":\"x\"}\n{\"topic\":\"b\",\"request\":{}}"), 2);
        assert_eq!(outcome(b"\x01{\"topic\":\"V/Vehicle\",\"request\":\"x\"}"), 0);
        assert_eq!(
            outcome(b"\x01{\"topic\":\"a\",\"request\":\"\",\"coachwork\":\"hello 9\"}\n{\"topic\":\"a\",\"request\":\"x\",\"coachwork\":\"0\"}"),
            1
        );
        assert_eq!(outcome(b"\x04\x40\x02\0\x01\x32\x06\0\x01a\0\x01x"), 2);
    }
}
