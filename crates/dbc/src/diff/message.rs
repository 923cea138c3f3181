//! Messages, matched and compared.
//!
//! *Invariant:* every message of both databases is matched once, added, or removed; of messages that share an identifier or a name, the
//! first is matched with the first.
//! *Next:* `signal.rs` (their signals).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Kind, Log, Verdict, extra, signal};
use crate::{Database, Message};

pub(super) fn compare<'a>(older: &'a Database, newer: &'a Database, log: &mut Log<'a>) {
    let (before, after) = (older.messages(), newer.messages());
    let mut pairs = Pairs::new(before.len(), after.len());
    pairs.match_by(before, after, |message| (message.id(), message.name()));
    pairs.match_by(before, after, Message::id);
    pairs.match_by(before, after, Message::name);
    for (message, partner) in before.iter().zip(&pairs.partners) {
        log.about(Some((message.name(), message.id())), None);
        match partner.and_then(|partner| after.get(partner)) {
            Some(other) => compare_pair(message, other, log),
            None => log.add(Kind::MessageRemoved, Verdict::Breaking, Some(describe(message)), None),
        }
    }
    for (message, _) in after.iter().zip(&pairs.taken).filter(|(_, taken)| !**taken) {
        log.about(Some((message.name(), message.id())), None);
        log.add(Kind::MessageAdded, Verdict::Additive, None, Some(describe(message)));
    }
    log.about(None, None);
}

fn describe(message: &Message) -> String {
    format!("{} bytes, {} signals", message.length(), message.signals().len())
}

fn compare_pair<'a>(before: &'a Message, after: &'a Message, log: &mut Log<'a>) {
    use Verdict::{Additive, Breaking, Compatible};

    if before.name() != after.name() {
        log.add(
            Kind::MessageRenamed,
            Breaking,
            Some(before.name().to_string()),
            Some(after.name().to_string()),
        );
    }
    if before.id() != after.id() {
        let group = before.id().pgn().filter(|_| before.is_j1939() && after.is_j1939());
        let verdict = if group.is_some() && group == after.id().pgn() { Compatible } else { Breaking };
        log.add(Kind::MessageId, verdict, Some(before.id().to_string()), Some(after.id().to_string()));
    }
    if before.length() != after.length() {
        let show = |message: &Message| Some(format!("{} bytes", message.length()));
        // A receiver takes bytes that it does not know, and refuses a frame that is too short.
        let longer = after.length() > before.length();
        let (receiver, sender) = if longer { (Additive, Breaking) } else { (Breaking, Compatible) };
        log.add_for(Kind::MessageLength, receiver, sender, show(before), show(after));
    }
    if before.is_j1939() != after.is_j1939() {
        let show =
            |message: &Message| Some(if message.is_j1939() { "by group" } else { "by id" }.to_string());
        log.add(Kind::MessageGroup, Breaking, show(before), show(after));
    }
    cycle_time(before, after, log);
    if before.senders() != after.senders() {
        log.add(Kind::Senders, Compatible, list(before.senders()), list(after.senders()));
    }
    log.text(Kind::Comment, before.comment(), after.comment());
    extra::attributes(before.attributes(), after.attributes(), log);
    signal::compare(before, after, log);
}

fn cycle_time(before: &Message, after: &Message, log: &mut Log<'_>) {
    use Verdict::{Additive, Breaking, Compatible};

    let (receiver, sender) = match (before.cycle_time(), after.cycle_time()) {
        (None, Some(_)) => (Additive, Additive),
        (Some(_), None) => (Breaking, Compatible),
        (Some(old), Some(new)) if old < new => (Breaking, Compatible),
        (Some(old), Some(new)) if old > new => (Compatible, Breaking),
        _ => return,
    };
    let show = |time: Duration| format!("{} ms", time.as_secs_f64() * 1000.0);
    log.add_for(
        Kind::CycleTime,
        receiver,
        sender,
        before.cycle_time().map(show),
        after.cycle_time().map(show),
    );
}

/// Names with commas between; `None` for none.
pub(super) fn list(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join(", "))
}

/// Who belongs to whom.
pub(super) struct Pairs {
    /// For each older one, its newer one.
    pub(super) partners: Vec<Option<usize>>,
    /// For each newer one, whether it has an older one.
    pub(super) taken: Vec<bool>,
}

impl Pairs {
    pub(super) fn new(before: usize, after: usize) -> Self {
        Self { partners: vec![None; before], taken: vec![false; after] }
    }

    /// Matches those that are still alone and have one key, in their order.
    pub(super) fn match_by<'a, T, K: Ord>(
        &mut self,
        before: &'a [T],
        after: &'a [T],
        key: impl Fn(&'a T) -> K,
    ) {
        let mut waiting: BTreeMap<K, Vec<usize>> = BTreeMap::new();
        // From the end, so that the first is taken first.
        for (position, item) in after.iter().enumerate().rev() {
            if self.taken.get(position) == Some(&false) {
                waiting.entry(key(item)).or_default().push(position);
            }
        }
        for (item, partner) in before.iter().zip(&mut self.partners) {
            if partner.is_none()
                && let Some(position) = waiting.get_mut(&key(item)).and_then(Vec::pop)
            {
                *partner = Some(position);
                if let Some(taken) = self.taken.get_mut(position) {
                    *taken = true;
                }
            }
        }
    }
}
