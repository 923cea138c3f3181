use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::envelope::split_head;
use crate::lately::LATELY;

fn limits() -> Limits {
    let mut limits = Limits::default();
    (limits.message, limits.write_buffer) = (200, 1000);
    limits
}

fn peers(most: usize) -> Peers {
    Peers::new("now", &limits(), PeerBounds { peers: most, ..PeerBounds::default() })
}

const ZERO: Duration = Duration::ZERO;

fn wrap(topic: &str, request: &str) -> Vec<u8> {
    Envelope { topic: topic.into(), request: request.into(), head: None }.encode()
}

fn part(topic: &str, number: u64, text: &str) -> Vec<u8> {
    let head = Head::Part { number, kind: coachwork_transport::MessageKind::Text };
    Envelope::of_message(topic, Some(head), coachwork_transport::MessageKind::Text, text.as_bytes()).encode()
}

fn hello(topic: &str) -> Vec<u8> {
    Envelope::of_head(topic, Head::Hello { window: 1000, session: None }).encode()
}

/// What happens, in short.
fn shown(happenings: Result<Vec<Happening>, Ignored>) -> String {
    let one = |happening: &Happening| match happening {
        Happening::Arrived { peer, topic, is_coachwork } => {
            format!("{}{peer} at {topic}", if *is_coachwork { "coachwork " } else { "" })
        }
        Happening::Message { peer, message } => {
            format!("{peer}: {}", String::from_utf8_lossy(message.data()))
        }
        Happening::Room(peer) => format!("room {peer}"),
        Happening::Ended { peer, end } => format!("end {peer} {end:?}"),
        Happening::Say { topic, payload } => format!("say {topic} {:?}", String::from_utf8_lossy(payload)),
    };
    match happenings {
        Ok(all) => all.iter().map(one).collect::<Vec<_>>().join(", "),
        Err(why) => format!("ignored: {why}"),
    }
}

fn set(id: u32) -> String {
    format!(r#"{{"action":"set","path":"A","value":"1","requestId":"{id}"}}"#)
}

#[test]
fn each_topic_is_a_peer_and_a_redelivered_request_is_executed_once() {
    let mut peers = peers(10);
    assert_eq!(shown(peers.receive(&wrap("a", &set(1)), ZERO)), format!("0 at a, 0: {}", set(1)));
    assert_eq!(shown(peers.receive(&wrap("b", &set(1)), ZERO)), format!("1 at b, 1: {}", set(1)));
    assert_eq!(shown(peers.receive(&wrap("a", &set(1)), ZERO)), "ignored: it was delivered again");
    let answer = Message::text(r#"{"action":"set","requestId":"1"}"#);
    assert_eq!(peers.send(0, &answer), Some(("a".into(), Vec::new())));
    // The link is lost; the client sends again what the broker did not acknowledge. It gets the same answer, and is nobody's connection.
    peers.lose_all("then");
    let again = r#"say a "{\"action\":\"set\",\"requestId\":\"1\"}""#;
    assert_eq!(shown(peers.receive(&wrap("a", &set(1)), ZERO)), again);
    assert!(peers.is_empty());
    assert_eq!(shown(peers.receive(&wrap("a", &set(2)), ZERO)), format!("2 at a, 2: {}", set(2)));
}

#[test]
fn a_peer_of_coachwork_is_greeted_counted_and_told() {
    let mut peers = peers(10);
    let begun = r#"say a "coachwork hello 1000 now\n", coachwork 0 at a"#;
    assert_eq!(shown(peers.receive(&hello("a"), ZERO)), begun);
    assert_eq!(shown(peers.receive(&hello("a"), ZERO)), "ignored: it was delivered again");
    assert_eq!(shown(peers.receive(&part("a", 0, "x"), ZERO)), "0: x");
    assert_eq!(shown(peers.receive(&part("a", 0, "x"), ZERO)), "ignored: it was delivered again");
    assert_eq!(peers.send(0, &Message::text("y")), Some(("a".into(), b"coachwork 0\n".to_vec())));
    assert_eq!(
        peers.send(0, &Message::Binary(Bytes::new())),
        Some(("a".into(), b"coachwork 1 binary\n".to_vec()))
    );
    assert_eq!(peers.taken(0, 8), None);
    assert_eq!(peers.taken(0, 300), Some(("a".into(), b"coachwork taken 300\n".to_vec())));
    // What does not count belongs to somebody else.
    assert_eq!(shown(peers.receive(&wrap("a", "?"), ZERO)), "ignored: it does not belong there");
    let lost = r#"end 0 Fault(CloseReason { code: Internal, text: "the broker dropped messages" }), say a "coachwork close 1011 the broker dropped messages\n""#;
    assert_eq!(shown(peers.receive(&part("a", 2, "x"), ZERO)), lost);
    // Whoever speaks to an earlier life of the car is told.
    assert_eq!(shown(peers.receive(&part("a", 2, "x"), ZERO)), r#"say a "coachwork lost\n""#);
    let gone = Envelope::of_head("a", Head::Lost).encode();
    assert_eq!(shown(peers.receive(&gone, ZERO)), "ignored: it does not belong there");
    drop(peers.receive(&hello("b"), ZERO));
    let gone = Envelope::of_head("b", Head::Lost).encode();
    assert_eq!(shown(peers.receive(&gone, ZERO)), "end 1 Lost");
    drop(peers.receive(&hello("c"), ZERO));
    let reason = CloseReason::new(CloseCode::GoingAway, "lunch");
    assert_eq!(peers.close(2, Some(reason)), Some(("c".into(), b"coachwork close 1001 lunch\n".to_vec())));
    assert!(peers.is_empty());
}

#[test]
fn answers_go_where_they_may() {
    let bounds = PeerBounds { answers_under: Some("apps/".to_owned()), ..PeerBounds::default() };
    let mut peers = Peers::new("now", &limits(), bounds);
    assert_eq!(shown(peers.receive(&wrap("other", "?"), ZERO)), "ignored: answers do not go to that topic");
    assert_eq!(shown(peers.receive(&hello("other"), ZERO)), "ignored: answers do not go to that topic");
    assert_eq!(shown(peers.receive(&wrap("apps/1", "?"), ZERO)), "0 at apps/1, 0: ?");
    for bad in ["V/Vehicle", "a/#", "$SYS/x"] {
        assert!(matches!(peers.receive(&hello(bad), ZERO), Err(Ignored::Envelope(_))), "{bad}");
    }
}

#[test]
fn peers_are_bounded_and_the_silent_make_place() {
    let mut peers = peers(2);
    drop(peers.receive(&wrap("a", "?"), ZERO));
    drop(peers.receive(&hello("b"), ZERO));
    let full = r#"say c "coachwork close 1008 there are too many peers\n""#;
    assert_eq!(shown(peers.receive(&hello("c"), ZERO)), full);
    assert_eq!(shown(peers.receive(&wrap("c", "?"), ZERO)), "ignored: there are too many peers");
    assert_eq!(shown(peers.receive(&wrap("c", "?"), SPARE)), "end 0 Silent, 2 at c, 2: ?");
    assert_eq!(shown(Ok(peers.sweep(GONE))), "");
    assert_eq!(shown(Ok(peers.sweep(GONE + SPARE))), "end 1 Silent");
    assert_eq!(shown(Ok(peers.sweep(Duration::from_secs(25 * 3600)))), "end 2 Silent");
}

/// Found by the property below: what ended was not told, where what ended it came to nothing.
#[test]
fn nobody_ends_in_silence() {
    let mut peers = peers(1);
    drop(peers.receive(&wrap("a", &set(1)), ZERO));
    let nothing = Envelope::of_head("a", Head::Hello { window: 0, session: None }).encode();
    assert_eq!(shown(peers.receive(&nothing, ZERO)), "ignored: it does not belong there");
    let answer = Message::text(r#"{"action":"set","requestId":"1"}"#);
    drop(peers.send(0, &answer));
    assert_eq!(peers.len(), 1);
    assert!(shown(peers.receive(&wrap("b", &set(2)), SPARE)).starts_with("end 0 Silent, 1 at b"));
    // What gets no place makes nobody leave.
    assert_eq!(
        shown(peers.receive(&wrap("a", &set(1)), SPARE + LATELY)),
        "ignored: there are too many peers"
    );
    let long = "x".repeat(201);
    assert_eq!(shown(peers.receive(&wrap("c", &long), SPARE * 3)), "ignored: there are too many peers");
    assert_eq!(peers.len(), 1);
}

#[test]
fn a_flood_ends_whoever_sends_it() {
    let mut peers = peers(10);
    drop(peers.receive(&wrap("b", "?"), ZERO));
    let asked = (0..100).map(|n| (n, shown(peers.receive(&wrap("a", &set(n)), ZERO))));
    let (count, end) = asked.into_iter().find(|(_, shown)| shown.starts_with("end")).expect("an end");
    assert!(count < 20 && end.contains("too many requests wait"), "{count} {end}");
    let long = "x".repeat(201);
    assert!(shown(peers.receive(&wrap("b", &long), ZERO)).contains("above the limit"));
    assert!(matches!(peers.receive(&wrap("c", &long), ZERO), Err(Ignored::Full)));
    drop(peers.receive(&hello("c"), ZERO));
    assert!(shown(peers.receive(&part("c", 0, &long), ZERO)).contains("end 2 Fault"));
}

/// What is known of a peer in the model: what was sent to it in order, and what came.
#[derive(Debug, Default)]
struct Model {
    sent: Vec<u64>,
    got: Vec<u64>,
}

proptest! {
    /// Peers of Coachwork over a broker that repeats: every message once and in order, to the peer that it is for, whatever strangers send.
    #[test]
    fn every_message_arrives_once_at_its_peer(choices in prop::collection::vec((0_u8..6, 0_usize..3), 0..300)) {
        let mut peers = peers(10);
        let topics = ["a", "b", "c"];
        let mut model: BTreeMap<u64, Model> = BTreeMap::new();
        let mut under_way: VecDeque<Vec<u8>> = VecDeque::new();
        let mut last = Vec::new();
        let mut inbox: BTreeMap<u64, VecDeque<usize>> = BTreeMap::new();
        let mut taken: BTreeMap<u64, u64> = BTreeMap::new();
        for topic in topics {
            drop(peers.receive(&hello(topic), ZERO));
        }
        for (what, which) in choices {
            let id = u64::try_from(which).unwrap();
            let sent = model.entry(id).or_default();
            match what {
                0 if sent.sent.len() - sent.got.len() < 4 => {
                    let number = u64::try_from(sent.sent.len()).unwrap();
                    under_way.push_back(part(topics[which], number, &format!("{id} {number}")));
                    sent.sent.push(number);
                }
                1 | 2 => {
                    let payload = if what == 1 { under_way.pop_front() } else { Some(last.clone()) };
                    let Some(payload) = payload else { continue };
                    last = payload.clone();
                    for happening in peers.receive(&payload, ZERO).unwrap_or_default() {
                        let Happening::Message { peer, message } = happening else { panic!("{happening:?}") };
                        let text = String::from_utf8(message.data().to_vec()).unwrap();
                        let (of, number) = text.split_once(' ').unwrap();
                        prop_assert_eq!(of, peer.to_string());
                        model.get_mut(&peer).unwrap().got.push(number.parse().unwrap());
                        inbox.entry(peer).or_default().push_back(message.data().len());
                    }
                }
                3 => if let Some(length) = inbox.entry(id).or_default().pop_front() {
                    let total = taken.entry(id).or_default();
                    *total += u64::try_from(length.max(8)).unwrap();
                    drop(peers.taken(id, *total));
                },
                4 => drop(peers.receive(&wrap(topics[which], "a stranger's"), ZERO)),
                _ => drop(peers.receive(&hello(topics[which]), ZERO)),
            }
            for (id, inbox) in &inbox {
                prop_assert!(inbox.iter().sum::<usize>() <= 1200, "{id} has too much");
            }
        }
        for (id, model) in &model {
            prop_assert_eq!(&model.got[..], &model.sent[..model.got.len()], "peer {}", id);
        }
    }

    #[test]
    fn whatever_comes_is_bounded_and_answers_go_where_they_may(
        payloads in prop::collection::vec(
            prop_oneof![
                (0_u64..200).prop_map(|seconds| format!("+{seconds}").into_bytes()),
                ("[abc]|V/Vehicle|a/#|\\$x|.{0,3}", "[01]|.{0,8}", prop::option::of("lost|[0-9]|hello [0-9]{1,4}|taken [0-9]{1,3}|close 1001|.{0,5}"))
                    .prop_map(|(topic, request, head)| {
                        let head = head.map_or(String::new(), |head| format!(r#","coachwork":{}"#, serde_json::to_string(&head).unwrap()));
                        let [topic, request] = [topic, request].map(|it| serde_json::to_string(&it).unwrap());
                        format!(r#"{{"topic":{topic},"request":{request}{head}}}"#).into_bytes()
                    }),
                prop::collection::vec(any::<u8>(), 0..40),
            ],
            0..80,
        ),
    ) {
        let mut peers = peers(2);
        let mut alive = std::collections::BTreeSet::new();
        let mut now = ZERO;
        for payload in payloads {
            // Time passes between some of them.
            let seconds = payload.strip_prefix(b"+").and_then(|it| std::str::from_utf8(it).ok()?.parse().ok());
            now += Duration::from_secs(seconds.unwrap_or(0_u32).into());
            for happening in peers.receive(&payload, now).unwrap_or_default() {
                match happening {
                    Happening::Arrived { peer, topic, .. } => {
                        prop_assert!(crate::check_answer_topic(&topic).is_ok() && alive.insert(peer));
                    }
                    Happening::Message { peer, .. } | Happening::Room(peer) => prop_assert!(alive.contains(&peer)),
                    Happening::Ended { peer, .. } => prop_assert!(alive.remove(&peer)),
                    Happening::Say { topic, payload } => {
                        prop_assert!(crate::check_answer_topic(&topic).is_ok());
                        prop_assert!(split_head(&payload.into()).is_ok());
                    }
                }
            }
            prop_assert_eq!(alive.len(), peers.len());
            prop_assert!(peers.len() <= 2 && peers.lately.len() <= 4);
        }
    }
}
