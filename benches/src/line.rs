//! One line of the table: what was measured, beside whom, and whether that is enough.
//!
//! *Invariant:* a line that was not measured says so; it is neither `ok` nor `short`.
//! *Next:* `bin/budgets/main.rs` (prints them).

use std::fmt;

use crate::rounds::Paired;

/// What has to be reached.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// The ratio to the rival, at most.
    Ratio(f64),
    /// So many times faster than the rival, at least.
    Times(f64),
    /// Our figure itself, at most.
    Figure(f64),
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    name: String,
    measured: Result<Paired, String>,
    budget: Budget,
}

impl Line {
    /// What was measured.
    pub fn new(name: impl Into<String>, measured: Paired, budget: Budget) -> Self {
        Self { name: name.into(), measured: Ok(measured), budget }
    }

    /// A figure without a rival.
    pub fn alone(name: impl Into<String>, ours: f64, budget: Budget) -> Self {
        Self::new(name, Paired { ours, rival: f64::NAN, ratio: f64::NAN }, budget)
    }

    /// What could not be measured, and why.
    pub fn missing(name: impl Into<String>, why: impl Into<String>, budget: Budget) -> Self {
        Self { name: name.into(), measured: Err(why.into()), budget }
    }

    /// Whether the budget is met; `None` where nothing was measured.
    pub fn is_met(&self) -> Option<bool> {
        let measured = self.measured.as_ref().ok()?;
        Some(match self.budget {
            Budget::Ratio(most) => measured.ratio <= most,
            Budget::Times(least) => measured.ratio <= 1.0 / least,
            Budget::Figure(most) => measured.ours <= most,
        })
    }

    /// The titles of the columns.
    pub const HEADER: &'static str = "name                                                     ours       rival      ratio     budget  verdict";
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let budget = match self.budget {
            Budget::Ratio(most) | Budget::Figure(most) => format!("<= {most:.2}"),
            Budget::Times(least) => format!("{least:.0} x"),
        };
        let measured = match &self.measured {
            Ok(measured) => measured,
            Err(why) => {
                return write!(
                    f,
                    "{:<50} {:>10} {:>11} {:>10} {budget:>10}  not measured: {why}",
                    self.name, "-", "-", "-"
                );
            }
        };
        let number = |value: f64, digits: usize| {
            if value.is_nan() { "-".to_string() } else { format!("{value:.digits$}") }
        };
        let ratio = match self.budget {
            Budget::Times(_) => format!("{:.1} x", 1.0 / measured.ratio),
            _ => number(measured.ratio, 2),
        };
        let verdict = if self.is_met() == Some(true) { "ok" } else { "short" };
        let (ours, rival) = (number(measured.ours, 2), number(measured.rival, 2));
        write!(f, "{:<50} {ours:>10} {rival:>11} {ratio:>10} {budget:>10}  {verdict}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let paired = Paired { ours: 2.0, rival: 8.0, ratio: 0.25 };
        let met = |budget| Line::new("x", paired, budget).is_met();
        assert_eq!(met(Budget::Ratio(0.25)), Some(true));
        assert_eq!(met(Budget::Ratio(0.24)), Some(false));
        assert_eq!(met(Budget::Times(4.0)), Some(true));
        assert_eq!(met(Budget::Times(5.0)), Some(false));
        assert_eq!(met(Budget::Figure(2.0)), Some(true));
        assert_eq!(met(Budget::Figure(1.9)), Some(false));
        assert_eq!(Line::alone("x", 1.0, Budget::Ratio(2.0)).is_met(), Some(false));
        let missing = Line::missing("x", "no rival", Budget::Ratio(1.0));
        assert_eq!(missing.is_met(), None);
        assert!(missing.to_string().ends_with("not measured: no rival"));
    }
}
