//! Signed documents become part of a wallet: grants, key sets, status lists; and the car gets a new owner.
//!
//! *Invariant:* each change is verified, then saved, then in force; one that cannot be saved is refused.
//! *Next:* `state.rs` is what changes; `follow.rs` tells of it.

use std::sync::Arc;

use coachwork_vehicle::Monotonic;

use super::state::{Held, State};
use super::{Anchor, Setup, Wallet, WalletError};
use crate::audit::AuditEvent;
use crate::car::OwnerEpoch;
use crate::entitlements::MAX_GRANTS;
use crate::grant::Grant;
use crate::saved::MAX_LISTS;
use crate::verify::{Verified, VerifyError};

impl Wallet {
    /// Takes in a grant; one that is there already changes nothing.
    ///
    /// # Errors
    /// [`WalletError`] if it does not verify, is for another vehicle, or was replaced by a later edition; or there are too
    /// many; or it cannot be saved.
    pub fn add_grant(&self, token: &[u8]) -> Result<Verified<Grant>, WalletError> {
        let grant = self.refusing(self.verifier().verify(token))?;
        if grant.vehicle() != self.0.setup.vehicle {
            return Err(WalletError::OtherVehicle);
        }
        self.change(|state, setup, mono| {
            if state.grants.iter().any(|held| held.token[..] == *token) {
                return Ok(());
            }
            for held in state.held().filter(|held| held.id() == grant.id()) {
                if held.sequence() == grant.sequence() {
                    return Err(WalletError::Conflict);
                }
                if held.because().is_some() && held.sequence() > grant.sequence() {
                    return Err(WalletError::Old);
                }
            }
            state.grants.push(Held { token: token.into(), grant: Some(grant.clone()) });
            state.drop_what_ended(setup, mono);
            state.time.prove(grant.issued(), mono);
            if state.grants.len() > MAX_GRANTS { Err(WalletError::Full) } else { Ok(()) }
        })?;
        self.record(&AuditEvent::GrantAdded { grant: grant.id(), sequence: grant.sequence() });
        Ok(grant)
    }

    /// Puts the key set in a document in force, and judges all grants by it.
    ///
    /// # Errors
    /// [`WalletError`] if the wallet has fixed keys, the document does not verify, or it is not newer than the one in force.
    pub fn add_keys(&self, document: &[u8]) -> Result<(), WalletError> {
        let Anchor::Roots(roots) = &self.0.setup.anchor else { return Err(WalletError::FixedKeys) };
        let set = self.refusing(roots.verify(document))?;
        self.change(|state, setup, mono| {
            state.verifier = state.verifier.updated(&set).map_err(|_| WalletError::Old)?;
            state.keys = Some(document.into());
            state.time.prove(set.issued(), mono);
            state.verify_all(setup);
            let verifier = &state.verifier;
            state.lists.retain(|_, (document, _)| verifier.verify_status(document).is_ok());
            Ok(())
        })?;
        self.record(&AuditEvent::KeysReplaced { sequence: set.sequence() });
        Ok(())
    }

    /// Takes in a status list.
    ///
    /// # Errors
    /// [`WalletError`] if it does not verify, no grant names it, it is older than the one that is there, or there are too
    /// many.
    pub fn add_status(&self, document: &[u8]) -> Result<(), WalletError> {
        let list = self.refusing(self.verifier().verify_status(document))?.into_inner();
        let (uri, list) = (list.uri.clone(), Arc::new(list));
        self.change(|state, _, mono| {
            if !state.held().any(|grant| grant.status().is_some_and(|place| place.uri == list.uri)) {
                return Err(WalletError::NotNamed);
            }
            if state.lists.get(&list.uri).is_some_and(|(_, known)| known.issued > list.issued) {
                return Err(WalletError::Old);
            }
            state.time.prove(list.issued(), mono);
            state.lists.insert(list.uri.clone(), (document.into(), list.clone()));
            if state.lists.len() > MAX_LISTS { Err(WalletError::Full) } else { Ok(()) }
        })?;
        self.record(&AuditEvent::StatusUpdated { uri: uri.to_string() });
        Ok(())
    }

    /// The car was sold: personal grants end, at the next parking at the latest, and the others stay.
    ///
    /// # Errors
    /// [`WalletError::Old`] if this owner is not later than the present one.
    pub fn new_owner(&self, owner: OwnerEpoch) -> Result<(), WalletError> {
        self.change(|state, _, _| {
            if owner <= state.owner {
                return Err(WalletError::Old);
            }
            state.owner = owner;
            Ok(())
        })?;
        self.record(&AuditEvent::OwnerChanged { owner });
        Ok(())
    }

    fn refusing<T>(&self, verified: Result<T, VerifyError>) -> Result<T, WalletError> {
        verified.map_err(|why| {
            self.record(&AuditEvent::Refused { why });
            WalletError::Refused(why)
        })
    }

    /// A change that is saved before it is in force.
    fn change(
        &self,
        change: impl FnOnce(&mut State, &Setup, Monotonic) -> Result<(), WalletError>,
    ) -> Result<(), WalletError> {
        let mono = self.0.clock.monotonic();
        let changes = {
            let mut state = self.state();
            let mut next = state.clone();
            change(&mut next, &self.0.setup, mono)?;
            next.renew(&self.0.setup, mono)?;
            next.save(&*self.0.store, mono)?;
            let changes = next.changes(mono);
            *state = next;
            changes
        };
        self.tell_all(&changes);
        Ok(())
    }
}
