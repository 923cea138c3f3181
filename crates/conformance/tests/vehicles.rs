//! The suite on the vehicles of the family, on simulated time.

mod stand;

use coachwork_conformance::{Stage, Subject, vehicle};
use stand::{can, entitled, entitled_simulator, in_memory, recorded, simulator};

async fn boxed(stage: Stage) -> Subject {
    in_memory(stage).await.boxed()
}

async fn in_arc(stage: Stage) -> Subject {
    in_memory(stage).await.in_arc()
}

vehicle!(in_memory, mod memory);
vehicle!(boxed, mod in_a_box);
vehicle!(in_arc, mod in_an_arc);
vehicle!(simulator, mod simulated);
vehicle!(can, mod behind_a_bus);
vehicle!(recorded, mod played_back);
vehicle!(entitled, mod behind_grants);
vehicle!(entitled_simulator, mod simulated_behind_grants);
