//! `coachwork serve`: a config, or nothing at all, becomes a vehicle that others can reach.
//!
//! *Invariant:* it says on standard output where it listens, one line for each transport, once it does; nothing else goes there. What it served with goes on
//! when a new file is of no use. The first SIGTERM or Ctrl-C lets peers go in good order, the second ends it at once.
//! *Next:* `serve/config` (the file), `car.rs` (the vehicle), `transports.rs`, `access.rs` (who may come in), `running.rs` (until it is told to stop).

mod access;
mod car;
mod clock;
mod config;
#[cfg(test)]
mod config_tests;
mod handover;
mod peers;
mod repeat;
mod report;
mod running;
pub(crate) mod transports;
pub(crate) mod watched;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::Failure;
use crate::live::{block_on, failure};
use config::{Config, MAX_CONFIG, Simulator, Tcp, Unix, WebSocket};

/// Serve a vehicle to whoever may come in.
///
/// Without a config, the simulated car on 127.0.0.1:6443, for this machine alone. With one: a bus, a log, a recording, the simulator or a memory, or several
/// as one, by WebSocket, TCP, unix sockets and an MQTT broker, to whom the policy lets in. Once it listens it prints a line for each transport.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  coachwork serve\n  coachwork serve --simulator=7 --listen ws://127.0.0.1:0 --listen unix:/tmp/car.sock\n  coachwork serve car.toml\n  coachwork serve --check car.toml\n\nSIGHUP reads certificates, keys, policy and status lists anew; SIGTERM and Ctrl-C let peers go and stop."
)]
pub(crate) struct Serve {
    /// The config, in TOML.
    #[arg(value_name = "CONFIG")]
    file: Option<PathBuf>,
    /// The same by name.
    #[arg(long, value_name = "CONFIG", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// Only say whether the config is in order, and print it with everything that it leaves unsaid.
    #[arg(long)]
    check: bool,
    /// Serve a simulated car, with this seed.
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    simulator: Option<u32>,
    /// Listen here in place of what the config says: ws://IP:PORT, tcp://IP:PORT, unix:PATH. May be given again.
    #[arg(long, value_name = "URL")]
    listen: Vec<String>,
}

impl Serve {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let file = self.file.as_ref().or(self.config.as_ref());
        let config = match file {
            None => Config::default(),
            Some(path) => read(path)?,
        };
        let config = self.changed(config)?;
        let folder = file.and_then(|path| path.parent()).unwrap_or(Path::new(""));
        if self.check {
            return block_on(async { check(&config, folder) });
        }
        block_on(running::run(config, folder, file.is_none() && self.listen.is_empty()))
    }

    /// The config with what the command line says.
    fn changed(&self, mut config: Config) -> Result<Config, Failure> {
        if let Some(seed) = self.simulator {
            config.vehicle = config::Vehicle::default();
            config.vehicle.simulator = Some(Simulator { seed, ..Simulator::default() });
        }
        if !self.listen.is_empty() {
            config.listen = config::Listen::default();
        }
        for url in &self.listen {
            let address = |text: &str| text.parse().map_err(|why| failure(format_args!("{url}: {why}")));
            if let Some(text) = url.strip_prefix("ws://") {
                config.listen.websocket.push(WebSocket::on(address(text.trim_end_matches('/'))?));
            } else if let Some(text) = url.strip_prefix("tcp://") {
                let address = address(text)?;
                let (certificate, key, clients) = (None, None, None);
                config.listen.tcp.push(Tcp { address, certificate, key, clients, allow_plain_links: false });
            } else if let Some(path) = url.strip_prefix("unix:") {
                config.listen.unix.push(Unix { path: path.into() });
            } else {
                let why = "begins with none of ws://, tcp:// and unix:; certificates for wss:// and tcps:// are said in a config";
                return Err(failure(format_args!("{url} {why}")));
            }
        }
        let config = config.completed();
        // What was put together is checked as if it had been written so.
        let text = config.to_text().map_err(failure)?;
        Config::parse(&text).map_err(|why| failure(format_args!("{}: {}", why.key, why.why)))
    }
}

fn read(path: &Path) -> Result<Config, Failure> {
    let name = path.display();
    let fault = |why: &dyn std::fmt::Display| Failure::Message(format!("{name}: {why}"));
    let file = fs::File::open(path).map_err(|why| fault(&why))?;
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_CONFIG).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|why| fault(&why))?;
    let text = String::from_utf8(bytes).map_err(|why| {
        let line =
            why.as_bytes().iter().take(why.utf8_error().valid_up_to()).filter(|&&byte| byte == b'\n').count()
                + 1;
        Failure::Message(format!("{name}:{line}: it is not in UTF-8"))
    })?;
    Config::parse(&text).map_err(|why| {
        let separator = if why.line > 0 { ":" } else { ": " };
        Failure::Message(format!("{name}{separator}{why}"))
    })
}

/// Opens every file that the config names, and no transport and no bus.
fn check(config: &Config, folder: &Path) -> Result<(), Failure> {
    let clock = crate::live::clock()?;
    let built = car::build(&config.vehicle, folder, &clock, false)?;
    transports::certificates(&config.listen, folder)?;
    access::Access::open(config, folder, built.vehicle.clone(), clock)?;
    let text = config.to_text().map_err(failure)?;
    let signals = built.vehicle.catalogue().len();
    crate::tell(format_args!("in order: {} with {signals} signals", built.vehicle));
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(failure)
}

/// A file that a config names, which is meant from where the config is.
fn from(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path)
}
