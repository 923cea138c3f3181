//! A stage on tokio and the system's clock.

use std::sync::Arc;
use std::time::Duration;

use coachwork_conformance::{Play, Runner, Stage};
use coachwork_tokio::SystemClock;
use tokio::runtime::{Builder, Handle};

pub(crate) struct Tokio;

impl Runner for Tokio {
    fn run(&self, play: Box<dyn FnOnce(Stage) -> Play>) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (clock, handle) = (SystemClock::new().unwrap(), Handle::current());
            let spawn = move |task| drop(handle.spawn(task));
            // Other tests share the machine.
            play(Stage::live(Arc::new(clock), spawn, Duration::from_millis(150))).await;
        });
    }
}
