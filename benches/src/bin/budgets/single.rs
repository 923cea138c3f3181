//! One signal by handle: the frame's message is looked up, and one value comes out.

use std::hint::black_box;

use coachwork_benches::case::Case;
use coachwork_benches::clock::time;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::rounds::median;
use coachwork_benches::traffic::{Make, Order, Traffic};
use coachwork_dbc::{ClassicFrame, FdFrame, Match, SignalIndex};

use crate::Run;

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let lines = run
        .cases
        .iter()
        .flat_map(|case| if case.fd { one::<FdFrame>(run, case) } else { one::<ClassicFrame>(run, case) });
    lines.collect()
}

fn one<F: Make>(run: &Run, case: &Case) -> Vec<Line> {
    // The last signal that is always present, as a program would have looked it up once.
    let handles: Vec<Option<SignalIndex>> = case
        .database
        .messages()
        .iter()
        .map(|message| {
            message
                .indexed_signals()
                .filter(|(_, signal)| signal.multiplexed().is_none())
                .last()
                .map(|(index, _)| index)
        })
        .collect();
    [Order::Random, Order::Periodic]
        .into_iter()
        .map(|order| {
            let traffic = Traffic::<F>::new(&case.database, order, run.frames);
            let pass = || {
                time(|| {
                    for frame in &traffic.frames {
                        let Some(position) = case.database.find_position(frame.id(), Match::Exact) else {
                            continue;
                        };
                        let message = &case.database.messages()[position];
                        let value = handles[position]
                            .and_then(|handle| message.decode_signal(handle, frame.payload()));
                        black_box(value.map(|value| value.double()));
                    }
                }) / traffic.frames.len() as f64
            };
            let _ = pass();
            let ours = median((0..run.rounds).map(|_| pass()));
            Line::alone(format!("{} {}", case.name, order.as_str()), ours, Budget::Figure(12.0))
        })
        .collect()
}
