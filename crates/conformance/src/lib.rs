#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

pub mod clauses;
mod sample;
mod stage;
mod subject;
mod suite;
mod trial;
mod verdict;

pub use stage::{Play, Runner, Simulated, Stage, Task};
pub use subject::Subject;
pub use suite::{Clause, report};
pub use trial::Trial;
pub use verdict::{Failure, Ran, Report, Tally, Verdict};

/// Tries all clauses that concern a vehicle, each on what `make` puts on a new stage, and returns the table.
pub fn vehicle_report<Made>(runner: &dyn Runner, make: impl Fn(Stage) -> Made + Clone + 'static) -> Report
where
    Made: Future<Output = Subject> + 'static,
{
    report(clauses::VEHICLE, runner, on_stage(make))
}

/// Turns a maker of subjects into one of trials.
#[doc(hidden)]
pub fn on_stage<Made>(
    make: impl Fn(Stage) -> Made + Clone + 'static,
) -> impl Fn(Stage) -> std::pin::Pin<Box<dyn Future<Output = Trial>>> + Clone + 'static
where
    Made: Future<Output = Subject> + 'static,
{
    move |stage| {
        let subject = make(stage.clone());
        Box::pin(async move { Trial::new(subject.await, stage) })
    }
}

/// One test for each clause that concerns a vehicle, in a module `conformance` or of a name that you give.
///
/// `make` is an `async fn(Stage) -> Subject`; the tests run on [`Simulated`] time, or `on` a [`Runner`] of your own.
///
/// ```ignore
/// coachwork_conformance::vehicle!(my_car);
/// coachwork_conformance::vehicle!(my_car_over_tcp, mod tcp, on Tokio);
/// ```
#[macro_export]
macro_rules! vehicle {
    ($make:path) => {
        $crate::vehicle!($make, mod conformance, on $crate::Simulated);
    };
    ($make:path, mod $module:ident) => {
        $crate::vehicle!($make, mod $module, on $crate::Simulated);
    };
    ($make:path, mod $module:ident, on $runner:expr) => {
        $crate::__vehicle_clauses! { ($crate::__vehicle_tests) $make, $module, $runner }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __vehicle_tests {
    (($make:path, $module:ident, $runner:expr) $($part:ident $id:ident $name:ident,)*) => {
        mod $module {
            #[allow(unused_imports, reason = "what the arguments name may be there")]
            use super::*;

            static TALLY: $crate::Tally = $crate::Tally::new();

            mod conformance {
                #[allow(unused_imports, reason = "what the arguments name may be there")]
                use super::super::*;

                $(
                    #[test]
                    fn $name() {
                        let clauses = $crate::clauses::VEHICLE;
                        let clause = clauses.iter().find(|clause| clause.id == stringify!($id));
                        let clause = clause.expect("every clause of the macro is in the table");
                        clause.test(clauses.len(), &super::TALLY, &$runner, $crate::on_stage($make));
                    }
                )*
            }
        }
    };
}
