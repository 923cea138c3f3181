//! Rows of doubles from frames, beside cantools' generated C and cantools itself.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use coachwork_benches::case::Case;
use coachwork_benches::clock::time;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::process::{Rival, folder};
use coachwork_benches::rivals::close;
use coachwork_benches::rounds::paired;
use coachwork_benches::traffic::{Make, Order, Traffic};
use coachwork_dbc::{Batch, ClassicFrame, FdFrame, Match};

use crate::Run;

/// Frames whose values are compared before anything is timed.
const COMPARED: usize = 100_000;
/// Frames for a rival that needs microseconds.
const FEW: usize = 10_000;

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

/// The budget of a database in an order, for the instructions that this machine has.
fn budget(fd: bool, order: Order) -> Budget {
    Budget::Ratio(match (order, crate::instructions(), fd) {
        (_, "baseline", _) => 1.3,
        (Order::Periodic, ..) => 1.0,
        (Order::Random, _, true) => 0.95,
        (Order::Random, "AVX-512", false) => 0.5,
        (Order::Random, _, false) => 0.65,
    })
}

fn one<F: Make>(run: &Run, case: &Case, lines: &mut Vec<Line>) {
    for order in [Order::Random, Order::Periodic] {
        let traffic = Traffic::<F>::new(&case.database, order, run.frames);
        let mut batch = Batch::new(&case.database, Match::Exact);
        let signals = signals(&mut batch, &traffic);
        let path = write(&traffic, &case.name, order);
        for (program, title, budget) in [
            ("decode-lto", "C -O3 -flto", budget(case.fd, order)),
            ("decode-plain", "C -O3", Budget::Ratio(1.0)),
        ] {
            let name = format!("{} {} / {title}", case.name, order.as_str());
            let mut rival = match Rival::start(&mut Command::new(folder().join(&case.name).join(program))) {
                Ok(rival) => rival,
                Err(why) => {
                    lines.push(Line::missing(name, why, budget));
                    continue;
                }
            };
            rival.ask(&format!("load {}", path.display()));
            let wrong = compare(&mut rival, &mut batch, &traffic, COMPARED, "dump");
            assert_eq!(wrong, 0, "{name}: the values differ");
            let ours = || rows(&mut batch, &traffic.frames) / signals;
            lines.push(Line::new(name, paired(run.rounds, ours, || rival.time("decode") / signals), budget));
        }
        if order == Order::Random {
            lines.push(python(run, case, &mut batch, &traffic, &path));
        }
        let _ = std::fs::remove_file(path);
    }
}

/// Nanoseconds to decode all frames.
pub(crate) fn rows<F: Make>(batch: &mut Batch<'_>, frames: &[F]) -> f64 {
    time(|| {
        batch.rows(frames, |row| {
            black_box(row.values());
        });
    })
}

/// The number of signals in all frames.
pub(crate) fn signals<F: Make>(batch: &mut Batch<'_>, traffic: &Traffic<F>) -> f64 {
    let mut signals = 0;
    let counts = batch.rows(&traffic.frames, |row| signals += row.values().len());
    assert_eq!(counts.decoded, traffic.frames.len(), "every frame decodes");
    signals as f64
}

pub(crate) fn write<F: Make>(traffic: &Traffic<F>, name: &str, order: Order) -> PathBuf {
    let folder = folder();
    std::fs::create_dir_all(&folder).expect("the rivals' folder");
    let path = folder.join(format!("{name}-{}.frames", order.as_str()));
    traffic.write(&path).expect("the frames are written");
    path
}

fn python<F: Make>(run: &Run, case: &Case, batch: &mut Batch<'_>, traffic: &Traffic<F>, path: &Path) -> Line {
    let (name, budget) = (format!("{} random / cantools (Python)", case.name), Budget::Times(150.0));
    let mut rival = match start_python(case) {
        Ok(rival) => rival,
        Err(why) => return Line::missing(name, why, budget),
    };
    let few = Traffic { frames: take(&traffic.frames, FEW), messages: traffic.messages[..FEW].to_vec() };
    rival.ask(&format!("load {} {FEW}", path.display()));
    let wrong = compare(&mut rival, batch, &few, FEW, "dump");
    assert_eq!(wrong, 0, "{name}: the values differ");
    let of_few = signals(batch, &few);
    let all = signals(batch, traffic);
    // Ours decodes all frames, because a few are done before the clock ticks.
    Line::new(
        name,
        paired(run.rounds.min(3), || rows(batch, &traffic.frames) / all, || rival.time("decode") / of_few),
        budget,
    )
}

pub(crate) fn start_python(case: &Case) -> Result<Rival, String> {
    let folder = folder();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/cantools_rival.py");
    let database = folder.join(format!("{}.dbc", case.name));
    Rival::start(Command::new(folder.join("venv/bin/python")).arg(script).arg(database))
}

fn take<F: Make>(frames: &[F], count: usize) -> Vec<F> {
    frames.iter().take(count).map(|frame| F::make(frame.id(), frame.payload())).collect()
}

/// The number of values that differ, in the first frames.
fn compare<F: Make>(
    rival: &mut Rival,
    batch: &mut Batch<'_>,
    traffic: &Traffic<F>,
    most: usize,
    request: &str,
) -> usize {
    let path = folder().join("answers");
    rival.ask(&format!("{request} {most} {}", path.display()));
    let answers = std::fs::read(&path).expect("the rival's answers");
    let _ = std::fs::remove_file(path);
    let mut words =
        answers.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
    let mut wrong = 0;
    let frames = &traffic.frames[..most.min(traffic.frames.len())];
    batch.rows(frames, |row| {
        let count = words.next().expect("an answer for every frame") as usize;
        let mut theirs: Vec<(usize, f64)> = (0..count)
            .map(|_| {
                let place = words.next().expect("a place") as usize;
                (place, f64::from_bits(words.next().expect("a value")))
            })
            .collect();
        theirs.sort_by_key(|entry| entry.0);
        wrong += count.abs_diff(row.values().len());
        for ((index, value), (place, have)) in row.signals().iter().zip(row.values()).zip(theirs) {
            // Names hold the place in the file that the database was made from.
            let name = row.message().signal(*index).map_or("", |signal| signal.name());
            wrong += usize::from(name != format!("s{place}") || !close(*value, have, 1e-9));
        }
    });
    assert!(words.next().is_none(), "no more answers than frames");
    wrong
}
