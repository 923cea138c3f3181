//! Given signals become the values of the multiplexers that they need, or a refusal.
//!
//! *Invariant:* a multiplexer is what is given, else what the payload has, else its start value, else the smallest value for which every given
//! signal is present; nothing is allocated for messages of usual size, and no list is walked more than its entries need.
//! *Next:* `given.rs` (who asks), `compile.rs` (who asks once for all frames).

use alloc::string::String;

use super::bits;
use super::error::EncodeError;
use super::given::Given;
use super::short::Short;
use crate::model::message::Message;
use crate::plan::{Field, contains, mask};

/// Multiplexers and the bits of their raw values, sorted by position.
pub(super) type Chosen = Short<Given, 8>;

/// A multiplexer, a signal that needs it, and the given signal that needs that one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Need {
    pub(super) multiplexer: u32,
    child: u32,
    origin: u32,
}

/// What given signals need, sorted by multiplexer.
pub(super) type Needs = Short<Need, 16>;

impl Message {
    /// What these signals, sorted by position, need of their multiplexers.
    pub(super) fn needs(&self, given: &[Given]) -> Needs {
        let mut needs = Needs::new();
        if !given.iter().any(|given| self.plan.selector(given.position as usize).is_some()) {
            return needs;
        }
        let mut seen = Short::<u64, 4>::filled(self.signals.len().div_ceil(64));
        let seen = seen.as_mut_slice();
        for given in given {
            let mut child = given.position;
            while let Some((multiplexer, _)) = self.plan.selector(child as usize) {
                let Some(word) = seen.get_mut(child as usize / 64) else { break };
                let bit = 1 << (child % 64);
                if *word & bit != 0 {
                    break;
                }
                *word |= bit;
                let Ok(multiplexer) = u32::try_from(multiplexer) else { break };
                needs.push(Need { multiplexer, child, origin: given.position });
                child = multiplexer;
            }
        }
        needs.as_mut_slice().sort_unstable_by_key(|need| (need.multiplexer, need.origin));
        needs
    }

    /// The bits of every multiplexer; `payload` is what is encoded onto.
    pub(super) fn multiplexers(
        &self,
        given: &[Given],
        payload: Option<&[u8]>,
        chosen: &mut Chosen,
    ) -> Result<(), EncodeError> {
        let mut multiplexers = self.plan.multiplexers().peekable();
        if multiplexers.peek().is_none() {
            return Ok(());
        }
        let needs = self.needs(given);
        for multiplexer in multiplexers {
            let Some((position, field)) = u32::try_from(multiplexer).ok().zip(self.plan.field(multiplexer))
            else {
                continue;
            };
            let needs = of(needs.as_slice(), position);
            let bits = self.choose(position, field, needs, given, payload)?;
            if !needs.is_empty() && !field.fits(payload.map_or(self.length(), <[u8]>::len)) {
                return Err(EncodeError::Outside {
                    signal: self.signal_name(position),
                    length: payload.map_or(self.length(), <[u8]>::len),
                });
            }
            chosen.push(Given::new(position, bits));
        }
        if payload.is_none() {
            // One that is not given has a value for which something is defined, where it can have one.
            for multiplexer in chosen.as_slice() {
                let defined = self.plan.defined(multiplexer.position as usize);
                if !defined.is_empty()
                    && !contains(defined, multiplexer.bits)
                    && find(given, multiplexer.position).is_some()
                    && self.selected(multiplexer.position, chosen.as_slice())
                {
                    return Err(EncodeError::UndefinedMultiplexer {
                        signal: self.signal_name(multiplexer.position),
                        value: multiplexer.bits,
                    });
                }
            }
        }
        Ok(())
    }

    fn choose(
        &self,
        position: u32,
        field: &Field,
        needs: &[Need],
        given: &[Given],
        payload: Option<&[u8]>,
    ) -> Result<u64, EncodeError> {
        let excluded = |bits: u64| needs.iter().find(|need| !contains(self.values(need), bits));
        if let Some(bits) = find(given, position) {
            return match excluded(bits) {
                None => Ok(bits),
                Some(need) => Err(self.contradiction(need, bits)),
            };
        }
        let present = payload.and_then(|payload| field.bits(payload));
        if let Some(bits) = present.filter(|bits| excluded(*bits).is_none()) {
            return Ok(bits);
        }
        let defined = self.plan.defined(position as usize);
        let start = self.start_bits(position, field).unwrap_or(0);
        if excluded(start).is_none() && (defined.is_empty() || contains(defined, start)) {
            return Ok(start);
        }
        if needs.is_empty() {
            let first = defined.first().map_or(0, |range| range.0);
            return Ok(
                if first <= self.signals.get(position as usize).map_or(0, |signal| mask(signal.length)) {
                    first
                } else {
                    0
                },
            );
        }
        self.smallest(position, needs, 0).ok_or_else(|| self.impossible(needs))
    }

    /// The smallest value from `from` on for which all of these signals are present.
    pub(super) fn smallest(&self, multiplexer: u32, needs: &[Need], from: u64) -> Option<u64> {
        let most = self.signals.get(multiplexer as usize).map(|signal| mask(signal.length))?;
        let (mut value, mut agreed) = (from, 0);
        for need in needs.iter().cycle() {
            if agreed == needs.len() {
                break;
            }
            let next = next(self.values(need), value)?;
            agreed = if next == value { agreed + 1 } else { 1 };
            value = next;
        }
        (value <= most).then_some(value)
    }

    /// Why there is no such value.
    pub(super) fn impossible(&self, needs: &[Need]) -> EncodeError {
        let mut never = needs.iter().map(|need| (need, self.smallest(need.multiplexer, &[*need], 0)));
        if let Some((need, _)) = never.find(|(_, value)| value.is_none()) {
            return EncodeError::NeverPresent {
                signal: self.signal_name(need.origin),
                multiplexer: self.signal_name(need.multiplexer),
            };
        }
        let first = needs.first().copied().unwrap_or_default();
        let value = self.values(&first).first().map_or(0, |range| range.0);
        let other = needs.iter().find(|need| !contains(self.values(need), value));
        self.contradiction(other.unwrap_or(&first), value)
    }

    fn contradiction(&self, need: &Need, value: u64) -> EncodeError {
        EncodeError::Contradiction {
            signal: self.signal_name(need.origin),
            multiplexer: self.signal_name(need.multiplexer),
            value,
        }
    }

    /// The values of its multiplexer under which a signal is present.
    fn values(&self, need: &Need) -> &[(u64, u64)] {
        self.plan.selector(need.child as usize).map_or(&[], |(_, values)| values)
    }

    /// Whether a signal is present under these multiplexers.
    pub(super) fn selected(&self, position: u32, chosen: &[Given]) -> bool {
        let mut child = position as usize;
        while let Some((multiplexer, values)) = self.plan.selector(child) {
            let bits = u32::try_from(multiplexer).ok().and_then(|multiplexer| find(chosen, multiplexer));
            if !bits.is_some_and(|bits| contains(values, bits)) {
                return false;
            }
            child = multiplexer;
        }
        true
    }

    /// The bits of a signal's start value; one that its bits cannot hold is none.
    pub(super) fn start_bits(&self, position: u32, field: &Field) -> Option<u64> {
        let signal = self.signals.get(position as usize).filter(|signal| signal.length <= 64)?;
        bits::of_raw(signal, field, signal.start_value?).ok()
    }

    pub(super) fn signal_name(&self, position: u32) -> String {
        self.signals.get(position as usize).map_or_else(String::new, |signal| signal.name.clone())
    }
}

/// The needs of one multiplexer.
pub(super) fn of(needs: &[Need], multiplexer: u32) -> &[Need] {
    let from = needs.partition_point(|need| need.multiplexer < multiplexer);
    let to = needs.partition_point(|need| need.multiplexer <= multiplexer);
    needs.get(from..to).unwrap_or_default()
}

/// The bits at a position, in a list that is sorted by position.
pub(super) fn find(list: &[Given], position: u32) -> Option<u64> {
    let at = list.binary_search_by_key(&position, |given| given.position).ok()?;
    list.get(at).map(|given| given.bits)
}

/// The smallest value from `from` on that lies in one of these ranges, which are sorted and apart.
fn next(ranges: &[(u64, u64)], from: u64) -> Option<u64> {
    let at = ranges.partition_point(|range| range.1 < from);
    ranges.get(at).map(|range| range.0.max(from))
}
