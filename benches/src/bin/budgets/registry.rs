//! Rivals from the registry, on the databases that they can read; and how much of what they say is right.

use std::hint::black_box;

use coachwork_benches::case::Case;
use coachwork_benches::clock::time;
use coachwork_benches::generated;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::rivals::{CanDecode, Canparse, DbcRs, Decoder, close, compare};
use coachwork_benches::rounds::paired;
use coachwork_benches::traffic::{Make, Order, Traffic};
use coachwork_dbc::{Batch, ClassicFrame, Database, FdFrame, Match};

use crate::Run;
use crate::decode::{rows, signals};

/// Frames for rivals that need microseconds.
const FEW: usize = 20_000;

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let mut lines = Vec::new();
    for case in &run.cases {
        if case.fd {
            one::<FdFrame>(run, case, &mut lines);
        } else {
            one::<ClassicFrame>(run, case, &mut lines);
        }
    }
    // Small and plain enough for every rival.
    let database = Database::parse(generated::TEXT).expect("the project's database loads");
    one::<ClassicFrame>(run, &Case::new("powertrain", false, &database), &mut lines);
    generated(run, &mut lines);
    lines
}

/// Loads a rival with the text of a database.
type Loader = fn(&str) -> Result<Box<dyn Decoder>, String>;

fn one<F: Make>(run: &Run, case: &Case, lines: &mut Vec<Line>) {
    let traffic = Traffic::<F>::new(&case.database, Order::Random, run.frames);
    let few = &traffic.frames[..FEW.min(run.frames)];
    let mut batch = Batch::new(&case.database, Match::Exact);
    let all = signals(&mut batch, &traffic);
    let loaders: [Loader; 3] = [
        |text| Ok(Box::new(CanDecode::load(text)?)),
        |text| Ok(Box::new(DbcRs::load(text)?)),
        |text| Ok(Box::new(Canparse::load(text)?)),
    ];
    for (load, name) in loaders.into_iter().zip(["can_decode", "dbc-rs", "canparse"]) {
        // canparse is handed its signals: there is no database to look in.
        let budget = if name == "canparse" { Budget::Ratio(1.0) } else { Budget::Times(10.0) };
        let rival = match load(&case.text) {
            Ok(rival) => rival,
            Err(why) => {
                let why: String = why.trim().chars().take(50).collect();
                lines.push(Line::missing(
                    format!("{} / {name}", case.name),
                    format!("it refuses the file: {why}"),
                    budget,
                ));
                continue;
            }
        };
        let agreement = compare(&case.database, rival.as_ref(), &few[..few.len().min(5000)]);
        let name = match agreement.percent() {
            100 if agreement.different == 0 => format!("{} / {}", case.name, rival.name()),
            right => format!("{} / {} ({right} % right)", case.name, rival.name()),
        };
        let mut of_few = 0;
        batch.rows(few, |row| of_few += row.values().len());
        let theirs = || {
            time(|| {
                for frame in few {
                    rival.run(frame.id().to_dbc(), frame.payload());
                }
            }) / f64::from(u32::try_from(of_few).unwrap_or(u32::MAX))
        };
        lines.push(Line::new(
            name,
            paired(run.rounds.min(5), || rows(&mut batch, &traffic.frames) / all, theirs),
            budget,
        ));
    }
}

/// dbc-codegen, on the project's powertrain database: its code is generated when the benches are built.
fn generated(run: &Run, lines: &mut Vec<Line>) {
    let database = Database::parse(generated::TEXT).expect("the project's database loads");
    let traffic = Traffic::<ClassicFrame>::new(&database, Order::Random, run.frames);
    let mut batch = Batch::new(&database, Match::Exact);
    let signals = signals(&mut batch, &traffic);
    let mut out = [0.0; 64];
    let (mut equal, mut different) = (0_usize, 0_usize);
    let frames = &traffic.frames[..traffic.frames.len().min(10_000)];
    batch.rows(frames, |row| {
        let theirs = generated::decode(&frames[row.frame()], &mut out);
        different += theirs.abs_diff(row.values().len());
        for (ours, theirs) in row.values().iter().zip(out) {
            // It computes in singles.
            if close(*ours, theirs, 1e-5) {
                equal += 1;
            } else {
                different += 1;
            }
        }
    });
    let name = match different {
        0 => "powertrain / dbc-codegen 0.4".to_string(),
        _ => format!("powertrain / dbc-codegen 0.4 ({} % right)", 100 * equal / (equal + different)),
    };
    let theirs = || {
        time(|| {
            for frame in &traffic.frames {
                black_box(generated::decode(frame, black_box(&mut out)));
            }
        }) / signals
    };
    let measured = paired(run.rounds, || rows(&mut batch, &traffic.frames) / signals, theirs);
    lines.push(Line::new(name, measured, Budget::Ratio(1.0)));
}
