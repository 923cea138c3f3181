//! The server's process: a small program of its own, so that what it holds is what a gateway holds.
//!
//! *Invariant:* it is as new as the program that starts it, where cargo runs that.
//! *Next:* `server.rs` (what it does).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The server's program, which lies beside this one.
const PROGRAM: &str = "budgets-server";

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Served {
    child: Child,
    control: UnixStream,
    folder: PathBuf,
    /// Where it serves WebSockets.
    pub websocket: SocketAddr,
    /// Where it serves byte streams.
    pub tcp: SocketAddr,
    /// Where its echo listens.
    pub echo: SocketAddr,
    /// From the start of the process until it listened.
    pub started: Duration,
}

impl Served {
    /// Starts a server.
    pub fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("coachwork-remote-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let program = program();
        let began = Instant::now();
        let mut child = Command::new(program).arg(&folder).stdout(Stdio::piped()).spawn().expect("a process");
        let mut line = String::new();
        let said = BufReader::new(child.stdout.take().expect("what it says")).read_line(&mut line);
        let started = began.elapsed();
        said.expect("a line");
        let mut addresses = line.split_whitespace().map(|word| word.parse().expect("an address"));
        let mut address = || addresses.next().expect("an address");
        let (websocket, tcp, echo) = (address(), address(), address());
        let control = UnixStream::connect(folder.join("control")).expect("the server");
        Self { child, control, folder, websocket, tcp, echo, started }
    }

    /// Where it serves byte streams without a network.
    pub fn unix(&self) -> PathBuf {
        self.folder.join("peers")
    }

    /// Where its echo listens without a network.
    pub fn unix_echo(&self) -> PathBuf {
        self.folder.join("echo")
    }

    /// Tells it what to do.
    pub fn tell(&self, command: &str) {
        (&self.control).write_all(format!("{command}\n").as_bytes()).expect("the server");
    }

    /// Waits until it has done what it was told.
    pub fn done(&self) {
        let mut word = [0; 5];
        (&self.control).read_exact(&mut word).expect("the server");
        assert_eq!(&word, b"done\n");
    }

    /// How long it has been on a processor, in nanoseconds.
    pub fn processor(&self) -> f64 {
        processor(self.child.id())
    }

    /// How much memory it holds, in MiB.
    pub fn memory(&self) -> f64 {
        memory(self.child.id())
    }
}

/// The server's program, built first where cargo runs this one: cargo builds no program that it is not asked for.
fn program() -> &'static Path {
    static PROGRAM_BUILT: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM_BUILT.get_or_init(|| {
        if let Some(cargo) = std::env::var_os("CARGO") {
            let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
            let built = Command::new(cargo)
                .args(["build", "--quiet", "-p", "coachwork-benches", "--bin", PROGRAM, "--profile", profile])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status();
            assert!(built.is_ok_and(|built| built.success()), "{PROGRAM} is not built");
        }
        let program = std::env::current_exe().expect("this program").with_file_name(PROGRAM);
        assert!(program.exists(), "build it: cargo build --release -p coachwork-benches --bin {PROGRAM}");
        program
    })
}

/// How long the first thread of a process has been on a processor, in nanoseconds.
pub fn processor(process: u32) -> f64 {
    let path = format!("/proc/{process}/schedstat");
    let times = std::fs::read_to_string(Path::new(&path)).expect("a process");
    times.split(' ').next().and_then(|time| time.parse().ok()).expect("a number")
}

/// How much memory a process holds, in MiB.
pub fn memory(process: u32) -> f64 {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(Path::new(&path)).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1024.0
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
