#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(feature = "issuer", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "issuer"), doc = include_str!("car_build.md"))]

mod admission;
mod car;
mod cbor;
mod claims;
mod decision;
mod entitled;
mod entitlements;
mod feature;
mod features;
mod grant;
mod id;
#[cfg(feature = "issuer")]
mod issue;
mod key;
mod key_set;
mod license;
mod policy;
mod rights;
mod safety;
#[cfg(test)]
mod test_grants;
mod token;
mod verify;

pub use admission::{ByGrant, MAX_VIEWS};
pub use car::{Car, OwnerEpoch, VehicleId, VinError};
pub use decision::{Decision, Reason, Verdict};
pub use entitled::{Entitled, WrongFeatures};
pub use entitlements::{Entitlements, MAX_GRANTS, TooManyGrants};
pub use feature::{Class, Feature, FeatureName, MAX_NAME, NameError, PaidClass, PaidFeature, SafetyError};
pub use features::{FeatureId, Features, FeaturesError, MAX_FEATURES};
pub use grant::{Grant, MAX_SECONDS};
pub use id::{GrantId, IdError, KeyId, MAX_ID};
#[cfg(feature = "issuer")]
#[cfg_attr(docsrs, doc(cfg(feature = "issuer")))]
pub use issue::{Draft, IssueError, Issuer};
pub use key::{KeyError, PublicKey};
pub use key_set::{KeySet, Purpose, SetKey};
pub use license::LicenseState;
pub use policy::{Action, MAX_RULES, Policy, PolicyError, Rule};
pub use token::MAX_TOKEN;
pub use verify::{MAX_KEYS, OldKeySet, Roots, Verified, Verifier, VerifyError};
