//! Structs, wherever values go: the suite on a vehicle of structs, near and far, and any struct recorded, played back, served, read and set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod stand;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use coachwork_conformance::{Runner, Simulated, Stage, Subject, vehicle};
use coachwork_vehicle::{
    Catalogue, DataType, Datapoint, Entry, Event, Facts, Get, MAX_STRUCT_DEPTH, ManualClock, MemoryVehicle,
    Merged, Outcome, Pace, Recorded, Recorder, Request, ScalarType, State, StructType, StructValue,
    Subscribe, Subscription, Timestamp, Value, Vehicle,
};
use futures_util::FutureExt;
use proptest::prelude::*;
use stand::{behind_memory, behind_memory_switch};

fn place() -> Arc<StructType> {
    let position =
        [Entry::attribute("Latitude", DataType::DOUBLE), Entry::attribute("Longitude", DataType::DOUBLE)];
    let position = StructType::new("Types.Position", position).unwrap();
    let properties = [
        Entry::attribute("Name", DataType::STRING).with_default("nowhere"),
        Entry::attribute("At", DataType::STRUCT).with_struct(&position),
        Entry::attribute("Way", DataType::Array(ScalarType::Struct)).with_struct(&position),
        Entry::attribute("Floor", DataType::INT8).with_range(Value::Int(-2), Value::Int(90)),
    ];
    StructType::new("Types.Place", properties).unwrap()
}

/// A vehicle of structs alone.
async fn near(stage: Stage) -> Subject {
    let place = place();
    let entries = [
        Entry::sensor("Vehicle.Place", DataType::STRUCT).with_struct(&place),
        Entry::sensor("Vehicle.Places", DataType::Array(ScalarType::Struct)).with_struct(&place),
        Entry::actuator("Vehicle.Goal", DataType::STRUCT).with_struct(&place),
    ];
    Subject::memory(MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), stage.clock()))
}

async fn far(stage: Stage) -> Subject {
    behind_memory_switch(&stage, near(stage.clone()).await).await
}

async fn farther(stage: Stage) -> Subject {
    let subject = behind_memory(&stage, far(stage.clone()).await).await;
    let parts = [subject.vehicle().clone()];
    subject.over(Merged::new(parts, stage.clock()).unwrap())
}

vehicle!(near, mod structs);
vehicle!(far, mod structs_far_away);
vehicle!(farther, mod structs_twice_and_merged);

/// What the choices of a test become: types, entries, values.
struct Dice(Vec<u64>, usize);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.1 += 1;
        let rolled = self.0[self.1 % self.0.len()].rotate_left(u32::try_from(self.1 % 61).unwrap());
        rolled.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_right(29) % sides
    }

    fn scalar(&mut self, of: ScalarType) -> Value {
        let bits = self.roll(u64::MAX);
        match of {
            ScalarType::Boolean => Value::Bool(bits & 1 == 1),
            ScalarType::Float => Value::Float(f32::from_bits(u32::try_from(bits >> 32).unwrap())),
            ScalarType::Double => Value::Double(f64::from_bits(bits)),
            ScalarType::String => {
                let odd = ["", ";", "a;b,c", "{}", "\\s\\", "\t\n\r", "\"ü\u{0}", "};{", "plain"];
                Value::from(odd[usize::try_from(bits).unwrap_or(0) % odd.len()])
            }
            integer => {
                let (min, max) = integer.integer_range().unwrap();
                let value = min + i128::from(bits) % (max - min + 1);
                i64::try_from(value).map_or_else(|_| Value::Uint(u64::try_from(value).unwrap()), Value::Int)
            }
        }
    }

    fn property(&mut self, name: &str, depth: usize) -> Entry {
        let of = (depth > 0 && self.roll(3) == 0).then(|| self.structure(depth - 1));
        let scalar = match &of {
            Some(_) => ScalarType::Struct,
            None => ScalarType::ALL[usize::try_from(self.roll(12)).unwrap()],
        };
        let data_type = if self.roll(3) == 0 { DataType::Array(scalar) } else { DataType::Scalar(scalar) };
        of.iter().fold(Entry::attribute(name, data_type), Entry::with_struct)
    }

    fn structure(&mut self, depth: usize) -> Arc<StructType> {
        static TYPES: AtomicUsize = AtomicUsize::new(0);
        let many = self.roll(5);
        let properties: Vec<_> = (0..many)
            .map(|n| {
                let property = self.property(&format!("P{n}"), depth);
                if self.roll(4) == 0 {
                    let default = self.value(&property);
                    property.with_default(default)
                } else {
                    property
                }
            })
            .collect();
        let number = TYPES.fetch_add(1, Ordering::Relaxed);
        StructType::new(&format!("Types.T{number}"), properties).unwrap()
    }

    fn value(&mut self, entry: &Entry) -> Value {
        let value = match entry.data_type() {
            DataType::Array(scalar) => {
                let many = self.roll(4);
                Value::Array((0..many).map(|_| self.one(scalar, entry.struct_type())).collect())
            }
            data_type => self.one(data_type.scalar(), entry.struct_type()),
        };
        // An unsigned number is one of the catalogue's.
        entry.coerce(value).unwrap()
    }

    fn one(&mut self, scalar: ScalarType, of: Option<&Arc<StructType>>) -> Value {
        let Some(of) = of else { return self.scalar(scalar) };
        let fields: Vec<_> = of.properties().iter().map(|p| (p.path().as_str(), self.value(p))).collect();
        StructValue::new(of, fields).unwrap().into()
    }

    /// Signals that are structs, and a vehicle that has them.
    fn car(&mut self, clock: Arc<dyn coachwork_vehicle::Clock>) -> MemoryVehicle {
        let entries: Vec<_> = (0..3)
            .map(|n| {
                let depth = usize::try_from(self.roll(MAX_STRUCT_DEPTH as u64)).unwrap();
                let of = self.structure(depth);
                let scalar =
                    if self.roll(2) == 0 { DataType::STRUCT } else { DataType::Array(ScalarType::Struct) };
                Entry::actuator(&format!("Vehicle.S{n}"), scalar).with_struct(&of)
            })
            .collect();
        MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), clock)
    }

    /// One value of each signal.
    fn values(&mut self, car: &MemoryVehicle) -> Vec<(String, Value)> {
        let catalogue = car.catalogue();
        let entries = catalogue.iter().map(|(_, entry)| entry);
        entries.map(|entry| (entry.path().to_string(), self.value(entry))).collect()
    }
}

fn said(car: &MemoryVehicle, values: &[(String, Value)]) {
    let point = |value: &Value| Datapoint::valid(value.clone(), Timestamp::from_seconds(5));
    let points: Vec<_> = values.iter().map(|(path, value)| (path.as_str(), point(value))).collect();
    car.publish(&points).unwrap();
}

/// What a subscription tells of values, by path.
fn heard(watch: &Subscription, event: &Event) -> Vec<(String, Value)> {
    let Event::Changed(points) = event else { panic!("{event:?}") };
    let told =
        points.iter().filter_map(|(id, point)| Some((watch.path(id).to_owned(), point.value()?.clone())));
    told.collect()
}

/// Types are other ones on the other side, with the same definitions.
fn same(a: &[(String, Value)], b: &[(String, Value)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && a.1.same(&b.1))
}

fn dice() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(any::<u64>(), 8..64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_struct_is_recorded_and_played_back(rolls in dice()) {
        let mut dice = Dice(rolls, 0);
        let car = dice.car(Arc::new(ManualClock::default()));
        let wish = Subscribe::to(car.catalogue().ids()).queue(64);
        let mut watch = car.subscribe(wish).now_or_never().unwrap().unwrap();
        let mut recorder = Recorder::new(Vec::new(), &watch).unwrap();
        let mut all = Vec::new();
        watch.next().now_or_never().unwrap().unwrap();
        for _ in 0..3 {
            let values = dice.values(&car);
            said(&car, &values);
            let event = watch.next().now_or_never().unwrap().unwrap();
            recorder.write(Timestamp::from_seconds(7), &event).unwrap();
            all.extend(values);
        }
        let text = recorder.end("done").unwrap();
        let reader = std::io::Cursor::new(text.clone());
        let (again, mut driver) = Recorded::open("again", reader, Arc::new(ManualClock::default()), Pace::Unpaced).unwrap();
        for (a, b) in again.catalogue().iter().zip(car.catalogue().iter()) {
            prop_assert!(a.1.struct_type() == b.1.struct_type(), "{}", String::from_utf8_lossy(&text));
        }
        let wish = Subscribe::to(again.catalogue().ids()).queue(64);
        let mut watch = again.subscribe(wish).now_or_never().unwrap().unwrap();
        while (&mut driver).now_or_never().is_none() {}
        let mut told = Vec::new();
        while let Some(Some(event)) = watch.next().now_or_never() {
            told.extend(heard(&watch, &event));
        }
        prop_assert_eq!(again.playback().bad, 0);
        prop_assert!(same(&all, &told), "{all:?} became {told:?}");
    }

    #[test]
    fn any_struct_is_read_told_and_set_from_afar(rolls in dice()) {
        let failure = Arc::new(Mutex::new(None));
        let slot = failure.clone();
        Simulated.run(Box::new(move |stage| Box::pin(async move {
            let mut dice = Dice(rolls, 0);
            let car = dice.car(stage.clock());
            let values = dice.values(&car);
            said(&car, &values);
            let subject = behind_memory(&stage, Subject::memory(car.clone())).await;
            let far = subject.vehicle().clone();
            let catalogue = far.catalogue();
            let ids: Vec<_> = values.iter().map(|(path, _)| catalogue.id(path).expect("it is there")).collect();
            let got = far.get(Get::of(&ids)).await.unwrap();
            let got = got.into_iter().zip(&values).map(|(point, (path, _))| match point.unwrap().state {
                State::Valid(value) => (path.clone(), value),
                other => panic!("{path} is {other}"),
            });
            let got: Vec<_> = got.collect();
            let note = |what: &str, a: &[(String, Value)], b: &[(String, Value)]| {
                if !same(a, b) {
                    slot.lock().unwrap().get_or_insert(format!("{what}: {a:?} became {b:?}"));
                }
            };
            note("read", &values, &got);
            let mut watch = far.subscribe(Subscribe::to(ids.clone()).queue(64)).await.unwrap();
            let mut told = Vec::new();
            while told.len() < values.len() {
                let event = watch.next().await.unwrap();
                told.extend(heard(&watch, &event));
            }
            told.sort_by(|a, b| a.0.cmp(&b.0));
            note("told first", &values, &told);
            let wanted = dice.values(&car);
            let requests = ids.iter().zip(&wanted).map(|(id, (_, value))| Request::new(*id, value.clone()));
            for receipt in far.set(requests.collect()).await.unwrap() {
                let outcome = receipt.unwrap().outcome().await;
                if !matches!(outcome, Outcome::Confirmed(_)) {
                    slot.lock().unwrap().get_or_insert(format!("{outcome}"));
                }
            }
            let there = car.get(Get::of(&car.catalogue().ids().collect::<Vec<_>>())).await.unwrap();
            let there = there.into_iter().zip(&wanted).filter_map(|(point, (path, _))| {
                Some((path.clone(), point.unwrap().value()?.clone()))
            });
            note("set", &wanted, &there.collect::<Vec<_>>());
        })));
        let failure = failure.lock().unwrap().take();
        prop_assert!(failure.is_none(), "{}", failure.unwrap_or_default());
    }
}

#[test]
fn the_deepest_struct_is_served_and_set() {
    let mut of: Option<Arc<StructType>> = None;
    for depth in 0..MAX_STRUCT_DEPTH {
        let inner = match &of {
            Some(of) => Entry::attribute("In", DataType::Array(ScalarType::Struct)).with_struct(of),
            None => Entry::attribute("In", DataType::Array(ScalarType::Uint8)),
        };
        of = Some(StructType::new(&format!("Types.T{depth}"), [inner]).unwrap());
    }
    let of = of.unwrap();
    let mut value = Value::Array([Value::Uint(7)].into());
    let mut types = vec![of.clone()];
    while let Some(inner) = types[types.len() - 1].properties()[0].struct_type().cloned() {
        types.push(inner);
    }
    for of in types.iter().rev() {
        value = Value::Array([StructValue::new(of, [("In", value)]).unwrap().into()].into());
    }
    Simulated.run(Box::new(move |stage| {
        Box::pin(async move {
            let goal = Entry::actuator("Vehicle.Goal", DataType::Array(ScalarType::Struct)).with_struct(&of);
            let car = MemoryVehicle::new(Catalogue::new([goal], Facts::default()).unwrap(), stage.clock());
            let subject = behind_memory(&stage, Subject::memory(car)).await;
            let far = subject.vehicle();
            let id = far.catalogue().resolve("Vehicle.Goal").unwrap();
            let receipt = far.set(vec![Request::new(id, value.clone())]).await.unwrap().remove(0).unwrap();
            assert!(matches!(receipt.outcome().await, Outcome::Confirmed(_)));
            let seen = far.get(Get::of(&[id])).await.unwrap().remove(0).unwrap();
            assert!(seen.value().unwrap().same(&value));
        })
    }));
}

#[test]
fn two_structs_of_one_path_are_not_confused() {
    let of = |data_type| StructType::new("Types.A", [Entry::attribute("X", data_type)]).unwrap();
    let (one, two) = (of(DataType::UINT8), of(DataType::INT8));
    Simulated.run(Box::new(move |stage| {
        Box::pin(async move {
            let entry = |path, of: &Arc<StructType>| Entry::sensor(path, DataType::STRUCT).with_struct(of);
            let entries = [entry("Vehicle.One", &one), entry("Vehicle.Two", &two)];
            let car = MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), stage.clock());
            let watch = car.subscribe(Subscribe::to(car.catalogue().ids())).await.unwrap();
            assert!(Recorder::new(Vec::new(), &watch).is_err());
            let subject = behind_memory(&stage, Subject::memory(car)).await;
            let catalogue = subject.vehicle().catalogue();
            let known = catalogue.entry(catalogue.resolve("Vehicle.One").unwrap()).unwrap();
            assert_eq!(known.struct_type(), Some(&one));
            assert!(catalogue.id("Vehicle.Two").is_none(), "it would be read as the other one");
        })
    }));
}
