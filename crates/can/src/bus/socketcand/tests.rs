//! Elements in any split, what is refused, what is written reads back, and a conversation.

use super::session::Session;
use super::*;
use crate::bus::port::{Intake, Protocol};
use crate::{CanId, Channel, Frame};
use coachwork_vehicle::Timestamp;
use proptest::prelude::*;

fn heard(bytes: &[u8]) -> Vec<Result<Element, Malformed>> {
    let mut heard = Vec::new();
    Decoder::new(Channel::NONE).decode(bytes, |element| heard.push(element));
    heard
}

fn shown(bytes: &[u8]) -> Option<String> {
    match &heard(bytes)[..] {
        [Ok(Element::Frame(frame) | Element::Send(frame))] => Some(frame.to_string()),
        _ => None,
    }
}

#[test]
fn frames_as_daemons_and_clients_write_them() {
    assert_eq!(shown(b"< frame 123 23.424242 1A220344 >").unwrap(), "(0000000023.424242) - 123#1A220344");
    assert_eq!(shown(b"< frame 1ABCDEF0 1.5  >").unwrap(), "(0000000001.500000) - 1ABCDEF0#");
    assert_eq!(shown(b"< frame 00000123 1.5 11 22 >").unwrap(), "(0000000001.500000) - 00000123#1122");
    assert_eq!(shown(b"< send 123 0 >").unwrap(), "(-) - 123#");
    assert_eq!(shown(b"<send 1AAAAAAA 2 1 f1>").unwrap(), "(-) - 1AAAAAAA#01F1");
    let [Ok(Element::Frame(error))] = &heard(b"< error 004 7.000001 >")[..] else { panic!() };
    assert!(error.is_error() && error.id().raw() == 4);
    assert_eq!(heard(b"< error unknown command >"), [Ok(Element::Refused("unknown command".into()))]);
    assert_eq!(heard(b"< stat 1 2 3 4 >"), [Ok(Element::Other)]);
}

#[test]
fn what_is_not_well_formed_costs_one_each_and_never_the_next() {
    for bad in [
        &b"< frame 900 1.0 00 >"[..],
        b"< frame 123 1.0 0 >",
        b"< frame 123 1.0 0G >",
        b"< frame 123 1.0 000000000000000000 >",
        b"< frame 123 -1.0 >",
        b"< frame 123 1.0123456789 >",
        b"< frame 123 99999999999.0 >",
        b"< frame 2000000000 1.0 >",
        b"< frame 123 >",
        b"< send 123 2 1 >",
        b"< send 123 1 1 2 >",
        b"< send 123 9 1 2 3 4 5 6 7 8 9 >",
        b"< send 123 1 100 >",
        b"< >",
        b"< \xFF >",
        b"noise",
        b"< hi there >",
        b"< frame 123 1.0",
    ] {
        let bytes = [bad, b"< ok >"].concat();
        assert_eq!(heard(&bytes), [Err(Malformed), Ok(Element::Ok)], "{}", bad.escape_ascii());
    }
    let long = [b"< frame ".to_vec(), vec![b'1'; 1000], b" >< ok >".to_vec()].concat();
    assert_eq!(heard(&long), [Err(Malformed), Ok(Element::Ok)]);
    assert_eq!(heard(b"< ok >\r\n < ok > \n"), [Ok(Element::Ok), Ok(Element::Ok)]);
}

#[test]
fn what_the_protocol_does_not_have_is_refused() {
    let id = CanId::standard(1).unwrap();
    for frame in [Frame::fd(id, &[]).unwrap(), Frame::remote(id, 0).unwrap(), Frame::error(1, &[]).unwrap()] {
        let mut out = Vec::new();
        assert!(encode_send(&frame, &mut out).is_err() && out.is_empty());
    }
    let early = Frame::new(id, &[]).unwrap().with_time(Timestamp::from_seconds(-1));
    let mut out = Vec::new();
    assert!(encode_frame(&early, &mut out).is_err() && out.is_empty());
}

#[test]
fn a_conversation() {
    let (mut session, mut intake, mut out) = (Session::new("can0"), Intake::default(), Vec::new());
    let now = Timestamp::from_seconds(5);
    let mut say = |session: &mut Session, bytes: &[u8], intake: &mut Intake| {
        out.clear();
        session.receive(bytes, now, intake, &mut out).map(|()| String::from_utf8(out.clone()).unwrap())
    };
    assert_eq!(say(&mut session, b"< hi >", &mut intake).unwrap(), "< open can0 >");
    assert_eq!(say(&mut session, b"< ok >", &mut intake).unwrap(), "< rawmode >");
    assert!(!session.is_up());
    say(&mut session, b"< ok >< frame 123 1.0 01 >< frame", &mut intake).unwrap();
    assert!(session.is_up() && intake.frames.len() == 1 && intake.bad == 0);

    let mut sent = Vec::new();
    let frame = Frame::new(CanId::standard(0x123).unwrap(), &[0x1A, 2]).unwrap();
    session.send(&frame, &mut sent).unwrap();
    session.send(&frame, &mut sent).unwrap();
    session.after_sending(&mut sent);
    session.send(&frame, &mut sent).unwrap();
    session.after_sending(&mut sent);
    let element = "< send 123 2 1a 2 >";
    assert_eq!(String::from_utf8(sent).unwrap(), format!("{element}{element}< echo >{element}"));
    assert_eq!(say(&mut session, b" 124 2.0 >< echo >", &mut intake).unwrap(), "< echo >");
    assert_eq!((intake.confirmed, intake.frames.len()), (2, 2));
    say(&mut session, b"< echo >", &mut intake).unwrap();
    assert_eq!(intake.confirmed, 3);

    // A daemon that does not know the echo is not asked again, and need not answer.
    let mut probe = Vec::new();
    assert!(session.probe(&mut probe));
    say(&mut session, b"< error unknown command >", &mut intake).unwrap();
    probe.clear();
    assert!(!session.probe(&mut probe) && probe.is_empty());

    let mut other = Session::new("can9");
    say(&mut other, b"< hi >", &mut intake).unwrap();
    let refused = say(&mut other, b"< error could not open bus >", &mut intake).unwrap_err();
    assert_eq!(refused.to_string(), "the daemon refused `can9`: could not open bus");
}

fn frames() -> impl Strategy<Value = Frame> {
    let data = prop::collection::vec(any::<u8>(), 0..=8);
    (any::<bool>(), 0..1_u32 << 29, data, 0..4_000_000_000_000_000_000_i64).prop_map(
        |(extended, id, data, time)| {
            let id = if extended { CanId::extended(id) } else { CanId::standard(id & 0x7FF) };
            Frame::new(id.unwrap(), &data).unwrap().with_time(Timestamp::from_nanoseconds(time))
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_back(frame in frames()) {
        let mut out = Vec::new();
        encode_frame(&frame, &mut out).unwrap();
        prop_assert_eq!(heard(&out), [Ok(Element::Frame(frame))]);
        out.clear();
        encode_send(&frame, &mut out).unwrap();
        let sent = Frame::new(frame.id(), frame.data()).unwrap();
        prop_assert_eq!(heard(&out), [Ok(Element::Send(sent))]);
    }

    #[test]
    fn the_split_changes_nothing(bytes in "[<> a-fhikoremsn0-9.]{0,300}", sizes in prop::collection::vec(1..20_usize, 1..20)) {
        let mut pieces = Vec::new();
        let (mut decoder, mut rest, mut sizes) = (Decoder::new(Channel::NONE), bytes.as_bytes(), sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            decoder.decode(piece, |element| pieces.push(element));
            rest = more;
        }
        prop_assert_eq!(pieces, heard(bytes.as_bytes()));
    }
}
