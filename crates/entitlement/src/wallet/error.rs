//! What a wallet does not take, and why.

use crate::store::StoreError;
use crate::verify::VerifyError;

/// What a wallet does not take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalletError {
    /// Another grant has the same id and sequence.
    #[error("another grant has the same id and sequence")]
    Conflict,
    /// The wallet trusts fixed keys, and takes no key set.
    #[error("this wallet has fixed keys")]
    FixedKeys,
    /// There are more grants or status lists than a car may have.
    #[error("more grants or status lists than a car may have")]
    Full,
    /// No grant of this car names the status list.
    #[error("no grant of this car names this status list")]
    NotNamed,
    /// Something newer is in force.
    #[error("something newer is in force already")]
    Old,
    /// The grant is for another vehicle.
    #[error("the grant is for another vehicle")]
    OtherVehicle,
    /// It does not verify.
    #[error("{0}")]
    Refused(VerifyError),
    /// It cannot be saved.
    #[error(transparent)]
    Store(#[from] StoreError),
}
