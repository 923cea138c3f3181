//! Recordings that come back as they were said, and what becomes of those that are broken.

use super::*;
use crate::{
    Catalogue, DataType, Datapoint, Entry, ErrorKind, Event, Facts, ManualClock, MemoryVehicle, Permission,
    Reason, ReasonKind, ScalarType, Set, State, Subscribe, TimeBase, Timestamp, Value, Vehicle, VehicleExt,
};
use futures::FutureExt;
use futures::executor::block_on;
use proptest::prelude::*;
use std::time::Duration;

const TYPES: [DataType; 7] = [
    DataType::FLOAT,
    DataType::DOUBLE,
    DataType::INT8,
    DataType::UINT64,
    DataType::BOOLEAN,
    DataType::STRING,
    DataType::Array(ScalarType::String),
];

fn car(clock: &ManualClock) -> MemoryVehicle {
    let entries = TYPES.iter().enumerate().map(|(n, data_type)| {
        let entry = Entry::actuator(&format!("Signal{n}"), *data_type).with_unit("km/h");
        if n == 2 { entry.with_range(Value::Int(-5), Value::Int(100)).with_step(0.5) } else { entry }
    });
    MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), Arc::new(clock.clone()))
}

fn open(
    text: impl Into<Vec<u8>>,
    pace: Pace,
) -> Result<(Recorded, crate::Driver, ManualClock), RecordingError> {
    let clock = ManualClock::default();
    let reader = io::Cursor::new(text.into());
    let (car, driver) = Recorded::open("drive.rec", reader, Arc::new(clock.clone()), pace)?;
    Ok((car, driver, clock))
}

fn told(watch: &mut crate::Subscription) -> Vec<(String, Datapoint)> {
    let mut told = Vec::new();
    while let Some(Some(event)) = watch.next().now_or_never() {
        let Event::Changed(points) = event else { panic!("{event:?}") };
        told.extend(points.iter().map(|(id, point)| (watch.path(id).to_owned(), point.clone())));
    }
    told
}

fn value() -> impl Strategy<Value = (usize, Value)> {
    prop_oneof![
        any::<f32>().prop_map(|v| (0, Value::Float(v))),
        any::<f64>().prop_map(|v| (1, Value::Double(v))),
        any::<i8>().prop_map(|v| (2, Value::Int(v.into()))),
        any::<u64>().prop_map(|v| (3, Value::Uint(v))),
        any::<bool>().prop_map(|v| (4, Value::Bool(v))),
        any::<String>().prop_map(|v| (5, Value::Text(v.into()))),
        prop::collection::vec(any::<String>(), 0..4)
            .prop_map(|v| (6, Value::Array(v.into_iter().map(|v| Value::Text(v.into())).collect()))),
    ]
}

fn point() -> impl Strategy<Value = (usize, State, i64, i64)> {
    let reason =
        (0..ReasonKind::ALL.len(), prop::option::of(any::<String>())).prop_map(|(kind, text)| match text {
            Some(text) => Reason::because(ReasonKind::ALL[kind], text),
            None => Reason::new(ReasonKind::ALL[kind]),
        });
    (value(), 0..5, reason, any::<i64>(), any::<i64>()).prop_map(
        |((signal, value), kind, reason, source, received)| {
            let state = match kind {
                0 | 1 => State::Valid(value),
                2 => State::Stale(value),
                3 => State::NotAvailable(reason),
                _ => State::Error(reason),
            };
            (signal, state, source, received)
        },
    )
}

proptest! {
    #[test]
    fn what_was_said_is_said_again(groups in prop::collection::vec(prop::collection::vec(point(), 1..5), 0..8)) {
        let clock = ManualClock::default();
        let car = car(&clock);
        let mut watch = block_on(car.subscribe(Subscribe::to(car.catalogue().ids()).queue(1000))).unwrap();
        let mut recorder = Recorder::new(Vec::new(), &watch).unwrap();
        let (mut said, mut count) = (Vec::new(), 0);
        for group in std::iter::once(Vec::new()).chain(groups) {
            let points: Vec<_> = group.iter().map(|(signal, state, source, received)| {
                let times = [*source, *received].map(Timestamp::from_nanoseconds);
                (format!("Signal{signal}"), Datapoint { state: state.clone(), source: times[0], received: times[1] })
            }).collect();
            let named: Vec<_> = points.iter().map(|(path, point)| (path.as_str(), point.clone())).collect();
            car.publish(&named).unwrap();
            while let Some(Some(event)) = watch.next().now_or_never() {
                let Event::Changed(points) = &event else { panic!("{event:?}") };
                said.extend(points.iter().map(|(id, point)| (watch.path(id).to_owned(), point.clone())));
                count += recorder.write(Timestamp::from_seconds(7), &event).unwrap();
            }
        }
        let text = recorder.end("done").unwrap();
        let (again, driver, _) = open(text, Pace::Unpaced).unwrap();
        let mut watch = block_on(again.subscribe(Subscribe::to(again.catalogue().ids()).queue(1000))).unwrap();
        let before = told(&mut watch).len();
        block_on(driver).unwrap();
        let heard = told(&mut watch);
        let all = again.catalogue().len();
        prop_assert_eq!(before, all);
        let heard = &heard[..heard.len() - all];
        prop_assert_eq!(heard.len() as u64, count);
        for (heard, said) in heard.iter().zip(&said) {
            prop_assert_eq!(&heard.0, &said.0);
            prop_assert!(heard.1.state.same(&said.1.state), "{:?} is not {:?}", heard.1, said.1);
            prop_assert_eq!((heard.1.source, heard.1.received), (said.1.source, said.1.received));
        }
        prop_assert_eq!((again.playback().points, again.playback().bad), (count, 0));
    }

    #[test]
    fn any_text_is_a_recording_or_an_error(text in "[-@=~?!a-z0-9\t\n.]{0,200}") {
        for head in ["", "coachwork-recording 1 utc\nsignal\tA\tsensor\tuint8\nsignal\tB\tsensor\tstring[]\n"] {
            if let Ok((car, driver, _)) = open(format!("{head}{text}"), Pace::Unpaced) {
                block_on(driver).unwrap();
                prop_assert!(car.playback().ended.is_some());
            }
        }
    }
}

#[test]
fn the_catalogue_is_the_recorded_one_to_be_read_alone() {
    let car = car(&ManualClock::default());
    let watch = block_on(car.subscribe(Subscribe::to(car.catalogue().ids()))).unwrap();
    let text = Recorder::new(Vec::new(), &watch).unwrap().end("").unwrap();
    let (again, ..) = open(text, Pace::Unpaced).unwrap();
    let (before, after) = (car.catalogue(), again.catalogue());
    assert_eq!(
        before.iter().map(|(_, e)| e.clone()).collect::<Vec<_>>(),
        after.iter().map(|(_, e)| e.clone()).collect::<Vec<_>>()
    );
    assert!(after.ids().all(|id| after.access(id).unwrap().write == Permission::No));
    let refused = block_on(again.write_path("Signal2", 1_i8, Set::default())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotActuator);
    assert!(after.facts().back_pressure);
}

const DRIVE: &str = "coachwork-recording 1 unknown\nsignal\tA\tsensor\tuint8\n@1000000000\n0\t=1\n@1100000000\n0\t=2\n@3000000000\n0\t~2\n";

#[test]
fn it_is_stepped_by_the_manual_clock_at_any_speed() {
    for (speed, step) in [(1.0, 100), (2.0, 50), (0.1, 1000)] {
        let (car, driver, clock) = open(DRIVE, Pace::Times(speed)).unwrap();
        assert_eq!(car.catalogue().facts().time, TimeBase::Unknown);
        let mut driver = Some(driver);
        let mut at = |milliseconds| {
            clock.advance(Duration::from_millis(milliseconds));
            for _ in 0..8 {
                if driver.as_mut().and_then(FutureExt::now_or_never).is_some() {
                    driver = None;
                }
            }
            block_on(car.read_path("A")).unwrap().state.to_string()
        };
        assert_eq!(at(0), "1");
        assert_eq!(at(step - 1), "1");
        assert_eq!(at(1), "2");
        assert_eq!(car.playback().at, Some(Timestamp::from_nanoseconds(1_100_000_000)));
        assert_eq!(at(step * 19 - 1), "2");
        assert_eq!(at(1), "not available: drive.rec has ended: it was cut off");
        assert_eq!(car.playback().points, 3);
    }
}

#[test]
fn a_playback_ends_with_its_vehicle() {
    let (car, mut driver, _clock) = open(DRIVE, Pace::Times(1.0)).unwrap();
    assert!((&mut driver).now_or_never().is_none());
    drop(car);
    assert!(matches!(driver.now_or_never(), Some(Ok(()))));
}

#[test]
fn a_reader_holds_it_back() {
    let many = (0..1000).map(|n| format!("@{n}\n0\t={}\n", n % 256)).collect::<Vec<_>>().concat();
    let (car, mut driver, _) =
        open(format!("coachwork-recording 1 utc\nsignal\tA\tsensor\tuint8\n{many}end\t\n"), Pace::Unpaced)
            .unwrap();
    let mut watch = block_on(car.subscribe(Subscribe::to(car.catalogue().ids()).block(4))).unwrap();
    for _ in 0..100 {
        assert!((&mut driver).now_or_never().is_none());
    }
    assert!(car.playback().points <= 4);
    let mut heard = 0;
    for _ in 0..5000 {
        heard += told(&mut watch).len();
        if let Some(ended) = (&mut driver).now_or_never() {
            ended.unwrap();
            break;
        }
    }
    assert_eq!(heard + told(&mut watch).len(), 1002, "the first look, 1000 points, and the end");
}

#[test]
fn a_bad_line_costs_itself_alone() {
    let text = "coachwork-recording 1 utc\nsignal\tA\tsensor\tuint8\n@1\n0\t=300\n0\t=3\nnonsense\n9\t=1\n0\t=4\tx\n@then\nlost\t7\nlost\tmany\n0\t=5\nend\tdone\n";
    let (car, driver, _) = open(text, Pace::Unpaced).unwrap();
    block_on(driver).unwrap();
    let playback = car.playback();
    assert_eq!((playback.points, playback.bad, playback.lost), (2, 6, 7));
    assert_eq!(playback.ended.unwrap(), "drive.rec has ended: done");
}

#[test]
fn lines_are_bounded() {
    let long = "x".repeat(MAX_LINE + 10);
    let (car, driver, _) = open(format!("{DRIVE}{long}\n0\t=9\n"), Pace::Unpaced).unwrap();
    block_on(driver).unwrap();
    assert_eq!((car.playback().bad, car.playback().points), (1, 4));
    let memory = car_with_text();
    let mut watch = block_on(memory.subscribe(Subscribe::to(memory.catalogue().ids()).queue(4))).unwrap();
    let mut recorder = Recorder::new(Vec::new(), &watch).unwrap();
    memory.publish(&[("T", Datapoint::valid(long.as_str(), Timestamp::EPOCH))]).unwrap();
    let mut wrote = Ok(0);
    while let Some(Some(event)) = watch.next().now_or_never() {
        wrote = wrote.and(recorder.write(Timestamp::EPOCH, &event));
    }
    assert!(wrote.unwrap_err().to_string().contains("cannot be recorded"));
}

fn car_with_text() -> MemoryVehicle {
    let entries = [Entry::sensor("T", DataType::STRING)];
    MemoryVehicle::new(Catalogue::new(entries, Facts::default()).unwrap(), Arc::new(ManualClock::default()))
}

#[test]
fn what_is_no_recording_says_where_and_why() {
    for (text, expected) in [
        ("", "drive.rec:1: this is no recording that begins with `coachwork-recording 1`"),
        (
            "coachwork-recording 2 utc\n",
            "drive.rec:1: this is no recording that begins with `coachwork-recording 1`",
        ),
        (
            "coachwork-recording 1 utc\nsignal\tA\tsensor\tuint7\n",
            "drive.rec:2: not a signal: signal\tA\tsensor\tuint7",
        ),
        (
            "coachwork-recording 1 utc\nsignal\tA\tsensor\tuint8\nsignal\tA\tsensor\tuint8\n@1\n",
            "drive.rec:4: not a signal: A is there twice",
        ),
    ] {
        assert_eq!(open(text, Pace::Unpaced).err().unwrap().to_string(), expected);
    }
}
