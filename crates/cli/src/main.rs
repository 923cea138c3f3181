//! The tool `coachwork`: the command line becomes a call, and its outcome an exit status.
//!
//! *Invariant:* results go to standard output, everything else to standard error; 0 is success, 1 a failure or bad input, 2 a wrong
//! command line, 3 a refusal by a vehicle, 4 that nobody answered; a reader that goes away (`| head`) ends it quietly.
//! *Next:* `decode.rs`, `convert.rs`, `dump.rs`, `lint.rs`, `diff.rs`, `tree.rs`, `record.rs`, `replay.rs`, `grant.rs`, `serve.rs`, `remote.rs` (the commands),
//! `database.rs`, `input.rs`, `live.rs`, `number.rs`, `output.rs` (what they share).

mod convert;
mod database;
mod decode;
mod diff;
mod dump;
mod grant;
mod grant_car;
mod grant_sell;
mod input;
mod lint;
mod live;
mod number;
mod output;
mod record;
mod remote;
mod replay;
mod serve;
mod tree;

use clap::{Parser, Subcommand, ValueEnum};
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// Look at logs, buses and databases; serve a vehicle, and talk to one.
#[derive(Debug, Parser)]
#[command(name = "coachwork", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Convert(convert::Convert),
    Decode(decode::Decode),
    Diff(diff::Compare),
    Dump(dump::Dump),
    Get(remote::get::Get),
    Grant(grant::Grant),
    History(remote::history::History),
    Lint(lint::Lint),
    Metadata(remote::metadata::Metadata),
    Record(record::Record),
    Replay(replay::Replay),
    Serve(serve::Serve),
    Set(remote::set::Set),
    Subscribe(remote::subscribe::Subscribe),
    Tree(tree::Tree),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    #[value(alias = "json")]
    Jsonl,
}

/// Why a command fails.
#[derive(Debug)]
enum Failure {
    /// What is wrong, for standard error.
    Message(String),
    /// It has said what is wrong already, and went on.
    Told,
    /// Nobody reads the output any more.
    Unread,
    /// It has said what is wrong, which has an exit status of its own.
    Status(u8),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => f.write_str(message),
            Self::Told | Self::Unread | Self::Status(_) => Ok(()),
        }
    }
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Convert(convert) => convert.run(),
        Command::Decode(decode) => decode.run(),
        Command::Diff(diff) => diff.run(),
        Command::Dump(dump) => dump.run(),
        Command::Get(get) => get.run(),
        Command::Grant(grant) => grant.run(),
        Command::History(history) => history.run(),
        Command::Lint(lint) => lint.run(),
        Command::Metadata(metadata) => metadata.run(),
        Command::Record(record) => record.run(),
        Command::Replay(replay) => replay.run(),
        Command::Serve(serve) => serve.run(),
        Command::Set(set) => set.run(),
        Command::Subscribe(subscribe) => subscribe.run(),
        Command::Tree(tree) => tree.run(),
    };
    match outcome {
        Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(Failure::Status(status)) => ExitCode::from(status),
        Err(failure) => {
            tell(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Tells people something, on standard error; where that is gone, nobody wants to know.
fn tell(what: impl fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "coachwork: {what}");
}
