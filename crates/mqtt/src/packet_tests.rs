use proptest::prelude::*;

use super::*;

fn all(bytes: &[u8], piece: usize, limit: usize) -> (Vec<Packet>, Option<&'static str>) {
    let (mut decoder, mut packets) = (Decoder::new(limit), Vec::new());
    for piece in bytes.chunks(piece.max(1)) {
        decoder.fill(piece);
        loop {
            match decoder.packet() {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(why) => return (packets, Some(why)),
            }
        }
        assert!(decoder.held() <= limit + OVERHEAD + 5 + piece.len(), "{} bytes held", decoder.held());
    }
    (packets, None)
}

/// A PUBLISH as a broker sends it: what ours writes, with any quality and flag.
fn published(topic: &str, id: Option<u16>, retained: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    if let Some(id) = id {
        publish(&mut out, id, topic, &[payload]);
    } else {
        head(&mut out, 0x30, 2 + topic.len() + payload.len());
        text(&mut out, topic.as_bytes());
        out.put_slice(payload);
    }
    let mut out = out.to_vec();
    out[0] |= u8::from(retained);
    out
}

#[test]
fn connect_is_as_the_standard_has_it() {
    let mut out = BytesMut::new();
    let connect =
        Connect { client: "c", keep_alive: 30, will: ("t", b"gone"), user: Some("u"), password: Some(b"p") };
    connect.write(&mut out);
    let wanted = b"\x10\x1c\0\x04MQTT\x04\xce\0\x1e\0\x01c\0\x01t\0\x04gone\0\x01u\0\x01p";
    assert_eq!(&out[..], &wanted[..]);
    out.clear();
    Connect { user: None, password: None, ..connect }.write(&mut out);
    assert_eq!(&out[..], b"\x10\x16\0\x04MQTT\x04\x0e\0\x1e\0\x01c\0\x01t\0\x04gone");
    out.clear();
    subscribe(&mut out, 7, &["a/b", "c"]);
    assert_eq!(&out[..], b"\x82\x0c\0\x07\0\x03a/b\x01\0\x01c\x01");
    out.clear();
    publish(&mut out, 9, "a", &[b"x", b"yz"]);
    assert_eq!(&out[..], b"\x32\x08\0\x01a\0\x09xyz");
    out.clear();
    acknowledge(&mut out, 258);
    assert_eq!(&out[..], b"\x40\x02\x01\x02");
}

#[test]
fn answers_are_read_and_what_no_broker_may_say_is_not() {
    let good = b"\x20\x02\0\x05\x90\x04\0\x07\x01\x80\x40\x02\0\x09\xd0\0";
    let wanted = vec![Packet::ConnAck(5), Packet::SubAck(7, vec![1, 128]), Packet::PubAck(9), Packet::Pong];
    assert_eq!(all(good, 3, 10), (wanted, None));
    for bad in [
        &b"\x10\x02\0\0"[..],
        b"\x20\x01\0",
        b"\x34\x05\0\x01a\0\x01",
        b"\x32\x05\0\x01a\0\0",
        b"\x32\x03\0\x05a",
        b"\x30\x04\0\x02\xff\xff",
        b"\x50\x02\0\x01",
        b"\x90\x02\0\x01",
        b"\x30\xff\xff\xff\xff\x7f",
        b"\x20\xff\xff\x03",
    ] {
        assert!(all(bad, 100, 10).1.is_some(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn pieces_change_nothing_and_a_large_packet_is_passed_over(
        publishes in prop::collection::vec(("[a-z/]{1,20}", any::<u16>(), any::<bool>(), 0_usize..3000), 1..8),
        piece in 1_usize..2000,
    ) {
        let (limit, mut bytes, mut wanted) = (1000, Vec::new(), Vec::new());
        for (topic, id, retained, length) in publishes {
            let (id, payload) = ((id > 0).then_some(id), vec![b'x'; length]);
            bytes.extend(published(&topic, id, retained, &payload));
            wanted.push(if length > limit {
                (id, None)
            } else {
                (id, Some(Publish { topic, id, retained, payload: payload.into() }))
            });
        }
        let (packets, why) = all(&bytes, piece, limit);
        prop_assert_eq!(why, None);
        let read: Vec<_> = packets.into_iter().map(|packet| match packet {
            Packet::Publish(publish) => (publish.id, Some(publish)),
            Packet::TooLarge { id, .. } => (id, None),
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn any_bytes_are_packets_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..4000), piece in 1_usize..500) {
        prop_assert_eq!(all(&bytes, piece, 64), all(&bytes, bytes.len(), 64));
    }
}
