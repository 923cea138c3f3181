//! What a note costs: to put into a queue on disk without a sync, beside the bare write of as many bytes; to put and end in memory; to find again
//! when the queue is opened.
//!
//! *Invariant:* what was put is found again, before anything is timed. Nothing is synced: that is the disk's time, not ours.

#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::io::Write as _;

use coachwork_client::queue::{End, Files, Memory, NewItem, Origin, Queue, QueueOptions, Sync};
use coachwork_transport::Moment;
use coachwork_vehicle::{Monotonic, Timestamp};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// Of a usage record.
const PAYLOAD: [u8; 120] = [b'x'; 120];
/// Its record: a frame, what is known of it, its name and its payload.
const RECORD: usize = 10 + 37 + 5 + PAYLOAD.len();
const NOTES: u64 = 10_000;

fn now() -> Moment {
    Moment { time: Timestamp::from_seconds(1_700_000_000), monotonic: Monotonic::default() }
}

fn options() -> QueueOptions {
    let mut options = QueueOptions::default();
    (options.sync, options.bytes) = (Sync::Never, 1 << 30);
    options
}

fn note() -> NewItem {
    NewItem::note("usage", PAYLOAD.as_slice())
}

fn in_memory(disk: &Memory) -> Queue {
    Queue::open(disk.clone(), options(), Origin::from_bytes([1; 16]), now()).expect("memory")
}

fn queue(c: &mut Criterion) {
    let directory = std::env::temp_dir().join(format!("coachwork-bench-queue-{}", std::process::id()));
    let mut group = c.benchmark_group("queue_put");
    let files = Files::open(&directory).expect("a directory");
    let mut on_disk = Queue::open(files, options(), Origin::from_bytes([1; 16]), now()).expect("a queue");
    group.bench_function("on disk, and ended", |b| {
        b.iter(|| {
            let number = on_disk.put(note(), now()).expect("room");
            on_disk.end([number], End::Delivered);
        });
    });
    drop(on_disk);
    let mut memory = in_memory(&Memory::new());
    group.bench_function("in memory, and ended", |b| {
        b.iter(|| {
            let number = memory.put(note(), now()).expect("room");
            memory.end([number], End::Delivered);
        });
    });
    let mut bare = std::fs::File::create(directory.join("bare")).expect("a file");
    group.bench_function("two bare writes", |b| {
        b.iter(|| {
            bare.write_all(black_box(&[0; RECORD])).expect("room");
            bare.write_all(black_box(&[0; 27])).expect("room");
        });
    });
    group.finish();
    std::fs::remove_dir_all(&directory).expect("its own directory");

    let disk = Memory::new();
    let mut full = in_memory(&disk);
    (0..NOTES).for_each(|_| assert!(full.put(note(), now()).is_ok()));
    drop(full);
    assert_eq!(in_memory(&disk).items().count() as u64, NOTES, "what was put is found again");
    let mut group = c.benchmark_group("queue_open_10000");
    group.throughput(Throughput::Elements(NOTES));
    group.sample_size(20);
    group.bench_function("from memory", |b| {
        b.iter_batched(|| disk.clone(), |disk| in_memory(&disk), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, queue);
criterion_main!(benches);
