//! What a catalogue costs: made, read, and looked up by path, by id and by typed constant.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use coachwork_vehicle::{Catalogue, Facts, Pattern, vss};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn made(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("catalogue/made");
    group.throughput(Throughput::Elements(1267));
    group.bench_function("of VSS 6.0", |b| {
        b.iter(|| Catalogue::new(vss::entries(), Facts::default()).unwrap());
    });
    group.finish();
}

fn looked_up(criterion: &mut Criterion) {
    let all = Catalogue::new(vss::entries(), Facts::default()).unwrap();
    let paths: Vec<String> = all.iter().map(|(_, entry)| entry.path().to_string()).collect();
    let ids: Vec<_> = paths.iter().map(|path| all.resolve(path).unwrap()).collect();
    let mut group = criterion.benchmark_group("catalogue/all 1267");
    group.throughput(Throughput::Elements(1267));
    group.bench_function("by path", |b| {
        b.iter(|| paths.iter().filter(|path| black_box(&all).id(path).is_some()).count());
    });
    group.bench_function("by id", |b| {
        b.iter(|| {
            ids.iter().filter(|id| black_box(&all).entry(**id).is_ok_and(|e| e.unit().is_some())).count()
        });
    });
    group.bench_function("by pattern Vehicle.Cabin.Door.**.IsOpen", |b| {
        let doors = Pattern::new("Vehicle.Cabin.Door.**.IsOpen").unwrap();
        b.iter(|| all.find(&doors).len());
    });
    group.finish();
    let mut group = criterion.benchmark_group("catalogue/one");
    group.bench_function("typed constant", |b| b.iter(|| vss::SPEED.resolve(black_box(&all)).unwrap()));
    group.bench_function("typed constant, the first of a tree", |b| {
        let fresh = || Catalogue::new(vss::entries(), Facts::default()).unwrap();
        b.iter_batched(fresh, |all| vss::SPEED.resolve(&all).unwrap(), BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, made, looked_up);
criterion_main!(benches);
