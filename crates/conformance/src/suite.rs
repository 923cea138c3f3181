//! Runs clauses: each on a subject of its own, one alone or all in order.
//!
//! *Invariant:* a clause that does not finish fails; a suite whose every clause was skipped fails.
//! *Next:* `clauses.rs` and `links.rs` (the two tables of clauses).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::stage::{Runner, Stage, run};
use crate::verdict::{Failure, Ran, Report, Tally};

/// How long a clause may take on its stage's clock.
const LIMIT: Duration = Duration::from_secs(600);

/// One rule of the contract with the function that tries it; `T` is what it is tried on.
#[derive(Clone, Copy, Debug)]
pub struct Clause<T: 'static> {
    /// Its number in the contract: `V7`, `T3`.
    pub id: &'static str,
    /// The name of its test, without the leading `conformance_`.
    pub name: &'static str,
    pub(crate) run: fn(Arc<T>) -> Running,
}

pub(crate) type Running = Pin<Box<dyn Future<Output = Ran>>>;

impl<T: 'static> Clause<T> {
    /// Tries this clause alone, on what `make` puts on a new stage of `runner`.
    ///
    /// # Errors
    /// The clause is broken.
    pub fn run<Made>(&self, runner: &dyn Runner, make: impl FnOnce(Stage) -> Made + 'static) -> Ran
    where
        Made: Future<Output = T> + 'static,
    {
        let clause = self.run;
        run(runner, move |stage| {
            Box::pin(async move {
                let clock = stage.clock();
                let late = clock.sleep_until(clock.monotonic().saturating_add(LIMIT));
                let trial = Box::pin(async move { clause(Arc::new(make(stage).await)).await });
                match select(trial, late).await {
                    Either::Left((ran, _)) => ran,
                    Either::Right(_) => Err(Failure::new("the clause did not finish")),
                }
            })
        })
    }

    /// Tries this clause as one test of a suite: fails the test where the clause is broken, and with the last of `all` clauses where none of
    /// them was tried. A suite that the runner leaves out as a whole says so and passes.
    ///
    /// # Panics
    /// Where the test fails.
    #[expect(clippy::panic, clippy::print_stdout, reason = "it is the body of a test")]
    pub fn test<Made>(
        &self,
        all: usize,
        tally: &Tally,
        runner: &dyn Runner,
        make: impl FnOnce(Stage) -> Made + 'static,
    ) where
        Made: Future<Output = T> + 'static,
    {
        if let Some(why) = runner.left_out() {
            println!("{}: left out: {why}", self.name);
            return;
        }
        let ran = self.run(runner, make);
        if let Ok(verdict) = &ran {
            println!("{}: {verdict:?}", self.name);
        }
        if let Some(report) = tally.note(self.id, self.name, ran.clone(), all) {
            println!("{report}");
            let [passed, _, _, failed] = report.counts();
            assert!(passed + failed > 0, "no clause was tried at all:\n{report}");
        }
        if let Err(failure) = ran {
            panic!("{} is broken: {failure}", self.id);
        }
    }
}

/// Tries all of `clauses`, each on a stage of its own.
pub fn report<T, Made>(
    clauses: &[Clause<T>],
    runner: &dyn Runner,
    make: impl Fn(Stage) -> Made + Clone + 'static,
) -> Report
where
    Made: Future<Output = T> + 'static,
{
    let mut report = Report::default();
    for clause in clauses {
        report.add(clause.id, clause.name, clause.run(runner, make.clone()));
    }
    report
}
