#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(feature = "issuer", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "issuer"), doc = include_str!("car_build.md"))]

mod admission;
mod audit;
mod bundle;
mod car;
mod cbor;
mod claims;
mod decision;
mod entitled;
mod entitlements;
mod export;
mod feature;
mod features;
mod grant;
mod id;
#[cfg(feature = "issuer")]
mod issue;
mod key;
mod key_set;
mod license;
mod limit;
mod offer;
mod policy;
mod policy_file;
mod rights;
mod safety;
mod saved;
mod scope;
mod status;
mod store;
mod terms;
#[cfg(test)]
mod test_grants;
mod time;
mod token;
mod verify;
mod wallet;

pub use admission::{ByGrant, MAX_VIEWS};
pub use audit::{Audit, AuditEvent, AuditLog, NoAudit};
pub use bundle::{Bundle, BundleError, MAX_BUNDLE};
pub use car::{Car, OwnerEpoch, VehicleId, VinError};
pub use decision::{Decision, Help, Reason, Verdict};
pub use entitled::{Entitled, WrongFeatures};
pub use entitlements::{Basis, Entitlements, MAX_GRANTS, TooManyGrants};
pub use export::Export;
pub use feature::{Class, Feature, FeatureName, MAX_NAME, NameError, PaidClass, PaidFeature, SafetyError};
pub use features::{FeatureId, Features, FeaturesError, MAX_FEATURES};
pub use grant::{Grant, MAX_SECONDS};
pub use id::{GrantId, IdError, KeyId, MAX_ID};
#[cfg(feature = "issuer")]
#[cfg_attr(docsrs, doc(cfg(feature = "issuer")))]
pub use issue::{Draft, IssueError, Issuer};
pub use key::{KeyError, PublicKey};
pub use key_set::{KeySet, Purpose, SetKey};
pub use license::{Circumstances, Leniency, LicenseState};
pub use limit::{Limit, LimitError, MAX_INTERVAL};
pub use offer::{Offer, OfferError, Plan};
pub use policy::{Action, MAX_RULES, Policy, PolicyError, Rule};
pub use policy_file::{LineError, MAX_POLICY, PolicyFileError};
pub use saved::MAX_LISTS;
pub use scope::{MAX_SCOPE, MAX_SCOPES, Permit, Scope, ScopeError, Scopes};
pub use status::{
    FIRST_STATUS, MAX_REASONS, MAX_STATUS_TOKEN, MAX_STATUSES, MAX_URI, Standing, Status, StatusList,
    StatusRef, UriError,
};
pub use store::{FileStore, Loaded, MAX_STATE, MemoryStore, Recovery, Store, StoreError};
pub use terms::{Because, Kind, Region, RegionError, Transfer};
pub use time::{
    LONGEST_REST, Reading, SavedTime, TIME_PATIENCE, TIME_TOLERANCE, Timekeeper, Trust, TrustedTime,
};
pub use token::MAX_TOKEN;
pub use verify::{MAX_KEYS, OldKeySet, Roots, Verified, Verifier, VerifyError};
pub use wallet::{Anchor, SafeState, Setup, Wallet, WalletError};
