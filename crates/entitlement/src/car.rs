//! A car's identity and its present owner, as far as a grant needs to know them.
//!
//! *Invariant:* a VIN comes in and is hashed; it is kept nowhere and shown nowhere. The hash does not appear in
//! `Debug` either: it links a person's journeys as well as the VIN does.
//! *Next:* `grant.rs` binds a grant to a [`VehicleId`] and an [`OwnerEpoch`]; `license.rs` compares them.

use std::fmt;

use sha2::{Digest, Sha256};

/// What is hashed before a VIN, so that the result is of use for nothing else.
const VIN_DOMAIN: &[u8] = b"coachwork/vin/v1:";

/// The 16 bytes by which grants name a vehicle: random ones that the maker assigned, or a hash of the VIN.
///
/// VINs can be guessed, so a hash of one is a pseudonym, not a secret; where the maker can store 16 random bytes in
/// the car, take those. `Debug` shows neither.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VehicleId([u8; Self::LEN]);

impl VehicleId {
    /// Its length in bytes.
    pub const LEN: usize = 16;

    #[cfg(test)]
    pub(crate) const ZERO: Self = Self([0; Self::LEN]);

    /// An id that the maker assigned.
    pub fn opaque(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The id of the vehicle with this VIN: the first 16 bytes of
    /// `SHA-256("coachwork/vin/v1:" || VIN)`, the VIN in capitals.
    ///
    /// # Errors
    /// [`VinError`] if the text is not 17 of `A-Z` and `0-9` without `I`, `O` and `Q` (ISO 3779), in either case.
    ///
    /// ```
    /// use coachwork_entitlement::VehicleId;
    ///
    /// let id = VehicleId::from_vin("1M8GDM9AXKP042788")?;
    /// assert_eq!(id, VehicleId::from_vin("1m8gdm9axkp042788")?);
    /// assert_eq!(format!("{id:?}"), "VehicleId(..)");
    /// # Ok::<(), coachwork_entitlement::VinError>(())
    /// ```
    pub fn from_vin(vin: &str) -> Result<Self, VinError> {
        let vin = vin.to_ascii_uppercase();
        let valid = |b| matches!(b, b'A'..=b'Z' | b'0'..=b'9') && !matches!(b, b'I' | b'O' | b'Q');
        if vin.len() != 17 || !vin.bytes().all(valid) {
            return Err(VinError);
        }
        let hash = Sha256::new().chain_update(VIN_DOMAIN).chain_update(vin).finalize();
        let mut id = [0; Self::LEN];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Ok(Self(id))
    }

    /// The bytes, as they stand in a grant.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for VehicleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VehicleId(..)")
    }
}

/// The text is not a vehicle identification number of ISO 3779. It is not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a VIN is 17 of A-Z and 0-9 without I, O and Q")]
pub struct VinError;

/// Counts a vehicle's owners: one more with every sale. A personal grant names the epoch for which it was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerEpoch(pub u32);

/// The car that asks: who it is, and the epoch of its present owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Car {
    /// The id that its grants name.
    pub vehicle: VehicleId,
    /// Its present owner's epoch.
    pub owner: OwnerEpoch,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vin_hashes_to_the_documented_bytes() {
        // printf 'coachwork/vin/v1:1M8GDM9AXKP042788' | sha256sum | cut -c-32
        let id = VehicleId::from_vin("1M8GDM9AXKP042788").unwrap();
        assert_eq!(u128::from_be_bytes(*id.as_bytes()), 0x6492_8a5b_92af_ad28_80dd_28ff_be83_b910);
    }

    #[test]
    fn what_is_no_vin_is_refused_and_not_repeated() {
        for bad in ["", "1M8GDM9AXKP04278", "1M8GDM9AXKP0427888", "IM8GDM9AXKP042788", "1M8GDM9AXKP04278é"] {
            let why = VehicleId::from_vin(bad).unwrap_err();
            assert!(bad.is_empty() || !format!("{why} {why:?}").contains(bad));
        }
    }
}
