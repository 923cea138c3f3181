//! The vehicles of the family as subjects, and ways to put them behind something.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unused_async,
    reason = "tests; each uses a part"
)]

mod switch;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use coachwork_can::bus::{Batch, VirtualBus};
use coachwork_can::{CanId, CanVehicle, Frame, Mapping};
use coachwork_client::{Backoff, Client};
use coachwork_conformance::{Stage, Subject};
use coachwork_dbc::Database;
use coachwork_entitlement::{
    Action, Car, Entitled, Entitlements, Grant, GrantId, Issuer, KeyId, OwnerEpoch, PaidClass, PaidFeature,
    Policy, Rule, VehicleId, Verifier,
};
use coachwork_gateway::Gateway;
use coachwork_simulator::{Scenario, SimulatedVehicle};
use coachwork_transport::{Connector, Limits, Listener, memory};
use coachwork_vehicle::{
    Catalogue, DataType, Entry, Error, ErrorKind, Everybody, Facts, MemoryVehicle, Pace, Permission,
    ReasonKind, Recorded, State, Value, Vehicle,
};

/// A vehicle in memory that shows all there is to try.
pub(crate) async fn in_memory(stage: Stage) -> Subject {
    Subject::memory(MemoryVehicle::new(catalogue(true), stage.clock()))
}

pub(crate) fn catalogue(denied: bool) -> Catalogue {
    let speed = Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h");
    let entries = [
        speed.with_stale_after(Duration::from_secs(2)),
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
        if id == massage && denied {
            access.write = Permission::denied("not in your plan");
        }
        access
    })
}

/// The simulated car, which lives by itself: its source cannot be made to report.
pub(crate) async fn simulator(stage: Stage) -> Subject {
    let (car, driver) = SimulatedVehicle::new(stage.clock(), &Scenario::seeded(1)).unwrap();
    stage.spawn(driver);
    let window = "Vehicle.Cabin.Door.Row1.DriverSide.Window.Position";
    Subject::new(car).with_actuator(window, [10_u8, 30, 20].map(Value::from))
}

/// A drive that was recorded, on the stage's clock: it says a few things, and then nothing for long.
pub(crate) async fn recorded(stage: Stage) -> Subject {
    const DRIVE: &str = "coachwork-recording 1 utc\nsignal\tVehicle.Speed\tsensor\tfloat\tunit=km/h\n\
        signal\tVehicle.Level\tsensor\tuint8\nsignal\tVehicle.Name\tsensor\tstring\n\
        signal\tVehicle.Heating\tactuator\tint8\tmin=0\tmax=100\n\
        @1000000000\n0\t=50.5\n1\t=7\n2\t?source\n3\t=0\n@1100000000\n0\t=51.0\n@9000000000000000\n0\t=0.0\nend\tparked\n";
    let (car, mut driver) =
        Recorded::open("drive.rec", DRIVE.as_bytes(), stage.clock(), Pace::Times(1.0)).unwrap();
    // What it says first is said before anybody looks.
    for _ in 0..4 {
        assert!(futures_util::FutureExt::now_or_never(&mut driver).is_none());
    }
    stage.spawn(driver);
    Subject::new(car)
}

const DBC: &str = r#"VERSION ""
NS_ :
BS_:
BU_: ECU APP
BO_ 256 Drive: 4 ECU
 SG_ Speed : 0|16@1+ (0.5,0) [0|1000] "km/h" APP
 SG_ Level : 16|16@1+ (1,0) [0|1000] "" APP
BO_ 257 SeatState: 1 ECU
 SG_ SeatHeat : 0|8@1+ (1,0) [0|250] "%" APP
BO_ 258 SeatRequest: 1 APP
 SG_ SeatHeatRequest : 0|8@1+ (1,0) [0|250] "%" ECU
BO_ 259 Pedal: 2 ECU
 SG_ Pedal : 0|16@1+ (0.5,0) [0|1000] "" APP
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 259 500;
VAL_ 256 Speed 65534 "Error" 65535 "SNA" ;
VAL_ 256 Level 65534 "Error" 65535 "SNA" ;
VAL_ 259 Pedal 65534 "Error" 65535 "SNA" ;
"#;

const MAPPING: &str = r#"{"Vehicle": {"type": "branch", "children": {
  "Speed": {"type": "sensor", "datatype": "float", "unit": "km/h", "dbc2vss": {"signal": "Drive.Speed", "interval_ms": 0}},
  "Level": {"type": "sensor", "datatype": "uint16", "dbc2vss": {"signal": "Drive.Level", "interval_ms": 0}},
  "Pedal": {"type": "sensor", "datatype": "double", "dbc2vss": {"signal": "Pedal", "interval_ms": 0}},
  "Heat": {"type": "actuator", "datatype": "uint8", "unit": "percent", "min": 0, "max": 100,
    "dbc2vss": {"signal": "SeatHeat", "interval_ms": 0}, "vss2dbc": {"signal": "SeatHeatRequest"}}}}}"#;

/// A vehicle behind a bus in the process, with a control unit at the other end of it.
pub(crate) async fn can(stage: Stage) -> Subject {
    let bus = VirtualBus::new("can0", 1024);
    let (mut ears, mouth) = bus.connect().into_parts();
    let (_, answer) = bus.connect().into_parts();
    let (mouth, answer) = (mouth.unwrap(), answer.unwrap());
    let database = Database::parse(DBC).unwrap();
    let mapping = Mapping::parse("mapping.json", MAPPING).unwrap();
    let (car, driver) = CanVehicle::new(bus.connect(), database, &mapping, stage.clock()).unwrap();
    stage.spawn(driver);
    stage.spawn(async move {
        let mut batch = Batch::new(64);
        while ears.read(&mut batch).await.is_ok() && !batch.is_empty() {
            for asked in batch.frames().iter().filter(|asked| asked.id() == CanId::standard(258).unwrap()) {
                answer.send(&frame(257, asked.data())).await.unwrap();
            }
            batch.clear();
        }
    });
    let drive = Mutex::new([0xFF_u8; 4]);
    let subject = Subject::new(car)
        .with_probe("Vehicle.Pedal", (0..64_u8).map(f64::from).map(Value::from))
        .with_probe("Vehicle.Level", (0..64_u16).map(Value::from))
        .with_probe("Vehicle.Speed", (0..64_u8).map(f32::from).map(Value::from));
    subject.with_reports(move |points| {
        let mut drive = drive.lock().unwrap();
        let mut driven = false;
        for (path, state) in points {
            let raw = raw(path, state)?.to_le_bytes();
            match *path {
                "Vehicle.Speed" => drive[..2].copy_from_slice(&raw),
                "Vehicle.Level" => drive[2..].copy_from_slice(&raw),
                "Vehicle.Pedal" => mouth.try_send(&frame(259, &raw)).unwrap(),
                _ => return Err(Error::new(ErrorKind::Unsupported, "the control unit does not send it")),
            }
            driven |= *path != "Vehicle.Pedal";
        }
        if driven {
            mouth.try_send(&frame(256, &*drive)).unwrap();
        }
        Ok(())
    })
}

fn frame(id: u32, data: &[u8]) -> Frame {
    Frame::new(CanId::standard(id).unwrap(), data).unwrap()
}

/// What a control unit sends for a state.
fn raw(path: &str, state: &State) -> Result<u16, Error> {
    let unsayable = || Error::new(ErrorKind::Unsupported, "a bus has no way to say it");
    let factor = if path == "Vehicle.Level" { 1.0 } else { 2.0 };
    match state {
        State::Valid(value) => {
            let raw = value.as_f64().ok_or_else(unsayable)? * factor;
            let fits = raw.fract() == 0.0 && (0.0..2_000.0).contains(&raw);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole and within 2000"
            )]
            fits.then_some(raw as u16).ok_or_else(unsayable)
        }
        State::NotAvailable(why) if plain(why) => Ok(65_535),
        State::Error(why) if plain(why) => Ok(65_534),
        _ => Err(unsayable()),
    }
}

/// A reason that a special value can say.
fn plain(why: &coachwork_vehicle::Reason) -> bool {
    why.kind() == ReasonKind::Source && why.text().is_none()
}

/// The simulated car behind grants, as far as its speed may be read.
pub(crate) async fn entitled_simulator(stage: Stage) -> Subject {
    let (car, driver) = SimulatedVehicle::new(stage.clock(), &Scenario::seeded(1)).unwrap();
    stage.spawn(driver);
    let window = "Vehicle.Cabin.Door.Row1.DriverSide.Window.Position";
    granted(&stage, Subject::new(car.clone()), car, &["Vehicle.Speed"], &[])
        .with_actuator(window, [10_u8, 30, 20].map(Value::from))
        .with_probe("Vehicle.Speed", [])
}

/// A vehicle in memory behind grants. Every signal has a feature of its own for reading; the seat's massage is not bought.
pub(crate) async fn entitled(stage: Stage) -> Subject {
    let memory = MemoryVehicle::new(catalogue(false), stage.clock());
    let paths: Vec<_> =
        memory.board().catalogue().iter().map(|(_, entry)| entry.path().to_string()).collect();
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    let setting = [("Vehicle.Heating", true), ("Vehicle.Massage", false)];
    granted(&stage, Subject::memory(memory.clone()), memory, &paths, &setting)
}

/// A vehicle behind grants: each of `reading` has a feature that is bought, each of `setting` one that is bought or not.
fn granted(
    stage: &Stage,
    subject: Subject,
    vehicle: impl Vehicle,
    reading: &[&str],
    setting: &[(&str, bool)],
) -> Subject {
    let named = |path: &str, what: &str| format!("{what}-{}", path.to_lowercase());
    let feature = |name: &str| PaidFeature::new(name.parse().unwrap(), PaidClass::Data);
    let rule = |path: &str, action, name: &str| Rule::new(path, action, feature(name)).unwrap();
    let read = reading.iter().flat_map(|path| {
        let name = named(path, "read");
        [rule(path, Action::Read, &name), rule(path, Action::Subscribe, &name)]
    });
    let set = setting.iter().map(|(path, _)| rule(path, Action::Set, &named(path, "set")));
    let policy = Arc::new(Policy::new(read.chain(set)).unwrap());
    let car = Car { vehicle: VehicleId::opaque(*b"a vehicle's name"), owner: OwnerEpoch(1) };
    let issuer = Issuer::new(KeyId::new("2026").unwrap(), &[7; 32]).unwrap();
    let verifier = Verifier::new([(issuer.key_id(), issuer.public_key())]).unwrap();
    let (clock, features) = (stage.clock(), policy.features().clone());
    let bought = move |open: &[String]| {
        let draft = Grant::draft(GrantId::new("order-17").unwrap(), car.vehicle, clock.now());
        let draft = open.iter().fold(draft, |draft, name| draft.opens(&feature(name)));
        let grants = (!open.is_empty()).then(|| {
            let token = issuer.issue(&draft.build().unwrap()).unwrap();
            verifier.verify(&token).unwrap()
        });
        Arc::new(Entitlements::new(car, features.clone(), grants, clock.now()).unwrap())
    };
    let mut open: Vec<_> = reading.iter().map(|path| named(path, "read")).collect();
    open.extend(setting.iter().filter(|(_, bought)| *bought).map(|(path, _)| named(path, "set")));
    let vehicle = Arc::new(Entitled::new(vehicle, policy, bought(&open), stage.clock()).unwrap());
    let (governed, open) = (vehicle.clone(), Mutex::new(open));
    let govern = move |path: &str, read: Permission| {
        let name = named(path, "read");
        let mut open = open.lock().unwrap();
        open.retain(|other| *other != name);
        if read == Permission::Yes {
            open.push(name);
        }
        governed.replace(bought(&open)).unwrap();
    };
    subject.over(vehicle).with_rights(govern)
}

/// The far end of a subject, over any transport.
pub(crate) async fn behind(
    stage: &Stage,
    subject: Subject,
    listener: impl Listener,
    connector: impl Connector,
) -> Subject {
    let admission = Arc::new(Everybody::sees(subject.vehicle().clone()));
    let gateway = Gateway::new(admission, stage.clock(), coachwork_gateway::Options::default());
    stage.spawn(gateway.serve(listener));
    let mut options = coachwork_client::Options::default();
    // A link that is mended is tried soon, and what was under way when it was lost is given up soon.
    options.backoff = Backoff { first: Duration::from_millis(10), most: Duration::from_millis(200) };
    options.request_time = Duration::from_secs(2);
    let (client, driver) = Client::connect(connector, stage.clock(), options).await.unwrap();
    stage.spawn(driver);
    subject.over(client)
}

/// The far end of a subject, over a link in memory.
pub(crate) async fn behind_memory(stage: &Stage, subject: Subject) -> Subject {
    let (listener, connector) = memory::listen("gateway", &Limits::default());
    behind(stage, subject, listener, connector).await
}

/// The far end of a subject over a link that can be cut.
pub(crate) async fn behind_switch(
    stage: &Stage,
    subject: Subject,
    listener: impl Listener,
    connector: impl Connector,
) -> Subject {
    let (connector, switch) = switch::switched(connector);
    behind(stage, subject, listener, connector).await.with_link(switch)
}

/// The far end of a subject, over a link in memory that can be cut.
pub(crate) async fn behind_memory_switch(stage: &Stage, subject: Subject) -> Subject {
    let (listener, connector) = memory::listen("gateway", &Limits::default());
    behind_switch(stage, subject, listener, connector).await
}
