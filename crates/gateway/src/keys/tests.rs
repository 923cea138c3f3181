//! Requests under keys beside a plain list of them, over restarts, kills and losses of power.

use std::path::PathBuf;

use coachwork_vehicle::{ManualClock, Refusal, RefusalKind};
use proptest::prelude::*;

use super::*;

const FAR: Timestamp = Timestamp::from_nanoseconds(i64::MAX);
const NOW: Timestamp = Timestamp::from_nanoseconds(0);

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::default())
}

fn holder(number: u64) -> Holder {
    Holder::of(&Credential::Token(number.to_le_bytes().to_vec().into())).unwrap()
}

fn ask_until(
    keys: &RequestKeys,
    who: Holder,
    name: &str,
    path: &str,
    value: i64,
    until: Timestamp,
) -> Recalled {
    let (key, value) = (key(name), Value::Int(value));
    let keyed = Keyed { key: &key, path, value: &value, until };
    keys.ask(who, &[keyed], NOW, &clock()).remove(0)
}

fn ask(keys: &RequestKeys, who: u64, name: &str, path: &str, value: i64) -> Recalled {
    ask_until(keys, holder(who), name, path, value, FAR)
}

#[track_caller]
fn new(recalled: Recalled) -> Kept {
    match recalled {
        Recalled::New(kept) => kept,
        other => panic!("it is known: {other:?}"),
    }
}

#[track_caller]
fn failed(recalled: Recalled) -> ErrorKind {
    match recalled {
        Recalled::Failed(error) => error.kind(),
        other => panic!("it is no error: {other:?}"),
    }
}

#[track_caller]
fn outcome(recalled: &Recalled) -> Outcome {
    match recalled {
        Recalled::Same(receipt) => match receipt.stage() {
            Stage::Settled(outcome) => outcome,
            Stage::Accepted => panic!("it is open"),
        },
        other => panic!("it is not known: {other:?}"),
    }
}

fn open_receipt() -> Receipt {
    Receipt::new(clock(), coachwork_vehicle::Monotonic::from_nanoseconds(u64::MAX))
}

fn settled(outcome: Outcome) -> Receipt {
    Receipt::settled(clock(), outcome)
}

/// A directory of its own, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        static PLACES: AtomicU64 = AtomicU64::new(0);
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("coachwork-keys-{name}-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self) -> RequestKeys {
        RequestKeys::open(&self.0, KeySync::Never).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.0.join("keys")
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.file()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Ends as a killed process does: without writing anything more.
fn kill(keys: RequestKeys) {
    let mut known = keys.lock();
    (known.file, known.open) = (None, Vec::new());
    drop(known);
    drop(keys);
}

#[test]
fn a_request_is_one_for_its_holder_and_nobody_elses() {
    let (keys, other) = (RequestKeys::in_memory(), RequestKeys::in_memory());
    let kept = new(ask(&keys, 1, "a", "A.A", 5));
    assert_eq!(new(ask(&keys, 1, "a", "A.A", 5)).at_the_vehicle, kept.at_the_vehicle);
    let own = kept.at_the_vehicle.clone();
    keys.answered([(kept, Told::Taken(open_receipt()))]);
    assert!(matches!(ask(&keys, 1, "a", "A.A", 5), Recalled::Same(_)));
    for (path, value) in [("A.B", 5), ("A.A", 6)] {
        assert_eq!(failed(ask(&keys, 1, "a", path, value)), ErrorKind::Conflict);
    }
    // Whoever guesses the key has another one.
    assert_ne!(new(ask(&keys, 2, "a", "A.A", 6)).at_the_vehicle, own);
    assert_ne!(new(ask(&other, 1, "a", "A.A", 6)).at_the_vehicle, own);
    let host = |name: &str| new(ask_until(&keys, Holder::at(name), "a", "A.A", 6, FAR)).at_the_vehicle;
    assert_ne!(host("1"), own);
    assert_ne!(host("1"), host("2"));
    assert_eq!(Holder::of(&Credential::None), None);
    let bytes: Arc<[u8]> = (*b"the same").into();
    assert_ne!(
        Holder::of(&Credential::Token(bytes.clone())),
        Holder::of(&Credential::Certificate(bytes.clone()))
    );
}

#[test]
fn what_a_queue_asks_is_the_same_under_a_newer_token() {
    let keys = RequestKeys::in_memory();
    let name = format!("q/{:032x}/2a", 7);
    let kept = new(ask(&keys, 1, &name, "A.A", 5));
    keys.answered([(kept, Told::Taken(settled(Outcome::Accepted)))]);
    assert_eq!(outcome(&ask(&keys, 2, &name, "A.A", 5)), Outcome::Accepted);
    // It counts for whoever asked first, so that nobody has more than a share by naming many queues.
    for n in 0..u128::from(u16::MAX >> 4) {
        let recalled = ask(&keys, 3, &format!("q/{n:032x}/1"), "A.A", 5);
        if let Recalled::New(kept) = recalled {
            keys.answered([(kept, Told::Taken(settled(Outcome::Accepted)))]);
        }
    }
    assert_eq!(keys.lock().holders[&holder(3)].requests.len(), REMEMBERED);
    assert_eq!(outcome(&ask(&keys, 2, &name, "A.A", 5)), Outcome::Accepted);
    // Other words are nobody's queue.
    for name in ["q/1/2", "q/", "Q/00000000000000000000000000000007/2a"] {
        new(ask(&keys, 1, name, "A.A", 5));
        new(ask(&keys, 2, name, "A.A", 5));
    }
}

#[test]
fn nobody_pushes_out_what_another_asked_and_few_are_remembered() {
    let keys = RequestKeys::in_memory();
    let done = |recalled| keys.answered([(new(recalled), Told::Taken(settled(Outcome::Accepted)))]);
    done(ask(&keys, 1, "a", "A.A", 5));
    for n in 0..=REMEMBERED {
        done(ask(&keys, 2, &n.to_string(), "A.A", 5));
    }
    assert_eq!(outcome(&ask(&keys, 1, "a", "A.A", 5)), Outcome::Accepted);
    assert_eq!(keys.lock().holders[&holder(2)].requests.len(), REMEMBERED);
    for n in 0..HOLDERS as u64 {
        done(ask(&keys, 10 + n, "a", "A.A", 5));
    }
    assert_eq!(keys.lock().holders.len(), HOLDERS);
    // And in all.
    for who in 0..70 {
        for n in 0..1000 {
            done(ask(&keys, 10_000 + who, &n.to_string(), "A.A", 5));
        }
    }
    assert_eq!(keys.lock().requests.len(), IN_ALL);
    let (count, held): (usize, usize) = {
        let known = keys.lock();
        (known.holders.values().map(|order| order.requests.len()).sum(), known.requests.len())
    };
    assert_eq!(count, held);
}

#[test]
fn what_may_still_move_something_is_not_forgotten_for_something_newer() {
    let keys = RequestKeys::in_memory();
    let open = |name: &str, until| ask_until(&keys, holder(1), name, "A.A", 5, until);
    let first = new(open("first", FAR));
    for n in 1..REMEMBERED {
        let until = if n == 7 { Timestamp::from_nanoseconds(-1) } else { FAR };
        new(open(&n.to_string(), until));
    }
    // One whose time is over gives way, and then none does.
    new(open("one more", FAR));
    assert_eq!(failed(open("and another", FAR)), ErrorKind::Limit);
    // Others have room.
    new(ask(&keys, 2, "a", "A.A", 5));
    let receipt = open_receipt();
    keys.answered([(first, Told::Taken(receipt.clone()))]);
    assert_eq!(failed(open("and another", FAR)), ErrorKind::Limit);
    receipt.settle(Outcome::Accepted);
    new(open("and another", FAR));
    new(ask_until(&keys, holder(3), "first", "A.A", 5, FAR));
}

#[test]
fn after_a_restart_what_became_of_it_is_known_or_in_doubt() {
    let place = Place::new("restart");
    let keys = place.open();
    assert_eq!(keys.opened(), KeysOpened::default());
    let refused = Outcome::Refused(Refusal::new(RefusalKind::Busy, "the seat is locked"));
    let long = Outcome::Refused(Refusal::new(RefusalKind::Other, "ä".repeat(300)));
    let outcomes =
        [Outcome::Confirmed(NOW), refused, Outcome::Accepted, Outcome::TimedOut, Outcome::InDoubt, long];
    for (n, outcome) in outcomes.iter().enumerate() {
        let kept = new(ask(&keys, 1, &format!("settled {n}"), "A.A", 5));
        keys.answered([(kept, Told::Taken(settled(outcome.clone())))]);
    }
    let later = open_receipt();
    let kept = new(ask(&keys, 1, "later", "A.A", 5));
    keys.answered([(kept, Told::Taken(later.clone()))]);
    later.settle(Outcome::Accepted);
    keys.write_settled();
    new(ask(&keys, 1, "asked", "A.A", 5));
    let taken = new(ask(&keys, 1, "taken", "A.A", 5));
    keys.answered([(taken, Told::Taken(open_receipt()))]);
    let not_taken = new(ask(&keys, 1, "not taken", "A.A", 5));
    keys.answered([(not_taken, Told::NotTaken)]);
    let unknown = new(ask(&keys, 1, "unknown", "A.A", 5));
    keys.answered([(unknown, Told::Nothing)]);
    let elsewhere = RequestKeys::open(&place.0, KeySync::Each).unwrap_err();
    assert_eq!(elsewhere.kind(), io::ErrorKind::WouldBlock);
    kill(keys);
    // As often as it is restarted, and however much was written since.
    for round in 0..3 {
        let keys = place.open();
        let known = KeysOpened { requests: 10 + round, in_doubt: 3 + round, ..KeysOpened::default() };
        assert_eq!(keys.opened(), known);
        for (n, wanted) in outcomes.iter().enumerate() {
            let seen = outcome(&ask(&keys, 1, &format!("settled {n}"), "A.A", 5));
            match (&seen, wanted) {
                (Outcome::Refused(seen), Outcome::Refused(wanted)) => {
                    assert_eq!(seen.kind(), wanted.kind());
                    let start = seen.text().trim_end_matches('…');
                    assert!(wanted.text().starts_with(start) && start.len() >= wanted.text().len().min(250));
                }
                _ => assert_eq!(seen, *wanted),
            }
        }
        assert_eq!(outcome(&ask(&keys, 1, "later", "A.A", 5)), Outcome::Accepted);
        for name in ["asked", "taken", "unknown"] {
            assert_eq!(outcome(&ask(&keys, 1, name, "A.A", 5)), Outcome::InDoubt);
            assert_eq!(failed(ask(&keys, 1, name, "A.A", 6)), ErrorKind::Conflict);
        }
        let kept = new(ask(&keys, 1, "not taken", "A.A", 5));
        keys.answered([(kept, Told::NotTaken)]);
        new(ask(&keys, 1, &format!("round {round}"), "A.A", 5));
        if round == 1 {
            // Written anew, it says the same.
            let everything = keys.lock().everything();
            keys.lock().file.as_mut().unwrap().rewrite(&everything).unwrap();
        }
        kill(keys);
    }
}

#[test]
fn no_key_credential_or_value_is_in_the_file() {
    let place = Place::new("digests");
    let keys = place.open();
    let who = Holder::of(&Credential::Token(b"a secret token".as_slice().into())).unwrap();
    let (key, value) = (key("a telling key"), Value::Text("a private text".into()));
    let keyed = Keyed { key: &key, path: "Vehicle.A.Place", value: &value, until: FAR };
    new(keys.ask(who, &[keyed], NOW, &clock()).remove(0));
    let bytes = String::from_utf8_lossy(&place.bytes()).into_owned();
    for word in ["secret", "telling", "private", "Vehicle", "Place"] {
        assert!(!bytes.contains(word), "{word}");
    }
    assert!(!bytes.is_empty());
}

#[test]
fn what_cannot_be_written_down_is_not_asked() {
    let place = Place::new("full");
    let keys = place.open();
    let kept = new(ask(&keys, 1, "before", "A.A", 5));
    keys.answered([(kept, Told::Taken(settled(Outcome::Accepted)))]);
    keys.lock().file.as_mut().unwrap().break_down();
    std::fs::create_dir(place.0.join("keys.new")).unwrap();
    for _ in 0..2 {
        assert_eq!(failed(ask(&keys, 1, "a", "A.A", 5)), ErrorKind::Unavailable);
    }
    // What is known stays known.
    assert_eq!(outcome(&ask(&keys, 1, "before", "A.A", 5)), Outcome::Accepted);
    std::fs::remove_dir(place.0.join("keys.new")).unwrap();
    // Once there is room, it is written anew, and then asked.
    new(ask(&keys, 1, "a", "A.A", 5));
    kill(keys);
    let keys = place.open();
    assert_eq!(outcome(&ask(&keys, 1, "a", "A.A", 5)), Outcome::InDoubt);
    assert_eq!(outcome(&ask(&keys, 1, "before", "A.A", 5)), Outcome::Accepted);
    assert_eq!((keys.opened().requests, keys.opened().in_doubt), (2, 1));
}

#[test]
fn the_file_stays_small() {
    let place = Place::new("small");
    let keys = place.open();
    for n in 0..20_000 {
        let kept = new(ask(&keys, 1, &n.to_string(), "A.A", 5));
        keys.answered([(kept, Told::Taken(settled(Outcome::Confirmed(NOW))))]);
    }
    let length = place.bytes().len();
    // Of 1,024 requests about a hundred bytes each, twice, and a mebibyte of slack.
    assert!(length < 1_400_000, "{length}");
    kill(keys);
    let keys = place.open();
    assert_eq!(keys.opened().requests, REMEMBERED);
    assert_eq!(outcome(&ask(&keys, 1, "19999", "A.A", 5)), Outcome::Confirmed(NOW));
    assert_eq!(outcome(&ask(&keys, 1, "18976", "A.A", 5)), Outcome::Confirmed(NOW));
    new(ask(&keys, 1, "18975", "A.A", 5));
}

/// The end of the last record of something that is asked: all before it is synced.
fn synced(data: &[u8]) -> usize {
    let (mut at, mut end) = (0, 0);
    while let Some((record, length)) = Record::decode(&data[at..]) {
        at += length;
        if matches!(record, Record::Asked { .. }) {
            end = at;
        }
    }
    end
}

#[test]
fn a_kill_at_any_byte_leaves_what_was_asked_known_or_in_doubt() {
    let place = Place::new("any-byte");
    let keys = place.open();
    let mut ends = Vec::new();
    for n in 0..5_i64 {
        let kept = new(ask(&keys, 1, &n.to_string(), "A.A", n));
        let asked = place.bytes().len();
        let how = if n % 2 == 0 { Outcome::Accepted } else { Outcome::Confirmed(NOW) };
        keys.answered([(kept, Told::Taken(settled(how.clone())))]);
        ends.push((asked, place.bytes().len(), how));
    }
    kill(keys);
    let whole = place.bytes();
    for length in 0..=whole.len() {
        std::fs::write(place.file(), &whole[..length]).unwrap();
        let keys = RequestKeys::open(&place.0, KeySync::Each).unwrap();
        for (n, (asked, told, how)) in ends.iter().enumerate() {
            let recalled = ask(&keys, 1, &n.to_string(), "A.A", i64::try_from(n).unwrap());
            match (length >= *asked, length >= *told) {
                (_, true) => assert_eq!(outcome(&recalled), *how, "{length}"),
                (true, false) => assert_eq!(outcome(&recalled), Outcome::InDoubt, "{length}"),
                (false, false) => {
                    new(recalled);
                }
            }
        }
        kill(keys);
    }
}

#[test]
fn damage_of_what_was_asked_is_an_error_and_touches_nothing() {
    let place = Place::new("damage");
    let keys = place.open();
    for n in 0..3 {
        let kept = new(ask(&keys, 1, &n.to_string(), "A.A", 5));
        keys.answered([(kept, Told::Taken(settled(Outcome::Accepted)))]);
    }
    kill(keys);
    let whole = place.bytes();
    let last = synced(&whole);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        std::fs::write(place.file(), &changed).unwrap();
        let opened = RequestKeys::open(&place.0, KeySync::Each);
        let start = last - 65;
        if at < start {
            assert_eq!(opened.unwrap_err().kind(), io::ErrorKind::InvalidData, "{at}");
            assert_eq!(place.bytes(), changed);
        } else {
            // The last one may be one that was never finished; how it was settled is lost, and so in doubt.
            let keys = opened.unwrap();
            let recalled = ask(&keys, 1, "2", "A.A", 5);
            if at < last {
                new(recalled);
            } else {
                assert_eq!(outcome(&recalled), Outcome::InDoubt);
            }
            kill(keys);
        }
        // Without syncs such a hole is what a loss of power leaves.
        std::fs::write(place.file(), &changed).unwrap();
        let keys = place.open();
        let opened = keys.opened();
        assert!(opened.damaged > 0 || opened.cut > 0, "{at}: {opened:?}");
        kill(keys);
    }
}

#[derive(Clone, Debug)]
enum Act {
    /// Ask for this request, and what the vehicle does then.
    Ask(u8, Vehicle),
    /// A receipt that is open is settled.
    Settle(u8),
    Write,
    Kill,
    /// How much of what was not synced is lost.
    LosePower(u8),
    /// A page in the middle of what was not synced is lost.
    Hole(u8, u8),
    Rewrite,
}

#[derive(Clone, Copy, Debug)]
enum Vehicle {
    Settles(u8),
    Takes,
    Refuses,
    /// The call is dropped, after it moved something or before.
    Dropped(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let vehicle = prop_oneof![
        any::<u8>().prop_map(Vehicle::Settles),
        Just(Vehicle::Takes),
        Just(Vehicle::Refuses),
        any::<bool>().prop_map(Vehicle::Dropped),
    ];
    prop_oneof![
        8 => (0..12_u8, vehicle).prop_map(|(which, vehicle)| Act::Ask(which, vehicle)),
        3 => (0..12_u8).prop_map(Act::Settle),
        2 => Just(Act::Write),
        2 => Just(Act::Kill),
        1 => any::<u8>().prop_map(Act::LosePower),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(from, length)| Act::Hole(from, length)),
        1 => Just(Act::Rewrite),
    ]
}

/// What a plain list knows of one request.
#[derive(Default)]
struct Plain {
    /// How often it has moved in this life of the process (then the vehicle knows its key), and in all lives.
    moved: u32,
    moved_in_this_life: bool,
    receipt: Option<Receipt>,
    /// What was said of it to whoever asked.
    said: Option<Outcome>,
}

proptest! {
    #[test]
    fn nothing_moves_twice_whatever_happens(acts in prop::collection::vec(act(), 1..60)) {
        let place = Place::new("model");
        let open = || RequestKeys::open(&place.0, KeySync::Each).unwrap();
        let mut keys = open();
        let mut plain: Vec<Plain> = (0..12).map(|_| Plain::default()).collect();
        for act in acts {
            match act {
                Act::Ask(which, vehicle) => {
                    let one = &mut plain[usize::from(which)];
                    let recalled = ask(&keys, u64::from(which % 3), &which.to_string(), "A.A", which.into());
                    match recalled {
                        Recalled::New(kept) => {
                            let moves = |one: &mut Plain| {
                                // In one life, the vehicle knows the key that it is asked under.
                                one.moved += u32::from(!one.moved_in_this_life);
                                one.moved_in_this_life = true;
                            };
                            match vehicle {
                                Vehicle::Settles(how) => {
                                    moves(one);
                                    let at = Timestamp::from_nanoseconds(how.into());
                                    let receipt = settled(Outcome::Confirmed(at));
                                    one.receipt = Some(receipt.clone());
                                    keys.answered([(kept, Told::Taken(receipt))]);
                                }
                                Vehicle::Takes => {
                                    moves(one);
                                    let receipt = open_receipt();
                                    one.receipt = Some(receipt.clone());
                                    keys.answered([(kept, Told::Taken(receipt))]);
                                }
                                Vehicle::Refuses if one.moved_in_this_life => {}
                                Vehicle::Refuses => keys.answered([(kept, Told::NotTaken)]),
                                Vehicle::Dropped(true) => moves(one),
                                Vehicle::Dropped(false) => {}
                            }
                        }
                        Recalled::Same(receipt) => match receipt.stage() {
                            Stage::Settled(said) => {
                                let known = one.receipt.as_ref().map(Receipt::stage);
                                if said != Outcome::InDoubt {
                                    prop_assert_eq!(known, Some(Stage::Settled(said.clone())));
                                }
                                // What was said once stays so, unless the power took it.
                                if let Some(before) = &one.said
                                    && *before != Outcome::InDoubt
                                {
                                    prop_assert!(said == *before || said == Outcome::InDoubt);
                                }
                                one.said = Some(said);
                            }
                            Stage::Accepted => prop_assert!(one.moved_in_this_life),
                        },
                        Recalled::Failed(error) => prop_assert!(false, "{}", error),
                    }
                    prop_assert!(one.moved <= 1, "{which} has moved twice");
                }
                Act::Settle(which) => {
                    if let Some(receipt) = &plain[usize::from(which)].receipt {
                        receipt.settle(Outcome::Accepted);
                    }
                }
                Act::Write => keys.write_settled(),
                Act::Rewrite => {
                    let everything = keys.lock().everything();
                    keys.lock().file.as_mut().unwrap().rewrite(&everything).unwrap();
                }
                Act::Kill | Act::LosePower(_) | Act::Hole(..) => {
                    kill(keys);
                    let mut data = place.bytes();
                    let sure = synced(&data);
                    let loose = data.len() - sure;
                    match act {
                        Act::LosePower(part) => data.truncate(sure + loose * usize::from(part) / 256),
                        Act::Hole(from, length) => {
                            let from = sure + loose * usize::from(from) / 256;
                            let end = data.len().min(from + usize::from(length));
                            data[from..end].fill(0);
                        }
                        _ => {}
                    }
                    std::fs::write(place.file(), data).unwrap();
                    keys = open();
                    for one in &mut plain {
                        one.moved_in_this_life = false;
                    }
                }
            }
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written(
        ids in any::<[[u8; 16]; 3]>(), time in any::<i64>(), kind in 0..6_usize, text in ".{0,80}", which in 0..7_u8
    ) {
        let [id, owner, content] = ids;
        let at = Timestamp::from_nanoseconds(time);
        let record = match which {
            0 => Record::Asked { id, owner, content, until: at },
            1 => Record::Withdrawn { id },
            2 => Record::Settled { id, outcome: Outcome::Confirmed(at) },
            3 => Record::Settled { id, outcome: Outcome::Refused(Refusal::new(RefusalKind::ALL[kind], text)) },
            4 => Record::Settled { id, outcome: Outcome::Accepted },
            5 => Record::Settled { id, outcome: Outcome::TimedOut },
            _ => Record::Settled { id, outcome: Outcome::InDoubt },
        };
        let mut data = Vec::new();
        record.encode(&mut data);
        prop_assert_eq!(Record::decode(&data), Some((record, data.len())));
        for length in 0..data.len() {
            prop_assert_eq!(Record::decode(&data[..length]), None);
        }
    }
}

#[test]
fn one_that_was_not_taken_is_asked_again_unless_somebody_else_is_still_asking() {
    let keys = RequestKeys::in_memory();
    let (first, second) = (new(ask(&keys, 1, "a", "A.A", 5)), new(ask(&keys, 1, "a", "A.A", 5)));
    keys.answered([(first, Told::NotTaken)]);
    keys.answered([(second, Told::Taken(settled(Outcome::Accepted)))]);
    assert_eq!(outcome(&ask(&keys, 1, "a", "A.A", 5)), Outcome::Accepted);
    let lone = new(ask(&keys, 1, "b", "A.A", 5));
    keys.answered([(lone, Told::NotTaken)]);
    // Even as another request: nothing was made of the first one.
    new(ask(&keys, 1, "b", "A.A", 6));
}
