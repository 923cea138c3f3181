//! A `coachwork serve` that runs, and clients of it: real processes, each with an end.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long anything may take on a loaded machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The tool, with nothing of the environment that it listens to.
pub(crate) fn coachwork() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coachwork"));
    for name in ["COACHWORK_SERVER", "COACHWORK_TOKEN", "COACHWORK_TOKEN_FILE"] {
        command.env_remove(name);
    }
    command
}

/// Runs the tool to its end: its exit status, standard output and standard error.
pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    said(&coachwork().args(arguments).output().unwrap())
}

pub(crate) fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A process whose lines are heard as they come.
pub(crate) struct Running {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
    heard: Vec<String>,
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            if line.is_err() || line.is_ok_and(|line| sender.send(line).is_err()) {
                break;
            }
        }
    });
    receiver
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, out, err, heard: Vec::new() }
    }

    /// The next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        match self.out.recv_timeout(SOON) {
            Ok(line) => line,
            Err(why) => panic!("no line: {why}; it said {:?}", self.err.try_iter().collect::<Vec<_>>()),
        }
    }

    /// The first line of standard output that has this in it.
    pub(crate) fn line_with(&mut self, part: &str) -> String {
        let end = Instant::now() + SOON;
        loop {
            let line = self.line();
            if line.contains(part) {
                return line;
            }
            assert!(Instant::now() < end, "never said {part:?}, but {line}");
        }
    }

    /// The first line of standard error that has this in it.
    pub(crate) fn told(&mut self, part: &str) -> String {
        let end = Instant::now() + SOON;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.err.recv_timeout(left) else {
                panic!("never said {part:?}, but {:?}", self.heard)
            };
            self.heard.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> i32 {
        let end = Instant::now() + SOON;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gateway that runs, and where it can be reached.
pub(crate) struct Served {
    pub(crate) process: Running,
    pub(crate) urls: Vec<String>,
}

impl Served {
    /// Serves what the arguments say, with this many transports.
    pub(crate) fn with(arguments: &[&str], transports: usize) -> Self {
        let mut process = Running::start(coachwork().arg("serve").args(arguments));
        let url = |line: String| line.strip_prefix("listening on ").unwrap().to_owned();
        let urls = (0..transports).map(|_| url(process.line())).collect();
        Self { process, urls }
    }

    /// Serves what a config says that is written into a folder.
    pub(crate) fn config(folder: &Path, text: &str, transports: usize) -> Self {
        let path = folder.join("serve.toml");
        std::fs::write(&path, text).unwrap();
        Self::with(&[path.to_str().unwrap()], transports)
    }

    pub(crate) fn url(&self) -> &str {
        &self.urls[0]
    }

    /// A client of it, run to its end.
    pub(crate) fn client(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = coachwork();
        command.args(&arguments[..1]).args(["--server", self.url()]).args(&arguments[1..]);
        said(&command.output().unwrap())
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(self) -> i32 {
        self.process.signal("TERM");
        self.process.end()
    }
}
