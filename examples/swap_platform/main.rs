//! The main job: one app function runs unchanged on a simulator, on a recorded log, on a CAN bus, and on each of them through a gateway and a client over
//! TCP; each time without and with a grant for the seat heating.
//!
//! `cargo run --release --example swap_platform -- --help` tells how to run it on a log of your own.
//! *Next:* `app.rs` (the app), `platforms.rs` and `wire.rs` (what it runs on), `grant.rs` (what is for sale), `story.rs` (what is printed).
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod app;
mod grant;
mod options;
mod platforms;
mod story;

use std::process::ExitCode;

use coachwork_examples::Fault;

use crate::app::{FAST, Seen, app};
use crate::grant::Shop;
use crate::options::{HELP, Options};
use crate::platforms::{Files, Kind, Platform, SPEED_UP};
use crate::story::{Runs, sum_up};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Fault> {
    let Some(options) = Options::parse(std::env::args_os().skip(1))? else {
        println!("{HELP}");
        return Ok(());
    };
    let files = Files::load(options)?;
    let shop = Shop::open()?;
    println!(
        "One app: it watches the speed until it is above {FAST} km/h, reads the range and the doors, and asks for a warm seat."
    );
    println!("The cars' clock runs {SPEED_UP} times as fast as yours.\n");
    let mut all = Vec::new();
    for kind in [Kind::Simulator, Kind::Log, Kind::Bus] {
        let without = here(&files, &shop, kind, None).await?;
        let with = here(&files, &shop, kind, Some(&shop.token)).await?;
        let runs = Runs { platform: kind.to_string(), without, with };
        all.push(runs);
        all.iter().enumerate().next_back().into_iter().for_each(|(n, runs)| runs.tell(n + 1));
    }
    sum_up(&all);
    Ok(())
}

/// The app on a platform in this process.
async fn here(files: &Files, shop: &Shop, kind: Kind, token: Option<&[u8]>) -> Result<Seen, Fault> {
    let Platform { vehicle, clock, tasks } = files.start(kind)?;
    let vehicle = shop.gate(vehicle, token, clock)?;
    let seen = app(&*vehicle).await?;
    tasks.stop().await?;
    Ok(seen)
}
