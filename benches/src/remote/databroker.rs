//! KUKSA's databroker as a process, and the program that publishes to it and subscribes over gRPC.
//!
//! *Invariant:* it runs on the server's processor, with the tree of VSS 6.0 and the one signal more, without TLS and tokens, as ours does.
//! *Next:* `../../scripts/kuksa` (which builds both), `child.rs` (ours).

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::child::memory;
use super::{SERVER, SIGNAL, pin, unpin};
use crate::process::Rival;

/// Where the script puts it: `COACHWORK_KUKSA`, or `kuksa` in the target directory.
pub fn folder() -> PathBuf {
    std::env::var_os("COACHWORK_KUKSA")
        .map_or_else(|| crate::process::folder().with_file_name("kuksa"), PathBuf::from)
}

/// Whether it is there; otherwise what to do.
pub fn built() -> Result<(), String> {
    let there = ["databroker", "coachwork-kuksa-client", "vss_release_6.0.json"]
        .iter()
        .all(|name| folder().join(name).exists());
    if there { Ok(()) } else { Err("run benches/scripts/kuksa".to_string()) }
}

/// A running databroker. Dropping it ends it.
#[derive(Debug)]
pub struct Databroker {
    child: Child,
    tree: PathBuf,
    grpc: SocketAddr,
    /// Where it serves VISS over WebSocket.
    pub viss: SocketAddr,
    /// From the start of the process until both listened.
    pub started: Duration,
}

impl Databroker {
    /// Starts one.
    pub fn start() -> Self {
        let folder = folder();
        let tree = std::env::temp_dir().join(format!("coachwork-kuksa-{}.json", std::process::id()));
        std::fs::write(&tree, signal()).expect("a file");
        let (grpc, viss) = (free(), free());
        let began = Instant::now();
        pin(SERVER);
        let child = Command::new(folder.join("databroker"))
            .args(["--insecure", "--enable-viss", "--address", "127.0.0.1"])
            .args(["--port", &grpc.port().to_string(), "--viss-port", &viss.port().to_string()])
            .arg("--vss")
            .arg(format!("{},{}", folder.join("vss_release_6.0.json").display(), tree.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the databroker");
        unpin();
        for address in [grpc, viss] {
            while TcpStream::connect(address).is_err() {
                assert!(began.elapsed() < Duration::from_secs(20), "the databroker does not listen");
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        Self { child, tree, grpc, viss, started: began.elapsed() }
    }

    /// Its provider and subscribers, a process on this processor.
    pub fn peers(&self, processor: usize) -> Rival {
        let mut program = Command::new(folder().join("coachwork-kuksa-client"));
        pin(processor);
        let peers = Rival::start(program.arg(format!("http://{}", self.grpc)).arg(SIGNAL));
        unpin();
        peers.expect("the client")
    }

    /// How long all of its threads have been on a processor, in nanoseconds.
    pub fn processor(&self) -> f64 {
        let tasks = format!("/proc/{}/task", self.child.id());
        let tasks = std::fs::read_dir(Path::new(&tasks)).expect("its threads");
        let times = tasks.flatten().filter_map(|task| {
            let times = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            times.split(' ').next()?.parse::<f64>().ok()
        });
        times.sum()
    }

    /// How much memory it holds, in MiB.
    pub fn memory(&self) -> f64 {
        memory(self.child.id())
    }
}

impl Drop for Databroker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.tree);
    }
}

/// The signal that everything is measured with, as a tree of its own.
fn signal() -> String {
    let mut node = r#"{"type":"actuator","datatype":"uint32","description":""}"#.to_string();
    let mut tree = String::new();
    for name in SIGNAL.rsplit('.') {
        tree = format!(r#"{{"{name}":{node}}}"#);
        node = format!(r#"{{"type":"branch","description":"","children":{tree}}}"#);
    }
    tree
}

/// An address where nobody listens at present.
fn free() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("an address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_has_the_signal_alone() {
        let tree: serde_json::Value = serde_json::from_str(&signal()).expect("JSON");
        let mut node = &tree;
        for (depth, name) in SIGNAL.split('.').enumerate() {
            if depth > 0 {
                assert_eq!(node["type"], "branch");
                node = &node["children"];
            }
            assert_eq!(node.as_object().map(serde_json::Map::len), Some(1));
            node = &node[name];
        }
        assert_eq!(node["type"], "actuator");
        assert_eq!(node["datatype"], "uint32");
    }
}
