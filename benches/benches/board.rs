//! What a board with 1,267 signals costs: get, set, typed read, subscribing, and fan-out in one thread beside tokio's broadcast channel.
//!
//! Both sides of a fan-out deliver as many datapoints, which is asserted first. Two threads are measured by `budgets --only board`.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::hint::black_box;

use coachwork_benches::fanout::{BOUND, RunningClock, SIGNALS, batches, board, broadcast_in_turn, in_turn};
use coachwork_vehicle::{
    Catalogue, DataType, Entry, Facts, Get, MemoryVehicle, Overflow, Request, Subscribe, Vehicle, VehicleExt,
    vss,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::executor::block_on;
use tokio::sync::broadcast;

fn one(criterion: &mut Criterion) {
    let (board, ids) = board();
    for points in batches(&ids, 32) {
        board.publish(&points).unwrap();
    }
    let mut group = criterion.benchmark_group("board/one call");
    group.bench_function("get of 1", |b| b.iter(|| board.get(Get::of(black_box(&ids[..1]))).unwrap()));
    group.bench_function("get of 64", |b| b.iter(|| board.get(Get::of(black_box(&ids))).unwrap()));
    let publish = batches(&ids, 1);
    let mut turns = publish.iter().cycle();
    group.bench_function("publish of 1 to nobody", |b| b.iter(|| board.publish(turns.next().unwrap())));
    let all: Vec<_> = board.catalogue().ids().collect();
    for (name, wanted) in [("1 signal", &all[..1]), ("1,267 signals", &all[..])] {
        group.bench_function(format!("subscribe to {name} and drop"), |b| {
            b.iter(|| board.subscribe(Subscribe::to(wanted.iter().copied())).unwrap());
        });
    }
    group.finish();
}

fn car(criterion: &mut Criterion) {
    let seat = Entry::actuator("Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling", DataType::INT8);
    let others = vss::entries().filter(|entry| entry.path() != seat.path());
    let entries: Vec<_> = others.chain([seat.clone().with_unit("percent")]).collect();
    assert!(entries.len() >= SIGNALS);
    let clock = std::sync::Arc::new(RunningClock::default());
    let car = MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), clock);
    let seat = car.catalogue().resolve(seat.path().as_str()).unwrap();
    let mut group = criterion.benchmark_group("board/vehicle in memory");
    group.bench_function("set", |b| {
        let mut value = 0;
        b.iter(|| {
            value = (value + 1) % 100;
            block_on(car.set(vec![Request::new(seat, value)])).unwrap()
        });
    });
    group.bench_function("typed read", |b| b.iter(|| block_on(car.read(vss::SPEED)).unwrap()));
    let boxed: Box<dyn Vehicle> = Box::new(car.clone());
    group.bench_function("typed read, boxed", |b| b.iter(|| block_on(boxed.read(vss::SPEED)).unwrap()));
    group.finish();
}

fn fan_out(criterion: &mut Criterion) {
    for batch in [1, 32] {
        let mut group = criterion.benchmark_group(format!("board/fan-out of {batch}"));
        for readers in [1_usize, 8, 100, 10_000] {
            group.throughput(Throughput::Elements((readers * batch) as u64));
            let all = (readers * batch) as u64;
            for (word, overflow) in [("latest", Overflow::Latest), ("queue", Overflow::Queue(BOUND))] {
                let (board, ids) = board();
                let batches = batches(&ids, batch);
                let wish = Subscribe { overflow, ..Subscribe::to(ids.iter().copied()) };
                let mut watches: Vec<_> =
                    (0..readers).map(|_| board.subscribe(wish.clone()).unwrap()).collect();
                in_turn(&board, &batches, &mut watches, batches.len());
                assert_eq!(in_turn(&board, &batches, &mut watches, 1), all);
                let mut turn = 0;
                group.bench_function(format!("{word}, {readers} readers"), |b| {
                    b.iter(|| {
                        turn = (turn + 1) % batches.len();
                        in_turn(&board, &batches[turn..=turn], &mut watches, 1)
                    });
                });
            }
            let (_, ids) = board();
            let batches = batches(&ids, batch);
            let (sender, first) = broadcast::channel(BOUND);
            let mut receivers: Vec<_> = (1..readers).map(|_| sender.subscribe()).collect();
            receivers.push(first);
            assert_eq!(broadcast_in_turn(&sender, &batches, &mut receivers, 1), all);
            group.bench_function(format!("tokio broadcast, {readers} readers"), |b| {
                b.iter(|| broadcast_in_turn(&sender, &batches, &mut receivers, 1));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, one, car, fan_out);
criterion_main!(benches);
