//! A message and a list of its signals become a plan: lanes, the words that they fill, and the bits that are the same in every frame.
//!
//! *Invariant:* a plan accepts only what the way through `given.rs` accepts, and gives the same payload; where that cannot be settled beforehand,
//! because a given multiplexer may have several values, or the message is longer than 64 bytes, the plan says so and is not used.
//! *Next:* `lanes.rs` and `run.rs` (what executes it).

use alloc::vec;
use alloc::vec::Vec;

use super::bits::{self, MAGIC_LENGTH, Steps, slack};
use super::error::EncodeError;
use super::given::{Given, GivenList};
use super::lanes::{Chunk, LANES, Places};
use super::multiplex;
use super::piece::{Piece, WORDS, pieces};
use crate::Number;
use crate::model::message::Message;
use crate::model::signal::Signal;
use crate::plan::{Field, contains};

/// The most signals of a plan.
const MAX_SIGNALS: usize = 256;

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// One word, and one byte order, and lanes hold everything.
    Short,
    /// Several words, both byte orders, or signals that lanes cannot hold: each step has its target.
    Long,
    /// Every frame goes the long way.
    #[default]
    Careful,
}

/// Up to eight signals of one word, of eight that follow one another in the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Step {
    pub(super) chunk: Chunk,
    pub(super) places: Places,
}

/// Where a step takes its values and puts its bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Target {
    /// The place of its first value in the list.
    pub(super) from: u16,
    pub(super) word: u8,
    /// The word is meant with its first byte on top.
    pub(super) big: bool,
}

/// A signal that lanes cannot hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Single {
    pub(super) place: u32,
    pub(super) position: u32,
    pub(super) pieces: [Piece; 2],
}

/// What a list of signals is compiled to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    /// Of a short plan: its word is meant with its first byte on top.
    pub(super) big: bool,
    pub(super) steps: Vec<Step>,
    /// By step, in every plan.
    pub(super) targets: Vec<Target>,
    pub(super) singles: Vec<Single>,
    /// Start values and multiplexers, in words with their first byte below, without the bits of the list.
    pub(super) base: [u64; WORDS],
    /// The bits of the list.
    pub(super) own: [u64; WORDS],
    /// Whether it also serves for an existing payload: no multiplexer follows from what is given.
    pub(super) onto: bool,
}

/// A signal of the list, looked at.
struct Place<'m> {
    position: u32,
    signal: &'m Signal,
    field: &'m Field,
    pieces: (Piece, Option<Piece>),
    /// The values that lanes accept; `None` where lanes cannot hold it.
    bounds: Option<(f64, f64)>,
}

impl Plan {
    /// Compiles a list of positions, of which none is there twice.
    pub(super) fn compile(message: &Message, list: &[u32]) -> Result<Self, EncodeError> {
        let mut given = GivenList::new();
        for position in list {
            given.push(Given::new(*position, 0));
        }
        message.sort(given.as_mut_slice())?;
        let settled = message.settle(given.as_mut_slice())?;
        let Some(mut places) = settled.then(|| message.places(list)).flatten() else {
            return Ok(Self::default());
        };
        let mut plan = Self::default();
        let mut payload = vec![0; message.length()];
        if message.write_new(given.as_slice(), &mut payload).is_err() {
            return Ok(Self::default());
        }
        turn(&mut places);
        // Of signals that share bits the later in the file has them; start values and multiplexers have what is left.
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_unstable_by_key(|at| core::cmp::Reverse(places.get(*at).map(|place| place.position)));
        for at in order {
            if let Some(place) = places.get_mut(at) {
                plan.claim(place);
            }
        }
        for ((base, own), bytes) in plan.base.iter_mut().zip(plan.own).zip(payload.chunks(8)) {
            *base = word(bytes) & !own;
        }
        for place in &mut places {
            let chosen = plan_bits(given.as_slice(), place, message);
            place.bounds = place.bounds_with(chosen);
            // Beside its one value a multiplexer needs checks that only the long way makes.
            if chosen.is_some() && (place.bounds.is_none() || place.pieces.1.is_some()) {
                return Ok(Self::default());
            }
        }
        plan.lay_out(&places, message.length() <= 8);
        plan.onto = plan.kind != Kind::Careful
            && message.needs(given.as_slice()).as_slice().iter().all(|need| list.contains(&need.multiplexer));
        Ok(plan)
    }

    /// Takes the bits of a signal that no later one has.
    fn claim(&mut self, place: &mut Place<'_>) {
        let (low, high) = &mut place.pieces;
        for piece in [Some(low), high.as_mut()].into_iter().flatten() {
            if let Some(own) = self.own.get_mut(usize::from(piece.word)) {
                let all = piece.own();
                *piece = piece.without(*own);
                *own |= all;
            }
        }
    }

    fn lay_out(&mut self, places: &[Place<'_>], one_word: bool) {
        for (at, place) in (0_u16..).zip(places) {
            let (low, high) = place.pieces;
            match place.bounds {
                Some(bounds) if high.is_none() => self.lay_out_one(at, place.signal, low, bounds),
                // Two words, or no lane at all.
                _ => {
                    let pieces = [low, high.unwrap_or_default()];
                    self.singles.push(Single { place: at.into(), position: place.position, pieces });
                }
            }
        }
        let one_order =
            self.targets.iter().all(|target| Some(target.big) == self.targets.first().map(|t| t.big));
        let short = one_word && one_order && self.singles.is_empty();
        self.kind = if short { Kind::Short } else { Kind::Long };
        self.big = self.targets.first().is_some_and(|target| target.big);
    }

    /// Gives a signal a lane of a step that reaches it, or of a new one.
    fn lay_out_one(&mut self, at: u16, signal: &Signal, piece: Piece, (low, high): (f64, f64)) {
        let reaches = |target: &Target| {
            let near = at.checked_sub(target.from).is_some_and(|lane| usize::from(lane) < LANES);
            near && target.word == piece.word && target.big == piece.big
        };
        let found = self.targets.iter().rposition(reaches).unwrap_or(self.targets.len());
        if found == self.targets.len() {
            self.targets.push(Target { from: at, word: piece.word, big: piece.big });
            self.steps.push(Step::default());
        }
        let (Some(target), Some(step)) = (self.targets.get(found), self.steps.get_mut(found)) else { return };
        let lane = usize::from(at - target.from);
        put(&mut step.chunk.offset, lane, signal.offset);
        put(&mut step.chunk.factor, lane, signal.factor);
        put(&mut step.chunk.low, lane, low);
        put(&mut step.chunk.high, lane, high);
        put(&mut step.places.shift, lane, piece.left.into());
        put(&mut step.places.mask, lane, piece.mask);
    }
}

/// Gives signals within one byte, which have no byte order, the one that most others have.
fn turn(places: &mut [Place<'_>]) {
    let count = |big: bool| {
        let one = |place: &&Place<'_>| place.pieces.0.big == big && place.pieces.0.turned().is_none();
        places.iter().filter(one).count()
    };
    let big = count(true) > count(false);
    for place in places.iter_mut().filter(|place| place.pieces.0.big != big) {
        if let Some(turned) = place.pieces.0.turned().filter(|_| place.pieces.1.is_none()) {
            place.pieces.0 = turned;
        }
    }
}

/// The bits of a given multiplexer, which are settled.
fn plan_bits(given: &[Given], place: &Place<'_>, message: &Message) -> Option<u64> {
    let dependents = !message.plan.defined(place.position as usize).is_empty();
    dependents.then(|| multiplex::find(given, place.position)).flatten()
}

fn put<T>(lanes: &mut [T; LANES], at: usize, value: T) {
    if let Some(slot) = lanes.get_mut(at) {
        *slot = value;
    }
}

/// Up to eight bytes as a word, first byte below.
pub(super) fn word(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    for (to, from) in all.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(all)
}

impl Message {
    /// Gives every listed multiplexer its one value; `false` where one may have several.
    fn settle(&self, given: &mut [Given]) -> Result<bool, EncodeError> {
        let needs = self.needs(given);
        for at in 0..given.len() {
            let Some(position) = given.get(at).map(|given| given.position) else { break };
            let defined = self.plan.defined(position as usize);
            if defined.is_empty() {
                continue;
            }
            let needs = multiplex::of(needs.as_slice(), position);
            let value = if needs.is_empty() {
                // Nothing listed depends on it; what is not listed may.
                let only = defined.first().filter(|range| range.0 == range.1 && defined.len() == 1);
                only.map(|range| range.0)
            } else {
                let first = self.smallest(position, needs, 0).ok_or_else(|| self.impossible(needs))?;
                let more = first.checked_add(1).and_then(|from| self.smallest(position, needs, from));
                (more.is_none() && contains(defined, first)).then_some(first)
            };
            let Some((value, given)) = value.zip(given.get_mut(at)) else { return Ok(false) };
            given.bits = value;
        }
        // What is not listed follows; a list that contradicts itself is refused here.
        self.multiplexers(given, None, &mut multiplex::Chosen::new())?;
        Ok(true)
    }

    /// The listed signals, where words hold them all.
    fn places(&self, list: &[u32]) -> Option<Vec<Place<'_>>> {
        if self.length() > WORDS * 8 || list.len() > MAX_SIGNALS {
            return None;
        }
        let place = |position: &u32| {
            let (signal, field) =
                self.signals.get(*position as usize).zip(self.plan.field(*position as usize))?;
            let pieces = pieces(signal).filter(|_| field.fits(self.length()))?;
            Some(Place { position: *position, signal, field, pieces, bounds: None })
        };
        list.iter().map(place).collect()
    }
}

impl Place<'_> {
    /// The physical values between which all are accepted, and give the raw value nearest to them: of a settled multiplexer only its own.
    #[expect(clippy::cast_precision_loss, reason = "at most 51 bits")]
    fn bounds_with(&self, settled: Option<u64>) -> Option<(f64, f64)> {
        let (signal, field) = (self.signal, self.field);
        if signal.value_type.is_float() || signal.length > MAGIC_LENGTH {
            return None;
        }
        let limits = match settled {
            Some(bits) => field.raw(bits).integer().map(|raw| (raw, raw))?,
            None => field.integer_limits(),
        };
        let physical = |raw: i128| raw as f64 * signal.factor + signal.offset;
        let (a, b) = (physical(limits.0), physical(limits.1));
        let (mut low, mut high) = (a.min(b), a.max(b));
        if let Some((min, max)) = signal.range {
            low = low.max(min - slack(signal, min));
            high = high.min(max + slack(signal, max));
        }
        // Subtraction, division and rounding keep the order, so that everything between two fitting ends fits.
        let fits = |value: f64| {
            let raw = (value - signal.offset) / signal.factor;
            let found = bits::of_number(signal, field, Number::Float(value), Steps::Round);
            let wanted = found.is_ok_and(|found| settled.is_none_or(|bits| bits == found));
            wanted && raw.abs() < (1_u64 << MAGIC_LENGTH) as f64
        };
        (low <= high && fits(low) && fits(high)).then_some((low, high))
    }
}
