#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

pub mod clauses;
pub mod model;
mod sample;
mod stage;
mod subject;
mod suite;
mod trial;
mod verdict;
pub mod wire;

pub use stage::{Play, Runner, Simulated, Stage, Task};
pub use subject::Subject;
pub use suite::{Clause, report};
pub use trial::Trial;
pub use verdict::{Failure, Ran, Report, Tally, Verdict};
pub use wire::{Ends, Wire};

/// Tries all clauses that concern a vehicle, each on what `make` puts on a new stage, and returns the table.
pub fn vehicle_report<Made>(runner: &dyn Runner, make: impl Fn(Stage) -> Made + Clone + 'static) -> Report
where
    Made: Future<Output = Subject> + 'static,
{
    report(clauses::VEHICLE, runner, on_stage(make))
}

/// Tries all clauses that concern a transport, each on two ends that `make` connects on a new stage, and returns the table.
pub fn transport_report<Made>(runner: &dyn Runner, make: impl Fn(Stage) -> Made + Clone + 'static) -> Report
where
    Made: Future<Output = Ends> + 'static,
{
    report(wire::TRANSPORT, runner, on_wire(make))
}

/// Turns a maker of ends into one of wires.
#[doc(hidden)]
pub fn on_wire<Made>(
    make: impl Fn(Stage) -> Made + Clone + 'static,
) -> impl Fn(Stage) -> std::pin::Pin<Box<dyn Future<Output = Wire>>> + Clone + 'static
where
    Made: Future<Output = Ends> + 'static,
{
    move |stage| {
        let ends = make(stage.clone());
        Box::pin(async move { Wire::new(ends.await, stage) })
    }
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
        $crate::__vehicle_clauses! { ($crate::__tests) VEHICLE, $crate::clauses, $crate::on_stage, $make, $module, $runner }
    };
}

/// One test for each clause that concerns a transport, in a module `conformance` or of a name that you give.
///
/// `make` is an `async fn(Stage) -> Ends`; the tests run on [`Simulated`] time, or `on` a [`Runner`] of your own.
///
/// ```ignore
/// coachwork_conformance::transport!(two_ends);
/// coachwork_conformance::transport!(two_ends_over_tcp, mod tcp, on Tokio);
/// ```
#[macro_export]
macro_rules! transport {
    ($make:path) => {
        $crate::transport!($make, mod conformance, on $crate::Simulated);
    };
    ($make:path, mod $module:ident) => {
        $crate::transport!($make, mod $module, on $crate::Simulated);
    };
    ($make:path, mod $module:ident, on $runner:expr) => {
        $crate::__transport_clauses! { ($crate::__tests) TRANSPORT, $crate::wire, $crate::on_wire, $make, $module, $runner }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    (($table:ident, $home:path, $on:path, $make:path, $module:ident, $runner:expr) $($part:ident $id:ident $name:ident,)*) => {
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
                        use $home as home;
                        let clauses = home::$table;
                        let clause = clauses.iter().find(|clause| clause.id == stringify!($id));
                        let clause = clause.expect("every clause of the macro is in the table");
                        clause.test(clauses.len(), &super::TALLY, &$runner, $on($make));
                    }
                )*
            }
        }
    };
}
