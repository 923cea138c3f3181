//! The suite on vehicles that are made of several: merged, standing in for each other, in each other, and far away.
#![allow(clippy::unwrap_used, reason = "tests")]

mod stand;

use std::sync::Arc;

use coachwork_conformance::{Stage, Subject, vehicle};
use coachwork_vehicle::{
    Catalogue, DataType, Datapoint, Entry, Facts, Failover, MemoryVehicle, Merged, Permission, Reason,
    ReasonKind, Vehicle,
};
use stand::{behind_memory_switch, can, catalogue, entitled, in_memory, recorded, simulator};

/// Something beside the car, with a path that the car has too.
fn trailer(stage: &Stage) -> Arc<dyn Vehicle> {
    let entries = [
        Entry::sensor("Vehicle.Trailer.Load", DataType::FLOAT),
        Entry::sensor("Vehicle.Length", DataType::UINT8),
    ];
    let tree = Catalogue::new(entries, Facts::default()).unwrap();
    Arc::new(MemoryVehicle::new(tree, stage.clock()))
}

/// A vehicle with the same tree that says nothing.
fn mute(stage: &Stage) -> Arc<dyn Vehicle> {
    Arc::new(MemoryVehicle::new(catalogue(true), stage.clock()))
}

async fn merged(stage: Stage) -> Subject {
    let subject = in_memory(stage.clone()).await;
    let parts = [subject.vehicle().clone(), trailer(&stage), mute(&stage)];
    subject.over(Merged::new(parts, stage.clock()).unwrap())
}

async fn merged_alone(stage: Stage) -> Subject {
    let subject = in_memory(stage.clone()).await;
    let parts = [subject.vehicle().clone()];
    subject.over(Merged::new(parts, stage.clock()).unwrap())
}

async fn halves(stage: Stage) -> Subject {
    half_and_half(&stage, false)
}

async fn halves_turned(stage: Stage) -> Subject {
    half_and_half(&stage, true)
}

/// Each part has a half of the tree, and both report.
fn half_and_half(stage: &Stage, turned: bool) -> Subject {
    let whole = catalogue(true);
    let half = |odd: bool| {
        let of = |(row, _): &(usize, _)| (row % 2 == 1) == odd;
        let entries = whole.iter().enumerate().filter(of).map(|(_, (_, entry))| entry.clone());
        MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), stage.clock())
    };
    let (a, b) = (half(turned), half(!turned));
    let car = Merged::new([Arc::new(a.clone()) as _, Arc::new(b.clone()) as _], stage.clock()).unwrap();
    let (governed, clock) = ([a.clone(), b.clone()], stage.clock());
    Subject::new(car)
        .with_reports(move |points| {
            let point = |state: &coachwork_vehicle::State| Datapoint::new(state.clone(), clock.now());
            for part in [&a, &b] {
                let known = part.board().catalogue();
                let mine = points.iter().filter(|(path, _)| known.id(path).is_some());
                let mine: Vec<_> = mine.map(|(path, state)| (*path, point(state))).collect();
                part.publish(&mine)?;
            }
            Ok(())
        })
        .with_rights(move |path: &str, read: Permission| {
            for part in &governed {
                if let Some(signal) = part.board().catalogue().id(path) {
                    part.board().restrict(|id, now| {
                        let mut access = now.clone();
                        if id == signal {
                            access.read = read.clone();
                        }
                        access
                    });
                }
            }
        })
}

async fn merged_simulator(stage: Stage) -> Subject {
    let subject = simulator(stage.clone()).await;
    let parts = [trailer(&stage), subject.vehicle().clone()];
    subject.over(Merged::new(parts, stage.clock()).unwrap())
}

async fn merged_grants(stage: Stage) -> Subject {
    let subject = entitled(stage.clone()).await;
    let parts = [subject.vehicle().clone(), trailer(&stage)];
    subject.over(Merged::new(parts, stage.clock()).unwrap())
}

async fn merged_far(stage: Stage) -> Subject {
    let subject = behind_memory_switch(&stage, in_memory(stage.clone()).await).await;
    let parts = [subject.vehicle().clone(), trailer(&stage)];
    subject.over(Merged::new(parts, stage.clock()).unwrap())
}

async fn far_merged(stage: Stage) -> Subject {
    behind_memory_switch(&stage, halves_turned(stage.clone()).await).await
}

async fn first_of_two(stage: Stage) -> Subject {
    let memory = || MemoryVehicle::new(catalogue(true), stage.clock());
    let (first, second) = (memory(), memory());
    let parts = [Arc::new(first.clone()) as _, Arc::new(second.clone()) as _];
    let car = Failover::new(parts, stage.clock()).unwrap();
    Subject::memory(first.clone()).over(car).with_end(taken_down([first, second]))
}

/// The end of all parts, before which the whole does not end.
fn taken_down(parts: [MemoryVehicle; 2]) -> impl Fn() {
    move || {
        for part in &parts {
            part.board().end(&Reason::because(ReasonKind::Ended, "taken down"));
        }
    }
}

async fn both_of_two(stage: Stage) -> Subject {
    let (a, b) = (
        MemoryVehicle::new(catalogue(true), stage.clock()),
        MemoryVehicle::new(catalogue(true), stage.clock()),
    );
    let subject = Subject::memory(a.clone());
    let parts = [Arc::new(a.clone()) as _, Arc::new(b.clone()) as _];
    let (clock, car) = (stage.clock(), Failover::new(parts, stage.clock()).unwrap());
    let subject = subject.over(car).with_end(taken_down([a.clone(), b.clone()]));
    subject.with_reports(move |points| {
        let point = |state: &coachwork_vehicle::State| Datapoint::new(state.clone(), clock.now());
        let points: Vec<_> = points.iter().map(|(path, state)| (*path, point(state))).collect();
        b.publish(&points)?;
        a.publish(&points)
    })
}

/// Only the second has anything to say; the rights are the first one's.
async fn second_of_two(stage: Stage) -> Subject {
    let memory = || MemoryVehicle::new(catalogue(true), stage.clock());
    let (first, second) = (memory(), memory());
    let subject = Subject::memory(second.clone()).with_end(taken_down([first.clone(), second.clone()]));
    let parts = [Arc::new(first.clone()) as _, Arc::new(second) as _];
    let govern = move |path: &str, read: Permission| {
        let signal = first.board().catalogue().id(path);
        first.board().restrict(|id, now| {
            let mut access = now.clone();
            if Some(id) == signal {
                access.read = read.clone();
            }
            access
        });
    };
    subject.over(Failover::new(parts, stage.clock()).unwrap()).with_rights(govern)
}

async fn failover_far(stage: Stage) -> Subject {
    let subject = behind_memory_switch(&stage, in_memory(stage.clone()).await).await;
    // Where nobody stands by, a lost link is lost.
    let parts = [subject.vehicle().clone(), trailer(&stage)];
    subject.over(Failover::new(parts, stage.clock()).unwrap())
}

async fn far_failover(stage: Stage) -> Subject {
    behind_memory_switch(&stage, both_of_two(stage.clone()).await).await
}

async fn failover_bus(stage: Stage) -> Subject {
    let subject = can(stage.clone()).await;
    let parts = [subject.vehicle().clone(), mute(&stage)];
    subject.over(Failover::new(parts, stage.clock()).unwrap())
}

/// A recorded drive, where the merged car and its like have nothing to say.
async fn failover_of_merged(stage: Stage) -> Subject {
    let subject = recorded(stage.clone()).await;
    let merged = Merged::new([subject.vehicle().clone(), trailer(&stage)], stage.clock()).unwrap();
    let parts = [Arc::new(merged) as _, mute(&stage)];
    subject.over(Failover::new(parts, stage.clock()).unwrap())
}

vehicle!(merged, mod merged_before_others);
vehicle!(merged_alone, mod merged_from_one);
vehicle!(halves, mod merged_from_halves);
vehicle!(halves_turned, mod merged_from_halves_turned);
vehicle!(merged_simulator, mod merged_with_a_simulator);
vehicle!(merged_grants, mod merged_with_grants);
vehicle!(merged_far, mod merged_from_afar);
vehicle!(far_merged, mod merged_far_away);
vehicle!(first_of_two, mod the_first_answers);
vehicle!(both_of_two, mod both_answer);
vehicle!(second_of_two, mod the_second_answers);
vehicle!(failover_far, mod failover_from_afar);
vehicle!(far_failover, mod failover_far_away);
vehicle!(failover_bus, mod failover_behind_a_bus);
vehicle!(failover_of_merged, mod failover_of_a_merged_recording);
