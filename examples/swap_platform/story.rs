//! What happened, for a person: a few aligned lines for each platform, and at the end what was the same.

use std::time::Duration;

use crate::app::{FAST, Seat, Seen};

/// The two runs of the app on one platform.
pub(crate) struct Runs {
    pub(crate) platform: String,
    pub(crate) without: Seen,
    pub(crate) with: Seen,
    /// What the platform has to say of itself.
    pub(crate) note: Option<String>,
}

impl Runs {
    pub(crate) fn tell(&self, number: usize) {
        let Seen { looks, fast_after, dashboard, .. } = &self.without;
        println!("{number}  {}", self.platform);
        let fast = match fast_after {
            Some(after) => format!("above {FAST} km/h after {}", seconds(*after)),
            None => format!("never above {FAST} km/h"),
        };
        line("watched", &format!("the speed, {looks} times: {fast}"));
        line("speed", &dashboard.speed);
        line(dashboard.energy.0, &dashboard.energy.1);
        line("doors", &dashboard.doors);
        line("no grant", &self.without.seat.to_string());
        line("grant", &self.with.seat.to_string());
        if let Some(note) = &self.note {
            line("the log", note);
        }
        println!();
    }
}

/// What all runs had in common, and what not.
pub(crate) fn sum_up(all: &[Runs]) {
    let count = all.len();
    println!("The same on all {count}");
    line("the app", &format!("one function, {} runs; no line of it knows its platform", 2 * count));
    let drives: Vec<_> =
        all.iter().flat_map(|runs| [runs.without.fast_after, runs.with.fast_after]).collect();
    let fast: Vec<_> = drives.iter().flatten().copied().collect();
    if let (Some(first), Some(last)) = (fast.iter().min(), fast.iter().max()) {
        let (runs, of) = (fast.len(), drives.len());
        let text = format!(
            "above {FAST} km/h after {} to {} in {runs} of {of} runs",
            seconds(*first),
            seconds(*last)
        );
        line("the drive", &text);
    }
    let cold: Vec<_> = all.iter().filter_map(|runs| runs.without.seat.reason()).collect();
    if cold.len() == count {
        line("no grant", "the seat stays cold, and the app says why");
    }
    let warm = all.iter().filter(|runs| matches!(runs.with.seat, Seat::Warm(_))).count();
    println!("Not the same");
    line("grant", &format!("on {warm} of {count} the seat is warm, and the receipt says since when"));
    for runs in all {
        if let Some(why) = runs.with.seat.reason() {
            line("", &format!("{}: {why}", runs.platform));
        }
    }
    line("a log", "is past: the app runs on it, and nothing in it moves");
}

impl Seat {
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Cold(why) => Some(why),
            Self::NotAsked | Self::Warm(_) => None,
        }
    }
}

impl std::fmt::Display for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAsked => f.write_str("the seat was not asked"),
            Self::Warm(after) => {
                write!(f, "the seat is warm: confirmed {} after it was asked", seconds(*after))
            }
            Self::Cold(why) => write!(f, "the seat stays cold: {why}"),
        }
    }
}

fn line(name: &str, text: &str) {
    println!("   {name:<10} {text}");
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
