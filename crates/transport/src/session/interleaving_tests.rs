//! Both sessions through any order of what either end, the links and the clock may do.

use coachwork_vehicle::{Datapoint, Error, ErrorKind, Event, Outcome, Points, Request, Stage, Subscribe};
use proptest::prelude::*;

use super::tests::{Pair, SECOND};
use super::{Arrived, Received, Ticket};
use crate::viss::{Answer, Call, Dialect, EncodedEvent};
use crate::{Limits, Message};

/// One step of a run: something that either end, the links or the clock may do.
#[derive(Clone, Copy, Debug)]
enum Step {
    Get,
    Set,
    Subscribe,
    Unsubscribe,
    Cancel,
    Serve,
    Answer(u8),
    Event,
    Settle,
    Deliver,
    Tick,
}

/// What a run keeps besides the pair.
#[derive(Default)]
struct Run {
    open: Vec<(Ticket, Call)>,
    asked: Vec<Ticket>,
    settled: Vec<Ticket>,
    /// Receipts that the server has accepted, and those that the client has seen settled.
    accepted: Vec<(Ticket, usize)>,
    receipts: usize,
}

impl Run {
    /// The client asks for something, if the step says so.
    fn ask(&mut self, pair: &mut Pair, step: Step) {
        let now = pair.now();
        let ids = pair.ids(&["Vehicle.Speed", "Vehicle.Name"]);
        let seat = pair.ids(&["Vehicle.Cabin.Seat.Heating"])[0];
        // Pure VISS sets one actuator, and watches one signal, at a time.
        let additions = pair.client.has_additions();
        let watched = if additions { ids.as_slice() } else { &ids[..1] };
        let asked = match step {
            Step::Set if !additions => Some(pair.client.set(&[Request::new(seat, 5)], 2 * SECOND, now)),
            Step::Get => Some(pair.client.get(&ids, 2 * SECOND, now)),
            Step::Set => {
                Some(pair.client.set(&[Request::new(seat, 5), Request::new(seat, 6)], 2 * SECOND, now))
            }
            Step::Subscribe => {
                Some(pair.client.subscribe(&Subscribe::to(watched.iter().copied()), 2 * SECOND, now))
            }
            Step::Unsubscribe => {
                let subscription = pair.client.subscriptions().min().cloned();
                subscription.map(|subscription| pair.client.unsubscribe(&subscription, 2 * SECOND, now))
            }
            _ => None,
        };
        match asked {
            Some(Ok((ticket, message))) => {
                self.asked.push(ticket);
                pair.to_server.push_back(message);
            }
            Some(Err(error)) => assert_eq!(error.kind(), ErrorKind::Limit),
            None => {}
        }
    }

    fn step(&mut self, pair: &mut Pair, step: Step) {
        self.ask(pair, step);
        let now = pair.now();
        match step {
            Step::Cancel => {
                if let Some(&ticket) = self.asked.iter().find(|ticket| !self.settled.contains(ticket)) {
                    pair.client.cancel(ticket);
                    self.settled.push(ticket);
                }
            }
            Step::Serve => {
                if let Some(message) = pair.to_server.pop_front() {
                    match pair.server.receive(&Message::Text(message), now) {
                        Received::Call { ticket, call, .. } => self.open.push((ticket, call)),
                        Received::Refused { reply, .. } => pair.to_client.push_back(reply),
                    }
                }
            }
            Step::Answer(which) if !self.open.is_empty() => {
                let (ticket, call) = self.open.remove(usize::from(which) % self.open.len());
                let point = || Ok(Datapoint::valid(1.0_f32, now.time));
                let answer = match call {
                    _ if which > 200 => Answer::Failed(Error::new(ErrorKind::Unavailable, "no")),
                    Call::Get(target) => Answer::Points(
                        target
                            .resolve(&pair.catalogue)
                            .unwrap()
                            .into_iter()
                            .map(|found| (found.path, point()))
                            .collect(),
                    ),
                    Call::Set(items) => Answer::Set(vec![Ok(Stage::Accepted); items.len()]),
                    Call::Subscribe(_) => Answer::Subscribed { refused: Vec::new() },
                    _ => Answer::Unsubscribed,
                };
                if let Some(message) = pair.server.answer(ticket, &answer, now) {
                    if let Answer::Set(items) = &answer {
                        self.accepted.extend((0..items.len()).map(|index| (ticket, index)));
                    }
                    pair.to_client.push_back(message);
                }
            }
            Step::Event => {
                let speed = pair.ids(&["Vehicle.Speed"])[0];
                let point = Datapoint::valid(2.0_f32, now.time);
                let event = Event::Changed(Points::new(vec![(speed, point)]));
                let event = EncodedEvent::new(pair.server.form(), &event, &pair.catalogue, now.time).unwrap();
                let subscriptions: Vec<_> = pair.server.subscriptions().cloned().collect();
                for subscription in subscriptions {
                    let message = pair.event(&subscription, &event);
                    pair.to_client.push_back(message.data().clone());
                }
            }
            Step::Settle => {
                if let Some((ticket, index)) = self.accepted.pop() {
                    pair.to_client.extend(pair.server.receipt(ticket, index, &Outcome::TimedOut, now));
                }
            }
            Step::Deliver => {
                if let Some(message) = pair.to_client.pop_front() {
                    let text = String::from_utf8_lossy(&message).into_owned();
                    match pair
                        .client
                        .receive(&Message::Text(message), now)
                        .unwrap_or_else(|why| panic!("{text}: {why}"))
                    {
                        Arrived::Answer { ticket, .. } => self.settled.push(ticket),
                        Arrived::Send(message) => pair.to_server.push_back(message),
                        Arrived::Receipt { .. } => self.receipts += 1,
                        Arrived::Event { event, unknown, .. } => {
                            assert!(
                                matches!(event, Event::Changed(points) if points.len() == 1) && unknown == 0
                            );
                        }
                        Arrived::Interrupted { error, .. } => panic!("{error}"),
                        Arrived::CatalogueChanged { .. } | Arrived::Nothing => {}
                    }
                }
            }
            Step::Tick => {
                pair.now += 1;
                self.settled.extend(pair.client.expire(pair.now()));
                let now = pair.now();
                pair.to_client.extend(pair.server.expire(now));
            }
            _ => {}
        }
        assert!(pair.client.requests() <= 6 + 4 && pair.server.requests() <= 6 + 4);
        assert!(pair.server.subscriptions().len() <= 4);
    }

    /// Everything that is under way arrives, and everything that is open is answered or over.
    fn finish(mut self, mut pair: Pair) {
        for _ in 0..6 {
            while !(pair.to_server.is_empty()
                && pair.to_client.is_empty()
                && self.open.is_empty()
                && self.accepted.is_empty())
            {
                for step in [Step::Serve, Step::Answer(0), Step::Settle, Step::Deliver] {
                    self.step(&mut pair, step);
                }
            }
            self.step(&mut pair, Step::Tick);
        }
        assert!(pair.to_server.is_empty() && pair.to_client.is_empty());
        let mut settled = self.settled.clone();
        settled.sort_unstable();
        assert_eq!(settled, self.asked, "each request is settled once");
        assert_eq!((pair.client.requests(), pair.server.requests()), (0, 0));
        let mut client: Vec<_> = pair.client.subscriptions().cloned().collect();
        let mut server: Vec<_> = pair.server.subscriptions().cloned().collect();
        client.sort();
        server.sort();
        assert_eq!(client, server, "both ends have the same subscriptions");
    }
}

/// What the two ends speak.
const FORMS: [(Dialect, bool); 3] = [(Dialect::V3, true), (Dialect::V3, false), (Dialect::V2, false)];

fn run((dialect, additions): (Dialect, bool), steps: impl IntoIterator<Item = Step>) {
    let limits =
        Limits { requests: 6, subscriptions: 4, receipts: 8, request_time: 3 * SECOND, ..Limits::default() };
    let mut pair =
        if additions { Pair::with_additions(&limits) } else { Pair::pure_within(dialect, &limits) };
    let mut run = Run::default();
    for step in steps {
        run.step(&mut pair, step);
    }
    run.finish(pair);
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Get),
        2 => Just(Step::Set),
        2 => Just(Step::Subscribe),
        1 => Just(Step::Unsubscribe),
        1 => Just(Step::Cancel),
        4 => Just(Step::Serve),
        4 => any::<u8>().prop_map(Step::Answer),
        1 => Just(Step::Event),
        2 => Just(Step::Settle),
        4 => Just(Step::Deliver),
        1 => Just(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_request_is_settled_once_and_both_ends_agree(steps in prop::collection::vec(step(), 0..120), form in prop::sample::select(FORMS.to_vec())) {
        run(form, steps);
    }
}

/// All orders in which `steps` can happen with their own order kept, with two other sequences between.
fn interleave(sequences: &mut [&[Step]], so_far: &mut Vec<Step>, count: &mut usize) {
    if sequences.iter().all(|sequence| sequence.is_empty()) {
        *count += 1;
        for form in FORMS {
            run(form, so_far.iter().copied());
        }
        return;
    }
    for at in 0..sequences.len() {
        let Some((&step, rest)) = sequences[at].split_first() else { continue };
        let whole = std::mem::replace(&mut sequences[at], rest);
        so_far.push(step);
        interleave(sequences, so_far, count);
        so_far.pop();
        sequences[at] = whole;
    }
}

#[test]
fn every_interleaving_of_a_small_conversation_ends_well() {
    use Step::{Answer, Cancel, Deliver, Event, Get, Serve, Set, Settle, Subscribe, Tick, Unsubscribe};
    let conversations: [(&mut [&[Step]], usize); 6] = [
        (&mut [&[Subscribe, Cancel, Unsubscribe], &[Serve, Answer(0), Event], &[Deliver, Tick]], 560),
        (&mut [&[Set, Cancel], &[Serve, Answer(0), Settle], &[Deliver, Deliver, Tick]], 560),
        (&mut [&[Set, Set], &[Serve, Answer(1), Settle, Settle], &[Deliver, Tick]], 420),
        (&mut [&[Get, Cancel, Get], &[Serve, Serve, Answer(1)], &[Deliver, Tick]], 560),
        // The server is late, or refuses: both ends have given up, or only one of them.
        (&mut [&[Subscribe, Unsubscribe], &[Serve, Answer(255), Answer(0)], &[Tick, Tick, Tick]], 560),
        (&mut [&[Subscribe, Unsubscribe, Subscribe], &[Serve, Answer(0), Event, Event], &[Deliver]], 280),
    ];
    for (sequences, orders) in conversations {
        let mut count = 0;
        interleave(sequences, &mut Vec::new(), &mut count);
        assert_eq!(count, orders);
    }
}
