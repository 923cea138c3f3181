//! A DBC file becomes a compiled database, beside can-dbc's parse of the same text.

use std::hint::black_box;

use coachwork_benches::case::{FILES, corpus};
use coachwork_benches::clock::time;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::rounds::paired;
use coachwork_dbc::{Batch, Match, Options};

use crate::Run;

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let Some(root) = corpus() else { return Vec::new() };
    let budget = Budget::Ratio(1.15);
    let lines = FILES.iter().map(|(name, file, _)| {
        let bytes = std::fs::read(root.join(format!("dbc/opendbc/{file}.dbc"))).expect("the file is there");
        // Both get the text; decoding it is ours alone.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let title = format!(
            "{name} / can-dbc {}",
            if can_dbc::Dbc::try_from(text.as_str()).is_ok() { "10" } else { "10 (fails)" }
        );
        let kilobytes = bytes.len() as f64 / 1000.0;
        let ours = || {
            time(|| {
                let loaded = Options::new().load(&bytes).expect("it loads");
                black_box(Batch::new(&loaded.database, Match::Auto));
            }) / kilobytes
                / 1000.0
        };
        let theirs = || {
            time(|| {
                let _ = black_box(can_dbc::Dbc::try_from(text.as_str()));
            }) / kilobytes
                / 1000.0
        };
        Line::new(title, paired(run.rounds, ours, theirs), budget)
    });
    lines.collect()
}
