//! ASC, TRC and python-can's CSV: lines of every shape, good and bad; and every written format read back.

use super::numbers::ChannelNumbers;
use super::tests::any_frame;
use super::*;
use crate::{Channel, Direction};
use coachwork_vehicle::Timestamp;
use proptest::prelude::*;

fn read(text: &str) -> Vec<Result<String, String>> {
    let shown = |item: Result<Frame, LogError>| item.map(|f| f.to_string()).map_err(|e| e.to_string());
    LogReader::new("log", text.as_bytes()).map(shown).collect()
}

/// The frames of these lines after a header, and no error.
#[track_caller]
fn frames(header: &str, lines: &str) -> Vec<String> {
    read(&format!("{header}{lines}")).into_iter().map(Result::unwrap).collect()
}

/// The one error of this line after a header; a good line after it reads.
#[track_caller]
fn fails(header: &str, line: &str, good: &str, column: usize, cause: &str) {
    let items = read(&format!("{header}{line}\n{good}\n"));
    let number = header.lines().count() + 1;
    assert_eq!(items.len(), 2, "{line}: {items:?}");
    assert_eq!(items[0], Err(format!("log:{number}:{column}: {cause}")), "{line}");
    assert!(items[1].is_ok(), "{line}: {items:?}");
}

const ASC: &str = "date Sat Sep 30 15:06:13.191 2017\r\nbase hex  timestamps absolute\r\ninternal events logged\r\n// version 9.0.0\r\n";

#[test]
fn asc_frames() {
    let lines = "Begin Triggerblock Sat Sep 30 15:06:13.191 2017\n   0.000000 Start of measurement\n   0.5 1  123             Rx   d 2 DE ad  Length = 240015 BitCount = 124 ID = 291\n   0.6 2  1ABCDEFx        Tx   d 0\n   0.7 1  7FF             Rx   r\n   0.8 1  7FF             Tx   r 8 Length = 1704000 BitCount = 145 ID = 88888888x\n   0.9 3  12              Rx   d D 01 02 03 04 05 06 07 08\n   1.0 1 ErrorFrame ECC: 10100010\n   1.1 1  12              Rx   d 9 01 02 03 04 05 06 07 08 09 0A 0B 0C\n   1.2 1\tEngine          Rx   d 1 05  Length = 1 BitCount = 1 ID = 291x\nEnd TriggerBlock\n";
    assert_eq!(
        frames(ASC, lines),
        [
            "(1506783973.691000) 1 123#DEAD R",
            "(1506783973.791000) 2 01ABCDEF# T",
            "(1506783973.891000) 1 7FF#R R",
            "(1506783973.991000) 1 7FF#R8 T",
            "(1506783974.091000) 3 012#0102030405060708_D R",
            "(1506783974.191000) 1 20000000#",
            "(1506783974.291000) 1 012##00102030405060708090A0B0C R",
            "(1506783974.391000) 1 00000123#05 R",
        ]
    );
    let fd = "0.5 CANFD   1 Rx        123                                   1 0 9 12 01 02 03 04 05 06 07 08 09 0A 0B 0C 102203 133 303000 e0 46 4b 20 20\n0.5 CANFD   1 Tx        123x  Some_Name   0 1 1  1 01\n0.5 CANFD 2 Rx 50005x 0 0 5 0 140000 73 200050 7a60\n0.5 CANFD 2 Rx 50 0 0 2 2 01 02 140000 73 200000 7a60\n0.5 CANFD 2 Rx 50 0 0 0 0 140000 73 1000 7a60\n0.5 CANFD 5 Tx ErrorFrame Not Acknowledge error, dominant\n";
    assert_eq!(
        frames(ASC, fd),
        [
            "(1506783973.691000) 1 123##10102030405060708090A0B0C R",
            "(1506783973.691000) 1 00000123##201 T",
            "(1506783973.691000) 2 00050005#R5 R",
            "(1506783973.691000) 2 050#0102 R",
            "(1506783973.691000) 2 050##0 R",
            "(1506783973.691000) 5 20000000# T",
        ]
    );
}

#[test]
fn asc_numbers_times_and_headers() {
    let decimal = "date Sat Sep 30 15:06:13 2017\nbase dec  timestamps relative\nno internal events logged\n";
    let lines = "1.0 1 291 Rx d 3 1 02 255\n0.5 1 Statistic: D 0 R 0\n0.5 1 100x Rx d 1 16\n";
    assert_eq!(
        frames(decimal, lines),
        ["(1506783974.000000) 1 123#0102FF R", "(1506783975.000000) 1 00000064#10 R"]
    );
    // Of a file of python-can, whose date is when it was written.
    let block =
        "Begin Triggerblock Tue Nov 14 22:13:20.100 2023\n 0.000000 Start of measurement\n 0.5 1 1 Rx d 0\n";
    assert_eq!(frames(ASC, block), ["(1700000000.600000) 1 001# R"]);
    // A trigger in the middle of a measurement moves no time.
    let trigger =
        "Begin Triggerblock Sat Sep 30 16:00:00 2017\n 10.0 1 1 Rx d 0\n 0.0 Start of measurement\n";
    assert_eq!(frames(ASC, trigger), ["(1506783983.191000) 1 001# R"]);
    // Without a date the times count from an unknown start.
    let mut log = LogReader::new("log", &b"base hex  timestamps absolute\n1.5 1 1 Rx d 0\n"[..]);
    assert_eq!(log.next().unwrap().unwrap().to_string(), "(0000000001.500000) 1 001# R");
    assert_eq!((log.format(), log.time_base()), (Some(LogFormat::Asc), TimeBase::Unknown));
    let mut log = LogReader::new("log", ASC.as_bytes());
    assert!(log.next().is_none());
    let text = format!("{ASC}0.1 1 1 Rx d 0\n");
    let mut log = LogReader::new("log", text.as_bytes());
    assert!(log.next().unwrap().is_ok());
    assert_eq!(log.time_base(), TimeBase::Utc);
    assert_eq!(read("0.5 1  64  Rx   d 1 07\n"), [Ok("(0000000000.500000) 1 064#07 R".to_owned())]);
    let unread = read("date Sat Foo 30 15:06:13 2017\nbase hex timestamps absolute\n1.5 1 1 Rx d 0\n");
    assert_eq!(
        unread,
        [Err("log:1:6: not a time".to_owned()), Ok("(0000000001.500000) 1 001# R".to_owned())]
    );
}

#[test]
fn asc_events_are_no_frames_and_cut_lines_are_flaws() {
    let events = "0.0 CAN 1 Status:chip status error active\n0.1 1  Statistic: D 0 R 0 XD 0\n0.2 1  J1939TP FEE3p 6 0 0 - Rx d 23 A0 0F\n0.3 SV: 1 0 1 ::x = 5\n0.4 LIN 1 Rx\n0.5 1 123 TxRq d 1 00\n0.6 L1 23 Rx 8\n0.7 1 OverloadFrame\n//0.8 1 123 Rx d 0\n";
    assert_eq!(frames(ASC, events), Vec::<String>::new());
    let fails = |line: &str, column, cause: &str| fails(ASC, line, "1.0 1 1 Rx d 0", column, cause);
    fails("noise", 1, "not a frame in any form this reads");
    fails("0.5", 4, "not a frame in any form this reads");
    fails("0.5 1 12", 9, "not a frame in any form this reads");
    fails("0.5 1 12345678 Rx d 0", 7, "not a CAN identifier");
    fails("0.5 1 Name Rx d 0", 7, "not a CAN identifier");
    fails("0.5 1 123 Rx", 13, "not flags or a length code");
    fails("0.5 1 123 Rx d", 15, "not flags or a length code");
    fails("0.5 1 123 Rx d 40 00", 16, "not flags or a length code");
    fails("0.5 1 123 Rx d 3 00 01", 16, "the line says 3 bytes and has 2");
    fails("0.5 1 123 Rx d 1 00 01", 16, "the line says 1 bytes and has 2");
    fails("0.5 1 123 Rx d 2 00 0", 21, "the payload is not hexadecimal bytes");
    fails("0.5 1 123 Rx r x", 16, "not flags or a length code");
    fails("1.x 1 123 Rx d 0", 1, "not a time");
    fails("0.5 CANFD x Rx 1 0 0 0 0", 11, "not a channel");
    fails("0.5 CANFD 1 Rx 1 0 0 9 12 01", 24, "the line says 12 bytes and has 1");
    fails("0.5 CANFD 1 Rx 1 0 0 9 65 01", 24, "the payload is longer than 64 bytes");
    fails("0.5 CANFD 1 Rx 1 N 2 0 9 12 01", 20, "not flags or a length code");
    fails("0.5 CANXL 1 Rx 1", 5, "a CAN XL frame; classic and FD frames are read");
    fails("base oct", 6, "not flags or a length code");
}

#[test]
fn trc_versions() {
    let start = "$STARTTIME=44548.5";
    let expected = ["(1639828800.500000) - 00000123#0102 T", "(1639828801.000000) - 123#R3 R"];
    let one = format!(";$FILEVERSION=1.1\r\n;{start}\r\n;\r\n");
    let lines = "1) 500.0 Tx 00000123 2 01 02 \r\n2) 600.0 Warng FFFFFFFF 4 00 00 00 08 BUSHEAVY\r\n3) 1000.0 Rx 0123 3 RTR\r\n";
    assert_eq!(frames(&one, lines), expected);
    assert_eq!(frames(&one, "4) 1.5 Error 0008 4 00 19 08 08\r\n"), ["(1639828800.001500) - 20000000#"]);
    let expected = expected.map(|line| line.replace('-', "7"));
    let two = format!(";$FILEVERSION=1.2\n;{start}\n");
    assert_eq!(frames(&two, "1) 500.0 7 Tx 00000123 2 01 02\n3) 1000.0 7 Rx 0123 3 RTR\n"), expected);
    let three = format!(";$FILEVERSION=1.3\n;{start}\n");
    assert_eq!(frames(&three, "1) 500.0 7 Tx 00000123 - 2 01 02\n3) 1000.0 7 Rx 0123 - 3 RTR\n"), expected);
    let zero = ";##########\n;   C:\\x.trc\n";
    let lines = "1) 500 00000123 2 01 02\n2) 501 0008 4 ERROR 00 19 08 08\n3) 502 FFFFFFFF 4 00 00 00 04 -- -- -- -- BUSLIGHT\n4) 1000 0123 3 RTR\n";
    assert_eq!(
        frames(zero, lines),
        [
            "(0000000000.500000) - 00000123#0102",
            "(0000000000.501000) - 20000000#",
            "(0000000001.000000) - 123#R3"
        ]
    );
}

#[test]
fn trc_columns() {
    let header = ";$FILEVERSION=2.1\n;$STARTTIME=44548.5\n;$COLUMNS=N,O,T,B,I,d,R,L,D\n";
    let lines = "1 500.000 DT 1 00000123 Tx - 2 01 02\n2 500.0001 DT 1 0123 Rx - 13 01 02 03 04 05 06 07 08\n3 501 RR 2 0123 Rx - 3\n4 502 FD 1 0123 Rx - 9 01 02 03 04 05 06 07 08 09 0A 0B 0C\n5 503 FB 1 0123 Rx - 1 01\n6 504 FE 1 0123 Rx - 1 01\n7 505 BI 1 0123 Rx - 1 01\n8 506 ST 1 - Rx - 4 00 00 00 08\n9 507 ER 1 - Rx - 5 04 02 00 00 00\n10 508 EC 1 - - - 2 00 00\n11 509 EV User-defined event for bus 1\n";
    assert_eq!(
        frames(header, lines),
        [
            "(1639828800.500000) 1 00000123#0102 T",
            "(1639828800.500000100) 1 123#0102030405060708_D R",
            "(1639828800.501000) 2 123#R3 R",
            "(1639828800.502000) 1 123##00102030405060708090A0B0C R",
            "(1639828800.503000) 1 123##101 R",
            "(1639828800.504000) 1 123##301 R",
            "(1639828800.505000) 1 123##201 R",
            "(1639828800.507000) 1 20000000# R",
        ]
    );
    let lengths = ";$FILEVERSION=2.0\n;$COLUMNS=N,O,T,I,d,l,D\n";
    let lines = "1 1.0 FD 0123 Tx 12 01 02 03 04 05 06 07 08 09 0A 0B 0C\n2 2.0 ST          Rx    00 00 00 08\n3 3.0 ER          Rx 00 00 00 08\n4 4.0 RR 0704 Rx 1\n";
    assert_eq!(
        frames(lengths, lines),
        [
            "(0000000000.001000) - 123##00102030405060708090A0B0C T",
            "(0000000000.003000) - 20000000# R",
            "(0000000000.004000) - 704#R1 R"
        ]
    );
    let fails =
        |line: &str, column, cause: &str| fails(header, line, "1 1.0 DT 1 0123 Rx - 0", column, cause);
    fails("noise", 6, "not a frame in any form this reads");
    fails("1 x DT 1 0123 Rx - 0", 3, "not a time");
    fails("1 1.0 XX 1 0123 Rx - 0", 7, "not flags or a length code");
    fails("1 1.0 DT x 0123 Rx - 0", 10, "not a channel");
    fails("1 1.0 DT 1 0800 Rx - 0", 12, "not a CAN identifier");
    fails("1 1.0 DT 1 0123 up - 0", 17, "not flags or a length code");
    fails("1 1.0 DT 1 0123 Rx - 2 01", 26, "the line says 2 bytes and has 1");
    fails("1 1.0 DT 1 0123 Rx - 1 01 02", 27, "unknown text after the frame");
    fails("1 1.0 DT 1 0123 Rx - 1 0x", 24, "the payload is not hexadecimal bytes");
    fails("1 1.0 FD 1 0123 Rx - 16 01", 22, "not flags or a length code");
    fails("1 1.0 DT 1 0123 Rx - 99 01", 22, "the payload is longer than 8 bytes");
    fails(";$FILEVERSION=9.9", 15, "an unknown version of this format");
    fails(";$STARTTIME=soon", 13, "not a time");
}

#[test]
fn python_can_csv() {
    let header = "timestamp,arbitration_id,extended,remote,error,dlc,data\n";
    let lines = "1700000000.1,0x94,0,0,0,0,\n1700000000.10025,0x3a1,1,0,0,8,BdzyQs/pu/A=\r\n1.0,0x123,0,1,0,5,\n1e-05,0x0,0,0,1,3,\n1.0000000000001,0x1,0,0,0,9,AAECAwQFBgcI\n1.5,0x1,0,0,0,13,AAECAwQFBgc=\n";
    assert_eq!(
        frames(header, lines),
        [
            "(1700000000.100000) - 094#",
            "(1700000000.100250) - 000003A1#05DCF242CFE9BBF0",
            "(0000000001.000000) - 123#R5",
            "(0000000000.000010) - 20000000#",
            "(0000000001.000000) - 001##0000102030405060708",
            "(0000000001.500000) - 001#0001020304050607_D",
        ]
    );
    let fails = |line: &str, column, cause: &str| fails(header, line, "1.0,0x1,0,0,0,0,", column, cause);
    fails("noise", 1, "not a frame in any form this reads");
    fails("1.0,0x1,0,0,0,0,,", 18, "unknown text after the frame");
    fails("x,0x1,0,0,0,0,", 1, "not a time");
    fails("nan,0x1,0,0,0,0,", 1, "not a time");
    fails("1.0,1,0,0,0,0,", 5, "not a CAN identifier");
    fails("1.0,0x800,0,0,0,0,", 5, "not a CAN identifier");
    fails("1.0,0x1,2,0,0,0,", 9, "not flags or a length code");
    fails("1.0,0x1,0,0,0,1,", 15, "the line says 1 bytes and has 0");
    fails("1.0,0x1,0,1,0,1,AA==", 17, "the line says 0 bytes and has 1");
    for data in ["A", "AAA", "A===", "AB==", "AA=A", "AA==AA==", "A?=="] {
        fails(&format!("1.0,0x1,0,0,0,1,{data}"), 17, "the payload is not hexadecimal bytes");
    }
    fails(&format!("1.0,0x1,0,0,0,66,{}", "AAAA".repeat(22)), 18, "the payload is longer than 64 bytes");
}

#[test]
fn what_a_format_cannot_hold_is_refused_and_what_it_loses_is_counted() {
    let frame: Frame = LogReader::new("log", &b"(5.5) can0 123##30102 T\n"[..]).next().unwrap().unwrap();
    let mut log = LogWriter::new(LogFormat::Trc, Vec::new()).unwrap();
    log.write(&frame).unwrap();
    let odd = Frame::fd(frame.id(), &[0; 9]).unwrap().with_time(Timestamp::from_seconds(6));
    assert_eq!(
        log.write(&odd).unwrap_err().to_string(),
        "TRC cannot hold a CAN FD frame of a length that has no code"
    );
    let early = frame.with_time(Timestamp::from_seconds(4));
    assert_eq!(log.write(&early).unwrap_err().to_string(), "TRC cannot hold a frame from before its start");
    let error = Frame::error(0x80, &[0; 8]).unwrap().with_time(Timestamp::from_seconds(7));
    log.write(&error).unwrap();
    assert_eq!(log.losses().to_string(), "1 without their error details");
    assert_eq!(LogReader::new("log", &log.finish().unwrap()[..]).count(), 2);
    let mut log = LogWriter::new(LogFormat::Csv, Vec::new()).unwrap();
    log.write(&frame).unwrap();
    assert_eq!(
        log.losses().to_string(),
        "1 without their channel, 1 without their direction, 1 without their CAN FD flags"
    );
    let error = LogWriter::new(LogFormat::Console, Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "candump screen logs are read, not written");
    for format in LogFormat::WRITTEN {
        let mut log = LogWriter::new(*format, Vec::new()).unwrap();
        let untimed = Frame::new(frame.id(), &[]).unwrap();
        assert!(matches!(log.write(&untimed), Err(WriteError::NoTime(of)) if of == *format));
    }
}

/// What a format makes of a frame: this is its documentation.
fn as_held(format: LogFormat, frame: &Frame, channels: &mut ChannelNumbers) -> Frame {
    let received = frame.direction().or(Some(Direction::Received));
    let numbered =
        |channels: &mut ChannelNumbers| channels.of(frame.channel()).unwrap().to_string().parse().unwrap();
    let time = frame.time().unwrap();
    let bare = |frame: Frame| frame.with_time(time);
    match format {
        LogFormat::Asc if frame.is_error() => {
            bare(Frame::error(0, &[]).unwrap()).with_channel(numbered(channels))
        }
        LogFormat::Trc if frame.is_error() => {
            bare(Frame::error(0, &[]).unwrap()).with_channel(numbered(channels)).with_direction(received)
        }
        LogFormat::Blf if frame.is_error() => frame.with_channel(numbered(channels)).with_direction(None),
        LogFormat::Asc | LogFormat::Trc | LogFormat::Blf => {
            frame.with_channel(numbered(channels)).with_direction(received)
        }
        LogFormat::Csv => {
            let frame = frame.with_channel(Channel::NONE).with_direction(None);
            if !frame.is_fd() {
                frame
            } else if frame.len() <= 8 {
                bare(Frame::new(frame.id(), frame.data()).unwrap())
            } else {
                frame.with_bit_rate_switch(false).with_error_state(false)
            }
        }
        _ => *frame,
    }
}

proptest! {
    #[test]
    fn what_any_format_holds_is_read_back(
        mut frames in prop::collection::vec(any_frame(), 0..8),
        format in prop::sample::select(LogFormat::WRITTEN.to_vec()),
        near in any::<bool>(),
        piece in 1..300usize,
    ) {
        if near {
            for frame in &mut frames {
                let time = 1_700_000_000_000_000_000 + frame.time().unwrap().nanoseconds().rem_euclid(1 << 40);
                *frame = frame.with_time(Timestamp::from_nanoseconds(time));
            }
        }
        let mut log = LogWriter::new(format, Vec::new()).unwrap();
        let mut channels = ChannelNumbers::default();
        let mut held = Vec::new();
        for frame in &frames {
            match log.write(frame) {
                Ok(()) => held.push(as_held(format, frame, &mut channels)),
                Err(WriteError::Unheld { what: Unheld::Length, .. }) => {
                    prop_assert!(frame.is_fd() && ![0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64].contains(&frame.len()));
                }
                Err(error) => {
                    let before = held.first().is_some_and(|first: &Frame| first.time() > frame.time());
                    // Far apart, or out of the range of dates.
                    prop_assert!(matches!(error, WriteError::Unheld { what: Unheld::Time, .. }) && (before || !near), "{}", error);
                }
            }
        }
        let bytes = log.finish().unwrap();
        let mut reader = LogReader::new("log", BufReader::with_capacity(piece, &bytes[..]));
        let back: Vec<Frame> = reader.by_ref().map(|item| item.map_err(|error| error.to_string()).unwrap()).collect();
        prop_assert_eq!(back, held);
    }

    #[test]
    fn any_text_is_read_the_same_whatever_the_buffer(
        header in prop::sample::select(vec![ASC, ";$FILEVERSION=1.1\n", ";$FILEVERSION=2.1\n", "timestamp,arbitration_id,extended,remote,error,dlc,data\n", "base dec timestamps relative\n"]),
        words in prop::collection::vec(prop::sample::select(vec![
            "1)", "1.5", "-0.5", "1", "2", "CANFD", "123", "123x", "FFFFFFFF", "Rx", "Tx", "d", "r", "8", "0", "01", "FE", "ErrorFrame", "DT", "FD",
            "ER", "-", "Length", "=", "ID", "date", "\n", "\n", "\n", "\t", ",", ",", "0x1", "AA==", "1.0", ";$COLUMNS=N,O,T,I,l,D", "\u{e9}", "99999999999",
        ]), 0..60),
        piece in 1..50usize,
    ) {
        let text = format!("{header}{}", words.join(" "));
        let shown = |item: Result<Frame, LogError>| item.map(|f| f.to_string()).map_err(|e| e.to_string());
        let pieces: Vec<_> = LogReader::new("log", BufReader::with_capacity(piece, text.as_bytes())).map(shown).collect();
        prop_assert_eq!(pieces, read(&text));
    }
}
