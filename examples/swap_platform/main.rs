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
mod wire;

use std::process::ExitCode;

use coachwork_examples::Fault;

use crate::app::{FAST, Seen, app};
use crate::grant::Shop;
use crate::options::{HELP, Options};
use crate::platforms::{Files, Kind, SPEED_UP};
use crate::story::{Runs, sum_up};
use crate::wire::over_tcp;

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
    for tcp in [false, true] {
        for kind in [Kind::Simulator, Kind::Log, Kind::Bus] {
            let name = files.name(kind, tcp);
            let on = |token| ride(&files, &shop, kind, tcp, token);
            let (without, note) = on(None).await.map_err(|why| format!("{name}: {why}"))?;
            let (with, _) = on(Some(&*shop.token)).await.map_err(|why| format!("{name}: {why}"))?;
            let runs = Runs { platform: name, without, with, note };
            runs.tell(all.len() + 1);
            all.push(runs);
        }
    }
    sum_up(&all);
    Ok(())
}

/// One run of the app: on a platform in this process or behind a gateway, with or without a grant.
async fn ride(
    files: &Files,
    shop: &Shop,
    kind: Kind,
    tcp: bool,
    token: Option<&[u8]>,
) -> Result<(Seen, Option<String>), Fault> {
    let mut platform = files.start(kind)?;
    let vehicle = if tcp {
        over_tcp(&mut platform, shop, token).await?
    } else {
        shop.gate(platform.vehicle.clone(), token)?
    };
    let seen = app(&*vehicle).await?;
    let note = platform.note();
    platform.tasks.stop().await?;
    Ok((seen, note))
}
