//! A candump log becomes decoded text: the tool `coachwork` beside cantools' own tool, lines per second of processor time.
//!
//! *Invariant:* both read the same file, the log repeated until loading the database weighs little, and the same database; what the lines say is
//! compared elsewhere, against the corpus's oracle.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coachwork_benches::case::corpus;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::process::folder;
use coachwork_benches::rounds::paired;

use crate::Run;

/// Recordings of real cars, each with the database that fits it.
const LOGS: [(&str, &str, &str); 3] = [
    (
        "durango",
        "logs-gpl3/candump/dodge_durango_engine_on.log",
        "dbc/opendbc/chrysler_pacifica_2017_hybrid_generated.dbc",
    ),
    ("gt350", "logs-gpl3/candump/ford_gt350_key_on.log", "dbc/opendbc/ford_lincoln_base_pt.dbc"),
    ("model-3", "logs/candump/candump_tesla_kuksa.log", "dbc/kuksa/Model3CAN.dbc"),
];
/// Lines to read: ours needs many before the clock ticks.
const MANY: usize = 1_000_000;

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let Some(root) = corpus() else { return Vec::new() };
    LOGS.iter().map(|(name, log, database)| one(run, name, &root.join(log), &root.join(database))).collect()
}

fn one(run: &Run, name: &str, log: &Path, database: &Path) -> Line {
    let (name, budget) = (format!("{name} / cantools decode"), Budget::Times(100.0));
    let tool = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.join("coachwork")))
        .unwrap_or_default();
    let cantools = folder().join("venv/bin/cantools");
    if !tool.exists() {
        return Line::missing(name, "build coachwork-cli in the same profile first", budget);
    }
    if !cantools.exists() {
        return Line::missing(name, "benches/scripts/rivals installs cantools", budget);
    }
    let Ok(text) = std::fs::read_to_string(log) else { return Line::missing(name, "no such log", budget) };
    let text = text.trim_end().to_string() + "\n";
    let lines = text.lines().count();
    let times = (MANY.min(run.frames) / lines).max(1);
    let path = folder().join("log");
    std::fs::write(&path, text.repeat(times)).expect("the log is written");
    let mut ours = Command::new(&tool);
    ours.arg("decode").arg(database).arg(&path);
    let mut theirs = Command::new(&cantools);
    theirs.arg("decode").arg(database);
    if processor_time(&mut theirs, Some(log)).is_none() {
        // cantools refuses some published databases: then both get what ours has made of it, written anew.
        let Some(repaired) = repaired(database) else {
            return Line::missing(name, "the database cannot be written anew", budget);
        };
        ours = Command::new(tool);
        ours.arg("decode").arg(&repaired).arg(&path);
        theirs = Command::new(cantools);
        theirs.args(["decode", "--no-strict"]).arg(&repaired);
        if processor_time(&mut theirs, Some(log)).is_none() {
            return Line::missing(name, "cantools refuses the database", budget);
        }
    }
    // Nanoseconds a line, so that smaller is better on both sides.
    let measured = paired(
        run.rounds.min(3),
        || processor_time(&mut ours, None).expect("ours decodes the log") / (lines * times) as f64,
        || {
            processor_time(&mut theirs, Some(&path)).expect("it decoded the log once")
                / (lines * times) as f64
        },
    );
    let _ = std::fs::remove_file(path);
    Line::new(name, measured, budget)
}

/// The database with every repair made, as a file.
fn repaired(database: &Path) -> Option<PathBuf> {
    let bytes = std::fs::read(database).ok()?;
    let loaded = coachwork_dbc::Options::new().load(&bytes).ok()?;
    let path = folder().join("repaired.dbc");
    std::fs::write(&path, loaded.database.to_dbc()).ok()?;
    Some(path)
}

/// Nanoseconds of processor time that a program takes; `None` where it fails.
fn processor_time(command: &mut Command, input: Option<&Path>) -> Option<f64> {
    let input = input.map_or_else(Stdio::null, |path| File::open(path).expect("the log is there").into());
    let before = children();
    let status =
        command.stdin(input).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the program runs");
    status.success().then(|| children() - before)
}

/// Nanoseconds that all children that ended have taken, in ticks of a hundredth of a second.
fn children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(13).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() * 1e7
}
