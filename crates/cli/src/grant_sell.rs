//! `grant new-keys`, `issue` and `revoke`: what the seller does.
//!
//! *Invariant:* nothing that is there is overwritten but a status list, which is put in its place whole.
//! *Next:* `grant.rs` (files and keys), `grant_car.rs` (the other side).

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use coachwork_entitlement::{
    Because, Bundle, Draft, Grant, GrantId, Issuer, KeyId, KeySet, Kind, OwnerEpoch, PaidClass, PaidFeature,
    SetKey, Status, StatusList, StatusRef,
};
use coachwork_vehicle::Timestamp;

use crate::grant::{Which, failed, hex, issuer, now, replace, tokens, unhex, verifier, write_new};
use crate::output::Output;
use crate::{Failure, grant};

const DAY: u64 = 86_400;

/// Make keys: an offline root, a key for grants, a key for status lists, and the key set that the root signs.
///
/// Keep `root.key` offline; the car gets `root.pub` and `keys.cose`.
#[derive(Debug, Args)]
pub(crate) struct NewKeys {
    /// The folder, which is made.
    folder: PathBuf,
    /// The beginning of the keys' ids, as a year.
    #[arg(long, default_value = "1")]
    id: String,
}

impl NewKeys {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let at = |name: &str| self.folder.join(name);
        let mut made = Vec::new();
        for name in ["root", "grants", "status"] {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map_err(failed)?;
            let id = format!("{}{}", name.chars().next().unwrap_or('k'), self.id);
            let issuer = Issuer::new(KeyId::new(&id).map_err(failed)?, &secret).map_err(failed)?;
            write_new(&at(&format!("{name}.key")), format!("{id} {}\n", hex(&secret)).as_bytes(), true)?;
            let public = format!("{id} {}\n", hex(&issuer.public_key().to_bytes()));
            write_new(&at(&format!("{name}.pub")), public.as_bytes(), false)?;
            made.push(issuer);
        }
        let [root, grants, status] = made.as_slice() else {
            return Err(failed("three keys were to be made"));
        };
        let from = Timestamp::EPOCH;
        let set = [
            SetKey::for_grants(grants.key_id(), grants.public_key(), from, None).map_err(failed)?,
            SetKey::for_status(status.key_id(), status.public_key(), from, None).map_err(failed)?,
        ];
        let set = KeySet::new(1, now(), set).map_err(failed)?;
        write_new(&at("keys.cose"), &root.issue_keys(&set).map_err(failed)?, false)?;
        print(&format!("keys are in {}; take root.key offline", self.folder.display()))
    }
}

/// Sign a grant, and print it as text.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// The folder with `grants.key`.
    #[arg(long, value_name = "FOLDER")]
    keys: PathBuf,
    #[command(flatten)]
    car: Which,
    /// A feature that it opens.
    #[arg(long, required = true, value_name = "NAME")]
    feature: Vec<String>,
    /// Its id, 2 to 32 hexadecimal digits; by default a random one.
    #[arg(long, value_name = "HEX")]
    id: Option<String>,
    /// For so many days; without it, for good.
    #[arg(long)]
    days: Option<u64>,
    /// How it was bought: trial, prepaid or one-off.
    #[arg(long, value_parser = ["trial", "prepaid", "one-off"], requires = "days")]
    kind: Option<String>,
    /// Works for so many days after its end.
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    grace: u64,
    /// Works for so many days without a fresh status.
    #[arg(long, value_name = "DAYS", requires = "status")]
    offline: Option<u64>,
    /// For this owner alone.
    #[arg(long, value_name = "EPOCH")]
    owner: Option<u32>,
    /// The plan that it is sold as.
    #[arg(long)]
    plan: Option<String>,
    /// A country in which it works; without any, everywhere.
    #[arg(long, value_name = "XX")]
    region: Vec<String>,
    /// Where its status is published: a place in a list.
    #[arg(long, value_name = "URI#PLACE")]
    status: Option<String>,
    /// Its edition.
    #[arg(long, default_value_t = 0)]
    sequence: u64,
    /// Why it replaces earlier editions.
    #[arg(long, value_name = "REASON", value_parser = because)]
    because: Option<Because>,
    /// What the app that shows it may do.
    #[arg(long)]
    scope: Vec<String>,
    /// Also writes the token there, as bytes.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Issue {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let issuer = issuer(&self.keys, "grants")?;
        let id = if let Some(id) = &self.id {
            unhex(id).ok_or_else(|| failed("an id is hexadecimal"))?
        } else {
            let mut id = [0; 8];
            getrandom::fill(&mut id).map_err(failed)?;
            id.to_vec()
        };
        let draft = Grant::draft(GrantId::new(id).map_err(failed)?, self.car.id()?, now());
        let token = issuer.issue(&self.complete(draft)?.build().map_err(failed)?).map_err(failed)?;
        if let Some(out) = &self.out {
            write_new(out, &token, true)?;
        }
        print(&Bundle::new([token]).map_err(failed)?.to_text())
    }

    fn complete(&self, mut draft: Draft) -> Result<Draft, Failure> {
        for name in &self.feature {
            // The class is the policy's; a token carries names.
            let name = name.parse().map_err(failed)?;
            draft = draft.opens(&PaidFeature::new(name, PaidClass::Comfort));
        }
        if let Some(days) = self.days {
            draft = draft.until(now().saturating_add(days_of(days)));
        }
        draft = draft.grace(days_of(self.grace)).sequence(self.sequence);
        draft = match self.kind.as_deref() {
            Some("trial") => draft.kind(Kind::Trial),
            Some("prepaid") => draft.kind(Kind::Prepaid),
            Some(_) => draft.kind(Kind::OneOff),
            None => draft,
        };
        if let Some(days) = self.offline {
            draft = draft.offline(days_of(days));
        }
        if let Some(owner) = self.owner {
            draft = draft.for_owner(OwnerEpoch(owner));
        }
        if let Some(plan) = &self.plan {
            draft = draft.plan(plan.parse().map_err(failed)?);
        }
        for region in &self.region {
            draft = draft.within(region.parse().map_err(failed)?);
        }
        for scope in &self.scope {
            draft = draft.scope(scope.parse().map_err(failed)?);
        }
        if let Some(place) = &self.status {
            let (uri, index) = place.rsplit_once('#').ok_or_else(|| failed("a place is URI#NUMBER"))?;
            draft = draft.status(StatusRef::new(uri, index.parse().map_err(failed)?).map_err(failed)?);
        }
        Ok(match self.because {
            Some(because) => draft.because(because),
            None => draft,
        })
    }
}

/// Put a status into a status list, and sign the list again. What takes something away needs a reason.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The folder with `status.key`.
    #[arg(long, value_name = "FOLDER")]
    keys: PathBuf,
    /// The list, as a file; it is made if it is not there.
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// The grant, as a file: its list and place are used.
    grant: PathBuf,
    /// The status.
    #[arg(long, default_value = "invalid",
        value_parser = ["valid", "invalid", "suspended", "on-hold", "paused", "cancelled", "transferred"])]
    status: String,
    /// Why: refund, chargeback, owner-asked, exchanged, fraud, law or mistake.
    #[arg(long, value_parser = because)]
    because: Option<Because>,
    /// How many days the list is fresh.
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    fresh: u64,
}

impl Revoke {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let status = match self.status.as_str() {
            "valid" => Status::Valid,
            "suspended" => Status::Suspended,
            "on-hold" => Status::OnHold,
            "paused" => Status::Paused,
            "cancelled" => Status::Cancelled,
            "transferred" => Status::Transferred,
            _ => Status::Invalid,
        };
        if matches!(status, Status::Invalid | Status::Suspended) && self.because.is_none() {
            return Err(failed("what takes something away needs --because"));
        }
        let verifier = verifier(&self.keys)?;
        let bundle = tokens(&self.grant)?;
        let token = bundle.tokens().next().ok_or_else(|| failed("no grant"))?;
        let grant = verifier.verify(token).map_err(failed)?;
        let place = grant.status().ok_or_else(|| failed("the grant names no status list"))?;
        let list = if self.list.exists() {
            verifier.verify_status(&grant::read(&self.list)?).map_err(failed)?.into_inner()
        } else {
            StatusList::new(place.uri(), now(), 1 << 14).map_err(failed)?
        };
        if list.uri() != place.uri() {
            return Err(failed("the grant names another list"));
        }
        let list = list.issued_at(now()).and_then(|list| list.fresh_for(days_of(self.fresh)));
        let mut list = list.map_err(failed)?;
        list.set(place.index(), status, self.because).map_err(failed)?;
        replace(&self.list, &issuer(&self.keys, "status")?.issue_status(&list).map_err(failed)?)?;
        print(&format!("grant {} is {status} in {}", grant.id(), self.list.display()))
    }
}

fn because(text: &str) -> Result<Because, String> {
    Ok(match text {
        "refund" => Because::Refund,
        "chargeback" => Because::Chargeback,
        "owner-asked" => Because::OwnerAsked,
        "exchanged" => Because::Exchanged,
        "fraud" => Because::Fraud,
        "law" => Because::Law,
        "mistake" => Because::Mistake,
        _ => return Err("refund, chargeback, owner-asked, exchanged, fraud, law or mistake".into()),
    })
}

fn days_of(days: u64) -> Duration {
    Duration::from_secs(days.saturating_mul(DAY))
}

pub(crate) fn print(line: &str) -> Result<(), Failure> {
    let output = Output::new();
    output.append(|out| {
        out.extend(line.trim_end().as_bytes());
        out.push(b'\n');
    })?;
    output.flush()
}
