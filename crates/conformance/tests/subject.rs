//! What the suite says of a subject that is not set up as it should be.
#![allow(clippy::unwrap_used, clippy::unused_async, missing_docs, reason = "tests")]

use coachwork_conformance::{
    Play, Report, Runner, Simulated, Stage, Subject, Verdict, vehicle, vehicle_report,
};
use coachwork_vehicle::{Catalogue, DataType, Entry, Facts, MemoryVehicle, Value};

const HEAT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling";

fn car(stage: &Stage) -> MemoryVehicle {
    let entries = [Entry::sensor("Vehicle.Speed", DataType::FLOAT), Entry::actuator(HEAT, DataType::INT8)];
    MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), stage.clock())
}

fn failure(report: &Report, clause: &str) -> String {
    let (_, ran) = report.iter().find(|(id, _)| *id == clause).unwrap();
    ran.as_ref().unwrap_err().to_string()
}

#[test]
fn a_name_that_leads_nowhere_fails_every_clause() {
    let values = || [Value::Int(20), Value::Int(60)];
    let right = vehicle_report(&Simulated, move |stage: Stage| async move {
        Subject::memory(car(&stage)).with_actuator(HEAT, values())
    });
    assert!(right.is_good(), "{right}");
    let actuator = vehicle_report(&Simulated, move |stage: Stage| async move {
        Subject::memory(car(&stage)).with_actuator("Vehicle.Heat", values())
    });
    assert_eq!(actuator.counts()[..3], [0, 0, 0], "{actuator}");
    let said = "with_actuator names Vehicle.Heat, which is not in the vehicle's catalogue";
    assert_eq!(failure(&actuator, "V1"), said);
    let probe = vehicle_report(&Simulated, move |stage: Stage| async move {
        Subject::memory(car(&stage)).with_probe("Vehicle.Sped", values())
    });
    assert_eq!(
        failure(&probe, "V7"),
        "with_probe names Vehicle.Sped, which is not in the vehicle's catalogue"
    );
}

#[test]
fn a_vehicle_that_nobody_drives_is_told_from_a_wrong_one() {
    // What is reported goes nowhere.
    let idle = vehicle_report(&Simulated, |stage: Stage| async move {
        Subject::new(car(&stage)).with_reports(|_| Ok(()))
    });
    let hint =
        "(no signal has ever been set: is the driver spawned on the stage, and does its source answer?)";
    assert!(failure(&idle, "V7").ends_with(hint), "{idle}");
    let link =
        vehicle_report(
            &Simulated,
            |stage: Stage| async move { Subject::memory(car(&stage)).with_link(|_| ()) },
        );
    assert!(!failure(&link, "V44").contains(hint), "{link}");
    let silent = vehicle_report(&Simulated, |stage: Stage| async move { Subject::new(car(&stage)) });
    let (_, ran) = silent.iter().find(|(id, _)| *id == "V6").unwrap();
    assert!(matches!(ran, Ok(Verdict::Skipped(why)) if why.contains("first reports")), "{silent}");
}

/// A runner that has nothing to run on.
struct Nowhere;

impl Runner for Nowhere {
    fn run(&self, _: Box<dyn FnOnce(Stage) -> Play>) {}

    fn left_out(&self) -> Option<String> {
        Some("there is no broker".to_owned())
    }
}

/// A runner that does not run what it is given, and does not say why.
struct Idle;

impl Runner for Idle {
    fn run(&self, _: Box<dyn FnOnce(Stage) -> Play>) {}
}

async fn reported(stage: Stage) -> Subject {
    Subject::memory(car(&stage))
}

// Each test of this suite passes, and says that it was left out.
vehicle!(reported, mod left_out, on Nowhere);

#[test]
fn what_is_not_run_and_not_left_out_fails() {
    let run = std::panic::catch_unwind(|| vehicle_report(&Idle, reported));
    let why = run.unwrap_err();
    assert_eq!(why.downcast_ref::<String>().unwrap(), "the runner returned before its play was done");
}
