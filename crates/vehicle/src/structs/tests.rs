use super::*;
use crate::catalogue::{Catalogue, EntryError, Facts};
use crate::error::ErrorKind;
use crate::value::{DataType, ScalarType};

fn place() -> Arc<StructType> {
    let latitude = Entry::attribute("Latitude", DataType::DOUBLE).with_range(Value::Int(-90), Value::Int(90));
    StructType::new("Types.Place", [latitude, Entry::attribute("Id", DataType::UINT8)]).unwrap()
}

fn at(latitude: f64, id: u8) -> Value {
    StructValue::new(&place(), [("Id", id.into()), ("Latitude", latitude.into())]).unwrap().into()
}

#[test]
fn types_with_a_default_that_is_no_number_are_the_same() {
    let of = || {
        let x = Entry::attribute("X", DataType::FLOAT).with_default(f32::NAN);
        StructType::new("Types.Odd", [x]).unwrap()
    };
    let (one, two) = (of(), of());
    assert_eq!(one, two);
    let value = Value::from(StructValue::new(&two, []).unwrap());
    let entry = Entry::sensor("Vehicle.Odd", DataType::STRUCT).with_struct(&one);
    assert!(entry.holds(&value) && entry.coerce(value).is_ok());
}

#[test]
fn a_value_has_every_property_in_its_type() {
    let place = place();
    let error = |given: &[(&str, Value)]| StructValue::new(&place, given.iter().cloned()).unwrap_err();
    assert_eq!(error(&[("Latitude", 1.0.into())]).to_string(), "Types.Place needs its property Id");
    assert_eq!(error(&[("Longitude", 1.0.into())]).to_string(), "Types.Place has no property Longitude");
    let wrong = error(&[("Latitude", 1.0.into()), ("Id", Value::Int(256))]);
    assert_eq!(wrong.to_string(), "Id: 256 is not a value of type uint8");
    let here = StructValue::new(&place, [("Latitude", Value::Int(48)), ("Id", Value::Int(7))]).unwrap();
    assert_eq!((here.get("Latitude"), here.get("Id")), (Some(&Value::Double(48.0)), Some(&Value::Uint(7))));
    assert_eq!(here.get("Name"), None);
    assert!(at(f64::NAN, 1).same(&at(f64::NAN, 1)) && !at(1.0, 1).same(&at(1.0, 2)));
    assert_eq!((at(1.0, 1).as_f64(), at(1.0, 1).compare(&at(1.0, 1))), (None, None));
}

#[test]
fn entries_take_their_own_struct_within_its_limits() {
    let other = StructType::new("Types.Other", [Entry::attribute("Id", DataType::UINT8)]).unwrap();
    let foreign = Value::from(StructValue::new(&other, [("Id", Value::Int(1))]).unwrap());
    let tree = Catalogue::new(
        [
            Entry::actuator("Goal", DataType::STRUCT).with_struct(&place()),
            Entry::actuator("Route", DataType::Array(ScalarType::Struct))
                .with_struct(&place())
                .with_array_size(2),
        ],
        Facts::default(),
    )
    .unwrap();
    let entry = |path| tree.entry(tree.resolve(path).unwrap()).unwrap();
    let kind = |path, value: Value| entry(path).settable(value).map_err(|error| error.kind());
    // A type that says the same is the same.
    assert_eq!(kind("Goal", at(48.0, 1)), Ok(at(48.0, 1)));
    assert_eq!(kind("Goal", foreign.clone()), Err(ErrorKind::WrongType));
    assert_eq!(kind("Goal", Value::Int(1)), Err(ErrorKind::WrongType));
    let far = entry("Goal").settable(at(91.0, 1)).unwrap_err();
    assert!(far.kind() == ErrorKind::OutOfRange && far.message().starts_with("Latitude: 91"), "{far}");
    let route = |values: Vec<Value>| kind("Route", Value::Array(values.into()));
    assert!(route(vec![at(1.0, 1), at(2.0, 2)]).is_ok());
    assert_eq!(route(vec![at(1.0, 1)]), Err(ErrorKind::OutOfRange));
    assert_eq!(route(vec![at(1.0, 1), foreign]), Err(ErrorKind::WrongType));
    assert_eq!(route(vec![at(1.0, 1), at(-91.0, 2)]), Err(ErrorKind::OutOfRange));
    assert_eq!(
        (entry("Goal").type_name(), entry("Route").type_name()),
        ("Types.Place".into(), "Types.Place[]".into())
    );
    for contradiction in
        [Entry::sensor("A", DataType::STRUCT), Entry::sensor("A", DataType::INT8).with_struct(&other)]
    {
        let error = Catalogue::new([contradiction], Facts::default()).unwrap_err();
        assert!(matches!(error, crate::CatalogueError::Entry { why: EntryError::Struct, .. }));
    }
    let same_name = StructType::new("Types.Place", [Entry::attribute("Id", DataType::UINT8)]).unwrap();
    let hash = |of| {
        let entry = Entry::actuator("Goal", DataType::STRUCT).with_struct(of);
        Catalogue::new([entry], Facts::default()).unwrap().tree_hash()
    };
    assert_ne!(hash(&place()), hash(&same_name));
}

#[test]
fn types_are_bounded() {
    let nest = |inner: &Arc<StructType>| {
        StructType::new("Types.Nest", [Entry::attribute("In", DataType::STRUCT).with_struct(inner)])
    };
    let mut deep = place();
    for _ in 1..MAX_STRUCT_DEPTH {
        deep = nest(&deep).unwrap();
    }
    assert_eq!(nest(&deep).unwrap_err(), StructError::TooLarge);
    let wide = |count: usize| {
        let all = (0..count).map(|n| Entry::attribute(&format!("P{n}"), DataType::INT8));
        StructType::new("Types.Wide", all)
    };
    assert!(wide(MAX_STRUCT_PROPERTIES).is_ok());
    assert_eq!(wide(MAX_STRUCT_PROPERTIES + 1).unwrap_err(), StructError::TooLarge);
    for name in ["A.B", "Id"] {
        let twice = [Entry::attribute("Id", DataType::INT8), Entry::attribute(name, DataType::INT8)];
        assert_eq!(StructType::new("Types.T", twice).unwrap_err(), StructError::Name(name.to_owned()));
    }
    assert!(StructType::new("", []).is_err());
}

#[test]
fn a_board_publishes_reads_and_sets_structs() {
    use crate::{Datapoint, ManualClock, MemoryVehicle, Outcome, Set, Timestamp, VehicleExt};
    let goal = Entry::actuator("Goal", DataType::STRUCT).with_struct(&place());
    let tree = Catalogue::new([goal], Facts::default()).unwrap();
    let car = MemoryVehicle::new(tree, Arc::new(ManualClock::default()));
    car.publish(&[("Goal", Datapoint::valid(at(1.0, 1), Timestamp::EPOCH))]).unwrap();
    let wrong = car.publish(&[("Goal", Datapoint::valid(Value::Int(1), Timestamp::EPOCH))]);
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::WrongType);
    futures::executor::block_on(async {
        assert_eq!(car.read_path("Goal").await.unwrap().value(), Some(&at(1.0, 1)));
        let asked = car.write_path("Goal", at(2.0, 2), Set::default()).await.unwrap();
        assert!(matches!(asked.outcome().await, Outcome::Confirmed(_)));
        assert_eq!(car.read_path("Goal").await.unwrap().state.to_string(), "{Latitude: 2, Id: 2}");
    });
}
