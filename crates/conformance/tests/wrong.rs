//! Deliberately wrong vehicles test the suite: each breaks one clause, and fails exactly that one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod bent;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bent::{Bent, bend};
use coachwork_conformance::clauses::VEHICLE;
use coachwork_conformance::{Simulated, Stage, Subject, vehicle, vehicle_report};
use coachwork_vehicle::{
    Catalogue, Clock, DataType, Datapoint, Each, Entry, Error, ErrorKind, Facts, Get, MemoryVehicle,
    Monotonic, Operation, Outcome, Overflow, Permission, Reason, ReasonKind, Receipt, Refusal, RefusalKind,
    Request, SignalId, Sleep, State, Subscribe, Subscription, Timestamp, Value, Vehicle,
};

/// A vehicle in memory with a link that can be cut, and one fault: the id of the clause that it breaks.
#[derive(Clone, Debug)]
struct Wrong {
    car: MemoryVehicle,
    first: Catalogue,
    fault: &'static str,
    up: Arc<AtomicBool>,
    subscribed: Arc<AtomicUsize>,
    last: Arc<Mutex<Option<Datapoint>>>,
    /// Requests that it has not forgotten.
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// A request, a receipt for it, and whether anybody holds another.
type Kept = (Request, Receipt, Weak<Held>);

/// A clock that is held by the receipts that were handed out, so that their drop is seen.
#[derive(Debug)]
struct Held(Arc<dyn Clock>);

impl Clock for Held {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Monotonic {
        self.0.monotonic()
    }

    fn sleep_until(&self, deadline: Monotonic) -> Sleep {
        self.0.sleep_until(deadline)
    }
}

fn catalogue(facts: Facts) -> Catalogue {
    let entries = [
        Entry::sensor("Vehicle.Speed", DataType::FLOAT).with_stale_after(Duration::from_secs(2)),
        Entry::sensor("Vehicle.Level", DataType::UINT8),
        Entry::sensor("Vehicle.Boost", DataType::DOUBLE),
        Entry::attribute("Vehicle.Doors", DataType::UINT8),
        Entry::actuator("Vehicle.Heating", DataType::INT8).with_range(Value::Int(0), Value::Int(100)),
        Entry::actuator("Vehicle.Massage", DataType::BOOLEAN),
    ];
    let catalogue = Catalogue::new(entries, facts).unwrap();
    let massage = catalogue.id("Vehicle.Massage").unwrap();
    catalogue.with_access(|id, now| {
        let mut access = now.clone();
        if id == massage {
            access.write = Permission::denied("not in your plan");
        }
        access
    })
}

impl Wrong {
    fn on(stage: &Stage, fault: &'static str) -> Self {
        let mut facts = Facts::default();
        facts.back_pressure = fault == "V54";
        let first = catalogue(facts);
        let car = MemoryVehicle::new(first.clone(), stage.clock());
        let (up, subscribed) = (Arc::new(AtomicBool::new(true)), Arc::default());
        Self { car, first, fault, up, subscribed, last: Arc::default(), kept: Arc::default() }
    }

    fn id(&self, path: &str) -> SignalId {
        self.car.board().catalogue().id(path).unwrap()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.car.board().clock().clone()
    }

    fn settled(&self, outcome: Outcome) -> Receipt {
        Receipt::settled(self.clock(), outcome)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.fault == "V3" { " " } else { "wrong" })
    }
}

#[async_trait]
impl Vehicle for Wrong {
    fn catalogue(&self) -> Arc<Catalogue> {
        let catalogue = self.car.catalogue();
        match self.fault {
            // Numbered anew with each signal that is added.
            "V59" if catalogue.len() > self.first.len() => {
                let entries: Vec<_> = catalogue.iter().map(|(_, entry)| entry.clone()).collect();
                Arc::new(Catalogue::new(entries.into_iter().rev(), Facts::default()).unwrap())
            }
            "V1" => Arc::new(Catalogue::new([], Facts::default()).unwrap()),
            // Of a line that nobody goes on with.
            "V43" if catalogue.len() == self.first.len() => {
                Arc::new(self.first.with_access(|id, _| catalogue.access(id).unwrap().clone()))
            }
            _ => catalogue,
        }
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        if self.fault == "V56" && self.up.load(Ordering::Relaxed) {
            let kept = std::mem::take(&mut *self.kept.lock().unwrap());
            for (request, _, _) in kept {
                self.car.set(vec![request]).await?;
            }
        }
        let mut answers = self.car.get(get).await?;
        let single = answers.len() == 1;
        match self.fault {
            "V4" if answers.iter().any(Result::is_err) => answers.reverse(),
            "V5" if get.signals.windows(2).all(|pair| pair[0] < pair[1]) && !single => {
                for answer in &mut answers {
                    if answer.as_ref().is_ok_and(|point| point.state == State::NeverSet) {
                        *answer = Err(Error::new(ErrorKind::Unavailable, "no value yet"));
                    }
                }
            }
            "V6" if answers.len() > 2 => {
                for point in answers.iter_mut().flatten() {
                    if let State::Valid(value) = &mut point.state {
                        *value = Value::Text(value.to_string().into());
                    }
                }
            }
            "V7" if single && get.signals == [self.id("Vehicle.Level")] => {
                // Once it has been read as 1, it stays so.
                let mut last = self.last.lock().unwrap();
                match (&mut answers[0], last.as_ref()) {
                    (answer, Some(stuck)) => *answer = Ok(stuck.clone()),
                    (Ok(point), None) if point.value() == Some(&Value::Uint(1)) => {
                        *last = Some(point.clone());
                    }
                    _ => {}
                }
            }
            "V8" => {
                for point in answers.iter_mut().flatten() {
                    if let State::NotAvailable(why) | State::Error(why) = &mut point.state
                        && why.kind() == ReasonKind::Source
                    {
                        *why = Reason::new(ReasonKind::Other);
                    }
                }
            }
            "V9" if answers.len() == 2 && answers.iter().all(Result::is_ok) => {
                let before = self.last.lock().unwrap().replace(answers[0].clone().unwrap());
                if let Some(before) = before {
                    answers[0] = Ok(before);
                }
            }
            "V35" => {
                for point in answers.iter_mut().flatten() {
                    if let State::Stale(value) = &point.state {
                        point.state = State::Valid(value.clone());
                    }
                }
            }
            "V52" => {
                for point in answers.iter_mut().flatten() {
                    point.source = point.received;
                }
            }
            "V57" => {
                for answer in &mut answers {
                    if let Err(error) = answer {
                        *error = Error::new(error.kind(), error.message().to_owned());
                    }
                }
            }
            "V40" if single && answers[0].as_ref().is_err_and(|e| e.kind() == ErrorKind::Denied) => {
                answers[0] = Ok(Datapoint::new(State::NeverSet, self.clock().now()));
            }
            _ => {}
        }
        Ok(answers)
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        if !self.up.load(Ordering::Relaxed) {
            if self.fault == "V46" {
                let lie = |_| Ok(self.settled(Outcome::Confirmed(self.clock().now())));
                return Ok(requests.into_iter().map(lie).collect());
            }
            if self.fault == "V53" && requests.len() == 2 {
                self.car.set(requests).await?;
            } else if self.fault == "V56" && requests.len() == 1 {
                let receipt = self.settled(Outcome::TimedOut);
                self.kept.lock().unwrap().push((requests[0].clone(), receipt, Weak::new()));
            }
            return Err(Error::new(ErrorKind::Unavailable, "the link is down"));
        }
        let first = requests.first().cloned();
        let same = requests.len() == 2 && requests[0].signal == requests[1].signal;
        let named = |clause: &str| {
            let key = requests.first().and_then(|request| request.set.key.as_ref());
            key.is_some_and(|key| key.as_str().starts_with(clause))
        };
        let patient = coachwork_vehicle::Set::within(Duration::from_secs(15));
        let second =
            first.as_ref().is_some_and(|request| request.set == patient && request.value == Value::Int(1));
        let short = first.as_ref().is_some_and(|request| request.set.within <= Duration::from_millis(40));
        match (self.fault, first) {
            ("V15", Some(request)) if requests.len() == 1 && second => {
                let checked =
                    self.car.set(vec![Request { set: keyless(&request), ..request.clone() }]).await?;
                let before = State::Valid(Value::Int(100));
                let point = Datapoint::new(before, self.clock().now());
                if let Ok(receipt) = &checked[0]
                    && matches!(receipt.outcome().await, Outcome::Confirmed(_))
                {
                    let answers = self.car.set(vec![request]).await?;
                    self.car.publish(&[("Vehicle.Heating", point)])?;
                    return Ok(answers);
                }
                Ok(checked)
            }
            ("V16", Some(_)) if short => {
                let far = self.clock().monotonic().saturating_add(Duration::from_secs(5));
                Ok(vec![Ok(Receipt::new(self.clock(), far))])
            }
            ("V18", Some(request)) if requests.len() == 1 => match self.car.set(requests).await?.remove(0) {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    let set = keyless(&request);
                    self.car.set(vec![Request { set, ..request }]).await
                }
                answer => Ok(vec![answer]),
            },
            ("V49", Some(request)) if named("conformance-v49") => Ok(vec![Ok(self.cancelled(request))]),
            ("V50", Some(request)) if named("conformance-v50") => {
                let far = self.clock().monotonic().saturating_add(Duration::from_secs(5));
                if let Some(receipt) = self.known(&request) {
                    return Ok(vec![Ok(receipt)]);
                }
                let half = Receipt::new(self.clock(), far);
                self.kept.lock().unwrap().push((request.clone(), half, Weak::new()));
                rest().await;
                let answers = self.car.set(vec![request.clone()]).await?;
                self.kept.lock().unwrap().retain(|(kept, _, _)| *kept != request);
                Ok(answers)
            }
            ("V55", Some(request)) if request.set.within == Duration::from_secs(14) => {
                let far = self.clock().monotonic().saturating_add(request.set.within);
                self.car
                    .publish(&[("Vehicle.Heating", Datapoint::valid(request.value, self.clock().now()))])?;
                Ok(vec![Ok(Receipt::new(self.clock(), far))])
            }
            ("V20", Some(request)) if request.signal == self.id("Vehicle.Massage") => {
                let moved = Datapoint::valid(request.value, self.clock().now());
                self.car.publish(&[("Vehicle.Massage", moved)])?;
                self.car.set(requests).await
            }
            _ => {
                let mut answers = self.car.set(requests.clone()).await?;
                self.bend_answers(&requests, &mut answers, same)?;
                Ok(answers)
            }
        }
    }

    async fn subscribe(&self, mut wish: Subscribe) -> Result<Subscription, Error> {
        let place = self.subscribed.fetch_add(1, Ordering::Relaxed);
        let mixed = wish.signals.len() == 2;
        match self.fault {
            "V23" if mixed => wish.strict = false,
            "V27" if place > 500 => return Err(Error::new(ErrorKind::Limit, "too many subscriptions")),
            "V39" => {
                if let Overflow::Block(bound) = wish.overflow {
                    wish.overflow = Overflow::Queue(bound);
                }
            }
            _ => {}
        }
        let hour = Duration::from_secs(3600);
        let (speed, level) = (self.id("Vehicle.Speed"), self.id("Vehicle.Level"));
        let first = wish.signals.first().map(|(_, filter)| *filter).unwrap_or_default();
        let narrow = wish.overflow == Overflow::Queue(4) && first.change.is_some();
        let slow = first.every == Some(hour);
        let plain = first == coachwork_vehicle::Filter::new();
        for (signal, filter) in &mut wish.signals {
            match self.fault {
                "V24" => filter.change = filter.change.map(f64::abs),
                "V28"
                    if *signal == level
                        && filter.change == Some(0.0)
                        && !narrow
                        && filter.at_most_every.is_none() =>
                {
                    filter.change = None;
                }
                "V29" if *signal == speed && filter.change == Some(0.0) => filter.change = None,
                "V30" if filter.change == Some(2.5) => filter.change = Some(0.5),
                "V31" if *signal == speed && filter.range.is_some_and(|(low, high)| low < high) => {
                    filter.range = None;
                }
                "V33"
                    if filter.at_most_every != Some(hour)
                        && filter.every.is_none()
                        && filter.change.is_none() =>
                {
                    filter.at_most_every = None;
                }
                // It filters what comes out of the queue.
                "V47" if narrow => filter.change = None,
                "V48" if filter.at_most_every.is_some() => filter.change = None,
                "V34" => filter.every = filter.every.map(|period| period / 2),
                _ => {}
            }
        }
        let queued = matches!(wish.overflow, Overflow::Queue(_));
        let five = wish.overflow == Overflow::Queue(5);
        let blocks = matches!(wish.overflow, Overflow::Block(_));
        if self.fault == "V58" && five {
            wish.overflow = Overflow::Queue(10);
        }
        let subscription = self.car.subscribe(wish).await?;
        if self.fault == "V22"
            && mixed
            && let Some((_, error)) = subscription.refused().next()
        {
            return Err(error.clone());
        }
        Ok(match self.fault {
            "V21" if slow => bend(subscription, bent::drop_first()),
            "V25" if queued => bend(subscription, bent::reverse(14)),
            "V26" if queued && plain => Bent::forgetful(subscription),
            "V32" => bend(subscription, bent::hide(ReasonKind::Source)),
            "V36" if queued => bend(subscription, bent::hide_return_from_stale()),
            "V37" if queued && !five => bend(subscription, bent::hide_lag()),
            "V51" => bend(subscription, bent::hide_end()),
            "V54" if blocks => bend(subscription, bent::hide_lag()),
            "V38" if plain && !queued => bend(subscription, bent::only_first()),
            "V41" => bend(subscription, bent::leak_after_denial()),
            "V42" => bend(subscription, bent::silent_return()),
            "V44" => bend(subscription, bent::hide(ReasonKind::Link)),
            "V45" => bend(subscription, bent::no_healing()),
            "V47" if narrow => bend(subscription, bent::no_repeats()),
            _ => subscription,
        })
    }
}

impl Wrong {
    fn known(&self, request: &Request) -> Option<Receipt> {
        let kept = self.kept.lock().unwrap();
        kept.iter().find(|(kept, _, _)| kept == request).map(|(_, receipt, _)| receipt.clone())
    }

    /// A receipt whose drop cancels: asked again, the request is gone.
    fn cancelled(&self, request: Request) -> Receipt {
        let mut kept = self.kept.lock().unwrap();
        let nobody = |kept: &Kept| kept.0 == request && kept.2.strong_count() == 0;
        if kept.iter().any(nobody) {
            return self.settled(Outcome::Refused(Refusal::new(RefusalKind::Other, "it was dropped")));
        }
        let clock = Arc::new(Held(self.clock()));
        let far = clock.monotonic().saturating_add(request.set.within);
        let held = Arc::downgrade(&clock);
        kept.push((request, self.settled(Outcome::TimedOut), held));
        Receipt::new(clock, far)
    }

    fn bend_answers(
        &self,
        requests: &[Request],
        answers: &mut [Result<Receipt, Error>],
        same: bool,
    ) -> Result<(), Error> {
        let kind = answers.first().and_then(|answer| answer.as_ref().err()).map(Error::kind);
        let changed = |kind| Err(Error::new(kind, "another kind than it is").during(Operation::Set));
        match (self.fault, kind) {
            ("V2", Some(ErrorKind::WrongCatalogue)) if answers.len() == 1 => {
                answers[0] = changed(ErrorKind::UnknownSignal);
            }
            ("V10", Some(ErrorKind::NotActuator)) => answers[0] = changed(ErrorKind::WrongType),
            ("V11", Some(ErrorKind::WrongType)) => answers[0] = changed(ErrorKind::Invalid),
            ("V12", Some(ErrorKind::OutOfRange)) => {
                answers[0] = Ok(self.settled(Outcome::Confirmed(self.clock().now())));
            }
            ("V13", None) if requests.first().is_some_and(|r| r.signal == self.id("Vehicle.Massage")) => {
                answers[0] = changed(ErrorKind::Denied);
            }
            ("V14", Some(_)) if answers.len() > 1 => {
                return Err(Error::new(ErrorKind::Invalid, "one is bad"));
            }
            ("V17", None)
                if requests
                    .first()
                    .is_some_and(|r| r.set.key.as_ref().is_some_and(|key| key.as_str().contains("v17")))
                    && self.subscribed.fetch_add(1, Ordering::Relaxed) > 0 =>
            {
                // Confirmed the first time, since memory moves at once; then it is another receipt.
                let busy = Refusal::new(RefusalKind::Busy, "again?");
                answers[0] = Ok(self.settled(Outcome::Refused(busy)));
            }
            ("V19", None) if same => {
                let busy = Refusal::new(RefusalKind::Busy, "one at a time");
                answers[1] = Ok(self.settled(Outcome::Refused(busy)));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Lets everybody else run once.
async fn rest() {
    let mut rested = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut rested, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn keyless(request: &Request) -> coachwork_vehicle::Set {
    coachwork_vehicle::Set::within(request.set.within)
}

/// The means of memory, over a wrong vehicle.
fn subject(stage: &Stage, fault: &'static str) -> Subject {
    let wrong = Wrong::on(stage, fault);
    let (board, up) = (wrong.car.board().clone(), wrong.up.clone());
    let switch = move |mended: bool| {
        up.store(mended, Ordering::Relaxed);
        if !mended {
            board.withdraw_all(&Reason::because(ReasonKind::Link, "cut"));
        }
    };
    Subject::memory(wrong.car.clone()).over(wrong).with_link(switch)
}

async fn right(stage: Stage) -> Subject {
    subject(&stage, "")
}

vehicle!(right);

#[test]
fn each_wrong_vehicle_fails_exactly_its_clause() {
    let mut wrong = Vec::new();
    for clause in VEHICLE {
        let fault = clause.id;
        let report = vehicle_report(&Simulated, move |stage: Stage| async move { subject(&stage, fault) });
        if report.failed() != [fault] {
            let all = report.iter().filter_map(|(id, ran)| Some(format!("{id}: {}", ran.as_ref().err()?)));
            wrong.push(format!("the fault of {fault} fails {:#?}", all.collect::<Vec<_>>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_suite_that_skips_everything_is_no_good() {
    let report = coachwork_conformance::Report::default();
    assert!(!report.is_good());
}
