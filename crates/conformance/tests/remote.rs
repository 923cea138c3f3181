//! The suite on the far ends of the family's vehicles, behind a gateway and a client, over memory and on simulated time.

mod stand;

use coachwork_conformance::{Stage, Subject, vehicle};
use stand::{behind_memory, behind_memory_switch, can, entitled, entitled_simulator, in_memory, simulator};

async fn far_memory(stage: Stage) -> Subject {
    behind_memory_switch(&stage, in_memory(stage.clone()).await).await
}

async fn far_simulator(stage: Stage) -> Subject {
    behind_memory_switch(&stage, simulator(stage.clone()).await).await
}

async fn far_can(stage: Stage) -> Subject {
    behind_memory_switch(&stage, can(stage.clone()).await).await
}

async fn far_entitled(stage: Stage) -> Subject {
    behind_memory_switch(&stage, entitled(stage.clone()).await).await
}

async fn far_entitled_simulator(stage: Stage) -> Subject {
    behind_memory_switch(&stage, entitled_simulator(stage.clone()).await).await
}

/// A far end of a far end.
async fn farther(stage: Stage) -> Subject {
    behind_memory(&stage, far_memory(stage.clone()).await).await
}

vehicle!(far_memory, mod memory);
vehicle!(far_simulator, mod simulated);
vehicle!(far_can, mod behind_a_bus);
vehicle!(far_entitled, mod behind_grants);
vehicle!(farther, mod twice);
vehicle!(far_entitled_simulator, mod simulated_behind_grants);
