//! The message of an identifier, beside a hash map; and a large database beside a small one.

use std::collections::HashMap;
use std::hint::black_box;

use coachwork_benches::clock::time;
use coachwork_benches::line::{Budget, Line};
use coachwork_benches::random::Random;
use coachwork_benches::rounds::{Paired, paired};
use coachwork_benches::traffic::{Order, Traffic};
use coachwork_dbc::{
    Batch, CanId, ClassicFrame, Database, DatabaseBuilder, Match, Message, MessageBuilder, Signal,
};

use crate::Run;
use crate::decode::rows;

pub(crate) fn measure(run: &Run) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, messages, extended) in [
        ("11 bits, 200 messages", 200, false),
        ("29 bits, 200 messages", 200, true),
        ("29 bits, 10,000 messages", 10_000, true),
    ] {
        let database = database(messages, extended);
        for order in [Order::Random, Order::Periodic] {
            let measured = lookup(run, &database, order);
            let name = format!("{name}, {}", order.as_str());
            lines.push(Line::new(format!("{name} / SipHash map"), measured, Budget::Ratio(1.0)));
            lines.push(Line::alone(name, measured.ours, Budget::Figure(15.0)));
        }
    }
    lines.push(growth(run));
    lines
}

/// Messages with distinct identifiers and four signals each.
fn database(messages: usize, extended: bool) -> Database {
    let mut random = Random::new(7);
    let mut ids: Vec<CanId> = Vec::new();
    while ids.len() < messages {
        let id = if extended {
            CanId::extended(random.below(1 << 29) as u32)
        } else {
            CanId::standard(random.below(1 << 11) as u32)
        };
        ids.extend(id.filter(|id| !ids.contains(id)));
    }
    let messages = ids.into_iter().enumerate().map(|(number, id)| {
        let message = Message::builder(format!("m{number}"), id, 8);
        let signals =
            (0..4).map(|place| Signal::new(format!("s{place}"), place * 16, 16).with_scaling(0.5, 1.0));
        signals.fold(message, MessageBuilder::signal).build().expect("it builds")
    });
    messages.fold(Database::builder(), DatabaseBuilder::message).build()
}

fn lookup(run: &Run, database: &Database, order: Order) -> Paired {
    let traffic = Traffic::<ClassicFrame>::new(database, order, run.frames);
    let ids: Vec<CanId> =
        traffic.messages.iter().map(|message| database.messages()[*message as usize].id()).collect();
    let map: HashMap<CanId, usize> =
        database.messages().iter().enumerate().map(|(position, message)| (message.id(), position)).collect();
    for (id, message) in ids.iter().zip(&traffic.messages) {
        assert_eq!(database.find_position(*id, Match::Exact), Some(*message as usize));
        assert_eq!(map.get(id), Some(&(*message as usize)));
    }
    let count = ids.len() as f64;
    let ours = || {
        time(|| {
            for id in &ids {
                black_box(database.find_position(*id, Match::Exact));
            }
        }) / count
    };
    let theirs = || {
        time(|| {
            for id in &ids {
                black_box(map.get(id));
            }
        }) / count
    };
    paired(run.rounds, ours, theirs)
}

/// The same frames through 10,000 messages and through the 10 that they carry.
fn growth(run: &Run) -> Line {
    let large = database(10_000, true);
    let few = large.messages().iter().step_by(1000).cloned();
    let small = few.fold(Database::builder(), DatabaseBuilder::message).build();
    let traffic = Traffic::<ClassicFrame>::new(&small, Order::Random, run.frames);
    let (mut of_large, mut of_small) = (Batch::new(&large, Match::Exact), Batch::new(&small, Match::Exact));
    let frames = traffic.frames.len() as f64;
    let large = || rows(&mut of_large, &traffic.frames) / frames;
    let measured = paired(run.rounds, large, || rows(&mut of_small, &traffic.frames) / frames);
    Line::new("rows in 10,000 messages / in 10, ns per frame", measured, Budget::Ratio(1.1))
}
