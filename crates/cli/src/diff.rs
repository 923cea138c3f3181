//! `coachwork diff`: two databases become the changes between them, and a verdict as exit status.
//!
//! *Invariant:* the status follows from the verdict for whom it was asked, and from nothing else.
//! *Next:* `main.rs`; the comparison is the library's.

use crate::output::Output;
use crate::{Failure, Format, database};
use clap::{Args, ValueEnum};
use coachwork_dbc::diff::{Change, Diff, Verdict};
use std::io::Write;
use std::path::PathBuf;

/// Compare two databases: what changed, and whom it breaks.
///
/// Fails where the verdict is as bad as --fail-on says.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The older DBC file.
    #[arg(value_name = "A")]
    older: PathBuf,
    /// The newer DBC file.
    #[arg(value_name = "B")]
    newer: PathBuf,
    /// How changes are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// From which verdict on to fail.
    #[arg(long, value_enum, default_value_t)]
    fail_on: FailOn,
    /// Whose programs must go on working.
    #[arg(long = "for", value_enum, default_value_t)]
    whom: Whom,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Fail where something is new, too.
    Additive,
    /// Fail where something no longer holds.
    #[default]
    Breaking,
    /// Do not fail.
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Whom {
    /// Programs that read what newer ones send.
    Receivers,
    /// Programs that send to newer ones.
    Senders,
    /// Both.
    #[default]
    Both,
}

impl Compare {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let older = database::load(&self.older, false)?;
        let newer = database::load(&self.newer, false)?;
        let diff = older.diff(&newer);
        let verdict = self.verdict(&diff);
        let output = Output::new();
        for change in diff.changes() {
            output.append(|to| self.print(to, change))?;
        }
        output.append(|to| self.conclude(to, verdict, diff.changes().len()))?;
        output.flush()?;
        if fails(verdict, self.fail_on) { Err(Failure::Told) } else { Ok(()) }
    }

    fn verdict(&self, diff: &Diff) -> Verdict {
        match self.whom {
            Whom::Receivers => diff.receiver(),
            Whom::Senders => diff.sender(),
            Whom::Both => diff.verdict(),
        }
    }

    fn print(&self, to: &mut Vec<u8>, change: &Change) {
        let _ = match self.format {
            Format::Text => writeln!(to, "{change}"),
            Format::Jsonl => writeln!(to, "{}", json(change)),
        };
    }

    fn conclude(&self, to: &mut Vec<u8>, verdict: Verdict, count: usize) {
        let _ = match (self.format, count) {
            (Format::Text, 0) => writeln!(to, "{verdict}: no changes"),
            (Format::Text, 1) => writeln!(to, "{verdict}: 1 change"),
            (Format::Text, _) => writeln!(to, "{verdict}: {count} changes"),
            (Format::Jsonl, _) => {
                writeln!(to, "{}", serde_json::json!({ "verdict": verdict.as_str(), "changes": count }))
            }
        };
    }
}

fn fails(verdict: Verdict, on: FailOn) -> bool {
    match on {
        FailOn::Additive => verdict >= Verdict::Additive,
        FailOn::Breaking => verdict >= Verdict::Breaking,
        FailOn::Never => false,
    }
}

fn json(change: &Change) -> serde_json::Value {
    serde_json::json!({
        "code": change.kind().as_str(),
        "verdict": change.verdict().as_str(),
        "receiver": change.receiver().as_str(),
        "sender": change.sender().as_str(),
        "message": change.message(),
        "id": change.id().map(|id| id.to_string()),
        "signal": change.signal(),
        "before": change.before(),
        "after": change.after(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_the_verdict() {
        use Verdict::{Additive, Breaking, Compatible};

        let of = |on| [Compatible, Additive, Breaking].map(|verdict| fails(verdict, on));
        assert_eq!(of(FailOn::Additive), [false, true, true]);
        assert_eq!(of(FailOn::Breaking), [false, false, true]);
        assert_eq!(of(FailOn::Never), [false; 3]);
    }
}
