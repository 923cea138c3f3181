//! What BLF files that are whole, odd, cut or damaged read as.

use super::containers::MAGIC;
use super::*;
use crate::log::{LogError, LogReader, Unheld, WriteError};
use crate::{CanId, Direction};
use proptest::prelude::*;
use std::io::{BufReader, Cursor};

const EPOCH: i64 = 1_700_000_000_000_000_000;

fn numbered_frame(n: u32) -> Frame {
    let id = CanId::extended(n).unwrap();
    let frame = Frame::new(id, &n.to_be_bytes()).unwrap().with_channel("1".parse().unwrap());
    frame
        .with_time(Timestamp::from_nanoseconds(EPOCH + i64::from(n) * 1000))
        .with_direction(Some(Direction::Received))
}

fn written(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    let mut log = BlfWriter::new(Cursor::new(Vec::new())).unwrap();
    for frame in frames {
        log.write(&frame).unwrap();
    }
    log.finish().unwrap().into_inner()
}

fn read(log: &[u8]) -> Vec<Result<Frame, LogError>> {
    LogReader::new("log", log).collect()
}

fn frames(log: &[u8]) -> (Vec<u32>, Vec<String>) {
    let (mut frames, mut errors) = (Vec::new(), Vec::new());
    for item in read(log) {
        match item {
            Ok(frame) => frames.push(frame.id().raw()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    (frames, errors)
}

/// A file of these containers: each stored or compressed, with this content.
fn file(containers: &[(bool, &[u8])]) -> Vec<u8> {
    let mut file = Header { size: header::SIZE, ..Header::default() }.bytes().to_vec();
    for (compressed, content) in containers {
        let packed = if *compressed { deflated(content) } else { content.to_vec() };
        file.extend(container(if *compressed { 2 } else { 0 }, content.len(), &packed));
    }
    file
}

fn deflated(content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

fn container(method: u16, content: usize, packed: &[u8]) -> Vec<u8> {
    let size = 32 + packed.len();
    let mut out = MAGIC.to_vec();
    out.extend([16, 0, 1, 0]);
    out.extend(u32::try_from(size).unwrap().to_le_bytes());
    out.extend(10_u32.to_le_bytes());
    out.extend(method.to_le_bytes());
    out.extend([0; 6]);
    out.extend(u32::try_from(content).unwrap().to_le_bytes());
    out.extend([0; 4]);
    out.extend(packed);
    out.extend(vec![0; size % 4]);
    out
}

/// An object with a header of this version.
fn object(kind: u32, version: u16, flags: u32, time: u64, body: &[u8]) -> Vec<u8> {
    let header = if version == 1 { 32_u16 } else { 40 };
    let mut out = MAGIC.to_vec();
    out.extend(header.to_le_bytes());
    out.extend(version.to_le_bytes());
    out.extend((u32::from(header) + u32::try_from(body.len()).unwrap()).to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend(flags.to_le_bytes());
    out.extend([0; 4]);
    out.extend(time.to_le_bytes());
    out.extend(vec![0; usize::from(header) - 32]);
    out.extend(body);
    out
}

fn message(id: u32) -> Vec<u8> {
    let mut body = vec![1, 0, 0, 2];
    body.extend((id | 1 << 31).to_le_bytes());
    body.extend([0xAA, 0xBB, 0, 0, 0, 0, 0, 0]);
    object(1, 1, 2, 5, &body)
}

#[test]
fn both_units_and_both_headers() {
    let mut body = vec![2, 0, 0x81, 5];
    body.extend(0x123_u32.to_le_bytes());
    body.extend([0; 8]);
    let content = [object(86, 2, 1, 3, &body), object(1, 1, 2, 3, &body)].concat();
    let read = read(&file(&[(false, &content)]));
    let want = Frame::remote(CanId::standard(0x123).unwrap(), 5).unwrap();
    let want = want.with_channel("2".parse().unwrap()).with_direction(Some(Direction::Transmitted));
    assert_eq!(*read[0].as_ref().unwrap(), want.with_time(Timestamp::from_nanoseconds(30_000)));
    assert_eq!(*read[1].as_ref().unwrap(), want.with_time(Timestamp::from_nanoseconds(3)));
}

#[test]
fn every_object_of_can_fd_and_of_errors() {
    // 101: three valid bytes of which two are there before the extra data, BRS, no ESI, sent.
    let mut body = vec![3, 3, 3, 0];
    body.extend((0x01AB_CDEF_u32 | 1 << 31).to_le_bytes());
    body.extend([0; 4]);
    body.extend(0x3000_u32.to_le_bytes());
    body.extend([0; 18]);
    body.extend([1, 32 + 40 + 2]);
    body.extend([0; 4]);
    body.extend([7, 8, 0xFF, 0xFF, 0xFF]);
    let fd_64 = object(101, 1, 2, 0, &body);
    // The same without the mark of FD is a classic frame.
    let mut classic = body.clone();
    classic[12..16].fill(0);
    let classic = object(101, 1, 2, 0, &classic);
    let mut fd = vec![1, 0, 0, 9];
    fd.extend(0x7FF_u32.to_le_bytes());
    fd.extend([0, 0, 0, 0, 0, 1 | 4, 12, 0, 0, 0, 0, 0]);
    fd.extend([9; 64]);
    let mut error_64 = vec![4, 0, 2, 0];
    error_64.extend([0; 8]);
    error_64.extend(0x88_u32.to_le_bytes());
    error_64.extend([0; 28]);
    error_64.extend([5, 6, 7]);
    let content = [
        fd_64,
        classic,
        object(100, 1, 2, 0, &fd),
        object(2, 1, 2, 0, &[5, 0, 0, 0, 0, 0, 0, 0]),
        object(104, 1, 2, 0, &error_64),
    ];
    let content: Vec<u8> = content.iter().flat_map(|o| [&o[..], &[0; 3][..o.len() % 4]].concat()).collect();
    let shown: Vec<String> =
        read(&file(&[(true, &content)])).iter().map(|item| item.as_ref().unwrap().to_string()).collect();
    assert_eq!(
        shown,
        [
            "(0000000000.000000) 3 01ABCDEF##1070800 T",
            "(0000000000.000000) 3 01ABCDEF#070800 T",
            "(0000000000.000000) 1 7FF##2090909090909090909090909 R",
            "(0000000000.000000) 5 20000000#",
            "(0000000000.000000) 4 20000088#0506",
        ]
    );
}

#[test]
fn an_object_may_begin_in_one_container_and_end_in_another() {
    let content: Vec<u8> = (0..5).flat_map(message).collect();
    for cut in 1..content.len() {
        let (one, two) = content.split_at(cut);
        for kinds in [(false, false), (true, false), (true, true)] {
            let log = file(&[(kinds.0, one), (kinds.1, two)]);
            assert_eq!(frames(&log), (vec![0, 1, 2, 3, 4], vec![]), "cut at {cut}");
        }
    }
}

#[test]
fn objects_need_no_container() {
    let mut log = file(&[]);
    log.extend(message(1));
    log.extend(container(0, 48, &message(2)));
    log.extend(message(3));
    assert_eq!(frames(&log).0, [1, 2, 3]);
}

#[test]
fn unknown_objects_are_passed_over_whatever_their_size() {
    for size in [0, 1, 2, 3, 100, CONTENT - 60, CONTENT, 3 * CONTENT] {
        let unknown = object(115, 1, 2, 0, &vec![7; size]);
        let content = [message(1), unknown, vec![0; size % 4], message(2)].concat();
        for compressed in [false, true] {
            assert_eq!(frames(&file(&[(compressed, &content)])), (vec![1, 2], vec![]), "{size}");
        }
    }
}

#[test]
fn damage_costs_the_object_it_touches() {
    let good: Vec<Vec<u8>> = (0..6).map(message).collect();
    let with = |at: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut objects = good.clone();
        change(&mut objects[at]);
        frames(&file(&[(true, &objects.concat())]))
    };
    // The mark, the size (small, large, huge), the header's size and version, the length code.
    for (place, value, says) in [
        (0, 0xFF, "no object begins here"),
        (8, 8, "an object of 8 bytes"),
        (8, 200, "an object's size leads "),
        (10, 1, "an object of 65584 bytes"),
        (4, 9, "an object's header of 9 bytes"),
        (6, 3, "an object header's version 3 is not known"),
        (31, 0xFF, "not a time"),
    ] {
        let (ids, errors) = with(2, &|object| object[place] = value);
        assert_eq!(ids, [0, 1, 3, 4, 5], "{says}");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(says), "{errors:?}");
        assert!(errors[0].starts_with("log: byte 144: "), "{errors:?}");
    }
    let (ids, errors) = with(3, &|object| object.truncate(30));
    assert_eq!((ids.len(), errors.len()), (5, 1), "{errors:?}");
    let (ids, errors) = with(3, &|object| object.extend([1; 77]));
    assert_eq!((ids.len(), errors.len()), (6, 1), "{errors:?}");
}

#[test]
fn in_a_stored_container_the_place_is_exact() {
    let mut objects: Vec<u8> = (0..3).flat_map(message).collect();
    objects[48 + 6] = 9;
    let (ids, errors) = frames(&file(&[(false, &objects)]));
    assert_eq!(ids, [0, 2]);
    assert_eq!(errors, ["log: byte 224: an object header's version 9 is not known"]);
}

/// Found by the fuzzer: where damage begins must not depend on how much was read at once.
#[test]
fn the_place_of_damage_is_where_it_begins() {
    let content = [message(1), vec![9; 300], message(2)].concat();
    for piece in [1, 7, 40, 1000] {
        let log = file(&[(false, &content)]);
        let input = BufReader::with_capacity(piece, &log[..]);
        let errors: Vec<String> = LogReader::new("log", input)
            .filter_map(|item| item.err().map(|error| error.to_string()))
            .collect();
        assert_eq!(errors, ["log: byte 224: damaged: no object begins here"], "{piece}");
    }
}

/// Found by the fuzzer: what follows the header of a container within another must not depend on how much was read at once.
#[test]
fn a_container_within_another_is_passed_over_by_its_first_bytes() {
    let within =
        [&b"LOBJ\x10\0\x01\0\x7C\x02\0\0\x0A\0\0\0\0\0\0\0\0\0\0\0"[..], &message(1), &message(2)].concat();
    for piece in [1, 7, 28, 40, 1000] {
        let log = file(&[(false, &within)]);
        let input = BufReader::with_capacity(piece, &log[..]);
        let (frames, errors): (Vec<_>, Vec<_>) = LogReader::new("log", input).partition(Result::is_ok);
        assert_eq!((frames.len(), errors.len()), (2, 1), "{piece}");
    }
}

/// Found by the fuzzer: an object that stands outside of containers and states one byte too many.
#[test]
fn a_mark_that_begins_in_an_objects_last_byte_is_seen_whatever_is_read_at_once() {
    let mut first = message(1);
    first[8] += 1;
    let log = [file(&[]), first, message(2), message(3)].concat();
    let read = |piece: usize| -> Vec<String> {
        let items = LogReader::new("log", BufReader::with_capacity(piece, &log[..]));
        items.map(|item| item.map_or_else(|error| error.to_string(), |frame| frame.to_string())).collect()
    };
    assert_eq!(read(1000).len(), 3);
    for piece in [1, 2, 7, 49, 52] {
        assert_eq!(read(piece), read(1000), "{piece}");
    }
}

/// Found by the fuzzer: a container whose packed data are damaged, with objects within its bytes.
#[test]
fn what_follows_damage_in_packed_data_is_found_whatever_is_read_at_once() {
    let packed = file(&[(true, &message(1))])[144..].to_vec();
    let within = [message(2), message(3)].concat();
    // It states no content at all; its data are cut, and what is left of its size are objects that stand alone.
    let mut cut = packed[..packed.len() - 9].to_vec();
    cut[24..28].copy_from_slice(&0_u32.to_le_bytes());
    // Its data are whole and end long before its size does.
    let mut early = packed.clone();
    early[8..12].copy_from_slice(&3_276_948_u32.to_le_bytes());
    for (damaged, whole) in [(cut, 3), (early, 4)] {
        let log = [file(&[]), damaged, within.clone()].concat();
        let read = |piece: usize| -> Vec<String> {
            let items = LogReader::new("log", BufReader::with_capacity(piece, &log[..]));
            items.map(|item| item.map_or_else(|error| error.to_string(), |frame| frame.to_string())).collect()
        };
        assert_eq!(read(1000).len(), whole, "{:?}", read(1000));
        for piece in 1..60 {
            assert_eq!(read(piece), read(1000), "{piece}");
        }
    }
}

/// Found by the fuzzer, for one byte: whatever a byte of a container is changed to, its neighbours are whole.
#[test]
fn any_changed_byte_of_a_container_costs_itself() {
    let part = |first: u32| {
        let mut log = BlfWriter::streamed(Vec::new());
        (first..first + 30).for_each(|n| log.write(&numbered_frame(n)).unwrap());
        log.finish().unwrap()[header::SIZE..].to_vec()
    };
    let start = file(&[]);
    let (first, second, third) = (part(0), part(100), part(200));
    let from = start.len() + first.len();
    let log = [start, first, second.clone(), third].concat();
    let neighbours: Vec<u32> = (0..30).chain(200..230).collect();
    let mut costly = Vec::new();
    let size = from + 8;
    let flips = (from..from + second.len()).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit)));
    for (at, change) in flips.chain((1..=255).map(|change| (size, change))) {
        let mut log = log.clone();
        log[at] ^= change;
        let (mut ids, _) = frames(&log);
        ids.drain(30.min(ids.len())..ids.len().saturating_sub(30));
        if ids != neighbours {
            costly.push((at - from, log[at]));
        }
    }
    assert!(costly.is_empty(), "{costly:?}");
}

#[test]
fn a_damaged_container_costs_itself() {
    let content: Vec<Vec<u8>> =
        (0..3).map(|n| (n * 100..n * 100 + 100).flat_map(message).collect()).collect();
    let packed = deflated(&content[1]);
    let whole = |middle: Vec<u8>| {
        let mut log = file(&[(true, &content[0])]);
        log.extend(middle);
        log.extend(container(2, content[2].len(), &deflated(&content[2])));
        frames(&log)
    };
    let (ids, errors) = whole(container(2, content[1].len(), &packed));
    assert_eq!((ids.len(), errors.len()), (300, 0));
    let mut broken = packed.clone();
    broken[packed.len() / 2] ^= 0x55;
    let cases = [
        container(2, content[1].len(), &broken),
        // It holds more than it states; it states too much; its size is too small, too large, or nothing known.
        container(2, content[1].len() - 10, &packed),
        container(2, usize::try_from(u32::MAX).unwrap(), &packed),
        container(7, content[1].len(), &packed),
        {
            let mut container = container(2, content[1].len(), &packed);
            container[10] = 1;
            container
        },
        {
            let mut container = container(2, content[1].len(), &packed);
            container[8] -= 30;
            container
        },
    ];
    for (n, case) in cases.into_iter().enumerate() {
        let (ids, errors) = whole(case);
        // What damaged data unpack to before the damage shows may be wrong; what is around them is not.
        assert!(ids.iter().take(100).copied().eq(0..100), "case {n}: {} {errors:?}", ids.len());
        assert!(ids.iter().skip(ids.len() - 100).copied().eq(200..300), "case {n}: {} {errors:?}", ids.len());
        assert!((1..=2).contains(&errors.len()), "case {n}: {} {errors:?}", ids.len());
        assert!(errors[0].starts_with("log: byte "), "{errors:?}");
    }
}

#[test]
fn a_cut_file_reads_up_to_the_cut_and_says_so_once() {
    let log = written((0..4000).map(numbered_frame));
    let (all, errors) = frames(&log);
    assert_eq!((all.len(), errors.len()), (4000, 0));
    let mut most = 0;
    for cut in [1, 143].into_iter().chain((144..log.len()).step_by(97)).chain([log.len() - 1]) {
        let (ids, errors) = frames(&log[..cut]);
        assert_eq!(errors.len(), 1, "cut at {cut}: {errors:?}");
        if cut >= 144 {
            assert!(
                errors[0].starts_with(&format!("log: byte {cut}: the log ends")),
                "cut at {cut}: {errors:?}"
            );
        }
        assert_eq!(ids, all[..ids.len()]);
        assert!(ids.len() >= most);
        most = ids.len();
    }
    assert!(most > 3000);
}

#[test]
fn a_bomb_is_unpacked_no_further_than_it_states_and_in_bounded_room() {
    let zeros = deflated(&vec![0; 64 << 20]);
    let mut log = file(&[]);
    log.extend(container(2, 1000, &zeros));
    log.extend(container(0, 48, &message(2)));
    let measured = allocation_counter::measure(|| {
        let (ids, errors) = frames(&log);
        assert_eq!(ids, [2]);
        assert!(errors.iter().any(|e| e.contains("more than it states")), "{errors:?}");
    });
    assert!(measured.bytes_max < 400 << 10, "{} bytes", measured.bytes_max);
}

#[test]
fn the_header_says_what_is_in_the_file() {
    let log = written((0..10_000).map(numbered_frame));
    let header = Header::parse(&log).unwrap();
    assert_eq!(header.file_size, log.len() as u64);
    assert_eq!(header.objects, 10_000);
    assert_eq!(header.start, Some(Timestamp::from_nanoseconds(EPOCH)));
    assert_eq!(header.stop, Some(Timestamp::from_nanoseconds(EPOCH + 9_000_000)));
    let containers = (10_000 * 48_usize).div_ceil(2731 * 48);
    assert_eq!(header.uncompressed_size, (144 + 10_000 * 48 + 32 * containers) as u64);
}

#[test]
fn a_frame_before_the_start_is_refused_and_one_in_the_first_container_is_not() {
    let mut log = BlfWriter::new(Cursor::new(Vec::new())).unwrap();
    log.write(&numbered_frame(5_000_000)).unwrap();
    log.write(&numbered_frame(5)).unwrap();
    for n in 10..3000 {
        log.write(&numbered_frame(n)).unwrap();
    }
    let early = numbered_frame(1).with_time(Timestamp::from_nanoseconds(EPOCH - 1));
    assert!(matches!(log.write(&early), Err(WriteError::Unheld { what: Unheld::Time, .. })));
    log.write(&numbered_frame(7)).unwrap();
    assert!(matches!(
        log.write(&Frame::new(CanId::standard(1).unwrap(), &[]).unwrap()),
        Err(WriteError::NoTime(_))
    ));
    let log = log.finish().unwrap().into_inner();
    let read: Vec<Frame> = read(&log).into_iter().map(|item| item.unwrap()).collect();
    assert_eq!(read.len(), 2993);
    assert_eq!(read[0], numbered_frame(5_000_000));
    assert_eq!(read[2992], numbered_frame(7));
}

#[test]
fn an_output_that_cannot_seek_gets_a_file_that_was_not_closed() {
    let mut log = BlfWriter::streamed(Vec::new());
    for n in 0..5000 {
        log.write(&numbered_frame(n)).unwrap();
    }
    let log = log.finish().unwrap();
    assert_eq!(Header::parse(&log).unwrap().file_size, 0);
    assert_eq!(frames(&log).0.len(), 5000);
    assert_eq!(frames(&BlfWriter::streamed(Vec::new()).finish().unwrap()), (vec![], vec![]));
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let id = prop_oneof![
        (0..0x800_u32).prop_map(|id| CanId::standard(id).unwrap()),
        (0..0x2000_0000_u32).prop_map(|id| CanId::extended(id).unwrap()),
    ];
    let data = prop::collection::vec(any::<u8>(), 0..=64);
    let rest = (0..5_u8, 0..16_usize, any::<[bool; 3]>(), 1..4_u32, 0..1_000_000_000_000_i64);
    (id, data, rest).prop_map(|(id, data, (kind, dlc, [brs, esi, sent], channel, time))| {
        let short = &data[..data.len().min(8)];
        let frame = match kind {
            0 => Frame::remote(id, dlc).unwrap(),
            1 => Frame::error(id.raw(), short).unwrap(),
            2 => Frame::fd(id, &data).unwrap().with_bit_rate_switch(brs).with_error_state(esi),
            _ => Frame::new(id, short).unwrap().with_dlc(dlc).unwrap(),
        };
        let direction = if sent { Direction::Transmitted } else { Direction::Received };
        let direction = Some(direction).filter(|_| !frame.is_error());
        let frame = frame.with_channel(Channel::numbered(channel)).with_direction(direction);
        frame.with_time(Timestamp::from_nanoseconds(EPOCH + time))
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(frames in prop::collection::vec(any_frame(), 0..200), piece in 1..300_usize) {
        let log = written(frames.iter().copied());
        let read: Vec<Frame> =
            LogReader::new("log", BufReader::with_capacity(piece, &log[..])).map(|item| item.unwrap()).collect();
        prop_assert!(read == frames, "{read:?} {frames:?}");
    }

    #[test]
    fn a_changed_byte_never_costs_what_is_in_other_containers(changes in prop::collection::vec((0..2300_usize, any::<u8>()), 1)) {
        let content: Vec<u8> = (0..40).flat_map(message).collect();
        let mut log = file(&[(true, &content), (false, &content)]);
        let len = log.len();
        for (at, byte) in changes {
            log[144 + at % (len - 144)] = byte;
        }
        log.extend(container(2, 480, &deflated(&(100..110).flat_map(message).collect::<Vec<_>>())));
        let (ids, errors) = frames(&log);
        prop_assert!((100..110).all(|id| ids.contains(&id)), "{ids:?} {errors:?}");
    }
}

/// A size that grew by what the next objects take would hide them without a word.
#[test]
fn an_object_that_swallows_others_is_told_and_they_are_read() {
    let mut body = vec![0; 40 + 8];
    (body[0], body[1], body[2]) = (1, 8, 8);
    let short_fd = object(101, 1, 2, 5, &body);
    let error = object(2, 1, 2, 5, &[1, 0, 0, 0]);
    for first in [message(500), short_fd, error] {
        // One, and two, and two with the padding between them.
        for (swallowed, more) in [(1, 0), (2, 0), (2, 44)] {
            let mut content = first.clone();
            let size = first.len() + swallowed * 48 + more;
            content[8..12].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
            let rest: Vec<u8> = (0..6).flat_map(message).collect();
            content.extend(rest);
            let (ids, errors) = frames(&file(&[(false, &content)]));
            assert_eq!((&ids[..], errors.len()), (&[0, 1, 2, 3, 4, 5][..], 1), "{size} {errors:?}");
        }
    }
}

/// A longer object than any writer's is a frame all the same, where nothing begins inside of it.
#[test]
fn an_object_may_be_longer_than_is_known() {
    let mut body = vec![1, 0, 0, 2, 7, 0, 0, 0];
    body.extend([0; 80]);
    let content = [object(1, 1, 2, 5, &body), message(8)].concat();
    assert_eq!(frames(&file(&[(false, &content)])), (vec![7, 8], vec![]));
}
