//! Every budget that applies, measured in one run, one line each: what ours takes, what the rival takes, the ratio, and whether that is enough.
//!
//! *Invariant:* answers are compared before anything is timed; a rival that answers wrongly is named with its share; what cannot be measured here
//! is a line that says so.
//! *Next:* one file a group: a new budget is a new function in [`GROUPS`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod board;
mod catalogue;
mod columns;
mod decode;
mod encode;
mod grants;
mod load;
mod logs;
mod lookup;
mod registry;
mod remote;
mod single;

use std::process::ExitCode;

use coachwork_benches::case::{Case, cases};
use coachwork_benches::line::Line;
use coachwork_benches::process::folder;

/// What a group measures with.
struct Run {
    /// The databases of real cars; none where there is no corpus.
    cases: Vec<Case>,
    /// Frames per pass.
    frames: usize,
    /// Rounds per measurement.
    rounds: usize,
}

/// Measures the lines of a group.
type Group = fn(&Run) -> Vec<Line>;

/// The groups in the order of their lines: a title, and who measures.
const GROUPS: [(&str, Group); 13] = [
    ("rows: ns per signal, all signals to doubles, identifier look-up included", decode::measure),
    ("columns: ns per signal", columns::measure),
    ("rivals from the registry: ns per signal", registry::measure),
    ("one signal by handle: ns per frame", single::measure),
    ("identifier look-up: ns per frame", lookup::measure),
    ("encoding: ns per signal", encode::measure),
    ("loading: µs per KB", load::measure),
    ("logs to text: ns per line, the whole program", logs::measure),
    ("grants: ns, and bytes where the line says so", grants::measure),
    ("catalogue: ns per look-up, where the name says nothing else", catalogue::measure),
    ("board: ns per delivery, where the name says nothing else", board::measure),
    ("remote: a gateway at the other end of a socket", remote::measure),
    ("remote beside KUKSA: the same work for our gateway and its databroker", remote::beside_databroker),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut wanted = Vec::new();
    let mut run = Run { cases: Vec::new(), frames: 1_000_000, rounds: 9 };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--write-databases" => return write_databases(),
            // A quick look: not the figures to publish.
            "--quick" => (run.frames, run.rounds) = (100_000, 3),
            "--only" => wanted.extend(arguments.next()),
            _ => {
                eprintln!("usage: budgets [--quick] [--only GROUP]... | --write-databases");
                return ExitCode::from(2);
            }
        }
    }
    run.cases = cases();
    if run.cases.is_empty() {
        println!("no corpus: databases of real cars are not measured");
    }
    println!("instructions: {}", instructions());
    println!("{}", Line::HEADER);
    let (mut short, mut missing) = (0, 0);
    for (title, measure) in GROUPS {
        if !wanted.is_empty() && !wanted.iter().any(|word| title.starts_with(word.as_str())) {
            continue;
        }
        println!("# {title}");
        for line in measure(&run) {
            println!("{line}");
            match line.is_met() {
                Some(true) => {}
                Some(false) => short += 1,
                None => missing += 1,
            }
        }
    }
    println!("# {short} short, {missing} not measured");
    ExitCode::SUCCESS
}

/// The widest vectors that are used.
fn instructions() -> &'static str {
    match fearless_simd::Level::new() {
        #[cfg(target_arch = "x86_64")]
        fearless_simd::Level::Avx512(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        fearless_simd::Level::Avx2(_) => "AVX2",
        _ => "baseline",
    }
}

/// Writes the databases for the script that builds the rivals.
fn write_databases() -> ExitCode {
    let folder = folder();
    for case in cases() {
        let path = folder.join(format!("{}.dbc", case.name));
        if let Err(error) = std::fs::write(&path, &case.text) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
