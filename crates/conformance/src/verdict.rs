//! What became of a clause, and the table of all of them.
//!
//! *Invariant:* a skip carries its reason and is counted; a report in which nothing was tried is a failure.
//! *Next:* `suite.rs` (which fills it).

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use coachwork_vehicle::Error;

/// A clause that was not broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was tried and held.
    Passed,
    /// The vehicle declares that it cannot do this, and refuses it as the contract says.
    Refused(Cow<'static, str>),
    /// There is nothing to try it on, or the subject has no means to.
    Skipped(Cow<'static, str>),
}

/// A clause that was broken: what was expected and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

/// What a clause returns.
pub type Ran = Result<Verdict, Failure>;

impl Failure {
    /// A failure in words.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("the vehicle answered {error:?}"))
    }
}

/// The verdicts of a suite, by clause.
#[derive(Clone, Debug, Default)]
pub struct Report(Vec<(&'static str, &'static str, Ran)>);

impl Report {
    /// Adds what became of a clause.
    pub fn add(&mut self, id: &'static str, name: &'static str, ran: Ran) {
        self.0.push((id, name, ran));
    }

    /// Each clause with what became of it.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Ran)> {
        self.0.iter().map(|(id, _, ran)| (*id, ran))
    }

    /// How many clauses passed, were refused as declared, were skipped, and failed.
    pub fn counts(&self) -> [usize; 4] {
        self.0.iter().fold([0; 4], |[passed, refused, skipped, failed], (_, _, ran)| match ran {
            Ok(Verdict::Passed) => [passed + 1, refused, skipped, failed],
            Ok(Verdict::Refused(_)) => [passed, refused + 1, skipped, failed],
            Ok(Verdict::Skipped(_)) => [passed, refused, skipped + 1, failed],
            Err(_) => [passed, refused, skipped, failed + 1],
        })
    }

    /// The ids of the clauses that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.0.iter().filter(|(_, _, ran)| ran.is_err()).map(|(id, _, _)| *id).collect()
    }

    /// Whether something was tried and nothing failed.
    pub fn is_good(&self) -> bool {
        let [passed, _, _, failed] = self.counts();
        passed > 0 && failed == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(_, name, _)| name.len()).max().unwrap_or(0);
        for (_, name, ran) in &self.0 {
            match ran {
                Ok(Verdict::Passed) => writeln!(f, "{name:width$}  passed")?,
                Ok(Verdict::Refused(why)) => writeln!(f, "{name:width$}  refused as declared: {why}")?,
                Ok(Verdict::Skipped(why)) => writeln!(f, "{name:width$}  skipped: {why}")?,
                Err(failure) => writeln!(f, "{name:width$}  FAILED: {failure}")?,
            }
        }
        let [passed, refused, skipped, failed] = self.counts();
        write!(f, "{passed} passed, {refused} refused as declared, {skipped} skipped, {failed} failed")
    }
}

/// Gathers the verdicts of a suite whose clauses run as tests of their own, in any order and at once.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Report>);

impl Tally {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Report(Vec::new())))
    }

    /// Notes a verdict; returns the whole report with the last of `all` clauses.
    pub(crate) fn note(&self, id: &'static str, name: &'static str, ran: Ran, all: usize) -> Option<Report> {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report.add(id, name, ran);
        (report.0.len() == all).then(|| report.clone())
    }
}
