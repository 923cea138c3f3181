//! `grant show`, `verify`, `status` and `export`: what the car does, and what its owner may see.
//!
//! *Invariant:* nothing is shown of a token that does not verify; a store holds nothing that does not.
//! *Next:* `grant.rs` (files and keys), `grant_sell.rs` (the other side).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use coachwork_entitlement::{
    Circumstances, FileStore, LicenseState, OwnerEpoch, SafeState, Setup, Standing, Trust, Verifier, Wallet,
};
use coachwork_vehicle::ManualClock;

use crate::Failure;
use crate::grant::{Which, anchor, failed, now, policy, read, tokens, verifier};
use crate::grant_sell::print;

/// Show what a grant says, if it verifies.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The folder with `root.pub` and `keys.cose`.
    #[arg(long, value_name = "FOLDER")]
    keys: PathBuf,
    /// The grant or grants, in either form.
    grant: PathBuf,
}

impl Show {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let verifier = verifier(&self.keys)?;
        for token in tokens(&self.grant)?.tokens() {
            let grant = verifier.verify(token).map_err(failed)?;
            let mut out =
                format!("grant {} (edition {}, signed by key {})", grant.id(), grant.sequence(), grant.key());
            let mut line = |name: &str, value: &str| out.extend(format!("\n  {name:9} {value}").chars());
            let features: Vec<_> = grant.features().iter().map(AsRef::as_ref).collect();
            line("opens", &features.join(" "));
            if let Some(plan) = grant.plan() {
                line("plan", plan.as_str());
            }
            line("kind", &grant.kind().to_string());
            line("issued", &grant.issued().to_string());
            line("starts", &grant.starts().to_string());
            match (grant.expires(), grant.ends()) {
                (Some(paid), Some(ends)) => line("ends", &format!("{paid}, with grace {ends}")),
                _ => line("ends", "never"),
            }
            line("sale", &grant.transfer().to_string());
            for region in grant.regions() {
                line("country", region.as_str());
            }
            for scope in grant.scopes() {
                line("scope", &scope.to_string());
            }
            if let Some(place) = grant.status() {
                line("status", &format!("{}#{}", place.uri(), place.index()));
            }
            if let Some(because) = grant.because() {
                line("replaces", &because.to_string());
            }
            print(&out)?;
        }
        Ok(())
    }
}

/// Say what a grant is worth in a car, and, with a store, put it there. Fails where it opens nothing now.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The folder with `root.pub` and `keys.cose`.
    #[arg(long, value_name = "FOLDER")]
    keys: PathBuf,
    #[command(flatten)]
    car: Which,
    /// Its owner's epoch.
    #[arg(long, default_value_t = 1)]
    owner: u32,
    /// The status list.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Where to keep what verifies.
    #[arg(long, value_name = "FOLDER", requires = "policy")]
    store: Option<PathBuf>,
    /// The policy, for the store.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The grant or grants, in either form.
    grant: PathBuf,
}

impl Verify {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let verifier = verifier(&self.keys)?;
        let list = self.list.as_deref().map(read).transpose()?;
        let bundle = tokens(&self.grant)?;
        let opens = self.judge(&verifier, list.as_deref(), &mut bundle.tokens())?;
        if let (Some(store), Some(policy)) = (&self.store, &self.policy) {
            let wallet = wallet(&self.keys, &self.car, policy, store)?;
            for token in bundle.tokens() {
                wallet.add_grant(token).map_err(failed)?;
            }
            if let Some(list) = list {
                wallet.add_status(&list).map_err(failed)?;
            }
            print(&format!("kept in {}", store.display()))?;
        }
        if opens { Ok(()) } else { Err(Failure::Told) }
    }

    fn judge(
        &self,
        verifier: &Verifier,
        list: Option<&[u8]>,
        tokens: &mut dyn Iterator<Item = &[u8]>,
    ) -> Result<bool, Failure> {
        let car = coachwork_entitlement::Car { vehicle: self.car.id()?, owner: OwnerEpoch(self.owner) };
        let list = list.map(|list| verifier.verify_status(list)).transpose().map_err(failed)?;
        let mut opens = false;
        for token in tokens {
            let grant = verifier.verify(token).map_err(failed)?;
            let known = list.as_ref().and_then(|list| list.standing(&grant));
            let standing = known.unwrap_or_else(|| Standing::unknown(&grant));
            let state = LicenseState::of(&grant, &standing, &Circumstances::of(car), now());
            opens |= state.reason().verdict() != coachwork_entitlement::Verdict::Deny;
            print(&format!("grant {}: {}", grant.id(), state.reason()))?;
        }
        Ok(opens)
    }
}

/// Say which features work in a car, why, and until when.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    kept: Kept,
    /// A status list to take in first.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
}

impl Status {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let wallet = self.kept.wallet()?;
        if let Some(list) = &self.list {
            wallet.add_status(&read(list)?).map_err(failed)?;
        }
        for (feature, decision) in wallet.export().features {
            print(&format!("{}: {decision}", feature.name()))?;
        }
        Ok(())
    }
}

/// List everything that the owner has: each grant, its reason, dates, and what a sale keeps.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    kept: Kept,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Export {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let export = self.kept.wallet()?.export();
        print(&if self.json { export.to_json() } else { export.to_string() })
    }
}

/// A car's store.
#[derive(Debug, Args)]
pub(crate) struct Kept {
    /// The store.
    #[arg(long, value_name = "FOLDER")]
    store: PathBuf,
    /// The folder with `root.pub` and `keys.cose`.
    #[arg(long, value_name = "FOLDER")]
    keys: PathBuf,
    /// The policy.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    #[command(flatten)]
    car: Which,
}

impl Kept {
    fn wallet(&self) -> Result<Wallet, Failure> {
        wallet(&self.keys, &self.car, &self.policy, &self.store)
    }
}

/// The wallet in a store, parked, with the system's time.
fn wallet(keys: &Path, car: &Which, of: &Path, store: &Path) -> Result<Wallet, Failure> {
    let (anchor, document) = anchor(keys)?;
    let features = policy(of)?.features().clone();
    let setup = Setup::new(car.id()?, features, anchor, coachwork_vehicle::Timestamp::EPOCH);
    let store = FileStore::open(store).map_err(failed)?;
    let wallet = Wallet::open(setup, store, Arc::new(ManualClock::new(now()))).map_err(failed)?;
    match wallet.add_keys(&document) {
        // The set that is there already, or a newer one.
        Ok(()) | Err(coachwork_entitlement::WalletError::Old) => {}
        Err(why) => return Err(failed(why)),
    }
    wallet.tell_time(now(), Trust::Network).map_err(failed)?;
    wallet.set_safe_state(SafeState::Parked).map_err(failed)?;
    Ok(wallet)
}
