//! What a grant costs: to verify, beside the bare signature and other token libraries; to check, beside a set of names
//! and a biscuit; to refuse, when it is 16 MiB of nothing.
//!
//! *Invariant:* all libraries carry the same claims, and a [`Contest`] asserts that they read the same from them before
//! anything is timed. Ratios are the budgets' (`cargo run --release -p coachwork-benches --bin budgets -- --only grants`).

#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;

use coachwork_benches::grants::{Contest, EXPIRES, ISSUED, name_set};
use criterion::{Criterion, criterion_group, criterion_main};

fn grant(c: &mut Criterion) {
    let contest = Contest::new();
    let mut group = c.benchmark_group("grant_verify");
    group.bench_function("raw verify_strict", |b| b.iter(|| contest.raw()));
    group.bench_function("coachwork", |b| b.iter(|| contest.verify()));
    group.bench_function("coset", |b| b.iter(|| contest.coset()));
    group.bench_function("jsonwebtoken", |b| b.iter(|| contest.jwt.verify()));
    group.bench_function("pasetors", |b| b.iter(|| contest.paseto.verify()));
    group.bench_function("biscuit-auth", |b| b.iter(|| contest.biscuit.verify()));
    group.finish();

    let (id, _) = contest.entitlements.features().iter().nth(3).expect("seat-heating");
    let names = name_set();
    let mut group = c.benchmark_group("grant_check");
    group.bench_function("coachwork", |b| b.iter(|| contest.check(id, ISSUED + 1)));
    group.bench_function("coachwork in its grace", |b| b.iter(|| contest.check(id, EXPIRES + 1)));
    group.bench_function("HashSet<&str>", |b| b.iter(|| names.contains(black_box("seat-heating"))));
    group.bench_function("biscuit-auth", |b| b.iter(|| contest.biscuit.check("seat-heating")));
    group.finish();

    let mut group = c.benchmark_group("grant_refuse_16_mib");
    group.sample_size(10);
    group.bench_function("coachwork", |b| b.iter(|| contest.refuses()));
    group.bench_function("coset", |b| b.iter(|| contest.coset_refuses()));
    group.bench_function("jsonwebtoken", |b| b.iter(|| contest.jwt.refuses()));
    group.bench_function("pasetors", |b| b.iter(|| contest.paseto.refuses()));
    group.bench_function("biscuit-auth", |b| b.iter(|| contest.biscuit.refuses()));
    group.finish();
}

criterion_group!(benches, grant);
criterion_main!(benches);
