//! Catalogues: lineages, rows, limits of entries, rights.

use std::sync::Arc;

use futures::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::value::{DataType, ScalarType, Value};
use crate::vss;

fn three() -> Catalogue {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_unit("km/h"),
        Entry::actuator("Vehicle.Heating", DataType::INT8),
        Entry::attribute("Vehicle.Make", DataType::STRING),
    ];
    Catalogue::new(entries, Facts::default()).unwrap()
}

#[test]
fn access_follows_kind() {
    let catalogue = three();
    let write: Vec<_> = catalogue.ids().map(|id| catalogue.access(id).unwrap().write.clone()).collect();
    assert_eq!(write, [Permission::No, Permission::Yes, Permission::No]);
    assert!(catalogue.ids().all(|id| catalogue.access(id).unwrap().read == Permission::Yes));
}

#[test]
fn entries_that_contradict_themselves_are_refused() {
    let sensor = || Entry::sensor("Vehicle.A", DataType::UINT8);
    let path = || Path::new("Vehicle.A").unwrap();
    let of = |entries: Vec<Entry>| Catalogue::new(entries, Facts::default()).unwrap_err();
    assert_eq!(of(vec![sensor(), sensor()]), CatalogueError::Duplicate(path()));
    for (entry, why) in [
        (
            sensor().with_range(Value::Int(5), Value::Int(4)),
            EntryError::EmptyRange { min: Value::Uint(5), max: Value::Uint(4) },
        ),
        (sensor().with_step(0.0), EntryError::Step(0.0)),
        (sensor().with_step(f64::INFINITY), EntryError::Step(f64::INFINITY)),
    ] {
        assert_eq!(of(vec![entry]), CatalogueError::Entry { path: path(), why });
    }
    for wrong in [sensor().with_range(Value::Int(-1), None), sensor().with_allowed([Value::from("a")])] {
        assert!(matches!(of(vec![wrong]), CatalogueError::Entry { why: EntryError::Type(_), .. }));
    }
    assert!(matches!(of(vec![Entry::sensor("Vehicle..A", DataType::UINT8)]), CatalogueError::Path(_)));
    let nan = Entry::sensor("Vehicle.A", DataType::DOUBLE).with_range(Value::Double(f64::NAN), Value::Int(1));
    assert!(matches!(of(vec![nan]), CatalogueError::Entry { why: EntryError::EmptyRange { .. }, .. }));
}

#[test]
fn what_may_be_set_is_checked_in_the_catalogues_type() {
    let actuator = |entry: Entry| {
        let catalogue = Catalogue::new([entry], Facts::default()).unwrap();
        let id = catalogue.ids().next().unwrap();
        move |value: Value| catalogue.entry(id).unwrap().settable(value).map_err(|e| e.kind())
    };
    let heat =
        actuator(Entry::actuator("Vehicle.A", DataType::INT8).with_range(Value::Int(0), Value::Int(5)));
    assert_eq!(heat(Value::Double(5.0)), Ok(Value::Int(5)));
    assert_eq!(heat(Value::Double(5.5)), Err(ErrorKind::WrongType));
    assert_eq!(heat(Value::Uint(6)), Err(ErrorKind::OutOfRange));
    let nan = actuator(Entry::actuator("Vehicle.A", DataType::FLOAT).with_range(Value::Int(0), None));
    assert_eq!(nan(Value::Float(f32::NAN)), Err(ErrorKind::OutOfRange));
    assert_eq!(nan(Value::Float(f32::INFINITY)), Ok(Value::Float(f32::INFINITY)));
    let mode =
        actuator(Entry::actuator("Vehicle.A", DataType::STRING).with_allowed(["ON", "OFF"].map(Value::from)));
    assert_eq!(mode("ON".into()), Ok("ON".into()));
    assert_eq!(mode("on".into()), Err(ErrorKind::OutOfRange));
    let list =
        Entry::actuator("Vehicle.A", DataType::Array(ScalarType::Uint8)).with_range(None, Value::Int(9));
    let list = actuator(list);
    assert_eq!(list(Value::Array([Value::Int(9), Value::Int(1)].into())).map(drop), Ok(()));
    assert_eq!(list(Value::Array([Value::Int(9), Value::Int(10)].into())), Err(ErrorKind::OutOfRange));
    assert_eq!(list(Value::Uint(1)), Err(ErrorKind::WrongType));
}

#[test]
fn half_a_step_is_reached_and_so_is_equality() {
    let entry = |step: Option<f64>| {
        let entry = Entry::actuator("Vehicle.A", DataType::DOUBLE);
        step.map_or(entry.clone(), |step| entry.with_step(step))
    };
    let reached = |step, a: f64, b: f64| entry(step).reached(&Value::Double(a), &Value::Double(b));
    assert!(reached(Some(1.0), 3.0, 3.5) && !reached(Some(1.0), 3.0, 3.51));
    assert!(reached(None, 3.0, 3.0) && !reached(None, 3.0, 3.000_000_1));
    for odd in [f64::NAN, f64::INFINITY] {
        assert!(reached(Some(1.0), odd, odd) && reached(None, odd, odd), "{odd}");
    }
    assert!(!reached(Some(1.0), f64::INFINITY, 1.0) && !reached(Some(1.0), 1.0, f64::NAN));
}

#[test]
fn a_cell_numbers_its_snapshots_and_wakes_holders() {
    let cell = CatalogueCell::new(three());
    let (first, second) = (cell.load(), cell.load());
    let mut waits = [Box::pin(first.superseded()), Box::pin(second.superseded())];
    assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()));
    assert!(cell.try_replace(|_| Err::<Catalogue, _>("no")).is_err());
    assert_eq!(cell.revision(), first.revision());
    cell.replace(Catalogue::clone);
    assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_some()));
    assert_eq!((cell.load().revision(), cell.revision()), (first.revision() + 1, first.revision() + 1));
    assert!(cell.load().superseded().now_or_never().is_none());
    assert!(three().superseded().now_or_never().is_none(), "nobody has taken it over");
}

#[test]
fn a_wrappers_snapshot_is_superseded_by_its_own_cell_and_by_the_one_below() {
    let inner = CatalogueCell::new(three());
    let outer = CatalogueCell::new(inner.load().as_ref().clone());
    let (of_inner, of_outer) = (inner.load(), outer.load());
    let mut waiting = Box::pin(of_outer.superseded());
    assert!((&mut waiting).now_or_never().is_none());
    outer.replace(|_| inner.load().as_ref().clone());
    assert!((&mut waiting).now_or_never().is_some());
    assert!(of_inner.superseded().now_or_never().is_none(), "what is below does not follow what is above");

    let of_outer = outer.load();
    let mut waiting = Box::pin(of_outer.superseded());
    assert!((&mut waiting).now_or_never().is_none());
    inner.replace(Catalogue::clone);
    assert!((&mut waiting).now_or_never().is_some());
    assert!(of_outer.is_lineage_of(&of_inner));
    outer.replace(|_| inner.load().as_ref().clone());
    assert!(outer.load().superseded().now_or_never().is_none(), "made of the newest below");
}

#[test]
fn replacements_of_many_threads_are_all_counted() {
    let cell = Arc::new(CatalogueCell::new(three()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..250).for_each(|_| cell.replace(Catalogue::clone)));
        }
    });
    assert_eq!(cell.load().revision(), 1_000);
}

#[test]
fn constants_resolve_through_the_table_and_by_text() {
    let catalogue = three();
    assert_eq!(vss::SPEED.resolve(&catalogue).unwrap(), catalogue.id("Vehicle.Speed").unwrap());
    assert_eq!(vss::POWERTRAIN_RANGE.resolve(&catalogue).unwrap_err().kind(), ErrorKind::UnknownSignal);
    let grown = catalogue.grown([Entry::sensor(vss::POWERTRAIN_RANGE.path(), DataType::UINT32)]).unwrap();
    assert_eq!(
        grown.id_at(3),
        vss::POWERTRAIN_RANGE.resolve(&grown).ok(),
        "the table is made anew for a grown tree"
    );
}

proptest! {
    #[test]
    fn rows_ids_and_paths_are_one_to_one(count in 0_usize..60, more in 0_usize..20) {
        let entry = |n: usize| Entry::sensor(&format!("Vehicle.S{n}"), DataType::UINT8);
        let small = Catalogue::new((0..count).map(entry), Facts::default()).unwrap();
        let other = Catalogue::new((0..count).map(entry), Facts::default()).unwrap();
        let grown = small.grown((count..count + more).map(entry)).unwrap();
        prop_assert_eq!(grown.len(), count + more);
        for (row, id) in grown.ids().enumerate() {
            prop_assert_eq!(grown.row(id).unwrap(), row);
            prop_assert_eq!(grown.id_at(row), Some(id));
            prop_assert_eq!(grown.id(grown.path(id).unwrap().as_str()), Some(id));
            prop_assert_eq!(other.entry(id).unwrap_err().kind(), ErrorKind::WrongCatalogue);
            match small.entry(id) {
                Ok(entry) => prop_assert!(row < count && entry.path() == grown.path(id).unwrap()),
                Err(error) => prop_assert!(row >= count && error.kind() == ErrorKind::UnknownSignal),
            }
        }
        prop_assert_eq!(grown.id_at(count + more), None);
    }

    #[test]
    fn settable_never_lets_a_value_out_of_the_range_through(value in any::<f64>(), low in -200_i64..200, width in 0_i64..100) {
        let entry = Entry::actuator("Vehicle.A", DataType::INT16).with_range(Value::Int(low), Value::Int(low + width));
        let catalogue = Catalogue::new([entry], Facts::default()).unwrap();
        let entry = catalogue.entry(catalogue.ids().next().unwrap()).unwrap();
        for value in [Value::Double(value), Value::Double(value.round()), Value::Int(low + width), Value::Int(low - 1)] {
            if let Ok(Value::Int(set)) = entry.settable(value.clone()) {
                prop_assert!((low..=low + width).contains(&set));
                prop_assert!(value.compare(&Value::Int(set)).is_some_and(std::cmp::Ordering::is_eq));
            }
        }
    }
}

#[test]
fn a_tree_grows_once() {
    let first = three();
    let more = |path: &str| [Entry::sensor(path, DataType::FLOAT)];
    assert!(first.grown(more("Vehicle.Speed")).is_err(), "a failed attempt leaves the tree as it was");
    let second = first.grown(more("Vehicle.B")).unwrap();
    assert_eq!(first.grown(more("Vehicle.C")).unwrap_err(), CatalogueError::Outgrown);
    assert_eq!(first.grown([]).unwrap().len(), 3);
    assert_eq!(second.grown(more("Vehicle.C")).unwrap().len(), 5);
}

#[test]
fn the_hash_of_a_tree_sees_every_field() {
    let base = || Entry::actuator("Vehicle.A", DataType::Array(ScalarType::Uint8));
    let hash = |entries: Vec<Entry>| Catalogue::new(entries, Facts::default()).unwrap().tree_hash();
    let mut hashes = vec![
        hash(vec![]),
        hash(vec![base()]),
        hash(vec![Entry::sensor("Vehicle.A", DataType::Array(ScalarType::Uint8))]),
        hash(vec![Entry::actuator("Vehicle.A", DataType::UINT8)]),
        hash(vec![Entry::actuator("Vehicle.B", DataType::Array(ScalarType::Uint8))]),
        hash(vec![base().with_unit("m")]),
        hash(vec![base().with_range(Value::Uint(1), None)]),
        hash(vec![base().with_range(None, Value::Uint(1))]),
        hash(vec![base().with_step(1.0)]),
        hash(vec![base().with_allowed([1_u8, 2].map(Value::from))]),
        hash(vec![base().with_allowed([12_u8].map(Value::from))]),
        hash(vec![base().with_default(Value::Array([Value::Uint(1)].into()))]),
        hash(vec![base().with_array_size(2)]),
        hash(vec![base().with_pattern("a")]),
        hash(vec![base().with_deprecation("a")]),
        hash(vec![base().with_extended("a", "1")]),
        hash(vec![base().with_extended("b", "1")]),
        hash(vec![base(), Entry::sensor("Vehicle.B", DataType::FLOAT)]),
    ];
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
    // FNV-1a of nothing, as its authors publish it.
    assert_eq!(hash(vec![]).to_string(), "6c62272e07bb014262b821756295c58d");
    let denied = three().with_access(|_, _| Access { read: Permission::No, write: Permission::No });
    assert_eq!(denied.tree_hash(), three().tree_hash());
}
