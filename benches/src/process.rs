//! Rivals that are programs of their own: they read the same frames from a file, and time themselves when told to.
//!
//! *Invariant:* one request, one answer; a rival measures the processor time of its own thread, as ours does.
//! *Next:* `../scripts/` (where the programs come from).

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running rival.
#[derive(Debug)]
pub struct Rival {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// Where the script puts the rivals: `COACHWORK_RIVALS`, or `rivals` in the target directory.
pub fn folder() -> PathBuf {
    let target = || {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
    };
    std::env::var_os("COACHWORK_RIVALS").map_or_else(|| target().join("rivals"), PathBuf::from)
}

impl Rival {
    /// Starts a program; an error says what is missing.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let name = name.rsplit('/').next().unwrap_or_default().to_string();
        let missing = |error: std::io::Error| format!("{name}: {error}; benches/scripts/rivals builds it");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(missing)?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{name}: no pipes"));
        };
        Ok(Self { child, to, from: BufReader::new(from) })
    }

    /// Asks for something; the answer is one line.
    pub fn ask(&mut self, request: &str) -> String {
        writeln!(self.to, "{request}").and_then(|()| self.to.flush()).expect("the rival listens");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the rival answers");
        let line = line.trim().to_string();
        assert!(!line.is_empty(), "the rival ended at {request:?}");
        line
    }

    /// Asks for a measurement, in nanoseconds.
    pub fn time(&mut self, request: &str) -> f64 {
        let answer = self.ask(request);
        answer.parse().unwrap_or_else(|_| panic!("no number: {answer}"))
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
