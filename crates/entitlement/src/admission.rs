//! Grants shown at the door become a view of the vehicle, until the last of them ends.
//!
//! *Invariant:* equal rights share one view while anybody holds it. How many views are remembered is bounded; beyond
//! that, equal rights get views of their own. A refusal says why, and nothing of the credential.
//! *Next:* a gateway asks [`ByGrant`]; `entitled.rs` is the view.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use coachwork_vehicle::{
    Admission, Admitted, Clock, Credential, Error, ErrorKind, Operation, Timestamp, Vehicle,
};

use crate::audit::AuditEvent;
use crate::bundle::Bundle;
use crate::car::Car;
use crate::entitled::Entitled;
use crate::entitlements::{Basis, Entitlements};
use crate::grant::Grant;
use crate::license::LicenseState;
use crate::policy::Policy;
use crate::rights::Rights;
use crate::scope::Scopes;
use crate::verify::{Verified, Verifier};
use crate::wallet::{Follow, Wallet};

/// The most views that [`ByGrant`] remembers, to share them.
pub const MAX_VIEWS: usize = 256;

type View = Entitled<Arc<dyn Vehicle>>;

/// Lets in whoever shows grants for this car, to what they open; and everybody else to what needs none.
///
/// A credential is a grant's token, or up to [`MAX_BUNDLE`](crate::MAX_BUNDLE) of them in text form, as
/// [`Bundle`] reads it and VISS has it in `authorization`. Where a grant carries scopes, they hold too.
pub struct ByGrant {
    vehicle: Arc<dyn Vehicle>,
    policy: Arc<Policy>,
    judge: Judge,
    clock: Arc<dyn Clock>,
    closed: bool,
    views: Mutex<Vec<Weak<View>>>,
}

/// What the grants are judged by.
enum Judge {
    Alone(Car, Verifier),
    Wallet(Wallet),
}

impl Judge {
    fn verifier(&self) -> Verifier {
        match self {
            Self::Alone(_, verifier) => verifier.clone(),
            Self::Wallet(wallet) => wallet.verifier(),
        }
    }

    fn basis(&self, grants: Vec<Verified<Grant>>) -> Basis {
        match self {
            Self::Alone(car, _) => Basis::of(*car, grants),
            Self::Wallet(wallet) => wallet.basis(grants),
        }
    }
}

/// Keeps a view in step with the wallet.
struct Guest {
    wallet: Wallet,
    policy: Arc<Policy>,
    grants: Vec<Verified<Grant>>,
    rights: Arc<Rights>,
}

impl Follow for Guest {
    fn follow(&self, _: Arc<Entitlements>) {
        let now = self.wallet.now().at;
        let mut basis = self.wallet.basis(self.grants.clone());
        if let Some(journey) = &mut basis.journey {
            // Of the car's journey, what this view had.
            *journey = self.rights.entitlements().open(now).cloned().collect();
        }
        if let Ok(new) = Entitlements::from_basis(basis, self.policy.features().clone(), now) {
            self.rights.replace(Arc::new(new));
        }
    }
}

impl ByGrant {
    /// Admits to `vehicle`, which is `car`, under `policy`, by grants that `verifier` trusts, with dates on `clock`.
    pub fn new(
        vehicle: impl Vehicle,
        car: Car,
        policy: Arc<Policy>,
        verifier: Verifier,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let views = Mutex::default();
        Self {
            vehicle: Arc::new(vehicle),
            policy,
            judge: Judge::Alone(car, verifier),
            clock,
            closed: false,
            views,
        }
    }

    /// Admits to `vehicle` under `policy`, judged by the keys, status lists, owner and time of the car's wallet. Views follow
    /// it: what is withdrawn there ends here.
    ///
    /// # Errors
    /// [`WrongFeatures`](crate::WrongFeatures) if the wallet was made for other features than the policy's.
    pub fn by_wallet(
        vehicle: impl Vehicle,
        policy: Arc<Policy>,
        wallet: &Wallet,
    ) -> Result<Self, crate::WrongFeatures> {
        if wallet.entitlements().features() != policy.features() {
            return Err(crate::WrongFeatures);
        }
        let (judge, clock) = (Judge::Wallet(wallet.clone()), wallet.clock());
        Ok(Self { vehicle: Arc::new(vehicle), policy, judge, clock, closed: false, views: Mutex::default() })
    }

    /// Lets nobody in who shows no grant.
    #[must_use]
    pub fn grants_only(self) -> Self {
        Self { closed: true, ..self }
    }

    fn grants(&self, credential: &Credential) -> Result<Vec<Verified<Grant>>, Error> {
        let bundle = match credential {
            Credential::None if self.closed => return Err(denied("a grant is needed")),
            Credential::None => return Ok(Vec::new()),
            Credential::Token(token) => {
                Bundle::read(token).map_err(|why| denied("not a grant").caused_by(why))?
            }
            _ => return Err(denied("only grants are taken here")),
        };
        let verifier = self.judge.verifier();
        let grants = bundle.tokens().map(|token| verifier.verify(token));
        grants.map(|grant| grant.map_err(|why| denied("not a grant").caused_by(why))).collect()
    }

    /// Why grants that were shown open nothing, now or later.
    fn useless(basis: &Basis, now: Timestamp) -> Option<Error> {
        let mut why = None;
        for (grant, standing) in &basis.grants {
            why = Some(match LicenseState::of(grant, standing, &basis.here, now) {
                LicenseState::OtherVehicle => denied("the grant is for another vehicle"),
                LicenseState::Transferred => denied("the grant is for another owner of this vehicle"),
                LicenseState::Expired { since } => denied(format!("the grant ended {since}")),
                LicenseState::Revoked { because } => {
                    denied(format!("the grant was withdrawn, because {because}"))
                }
                _ => return None,
            });
        }
        why
    }

    fn view(
        &self,
        entitlements: Entitlements,
        grants: Vec<Verified<Grant>>,
        scopes: Option<Scopes>,
    ) -> Result<Arc<View>, Error> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views.retain(|view| view.strong_count() > 0);
        let wallet = matches!(self.judge, Judge::Wallet(_));
        let ids = |grants: &mut dyn Iterator<Item = &Verified<Grant>>| {
            grants.map(|grant| (grant.id(), grant.sequence())).collect::<Vec<_>>()
        };
        let asked = ids(&mut grants.iter());
        let alike = |view: &Arc<View>| {
            let is = view.entitlements();
            // What may be withdrawn one by one is alike only where the grants are the same.
            let same = !wallet || ids(&mut is.grants().iter().map(|(grant, _)| grant)) == asked;
            same && is.decides_like(&entitlements) && view.scopes() == scopes.as_ref()
        };
        if let Some(view) = views.iter().filter_map(Weak::upgrade).find(alike) {
            return Ok(view);
        }
        let view = Entitled::for_app(
            self.vehicle.clone(),
            self.policy.clone(),
            scopes.map(Arc::new),
            Arc::new(entitlements),
            self.clock.clone(),
        );
        let mut view = view.map_err(|why| denied("the policy changed").caused_by(why))?;
        if let Judge::Wallet(wallet) = &self.judge {
            let (rights, policy) = (view.rights().clone(), self.policy.clone());
            let guest: Arc<dyn Follow> = Arc::new(Guest { wallet: wallet.clone(), policy, grants, rights });
            wallet.add_follower(Arc::downgrade(&guest));
            guest.follow(wallet.entitlements());
            view = view.followed_by(guest, wallet.clone());
        }
        let view = Arc::new(view);
        if views.len() < MAX_VIEWS {
            views.push(Arc::downgrade(&view));
        }
        Ok(view)
    }
}

/// What the grants let an app do: anything, where one of them says nothing of it.
fn scopes(grants: &[Verified<Grant>]) -> Result<Option<Scopes>, Error> {
    if grants.is_empty() || grants.iter().any(|grant| grant.scopes().is_empty()) {
        return Ok(None);
    }
    let scopes = Scopes::new(grants.iter().flat_map(|grant| grant.scopes().iter().cloned()));
    scopes.map(Some).map_err(|why| denied("too many scopes").caused_by(why))
}

fn denied(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Denied, why).during(Operation::Admit)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Admission for ByGrant {
    async fn admit(&self, credential: &Credential) -> Result<Admitted, Error> {
        let grants = self.grants(credential)?;
        let (basis, now) = (self.judge.basis(grants.clone()), self.clock.now());
        if let Some(why) = Self::useless(&basis, now) {
            return Err(why);
        }
        let entitlements =
            Entitlements::from_basis(Basis { journey: None, ..basis }, self.policy.features().clone(), now);
        let entitlements = entitlements.map_err(|why| denied("too many grants").caused_by(why))?;
        if let Judge::Wallet(wallet) = &self.judge {
            wallet.record(&AuditEvent::Admitted { grants: grants.iter().map(|grant| grant.id()).collect() });
        }
        let until = entitlements.ends();
        let scopes = scopes(&grants)?;
        Ok(Admitted { view: self.view(entitlements, grants, scopes)?, until })
    }
}

impl fmt::Debug for ByGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByGrant")
            .field("vehicle", &self.vehicle)
            .field("keys", &self.judge.verifier())
            .finish_non_exhaustive()
    }
}
