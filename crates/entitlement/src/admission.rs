//! A grant shown at the door becomes a view of the vehicle, until the grant ends.
//!
//! *Invariant:* equal rights share one view while anybody holds it. How many views are remembered is bounded; beyond
//! that, equal rights get views of their own. A refusal says why, and nothing of the credential.
//! *Next:* a gateway asks [`ByGrant`]; `entitled.rs` is the view.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use coachwork_vehicle::{Admission, Admitted, Clock, Credential, Error, ErrorKind, Operation, Vehicle};

use crate::car::Car;
use crate::entitled::Entitled;
use crate::entitlements::Entitlements;
use crate::license::{Circumstances, LicenseState};
use crate::policy::Policy;
use crate::status::Standing;
use crate::verify::Verifier;

/// The most views that [`ByGrant`] remembers, to share them.
pub const MAX_VIEWS: usize = 256;

type View = Entitled<Arc<dyn Vehicle>>;

/// Lets in whoever shows a grant for this car, to what the grant opens; and everybody else to what needs none.
pub struct ByGrant {
    vehicle: Arc<dyn Vehicle>,
    car: Car,
    policy: Arc<Policy>,
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    closed: bool,
    views: Mutex<Vec<Weak<View>>>,
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
        Self { vehicle: Arc::new(vehicle), car, policy, verifier, clock, closed: false, views }
    }

    /// Lets nobody in who shows no grant.
    #[must_use]
    pub fn grants_only(self) -> Self {
        Self { closed: true, ..self }
    }

    fn entitlements(&self, credential: &Credential) -> Result<Entitlements, Error> {
        let now = self.clock.now();
        let grant = match credential {
            Credential::None if self.closed => return Err(denied("a grant is needed")),
            Credential::None => None,
            Credential::Token(token) => {
                let grant =
                    self.verifier.verify(token).map_err(|why| denied("not a grant").caused_by(why))?;
                let standing = Standing::unknown(&grant);
                match LicenseState::of(&grant, &standing, &Circumstances::of(self.car), now) {
                    LicenseState::OtherVehicle => return Err(denied("the grant is for another vehicle")),
                    LicenseState::Transferred => {
                        return Err(denied("the grant is for another owner of this vehicle"));
                    }
                    LicenseState::Expired { since } => {
                        return Err(denied(format!("the grant ended {since}")));
                    }
                    _ => Some(grant),
                }
            }
            _ => return Err(denied("only grants are taken here")),
        };
        Entitlements::new(self.car, self.policy.features().clone(), grant, now)
            .map_err(|why| denied("too many grants").caused_by(why))
    }

    fn view(&self, entitlements: Entitlements) -> Result<Arc<View>, Error> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views.retain(|view| view.strong_count() > 0);
        let alike = |view: &Arc<View>| view.entitlements().decides_like(&entitlements);
        if let Some(view) = views.iter().filter_map(Weak::upgrade).find(alike) {
            return Ok(view);
        }
        let view = Entitled::new(
            self.vehicle.clone(),
            self.policy.clone(),
            Arc::new(entitlements),
            self.clock.clone(),
        );
        let view = Arc::new(view.map_err(|why| denied("the policy changed").caused_by(why))?);
        if views.len() < MAX_VIEWS {
            views.push(Arc::downgrade(&view));
        }
        Ok(view)
    }
}

fn denied(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Denied, why).during(Operation::Admit)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Admission for ByGrant {
    async fn admit(&self, credential: &Credential) -> Result<Admitted, Error> {
        let entitlements = self.entitlements(credential)?;
        let until = entitlements.ends();
        Ok(Admitted { view: self.view(entitlements)?, until })
    }
}

impl fmt::Debug for ByGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByGrant")
            .field("vehicle", &self.vehicle)
            .field("keys", &self.verifier)
            .finish_non_exhaustive()
    }
}
