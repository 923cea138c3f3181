//! A board and a plain model of one, through the same actions: what the board tells must be what the model says.
//!
//! Actions come from bytes, so that a property test, a fuzzer and a suite share them; [`run`] never panics.
//!
//! *Invariant:* the model keeps no queue of shared batches, no index, no cached deadline and no waker: it looks at everything each time.
//! *Next:* `model/action.rs` (what may happen), `model/expected.rs` (what must follow).

mod action;
mod expected;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use coachwork_vehicle::{
    Access, Board, Catalogue, Clock, Command, DataType, Datapoint, Entry, Error, ErrorKind, Event, Facts,
    Get, Key, ManualClock, Outcome, Permission, Reason, ReasonKind, Receipt, Refusal, RefusalKind, Request,
    Set, SignalId, Stage, State, Subscription, Timestamp, Value,
};

pub use self::action::Action;
use self::action::Actions;
use self::expected::{Expected, Told};
use crate::verdict::Failure;

/// How many subscriptions may be open at once.
const PLACES: usize = 4;

/// After how long without a report the second signal is stale.
pub(crate) const STALE_AFTER: Duration = Duration::from_millis(50);

/// Takes a board and its model through the actions in `bytes`, and compares what they tell after each. Returns how many actions there were.
///
/// # Errors
/// The board told something else than the model; the message lists the last actions.
pub fn run(bytes: &[u8]) -> Result<usize, Failure> {
    let mut bench = Bench::new()?;
    let mut done = Vec::new();
    let told = |failure: Failure, done: &[String]| {
        let last = done.get(done.len().saturating_sub(30)..).unwrap_or_default().join("\n  ");
        Failure::new(format!("{failure}\nafter {} actions, the last of them:\n  {last}", done.len()))
    };
    for action in Actions::new(bytes) {
        done.push(format!("{action:?}"));
        bench.step(&action).map_err(|failure| told(failure, &done))?;
    }
    bench.finish().map_err(|failure| told(failure, &done))?;
    Ok(done.len())
}

struct Bench {
    clock: ManualClock,
    board: Board,
    ids: [SignalId; 3],
    places: [Option<Place>; PLACES],
    receipts: Vec<Receipt>,
    commands: Vec<Command>,
    expected: Expected,
}

/// An open subscription and whether its reader was woken since it last found nothing.
struct Place {
    subscription: Subscription,
    flag: Arc<Flag>,
    waits: bool,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let clock = ManualClock::new(Timestamp::from_seconds(1_000));
        let entries = [
            Entry::sensor("Vehicle.A", DataType::UINT8),
            Entry::sensor("Vehicle.B", DataType::FLOAT).with_stale_after(STALE_AFTER),
            Entry::actuator("Vehicle.C", DataType::INT8)
                .with_range(Value::Int(-5), Value::Int(5))
                .with_step(2.0),
        ];
        let catalogue =
            Catalogue::new(entries, Facts::default()).map_err(|why| Failure::new(why.to_string()))?;
        let mut ids = catalogue.ids();
        let (Some(a), Some(b), Some(c)) = (ids.next(), ids.next(), ids.next()) else {
            return Err(Failure::new("a catalogue of three has fewer ids"));
        };
        let board = Board::new(catalogue, Arc::new(clock.clone()));
        Ok(Self {
            clock,
            board,
            ids: [a, b, c],
            places: Default::default(),
            receipts: Vec::new(),
            commands: Vec::new(),
            expected: Expected::new(),
        })
    }

    fn id(&self, signal: usize) -> SignalId {
        let [a, b, c] = self.ids;
        match signal % 3 {
            0 => a,
            1 => b,
            _ => c,
        }
    }

    fn signal(&self, id: SignalId) -> usize {
        self.ids.iter().position(|other| *other == id).unwrap_or(usize::MAX)
    }

    fn step(&mut self, action: &Action) -> Result<(), Failure> {
        match action {
            Action::Publish(points) => {
                let now = self.clock.now();
                let batch: Vec<_> = points
                    .iter()
                    .map(|(s, state)| (self.id(*s), Datapoint::new(state.clone(), now)))
                    .collect();
                self.board.publish(&batch)?;
                self.expected.publish(points);
            }
            Action::Subscribe { place, signals, filter, overflow } => {
                let signals = signals.iter().map(|&s| (self.id(s), *filter)).collect();
                let mut wish = coachwork_vehicle::Subscribe::to([]);
                (wish.signals, wish.overflow) = (signals, *overflow);
                let subscription = self.board.subscribe(wish)?;
                if let Some(slot) = self.places.get_mut(*place) {
                    *slot = Some(Place { subscription, flag: Arc::default(), waits: false });
                }
                self.expected.subscribe(action);
            }
            Action::Read(place) => self.read(*place)?,
            Action::Drop(place) => {
                if let Some(slot) = self.places.get_mut(*place) {
                    *slot = None;
                }
                self.expected.drop_place(*place);
            }
            Action::Advance(by) => {
                self.clock.advance(*by);
                self.expected.advance(*by);
            }
            Action::Govern { signal, allowed } => {
                let id = self.id(*signal);
                self.board.restrict(|other, now| {
                    let read = if *allowed { Permission::Yes } else { Permission::denied("no") };
                    if other == id { Access { read, ..now.clone() } } else { now.clone() }
                });
                self.expected.govern(*signal, *allowed);
            }
            Action::Ask { value, within, key, fails } => self.ask(*value, *within, *key, *fails)?,
            Action::Settle(back) => {
                if let Some(command) = self.commands.iter().rev().nth(*back) {
                    let busy = Outcome::Refused(Refusal::new(RefusalKind::Busy, "busy"));
                    let open = self.board.settle(command, busy);
                    let expected = self.expected.settle(*back);
                    same("whether a request was open", &open, &expected)?;
                }
            }
            Action::Lose => {
                self.board.withdraw_all(&Reason::new(ReasonKind::Link));
                self.expected.lose();
            }
            Action::End => {
                self.board.end(&Reason::new(ReasonKind::Ended));
                self.expected.end();
            }
        }
        self.look()
    }

    /// What a get and the receipts say.
    fn look(&self) -> Result<(), Failure> {
        let points = self.board.get(Get::of(&self.ids))?;
        let seen: Vec<_> =
            points.into_iter().map(|point| point.map(|p| p.state).map_err(|e| e.kind())).collect();
        let wanted = self.expected.states();
        let equal = seen.len() == wanted.len()
            && seen.iter().zip(&wanted).all(|pair| match pair {
                (Ok(seen), Ok(wanted)) => seen.same(wanted),
                (seen, wanted) => seen == wanted,
            });
        if !equal {
            return Err(Failure::new(format!("a get says {seen:?}, not {wanted:?}")));
        }
        let stages: Vec<_> = self.receipts.iter().map(|receipt| kind(&receipt.stage())).collect();
        same("the receipts", &stages, &self.expected.stages())
    }

    fn ask(&mut self, value: i8, within: Duration, key: Option<u8>, fails: bool) -> Result<(), Failure> {
        let mut set = Set::within(within);
        set.key = key.and_then(|key| Key::new(&format!("key {key}")).ok());
        let commands = &mut self.commands;
        let request = Request::new(self.ids[2], value).with(set);
        let mut answers = self.board.set(vec![request], |command| {
            if fails {
                return Err(Error::new(ErrorKind::Unavailable, "no link"));
            }
            commands.push(command.clone());
            Ok(())
        })?;
        let answer = answers.pop().ok_or_else(|| Failure::new("a request has no answer"))?;
        let expected = self.expected.ask(value, within, key, fails);
        let kind = answer.as_ref().map(drop).map_err(Error::kind);
        same("the answer to a request", &kind, &expected)?;
        self.receipts.extend(answer);
        Ok(())
    }

    /// Reads all that a subscription has to tell.
    fn read(&mut self, place: usize) -> Result<(), Failure> {
        let wanted = self.expected.read(place);
        let Some(Some(open)) = self.places.get_mut(place) else { return Ok(()) };
        let woken = open.flag.0.swap(false, Ordering::AcqRel);
        if open.waits && !woken && !wanted.is_empty() {
            return Err(Failure::new(format!("the reader of {place} was not woken for {wanted:?}")));
        }
        let waker = Waker::from(open.flag.clone());
        let mut cx = Context::from_waker(&waker);
        let mut events = Vec::new();
        loop {
            let mut next = std::pin::pin!(open.subscription.next());
            match next.as_mut().poll(&mut cx) {
                Poll::Ready(Some(event)) => events.push(event),
                Poll::Ready(None) => break,
                Poll::Pending => {
                    open.waits = true;
                    break;
                }
            }
        }
        open.flag.0.store(false, Ordering::Release);
        let seen: Vec<_> = events.into_iter().map(|event| self.told(event)).collect();
        let equal = seen.len() == wanted.len() && seen.iter().zip(&wanted).all(|(a, b)| a.same(b));
        if equal { Ok(()) } else { Err(Failure::new(format!("{place} tells {seen:?}, not {wanted:?}"))) }
    }

    fn told(&self, event: Event) -> Told {
        match event {
            Event::Changed(points) => {
                let points = points.iter().map(|(id, point)| (self.signal(id), point.state.clone()));
                Told::changed(points.collect())
            }
            Event::Lagged(n) => Told::Lagged(n),
            Event::Access(changes) => Told::Access(
                changes.iter().map(|(id, read)| (self.signal(*id), *read == Permission::Yes)).collect(),
            ),
            Event::Ended(_) => Told::Ended,
            other => Told::Other(format!("{other:?}")),
        }
    }

    /// Reads everything once more, and sees that nothing is left behind.
    fn finish(&mut self) -> Result<(), Failure> {
        for place in 0..PLACES {
            self.read(place)?;
        }
        self.places = Default::default();
        same("the waits that dropped subscriptions leave behind", &self.clock.sleepers(), &0)
    }
}

/// How far a request is, without times and texts.
fn kind(stage: &Stage) -> &'static str {
    match stage {
        Stage::Accepted => "open",
        Stage::Settled(Outcome::Confirmed(_)) => "confirmed",
        Stage::Settled(Outcome::Refused(why)) => why.kind().name(),
        Stage::Settled(Outcome::TimedOut) => "timed out",
        Stage::Settled(Outcome::InDoubt) => "in doubt",
        Stage::Settled(_) => "other",
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, wanted: &T) -> Result<(), Failure> {
    if seen == wanted { Ok(()) } else { Err(Failure::new(format!("{what}: {seen:?}, not {wanted:?}"))) }
}

/// The states that actions report.
pub(crate) fn state(signal: usize, choice: u8) -> State {
    let n = choice % 8;
    match choice / 8 % 8 {
        0 => State::NotAvailable(Reason::new(ReasonKind::Source)),
        1 => State::Error(Reason::new(ReasonKind::Source)),
        2 if signal == 1 => State::Valid(Value::Float(f32::NAN)),
        _ => State::Valid(match signal {
            0 => Value::Uint(n.into()),
            1 => Value::Float(f32::from(n)),
            _ => Value::Int(i64::from(n) - 4),
        }),
    }
}
