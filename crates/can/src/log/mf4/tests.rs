//! What MF4 files that are whole, odd, cut or damaged read as. The files are built here, block by block.
#![allow(clippy::trivially_copy_pass_by_ref)]

use crate::log::{LogError, LogReader};
use crate::{CanId, Direction, Frame};
use proptest::prelude::*;
use std::io::{Cursor, Write};

pub(super) const START: i64 = 1_700_000_000_000_000_000;

/// A file in the making: blocks are put behind each other, links filled in.
pub(super) struct File(pub(super) Vec<u8>);

impl File {
    pub(super) fn new(magic: &[u8; 8]) -> Self {
        let mut bytes = magic.to_vec();
        bytes.extend(b"4.10    made    ");
        bytes.extend([0; 4]);
        bytes.extend(410_u16.to_le_bytes());
        bytes.resize(64, 0);
        let mut file = Self(bytes);
        let start = u64::try_from(START).unwrap();
        let mut data = start.to_le_bytes().to_vec();
        data.extend([0; 24]);
        file.block(b"##HD", &[0; 6], &data);
        file
    }

    pub(super) fn block(&mut self, id: &[u8; 4], links: &[u64], data: &[u8]) -> u64 {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = self.0.len() as u64;
        self.0.extend(id);
        self.0.extend([0; 4]);
        self.0.extend((24 + links.len() as u64 * 8 + data.len() as u64).to_le_bytes());
        self.0.extend((links.len() as u64).to_le_bytes());
        for link in links {
            self.0.extend(link.to_le_bytes());
        }
        self.0.extend(data);
        at
    }

    fn link(&mut self, block: u64, number: usize, to: u64) {
        let at = usize::try_from(block).unwrap() + 24 + number * 8;
        self.0[at..at + 8].copy_from_slice(&to.to_le_bytes());
    }

    /// A channel: its name, role, type, byte, bit and width.
    fn channel(
        &mut self,
        name: &str,
        next: u64,
        part: u64,
        role: u8,
        (kind, byte, bit, bits): (u8, u32, u8, u32),
    ) -> u64 {
        let name = self.block(b"##TX", &[], &[name.as_bytes(), b"\0"].concat());
        let mut data = vec![role, u8::from(role == 2), kind, bit];
        data.extend(byte.to_le_bytes());
        data.extend(bits.to_le_bytes());
        data.resize(72, 0);
        self.block(b"##CN", &[next, part, name, 0, 0, 0, 0, 0], &data)
    }

    /// The group of CAN_DataFrame: 8 bytes of time in nanoseconds, then channel, identifier, flags, length, and 64 or 8 bytes.
    /// Says where the group and its channel of data are.
    pub(super) fn data_frames(&mut self, number: u64, variable: bool, next: u64) -> (u64, u64) {
        let data = self.channel(
            "CAN_DataFrame.DataBytes",
            0,
            0,
            u8::from(variable),
            (10, 16, 0, if variable { 64 } else { 512 }),
        );
        let mut part = data;
        for (name, field) in [
            ("ESI", (0, 14, 4, 1)),
            ("BRS", (0, 14, 3, 1)),
            ("EDL", (0, 14, 2, 1)),
            ("Dir", (0, 14, 1, 1)),
            ("DataLength", (0, 15, 0, 8)),
            ("IDE", (0, 14, 0, 1)),
            ("ID", (0, 9, 0, 29)),
            ("BusChannel", (0, 8, 0, 8)),
        ] {
            part = self.channel(&format!("CAN_DataFrame.{name}"), part, 0, 0, field);
        }
        let frame = self.channel("CAN_DataFrame", 0, part, 0, (10, 8, 0, 8));
        let time = self.channel("Timestamp", frame, 0, 2, (0, 0, 0, 64));
        let mut linear = vec![1, 0, 0, 0, 0, 0, 2, 0];
        linear.extend([0; 16]);
        linear.extend(0.0_f64.to_le_bytes());
        linear.extend(1e-9_f64.to_le_bytes());
        let conversion = self.block(b"##CC", &[0; 4], &linear);
        self.link(time, 4, conversion);
        (self.group(number, 0, if variable { 24 } else { 80 }, time, next), data)
    }

    fn group(&mut self, number: u64, flags: u16, size: u32, channels: u64, next: u64) -> u64 {
        let mut data = number.to_le_bytes().to_vec();
        data.extend([0; 8]);
        data.extend(flags.to_le_bytes());
        data.extend([0; 6]);
        data.extend(size.to_le_bytes());
        data.extend([0; 4]);
        self.block(b"##CG", &[next, channels, 0, 0, 0, 0], &data)
    }

    /// A data group in front of those there are.
    pub(super) fn data_group(&mut self, id_size: u8, group: u64, data: u64) {
        let first = u64::from_le_bytes(self.0[88..96].try_into().unwrap());
        let at = self.block(b"##DG", &[first, group, data, 0], &[id_size, 0, 0, 0, 0, 0, 0, 0]);
        self.link(64, 0, at);
    }
}

fn record(frame: &Frame) -> Vec<u8> {
    let time = frame.time().unwrap().nanoseconds() - START;
    let mut record = u64::try_from(time).unwrap().to_le_bytes().to_vec();
    record.push(frame.channel().as_str().parse().unwrap());
    record.extend(frame.id().raw().to_le_bytes());
    record.push(0);
    record.push(
        u8::from(frame.id().is_extended())
            | u8::from(frame.direction() == Some(Direction::Transmitted)) << 1
            | u8::from(frame.is_fd()) << 2
            | u8::from(frame.bit_rate_switch()) << 3
            | u8::from(frame.error_state()) << 4,
    );
    record.push(u8::try_from(frame.len()).unwrap());
    record
}

pub(super) fn fixed(frame: &Frame) -> Vec<u8> {
    [record(frame), frame.padded().to_vec()].concat()
}

fn numbered(n: u32) -> Frame {
    let frame = Frame::new(CanId::extended(n).unwrap(), &n.to_be_bytes()).unwrap();
    let frame = frame.with_channel("1".parse().unwrap()).with_direction(Some(Direction::Received));
    frame.with_time(coachwork_vehicle::Timestamp::from_nanoseconds(START + i64::from(n) * 1000))
}

pub(super) fn zipped(content: &[u8], columns: Option<usize>) -> Vec<u8> {
    let turned = match columns {
        None => content.to_vec(),
        Some(columns) => {
            let rows = content.len() / columns;
            let mut turned: Vec<u8> =
                (0..columns).flat_map(|c| (0..rows).map(move |r| content[r * columns + c])).collect();
            turned.extend(&content[rows * columns..]);
            turned
        }
    };
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&turned).unwrap();
    let packed = packer.finish().unwrap();
    let mut data = b"DT".to_vec();
    data.extend([u8::from(columns.is_some()), 0]);
    data.extend(u32::try_from(columns.unwrap_or(0)).unwrap().to_le_bytes());
    data.extend((content.len() as u64).to_le_bytes());
    data.extend((packed.len() as u64).to_le_bytes());
    data.extend(packed);
    data
}

fn read(file: &[u8]) -> Vec<Result<Frame, LogError>> {
    LogReader::seekable("log", Cursor::new(file.to_vec())).unwrap().collect()
}

fn ids(file: &[u8]) -> (Vec<u32>, Vec<String>) {
    let (mut ids, mut errors) = (Vec::new(), Vec::new());
    for item in read(file) {
        match item {
            Ok(frame) => ids.push(frame.id().raw()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    (ids, errors)
}

/// A file of one group with these blocks of data, in a list.
fn listed(blocks: &[(&[u8; 4], Vec<u8>)]) -> (File, Vec<u64>) {
    let mut file = File::new(b"MDF     ");
    let places: Vec<u64> = blocks.iter().map(|(id, data)| file.block(id, &[], data)).collect();
    let list = file.block(b"##DL", &[&[0], &places[..]].concat(), &[0; 24]);
    let header = file.block(b"##HL", &[list], &[0; 8]);
    let (group, _) = file.data_frames(0, false, 0);
    file.data_group(0, group, header);
    (file, places)
}

#[test]
fn blocks_of_all_kinds_in_a_list() {
    let content: Vec<Vec<u8>> =
        (0..4).map(|n| (n * 100..n * 100 + 100).flat_map(|n| fixed(&numbered(n))).collect()).collect();
    let blocks = [
        (b"##DT", content[0].clone()),
        (b"##DZ", zipped(&content[1], None)),
        (b"##DZ", zipped(&content[2], Some(80))),
        (b"##DZ", zipped(&content[3], Some(79))),
    ];
    let (file, places) = listed(&blocks);
    let frames: Vec<Frame> = read(&file.0).into_iter().map(|item| item.unwrap()).collect();
    assert_eq!(frames, (0..400).map(numbered).collect::<Vec<_>>());
    // A damaged block costs itself.
    for (n, place) in places.iter().enumerate().skip(1) {
        for at in [60, 24 + 2, 0] {
            let mut file = file.0.clone();
            file[usize::try_from(*place).unwrap() + at] ^= 0x5A;
            let (ids, errors) = ids(&file);
            assert_eq!(errors.len(), 1, "{n} {at}: {errors:?}");
            let n = u32::try_from(n).unwrap();
            let others: Vec<u32> = ids.iter().copied().filter(|id| id / 100 != n && *id < 400).collect();
            assert_eq!(
                others,
                (0..400).filter(|id| id / 100 != n).collect::<Vec<_>>(),
                "{n} {at}: {errors:?}"
            );
        }
    }
}

#[test]
fn data_that_end_well_are_right_whatever_their_size_is_said_to_be() {
    let content: Vec<Vec<u8>> =
        (0..2).map(|n| (n * 100..n * 100 + 100).flat_map(|n| fixed(&numbered(n))).collect()).collect();
    let (file, places) =
        listed(&[(b"##DZ", zipped(&content[0], None)), (b"##DZ", zipped(&content[1], Some(80)))]);
    for place in places {
        let mut file = file.0.clone();
        file[usize::try_from(place).unwrap() + 24 + 8] ^= 0x5A;
        assert_eq!(ids(&file), ((0..200).collect(), vec![]));
    }
}

/// A file with records of several groups and data in records of their own, each before or behind its frame.
fn unsorted(magic: &[u8; 8], before: bool) -> Vec<u8> {
    let mut file = File::new(magic);
    let heap = file.group(2, 1, 0, 0, 0);
    let other = file.group(7, 0, 5, 0, heap);
    let (group, data) = file.data_frames(1, true, other);
    file.link(data, 5, heap);
    let (mut content, mut offset) = (Vec::new(), 0_u64);
    for n in 0..50 {
        let frame = numbered(n);
        let fixed = [&[1][..], &record(&frame), &offset.to_le_bytes()].concat();
        let variable = [&[2][..], &u32::try_from(frame.len()).unwrap().to_le_bytes(), frame.data()].concat();
        content.extend(
            [
                &[7, 1, 2, 3, 4, 5][..],
                if before { &variable } else { &fixed },
                if before { &fixed } else { &variable },
            ]
            .concat(),
        );
        offset += 4 + frame.len() as u64;
    }
    let unfinished = magic == b"UnFinMF ";
    if unfinished {
        file.data_group(1, group, 0);
        let data = file.block(b"##DT", &[], &[]);
        let group = u64::from_le_bytes(file.0[88..96].try_into().unwrap());
        file.link(group, 2, data);
        file.0.extend(content);
    } else {
        let data = file.block(b"##DT", &[], &content);
        file.data_group(1, group, data);
    }
    file.0
}

#[test]
fn records_of_several_groups_with_data_of_variable_length() {
    for magic in [b"MDF     ", b"UnFinMF "] {
        for before in [false, true] {
            let file = unsorted(magic, before);
            let frames: Vec<Frame> = read(&file).into_iter().map(|item| item.unwrap()).collect();
            assert_eq!(frames, (0..50).map(numbered).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_file_that_was_cut_reads_up_to_there() {
    let file = unsorted(b"UnFinMF ", false);
    for cut in (file.len() - 300..file.len()).rev() {
        let (ids, errors) = ids(&file[..cut]);
        assert_eq!(ids, (0..u32::try_from(ids.len()).unwrap()).collect::<Vec<_>>());
        assert!(ids.len() >= 42 && errors.len() <= 2, "{cut}: {} {errors:?}", ids.len());
    }
    let (file, _) = listed(&[(b"##DT", fixed(&numbered(1)))]);
    for cut in 8..file.0.len() {
        assert!(!ids(&file.0[..cut]).1.is_empty() || cut + 8 > file.0.len(), "{cut}");
    }
}

#[test]
fn data_in_blocks_of_their_own() {
    let mut file = File::new(b"MDF     ");
    let frames: Vec<Frame> = (0..100).map(numbered).collect();
    let (mut content, mut signal) = (Vec::new(), Vec::new());
    for frame in &frames {
        content.extend([record(frame), (signal.len() as u64).to_le_bytes().to_vec()].concat());
        signal.extend(u32::try_from(frame.len()).unwrap().to_le_bytes());
        signal.extend(frame.data());
    }
    // One of them goes back, one to nowhere.
    content.extend([record(&frames[3]), 24_u64.to_le_bytes().to_vec()].concat());
    content.extend([record(&frames[3]), 1_000_000_u64.to_le_bytes().to_vec()].concat());
    let signal = file.block(b"##DZ", &[], &zipped(&signal, None));
    let data = file.block(b"##DT", &[], &content);
    let (group, channel) = file.data_frames(0, true, 0);
    file.link(channel, 5, signal);
    file.data_group(0, group, data);
    let items = read(&file.0);
    assert_eq!(items.len(), 102);
    let back: Vec<Frame> = items.iter().take(101).map(|item| *item.as_ref().unwrap()).collect();
    assert_eq!(back[..100], frames);
    assert_eq!(back[100], frames[3]);
    assert!(items[101].as_ref().unwrap_err().to_string().contains("the log ends within the data of frames"));
}

#[test]
fn groups_are_merged_in_the_order_of_time() {
    let mut file = File::new(b"MDF     ");
    for third in 0..3 {
        let content: Vec<u8> = (0..90).filter(|n| n % 3 == third).flat_map(|n| fixed(&numbered(n))).collect();
        let data = file.block(b"##DT", &[], &content);
        let (group, _) = file.data_frames(0, false, 0);
        file.data_group(0, group, data);
    }
    assert_eq!(ids(&file.0), ((0..90).collect(), vec![]));
}

#[test]
fn an_unknown_record_ends_its_data_group_alone() {
    let mut file = unsorted(b"MDF     ", true);
    let from = file.windows(6).rposition(|w| w == [7, 1, 2, 3, 4, 5]).unwrap();
    file[from] = 99;
    let (ids, errors) = ids(&file);
    assert_eq!(ids.len(), 49);
    assert!(errors.len() == 1 && errors[0].contains("a record's group 99 is not known"), "{errors:?}");
}

#[test]
fn lists_that_come_back_to_themselves_end() {
    let (mut file, places) = listed(&[(b"##DT", fixed(&numbered(1)))]);
    let list = places[0] + 24 + 80;
    let list = list.next_multiple_of(8);
    file.link(list, 0, list);
    let (ids, errors) = ids(&file.0);
    assert!(ids.len() < file.0.len() && errors.len() == 1, "{} {errors:?}", ids.len());
}

#[test]
fn memory_stays_small_whatever_is_stated() {
    let zeros = zipped(&vec![0; 64 << 20], None);
    let turned = zipped(&vec![0; 40 << 20], Some(80));
    let (file, _) = listed(&[(b"##DZ", zeros), (b"##DZ", turned), (b"##DT", fixed(&numbered(5)))]);
    let input = Cursor::new(file.0);
    let measured = allocation_counter::measure(|| {
        let mut log = LogReader::seekable("log", input).unwrap();
        assert_eq!(log.by_ref().flatten().last().unwrap().id().raw(), 5);
    });
    assert!(measured.bytes_max < 1 << 20, "{} bytes", measured.bytes_max);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn changed_bytes_are_flaws_and_no_more(changes in prop::collection::vec((8..8000_usize, any::<u8>()), 1..20), apart in any::<bool>()) {
        let mut file = if apart { unsorted(b"MDF     ", true) } else { listed(&[(b"##DT", fixed(&numbered(1)))]).0.0 };
        let len = file.len();
        for (at, byte) in changes {
            file[8 + at % (len - 8)] = byte;
        }
        let items = read(&file);
        prop_assert!(items.len() <= 2 * file.len());
    }
}
