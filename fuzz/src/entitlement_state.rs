//! Bytes become a life of a car: grants, statuses, clocks, owners, countries, journeys and restarts, in any order.
//!
//! *Oracle:* nothing is allowed that no verified grant covers, nothing is denied inside what was promised, nothing ends
//! while the car moves, and the owner's export says what is decided.
//! *Next:* `coachwork_entitlement::Wallet`.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use coachwork_entitlement::{
    Anchor, Because, Features, Grant, GrantId, Issuer, KeyId, MemoryStore, OwnerEpoch, PaidClass,
    PaidFeature, SafeState, Setup, Status, StatusList, StatusRef, Trust, VehicleId, Verified, Verifier,
    Wallet,
};
use coachwork_vehicle::{Clock, ManualClock, Timestamp};

const START: i64 = 1_780_000_000;
const HOUR: u64 = 3600;
const NAMES: [&str; 3] = ["a", "b", "c"];

static ISSUER: LazyLock<Issuer> =
    LazyLock::new(|| Issuer::new(KeyId::new("fuzz").expect("an id"), &[7; 32]).expect("a key"));

struct Life {
    clock: ManualClock,
    store: Arc<MemoryStore>,
    wallet: Wallet,
    list: StatusList,
    statuses: [(Status, Option<Because>); 4],
    listed: bool,
    moving: bool,
    region: Option<&'static str>,
    /// What was allowed after the last step.
    allowed: [bool; 3],
    /// Every grant that was ever taken in.
    ever: Vec<Verified<Grant>>,
}

fn setup() -> Setup {
    let features = NAMES.map(|name| PaidFeature::new(name.parse().expect("a name"), PaidClass::Comfort));
    let keys = Anchor::Keys(Verifier::new([(ISSUER.key_id(), ISSUER.public_key())]).expect("a set"));
    let features = Arc::new(Features::new(features).expect("a table"));
    Setup::new(VehicleId::opaque([1; 16]), features, keys, Timestamp::from_seconds(START))
}

impl Life {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_seconds(START));
        let store = Arc::new(MemoryStore::default());
        let wallet = Wallet::open(setup(), store.clone(), Arc::new(clock.clone())).expect("a wallet");
        wallet.tell_time(clock.now(), Trust::Secure).expect("memory");
        let list = StatusList::new("list", clock.now(), 4).expect("a list");
        let statuses = [(Status::Valid, None); 4];
        Self {
            clock,
            store,
            wallet,
            list,
            statuses,
            listed: false,
            moving: false,
            region: None,
            allowed: [false; 3],
            ever: Vec::new(),
        }
    }

    fn act(&mut self, action: [u8; 4]) {
        let [kind, a, b, c] = action;
        match kind % 10 {
            0 => self.clock.advance(Duration::from_secs(u64::from(a) * HOUR / 4)),
            1 => self.clock.advance(Duration::from_secs(u64::from(a) * 24 * HOUR)),
            2 => self.add(a, b, c),
            3 => self.publish(a, b),
            4 => {
                self.moving = a % 2 == 0;
                let safe = if self.moving { SafeState::Moving } else { SafeState::Parked };
                self.wallet.set_safe_state(safe).expect("memory");
            }
            5 => {
                let owner = self.wallet.car().owner;
                self.wallet.new_owner(OwnerEpoch(owner.0 + u32::from(a % 2) + 1)).expect("memory");
            }
            6 | 7 => {
                let trust = [Trust::Rtc, Trust::Network, Trust::Secure][usize::from(a) % 3];
                let off = (i64::from(b) - 128) * [0, 60, 86_400, 86_400 * 365][usize::from(c) % 4];
                let told = Timestamp::from_seconds(self.clock.now().seconds().saturating_add(off));
                let told = if c == 255 { Timestamp::from_nanoseconds(i64::MAX) } else { told };
                self.wallet.tell_time(told, trust).expect("memory");
            }
            8 => {
                self.region = [None, Some("DE"), Some("FR")][usize::from(a) % 3];
                let region = self.region.map(|region| region.parse().expect("a country"));
                self.wallet.enter(region).expect("memory");
            }
            _ => {
                self.wallet.checkpoint().expect("memory");
                // The monotonic reading begins anew; real time does not.
                self.clock =
                    ManualClock::new(self.clock.now().saturating_add(Duration::from_secs(u64::from(a))));
                let clock = Arc::new(self.clock.clone());
                self.wallet = Wallet::open(setup(), self.store.clone(), clock).expect("a wallet");
            }
        }
    }

    fn add(&mut self, a: u8, b: u8, c: u8) {
        let now = self.wallet.now().at.max(Timestamp::EPOCH);
        let hours = |n: u8| Duration::from_secs(u64::from(n) * HOUR);
        let id = GrantId::new([a % 4]).expect("an id");
        let mut draft = Grant::draft(id, VehicleId::opaque([if c & 7 == 7 { 9 } else { 1 }; 16]), now);
        for (at, name) in NAMES.iter().enumerate() {
            if b >> at & 1 == 1 {
                draft = draft.opens(&PaidFeature::new(name.parse().expect("a name"), PaidClass::Comfort));
            }
        }
        if b & 8 != 0 {
            draft = draft.until(now.saturating_add(hours(c) + Duration::from_secs(1))).grace(hours(a));
        }
        if b & 16 != 0 {
            draft = draft.for_owner(OwnerEpoch(u32::from(c & 1) + 1));
        }
        if b & 32 != 0 {
            draft = draft.status(StatusRef::new("list", u32::from(a % 4)).expect("a place"));
            if b & 8 != 0 && c & 2 != 0 {
                draft = draft.offline(hours(c) + Duration::from_secs(1));
            }
        }
        if b & 64 != 0 {
            draft = draft.within("DE".parse().expect("a country"));
        }
        let sequence = u64::from(a / 4 % 4);
        draft = draft.sequence(sequence);
        if b & 128 != 0 && sequence > 0 {
            draft = draft.because(Because::Exchanged);
        }
        let Ok(grant) = draft.build() else { return };
        if let Ok(grant) = self.wallet.add_grant(&ISSUER.issue(&grant).expect("short")) {
            self.ever.push(grant);
        }
    }

    fn publish(&mut self, a: u8, b: u8) {
        let at = usize::from(a % 4);
        let because = (b & 64 != 0).then_some(Because::Refund);
        self.statuses[at] = (Status::from_number(b % 16), because);
        let now = self.wallet.now().at.max(self.list.issued());
        let Ok(mut list) = self.list.clone().issued_at(now) else { return };
        list.set(u32::from(a % 4), self.statuses[at].0, because).expect("a place");
        self.list = list;
        self.listed |= self.wallet.add_status(&ISSUER.issue_status(&self.list).expect("short")).is_ok();
    }

    fn check(&mut self) {
        let now = self.wallet.now();
        let export = self.wallet.export();
        let grants = self.wallet.grants();
        let car = self.wallet.car();
        let mut allowed = [false; 3];
        for (at, name) in NAMES.iter().enumerate() {
            let decision = self.wallet.check(name);
            allowed[at] = decision.is_allowed();
            let feature = name.parse().expect("a name");
            // The export agrees.
            let exported =
                export.features.iter().find(|(of, _)| of.name().as_str() == *name).expect("it is listed");
            assert_eq!(exported.1, decision);
            // Nothing without a verified grant, in its time and for its owner; on a journey, in the past.
            let fits = |grant: &&Verified<Grant>| {
                grant.opens(&feature) && grant.vehicle() == VehicleId::opaque([1; 16])
            };
            let covers = |grant: &Verified<Grant>| {
                grant.owner().is_none_or(|owner| owner == car.owner)
                    && grant.starts() <= now.at
                    && grant.ends().is_none_or(|ends| now.at < ends)
            };
            if allowed[at] {
                assert!(self.ever.iter().any(|grant| fits(&grant)), "{name} without a grant");
                assert!(
                    self.moving || grants.iter().filter(fits).any(covers),
                    "{name} uncovered: {decision}"
                );
            }
            // Nothing denied inside what was promised.
            let replaced = |grant: &Verified<Grant>| {
                grants
                    .iter()
                    .any(|o| o.id() == grant.id() && o.because().is_some() && o.sequence() > grant.sequence())
            };
            let promised = |grant: &&Verified<Grant>| {
                let place = grant.status().map(|place| usize::try_from(place.index()).expect("small"));
                let sound = |(status, because): (Status, Option<Because>)| match status {
                    Status::Valid | Status::Cancelled | Status::Other(_) => true,
                    Status::Invalid | Status::Suspended => because.is_none(),
                    _ => false,
                };
                !replaced(grant)
                    && covers(grant)
                    && place.is_none_or(|place| sound(self.statuses[place]) && grant.offline().is_none())
                    && (grant.regions().is_empty() || self.region != Some("FR"))
                    && (now.trust > Trust::Unknown || grant.expires().is_none())
            };
            if let Some(grant) = grants.iter().filter(fits).find(promised) {
                assert!(allowed[at], "{name} was promised by {grant:?} and denied: {decision}");
            }
            // Nothing ends while the car moves.
            assert!(!self.moving || !self.allowed[at] || allowed[at], "{name} ended on the way: {decision}");
        }
        self.allowed = allowed;
    }
}

/// Each four bytes are an action.
pub fn run(data: &[u8]) {
    judge(data);
}

/// As [`run`]: what is allowed in the end.
pub fn judge(data: &[u8]) -> [bool; 3] {
    let mut life = Life::new();
    for action in data.chunks_exact(4).take(256) {
        life.act([action[0], action[1], action[2], action[3]]);
        life.check();
    }
    life.allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides() {
        assert_eq!(judge(&[2, 0, 1, 0]), [true, false, false]);
        assert_eq!(judge(&[2, 0, 6, 0]), [false, true, true]);
        let lent = [2, 1, 9, 5];
        assert_eq!(judge(&lent), [true, false, false]);
        assert_eq!(judge(&[&lent[..], &[1, 9, 0, 0]].concat()), [false; 3]);
        assert_eq!(judge(&[&lent[..], &[4, 0, 0, 0, 1, 9, 0, 0]].concat()), [true, false, false]);
        assert_eq!(judge(&[&lent[..], &[4, 0, 0, 0, 1, 9, 0, 0, 4, 1, 0, 0]].concat()), [false; 3]);
    }

    /// Lives at random, the same ones each time.
    #[test]
    fn many_lives() {
        let mut seed = 1u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        };
        let mut some = 0;
        for _ in 0..150 {
            let life: Vec<u8> = (0..160).map(|_| next()).collect();
            some += judge(&life).iter().filter(|allowed| **allowed).count();
        }
        assert!(some > 0);
    }
}
