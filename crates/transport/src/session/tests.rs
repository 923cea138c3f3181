//! Both sessions against each other, with a clock that is stepped and a vehicle that is a table.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use coachwork_vehicle::{
    Access, Catalogue, DataType, Datapoint, Entry, Event, Facts, Filter, Key, Overflow, Permission, Points,
    Reason, ReasonKind, Receipts, Refusal, RefusalKind, Request, ScalarType, Set, SignalId, State, Subscribe,
    TimeBase, Value,
};

use super::*;
use crate::viss::{
    Answer, Call, Dialect, EncodedEvent, EncodedMetadata, Form, SubscriptionId, Target, Wanted,
};
use crate::{Limits, Message};
use bytes::Bytes;
use coachwork_vehicle::{Credential, Error, ErrorKind, Outcome, Stage};

pub(super) const SECOND: Duration = Duration::from_secs(1);

fn moment(seconds: u64) -> Moment {
    let time = Timestamp::from_seconds(1_700_000_000).saturating_add(Duration::from_secs(seconds));
    Moment { time, monotonic: Monotonic::from_nanoseconds(seconds * 1_000_000_000) }
}

fn catalogue() -> Arc<Catalogue> {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT)
            .with_unit("km/h")
            .with_range(Value::from(0.0), Value::from(300.5))
            .with_stale_after(Duration::from_millis(250)),
        Entry::actuator("Vehicle.Cabin.Seat.Heating", DataType::INT8)
            .with_unit("percent")
            .with_range(Value::from(-100_i8), Value::from(100_i8))
            .with_step(0.5),
        Entry::attribute("Vehicle.Name", DataType::STRING).with_allowed(["a \"b\"".into(), "".into()]),
        Entry::sensor("Vehicle.Codes", DataType::Array(ScalarType::Uint16))
            .with_allowed([Value::from(7_u16)]),
        Entry::sensor("Trailer.Coupled", DataType::BOOLEAN),
        // A signal below a signal: VSS has none, a catalogue may.
        Entry::sensor("Vehicle.Speed.Limit", DataType::UINT64),
    ];
    let mut facts = Facts::default();
    (facts.receipts, facts.back_pressure, facts.time) = (Receipts::Accepted, true, TimeBase::Unknown);
    let catalogue = Catalogue::new(entries, facts).unwrap();
    let seat = catalogue.id("Vehicle.Cabin.Seat.Heating").unwrap();
    let denied = Reason::because(ReasonKind::Denied, "not in your plan");
    let catalogue = catalogue.with_access(|id, access| {
        if id == seat {
            Access { write: Permission::Denied(denied.clone()), ..access.clone() }
        } else {
            access.clone()
        }
    });
    Arc::new(catalogue)
}

/// Both ends, and the messages under way between them.
pub(super) struct Pair {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) client: ClientSession,
    pub(super) server: ServerSession,
    pub(super) to_server: VecDeque<Bytes>,
    pub(super) to_client: VecDeque<Bytes>,
    pub(super) now: u64,
}

impl Pair {
    /// Two ends that have not spoken yet.
    fn new(dialect: Dialect, limits: &Limits) -> Self {
        let catalogue = catalogue();
        let mut client = ClientSession::new(dialect, Credential::None, limits);
        client.set_catalogue(catalogue.clone());
        let server = ServerSession::new(dialect, Credential::None, limits);
        let (to_server, to_client) = (VecDeque::new(), VecDeque::new());
        Self { catalogue, client, server, to_server, to_client, now: 0 }
    }

    /// Two ends of which the client asked for additional members and got them.
    pub(super) fn with_additions(limits: &Limits) -> Self {
        let mut pair = Self::new(Dialect::V3, limits);
        pair.metadata();
        assert!(pair.client.has_additions());
        pair
    }

    /// Two ends that keep to pure VISS.
    fn pure(dialect: Dialect) -> Self {
        Self::pure_within(dialect, &Limits::default())
    }

    /// The same, within limits.
    pub(super) fn pure_within(dialect: Dialect, limits: &Limits) -> Self {
        let mut pair = Self::new(dialect, limits);
        pair.client = pair.client.pure();
        pair
    }

    pub(super) fn now(&self) -> Moment {
        moment(self.now)
    }

    fn metadata(&mut self) -> crate::viss::Metadata {
        let now = self.now();
        let (asked, message) = self.client.metadata(Target::everything(), SECOND, now).unwrap();
        let (ticket, call) = self.serve(message);
        let Call::Metadata { target, generations } = call else { panic!("{call:?}") };
        let metadata =
            EncodedMetadata::new(self.server.form(), &self.catalogue, &target, generations).unwrap();
        let Reply::Metadata(metadata) = self.answered(asked, ticket, &Answer::Metadata(metadata)).unwrap()
        else {
            panic!()
        };
        metadata
    }

    fn serve(&mut self, message: Bytes) -> (Ticket, Call) {
        match self.server.receive(&Message::Text(message), moment(self.now)) {
            Received::Call { ticket, call, .. } => (ticket, call),
            Received::Refused { reply, .. } => panic!("{}", String::from_utf8_lossy(&reply)),
        }
    }

    fn answered(&mut self, asked: Ticket, ticket: Ticket, answer: &Answer) -> Result<Reply, Error> {
        let message = self.server.answer(ticket, answer, self.now()).unwrap();
        let text = String::from_utf8(message.to_vec()).unwrap();
        match self.client.receive(&Message::Text(message), self.now()) {
            Ok(Arrived::Answer { ticket, answer }) if ticket == asked => answer,
            other => panic!("{text} became {other:?}"),
        }
    }

    pub(super) fn event(&mut self, subscription: &SubscriptionId, event: &EncodedEvent) -> Message {
        let head = self.server.event(subscription, event).unwrap();
        Message::Text([head, event.body().clone()].concat().into())
    }

    pub(super) fn ids(&self, paths: &[&str]) -> Vec<SignalId> {
        paths.iter().map(|path| self.catalogue.id(path).unwrap()).collect()
    }

    /// Subscribes, and answers it.
    fn subscribed(&mut self, wish: &Subscribe) -> SubscriptionId {
        let now = self.now();
        let (asked, message) = self.client.subscribe(wish, SECOND, now).unwrap();
        let (ticket, _) = self.serve(message);
        let reply = self.answered(asked, ticket, &Answer::Subscribed { refused: Vec::new() });
        let Ok(Reply::Subscribed { subscription, .. }) = reply else { panic!() };
        subscription
    }
}

fn states() -> Vec<State> {
    vec![
        State::Valid(Value::Float(50.1)),
        State::Stale(Value::Float(-0.0)),
        State::NeverSet,
        State::NotAvailable(Reason::new(ReasonKind::Link)),
        State::NotAvailable(Reason::because(ReasonKind::Source, "a \"bad\" \\ day\n")),
        State::Error(Reason::because(ReasonKind::Malformed, "")),
    ]
}

#[test]
fn the_catalogue_is_rebuilt_at_the_client() {
    let mut pair = Pair::new(Dialect::V3, &Limits::default());
    let metadata = pair.metadata();
    assert!(metadata.skipped.is_empty(), "{:?}", metadata.skipped);
    assert_eq!(metadata.facts.as_ref(), Some(pair.catalogue.facts()));
    assert_eq!(metadata.revision, Some(0));
    assert_eq!(metadata.entries.len(), pair.catalogue.len());
    for (entry, access) in metadata.entries {
        let id = pair.catalogue.id(entry.path().as_str()).unwrap();
        assert_eq!(&entry, pair.catalogue.entry(id).unwrap());
        assert_eq!(&access, pair.catalogue.access(id).unwrap());
    }
}

#[test]
fn metadata_of_a_branch_begins_with_its_name_and_pure_viss_has_no_additional_members() {
    let catalogue = catalogue();
    let body = |path: &str, generations, form| {
        let target = Target::path(path).unwrap();
        let metadata = EncodedMetadata::new(form, &catalogue, &target, generations);
        metadata.map(|metadata| String::from_utf8(metadata.members.to_vec()).unwrap())
    };
    let pure = Form::pure(Dialect::V3);
    assert_eq!(
        body("Vehicle.Cabin.Seat", 0, pure).unwrap(),
        r#","metadata":{"Seat":{"type":"branch","children":{"Heating":{"type":"actuator","datatype":"int8","unit":"percent","min":"-100","max":"100"}}}}"#
    );
    assert_eq!(
        body("Vehicle.Cabin", 1, pure).unwrap(),
        r#","metadata":{"Cabin":{"type":"branch","children":{}}}"#
    );
    assert_eq!(
        body("Trailer.Coupled", 0, pure).unwrap(),
        r#","metadata":{"Coupled":{"type":"sensor","datatype":"boolean"}}"#
    );
    assert_eq!(body("Vehicle.Cabin.Sea", 0, pure).unwrap_err().kind(), ErrorKind::UnknownSignal);
    assert!(body("Vehicle", 0, Form::with_additions(Dialect::V3)).unwrap().contains("staleAfter"));
    assert!(!body("Vehicle", 0, pure).unwrap().contains("staleAfter"));
}

#[test]
fn the_metadata_of_another_server_is_taken_entry_by_entry() {
    let mut pair = Pair::pure(Dialect::V2);
    let target = Target::path("Vehicle.Cabin").unwrap();
    let (asked, _) = pair.client.metadata(target, SECOND, moment(0)).unwrap();
    let text = format!(
        r#"{{"action":"get","requestId":"{}","metadata":{{"Cabin":{{"type":"branch","description":"x","children":{{
        "Light":{{"type":"actuator","datatype":"uint8","min":0,"max":100,"uuid":"z","comment":null}},
        "Mode":{{"type":"sensor","datatype":"string","allowed":["A","B"]}},
        "Struct":{{"type":"sensor","datatype":"Types.Position"}},
        "Bad":{{"type":"sensor","datatype":"uint8","min":"9","max":"1"}}}}}}}}}}"#,
        asked.0
    );
    let Ok(Arrived::Answer { answer: Ok(Reply::Metadata(metadata)), .. }) =
        pair.client.receive(&Message::text(text), moment(0))
    else {
        panic!()
    };
    let paths: Vec<_> = metadata.entries.iter().map(|(entry, _)| entry.path().as_str()).collect();
    assert_eq!(paths, ["Vehicle.Cabin.Light", "Vehicle.Cabin.Mode"]);
    let skipped: Vec<_> = metadata.skipped.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(skipped, ["Vehicle.Cabin.Struct", "Vehicle.Cabin.Bad"]);
    assert_eq!(metadata.facts, None);
}

#[test]
fn every_state_and_error_survives_with_additions() {
    let mut pair = Pair::with_additions(&Limits::default());
    let speed = pair.ids(&["Vehicle.Speed", "Trailer.Coupled"]);
    for state in states() {
        let now = pair.now();
        let (asked, message) = pair.client.get(&speed, SECOND, now).unwrap();
        let (ticket, call) = pair.serve(message);
        let Call::Get(target) = call else { panic!() };
        let found = target.resolve(&pair.catalogue).unwrap();
        let mut point = Datapoint::new(state, Timestamp::from_nanoseconds(-1));
        let denied = Error::new(ErrorKind::Denied, "no").on_path("Trailer.Coupled");
        let points = vec![(found[0].path.clone(), Ok(point.clone())), (found[1].path.clone(), Err(denied))];
        let Ok(Reply::Points(points)) = pair.answered(asked, ticket, &Answer::Points(points)) else {
            panic!()
        };
        point.received = pair.now().time;
        let got = points[0].as_ref().unwrap();
        assert!(got.state.same(&point.state), "{got:?}");
        assert_eq!((got.source, got.received), (point.source, point.received));
        let error = points[1].as_ref().unwrap_err();
        assert_eq!(
            (error.kind(), error.message(), error.path()),
            (ErrorKind::Denied, "no", Some("Trailer.Coupled"))
        );
    }
}

#[test]
fn pure_viss_is_all_or_nothing_and_has_an_in_line_error() {
    for dialect in [Dialect::V2, Dialect::V3] {
        let mut pair = Pair::pure(dialect);
        let both = pair.ids(&["Vehicle.Speed", "Vehicle.Name"]);
        let ask = |pair: &mut Pair, signals: &[SignalId], points: &[Result<Datapoint, Error>]| {
            let (asked, message) = pair.client.get(signals, SECOND, moment(0)).unwrap();
            let (ticket, _) = pair.serve(message);
            let paths = signals.iter().map(|&id| pair.catalogue.path(id).unwrap().to_string());
            let points = paths.zip(points.iter().cloned()).collect();
            pair.answered(asked, ticket, &Answer::Points(points))
        };
        let valid = || Ok(Datapoint::valid(1.5_f32, moment(0).time));
        let none = || Ok(Datapoint::new(State::NeverSet, moment(0).time));
        let denied = || Err(Error::new(ErrorKind::Denied, "no"));
        let Ok(Reply::Points(points)) = ask(&mut pair, &both, &[valid(), none()]) else { panic!() };
        assert_eq!(points[0].as_ref().unwrap(), &valid().unwrap());
        assert!(matches!(points[1].as_ref().unwrap().state, State::NotAvailable(_)));
        let error = ask(&mut pair, &both, &[valid(), denied()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains("Vehicle.Name"), "{error}");
        let error = ask(&mut pair, &both[..1], &[none()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownSignal);
        assert!(
            matches!(pair.client.get(&pair.ids(&["Vehicle.Speed", "Trailer.Coupled"]), SECOND, moment(0)),
            Err(error) if error.kind() == ErrorKind::Unsupported)
        );
    }
}

#[test]
fn a_set_has_receipts_that_settle_later_and_once() {
    let mut pair = Pair::with_additions(&Limits::default());
    let seat = pair.ids(&["Vehicle.Cabin.Seat.Heating"])[0];
    let key = Key::new("order 7").unwrap();
    let wish = Request::new(seat, 60).with(Set::within(5 * SECOND).keyed(key.clone()));
    let requests = [wish.clone(), wish.clone(), wish.clone(), wish.clone(), wish];
    let now = pair.now();
    let (asked, message) = pair.client.set(&requests, SECOND, now).unwrap();
    let (ticket, call) = pair.serve(message);
    let Call::Set(items) = call else { panic!() };
    let resolved = items[0].resolve(&pair.catalogue).unwrap();
    assert_eq!((resolved.value, resolved.set), (Value::Int(60), Set::within(5 * SECOND).keyed(key)));
    let refused = Outcome::Refused(Refusal::new(RefusalKind::Busy, "locked"));
    let stages = vec![
        Ok(Stage::Accepted),
        Ok(Stage::Settled(refused.clone())),
        Err(Error::new(ErrorKind::OutOfRange, "too warm").on_path("Vehicle.Cabin.Seat.Heating")),
        Ok(Stage::Accepted),
        Ok(Stage::Settled(Outcome::InDoubt)),
    ];
    let Ok(Reply::Set(got)) = pair.answered(asked, ticket, &Answer::Set(stages)) else { panic!() };
    assert_eq!(got[4].clone().unwrap(), Stage::Settled(Outcome::InDoubt));
    assert_eq!(got[0].as_ref().unwrap(), &Stage::Accepted);
    assert_eq!(got[1].clone().unwrap(), Stage::Settled(refused));
    assert_eq!(got[2].as_ref().unwrap_err().kind(), ErrorKind::OutOfRange);
    let confirmed = Outcome::Confirmed(moment(3).time);
    assert_eq!(pair.server.receipt(ticket, 1, &confirmed, moment(3)), None, "settled already");
    for (place, outcome) in [(3, confirmed), (0, Outcome::TimedOut)] {
        let message = Message::Text(pair.server.receipt(ticket, place, &outcome, moment(3)).unwrap());
        let arrived = pair.client.receive(&message, moment(3)).unwrap();
        assert!(
            matches!(&arrived, Arrived::Receipt { ticket, index, outcome: told } if *ticket == asked && *index == place && *told == outcome),
            "{arrived:?}"
        );
        assert!(matches!(pair.client.receive(&message, moment(3)), Ok(Arrived::Nothing)), "told once");
        assert_eq!(pair.server.receipt(ticket, place, &outcome, moment(3)), None);
    }
}

#[test]
fn a_pure_set_succeeds_when_it_was_taken_and_fails_when_it_was_refused() {
    let mut pair = Pair::pure(Dialect::V3);
    let seat = pair.ids(&["Vehicle.Cabin.Seat.Heating"])[0];
    let set = |pair: &mut Pair, stage: Result<Stage, Error>| {
        let (asked, message) = pair.client.set(&[Request::new(seat, 60)], SECOND, moment(0)).unwrap();
        assert!(!String::from_utf8_lossy(&message).contains("within"));
        let (ticket, _) = pair.serve(message);
        let reply = pair.answered(asked, ticket, &Answer::Set(vec![stage]));
        assert_eq!(pair.server.receipt(ticket, 0, &Outcome::TimedOut, moment(1)), None);
        reply
    };
    assert!(matches!(set(&mut pair, Ok(Stage::Accepted)), Ok(Reply::Set(stages)) if stages.len() == 1));
    let refused = Outcome::Refused(Refusal::new(RefusalKind::Denied, "not in your plan"));
    let error = set(&mut pair, Ok(Stage::Settled(refused))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(
        set(&mut pair, Err(Error::new(ErrorKind::NotActuator, "no"))).unwrap_err().kind(),
        ErrorKind::WrongType
    );
}

#[test]
fn a_wish_for_groups_arrives_as_it_was() {
    let mut pair = Pair::with_additions(&Limits::default());
    let ids = pair.ids(&["Vehicle.Speed", "Vehicle.Name", "Trailer.Coupled"]);
    let mut slow = Filter::new();
    (slow.every, slow.range) = (Some(Duration::from_nanos(1_500_001)), Some((0.1, f64::INFINITY)));
    let wish = Subscribe::to(ids[..2].iter().copied()).deadband(0.25).and(ids[2], slow).queue(64).strict();
    let now = pair.now();
    let (asked, message) = pair.client.subscribe(&wish, SECOND, now).unwrap();
    let (ticket, call) = pair.serve(message);
    let Call::Subscribe(wanted) = call else { panic!() };
    let resolved = wanted.resolve(&pair.catalogue).unwrap();
    assert_eq!(resolved.subscribe, wish);
    assert_eq!(wanted.count(), 3);
    assert!(resolved.trigger.is_none());
    let refused = vec![("Vehicle.Name".to_owned(), Error::new(ErrorKind::Denied, "no"))];
    let subscription = pair.server.subscription(ticket).unwrap();
    let Ok(Reply::Subscribed { subscription: told, refused }) =
        pair.answered(asked, ticket, &Answer::Subscribed { refused })
    else {
        panic!()
    };
    assert_eq!(told, subscription);
    assert_eq!((refused[0].0.as_str(), refused[0].1.kind()), ("Vehicle.Name", ErrorKind::Denied));
}

#[test]
fn groups_are_partial_unless_they_are_strict() {
    let mut pair = Pair::with_additions(&Limits::default());
    let wish = |strict| {
        format!(
            r#"{{"action":"subscribe","requestId":"x{strict}","signals":[{{"paths":["Vehicle.Speed","Vehicle.Soul"]}}],"strict":"{strict}"}}"#
        )
    };
    let (_, Call::Subscribe(wanted)) = pair.serve(wish(false).into()) else { panic!() };
    let resolved = wanted.resolve(&pair.catalogue).unwrap();
    assert_eq!(resolved.subscribe.signals.len(), 1);
    assert_eq!(resolved.refused[0].0, "Vehicle.Soul");
    let (_, Call::Subscribe(wanted)) = pair.serve(wish(true).into()) else { panic!() };
    assert_eq!(wanted.resolve(&pair.catalogue).unwrap_err().kind(), ErrorKind::UnknownSignal);
    assert!(matches!(wanted, Wanted::Groups { overflow: Overflow::Latest, .. }));
}

#[test]
fn every_event_survives_with_additions_and_ends_once() {
    let mut pair = Pair::with_additions(&Limits::default());
    let ids = pair.ids(&["Vehicle.Speed", "Vehicle.Speed.Limit"]);
    let subscription = pair.subscribed(&Subscribe::to(ids.clone()));
    let point = |state: State| Datapoint { state, source: moment(1).time, received: moment(2).time };
    let mut events: Vec<_> =
        states().into_iter().map(|state| Event::Changed(Points::new(vec![(ids[0], point(state))]))).collect();
    let two = vec![(ids[0], point(State::NeverSet)), (ids[1], point(State::Valid(Value::Uint(u64::MAX))))];
    events.push(Event::Changed(Points::new(two)));
    events.push(Event::Changed(Points::new(Vec::new())));
    events.push(Event::Lagged(u64::MAX));
    let denied = Permission::denied("gone");
    events.push(Event::Access(vec![(ids[0], denied), (ids[1], Permission::Yes)]));
    events.push(Event::Ended(Reason::because(ReasonKind::Denied, "the grant is over")));
    pair.now = 2;
    for event in events {
        let encoded = EncodedEvent::new(pair.server.form(), &event, &pair.catalogue, moment(2).time).unwrap();
        let message = pair.event(&subscription, &encoded);
        let arrived = pair.client.receive(&message, moment(2)).unwrap();
        let Arrived::Event { event: told, unknown: 0, subscription: of } = arrived else {
            panic!("{arrived:?}")
        };
        assert_eq!((told, of), (event, subscription.clone()));
    }
    let late =
        EncodedEvent::new(pair.server.form(), &Event::Lagged(1), &pair.catalogue, moment(2).time).unwrap();
    assert_eq!(pair.server.event(&subscription, &late), None);
    assert_eq!(pair.client.subscriptions().len(), 0);
    assert_eq!(pair.server.subscriptions().len(), 0);
}

#[test]
fn pure_events_say_what_viss_can_say() {
    let catalogue = catalogue();
    let speed = catalogue.id("Vehicle.Speed").unwrap();
    let form = Form::pure(Dialect::V2);
    let at = moment(0).time;
    assert!(EncodedEvent::new(form, &Event::Lagged(1), &catalogue, at).is_none());
    assert!(EncodedEvent::new(form, &Event::Access(Vec::new()), &catalogue, at).is_none());
    let point = Datapoint::new(State::NeverSet, at);
    let event = Event::Changed(Points::new(vec![(speed, point)]));
    let body = EncodedEvent::new(form, &event, &catalogue, at).unwrap();
    assert_eq!(
        body.body(),
        r#","data":{"path":"Vehicle.Speed","dp":{"value":"viss-inline:Data-not-available","ts":"2023-11-14T22:13:20Z"}},"ts":"2023-11-14T22:13:20Z"}"#
    );
    let ended =
        EncodedEvent::new(form, &Event::Ended(Reason::new(ReasonKind::Denied)), &catalogue, at).unwrap();
    assert!(ended.ends());
    assert_eq!(
        ended.body(),
        r#","error":{"number":403,"reason":"forbidden_request","message":"the right to it was withdrawn"},"ts":"2023-11-14T22:13:20Z"}"#
    );
}

#[test]
fn requests_that_are_not_answered_end_at_both_sides() {
    let mut pair = Pair::with_additions(&Limits { request_time: 2 * SECOND, ..Limits::default() });
    let speed = pair.ids(&["Vehicle.Speed"]);
    let (asked, message) = pair.client.get(&speed, SECOND, moment(10)).unwrap();
    pair.now = 10;
    let (ticket, _) = pair.serve(message);
    assert_eq!(pair.client.next_deadline(), Some(moment(11).monotonic));
    assert_eq!(pair.server.next_deadline(), Some(moment(12).monotonic));
    assert_eq!(pair.client.expire(moment(10)), []);
    assert_eq!(pair.client.expire(moment(11)), [asked]);
    assert_eq!(pair.server.expire(moment(11)), Vec::<Bytes>::new());
    let messages = pair.server.expire(moment(12));
    assert!(String::from_utf8_lossy(&messages[0]).contains("gateway_timeout"));
    assert!(matches!(
        pair.client.receive(&Message::Text(messages[0].clone()), moment(12)),
        Ok(Arrived::Nothing)
    ));
    assert_eq!(pair.server.answer(ticket, &Answer::Unsubscribed, moment(12)), None);
    assert_eq!((pair.client.requests(), pair.server.requests()), (0, 0));
}

#[test]
fn a_subscription_that_nobody_waits_for_is_ended() {
    let mut pair = Pair::with_additions(&Limits::default());
    let wish = Subscribe::to(pair.ids(&["Vehicle.Speed"]));
    let (asked, message) = pair.client.subscribe(&wish, SECOND, moment(0)).unwrap();
    let (ticket, _) = pair.serve(message);
    pair.client.cancel(asked);
    assert_eq!((pair.client.requests(), pair.client.next_deadline()), (0, None));
    let answer = pair.server.answer(ticket, &Answer::Subscribed { refused: Vec::new() }, moment(0)).unwrap();
    let Ok(Arrived::Send(message)) = pair.client.receive(&Message::Text(answer), moment(0)) else { panic!() };
    let (ticket, call) = pair.serve(message);
    assert!(matches!(call, Call::Unsubscribe(_)));
    pair.server.answer(ticket, &Answer::Unsubscribed, moment(0)).unwrap();
    assert_eq!(pair.server.subscriptions().len(), 0);
}

#[test]
fn everything_a_peer_may_hold_is_bounded() {
    let limits = Limits { requests: 3, subscriptions: 2, receipts: 2, ..Limits::default() };
    let mut pair = Pair::with_additions(&limits);
    let said = |received: Received| match received {
        Received::Refused { reply, .. } => String::from_utf8_lossy(&reply).into_owned(),
        Received::Call { .. } => String::new(),
    };
    let get =
        |id: u32| Message::text(format!(r#"{{"action":"get","path":"Vehicle.Speed","requestId":"g{id}"}}"#));
    for id in 0..3 {
        assert_eq!(said(pair.server.receive(&get(id), moment(0))), "");
    }
    assert!(said(pair.server.receive(&get(3), moment(0))).contains("too_many_requests"));
    pair.server.expire(moment(100));
    assert_eq!(said(pair.server.receive(&get(1), moment(100))), "");
    assert!(said(pair.server.receive(&get(1), moment(100))).contains("bad_request"), "the same id twice");
    pair.server.expire(moment(200));
    let wish = Subscribe::to(pair.ids(&["Vehicle.Speed"]));
    pair.now = 200;
    pair.subscribed(&wish);
    pair.subscribed(&wish);
    let (_, message) = pair.client.subscribe(&wish, SECOND, moment(200)).unwrap();
    assert!(said(pair.server.receive(&Message::Text(message), moment(200))).contains("429"));
    let seat = Request::new(pair.ids(&["Vehicle.Cabin.Seat.Heating"])[0], 1);
    let (asked, message) = pair.client.set(&[seat.clone(), seat.clone()], SECOND, moment(200)).unwrap();
    let (ticket, _) = pair.serve(message);
    pair.answered(asked, ticket, &Answer::Set(vec![Ok(Stage::Accepted), Ok(Stage::Accepted)])).unwrap();
    let (_, message) = pair.client.set(std::slice::from_ref(&seat), SECOND, moment(200)).unwrap();
    assert!(said(pair.server.receive(&Message::Text(message), moment(200))).contains("429"));
    pair.server.receipt(ticket, 0, &Outcome::TimedOut, moment(200)).unwrap();
    pair.client.expire(moment(300));
    let (_, message) = pair.client.set(&[seat], SECOND, moment(200)).unwrap();
    assert_eq!(said(pair.server.receive(&Message::Text(message), moment(200))), "");
    for _ in 0..2 {
        pair.client.get(&pair.ids(&["Vehicle.Speed"]), SECOND, moment(300)).unwrap();
    }
    let error = pair.client.get(&pair.ids(&["Vehicle.Speed"]), SECOND, moment(300)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
}

#[test]
fn a_token_is_shown_once_with_additions_and_each_time_without() {
    let token = || Credential::Token(b"key".as_slice().into());
    let credential = |received: Received| match received {
        Received::Call { credential, .. } => credential,
        Received::Refused { .. } => panic!(),
    };
    let text = r#"{"action":"get","path":"Vehicle.Speed","requestId":"1","authorization":"key"}"#;
    let other = r#"{"action":"get","path":"Vehicle.Speed","requestId":"2"}"#;
    let link = Credential::Certificate(b"der".as_slice().into());
    let mut pure = ServerSession::new(Dialect::V3, link.clone(), &Limits::default());
    assert_eq!(credential(pure.receive(&Message::text(text), moment(0))), token());
    assert_eq!(credential(pure.receive(&Message::text(other), moment(0))), link);
    let mut added = ServerSession::new(Dialect::V3, link, &Limits::default());
    let asking = text.replace("\"path\"", "\"coachwork\":\"1\",\"path\"");
    assert_eq!(credential(added.receive(&Message::text(asking), moment(0))), token());
    assert_eq!(credential(added.receive(&Message::text(other), moment(0))), token());
    let mut client = ClientSession::new(Dialect::V3, token(), &Limits::default());
    let (_, first) = client.metadata(Target::everything(), SECOND, moment(0)).unwrap();
    let (_, second) = client.metadata(Target::everything(), SECOND, moment(0)).unwrap();
    assert!(
        [first, second]
            .iter()
            .all(|message| String::from_utf8_lossy(message).contains(r#""authorization":"key""#))
    );
}

#[test]
fn a_peer_that_did_not_ask_sees_pure_viss() {
    let mut pair = Pair::pure(Dialect::V3);
    let wish =
        Message::text(r#"{"action":"subscribe","requestId":"1","signals":[{"paths":["Vehicle.Speed"]}]}"#);
    assert!(matches!(pair.server.receive(&wish, moment(0)), Received::Refused { .. }));
    assert_eq!(pair.server.catalogue_changed(4, moment(0)), None);
    let mut pair = Pair::with_additions(&Limits::default());
    let message = Message::Text(pair.server.catalogue_changed(4, moment(0)).unwrap());
    assert!(matches!(
        pair.client.receive(&message, moment(0)),
        Ok(Arrived::CatalogueChanged { revision: 4 })
    ));
}

#[test]
fn what_no_server_may_send_is_a_protocol_error() {
    let mut pair = Pair::with_additions(&Limits::default());
    let wish = Subscribe::to(pair.ids(&["Vehicle.Speed"]));
    let subscription = pair.subscribed(&wish);
    for text in [
        "",
        "[]",
        "{}",
        r#"{"action":"get","requestId":"99999"}"#,
        r#"{"action":"get","requestId":"x"}"#,
        r#"{"action":"subscription"}"#,
        &format!(r#"{{"action":"subscription","subscriptionId":"{subscription}"}}"#),
        &format!(r#"{{"action":"subscription","subscriptionId":"{subscription}","lagged":"-1"}}"#),
        r#"{"action":"receipt","requestId":"1"}"#,
        r#"{"action":"catalogue"}"#,
        r#"{"requestId":"1","requestId":"2"}"#,
        &"[".repeat(100_000),
    ] {
        let error = pair.client.receive(&Message::text(text), moment(0)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Limit), "{text}: {error}");
    }
    // A value that cannot be read is the signal's error, not the message's.
    let text = format!(
        r#"{{"action":"subscription","subscriptionId":"{subscription}","data":[{{"path":"Vehicle.Speed","dp":{{"value":"fast","ts":"now"}}}},{{"path":"Vehicle.Soul","dp":{{"value":"1"}}}}]}}"#
    );
    let arrived = pair.client.receive(&Message::text(text), moment(0)).unwrap();
    let Arrived::Event { event: Event::Changed(points), unknown: 1, .. } = arrived else {
        panic!("{arrived:?}")
    };
    assert!(
        matches!(&points.iter().next().unwrap().1.state, State::Error(reason) if reason.kind() == ReasonKind::Malformed)
    );
}

#[test]
fn an_unsubscribe_is_taken_even_when_too_many_requests_wait() {
    let mut pair = Pair::with_additions(&Limits { requests: 1, ..Limits::default() });
    let speed = pair.ids(&["Vehicle.Speed"]);
    let subscription = pair.subscribed(&Subscribe::to(speed.clone()));
    let (_, message) = pair.client.get(&speed, SECOND, moment(0)).unwrap();
    pair.serve(message);
    let (asked, message) = pair.client.unsubscribe(&subscription, SECOND, moment(0)).unwrap();
    let (ticket, _) = pair.serve(message);
    assert!(matches!(pair.answered(asked, ticket, &Answer::Unsubscribed), Ok(Reply::Unsubscribed)));
    // A second one has nothing to end.
    let again = format!(r#"{{"action":"unsubscribe","requestId":"x","subscriptionId":"{subscription}"}}"#);
    assert!(matches!(pair.server.receive(&Message::text(again), moment(0)), Received::Refused { .. }));
}

/// What a server says to a message, with `answer` where it is a request.
fn said(dialect: Dialect, text: &str, answer: &Answer) -> String {
    let mut server = ServerSession::new(dialect, Credential::None, &Limits::default());
    let subscribe = r#"{"action":"subscribe","path":"Vehicle.Speed","filter":{"type":"timebased","parameter":{"period":"9"}},"requestId":"0"}"#;
    let Received::Call { ticket, .. } = server.receive(&Message::text(subscribe), moment(0)) else {
        panic!()
    };
    server.answer(ticket, &Answer::Subscribed { refused: Vec::new() }, moment(0)).unwrap();
    let said = match server.receive(&Message::text(text), moment(0)) {
        Received::Call { ticket, .. } => server.answer(ticket, answer, moment(0)).unwrap(),
        Received::Refused { reply, .. } => reply,
    };
    String::from_utf8(said.to_vec()).unwrap()
}

#[test]
fn answers_look_as_each_dialect_has_them() {
    use Dialect::{V2, V3};
    let speed = || Ok(Datapoint::valid(50.25_f32, moment(0).time));
    let one = Answer::Points(vec![("Vehicle.Speed".to_owned(), speed())]);
    let gone = Answer::Points(vec![(
        "Vehicle.Soul".to_owned(),
        Err(Error::new(ErrorKind::UnknownSignal, "no such signal").on_path("Vehicle.Soul")),
    )]);
    let get = r#"{"action":"get","path":"Vehicle/Speed","requestId":"8"}"#;
    let several = r#"{"action":"get","path":"Vehicle","filter":{"variant":"paths","parameter":["S*"]},"requestId":"8"}"#;
    let listed = several.replace("S*", "*");
    let unsubscribe = r#"{"action":"unsubscribe","subscriptionId":"1","requestId":"8"}"#;
    let ts = r#""ts":"2023-11-14T22:13:20Z"}"#;
    let item = format!(r#"{{"path":"Vehicle.Speed","dp":{{"value":"50.25",{ts}}}"#);
    for (dialect, text, answer, wanted) in [
        (V3, get, &one, format!(r#"{{"action":"get","requestId":"8","data":{item},{ts}"#)),
        (V2, get, &one, format!(r#"{{"action":"get","requestId":"8","data":{item},{ts}"#)),
        (V3, &listed, &one, format!(r#"{{"action":"get","requestId":"8","data":[{item}],{ts}"#)),
        (
            V3,
            get,
            &gone,
            format!(
                r#"{{"action":"get","requestId":"8","error":{{"number":"404","reason":"unavailable_data","description":"Vehicle.Soul: no such signal"}},{ts}"#
            ),
        ),
        (
            V2,
            get,
            &gone,
            format!(
                r#"{{"action":"get","requestId":"8","error":{{"number":404,"reason":"unavailable_data","message":"Vehicle.Soul: no such signal"}},{ts}"#
            ),
        ),
        (V3, unsubscribe, &Answer::Unsubscribed, format!(r#"{{"action":"unsubscribe","requestId":"8",{ts}"#)),
        (
            V2,
            unsubscribe,
            &Answer::Unsubscribed,
            format!(r#"{{"action":"unsubscribe","requestId":"8","subscriptionId":"1",{ts}"#),
        ),
        (
            V3,
            r#"{"action":"subscribe","path":"Vehicle.Speed","requestId":"8"}"#,
            &one,
            format!(
                r#"{{"action":"subscribe","requestId":"8","error":{{"number":"400","reason":"bad_request","description":"a subscription without a filter"}},{ts}"#
            ),
        ),
        (
            V2,
            r#"{"action":"subscribe","path":"Vehicle.Speed","requestId":"8"}"#,
            &Answer::Subscribed { refused: Vec::new() },
            format!(r#"{{"action":"subscribe","requestId":"8","subscriptionId":"2",{ts}"#),
        ),
        (
            V3,
            "[",
            &one,
            format!(
                r#"{{"error":{{"number":"400","reason":"bad_request","description":"not a request: invalid type: sequence, expected an object at line 1 column 0"}},{ts}"#
            ),
        ),
    ] {
        assert_eq!(said(dialect, text, answer), wanted, "{text}");
    }
    let star = said(V3, several, &one);
    assert!(star.contains("is not a name"), "a star stands for a whole name: {star}");
}

/// A name is taken from its request until its answer, whichever of several requests is the newest.
#[test]
fn a_request_id_is_taken_as_long_as_its_request_is_open() {
    let mut server = ServerSession::new(Dialect::V3, Credential::None, &Limits::default());
    let ask = |server: &mut ServerSession, id: u32| {
        let text = format!(r#"{{"action":"get","path":"A.B","requestId":"{id}"}}"#);
        match server.receive(&Message::text(text), moment(0)) {
            Received::Call { ticket, .. } => Some(ticket),
            Received::Refused { .. } => None,
        }
    };
    let gone = || Answer::Failed(Error::new(ErrorKind::Unavailable, "gone"));
    let first = ask(&mut server, 1).unwrap();
    assert_eq!(ask(&mut server, 1), None);
    let second = ask(&mut server, 2).unwrap();
    let third = ask(&mut server, 3).unwrap();
    for id in 1..=3 {
        assert_eq!(ask(&mut server, id), None, "{id}");
    }
    // The newest goes first: those before it stay taken.
    assert!(server.answer(third, &gone(), moment(0)).is_some());
    assert!(server.answer(third, &gone(), moment(0)).is_none());
    assert_eq!((ask(&mut server, 1), ask(&mut server, 2)), (None, None));
    let third = ask(&mut server, 3).unwrap();
    assert!(server.answer(first, &gone(), moment(0)).is_some());
    assert_eq!((ask(&mut server, 2), ask(&mut server, 3)), (None, None));
    let first = ask(&mut server, 1).unwrap();
    for ticket in [second, third, first] {
        assert!(server.answer(ticket, &gone(), moment(0)).is_some());
    }
    assert_eq!((server.requests(), server.next_deadline()), (0, None));
}
