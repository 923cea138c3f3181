//! A year with a paid feature: trial, purchase, three weeks offline, a dead clock, a failed renewal and its grace, a pause,
//! a move abroad, the sale of the car and a refund, on a clock that is turned by hand, as a timeline with every decision.
//!
//! *Invariant:* the back end signs, the car decides, and nothing passes between the two but tokens and lists.
//! *Next:* `docs/entitlement.md` has the rules behind each line.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::sync::Arc;
use std::time::Duration;

use coachwork::entitlement::{
    Anchor, AuditLog, Because, Draft, Features, GrantId, Issuer, KeyId, MemoryStore, Offer, OwnerEpoch,
    PaidClass, PaidFeature, Plan, Reason, SafeState, Setup, Status, StatusList, StatusRef, Trust, VehicleId,
    Verifier, Wallet,
};
use coachwork::{Clock, ManualClock, Timestamp};

type Failure = Box<dyn std::error::Error>;

const DAY: Duration = Duration::from_secs(86_400);
const HEATING: &str = "seat-heating";
const NAVIGATION: &str = "navigation";
const LIST: &str = "https://example.com/status/1";

/// The car with its wallet, and the seller with its keys.
struct Story {
    clock: ManualClock,
    store: Arc<MemoryStore>,
    audit: Arc<AuditLog>,
    wallet: Wallet,
    issuer: Issuer,
    list: StatusList,
    orders: u8,
}

fn main() -> Result<(), Failure> {
    let mut story = Story::begin("2026-01-01T08:00:00Z".parse()?)?;
    let (winter, maps) = (plan("winter", HEATING)?, plan("maps", NAVIGATION)?);
    let monthly = Offer::recurring(winter.clone(), 30 * DAY)?.grace(5 * DAY)?.offline(28 * DAY)?;
    let monthly = monthly.only_in(["AT".parse()?, "DE".parse()?]).for_owner();
    let week = Offer::prepaid(winter.clone(), 7 * DAY)?;

    println!(
        "Each entry: the car's date and what happened; what the car noted (-); and for every feature what it"
    );
    println!("decides, why, and what would help (->).");
    story.tell("The car is delivered; nothing was bought, the sunroof was built in.");
    story.expect(HEATING, Reason::NotInPlan);
    story.expect("sunroof", Reason::Fitted);

    story.buy(&Offer::trial(winter, 14 * DAY)?.for_owner(), |draft| draft)?;
    story.tell("The owner tries the winter package for two weeks.");
    story.expect(HEATING, Reason::Trial);

    story.pass(14 * DAY)?;
    story.tell("The trial is over.");
    story.expect(HEATING, Reason::Expired);

    let order = story.buy(&monthly, |draft| draft)?;
    story.buy(&Offer::perpetual(maps), |draft| draft)?;
    story.tell("The owner subscribes to the winter package, and buys the maps for good.");
    story.expect(HEATING, Reason::Granted);

    story.pass(21 * DAY)?;
    story.tell("Three weeks in the mountains, offline: the status is stale, and nothing is cut.");
    story.expect(HEATING, Reason::StatusStale);

    story.start_again(Duration::from_secs(3600))?;
    story.wallet.tell_time("1970-01-01T00:00:00Z".parse()?, Trust::Rtc)?;
    story.tell("The battery was flat, and the car's clock says 1970: the last good state holds.");
    story.expect(HEATING, Reason::TimeUnknown);
    story.expect(NAVIGATION, Reason::StatusStale);

    story.online()?;
    story.tell("Online again: time and status are fresh.");
    story.expect(HEATING, Reason::Granted);

    story.pass(10 * DAY)?;
    story.online()?;
    story.tell("The renewal failed: the card has expired.");
    story.expect(HEATING, Reason::Grace);

    story.wallet.set_safe_state(SafeState::Moving)?;
    story.pass(5 * DAY)?;
    story.tell("The grace ends during a very long drive. Nothing ends while the car moves.");
    story.expect(HEATING, Reason::Driving);
    story.wallet.set_safe_state(SafeState::Parked)?;
    story.tell("The car is parked.");
    story.expect(HEATING, Reason::Expired);

    story.renew(&monthly, order, 1, |draft| draft)?;
    story.online()?;
    story.tell("The owner pays with a new card.");
    story.expect(HEATING, Reason::Granted);

    story.pass(28 * DAY)?;
    story.publish(order, Status::Paused, None)?;
    story.tell("It is spring: the owner pauses the subscription.");
    story.expect(HEATING, Reason::Paused);

    story.pass(185 * DAY)?;
    story.publish(order, Status::Valid, None)?;
    story.renew(&monthly, order, 2, |draft| draft)?;
    story.tell("Autumn: the subscription goes on.");
    story.expect(HEATING, Reason::Granted);

    story.pass(5 * DAY)?;
    story.wallet.enter(Some("CH".parse()?))?;
    story.tell("The owner moves to Switzerland, which the plan does not cover.");
    story.expect(HEATING, Reason::OutOfRegion);
    story.expect(NAVIGATION, Reason::Granted);
    story.renew(&monthly.clone().only_in(["CH".parse()?]), order, 3, |draft| draft)?;
    story.tell("The plan is extended to Switzerland.");
    story.expect(HEATING, Reason::Granted);

    println!("\n--- what the owner can export at any time ---\n{}---", story.wallet.export());

    story.pass(20 * DAY)?;
    story.wallet.new_owner(OwnerEpoch(2))?;
    story.online()?;
    story.tell("The car is sold. What was personal ends, what was bought for good stays.");
    story.expect(HEATING, Reason::OtherOwner);
    story.expect(NAVIGATION, Reason::Granted);

    story.wallet.enter(Some("AT".parse()?))?;
    let second = story.buy(&monthly, |draft| draft)?;
    story.tell("The new owner, in Austria, subscribes too.");
    story.expect(HEATING, Reason::Granted);

    story.pass(3 * DAY)?;
    story.publish(second, Status::Invalid, None)?;
    story.tell("The seller withdraws it and gives no reason: that takes nothing away.");
    story.expect(HEATING, Reason::Unexplained);
    story.publish(second, Status::Invalid, Some(Because::Refund))?;
    story.tell(
        "The seller says why: a refund, for which the new owner had asked. That is signed, and ends it.",
    );
    story.expect(HEATING, Reason::Revoked(Because::Refund));
    story.expect(NAVIGATION, Reason::Granted);

    story.pass(68 * DAY)?;
    story.buy(&week, |draft| draft)?;
    story.online()?;
    story.tell("Christmas in the snow: the new owner pays for one week of heating beforehand.");
    story.expect(HEATING, Reason::Granted);
    story.pass(7 * DAY)?;
    story.online()?;
    story.tell("A year after its delivery, the car has what was bought for good and what it was built with.");
    story.expect(HEATING, Reason::Expired);
    story.expect(NAVIGATION, Reason::Granted);
    story.expect("sunroof", Reason::Fitted);

    println!("\n--- what the new owner has ---\n{}---", story.wallet.export());
    Ok(())
}

fn plan(name: &str, feature: &str) -> Result<Plan, Failure> {
    Ok(Plan::new(name.parse()?, [PaidFeature::new(feature.parse()?, PaidClass::Comfort)]))
}

fn open(
    issuer: &Issuer,
    store: &Arc<MemoryStore>,
    audit: &Arc<AuditLog>,
    clock: &ManualClock,
) -> Result<Wallet, Failure> {
    let mut features = Vec::new();
    for name in [HEATING, NAVIGATION, "sunroof"] {
        features.push(PaidFeature::new(name.parse()?, PaidClass::Comfort));
    }
    let keys = Anchor::Keys(Verifier::new([(issuer.key_id(), issuer.public_key())])?);
    let built = "2025-12-01T00:00:00Z".parse()?;
    let vehicle = VehicleId::opaque(*b"a vehicle's name");
    let mut setup = Setup::new(vehicle, Arc::new(Features::new(features)?), keys, built);
    setup.fitted.insert("sunroof".parse()?);
    setup.audit = audit.clone();
    Ok(Wallet::open(setup, store.clone(), Arc::new(clock.clone()))?)
}

impl Story {
    fn begin(at: Timestamp) -> Result<Self, Failure> {
        let issuer = Issuer::new(KeyId::new("2026")?, &[7; 32])?;
        let (clock, store) = (ManualClock::new(at), Arc::new(MemoryStore::default()));
        let audit = Arc::new(AuditLog::new(64));
        let wallet = open(&issuer, &store, &audit, &clock)?;
        wallet.tell_time(at, Trust::Secure)?;
        wallet.enter(Some("DE".parse()?))?;
        let list = StatusList::new(LIST, at, 64)?.fresh_for(7 * DAY)?;
        Ok(Self { clock, store, audit, wallet, issuer, list, orders: 0 })
    }

    /// A new order: its grant is signed and reaches the car.
    fn buy(&mut self, offer: &Offer, change: impl FnOnce(Draft) -> Draft) -> Result<u8, Failure> {
        self.orders += 1;
        self.renew(offer, self.orders, 0, change)?;
        Ok(self.orders)
    }

    fn renew(
        &mut self,
        offer: &Offer,
        order: u8,
        edition: u64,
        change: impl FnOnce(Draft) -> Draft,
    ) -> Result<(), Failure> {
        let (car, now) = (self.wallet.car(), self.clock.now());
        let draft = offer.draft(GrantId::new([order])?, car.vehicle, car.owner, now).sequence(edition);
        let grant = change(draft.status(StatusRef::new(LIST, u32::from(order))?)).build()?;
        self.wallet.add_grant(&self.issuer.issue(&grant)?)?;
        Ok(())
    }

    fn publish(&mut self, order: u8, status: Status, because: Option<Because>) -> Result<(), Failure> {
        self.list.set(u32::from(order), status, because)?;
        self.online()
    }

    /// The car hears the time and the statuses.
    fn online(&mut self) -> Result<(), Failure> {
        self.list = self.list.clone().issued_at(self.clock.now())?;
        self.wallet.tell_time(self.clock.now(), Trust::Secure)?;
        self.wallet.add_status(&self.issuer.issue_status(&self.list)?)?;
        Ok(())
    }

    fn pass(&mut self, time: Duration) -> Result<(), Failure> {
        self.clock.advance(time);
        Ok(self.wallet.checkpoint()?)
    }

    /// The car is switched off and on again: only its store is what it was.
    fn start_again(&mut self, off: Duration) -> Result<(), Failure> {
        self.wallet.checkpoint()?;
        self.clock = ManualClock::new(self.clock.now().saturating_add(off));
        self.wallet = open(&self.issuer, &self.store, &self.audit, &self.clock)?;
        Ok(())
    }

    fn tell(&self, what: &str) {
        let now = self.wallet.now();
        let doubt = if now.trust == Trust::Unknown { " (it thinks)" } else { "" };
        println!("\n{}{doubt}  {what}", now.at);
        for (_, event) in self.audit.take() {
            println!("    - {event}");
        }
        for (feature, decision) in self.wallet.export().features {
            let help = decision.help().to_string();
            let help = if help.is_empty() { help } else { format!(" -> {help}") };
            println!(
                "    {:13} {:9} {decision}{help}",
                feature.name().as_str(),
                format!("{:?}", decision.verdict())
            );
        }
    }

    fn expect(&self, feature: &str, reason: Reason) {
        assert_eq!(self.wallet.check(feature).reason(), reason, "{feature}");
    }
}
