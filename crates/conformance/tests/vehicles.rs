//! The suite on the vehicles of the family, on simulated time.
#![allow(clippy::unwrap_used, reason = "tests")]

mod stand;

use coachwork_conformance::{Stage, Subject, vehicle};
use coachwork_vehicle::{Catalogue, Facts, MemoryVehicle};
use stand::{can, catalogue, entitled, entitled_simulator, in_memory, recorded, simulator};

/// A vehicle in memory whose source promises to wait, and then does not.
async fn hasty(stage: Stage) -> Subject {
    let mut facts = Facts::default();
    facts.back_pressure = true;
    let entries = catalogue(true).iter().map(|(_, entry)| entry.clone()).collect::<Vec<_>>();
    Subject::memory(MemoryVehicle::new(Catalogue::new(entries, facts).unwrap(), stage.clock()))
}

async fn boxed(stage: Stage) -> Subject {
    in_memory(stage).await.boxed()
}

async fn in_arc(stage: Stage) -> Subject {
    in_memory(stage).await.in_arc()
}

vehicle!(in_memory, mod memory);
vehicle!(hasty, mod memory_in_haste);
vehicle!(boxed, mod in_a_box);
vehicle!(in_arc, mod in_an_arc);
vehicle!(simulator, mod simulated);
vehicle!(can, mod behind_a_bus);
vehicle!(recorded, mod played_back);
vehicle!(entitled, mod behind_grants);
vehicle!(entitled_simulator, mod simulated_behind_grants);
