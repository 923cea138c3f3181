//! Columns of doubles from frames: in blocks that stay in the cache, and to memory.

use std::hint::black_box;

use coachwork_benches::case::Case;
use coachwork_benches::clock::time;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::rounds::paired;
use coachwork_benches::traffic::{Make, Order, Traffic};
use coachwork_dbc::{Batch, ClassicFrame, FdFrame, Match};

use crate::Run;
use crate::decode::{rows, signals};

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let mut lines = Vec::new();
    for case in &run.cases {
        if case.fd {
            one::<FdFrame>(run, case, &mut lines);
        } else {
            one::<ClassicFrame>(run, case, &mut lines);
        }
    }
    lines
}

fn one<F: Make>(run: &Run, case: &Case, lines: &mut Vec<Line>) {
    let traffic = Traffic::<F>::new(&case.database, Order::Random, run.frames);
    let (mut batch, mut other) =
        (Batch::new(&case.database, Match::Exact), Batch::new(&case.database, Match::Exact));
    let signals = signals(&mut batch, &traffic);
    assert_eq!(
        sum_of_columns(&mut batch, &traffic.frames),
        sum_of_rows(&mut other, &traffic.frames),
        "columns are rows, turned"
    );

    // Partitioning random identifiers included; a row costs what it costs above.
    let ours = || blocks(&mut batch, &traffic.frames) / signals;
    let measured = paired(run.rounds, ours, || rows(&mut other, &traffic.frames) / signals);
    lines.push(Line::new(format!("{} random, blocks / our rows", case.name), measured, Budget::Ratio(1.0)));

    // One message: what is left is the arithmetic. 1.3 times the 0.75 ns that a prototype reached.
    let widest =
        case.database.messages().iter().enumerate().max_by_key(|(_, message)| {
            message.signals().iter().filter(|s| s.multiplexed().is_none()).count()
        });
    let widest = widest.map_or(0, |(position, _)| position as u32);
    let alone: Vec<F> = traffic
        .frames
        .iter()
        .zip(&traffic.messages)
        .filter(|(_, message)| **message == widest)
        .map(|(frame, _)| F::make(frame.id(), frame.payload()))
        .collect();
    let mut count = 0;
    batch.columns(&alone, |block| count += block.signals().len() * block.frames().len());
    let passes = (signals / count.max(1) as f64).ceil();
    let ours = rounds(run.rounds, || {
        time(|| {
            for _ in 0..passes as usize {
                batch.columns(&alone, |block| {
                    black_box(block.column(0));
                });
            }
        }) / (passes * count as f64)
    });
    lines.push(Line::alone(format!("{} one message, blocks", case.name), ours, Budget::Figure(0.98)));

    // To memory: beside a plain copy of as many doubles.
    let mut memory: Vec<f64> = vec![0.0; signals as usize];
    let source = vec![1.0; 4096];
    let mut copied: Vec<f64> = vec![0.0; signals as usize];
    let ours = || {
        time(|| {
            let mut at = 0;
            batch.columns(&traffic.frames, |block| {
                for column in 0..block.signals().len() {
                    let values = block.column(column);
                    memory[at..at + values.len()].copy_from_slice(values);
                    at += values.len();
                }
            });
            black_box(&memory);
        }) / signals
    };
    let rival = || {
        time(|| {
            for part in copied.chunks_mut(source.len()) {
                part.copy_from_slice(&source[..part.len()]);
            }
            black_box(&copied);
        }) / signals
    };
    let measured = paired(run.rounds, ours, rival);
    lines.push(Line::new(
        format!("{} random, columns to memory / a copy", case.name),
        measured,
        Budget::Figure(2.6 * 1.1),
    ));
}

fn rounds(rounds: usize, mut measure: impl FnMut() -> f64) -> f64 {
    let _ = measure();
    coachwork_benches::rounds::median((0..rounds).map(|_| measure()))
}

fn blocks<F: Make>(batch: &mut Batch<'_>, frames: &[F]) -> f64 {
    time(|| {
        batch.columns(frames, |block| {
            black_box(block.column(0));
        });
    })
}

/// The bits of all values, added up: no order, no rounding.
fn sum_of_columns<F: Make>(batch: &mut Batch<'_>, frames: &[F]) -> (u64, usize) {
    let mut sum = (0_u64, 0);
    batch.columns(frames, |block| {
        for column in 0..block.signals().len() {
            for value in block.column(column) {
                sum = (sum.0.wrapping_add(value.to_bits()), sum.1 + 1);
            }
        }
    });
    sum
}

fn sum_of_rows<F: Make>(batch: &mut Batch<'_>, frames: &[F]) -> (u64, usize) {
    let mut sum = (0_u64, 0);
    batch.rows(frames, |row| {
        for value in row.values() {
            sum = (sum.0.wrapping_add(value.to_bits()), sum.1 + 1);
        }
    });
    sum
}
