//! One hot loop, so many times over: what `scripts/instructions` counts under callgrind.
//!
//! *Invariant:* two runs of one loop execute the same instructions; the difference between two counts is the loop alone.
//! *Next:* `../../scripts/instructions`.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use std::hint::black_box;
use std::process::ExitCode;

use coachwork_benches::traffic::{Order, Traffic};
use coachwork_dbc::{
    Batch, BatchEncoder, ClassicFrame, Database, Match, Number, Options, Signal, SignalIndex,
};

/// The project's own database: the counts do not depend on files that others publish.
const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../dbc/powertrain.dbc"));
const FRAMES: usize = 1000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(times)) = (arguments.next(), arguments.next().and_then(|times| times.parse().ok()))
    else {
        eprintln!("usage: hot_loops LOOP TIMES");
        return ExitCode::from(2);
    };
    let database = Database::parse(TEXT).expect("the project's database loads");
    let traffic = Traffic::<ClassicFrame>::new(&database, Order::Random, FRAMES);
    for _ in 0..times {
        match name.as_str() {
            "rows" | "columns" | "encoder" | "encodes" => break,
            "frames" => one_by_one(&database, &traffic),
            "signal" => one_signal(&database, &traffic),
            "lookup" => look_up(&database, &traffic),
            "encode" => encode(&database),
            "load" => drop(black_box(Options::new().load(TEXT.as_bytes()).expect("it loads"))),
            _ => {
                eprintln!("no loop {name}");
                return ExitCode::from(2);
            }
        }
    }
    batches(&name, times, &database, &traffic);
    encoders(&name, times, &database);
    ExitCode::SUCCESS
}

fn batches(name: &str, times: usize, database: &Database, traffic: &Traffic<ClassicFrame>) {
    let mut batch = Batch::new(database, Match::Exact);
    for _ in 0..times {
        match name {
            "rows" => {
                batch.rows(&traffic.frames, |row| {
                    black_box(row.values());
                });
            }
            "columns" => {
                batch.columns(&traffic.frames, |block| {
                    black_box(block.column(0));
                });
            }
            _ => return,
        }
    }
}

fn one_by_one(database: &Database, traffic: &Traffic<ClassicFrame>) {
    use coachwork_dbc::BatchFrame as _;

    for frame in &traffic.frames {
        let Some(message) = database.find(frame.id(), Match::Exact) else { continue };
        for value in message.decode_partial(frame.payload()) {
            black_box(value.double());
        }
    }
}

fn one_signal(database: &Database, traffic: &Traffic<ClassicFrame>) {
    use coachwork_dbc::BatchFrame as _;

    let handle = database.messages()[0].indexed_signals().last().map(|(index, _)| index).expect("a signal");
    for (frame, position) in traffic.frames.iter().zip(&traffic.messages) {
        let message = &database.messages()[*position as usize];
        black_box(message.decode_signal(handle, frame.payload()).map(|value| value.double()));
    }
}

fn look_up(database: &Database, traffic: &Traffic<ClassicFrame>) {
    use coachwork_dbc::BatchFrame as _;

    for frame in &traffic.frames {
        black_box(database.find_position(frame.id(), Match::Exact));
    }
}

/// Through the message: handles and values.
fn encode(database: &Database) {
    let message = &database.messages()[0];
    let given: Vec<(SignalIndex, Number)> =
        message.indexed_signals().map(|(index, _)| (index, Number::Float(1.0))).collect();
    let mut payload = [0; 8];
    for _ in 0..FRAMES {
        message
            .encode_onto(black_box(&given), &mut payload[..message.length()])
            .expect("1 is in every range");
        black_box(&payload);
    }
}

/// Through an encoder, frame by frame, and many frames at once.
fn encoders(name: &str, times: usize, database: &Database) {
    let all: Vec<_> =
        database.messages().iter().filter_map(|message| message.encoder_of_all().ok()).collect();
    let frames: Vec<u32> = (0..).take(all.len()).cycle().take(FRAMES).collect();
    let values: Vec<f64> =
        frames.iter().flat_map(|frame| all[*frame as usize].message().signals()).map(in_range).collect();
    let batch = BatchEncoder::new(all.iter().cloned());
    let mut payload = [0; 64];
    for _ in 0..times {
        match name {
            "encoder" => {
                let mut values = values.as_slice();
                for frame in &frames {
                    let encoder = &all[*frame as usize];
                    let (now, rest) = values.split_at(encoder.signals().len());
                    values = rest;
                    black_box(encoder.encode(now, &mut payload)).expect("in range");
                }
            }
            "encodes" => {
                batch
                    .encode(&frames, &values, |frame| {
                        black_box(frame.payload());
                    })
                    .expect("in range");
            }
            _ => return,
        }
    }
}

/// A value that the signal can have.
fn in_range(signal: &Signal) -> f64 {
    signal.min().unwrap_or(signal.offset())
}
