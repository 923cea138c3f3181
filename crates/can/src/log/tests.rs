//! Lines of every shape, good and bad.

use super::*;
use crate::Channel;
use coachwork_vehicle::Timestamp;
use proptest::prelude::*;

fn read(text: &[u8]) -> Vec<Result<Frame, String>> {
    LogReader::new("log", text).map(|item| item.map_err(|error| error.to_string())).collect()
}

fn one(line: &str) -> Result<Frame, String> {
    let mut items = read(line.as_bytes());
    assert_eq!(items.len(), 1, "{line}: {items:?}");
    items.remove(0)
}

/// The frame as it would be written, which shows everything about it.
#[track_caller]
fn shows(line: &str, expected: &str) {
    assert_eq!(one(line).unwrap().to_string(), expected, "{line}");
}

#[track_caller]
fn fails(line: &str, column: usize, cause: &str) {
    assert_eq!(one(line).unwrap_err(), format!("log:1:{column}: {cause}"), "{line}");
}

#[test]
fn log_form() {
    for same in [
        "(1436509052.249713) can0 123#DEADBEEF",
        "(1436509052.249713456) can0 123#DEADBEEF",
        "(0000000000.000000) can0 123#",
        "(-0000000001.500000) vcan0 1FFFFFFF#0102030405060708",
        "(0000000001.000000) can0 123#R",
        "(0000000001.000000) can0 123#R3",
        "(0000000001.000000) can0 123#R8_C",
        "(0000000001.000000) can0 123#0102030405060708_F",
        "(0000000001.000000) can0 123##0",
        "(0000000001.000000) can0 00000123##3010203040506070809 T",
        "(0000000001.000000) can0 123#01 R",
        "(0000000001.000000) can0 20000080#0000000000000000",
        "(0000000001.000000) - 123#01",
    ] {
        shows(same, same);
    }
    shows("(1.0) can0 123#de.ad.BE.ef", "(0000000001.000000) can0 123#DEADBEEF");
    shows("(1.0) can0 123##501 ", "(0000000001.000000) can0 123##101");
    shows("(1.0)  can0  123#R0\r", "(0000000001.000000) can0 123#R");
    shows("can0 123#01", "(-) can0 123#01");
}

#[test]
fn screen_form() {
    shows("  can0  09F8027F   [8]  00 FC FF FF 00 00 FF FF", "(-) can0 09F8027F#00FCFFFF0000FFFF");
    shows(" (1436509052.249713)  vcan0  044   [2]  2A 36", "(1436509052.249713) vcan0 044#2A36");
    shows(" (1970-01-01 00:00:01.5)  can0  044   [0] ", "(0000000001.500000) can0 044#");
    shows("  can0  123   [3]  remote request", "(-) can0 123#R3");
    shows("  can0  123  [09]  01 02 03 04 05 06 07 08 09", "(-) can0 123##0010203040506070809");
    shows("  can0  RX B E  123  [02]  01 02", "(-) can0 123##30102 R");
    shows("  can0  TX - -  123   [1]  01", "(-) can0 123#01 T");
    shows("  can0  123   {C}  01 02 03 04 05 06 07 08", "(-) can0 123#0102030405060708_C");
    shows("  can0  123   [2]  41 42   'AB'", "(-) can0 123#4142");
    shows(
        "  can0  20000080   [8]  00 00 00 00 00 00 00 00   ERRORFRAME",
        "(-) can0 20000080#0000000000000000",
    );
    shows("<0x18eeff01> [8] 05 a0 be 1c 00 a0 a0 c0 ", "(-) - 18EEFF01#05A0BE1C00A0A0C0");
    shows("<0x123> [0]", "(-) - 123#");
}

#[test]
fn headers_comments_and_explanations_are_not_frames() {
    let text = b"# a comment\n\n   \ninterface = can1, family = 29, type = 3, proto = 1\n<0x123> [1] 05\n";
    let items = read(text);
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].as_ref().unwrap().to_string(), "(-) can1 123#05");
    let text = b"  can0  20000004   [8]  00 04 00 00 00 00 00 00   ERRORFRAME\n\tcontroller-problem{rx-error-warning}\n";
    assert_eq!(read(text).len(), 1);
    assert_eq!(read(b"\tnot after an error frame\n").len(), 1);
}

#[test]
fn gvret() {
    let header = "Time Stamp,ID,Extended,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\r\n";
    let items = read(
        format!("{header}166064000,0000021A,false,0,2,FE,36,\r\n7,18FEF100,true,1,0,,,,,,,,\n8,001,false,0,1,FF,00,00\n").as_bytes(),
    );
    let shown: Vec<String> = items.into_iter().map(|item| item.unwrap().to_string()).collect();
    assert_eq!(
        shown,
        ["(0000000166.064000) 0 21A#FE36", "(0000000000.000007) 1 18FEF100#", "(0000000000.000008) 0 001#FF"]
    );

    let header = "Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\n";
    let bad = [
        ("x,1,false,Rx,0,0", 1, "not a time"),
        ("1,900,false,Rx,0,0", 3, "not a CAN identifier"),
        ("1,1,maybe,Rx,0,0", 5, "not flags or a length code"),
        ("1,1,false,up,0,0", 11, "not flags or a length code"),
        ("1,1,false,Rx,0,3,1,2", 16, "the line says 3 bytes and has 2"),
        ("1,1,false,Rx,0,1,1,2", 16, "the line says 1 bytes and has 2"),
        ("1,1,false,Rx,0,1,100", 18, "the payload is not hexadecimal bytes"),
        ("1,1", 1, "not a frame in any form this reads"),
    ];
    for (line, column, cause) in bad {
        let items = read(format!("{header}{line}\n1,1,false,Tx,0,1,0x1F\n").as_bytes());
        assert_eq!(items[0].as_ref().unwrap_err(), &format!("log:2:{column}: {cause}"), "{line}");
        assert_eq!(items[1].as_ref().unwrap().to_string(), "(0000000000.000001) 0 001#1F T");
    }
    let long = format!("{header}1,1,false,Rx,0,64{}\n", ",AA".repeat(64));
    assert!(read(long.as_bytes())[0].as_ref().is_ok_and(|frame| frame.is_fd() && frame.len() == 64));
    let longer = format!("{header}1,1,false,Rx,0,65{}\n", ",AA".repeat(65));
    assert!(read(longer.as_bytes())[0].is_err());
}

#[test]
fn a_bad_line_names_column_and_cause() {
    fails("noise", 1, "not a frame in any form this reads");
    fails("(abc) can0 123#", 2, "not a time");
    fails("(1.0", 2, "not a time");
    fails("(1.0) can0 12#", 12, "not a CAN identifier");
    fails("(1.0) can0 800#", 12, "not a CAN identifier");
    fails("(1.0) can0 80000000#", 12, "not a CAN identifier");
    fails("(1.0) can0 123#0", 16, "the payload is not hexadecimal bytes");
    fails("(1.0) can0 123#010g", 18, "the payload is not hexadecimal bytes");
    fails("(1.0) can0 123#010203040506070809", 32, "the payload is longer than 8 bytes");
    fails("(1.0) can0 123##x", 17, "not flags or a length code");
    fails("(1.0) can0 123#R9", 17, "not flags or a length code");
    fails("(1.0) can0 123#01_9", 19, "not flags or a length code");
    fails("(1.0) can0 123#01 X", 19, "unknown text after the frame");
    fails("(1.0) can0 0007B#81:00:12345678#11", 12, "a CAN XL frame; classic and FD frames are read");
    fails("(1.0) channelnameofover23bytes 123#01", 7, "not a channel");
    fails("  can0  123   [2]  01", 22, "the line says 2 bytes and has 1");
    fails("  can0  123   [1]  01 02", 23, "the line says 1 bytes and has 2");
    fails("  can0  123   [9]  01", 16, "the payload is longer than 8 bytes");
    fails("  can0  1234   [1]  01", 9, "not a CAN identifier");
    fails("1 (1612543138.000000) vcan0 18EF000B#0000", 1, "not a frame in any form this reads");
}

#[test]
fn good_lines_around_a_bad_one_are_read_and_a_cut_last_line_too() {
    let mut text = b"(1.0) can0 123#01\n".to_vec();
    text.extend(std::iter::repeat_n(b'x', 10 * MAX_LINE));
    text.extend(b"\n(2.0) can0 123#02\n\xFF\xFE\x00\n(3.0) can0 123#03");
    let items = read(&text);
    let shown: Vec<_> =
        items.iter().map(|item| item.as_ref().map(|f| f.data()[0]).map_err(String::as_str)).collect();
    assert_eq!(
        shown,
        [
            Ok(1),
            Err("log:2:4097: the line is longer than 4096 bytes"),
            Ok(2),
            Err("log:4:1: not a frame in any form this reads"),
            Ok(3)
        ]
    );
}

#[test]
fn a_file_of_another_kind_is_one_error() {
    assert_eq!(
        read(b"PK\x03\x04junk\n(1.0) can0 123#01"),
        [Err("log: this is a zip file, which is not read".to_owned())]
    );
    assert_eq!(read(b"LOGG\x90\0\0\0\n\n\n").len(), 1);
}

#[test]
fn a_failing_reader_ends_with_its_error() {
    struct Fails;
    impl std::io::Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let items: Vec<_> =
        LogReader::new("log", BufReader::new(Fails)).map(|i| i.unwrap_err().to_string()).collect();
    assert_eq!(items, ["log: the disk is gone"]);
    assert!(LogReader::open("/nonexistent/log").unwrap_err().to_string().starts_with("/nonexistent/log: "));
}

#[test]
fn a_frame_without_time_is_not_written() {
    let frame = one("can0 123#01").unwrap();
    let mut log = CandumpWriter::new(Vec::new());
    assert!(matches!(log.write(&frame), Err(WriteError::NoTime(LogFormat::Candump))));
    assert!(log.into_inner().is_empty());
}

pub(crate) fn any_frame() -> impl Strategy<Value = Frame> {
    let id = any::<bool>().prop_flat_map(|extended| {
        let max = if extended { 0x1FFF_FFFF_u32 } else { 0x7FF };
        (0..=max).prop_map(move |raw| {
            if extended { crate::CanId::extended(raw) } else { crate::CanId::standard(raw) }.unwrap()
        })
    });
    let data =
        prop_oneof![prop::collection::vec(any::<u8>(), 0..=8), prop::collection::vec(any::<u8>(), 0..=64)];
    let rest = (any::<i64>(), "[!-~]{0,23}", 0..3u8, 0..4u8, 0..16usize, any::<(bool, bool)>());
    (id, data, rest).prop_map(|(id, data, (time, channel, direction, kind, dlc, (brs, esi)))| {
        let classic = data.get(..8).unwrap_or(&data);
        let frame = match kind {
            0 => Frame::new(id, classic),
            1 => Frame::fd(id, &data),
            2 => Frame::remote(id, dlc),
            _ => Frame::error(id.raw(), classic),
        };
        let direction = [None, Some(crate::Direction::Received), Some(crate::Direction::Transmitted)]
            [usize::from(direction)];
        let channel = if channel == "-" { Channel::NONE } else { channel.parse().unwrap() };
        let frame = frame.unwrap().with_direction(direction).with_bit_rate_switch(brs).with_error_state(esi);
        let time = Timestamp::from_nanoseconds(time.max(i64::MIN + 1));
        frame.with_dlc(dlc).unwrap().with_time(time).with_channel(channel)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(frames in prop::collection::vec(any_frame(), 0..8), piece in 1..300usize) {
        let mut log = CandumpWriter::new(Vec::new());
        for frame in &frames {
            log.write(frame).unwrap();
        }
        let text = log.into_inner();
        // A buffer of any size: lines lie whole in it or not.
        let back: Vec<Frame> = LogReader::new("log", BufReader::with_capacity(piece, &text[..])).map(Result::unwrap).collect();
        prop_assert_eq!(back, frames);
    }

    #[test]
    fn any_bytes_are_read_the_same_whatever_the_buffer(text in prop::collection::vec(prop_oneof![
        any::<u8>(), prop::sample::select(b"()0123456789.ABCDEF# canR_[]<>x\n\n\n,".to_vec())], 0..400), piece in 1..50usize) {
        let pieces: Vec<_> = LogReader::new("log", BufReader::with_capacity(piece, &text[..]))
            .map(|item| item.map_err(|error| error.to_string())).collect();
        prop_assert_eq!(pieces, read(&text));
    }

    #[test]
    fn a_cut_line_never_reads_as_another_identifier(frame in any_frame(), cut in 0..200usize) {
        let line = frame.to_string();
        let cut = cut.min(line.len());
        if let Some(Ok(read)) = LogReader::new("log", &line.as_bytes()[..cut]).next() {
            prop_assert_eq!(read.id(), frame.id());
            prop_assert!(frame.data().starts_with(read.data()));
        }
    }
}
