//! The suite on the vehicle in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::time::Duration;

use coachwork_conformance::{Stage, Subject, vehicle};
use coachwork_vehicle::{Catalogue, DataType, Entry, Facts, MemoryVehicle, Permission, Value};

fn catalogue() -> Catalogue {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT)
            .with_unit("km/h")
            .with_stale_after(Duration::from_secs(2)),
        Entry::sensor("Vehicle.Level", DataType::UINT8),
        Entry::sensor("Vehicle.Boost", DataType::DOUBLE),
        Entry::sensor("Vehicle.Name", DataType::STRING),
        Entry::attribute("Vehicle.Doors", DataType::UINT8),
        Entry::actuator("Vehicle.Heating", DataType::INT8).with_range(Value::Int(0), Value::Int(100)),
        Entry::actuator("Vehicle.Massage", DataType::BOOLEAN),
    ];
    let catalogue = Catalogue::new(entries, Facts::default()).unwrap();
    let massage = catalogue.id("Vehicle.Massage").unwrap();
    catalogue.with_access(|id, now| {
        let mut access = now.clone();
        if id == massage {
            access.write = Permission::denied("not in your plan");
        }
        access
    })
}

async fn memory(stage: Stage) -> Subject {
    Subject::memory(MemoryVehicle::new(catalogue(), stage.clock()))
}

async fn boxed(stage: Stage) -> Subject {
    memory(stage).await.boxed()
}

async fn in_arc(stage: Stage) -> Subject {
    memory(stage).await.in_arc()
}

vehicle!(memory, mod plain);
vehicle!(boxed, mod in_box);
vehicle!(in_arc, mod shared);
