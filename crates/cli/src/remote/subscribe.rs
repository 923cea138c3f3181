//! `coachwork subscribe`: what signals say, as they say it, until it is told to stop.
//!
//! *Invariant:* what is missing is said where it is missing. A lost link is made anew by itself; a token that changes in its file is shown on the link that
//! stands, or on a new one where something was denied before, and then present values come again.
//! *Next:* `print.rs`.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use clap::Args;
use coachwork_client::Link;
use coachwork_vehicle::{
    ErrorKind, Event, Filter, Permission, Subscribe as Wish, Subscription, Vehicle as _,
};
use serde_json::json;

use super::print::{error_json, point_json, state_text};
use super::{Car, Where, refused, seconds, select, status};
use crate::live::{Stop, block_on, failure};
use crate::serve::watched::Watched;
use crate::{Failure, Format, tell};

/// How often the token's file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait before a vehicle that has ended is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Subscribe to signals, and print what they say.
///
/// The present values come first. By default every update of a slow reader's latest; with --queue, all updates up to that many unread.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  coachwork subscribe Vehicle.Speed\n  coachwork subscribe 'Vehicle.Cabin.Door.**' --on-change --format json\n  coachwork subscribe Vehicle.Speed --on-change=0.5 --at-most-every 1 --range 0,130 --for 60\n\nCtrl-C ends it with exit status 0; 1 where nothing can be subscribed to, 3 where everything is denied, 4 where nobody answers."
)]
pub(crate) struct Subscribe {
    /// Paths, branches or patterns.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    /// Only what differs from what came last; of numbers, by more than this.
    #[arg(long, value_name = "DEADBAND", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    on_change: Option<f64>,
    /// At most one update in this time, the last one always.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    at_most_every: Option<Duration>,
    /// The present state once in this time, changed or not.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "at_most_every")]
    every: Option<Duration>,
    /// Only numbers within these bounds.
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    range: Option<(f64, f64)>,
    /// Every update, up to this many unread ones; then the oldest are lost, and that is said.
    #[arg(long, value_name = "COUNT")]
    queue: Option<usize>,
    /// Fail where one of the signals is refused.
    #[arg(long)]
    strict: bool,
    /// Stop after this many datapoints.
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// Stop after this many seconds.
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    time: Option<Duration>,
    #[command(flatten)]
    at: Where,
}

fn range(text: &str) -> Result<(f64, f64), String> {
    let bounds = text
        .split_once(',')
        .and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
    bounds.ok_or_else(|| format!("{text:?} is no LOW,HIGH"))
}

/// What ends the printing of one subscription.
enum Pause {
    /// All is said that was asked for.
    Done,
    /// The token is another.
    Token,
    /// The vehicle has ended it, for this reason; `true` where no right is left.
    Ended(String, bool),
}

impl Subscribe {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        block_on(async {
            let stop = Stop::new(self.time);
            let mut left = self.count.unwrap_or(u64::MAX);
            match stop.or(self.follow(&mut left)).await {
                Ok(outcome) => outcome,
                // Told to stop, or the time is over.
                Err(_) => Ok(()),
            }
        })
    }

    async fn follow(&self, left: &mut u64) -> Result<(), Failure> {
        let mut token = Watched::new(self.at.token_file());
        let mut first = true;
        loop {
            let begun = async {
                let car = self.at.connect().await?;
                let watch = self.subscribe(&car).await?;
                Ok::<_, coachwork_vehicle::Error>((car, watch))
            };
            let (car, mut watch) = match begun.await {
                Ok(begun) => begun,
                Err(why) if first => return Err(refused(&why)),
                Err(why) => {
                    self.note(&json!({ "link": "down", "reason": why.message() }), &why.to_string())?;
                    if !self.may_help(&why) {
                        return Err(Failure::Status(status(why.kind())));
                    }
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            self.say_refused(&watch, first)?;
            first = false;
            match self.pump(&car, &mut watch, left, &mut token).await? {
                Pause::Done => return Ok(()),
                Pause::Token => {
                    self.note(&json!({ "token": "changed" }), "the token is another: connecting anew")?;
                }
                Pause::Ended(why, denied) => {
                    self.note(&json!({ "ended": why }), &format!("ended: {why}"))?;
                    if denied && self.at.token_file().is_none() {
                        return Err(Failure::Status(3));
                    }
                    if car.client.is_none() {
                        return Ok(());
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Whether to try again after this.
    fn may_help(&self, why: &coachwork_vehicle::Error) -> bool {
        let denied = why.kind() == ErrorKind::Denied;
        !denied || self.at.token_file().is_some()
    }

    async fn subscribe(&self, car: &Car) -> Result<Subscription, coachwork_vehicle::Error> {
        let catalogue = car.vehicle.catalogue();
        let (signals, unknown) = select(&catalogue, &self.paths);
        if let Some(error) = unknown.first().filter(|_| self.strict || signals.is_empty()) {
            return Err(error.clone());
        }
        let mut filter = Filter::new();
        filter.change = self.on_change;
        filter.at_most_every = self.at_most_every;
        filter.every = self.every;
        filter.range = self.range;
        let mut wish = signals.into_iter().fold(Wish::to([]), |wish, signal| wish.and(signal, filter));
        if let Some(bound) = self.queue {
            wish = wish.queue(bound);
        }
        if self.strict {
            wish = wish.strict();
        }
        let mut watch = car.vehicle.subscribe(wish).await?;
        for error in unknown {
            watch.refuse(error.path().unwrap_or_default().to_owned(), error.clone());
        }
        Ok(watch)
    }

    /// Says what it does not cover. Fails where that is everything.
    fn say_refused(&self, watch: &Subscription, first: bool) -> Result<(), Failure> {
        let mut worst = 0;
        for (path, error) in watch.refused() {
            worst = worst.max(status(error.kind()));
            self.note(&error_json(path, error), &format!("{path}: {}", error.message()))?;
        }
        let denied = watch.refused().filter(|(_, error)| error.kind() == ErrorKind::Denied).count();
        if first && watch.granted().len() <= denied { Err(Failure::Status(worst)) } else { Ok(()) }
    }

    /// Prints what comes until something ends it.
    async fn pump(
        &self,
        car: &Car,
        watch: &mut Subscription,
        left: &mut u64,
        token: &mut Watched,
    ) -> Result<Pause, Failure> {
        let mut look = tokio::time::interval(LOOK);
        let mut link = Link::Up;
        // Whether there is something that another token might open.
        let mut denied: HashSet<String> = watch.refused().map(|(path, _)| path.to_owned()).collect();
        loop {
            let moved = async {
                match &car.client {
                    Some(client) => client.link_other_than(link.clone()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = watch.next() => match event {
                    None => return Ok(Pause::Ended("nothing more comes".to_owned(), false)),
                    Some(Event::Ended(why)) => {
                        let denied = why.kind() == coachwork_vehicle::ReasonKind::Denied;
                        return Ok(Pause::Ended(why.to_string(), denied));
                    }
                    Some(event) => {
                        if let Event::Access(changes) = &event {
                            for (signal, read) in changes {
                                let path = watch.path(*signal).to_owned();
                                if *read == Permission::Yes { denied.remove(&path) } else { denied.insert(path) };
                            }
                        }
                        self.print(watch, event, left)?;
                        if *left == 0 {
                            return Ok(Pause::Done);
                        }
                    }
                },
                now = moved => {
                    let state = match &now {
                        Link::Up => json!({ "link": "up" }),
                        Link::Down { reason, .. } => json!({ "link": "down", "reason": reason.to_string() }),
                        Link::Ended(reason) => json!({ "link": "ended", "reason": reason.to_string() }),
                        _ => json!({ "link": now.to_string() }),
                    };
                    self.note(&state, &format!("the link is {now}"))?;
                    if let Link::Ended(why) = &now {
                        let denied = why.kind() == coachwork_vehicle::ReasonKind::Denied;
                        return Ok(Pause::Ended(why.to_string(), denied));
                    }
                    link = now;
                }
                _ = look.tick() => {
                    if token.has_changed() {
                        if !denied.is_empty() {
                            return Ok(Pause::Token);
                        }
                        self.note(&json!({ "token": "changed" }), "the token is another")?;
                    }
                }
            }
        }
    }

    fn print(&self, watch: &Subscription, event: Event, left: &mut u64) -> Result<(), Failure> {
        let catalogue = watch.catalogue();
        match event {
            Event::Changed(points) => {
                let mut text = String::new();
                for (signal, point) in points.iter() {
                    if *left == 0 {
                        break;
                    }
                    *left -= 1;
                    match self.at.format {
                        Format::Jsonl => text += &point_json(catalogue, signal, point).to_string(),
                        Format::Text => {
                            let state = state_text(catalogue, signal, point);
                            let _ = write!(text, "{}  {}  {state}", point.source, watch.path(signal));
                        }
                    }
                    text.push('\n');
                }
                print(&text)
            }
            Event::Lagged(count) => {
                self.note(&json!({ "lagged": count }), &format!("{count} datapoints are missing here"))
            }
            Event::Access(changes) => changes.iter().try_for_each(|(signal, read)| {
                let path = watch.path(*signal);
                let (right, why) = match read {
                    Permission::Yes => ("yes", "may be read again".to_owned()),
                    Permission::No => ("no", "may not be read any more".to_owned()),
                    Permission::Denied(why) => ("denied", format!("may not be read any more: {why}")),
                };
                self.note(&json!({ "access": right, "path": path, "message": why }), &format!("{path} {why}"))
            }),
            _ => Ok(()),
        }
    }

    /// Says what is no datapoint: among the objects, or to people beside them.
    fn note(&self, object: &serde_json::Value, text: &str) -> Result<(), Failure> {
        match self.at.format {
            Format::Text => {
                tell(text);
                Ok(())
            }
            Format::Jsonl => print(&format!("{object}\n")),
        }
    }
}

/// Writes at once, for whoever waits for it.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(why) if why.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::Unread),
        Err(why) => Err(failure(why)),
    }
}
