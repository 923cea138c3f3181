//! What frames make, whole and in any pieces.

use super::*;
use crate::writer::Writer;
use proptest::prelude::*;

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = Vec::new();
    Header::append(Opcode::Text, payload.len(), Some(mask), &mut bytes);
    bytes[0] = first;
    let from = bytes.len();
    bytes.extend_from_slice(payload);
    apply_mask(&mut bytes[from..], mask, 0);
    bytes
}

/// All items of what a server receives, read in pieces of a size, and the fault that ended it.
fn items(bytes: &[u8], limit: usize, piece: usize) -> (Vec<Item>, Option<Fault>) {
    let mut reader = Reader::new(Role::Server);
    let mut items = Vec::new();
    let mut rest = bytes;
    loop {
        match reader.next(limit) {
            Ok(Some(item)) => items.push(item),
            Err(fault) => return (items, Some(fault)),
            Ok(None) if rest.is_empty() => return (items, None),
            Ok(None) => {
                let room = reader.room();
                let count = piece.min(rest.len()).min(room.len());
                room[..count].copy_from_slice(&rest[..count]);
                reader.filled(count);
                rest = &rest[count..];
            }
        }
    }
}

fn text(text: &str) -> Item {
    Item::Message(Message::text(text))
}

#[test]
fn a_message_in_parts_with_a_ping_between() {
    let bytes =
        [frame(0x01, b"Hel"), frame(0x89, b"hey"), frame(0x00, b""), frame(0x80, b"lo"), frame(0x8A, b"")]
            .concat();
    let wanted = [Item::Ping(Bytes::from_static(b"hey")), text("Hello"), Item::Pong];
    for piece in 1..40 {
        assert_eq!(items(&bytes, 100, piece), (wanted.iter().map(same).collect(), None), "{piece}");
    }
}

fn same(item: &Item) -> Item {
    match item {
        Item::Message(message) => Item::Message(message.clone()),
        Item::Ping(payload) => Item::Ping(payload.clone()),
        Item::Pong => Item::Pong,
        Item::Close(reason) => Item::Close(reason.clone()),
    }
}

#[test]
fn a_close_says_why() {
    let (all, fault) = items(&frame(0x88, b"\x03\xE9bye"), 100, 7);
    assert_eq!((all, fault), (vec![Item::Close(CloseReason::new(CloseCode::GoingAway, "bye"))], None));
    assert_eq!(items(&frame(0x88, b""), 100, 7).0, vec![Item::Close(CloseReason::normal())]);
}

#[test]
fn what_breaks_the_protocol_is_named() {
    let unmasked = vec![0x81, 0x01, b'a'];
    let malformed = |code, what| Some(Fault::Malformed(code, what));
    for (bytes, wanted) in [
        (unmasked, malformed(1002, "a client's frame is not masked")),
        (frame(0x80, b"x"), malformed(1002, "a part of no message")),
        ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), malformed(1002, "a message within another")),
        (frame(0x81, b"\xFF\xFE"), malformed(1007, "a text that is not UTF-8")),
        (frame(0x88, b"\x03"), malformed(1002, "half a number in a close frame")),
        (frame(0x88, b"\x03\xED"), malformed(1002, "a close frame with a number that may not travel")),
        (frame(0x88, b"\x03\xE8\xFF"), malformed(1007, "the reason in a close frame is not UTF-8")),
        (frame(0x09, b""), malformed(1002, "a control frame is longer than 125 bytes, or in parts")),
    ] {
        for piece in [1, 3, 100] {
            assert_eq!(items(&bytes, 100, piece).1, wanted, "{bytes:?}");
        }
    }
    // A letter that is cut between two parts is whole in the message.
    let parts = [frame(0x01, b"\xC3"), frame(0x80, b"\xA4")].concat();
    assert_eq!(items(&parts, 100, 3).0, vec![text("\u{e4}")]);
}

#[test]
fn a_server_may_not_mask() {
    let mut reader = Reader::new(Role::Client);
    assert!(reader.begin_with(&frame(0x81, b"a")));
    assert_eq!(reader.next(100), Err(Fault::Malformed(1002, "a server's frame is masked")));
}

#[test]
fn the_limit_counts_all_parts_before_anything_is_held() {
    let parts = [frame(0x02, &[0; 60]), frame(0x00, &[0; 41])].concat();
    assert_eq!(items(&parts, 100, 7).1, Some(Fault::TooLarge(101)));
    assert_eq!(items(&parts, 101, 7).1, None);
    // The header alone is enough.
    let giant = [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4];
    assert_eq!(items(&giant, 1 << 40, 100).1.map(|fault| matches!(fault, Fault::TooLarge(_))), Some(true));
    let (all, fault) = items(&frame(0x82, &vec![7; 100_000]), 100_000, 9_000);
    assert_eq!((all, fault), (vec![Item::Message(Message::Binary(vec![7; 100_000].into()))], None));
}

proptest! {
    #[test]
    fn what_a_writer_writes_is_read_in_any_pieces(messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..400)), 1..8), piece in 1usize..600) {
        let mut writer = Writer::new(Role::Client);
        let mut wanted = Vec::new();
        for (is_text, data) in &messages {
            let data: Vec<u8> = if *is_text { data.iter().map(|byte| byte & 0x7F).collect() } else { data.clone() };
            let kind = if *is_text { MessageKind::Text } else { MessageKind::Binary };
            let (head, tail) = data.split_at(data.len() / 3);
            writer.message(kind, &[head, tail]).unwrap();
            wanted.push(Item::Message(Message::new(kind, data.into())));
        }
        prop_assert_eq!(items(writer.waiting(), 400, piece), (wanted, None));
    }

    #[test]
    fn noise_gives_the_same_in_any_pieces(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1usize..40) {
        prop_assert_eq!(items(&bytes, 1000, piece), items(&bytes, 1000, 10_000));
    }
}

/// Room follows what a peer says: small for most, large while there is much to read, and small again.
#[test]
fn room_grows_with_what_arrives_and_is_given_back() {
    let (mut reader, payload) = (Reader::new(Role::Server), "x".repeat(5000));
    assert_eq!(reader.room().len(), SMALL);
    let read = |reader: &mut Reader, mut bytes: &[u8]| {
        let mut items = Vec::new();
        while !bytes.is_empty() {
            let room = reader.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            reader.filled(count);
            bytes = &bytes[count..];
            while let Some(item) = reader.next(1 << 20).unwrap() {
                items.push(item);
            }
        }
        items
    };
    assert_eq!(read(&mut reader, &frame(0x81, payload.as_bytes())), [text(&payload)]);
    assert_eq!(reader.room().len(), LARGE);
    for _ in 0..=PATIENCE {
        assert_eq!(read(&mut reader, &frame(0x81, b"short")), [text("short")]);
    }
    assert_eq!(reader.room().len(), SMALL);
    // What came with the handshake may be more than the room is for.
    let mut reader = Reader::new(Role::Server);
    assert!(reader.begin_with(&frame(0x81, payload.as_bytes())));
    assert_eq!(reader.next(1 << 20), Ok(Some(text(&payload))));
    assert!(!Reader::new(Role::Server).begin_with(&vec![0; LARGE + 1]));
}
