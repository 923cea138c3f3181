//! What a config says of who may come in becomes an admission, and files that change it.
//!
//! *Invariant:* whoever shows something that nobody here understands stays out. Key sets and status lists change what is admitted already; another policy
//! needs another admission. While the car moves, or nobody knows whether it does, nothing that works ends.
//! *Next:* coachwork-entitlement's `ByGrant`, which judges; `running.rs`, which serves by it and makes another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use coachwork_entitlement::{
    ByGrant, FileStore, MemoryStore, SafeState, Setup, Store, Trust, VehicleId, Wallet, WalletError,
};
use coachwork_tokio::SystemClock;
use coachwork_vehicle::{
    Admission, Admitted, Clock, Credential, Error, ErrorKind, Event, Everybody, Operation, Subscribe,
    Timestamp, Vehicle,
};

use super::config::Config;
use super::from;
use crate::Failure;
use crate::grant::{anchor, policy, read, tokens, unhex};
use crate::live::failure;

/// Who may come in, and what that rests on.
pub(super) struct Access {
    pub(super) admission: Arc<dyn Admission>,
    wallet: Option<Wallet>,
    clock: Arc<SystemClock>,
    keys: Option<PathBuf>,
    status: Vec<PathBuf>,
    /// What another admission is to be made for when it changes.
    whole: Vec<PathBuf>,
    /// Follows whether the car moves, until this is dropped.
    _moving: Option<Aborts>,
}

struct Aborts(tokio::task::JoinHandle<()>);

impl Drop for Aborts {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Access {
    pub(super) fn open(
        config: &Config,
        folder: &Path,
        vehicle: Arc<dyn Vehicle>,
        clock: Arc<SystemClock>,
    ) -> Result<Self, Failure> {
        let access = &config.access;
        let doorkeeper = |inner: Arc<dyn Admission>, tokens| Doorkeeper {
            inner,
            anonymous: access.takes_anonymous(&config.listen),
            certificates: access.takes_certificates(),
            tokens,
        };
        let (Some(rules), Some(keys)) = (&access.policy, &access.keys) else {
            let admission = Arc::new(doorkeeper(Arc::new(Everybody::sees(vehicle)), false));
            let (keys, status, whole) = (None, Vec::new(), Vec::new());
            return Ok(Self { admission, wallet: None, clock, keys, status, whole, _moving: None });
        };
        let (rules, keys) = (from(folder, rules), from(folder, keys));
        let made = Arc::new(policy(&rules)?);
        let (anchor, document) = anchor(&keys)?;
        let setup = Setup::new(car(access)?, made.features().clone(), anchor, Timestamp::EPOCH);
        let store: Arc<dyn Store> = match &access.store {
            Some(path) => Arc::new(FileStore::open(from(folder, path)).map_err(failure)?),
            None => Arc::new(MemoryStore::default()),
        };
        let wallet = Wallet::open(setup, store, clock.clone()).map_err(failure)?;
        let by_grant = ByGrant::by_wallet(vehicle.clone(), made, &wallet).map_err(failure)?;
        let grants: Vec<_> = access.grants.iter().map(|path| from(folder, path)).collect();
        let moving = Some(Aborts(tokio::spawn(follow(vehicle, wallet.clone()))));
        let this = Self {
            admission: Arc::new(doorkeeper(Arc::new(by_grant), true)),
            wallet: Some(wallet),
            clock,
            status: access.status.iter().map(|path| from(folder, path)).collect(),
            whole: [rules, keys.join("root.pub")].into_iter().chain(grants.clone()).collect(),
            keys: Some(keys),
            _moving: moving,
        };
        this.tell_time()?;
        this.take_keys(&document)?;
        for path in &grants {
            for token in tokens(path)?.tokens() {
                this.with_wallet(|wallet| wallet.add_grant(token).map(drop))
                    .map_err(|why| failure(format_args!("{}: {why}", path.display())))?;
            }
        }
        this.renew_status()?;
        Ok(this)
    }

    /// The files that another admission is to be made for.
    pub(super) fn whole(&self) -> Vec<PathBuf> {
        self.whole.clone()
    }

    /// The file with the key set.
    pub(super) fn keys(&self) -> Option<PathBuf> {
        self.keys.as_ref().map(|folder| folder.join("keys.cose"))
    }

    /// The files with status lists.
    pub(super) fn status(&self) -> Vec<PathBuf> {
        self.status.clone()
    }

    /// Puts the key set in force that is in its file now.
    pub(super) fn renew_keys(&self) -> Result<(), Failure> {
        self.keys().map_or(Ok(()), |path| self.take_keys(&read(&path)?))
    }

    fn take_keys(&self, document: &[u8]) -> Result<(), Failure> {
        match self.with_wallet(|wallet| wallet.add_keys(document)) {
            // The one that is there already.
            Ok(()) | Err(WalletError::Old) => Ok(()),
            Err(why) => Err(failure(why)),
        }
    }

    /// Takes in the status lists that are in their files now; of several, all that are of use.
    pub(super) fn renew_status(&self) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        for path in &self.status {
            let taken =
                read(path).and_then(|list| match self.with_wallet(|wallet| wallet.add_status(&list)) {
                    Ok(()) => Ok(()),
                    Err(why) => Err(failure(format_args!("{}: {why}", path.display()))),
                });
            wrong.extend(taken.err().map(|why| why.to_string()));
        }
        if wrong.is_empty() { Ok(()) } else { Err(Failure::Message(wrong.join("; "))) }
    }

    /// Tells the wallet what time it is.
    pub(super) fn tell_time(&self) -> Result<(), Failure> {
        self.with_wallet(|wallet| wallet.tell_time(self.clock.now(), Trust::Network).map(drop))
            .map_err(failure)
    }

    fn with_wallet(&self, act: impl FnOnce(&Wallet) -> Result<(), WalletError>) -> Result<(), WalletError> {
        self.wallet.as_ref().map_or(Ok(()), act)
    }
}

fn car(access: &super::config::Access) -> Result<VehicleId, Failure> {
    match (&access.vin, &access.vehicle) {
        (Some(vin), _) => VehicleId::from_vin(vin).map_err(failure),
        (None, id) => {
            let bytes = unhex(id.as_deref().unwrap_or_default()).and_then(|bytes| bytes.try_into().ok());
            bytes
                .map(VehicleId::opaque)
                .ok_or_else(|| failure("access.vehicle: an id is 32 hexadecimal digits"))
        }
    }
}

/// Keeps a wallet told whether the car moves. One without a speed stands.
async fn follow(vehicle: Arc<dyn Vehicle>, wallet: Wallet) {
    let Some(speed) = vehicle.catalogue().id("Vehicle.Speed") else { return };
    let Ok(mut watch) = vehicle.subscribe(Subscribe::to([speed])).await else { return };
    while let Some(event) = watch.next().await {
        let Event::Changed(points) = event else { continue };
        if let Some((_, point)) = points.iter().last() {
            // What cannot be saved holds anyway.
            let _ = wallet.set_safe_state(SafeState::of_speed(point));
        }
    }
}

/// Lets in whom the config lets in, to what the admission behind it gives them.
#[derive(Debug)]
struct Doorkeeper {
    inner: Arc<dyn Admission>,
    anonymous: bool,
    certificates: bool,
    tokens: bool,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Admission for Doorkeeper {
    async fn admit(&self, credential: &Credential) -> Result<Admitted, Error> {
        let denied = |why: &'static str| Err(Error::new(ErrorKind::Denied, why).during(Operation::Admit));
        match credential {
            Credential::Token(_) if self.tokens => self.inner.admit(credential).await,
            Credential::Token(_) => denied("tokens are not understood here"),
            Credential::Certificate(_) if self.certificates || self.anonymous => {
                self.inner.admit(&Credential::None).await
            }
            Credential::Certificate(_) => denied("a certificate alone does not do; show a grant"),
            Credential::None if self.anonymous => self.inner.admit(credential).await,
            Credential::None if self.tokens => denied("a grant is needed"),
            Credential::None => denied("a client certificate is needed"),
            _ => denied("this is not understood here"),
        }
    }
}
