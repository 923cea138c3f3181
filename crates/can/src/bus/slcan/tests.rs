//! Lines in any split, what is refused, what is written reads back, times, and a conversation.

use super::session::{Session, Setup};
use super::stamps::Stamps;
use super::*;
use crate::bus::BusName;
use crate::bus::port::{Intake, Protocol};
use crate::{CanId, Frame};
use coachwork_vehicle::Timestamp;
use proptest::prelude::*;

fn heard(bytes: &[u8]) -> Vec<Result<Line, Malformed>> {
    let mut heard = Vec::new();
    Decoder::new(Channel::NONE).decode(bytes, |line| heard.push(line));
    heard
}

fn shown(bytes: &[u8]) -> (String, Option<u16>) {
    match &heard(bytes)[..] {
        [Ok(Line::Frame(frame, stamp))] => (frame.to_string(), *stamp),
        other => panic!("{other:?}"),
    }
}

#[test]
fn frames_as_adapters_write_them() {
    assert_eq!(shown(b"t1232AABB\r"), ("(-) - 123#AABB".into(), None));
    assert_eq!(shown(b"t1232aabbEA5F\r"), ("(-) - 123#AABB".into(), Some(59_999)));
    assert_eq!(shown(b"T1ABCDEF00\r"), ("(-) - 1ABCDEF0#".into(), None));
    assert_eq!(shown(b"x1ABCDEF00\r").0, "(-) - 1ABCDEF0#");
    assert_eq!(shown(b"r1233\r").0, "(-) - 123#R3");
    assert_eq!(shown(b"R000001238\r").0, "(-) - 00000123#R8");
    assert_eq!(shown(b"d1239000102030405060708090A0B\r").0, "(-) - 123##0000102030405060708090A0B");
    assert_eq!(shown(b"B00000123101\r").0, "(-) - 00000123##101");
    assert_eq!(shown(b"\nt1230\r").0, "(-) - 123#");
    assert_eq!(
        heard(b"\r\x07z\rZ\rF08\rV1013\rNA123\rO\rS6\rC\rZ1\r"),
        [
            Ok(Line::Done),
            Ok(Line::Refused),
            Ok(Line::Sent),
            Ok(Line::Sent),
            Ok(Line::Status(8)),
            Ok(Line::Information("V1013".into())),
            Ok(Line::Information("NA123".into())),
            Ok(Line::Command(b'O')),
            Ok(Line::Command(b'S')),
            Ok(Line::Command(b'C')),
            Ok(Line::Command(b'Z')),
        ]
    );
}

#[test]
fn what_is_not_well_formed_costs_one_each_and_never_the_next() {
    for bad in [
        &b"t8001AA"[..],
        b"t1232AA",
        b"t1232AABBC",
        b"t1232AABBEA60",
        b"t123G",
        b"t12",
        b"TFFFFFFFF0",
        b"t1231A_",
        b"d123900",
        b"q",
        b"S-6",
        b"\xFF",
        b"hello world",
    ] {
        let bytes = [bad, b"\rO\r"].concat();
        assert_eq!(heard(&bytes), [Err(Malformed), Ok(Line::Command(b'O'))], "{}", bad.escape_ascii());
    }
    let long = [vec![b't'; 1000], b"\rO\r".to_vec()].concat();
    assert_eq!(heard(&long), [Err(Malformed), Ok(Line::Command(b'O'))]);
    // The bell cuts a line short.
    assert_eq!(heard(b"t1232A\x07O\r"), [Err(Malformed), Ok(Line::Refused), Ok(Line::Command(b'O'))]);
}

fn setup(name: &str) -> Setup {
    let BusName::Slcan(adapter) = name.parse().unwrap() else { panic!("{name}") };
    Setup::of(&adapter)
}

#[test]
fn a_conversation_with_a_careful_adapter() {
    let greeting = |name: &str| {
        let mut out = Vec::new();
        Session::new(setup(name), Channel::NONE).begin(&mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(greeting("slcan:/dev/x"), "\r\rC\rO\r");
    assert_eq!(greeting("slcan:/dev/x?bitrate=83300&data_bitrate=5000000"), "\r\rC\rS9\rY5\rO\r");
    assert_eq!(greeting("slcan:/dev/x?btr=031c&listen_only=1&timestamps=1"), "\r\rC\rs031C\rZ1\rL\r");

    let (mut session, mut out) = (Session::new(setup("slcan:/dev/x"), Channel::NONE), Vec::new());
    session.begin(&mut out);
    let say = |session: &mut Session, bytes: &[u8]| {
        let mut intake = Intake::default();
        session.receive(bytes, Timestamp::from_seconds(5), &mut intake, &mut Vec::new()).unwrap();
        intake
    };
    // Two empty lines, a close that is refused because it was closed, an open.
    let intake = say(&mut session, b"\r\r\x07\rt1230\r");
    assert_eq!((intake.refused, intake.confirmed, intake.frames.len()), (0, 0, 1));
    assert_eq!(intake.frames[0].time(), Some(Timestamp::from_seconds(5)));
    let frame = Frame::new(CanId::standard(0x123).unwrap(), &[0xAB]).unwrap();
    out.clear();
    for _ in 0..3 {
        session.send(&frame, &mut out).unwrap();
    }
    assert_eq!(out, b"t1231AB\rt1231AB\rt1231AB\r");
    let intake = say(&mut session, b"z\r\x07\r");
    assert_eq!((intake.confirmed, intake.refused), (3, 1));
    // Only an adapter that has answered everything is asked for its status.
    out.clear();
    assert!(!session.probe(&mut out));
    assert_eq!(out, b"F\r");
    let intake = say(&mut session, b"F09\r");
    assert_eq!(intake.lost, 1);
    assert_eq!(say(&mut session, b"F20\r").lost, 0);
    out.clear();
    session.send(&frame, &mut out).unwrap();
    out.clear();
    assert!(!session.probe(&mut out) && out.is_empty());
    session.end(&mut out);
    assert_eq!(out, b"C\r");
}

#[test]
fn stamps_give_the_adapters_spacing_and_never_the_future() {
    let at = |milliseconds: i64| Timestamp::from_nanoseconds(milliseconds * 1_000_000);
    let mut stamps = Stamps::default();
    let base = 1_700_000_000_000;
    // Heard 3 ms late, then 0 ms late: the line's delay is not the adapter's.
    assert_eq!(stamps.time(59_000, at(base)), at(base));
    assert_eq!(stamps.time(59_010, at(base + 7)), at(base + 7));
    assert_eq!(stamps.time(59_020, at(base + 40)), at(base + 17), "23 ms of delay are taken out");
    // Over the minute, and after minutes of silence.
    assert_eq!(stamps.time(17, at(base + 1_030)), at(base + 1_014));
    let later = base + 1_000 + 7 * 60_000;
    let after = stamps.time(30, at(later + 100)).nanoseconds() / 1_000_000 - later;
    assert!((27..=300).contains(&after), "{after}");
}

fn frames() -> impl Strategy<Value = Frame> {
    let data = prop::collection::vec(any::<u8>(), 0..=64);
    (0..4_u8, any::<bool>(), 0..1_u32 << 29, data, any::<bool>()).prop_map(
        |(kind, extended, id, data, brs)| {
            let id = if extended { CanId::extended(id) } else { CanId::standard(id & 0x7FF) }.unwrap();
            let lengths = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64];
            let fitting = lengths.into_iter().rev().find(|len| *len <= data.len()).unwrap();
            match kind {
                0 => Frame::remote(id, data.len() % 9).unwrap(),
                1 => Frame::fd(id, &data[..fitting]).unwrap().with_bit_rate_switch(brs),
                _ => Frame::new(id, &data[..data.len().min(8)]).unwrap(),
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_back(frame in frames(), milliseconds in any::<u64>()) {
        let mut out = Vec::new();
        encode(&frame, &mut out).unwrap();
        prop_assert_eq!(heard(&out), [Ok(Line::Frame(frame, None))]);
        out.clear();
        encode_stamped(&frame, milliseconds, &mut out).unwrap();
        prop_assert!(out.len() <= MAX_LINE);
        let stamp = u16::try_from(milliseconds % 60_000).unwrap();
        prop_assert_eq!(heard(&out), [Ok(Line::Frame(frame, Some(stamp)))]);
    }

    #[test]
    fn the_split_changes_nothing(bytes in "[trTRdDbBzZOCF\r\x07\n0-9A-F]{0,400}", sizes in prop::collection::vec(1..20_usize, 1..20)) {
        let mut pieces = Vec::new();
        let (mut decoder, mut rest, mut sizes) = (Decoder::new(Channel::NONE), bytes.as_bytes(), sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            decoder.decode(piece, |line| pieces.push(line));
            rest = more;
        }
        prop_assert_eq!(pieces, heard(bytes.as_bytes()));
    }

    #[test]
    fn a_stamp_is_never_later_than_heard_nor_a_minute_old(
        steps in prop::collection::vec((0..60_000_u16, 0..200_000_i64), 1..40),
    ) {
        let (mut stamps, mut now) = (Stamps::default(), 1_700_000_000_000_i64);
        for (stamp, step) in steps {
            now += step;
            let time = stamps.time(stamp, Timestamp::from_nanoseconds(now * 1_000_000)).nanoseconds() / 1_000_000;
            prop_assert!(time <= now && time > now - 60_000);
        }
    }
}
