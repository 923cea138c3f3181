//! The server's process of the budgets of client and gateway: a program of its own, in which no rival is linked.
//!
//! *Invariant:* it does what it is told by the one that started it, and nothing else.
//! *Next:* `../../remote/server.rs` (what it does), `../../remote/child.rs` (which starts it).
#![allow(clippy::expect_used)]

use std::path::Path;

use coachwork_benches::remote::server;

fn main() {
    let folder = std::env::args().nth(1).expect("a folder for its sockets");
    server::run(Path::new(&folder));
}
