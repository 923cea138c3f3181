//! A gateway in a process of its own, and plain peers that talk VISS to it: what the budgets of client and gateway are measured with.
//!
//! *Invariant:* server and peers are pinned to processors that the line names; a peer reads what a VISS program would read of an event,
//! and counts what is missing.
//! *Next:* `../bin/budgets/remote.rs` (the lines).

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::string_slice)]

pub mod bare;
pub mod child;
pub mod databroker;
pub mod event;
pub mod link;
pub mod server;

/// The signal that everything is measured with: an actuator without bounds beside the leaves of VSS 6.0.
pub const SIGNAL: &str = "Vehicle.Bench.Counter";

/// The processor of the server.
pub const SERVER: usize = 0;
/// The processor of the peers where it is another one.
pub const PEERS: usize = 1;

/// Pins this thread, and those that it starts, to a processor.
pub fn pin(processor: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(processor);
    rustix::thread::sched_setaffinity(None, &set).expect("a processor to be pinned to");
}

/// Lets this thread run anywhere.
pub fn unpin() {
    let mut set = rustix::thread::CpuSet::new();
    for processor in 0..std::thread::available_parallelism().map_or(1, usize::from).max(PEERS + 1) {
        set.set(processor);
    }
    // A processor that is not there is ignored.
    rustix::thread::sched_setaffinity(None, &set).expect("processors to run on");
}

/// Nanoseconds since 1970: one clock for all processes of the machine.
pub fn now() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
