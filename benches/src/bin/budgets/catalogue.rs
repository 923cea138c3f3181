//! What it costs to find a signal and to read it: by path, by id, by typed constant.
//!
//! *Invariant:* every one of the 1,267 leaves is looked up, and found, in a random order.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use coachwork_benches::clock::time;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::random::Random;
use coachwork_benches::rounds::{median, paired};
use coachwork_vehicle::{
    Catalogue, Datapoint, Facts, ManualClock, MemoryVehicle, Timestamp, VehicleExt, vss,
};
use futures::executor::block_on;

use crate::Run;

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let all = Catalogue::new(vss::entries(), Facts::default()).expect("a catalogue");
    let mut paths: Vec<String> = all.iter().map(|(_, entry)| entry.path().to_string()).collect();
    let mut random = Random::new(1);
    for last in (1..paths.len()).rev() {
        paths.swap(last, random.below(last as u64 + 1) as usize);
    }
    let ids: Vec<_> = paths.iter().map(|path| all.resolve(path).expect("a leaf")).collect();
    let map: HashMap<&str, usize> = paths.iter().enumerate().map(|(at, path)| (path.as_str(), at)).collect();
    assert!(paths.iter().all(|path| map.contains_key(path.as_str())));
    let passes = (run.frames / paths.len()).max(1);
    let each = |look: &dyn Fn(usize) -> bool| {
        let all_found = |_| (0..paths.len()).filter(|&at| look(at)).count() == paths.len();
        let mut found = true;
        let took = time(|| found = (0..passes).all(all_found));
        assert!(found);
        took / (passes * paths.len()) as f64
    };
    let by_path = paired(
        run.rounds,
        || each(&|at| black_box(&all).id(&paths[at]).is_some()),
        || each(&|at| black_box(&map).contains_key(paths[at].as_str())),
    );
    let by_id =
        |_| each(&|at| black_box(&all).entry(ids[at]).is_ok_and(|entry| entry.path().as_str().len() > 3));
    let by_id = median((0..run.rounds).map(by_id));
    let constant = |_| each(&|_| vss::SPEED.resolve(black_box(&all)).is_ok());
    let constant = median((0..run.rounds).map(constant));
    let made = |_| time(|| drop(black_box(Catalogue::new(vss::entries(), Facts::default())))) / 1e6;
    let made = median((0..run.rounds).map(made));
    let car = MemoryVehicle::new(all, Arc::new(ManualClock::default()));
    let point = Datapoint::valid(50.5_f32, Timestamp::from_seconds(1));
    car.publish(&[("Vehicle.Speed", point)]).expect("a leaf");
    let read = |_| {
        let reads = run.frames / 10;
        let right = |_| block_on(car.read(vss::SPEED)).is_ok_and(|read| read.valid() == Ok(50.5));
        let mut all_right = true;
        let took = time(|| all_right = (0..reads).all(right));
        assert!(all_right);
        took / reads as f64
    };
    let read = median((0..run.rounds).map(read));
    vec![
        Line::new("by path / HashMap<&str, usize>", by_path, Budget::Figure(50.0)),
        Line::alone("by id", by_id, Budget::Figure(5.0)),
        Line::alone("by typed constant", constant, Budget::Figure(5.0)),
        Line::alone("typed read of a vehicle in memory", read, Budget::Figure(1000.0)),
        Line::alone("VSS 6.0 made, ms", made, Budget::Figure(20.0)),
    ]
}
