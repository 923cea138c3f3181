//! No `Debug` and no `Display` of a public type shows a key, a token or a VIN.

#![cfg(feature = "issuer")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice)]
#![allow(clippy::too_many_lines, clippy::format_collect)]

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::sync::Arc;

use coachwork_entitlement::*;
use coachwork_vehicle::{Catalogue, Clock, Facts, ManualClock, MemoryVehicle, Monotonic, Timestamp};

const SECRET: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const VIN: &str = "1M8GDM9AXKP042788";

#[derive(Default)]
struct Shown {
    texts: Vec<(&'static str, String)>,
    /// The types of which the `Display` is among the texts.
    displayed: BTreeSet<&'static str>,
}

impl Shown {
    fn debug(&mut self, name: &'static str, value: impl Debug) {
        self.texts.push((name, format!("{value:?} {value:#?}")));
    }

    fn both(&mut self, name: &'static str, value: impl Debug + Display) {
        self.displayed.insert(name);
        self.texts.push((name, format!("{value:?} {value:#?} {value} {value:#}")));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"))
}

#[test]
fn nothing_public_shows_a_key_a_token_or_a_vin() {
    let mut shown = Shown::default();
    let now = Timestamp::from_seconds(1_780_000_000);
    let vehicle = VehicleId::from_vin(VIN).unwrap();
    let issuer = Issuer::new(KeyId::new("k").unwrap(), &SECRET).unwrap();
    let paid = PaidFeature::new("seat-heating".parse().unwrap(), PaidClass::Comfort);
    let plan = Plan::new("winter".parse().unwrap(), [paid.clone()]);
    let offer = Offer::recurring(plan.clone(), std::time::Duration::from_secs(60)).unwrap();
    let place = StatusRef::new("list", 1).unwrap();
    let draft = offer.draft(GrantId::new("g").unwrap(), vehicle, OwnerEpoch(1), now).status(place.clone());
    let draft = draft.scope("read:Vehicle".parse().unwrap()).within("DE".parse().unwrap());
    let grant = draft.clone().build().unwrap();
    let token = issuer.issue(&grant).unwrap();
    let public = issuer.public_key();
    let key = SetKey::for_grants(issuer.key_id(), public, now, None).unwrap();
    let set = KeySet::new(1, now, [key]).unwrap();
    let document = issuer.issue_keys(&set).unwrap();
    let roots = Roots::new([(issuer.key_id(), public)]).unwrap();
    let verifier = Verifier::new([(issuer.key_id(), public)]).unwrap();
    let mut list = StatusList::new("list", now, 8).unwrap();
    list.set(1, Status::Paused, Some(Because::Refund)).unwrap();
    let policy: Arc<Policy> = Arc::new(
        "feature seat-heating comfort\nset Vehicle.A needs seat-heating else within 0..1".parse().unwrap(),
    );
    let audit = Arc::new(AuditLog::new(9));
    let mut setup = Setup::new(vehicle, policy.features().clone(), Anchor::Keys(verifier.clone()), now);
    setup.audit = audit.clone();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now));
    let store = Arc::new(MemoryStore::default());
    let wallet = Wallet::open(setup.clone(), store.clone(), clock.clone()).unwrap();
    let verified = wallet.add_grant(&token).unwrap();
    let refused = wallet.add_grant(&token[1..]).unwrap_err();
    let memory = MemoryVehicle::new(Catalogue::new([], Facts::default()).unwrap(), clock.clone());
    let entitlements = wallet.entitlements();
    let export = wallet.export();
    let car = wallet.car();
    let bundle = Bundle::new([token.clone()]).unwrap();
    let text = bundle.to_text();

    shown.both("Action", Action::Read);
    shown.debug("Anchor", (Anchor::Keys(verifier.clone()), Anchor::Roots(roots.clone())));
    for (at, event) in audit.take() {
        shown.both("AuditEvent", event);
        shown.both("TrustedTime", at);
    }
    shown.debug("AuditLog", &audit);
    shown.debug("Basis", Basis::of(car, [verified.clone()]));
    shown.both("Because", Because::Refund);
    shown.debug("Bundle", &bundle);
    shown.both("BundleError", Bundle::read(&token[1..]).unwrap_err());
    shown.debug("ByGrant", ByGrant::by_wallet(memory.clone(), policy.clone(), &wallet).unwrap());
    shown.debug("Car", car);
    shown.debug("Circumstances", entitlements.circumstances());
    shown.both("Class", Class::Safety);
    shown.both("Decision", wallet.check("seat-heating"));
    shown.debug("Draft", draft);
    shown.both("Entitled", Entitled::by_wallet(memory, policy.clone(), None, &wallet).unwrap());
    shown.debug("Entitlements", &*entitlements);
    shown.both("Export", PrintedExport(&export));
    shown.debug("Feature", Feature::new("x".parse().unwrap(), Class::Safety));
    shown.debug("FeatureId", policy.features().id("seat-heating"));
    shown.both("FeatureName", paid.name());
    shown.debug("Features", policy.features());
    shown.both("FeaturesError", FeaturesError::TooMany);
    shown.debug("FileStore", FileStore::open(std::env::temp_dir().join("coachwork-secrets")).unwrap());
    shown.debug("Grant", &grant);
    shown.both("GrantId", grant.id());
    shown.both("Help", Help::Buy);
    shown.both("IdError", IdError);
    shown.both("IssueError", IssueError::Order);
    shown.debug("Issuer", &issuer);
    shown.both("KeyError", PublicKey::from_bytes(&[0; 32]).unwrap_err());
    shown.both("KeyId", issuer.key_id());
    shown.debug("KeySet", (&set, roots.verify(&document).unwrap()));
    shown.both("Kind", Kind::Trial);
    shown.debug("Leniency", Leniency::Unpaid);
    shown.debug("LicenseState", entitlements.state_of(&entitlements.grants()[0], now));
    shown.both("Limit", Limit::default().rounded_to(1.0).unwrap());
    shown.both("LimitError", LimitError);
    shown.both("LineError", "feature x safety".parse::<Policy>().unwrap_err().why);
    shown.debug("Loaded", store.load().unwrap());
    shown.debug("MemoryStore", &store);
    shown.both("NameError", NameError);
    shown.debug("NoAudit", NoAudit);
    shown.debug("Offer", &offer);
    shown.both("OfferError", OfferError::NoTerm);
    shown.both("OldKeySet", OldKeySet);
    shown.debug("OwnerEpoch", OwnerEpoch(1));
    shown.both("PaidClass", PaidClass::Data);
    shown.debug("PaidFeature", &paid);
    shown.debug("Permit", Permit::Read);
    shown.debug("Plan", &plan);
    shown.both("Policy", &*policy);
    shown.both("PolicyError", PolicyError::TooMany);
    shown.both("PolicyFileError", "feature x safety".parse::<Policy>().unwrap_err());
    shown.debug("PublicKey", public);
    shown.debug("Purpose", Purpose::GRANTS);
    shown.both("Reading", wallet.tell_time(Timestamp::EPOCH, Trust::Rtc).unwrap());
    shown.both("Reason", Reason::Granted);
    shown.debug("Recovery", wallet.recovery());
    shown.both("Region", "DE".parse::<Region>().unwrap());
    shown.both("RegionError", RegionError);
    shown.debug("Roots", &roots);
    shown.debug("Rule", Rule::new("Vehicle.A", Action::Set, paid.clone()).unwrap());
    shown.debug("SafeState", SafeState::Parked);
    shown.both(
        "SafetyError",
        PaidFeature::try_from(Feature::new("x".parse().unwrap(), Class::Safety)).unwrap_err(),
    );
    shown.debug("SavedTime", SavedTime::first(now));
    shown.both("Scope", "read:Vehicle".parse::<Scope>().unwrap());
    shown.both("ScopeError", ScopeError);
    shown.debug("Scopes", "read".parse::<Scopes>().unwrap());
    shown.debug("SetKey", key);
    shown.debug("Setup", &setup);
    shown.debug("Standing", Standing::unknown(&grant));
    shown.both("Status", Status::Paused);
    shown.debug("StatusList", &list);
    shown.debug("StatusRef", place);
    shown.both("StoreError", StoreError::TooLarge);
    shown.debug("Timekeeper", Timekeeper::resume(SavedTime::first(now), Monotonic::from_nanoseconds(0)));
    shown.both("TooManyGrants", TooManyGrants);
    shown.both("Transfer", Transfer::StaysWithCar);
    shown.both("Trust", Trust::Secure);
    shown.both("UriError", UriError);
    shown.debug("VehicleId", vehicle);
    shown.debug("Verdict", Verdict::Allow);
    shown.debug("Verified", &verified);
    shown.debug("Verifier", (&verifier, Verifier::trusting(&roots.verify(&document).unwrap())));
    shown.both("VerifyError", verifier.verify(&token[1..]).unwrap_err());
    shown.both("VinError", VehicleId::from_vin(&VIN[1..]).unwrap_err());
    shown.debug("Wallet", &wallet);
    shown.both("WalletError", refused);
    shown.both("WrongFeatures", WrongFeatures);
    shown.texts.push(("Export", export.to_json()));

    let public = public.to_bytes();
    let signature = &token[token.len() - 64..];
    let mut secret =
        vec![VIN.to_owned(), VIN[1..].to_owned(), text[..16].to_owned(), text[text.len() - 16..].to_owned()];
    for bytes in [&SECRET[..], &public, vehicle.as_bytes(), &token[..16], signature] {
        // Any eight bytes of it, as people print bytes.
        for part in bytes.windows(8) {
            secret.push(hex(part));
            secret.push(hex(part).to_uppercase());
            secret.push(format!("{part:?}").trim_matches(['[', ']']).to_owned());
            secret.push(part.iter().map(|byte| format!("    {byte},\n")).collect());
            if let Ok(part) = std::str::from_utf8(part) {
                secret.push(part.to_owned());
            }
        }
    }
    for (name, text) in &shown.texts {
        for secret in &secret {
            assert!(!text.contains(secret.as_str()), "{name} shows {secret}: {text}");
        }
    }

    // All public types were shown: what lib.rs exports and is neither a trait nor a constant.
    let root = include_str!("../src/lib.rs");
    let exported: BTreeSet<_> = root
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| {
            word.len() > 1 && word.starts_with(char::is_uppercase) && word.contains(char::is_lowercase)
        })
        .filter(|word| !["Audit", "Store"].contains(word))
        .collect();
    let names: BTreeSet<_> = shown.texts.iter().map(|(name, _)| *name).collect();
    let missing: Vec<_> = exported.difference(&names).collect();
    assert!(missing.is_empty(), "not shown: {missing:?}");

    // Whatever has a `Display` was shown by it, too.
    for (file, source) in sources() {
        for name in displayed(&source).into_iter().filter(|name| exported.contains(name.as_str())) {
            assert!(shown.displayed.contains(name.as_str()), "{file}: the Display of {name} was not shown");
        }
    }
}

/// The files of the crate.
fn sources() -> Vec<(String, String)> {
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// The types of a file that implement or derive `Display`.
fn displayed(source: &str) -> Vec<String> {
    let name = |text: &str| {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        text[..end].to_owned()
    };
    let mut names: Vec<_> = source.split("Display for ").skip(1).map(name).collect();
    for derived in source.split("thiserror::Error").skip(1) {
        let declared = derived.split_once("pub enum ").into_iter().chain(derived.split_once("pub struct "));
        names.extend(declared.min_by_key(|(before, _)| before.len()).map(|(_, after)| name(after)));
    }
    names
}

#[test]
fn the_search_for_display_finds_both_kinds() {
    let source = "impl fmt::Display for Shown {\n}\n#[derive(Debug, thiserror::Error)]\n#[error(\"x\")]\npub struct Failed;";
    assert_eq!(displayed(source), ["Shown", "Failed"]);
}

struct PrintedExport<'e>(&'e Export);

impl Debug for PrintedExport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Debug::fmt(self.0, f)
    }
}

impl Display for PrintedExport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self.0, f)
    }
}
