//! A vehicle becomes the same vehicle with locked doors: what its policy gates works only where a grant opens it.
//!
//! *Invariant:* every method of [`Vehicle`] is forwarded, or answered here without reaching the vehicle; a request that
//! the entitlements deny is never sent. What is denied stays in the catalogue, with the reason.
//! *Next:* `rights.rs` judges; `admission.rs` makes one view for each set of rights.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use coachwork_vehicle::{
    Catalogue, Clock, Datapoint, Each, Error, ErrorKind, Get, Monotonic, Operation, Outcome, Receipt,
    Refusal, RefusalKind, Request, SignalId, Subscribe, Subscription, Vehicle,
};

use crate::audit::AuditEvent;
use crate::decision::Decision;
use crate::entitlements::Entitlements;
use crate::policy::Policy;
use crate::rights::{Deed, Denial, Now, Rights};
use crate::scope::Scopes;
use crate::wallet::{Follow, Wallet};

/// A vehicle, as far as its grants open it.
///
/// A gated signal without its feature is in the catalogue with [`Permission::Denied`](coachwork_vehicle::Permission)
/// and a reason for people; reading it is an error of kind [`Denied`](ErrorKind::Denied); asking it to move is a receipt
/// settled as refused; an open subscription says [`Event::Access`](coachwork_vehicle::Event) when a feature comes or goes.
/// Dates are evaluated on the clock by whoever looks: no task is needed. A call looks at the time of day; a subscription
/// that waits is woken on the monotonic clock, so one that nobody polls or calls notices a clock set forward at its date
/// as planned, or at the next call to this vehicle.
pub struct Entitled<V> {
    vehicle: V,
    policy: Arc<Policy>,
    rights: Arc<Rights>,
    /// What was read last of signals that may be read only so often, and when.
    last: Mutex<BTreeMap<SignalId, (Monotonic, Datapoint)>>,
    audit: Option<Wallet>,
    /// Keeps it in step with a wallet.
    follower: Option<Arc<dyn Follow>>,
}

impl<V: Vehicle> Entitled<V> {
    /// Gates `vehicle` by `policy`, opened by `entitlements`, with dates on `clock`.
    ///
    /// # Errors
    /// [`WrongFeatures`] if the entitlements were made for other features than the policy's.
    pub fn new(
        vehicle: V,
        policy: Arc<Policy>,
        entitlements: Arc<Entitlements>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WrongFeatures> {
        Self::for_app(vehicle, policy, None, entitlements, clock)
    }

    /// The same, for an app that may do only what these scopes say: both must allow what it does.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_app(
        vehicle: V,
        policy: Arc<Policy>,
        scopes: Option<Arc<Scopes>>,
        entitlements: Arc<Entitlements>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WrongFeatures> {
        matching(&policy, &entitlements)?;
        let rights = Arc::new(Rights::new(policy.clone(), scopes, entitlements, clock, &vehicle.catalogue()));
        Ok(Self { vehicle, policy, rights, last: Mutex::default(), audit: None, follower: None })
    }

    /// Gates `vehicle` by what is in this wallet, on its time, and follows it; denials go to its audit.
    ///
    /// # Errors
    /// [`WrongFeatures`] if the wallet was made for other features than the policy's.
    pub fn by_wallet(
        vehicle: V,
        policy: Arc<Policy>,
        scopes: Option<Arc<Scopes>>,
        wallet: &Wallet,
    ) -> Result<Self, WrongFeatures> {
        let gated = Self::for_app(vehicle, policy, scopes, wallet.entitlements(), wallet.clock())?;
        let follower: Arc<dyn Follow> = gated.rights.clone();
        wallet.add_follower(Arc::downgrade(&follower));
        // Something may have changed before it was followed.
        gated.rights.replace(wallet.entitlements());
        Ok(Self { audit: Some(wallet.clone()), ..gated })
    }

    pub(crate) fn followed_by(self, follower: Arc<dyn Follow>, wallet: Wallet) -> Self {
        Self { audit: Some(wallet), follower: Some(follower), ..self }
    }

    pub(crate) fn rights(&self) -> &Arc<Rights> {
        &self.rights
    }

    /// What the app may do, whoever paid; `None` sets no limit of this kind.
    pub fn scopes(&self) -> Option<&Scopes> {
        self.rights.scopes()
    }

    /// Puts other entitlements in force, at once and for open subscriptions too.
    ///
    /// # Errors
    /// [`WrongFeatures`] as for [`new`](Self::new); then nothing changed.
    pub fn replace(&self, entitlements: Arc<Entitlements>) -> Result<(), WrongFeatures> {
        matching(&self.policy, &entitlements)?;
        self.rights.replace(entitlements);
        Ok(())
    }

    /// The entitlements in force.
    pub fn entitlements(&self) -> Arc<Entitlements> {
        self.rights.entitlements()
    }

    /// Whether a feature works now. For many checks, take [`entitlements`](Self::entitlements) and ask those by number.
    pub fn check(&self, feature: &str) -> Decision {
        let entitlements = self.entitlements();
        let now = self.rights.clock().now();
        self.policy.features().id(feature).map_or(Decision::UNKNOWN, |id| entitlements.check(id, now))
    }

    /// The vehicle without its gates.
    pub fn inner(&self) -> &V {
        &self.vehicle
    }

    fn now(&self) -> Now {
        self.rights.now(&self.vehicle.catalogue())
    }

    /// Why something may not be done, if it may not; then somebody may want to know.
    fn denial(&self, now: &Now, signal: SignalId, deed: Deed) -> Option<String> {
        let denial = now.denial(signal, deed)?;
        if let Some(wallet) = &self.audit {
            let path = now.catalogue().path(signal).map_or("", |path| path.as_str()).to_owned();
            let Denial { action, feature, .. } = denial;
            wallet.record(&AuditEvent::Denied { action, path, feature });
        }
        Some(denial.words)
    }

    /// Why a value may not be set, under the limit that holds without the feature.
    fn beyond(now: &Now, request: &Request) -> Option<String> {
        let limit = now.limit(request.signal, Deed::Set).filter(|limit| !limit.allows(&request.value))?;
        let feature = now.limited_by(request.signal, Deed::Set)?;
        Some(format!(
            "{} is not in your plan: it works {limit}; a grant for {feature} opens the rest",
            feature.spoken()
        ))
    }

    /// What was read, under the limits that hold.
    fn limited(&self, now: &Now, signals: &[SignalId], answers: Each<Datapoint>) -> Each<Datapoint> {
        if !now.limited() {
            return answers;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.rights.clock().monotonic();
        let limited = signals.iter().zip(answers).map(|(signal, answer)| {
            let Some(limit) = now.limit(*signal, Deed::Get) else { return answer };
            let point = now.shape(*signal, Deed::Get, answer?);
            let Some(every) = limit.every else { return Ok(point) };
            match last.get(signal) {
                Some((read, point)) if at.saturating_since(*read) < every => Ok(point.clone()),
                _ => {
                    last.insert(*signal, (at, point.clone()));
                    Ok(point)
                }
            }
        });
        limited.collect()
    }
}

fn matching(policy: &Policy, entitlements: &Entitlements) -> Result<(), WrongFeatures> {
    if policy.features() == entitlements.features() { Ok(()) } else { Err(WrongFeatures) }
}

/// Entitlements that answer for other features than those of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the entitlements were made for other features than the policy's")]
pub struct WrongFeatures;

impl<V: fmt::Debug> fmt::Debug for Entitled<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entitled")
            .field("vehicle", &self.vehicle)
            .field("rights", &self.rights)
            .field("followed", &self.follower.is_some())
            .finish_non_exhaustive()
    }
}

impl<V: fmt::Display> fmt::Display for Entitled<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.vehicle.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<V: Vehicle> Vehicle for Entitled<V> {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.rights.view(&self.vehicle.catalogue())
    }

    async fn get(&self, get: Get<'_>) -> Result<Each<Datapoint>, Error> {
        let now = self.now();
        let answers: Vec<_> = get
            .signals
            .iter()
            .map(|&signal| {
                let entry = now.catalogue().entry(signal).map_err(|error| error.during(Operation::Get));
                match (entry, self.denial(&now, signal, Deed::Get)) {
                    (Err(error), _) => Some(Err(error)),
                    (Ok(entry), Some(why)) => {
                        Some(Err(denied(why, Operation::Get).on_path(entry.path().as_str())))
                    }
                    (Ok(_), None) => None,
                }
            })
            .collect();
        if answers.iter().all(Option::is_none) {
            let signals = get.signals.to_vec();
            return Ok(self.limited(&now, &signals, self.vehicle.get(get).await?));
        }
        let open = answers.iter().zip(get.signals).filter(|(answer, _)| answer.is_none());
        let open: Vec<_> = open.map(|(_, signal)| *signal).collect();
        if open.is_empty() {
            return Ok(answers.into_iter().flatten().collect());
        }
        let read = self.limited(&now, &open, self.vehicle.get(Get::of(&open)).await?);
        merge(answers, read, Operation::Get)
    }

    async fn set(&self, requests: Vec<Request>) -> Result<Each<Receipt>, Error> {
        let now = self.now();
        let mut open = Vec::with_capacity(requests.len());
        let answers: Vec<_> = requests
            .into_iter()
            .map(|request| match now.catalogue().entry(request.signal) {
                Err(error) => Some(Err(error.during(Operation::Set))),
                Ok(entry) => {
                    // What the vehicle cannot do at all, it says itself, whether or not it would be allowed.
                    let can_move = now.can_move(request.signal);
                    let denial = can_move.then(|| {
                        let denial = self.denial(&now, request.signal, Deed::Set);
                        denial.or_else(|| Self::beyond(&now, &request))
                    });
                    let denial = denial.flatten();
                    let Some(why) = denial else {
                        open.push(request);
                        return None;
                    };
                    // So it is with a request that makes no sense.
                    Some(entry.settable(request.value).map(|_| self.refused(why)))
                }
            })
            .collect();
        if open.is_empty() {
            return Ok(answers.into_iter().flatten().collect());
        }
        merge(answers, self.vehicle.set(open).await?, Operation::Set)
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        let now = self.now();
        if subscribe.strict {
            for (signal, _) in &subscribe.signals {
                if let (Ok(entry), Some(why)) =
                    (now.catalogue().entry(*signal), self.denial(&now, *signal, Deed::Subscribe))
                {
                    return Err(denied(why, Operation::Subscribe).on_path(entry.path().as_str()));
                }
            }
        }
        let subscription = self.vehicle.subscribe(subscribe).await?;
        // A date may have passed while the vehicle was asked.
        drop(self.now());
        Ok(subscription.gated(self.rights.clone()))
    }
}

impl<V> Entitled<V> {
    fn refused(&self, why: String) -> Receipt {
        let refusal = Refusal::new(RefusalKind::Denied, why);
        Receipt::settled(self.rights.clock().clone(), Outcome::Refused(refusal))
    }
}

fn denied(why: String, operation: Operation) -> Error {
    Error::new(ErrorKind::Denied, why).during(operation)
}

/// Puts the vehicle's answers where there is none yet.
fn merge<T>(
    ours: Vec<Option<Result<T, Error>>>,
    theirs: Each<T>,
    operation: Operation,
) -> Result<Each<T>, Error> {
    let mut theirs = theirs.into_iter();
    let merged: Option<Each<T>> = ours.into_iter().map(|ours| ours.or_else(|| theirs.next())).collect();
    merged.filter(|_| theirs.next().is_none()).ok_or_else(|| {
        let message = "the vehicle did not answer each item of a batch once";
        Error::new(ErrorKind::Protocol, message).during(operation)
    })
}
