//! Every event of the audit, from a life in which all of them happen, in the words that end up in a log.

#![cfg(feature = "issuer")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use coachwork_entitlement::*;
use coachwork_vehicle::{
    Admission, Catalogue, Clock, Credential, DataType, Entry, Facts, ManualClock, MemoryVehicle, Timestamp,
    VehicleExt,
};
use futures::executor::block_on;

const SEAT: &str = "Vehicle.Cabin.Seat.Row1.DriverSide.HeatingCooling";

/// The audit's own list of what there is, by the name of each.
fn name(event: &AuditEvent) -> String {
    let shown = format!("{event:?}");
    shown.split([' ', '{', '(']).next().unwrap().to_owned()
}

#[test]
fn everything_that_happens_is_recorded_in_words() {
    let clock = ManualClock::new(Timestamp::from_seconds(1_780_000_000));
    let now = clock.now();
    let id = |name: &str| KeyId::new(name).unwrap();
    let (root, seller) =
        (Issuer::new(id("root"), &[1; 32]).unwrap(), Issuer::new(id("2026"), &[2; 32]).unwrap());
    let policy: Arc<Policy> =
        Arc::new(format!("feature seat-heating comfort\nset {SEAT} needs seat-heating").parse().unwrap());
    let anchor = Anchor::Roots(Roots::new([(root.key_id(), root.public_key())]).unwrap());
    let audit = Arc::new(AuditLog::new(64));
    let vehicle = VehicleId::opaque([1; 16]);
    let mut setup = Setup::new(vehicle, policy.features().clone(), anchor, now);
    setup.audit = audit.clone();
    let store = Arc::new(MemoryStore::default());
    store.save(b"no state of a wallet").unwrap();
    let wallet = Wallet::open(setup, store, Arc::new(clock.clone())).unwrap();
    wallet.tell_time(now, Trust::Secure).unwrap();
    wallet.tell_time(Timestamp::EPOCH, Trust::Rtc).unwrap();

    let grants = SetKey::for_grants(seller.key_id(), seller.public_key(), Timestamp::EPOCH, None).unwrap();
    let lists = Issuer::new(id("status"), &[3; 32]).unwrap();
    let statuses = SetKey::for_status(lists.key_id(), lists.public_key(), Timestamp::EPOCH, None).unwrap();
    wallet.add_keys(&root.issue_keys(&KeySet::new(7, now, [grants, statuses]).unwrap()).unwrap()).unwrap();

    let paid = PaidFeature::new("seat-heating".parse().unwrap(), PaidClass::Comfort);
    let draft =
        Grant::draft(GrantId::new([0x17]).unwrap(), vehicle, now).opens(&paid).for_owner(OwnerEpoch(1));
    let grant = draft.status(StatusRef::new("list", 0).unwrap()).build().unwrap();
    let token = seller.issue(&grant).unwrap();
    wallet.add_grant(&token).unwrap();
    assert!(wallet.add_grant(&token[..9]).is_err());
    wallet.add_status(&lists.issue_status(&StatusList::new("list", now, 1).unwrap()).unwrap()).unwrap();

    let seat = Entry::actuator(SEAT, DataType::INT8);
    let catalogue = Catalogue::new([seat], Facts::default()).unwrap();
    let memory = MemoryVehicle::new(catalogue, Arc::new(clock.clone()));
    let door = ByGrant::by_wallet(memory.clone(), policy.clone(), &wallet).unwrap();
    block_on(door.admit(&Credential::Token(token.clone().into()))).unwrap();
    wallet.new_owner(OwnerEpoch(2)).unwrap();
    let gated = Entitled::by_wallet(memory, policy, None, &wallet).unwrap();
    let refused =
        block_on(block_on(gated.write_path(SEAT, 5i8, coachwork_vehicle::Set::default())).unwrap().outcome());
    assert!(refused.to_string().contains("another owner's"), "{refused}");

    let events = audit.take();
    let words: Vec<_> = events.iter().map(|(_, event)| event.to_string()).collect();
    println!("{}", words.join("\n"));
    let seen: BTreeSet<_> = events.iter().map(|(_, event)| name(event)).collect();
    // As many as there are: a new event has to be made to happen here.
    let declared = include_str!("../src/audit.rs").split_once("pub enum AuditEvent {").unwrap().1;
    let declared = declared.split_once("\n}").unwrap().0;
    let declared: BTreeSet<_> = declared
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| line.split([' ', ',', '(']).next().unwrap().to_owned())
        .collect();
    assert_eq!(seen, declared);
    // What the audit says is safe to keep.
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"));
    for secret in [&token[token.len() - 8..], &seller.public_key().to_bytes()[..8], &vehicle.as_bytes()[..8]]
    {
        assert!(words.iter().all(|words| !words.contains(&hex(secret))));
    }
}
