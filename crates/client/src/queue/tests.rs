use super::*;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coachwork_transport::Moment;
use coachwork_vehicle::{Monotonic, Timestamp};
use proptest::prelude::*;

const START: i64 = 1_700_000_000;

fn at(seconds: u32) -> Moment {
    Moment {
        time: Timestamp::from_seconds(START + i64::from(seconds)),
        monotonic: Monotonic::default().saturating_add(Duration::from_secs(seconds.into())),
    }
}

fn origin() -> Origin {
    Origin::from_bytes([7; 16])
}

fn small() -> QueueOptions {
    QueueOptions { bytes: 20_000, segment_bytes: 4096, ..QueueOptions::default() }
}

fn open(disk: &Memory, options: QueueOptions, now: Moment) -> Queue {
    Queue::open(disk.clone(), options, origin(), now).unwrap()
}

fn note(text: &str) -> NewItem {
    NewItem::note("n", text.to_owned())
}

fn payloads(queue: &Queue) -> Vec<String> {
    queue.items().map(|item| String::from_utf8(item.payload.to_vec()).unwrap()).collect()
}

#[test]
fn what_was_put_is_there_until_it_ends() {
    let disk = Memory::new();
    let mut queue = open(&disk, small(), at(0));
    let numbers: Vec<_> = ["a", "b", "c"].iter().map(|text| queue.put(note(text), at(1)).unwrap()).collect();
    queue.end([numbers[1], 999], End::Delivered);
    drop(queue);
    let mut queue = open(&disk, small(), at(2));
    assert_eq!(queue.opened(), Opened { waiting: 2, ..Opened::default() });
    assert_eq!(payloads(&queue), ["a", "c"]);
    assert_eq!(queue.origin(), origin());
    assert!(queue.put(note("d"), at(2)).unwrap() > numbers[2]);
    queue.end(numbers, End::Delivered);
    assert_eq!(queue.counters().delivered, 2);
    assert_eq!(payloads(&queue), ["d"]);
}

#[test]
fn the_urgent_go_first_and_each_priority_in_order() {
    let disk = Memory::new();
    let mut queue = open(&disk, small(), at(0));
    for (text, priority) in
        [("a", Priority::Low), ("b", Priority::High), ("c", Priority::Normal), ("d", Priority::High)]
    {
        queue.put(note(text).with_priority(priority), at(0)).unwrap();
    }
    let mut sent = Vec::new();
    loop {
        let notes = queue.next_notes(10, 1000);
        if notes.is_empty() {
            break;
        }
        sent.push(
            notes.iter().map(|item| String::from_utf8_lossy(&item.payload).into_owned()).collect::<String>(),
        );
        queue.end(notes.iter().map(|item| item.number), End::Delivered);
    }
    assert_eq!(sent, ["bd", "c", "a"]);
    // One more than fits goes alone.
    queue.put(note("long"), at(0)).unwrap();
    queue.put(note("more"), at(0)).unwrap();
    assert_eq!(queue.next_notes(10, 3).len(), 1);
    assert_eq!(queue.next_notes(10, 8).len(), 2);
    assert_eq!(queue.next_notes(1, 8).len(), 1);
}

#[test]
fn a_full_queue_refuses_or_the_lowest_gives_way() {
    let options = QueueOptions { bytes: 300, ..small() };
    let mut queue = open(&Memory::new(), options, at(0));
    let body = "x".repeat(52);
    for _ in 0..3 {
        queue.put(note(&body), at(0)).unwrap();
    }
    assert!(matches!(queue.put(note("y"), at(0)), Err(QueueError::Full { bytes: 300, bound: 300 })));
    let options = QueueOptions { full: Full::DropLowest, ..options };
    let mut queue = open(&Memory::new(), options, at(0));
    for (text, priority) in [("a", Priority::Normal), ("b", Priority::Low), ("c", Priority::High)] {
        queue.put(note(&format!("{text:x<52}")).with_priority(priority), at(0)).unwrap();
    }
    queue.put(note("d").with_priority(Priority::Normal), at(0)).unwrap();
    assert_eq!(queue.counters().dropped, 1);
    assert_eq!(payloads(&queue).iter().filter_map(|text| text.chars().next()).collect::<String>(), "acd");
    // All that wait are more urgent.
    let low = note(&"y".repeat(51)).with_priority(Priority::Low);
    assert!(matches!(queue.put(low, at(0)), Err(QueueError::Full { .. })));
    assert_eq!((queue.counters().dropped, queue.counters().waiting), (1, 3));
    assert!(matches!(queue.put(note(&"z".repeat(70_000)), at(0)), Err(QueueError::TooLarge { .. })));
}

#[test]
fn age_and_expiry_end_what_waits() {
    let disk = Memory::new();
    let options = QueueOptions { age: Duration::from_secs(100), ..small() };
    let mut queue = open(&disk, options, at(0));
    queue.put(note("a"), at(0)).unwrap();
    queue.put(note("b").until(at(10).time), at(0)).unwrap();
    queue.put(note("c").until(at(500).time), at(0)).unwrap();
    assert_eq!(queue.expire(at(9).time), Vec::<u64>::new());
    assert_eq!(queue.expire(at(10).time).len(), 1);
    assert_eq!(payloads(&queue), ["a", "c"]);
    drop(queue);
    let queue = open(&disk, options, at(100));
    assert_eq!((queue.counters().expired, queue.counters().waiting), (2, 0));
}

#[test]
fn the_sync_policy_is_kept() {
    let disk = Memory::new();
    let sync = |policy| QueueOptions { sync: policy, ..small() };
    let mut queue = open(&disk, sync(Sync::Each), at(0));
    let before = disk.done().1;
    (0..5).for_each(|_| assert!(queue.put(note("a"), at(0)).is_ok()));
    assert_eq!(disk.done().1 - before, 5);
    let mut queue = open(&disk, sync(Sync::Every(3, Duration::from_secs(10))), at(0));
    let before = disk.done().1;
    (0..7).for_each(|_| assert!(queue.put(note("a"), at(0)).is_ok()));
    assert_eq!(disk.done().1 - before, 2);
    assert_eq!(queue.sync_due(), Some(at(10).monotonic));
    queue.put(note("a"), at(10)).unwrap();
    assert_eq!((disk.done().1 - before, queue.sync_due()), (3, None));
    let mut queue = open(&disk, sync(Sync::Never), at(0));
    let before = disk.done().1;
    (0..50).for_each(|_| assert!(queue.put(note("a"), at(0)).is_ok()));
    assert_eq!(disk.done().1, before);
}

#[test]
fn a_kill_at_any_byte_loses_nothing_that_was_put() {
    let mut torn = 0;
    for byte in 0..6_000 {
        let disk = Memory::new();
        let mut queue = open(&disk, small(), at(0));
        disk.set_faults(Faults { killed_after: Some(byte), ..Faults::default() });
        let (mut kept, mut tried) = (BTreeSet::new(), BTreeSet::new());
        for n in 0_u64..90 {
            tried.insert(n.to_string());
            match queue.put(note(&n.to_string()), at(0)) {
                Ok(number) if n % 3 == 0 => {
                    queue.end([number], End::Delivered);
                }
                Ok(_) => drop(kept.insert(n.to_string())),
                Err(_) => break,
            }
        }
        drop(queue);
        disk.restart();
        let queue = open(&disk, small(), at(1));
        let opened = queue.opened();
        assert_eq!(
            (opened.damaged, opened.lost, opened.renamed),
            (0, 0, false),
            "killed at {byte}: {opened:?}"
        );
        torn += u64::from(opened.torn > 0);
        let found: BTreeSet<_> = payloads(&queue).into_iter().collect();
        assert!(kept.is_subset(&found), "killed at {byte}: {kept:?} {found:?}");
        // One may be there whose put never returned, or whose end was cut short.
        assert!(found.len() <= kept.len() + 1 && found.is_subset(&tried), "killed at {byte}");
    }
    assert!(torn > 1_000, "{torn}");
}

#[test]
fn what_a_failed_sync_leaves_is_not_trusted_but_written_anew() {
    let disk = Memory::new();
    let mut queue = open(&disk, small(), at(0));
    queue.put(note("a"), at(0)).unwrap();
    disk.set_faults(Faults { syncs_until_failure: Some(0), ..Faults::default() });
    queue.put(note("b"), at(0)).unwrap();
    assert_eq!(queue.counters().faults, 1);
    // Nothing but what was synced is left: the item stands in a new segment.
    drop(queue);
    disk.lose_power(|_| 0);
    let queue = open(&disk, small(), at(1));
    assert_eq!(payloads(&queue), ["a", "b"]);
    assert_eq!((queue.opened().damaged, queue.opened().lost), (0, 0));
}

#[test]
fn a_put_that_cannot_be_made_durable_is_an_error_and_the_next_may_succeed() {
    let disk = Memory::new();
    let mut queue = open(&disk, small(), at(0));
    queue.put(note("a"), at(0)).unwrap();
    // No sync, and no room for writing anew.
    disk.set_faults(Faults { syncs_until_failure: Some(0), full_after: Some(48), ..Faults::default() });
    assert!(matches!(queue.put(note("b"), at(0)), Err(QueueError::Storage(_))));
    assert!(matches!(queue.put(note("c"), at(0)), Err(QueueError::Storage(_))));
    assert_eq!(payloads(&queue), ["a"]);
    disk.set_faults(Faults::default());
    queue.put(note("d"), at(0)).unwrap();
    drop(queue);
    disk.lose_power(|_| 0);
    assert_eq!(payloads(&open(&disk, small(), at(0))), ["a", "d"]);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    for cannot_truncate in [false, true] {
        let disk = Memory::new();
        let mut queue = open(&disk, small(), at(0));
        queue.put(note("a"), at(0)).unwrap();
        disk.set_faults(Faults { full_after: Some(20), cannot_truncate, ..Faults::default() });
        assert!(matches!(queue.put(note("b"), at(0)), Err(QueueError::Storage(_))));
        assert!(matches!(queue.put(note("c"), at(0)), Err(QueueError::Storage(_))));
        disk.set_faults(Faults::default());
        queue.put(note("d"), at(0)).unwrap();
        drop(queue);
        let queue = open(&disk, small(), at(0));
        assert_eq!(payloads(&queue), ["a", "d"]);
        assert_eq!((queue.opened().damaged, queue.opened().torn), (0, 0));
    }
}

#[test]
fn damage_in_the_middle_is_counted_once_and_the_rest_is_kept() {
    let disk = Memory::new();
    let mut queue = open(&disk, small(), at(0));
    for n in 0..20 {
        queue.put(note(&format!("{n:02}")), at(0)).unwrap();
    }
    drop(queue);
    // A record has 50 bytes: 10 of its frame, 37, a name of one and a payload of two.
    assert!(disk.damage(1, |data| data[52 + 5 * 50 + 20] ^= 1));
    assert!(disk.damage(1, |data| data[52 + 6 * 50..52 + 7 * 50].fill(0)));
    let queue = open(&disk, small(), at(0));
    let opened = queue.opened();
    assert_eq!((opened.damaged, opened.lost, opened.waiting, opened.torn), (100, 2, 18, 0));
    assert!(!payloads(&queue).iter().any(|text| text == "05" || text == "06"));
    drop(queue);
    assert_eq!(open(&disk, small(), at(0)).opened(), Opened { waiting: 18, ..Opened::default() });
}

#[test]
fn a_segment_that_is_missing_or_unreadable_is_counted() {
    let fill = || {
        let disk = Memory::new();
        let mut queue = open(&disk, small(), at(0));
        let mut count = 0;
        while disk.clone().segments().unwrap().len() < 3 {
            queue.put(note("0123456789"), at(0)).unwrap();
            count += 1;
        }
        (disk, count)
    };
    let (disk, all) = fill();
    disk.clone().remove(2).unwrap();
    let opened = open(&disk, small(), at(0)).opened();
    assert_eq!(opened.waiting + usize::try_from(opened.lost).unwrap(), all);
    assert!(opened.lost > 50 && opened.damaged == 0);
    // Without any header the name is lost too, and nothing else.
    let (disk, all) = fill();
    for segment in 1..=3 {
        disk.damage(segment, |data| data[10] ^= 1);
    }
    let other = Origin::from_bytes([8; 16]);
    let queue = Queue::open(disk, small(), other, at(0)).unwrap();
    assert_eq!((queue.opened().waiting, queue.opened().renamed, queue.origin()), (all, true, other));
    assert_eq!(queue.opened().damaged, 3 * 52);
}

#[test]
fn numbers_are_not_given_again_after_a_loss_of_power() {
    let disk = Memory::new();
    let options = QueueOptions { sync: Sync::Never, ..small() };
    let mut given = BTreeSet::new();
    for _ in 0..20 {
        let mut queue = open(&disk, options, at(0));
        for _ in 0..200 {
            if let Ok(number) = queue.put(note("a"), at(0)) {
                assert!(given.insert(number));
            }
            let next: Vec<_> = queue.next_notes(3, 10).iter().map(|item| item.number).collect();
            queue.end(next, End::Delivered);
        }
        drop(queue);
        disk.lose_power(|_| 0);
    }
}

#[test]
fn the_storage_stays_bounded_whatever_waits_at_its_beginning() {
    let disk = Memory::new();
    let mut queue = open(&disk, small(), at(0));
    queue.put(note("stays").with_priority(Priority::Low), at(0)).unwrap();
    let mut most = 0;
    for _ in 0..5_000 {
        let number = queue.put(note("0123456789012345678901234567890123456789"), at(0)).unwrap();
        queue.end([number], End::Delivered);
        most = most.max(disk.bytes());
    }
    assert!(most <= 3 * 20_000 + 4 * 4096, "{most}");
    assert_eq!(u64::try_from(disk.bytes()).unwrap(), queue.stored_bytes());
    assert_eq!(payloads(&queue), ["stays"]);
    // Opened again and again, too.
    drop(queue);
    for _ in 0..200 {
        drop(open(&disk, small(), at(0)));
    }
    assert!(disk.clone().segments().unwrap().len() <= 66);
}

#[test]
fn files_are_kept_and_locked() {
    let directory = std::env::temp_dir().join(format!("coachwork-queue-{}", std::process::id()));
    let mut queue = Queue::open(Files::open(&directory).unwrap(), small(), origin(), at(0)).unwrap();
    assert_eq!(Files::open(&directory).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let first = queue.put(note("a"), at(0)).unwrap();
    for n in 0..300 {
        queue.put(note(&n.to_string()), at(0)).unwrap();
    }
    queue.end([first], End::Delivered);
    drop(queue);
    // A torn tail, as a kill leaves it.
    let mut files = Files::open(&directory).unwrap();
    let last = files.segments().unwrap().into_iter().max().unwrap();
    files.append(last, &[0xC0, b'q', 9]).unwrap();
    drop(files);
    let mut queue = Queue::open(Files::open(&directory).unwrap(), small(), origin(), at(0)).unwrap();
    assert_eq!(queue.opened(), Opened { waiting: 300, torn: 3, ..Opened::default() });
    let all: Vec<_> = queue.items().map(|item| item.number).collect();
    queue.end(all, End::Delivered);
    assert_eq!(Files::open(&directory).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(queue);
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2, "the lock and one segment");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[derive(Clone, Debug)]
enum Act {
    Put(u8, usize, Option<u8>),
    End(prop::sample::Index),
    Pass(u8),
    Sync,
    Reopen,
    Kill(u64),
    LosePower(u8),
    FailSync(u64),
    NoRoom(u64, bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..3_u8, 0..400_usize, prop::option::of(0..20_u8)).prop_map(|(p, n, e)| Act::Put(p, n, e)),
        6 => any::<prop::sample::Index>().prop_map(Act::End),
        1 => (0..8_u8).prop_map(Act::Pass),
        1 => Just(Act::Sync),
        1 => Just(Act::Reopen),
        1 => (0..2_000_u64).prop_map(Act::Kill),
        1 => any::<u8>().prop_map(Act::LosePower),
        1 => (0..4_u64).prop_map(Act::FailSync),
        1 => (0..2_000_u64, any::<bool>()).prop_map(|(n, c)| Act::NoRoom(n, c)),
    ]
}

proptest! {
    /// Beside a plain map: what must wait, and what may.
    #[test]
    fn it_does_what_a_plain_list_does(acts in prop::collection::vec(act(), 1..120), drop_lowest: bool) {
        let full = if drop_lowest { Full::DropLowest } else { Full::Refuse };
        let options = QueueOptions { bytes: 6_000, segment_bytes: 4096, full, ..QueueOptions::default() };
        let disk = Memory::new();
        let (mut queue, mut now) = (open(&disk, options, at(0)), 0);
        // Number to payload and expiry; and what may be there besides, for its put or its end was cut short.
        let (mut must, mut may) = (BTreeMap::new(), BTreeMap::new());
        let (mut given, mut serial, mut spoiled) = (BTreeSet::new(), 0_u32, false);
        for act in acts {
            let mut again = false;
            match act {
                Act::Put(priority, length, expires) => {
                    serial += 1;
                    let payload = format!("{serial:08}{}", "x".repeat(length));
                    let priority = Priority::ALL[usize::from(priority)];
                    let mut new = note(&payload).with_priority(priority);
                    if let Some(seconds) = expires {
                        new = new.until(at(now + u32::from(seconds)).time);
                    }
                    let until = expires.map_or(u32::MAX, |seconds| now + u32::from(seconds));
                    let before = queue.counters();
                    match queue.put(new, at(now)) {
                        Ok(number) => {
                            prop_assert!(given.insert(number), "given twice");
                            let dropped = queue.counters().dropped - before.dropped;
                            // The lowest and oldest give way.
                            let mut by_rank: Vec<(Priority, u64)> =
                                must.iter().filter(|(_, (_, end, _))| *end > now).map(|(n, (_, _, p))| (*p, *n)).collect();
                            by_rank.sort_unstable();
                            for (rank, number) in by_rank.into_iter().take(usize::try_from(dropped).unwrap()) {
                                prop_assert!(drop_lowest && rank <= priority);
                                may.extend(must.remove(&number).map(|kept| (number, kept)));
                            }
                            must.insert(number, (payload, until, priority));
                        }
                        Err(QueueError::Storage(_)) => drop(may.insert(u64::from(serial) << 40, (payload, until, priority))),
                        Err(_) => {}
                    }
                }
                Act::End(which) if !must.is_empty() => {
                    let number = *must.keys().nth(which.index(must.len())).unwrap();
                    queue.end([number], End::Delivered);
                    may.extend(must.remove(&number).map(|kept| (number, kept)));
                }
                Act::End(_) => {}
                Act::Pass(seconds) => {
                    now += u32::from(seconds);
                    queue.expire(at(now).time);
                }
                Act::Sync => drop(queue.sync()),
                Act::Reopen => again = true,
                Act::Kill(bytes) => disk.set_faults(Faults { killed_after: Some(bytes), ..Faults::default() }),
                Act::LosePower(kept) => {
                    drop(queue.sync());
                    disk.lose_power(|loose| loose * usize::from(kept) / 255);
                    again = true;
                }
                Act::FailSync(count) => {
                    spoiled = true;
                    disk.set_faults(Faults { syncs_until_failure: Some(count), ..Faults::default() });
                }
                Act::NoRoom(bytes, cannot_truncate) => {
                    disk.set_faults(Faults { full_after: Some(bytes), cannot_truncate, ..Faults::default() });
                }
            }
            if again || disk.clone().segments().is_err() {
                disk.restart();
                queue = open(&disk, options, at(now));
                // Where a sync failed, a notice of an end may be gone.
                prop_assert!(queue.opened().lost == 0 || spoiled);
                prop_assert!(!queue.opened().renamed);
            }
            queue.expire(at(now).time);
            must.retain(|_, (_, until, _)| *until > now);
            let found: BTreeMap<u64, String> =
                queue.items().map(|item| (item.number, String::from_utf8(item.payload.to_vec()).unwrap())).collect();
            for (number, (payload, _, _)) in &must {
                prop_assert_eq!(found.get(number), Some(payload), "what was put is gone");
            }
            for (number, payload) in &found {
                let known = must.contains_key(number) || may.values().any(|(may, until, _)| may == payload && *until > now);
                prop_assert!(known, "nobody put {}", payload);
            }
            // What ended before a loss of power may wait again; more than is stored cannot.
            prop_assert!(queue.counters().bytes <= 3 * options.bytes + 4 * 4096);
            prop_assert!(queue.stored_bytes() <= 3 * options.bytes + 4 * 4096);
            let all: Vec<_> = queue.next_notes(usize::MAX, usize::MAX).iter().map(|item| item.number).collect();
            prop_assert!(all.is_sorted());
        }
    }

    /// Whatever stands in the segments, it opens, and what is put afterwards is kept.
    #[test]
    fn any_bytes_open(segments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4)) {
        let disk = Memory::new();
        for (number, data) in (1..).zip(segments) {
            disk.place(number, data);
        }
        let mut queue = open(&disk, small(), at(0));
        queue.put(note("a"), at(0)).unwrap();
        drop(queue);
        let queue = open(&disk, small(), at(0));
        prop_assert_eq!(payloads(&queue), ["a"]);
        prop_assert_eq!(queue.opened(), Opened { waiting: 1, ..Opened::default() });
    }
}
