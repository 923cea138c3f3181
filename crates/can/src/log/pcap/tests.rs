//! What pcap and pcapng files that are whole, odd, cut or damaged read as.

use super::Order;
use crate::log::{LogError, LogReader, PcapngWriter};
use crate::{CanId, Channel, Direction, Frame};
use coachwork_vehicle::Timestamp;
use proptest::prelude::*;
use std::io::BufReader;

const EPOCH: i64 = 1_700_000_000_000_000_000;

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

fn u16(order: Order, value: u16) -> [u8; 2] {
    if order == Order::Little { value.to_le_bytes() } else { value.to_be_bytes() }
}

fn u32(order: Order, value: u32) -> [u8; 4] {
    if order == Order::Little { value.to_le_bytes() } else { value.to_be_bytes() }
}

fn packet(id: u32, len: u8, flags: u8, data: &[u8]) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend([len, flags, 0, 0]);
    packet.extend(data);
    packet
}

fn pcap(order: Order, nanoseconds: bool, link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut log = u32(order, if nanoseconds { 0xA1B2_3C4D } else { 0xA1B2_C3D4 }).to_vec();
    log.extend([u16(order, 2), u16(order, 4)].concat());
    log.extend([0; 8]);
    log.extend(u32(order, 262_144));
    log.extend(u32(order, link));
    for (n, packet) in packets.iter().enumerate() {
        log.extend(record(order, u32::try_from(n).unwrap(), packet));
    }
    log
}

fn record(order: Order, n: u32, packet: &[u8]) -> Vec<u8> {
    let len = u32(order, u32::try_from(packet.len()).unwrap());
    [&u32(order, 1_700_000_000)[..], &u32(order, n + 7), &len, &len, packet].concat()
}

#[test]
fn both_orders_and_both_units_of_pcap() {
    for order in [Order::Little, Order::Big] {
        for nanoseconds in [false, true] {
            let packets = [
                packet(0x123, 2, 0, &[1, 2, 0, 0, 0, 0, 0, 0]),
                packet(0x8000_0123, 3, 4 | 1 | 2, &[1, 2, 3]),
                packet(0x123, 12, 0, &[9; 12]),
                packet(0x123, 1, 0, &[&[7][..], &[0; 63]].concat()),
                packet(0x4000_0123, 5, 0, &[]),
                packet(0x2000_0004, 8, 0, &[0, 1, 2, 3, 4, 5, 6, 7]),
            ];
            let log = pcap(order, nanoseconds, 227, &packets);
            let shown: Vec<String> =
                read(&log).iter().map(|item| item.as_ref().unwrap().to_string()).collect();
            let time =
                |n: i64| Timestamp::from_nanoseconds(EPOCH + (n + 7) * if nanoseconds { 1 } else { 1000 });
            let times: Vec<_> = read(&log).iter().map(|item| item.as_ref().unwrap().time()).collect();
            assert_eq!(times, (0..6).map(|n| Some(time(n))).collect::<Vec<_>>());
            let bodies: Vec<&str> = shown.iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
            assert_eq!(
                bodies,
                [
                    "123#0102",
                    "00000123##3010203",
                    "123##0090909090909090909090909",
                    "123##007",
                    "123#R5",
                    "20000004#0001020304050607"
                ]
            );
        }
    }
}

#[test]
fn cooked_captures_tell_direction_and_the_second_the_interface() {
    let can = packet(0x123, 1, 0, &[7]);
    let one = |kind: u8, protocol: u8| [&[0, kind][..], &[0; 12], &[0, protocol], &can].concat();
    let log = pcap(Order::Little, false, 113, &[one(4, 0x0C), one(0, 0x0D), one(0, 8), vec![1, 2]]);
    let items = read(&log);
    assert_eq!(items.len(), 3);
    let first = items[0].as_ref().unwrap();
    assert!(!first.is_fd() && first.direction() == Some(Direction::Transmitted));
    let second = items[1].as_ref().unwrap();
    assert!(second.is_fd() && second.direction() == Some(Direction::Received));
    assert_eq!(items[2].as_ref().unwrap_err().to_string(), "log: byte 147: the line says 16 bytes and has 2");

    let two = [&[0, 0x0C, 0, 0, 0, 0, 0, 9, 0, 0, 4, 0][..], &[0; 8], &can].concat();
    let log = pcap(Order::Big, true, 276, &[two]);
    let frame = *read(&log)[0].as_ref().unwrap();
    assert_eq!((frame.channel().as_str(), frame.direction()), ("9", Some(Direction::Transmitted)));
}

#[test]
fn another_link_type_is_another_format() {
    let log = pcap(Order::Little, false, 1, &[]);
    let items = read(&log);
    assert!(matches!(items.as_slice(), [Err(error)] if error.is_final()), "{items:?}");
}

#[test]
fn a_packet_that_is_no_frame_costs_itself() {
    let packets = [
        packet(0x123, 9, 0, &[1; 8]),
        packet(0x1, 0, 0, &[]),
        packet(0x123, 4, 0, &[1]),
        packet(0x2, 0, 0, &[]),
        packet(0xFFF, 0, 0, &[]),
        packet(0x3, 0, 0, &[]),
        packet(0x4000_0003, 0, 4, &[]),
        vec![1],
        packet(0x4, 0, 0, &[]),
    ];
    let (ids, errors) = frames(&pcap(Order::Little, false, 227, &packets));
    assert_eq!((ids, errors.len()), (vec![1, 2, 3, 4], 5));
}

#[test]
fn damage_in_pcap_costs_the_records_it_touches() {
    let packets: Vec<_> = (0..50).map(|n| packet(n, 8, 0, &[7; 8])).collect();
    let good = pcap(Order::Little, false, 227, &packets);
    for place in 0..16 {
        let mut log = good.clone();
        let at = 24 + 20 * 32 + place;
        log[at] ^= 0xFF;
        let (ids, errors) = frames(&log);
        assert!(ids.len() >= 49 && errors.len() <= 1, "{place}: {} frames, {errors:?}", ids.len());
        assert!(ids.len() == 50 || errors.len() == 1 || place < 8, "{place}");
    }
    // Bytes missing, and bytes too many.
    let missing = [&good[..24 + 20 * 32 + 9], &good[24 + 20 * 32 + 14..]].concat();
    let (ids, errors) = frames(&missing);
    assert_eq!((ids.len(), errors.len()), (49, 1), "{errors:?}");
    let more = [&good[..24 + 20 * 32], &[0xEE; 77], &good[24 + 20 * 32..]].concat();
    let (ids, errors) = frames(&more);
    assert_eq!((ids.len(), errors.len()), (50, 1), "{errors:?}");
    assert_eq!(errors[0], "log: byte 664: a record of 4008636142 bytes");
}

#[test]
fn cut_files_read_up_to_the_cut_and_say_so() {
    let packets: Vec<_> = (0..20).map(|n| packet(n, 8, 0, &[7; 8])).collect();
    let log = pcap(Order::Little, false, 227, &packets);
    for cut in 24..log.len() {
        let (ids, errors) = frames(&log[..cut]);
        assert_eq!(ids.len(), (cut - 24) / 32);
        assert_eq!(errors.len(), usize::from((cut - 24) % 32 != 0), "{errors:?}");
    }
    let log = written((0..20).map(numbered_frame));
    let (all, errors) = frames(&log);
    assert_eq!((all.len(), errors.len()), (20, 0));
    let mut ends = 0;
    for cut in 12..log.len() {
        let (ids, errors) = frames(&log[..cut]);
        assert_eq!(ids, all[..ids.len()]);
        assert!(errors.len() <= 1, "{errors:?}");
        ends += usize::from(errors.is_empty());
    }
    // Only between blocks is a cut not to be seen: 20 packets, a section, an interface, less the end.
    assert_eq!(ends, 21);
}

fn numbered_frame(n: u32) -> Frame {
    let frame = Frame::new(CanId::extended(n).unwrap(), &n.to_be_bytes()).unwrap();
    frame.with_time(Timestamp::from_nanoseconds(EPOCH + i64::from(n))).with_channel("can0".parse().unwrap())
}

fn written(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    let mut log = PcapngWriter::new(Vec::new()).unwrap();
    for frame in frames {
        log.write(&frame).unwrap();
    }
    log.finish().unwrap()
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let len = body.len().next_multiple_of(4);
    let size = u32(order, u32::try_from(len + 12).unwrap());
    [&u32(order, kind)[..], &size, body, &vec![0; len - body.len()], &size].concat()
}

fn section(order: Order) -> Vec<u8> {
    block(order, 0x0A0D_0D0A, &[&u32(order, 0x1A2B_3C4D)[..], &u16(order, 1), &[0, 0], &[0xFF; 8]].concat())
}

fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let len = u16(order, u16::try_from(value.len()).unwrap());
    [&u16(order, code)[..], &len, value, &vec![0; value.len().next_multiple_of(4) - value.len()]].concat()
}

fn interface(order: Order, link: u16, options: &[Vec<u8>]) -> Vec<u8> {
    block(order, 1, &[&u16(order, link)[..], &[0; 6], &options.concat(), &[0; 4]].concat())
}

fn enhanced(order: Order, interface: u32, units: u64, packet: &[u8]) -> Vec<u8> {
    let len = u32(order, u32::try_from(packet.len()).unwrap());
    let high = u32(order, u32::try_from(units >> 32).unwrap());
    let low = u32(order, u32::try_from(units & 0xFFFF_FFFF).unwrap());
    block(order, 6, &[&u32(order, interface)[..], &high, &low, &len, &len, packet].concat())
}

#[test]
fn sections_interfaces_and_resolutions_of_pcapng() {
    let mut log = Vec::new();
    let can = packet(0x123, 1, 0, &[7]);
    for order in [Order::Big, Order::Little] {
        log.extend(section(order));
        log.extend(block(order, 0xBAD, &[1; 100]));
        log.extend(interface(order, 227, &[]));
        log.extend(interface(order, 227, &[option(order, 2, b"vcan1"), option(order, 9, &[3])]));
        log.extend(interface(
            order,
            227,
            &[
                option(order, 2, "kän".as_bytes()),
                option(order, 9, &[0x8A]),
                option(
                    order,
                    14,
                    &(if order == Order::Little { 5_i64.to_le_bytes() } else { 5_i64.to_be_bytes() }),
                ),
            ],
        ));
        log.extend(interface(order, 1, &[]));
        log.extend(enhanced(order, 0, 1_700_000_000_000_001, &can));
        log.extend(enhanced(order, 1, 1_700_000_000_002, &can));
        log.extend(enhanced(order, 2, 512, &can));
        log.extend(enhanced(order, 3, 0, &[0; 60]));
        log.extend(enhanced(order, 4, 0, &can));
        log.extend(block(order, 3, &[&u32(order, 9)[..], &can].concat()));
        log.extend(block(
            order,
            2,
            &[&u16(order, 1)[..], &[0, 0], &[0; 8], &u32(order, 9), &u32(order, 9), &can].concat(),
        ));
    }
    let items = read(&log);
    assert_eq!(items.len(), 12);
    for half in [&items[..6], &items[6..]] {
        let frame = |n: usize| *half[n].as_ref().unwrap();
        assert_eq!(
            (frame(0).time(), frame(0).channel().as_str()),
            (Some(Timestamp::from_nanoseconds(EPOCH + 1000)), "")
        );
        assert_eq!(
            (frame(1).time(), frame(1).channel().as_str()),
            (Some(Timestamp::from_nanoseconds(EPOCH + 2_000_000)), "vcan1")
        );
        assert_eq!(
            (frame(2).time(), frame(2).channel().as_str()),
            (Some(Timestamp::from_nanoseconds(5_500_000_000)), "2")
        );
        assert!(half[3].as_ref().unwrap_err().to_string().contains("interface 4 is not known"));
        assert_eq!((frame(4).time(), frame(4).channel().as_str()), (None, ""));
        assert_eq!(
            (frame(5).time(), frame(5).channel().as_str()),
            (Some(Timestamp::from_nanoseconds(0)), "vcan1")
        );
    }
}

#[test]
fn damage_in_pcapng_costs_the_blocks_it_touches() {
    let good = written((0..50).map(numbered_frame));
    let block = 12 + 20 + 12;
    let start = good.len() - 50 * block;
    for place in (0..8).chain(40..44) {
        let mut log = good.clone();
        log[start + 20 * block + place] ^= 0xFF;
        let (ids, errors) = frames(&log);
        assert!(ids.len() == 49 && errors.len() <= 1, "{place}: {} frames, {errors:?}", ids.len());
    }
    let missing = [&good[..start + 20 * block + 9], &good[start + 20 * block + 14..]].concat();
    let (ids, errors) = frames(&missing);
    assert_eq!((ids.len(), errors.len()), (49, 1), "{errors:?}");
    let more = [&good[..start + 20 * block], &[0xEE; 77], &good[start + 20 * block..]].concat();
    let (ids, errors) = frames(&more);
    assert_eq!((ids.len(), errors.len()), (50, 1), "{errors:?}");
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let id = prop_oneof![
        (0..0x800_u32).prop_map(|id| CanId::standard(id).unwrap()),
        (0..0x2000_0000_u32).prop_map(|id| CanId::extended(id).unwrap()),
    ];
    let data = prop::collection::vec(any::<u8>(), 0..=64);
    let channel =
        prop_oneof![Just(""), Just("can0"), Just("can1"), Just("7"), Just("an_interface_of_23_byte")];
    let rest = (0..5_u8, 0..16_usize, any::<[bool; 4]>(), channel, 0..i64::MAX);
    (id, data, rest).prop_map(|(id, data, (kind, dlc, [brs, esi, sent, known], channel, time))| {
        let short = &data[..data.len().min(8)];
        let frame = match kind {
            0 => Frame::remote(id, dlc).unwrap(),
            1 => Frame::error(id.raw(), short).unwrap(),
            2 => Frame::fd(id, &data).unwrap().with_bit_rate_switch(brs).with_error_state(esi),
            _ => Frame::new(id, short).unwrap().with_dlc(dlc).unwrap(),
        };
        let direction = if sent { Direction::Transmitted } else { Direction::Received };
        let frame = frame.with_channel(Channel::new(channel.as_bytes()).unwrap());
        frame.with_direction(Some(direction).filter(|_| known)).with_time(Timestamp::from_nanoseconds(time))
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
}
