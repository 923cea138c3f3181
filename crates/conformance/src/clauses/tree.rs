//! What a vehicle says of itself.

use coachwork_vehicle::{
    Catalogue, DataType, Entry, ErrorKind, Facts, Get, Request, SignalId, Subscribe, Vehicle,
};

use crate::trial::{Trial, ensure, need, skip};
use crate::verdict::{Failure, Ran, Verdict};

pub(super) async fn v1_paths_rows_and_ids_are_one_to_one(car: &dyn Vehicle, _: &Trial) -> Ran {
    let catalogue = car.catalogue();
    ensure!(!catalogue.is_empty(), "the catalogue is empty");
    for (row, (id, entry)) in catalogue.iter().enumerate() {
        let path = entry.path().as_str();
        ensure!(catalogue.id(path) == Some(id), "{path} resolves to another id than it has");
        ensure!(catalogue.row(id).ok() == Some(row), "{path} stands in another row than its id says");
        ensure!(catalogue.id_at(row) == Some(id), "row {row} has another id than {path}");
    }
    match catalogue.resolve("Vehicle.NobodyHasThis") {
        Err(error) if error.kind() == ErrorKind::UnknownSignal => Ok(Verdict::Passed),
        other => Err(Failure::new(format!("a path that is not there resolves to {other:?}"))),
    }
}

/// An id that no vehicle under test has.
pub(super) fn foreign() -> Option<SignalId> {
    let entry = Entry::actuator("Vehicle.Foreign", DataType::BOOLEAN);
    Catalogue::new([entry], Facts::default()).ok()?.ids().next()
}

pub(super) async fn v2_ids_of_another_catalogue_are_refused(car: &dyn Vehicle, t: &Trial) -> Ran {
    let foreign = need!(foreign(), "there is no other catalogue");
    let wrong = |kind: ErrorKind| kind == ErrorKind::WrongCatalogue;
    let got = t.must("the answer to a get", car.get(Get::of(&[foreign]))).await??;
    let kinds: Vec<_> =
        got.iter().map(|answer| answer.as_ref().map_err(coachwork_vehicle::Error::kind)).collect();
    ensure!(matches!(kinds[..], [Err(kind)] if wrong(kind)), "get answers a foreign id with {got:?}");
    let set = t.must("the answer to a set", car.set(vec![Request::new(foreign, true)])).await??;
    let kinds: Vec<_> =
        set.iter().map(|answer| answer.as_ref().map_err(coachwork_vehicle::Error::kind)).collect();
    ensure!(matches!(kinds[..], [Err(kind)] if wrong(kind)), "set answers a foreign id with {set:?}");
    let watch = t.must("the answer to a subscribe", car.subscribe(Subscribe::to([foreign]))).await?;
    let refused = match &watch {
        Ok(watch) => watch.refused().map(|(_, error)| error.kind()).collect(),
        Err(error) => vec![error.kind()],
    };
    ensure!(matches!(refused[..], [kind] if wrong(kind)), "subscribe answers a foreign id with {refused:?}");
    Ok(Verdict::Passed)
}

pub(super) async fn v3_a_vehicle_names_itself(car: &dyn Vehicle, _: &Trial) -> Ran {
    ensure!(!car.to_string().trim().is_empty(), "its Display is empty");
    ensure!(!format!("{car:?}").trim().is_empty(), "its Debug is empty");
    Ok(Verdict::Passed)
}

pub(super) async fn v59_a_tree_only_grows(car: &dyn Vehicle, t: &Trial) -> Ran {
    const NEW: &str = "Vehicle.Conformance.Grown";
    let before = car.catalogue();
    if before.is_empty() {
        return skip("there is no tree");
    }
    ensure!(before.id(NEW).is_none(), "{NEW} is there already");
    if let Err(why) = t.grow(Entry::sensor(NEW, DataType::UINT8)) {
        return Ok(Verdict::Skipped(why.into()));
    }
    let end = t.now().saturating_add(std::time::Duration::from_secs(5));
    let (after, new) = loop {
        let after = car.catalogue();
        if let Some(new) = after.id(NEW) {
            break (after, new);
        }
        ensure!(t.now() < end, "{NEW} was added, and the catalogue does not show it");
        t.pause(std::time::Duration::from_millis(10)).await;
    };
    ensure!(after.is_lineage_of(&before), "an added signal made ids of before worthless");
    for (id, entry) in before.iter() {
        let path = entry.path();
        ensure!(after.id(path.as_str()) == Some(id), "an added signal changed the id of {path}");
        ensure!(id != new, "{NEW} has the id of {path}");
    }
    ensure!(before.entry(new).is_err(), "a snapshot of before knows {NEW}");
    let answers = t.must("the answer to a get", car.get(Get::of(&[new]))).await??;
    let readable = after.readable(new).is_ok();
    ensure!(answers.len() == 1, "a get of {NEW} has {} answers", answers.len());
    ensure!(answers.iter().all(|a| a.is_ok() == readable), "{NEW} was added, and is read as {answers:?}");
    Ok(Verdict::Passed)
}
