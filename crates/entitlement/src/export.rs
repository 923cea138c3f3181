//! Everything that an owner has, offline: each grant, why it is there, its dates and what a sale keeps, in words and as
//! JSON.
//!
//! *Invariant:* what is exported about a feature is what is decided about it, from the same snapshot at the same time.
//! Neither form holds a token, a key or the vehicle's id.
//! *Next:* the wallet that it was made from is in `wallet.rs`.

use std::fmt;

use coachwork_vehicle::Timestamp;

use crate::car::OwnerEpoch;
use crate::decision::{Decision, Verdict};
use crate::feature::PaidFeature;
use crate::grant::Grant;
use crate::license::{Leniency, LicenseState};
use crate::terms::Transfer;
use crate::time::TrustedTime;
use crate::verify::Verified;
use crate::wallet::Wallet;

/// What an owner has.
#[derive(Debug, Clone)]
pub struct Export {
    /// When it was made.
    pub at: TrustedTime,
    /// Whose it is.
    pub owner: OwnerEpoch,
    /// Each grant with its state.
    pub grants: Vec<(Verified<Grant>, LicenseState)>,
    /// Each feature of the platform, and whether it works.
    pub features: Vec<(PaidFeature, Decision)>,
}

impl Wallet {
    /// Everything that the owner has.
    pub fn export(&self) -> Export {
        let (at, entitlements, owner) = self.moment();
        let grants = entitlements.grants().iter();
        let grants = grants.map(|held| (held.0.clone(), entitlements.state_of(held, at.at))).collect();
        let features = entitlements.features().iter();
        let features =
            features.map(|(id, feature)| (feature.clone(), entitlements.check(id, at.at))).collect();
        Export { at, owner, grants, features }
    }
}

impl Export {
    /// The same as JSON (RFC 8259), with dates in ISO 8601.
    pub fn to_json(&self) -> String {
        let grants: Vec<_> = self.grants.iter().map(|(grant, state)| grant_json(grant, *state)).collect();
        let features = self.features.iter().map(|(feature, decision)| {
            object(&[
                ("feature", text(feature.name().as_str())),
                ("class", text(&feature.class().to_string())),
                ("verdict", text(verdict(decision))),
                ("reason", text(&decision.reason().to_string())),
                ("grant", option(decision.grant().map(|grant| grant.to_string()))),
                ("until", date(decision.ends())),
                ("help", text(&decision.help().to_string())),
            ])
        });
        object(&[
            ("at", text(&self.at.at.to_string())),
            ("time", text(&self.at.trust.to_string())),
            ("owner", self.owner.0.to_string()),
            ("grants", array(&grants)),
            ("features", array(&features.collect::<Vec<_>>())),
        ])
    }
}

fn grant_json(grant: &Grant, state: LicenseState) -> String {
    let features: Vec<_> = grant.features().iter().map(|name| text(name.as_str())).collect();
    let regions: Vec<_> = grant.regions().iter().map(|region| text(region.as_str())).collect();
    object(&[
        ("id", text(&grant.id().to_string())),
        ("edition", grant.sequence().to_string()),
        ("plan", option(grant.plan().map(ToString::to_string))),
        ("features", array(&features)),
        ("kind", text(&grant.kind().to_string())),
        ("state", text(name(state))),
        ("reason", text(&state.reason().to_string())),
        ("issued", text(&grant.issued().to_string())),
        ("starts", text(&grant.starts().to_string())),
        ("paid_until", date(grant.expires())),
        ("works_until", date(grant.ends())),
        ("offline_seconds", grant.offline().map_or_else(|| "null".into(), |time| time.as_secs().to_string())),
        ("countries", array(&regions)),
        ("sale", text(&grant.transfer().to_string())),
        ("stays_with_car", (grant.transfer() == Transfer::StaysWithCar).to_string()),
        ("replaces_because", option(grant.because().map(|because| because.to_string()))),
    ])
}

fn name(state: LicenseState) -> &'static str {
    match state {
        LicenseState::Active { .. } => "active",
        LicenseState::Cancelled { .. } => "cancelled",
        LicenseState::Expired { .. } => "expired",
        LicenseState::Grace { why: Leniency::Unpaid, .. } => "in grace, not paid",
        LicenseState::Grace { why: Leniency::StatusStale, .. } => "in grace, status not heard of",
        LicenseState::Grace { why: Leniency::TimeUnknown, .. } => "in grace, time not known",
        LicenseState::Grace { why: Leniency::Unexplained, .. } => "in grace, withdrawn without a reason",
        LicenseState::OnHold => "on hold",
        LicenseState::OtherVehicle => "another vehicle's",
        LicenseState::OutOfRegion => "out of region",
        LicenseState::Paused => "paused",
        LicenseState::Pending { .. } => "pending",
        LicenseState::Revoked { .. } => "revoked",
        LicenseState::Suspended { .. } => "suspended",
        LicenseState::TimeLost { .. } => "time lost",
        LicenseState::Transferred => "transferred",
        LicenseState::Trial { .. } => "trial",
        LicenseState::Unconfirmed { .. } => "unconfirmed",
    }
}

fn verdict(decision: &Decision) -> &'static str {
    match decision.verdict() {
        Verdict::Allow => "works",
        Verdict::Degraded => "works, see why",
        Verdict::Deny => "does not work",
    }
}

/// For people.
impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What this car has at {}, owner {}.", self.at, self.owner.0)?;
        if self.grants.is_empty() {
            writeln!(f, "\nThere are no grants.")?;
        }
        for (grant, state) in &self.grants {
            let plan = grant.plan().map(|plan| format!(" ({plan})")).unwrap_or_default();
            writeln!(f, "\nGrant {}{plan}, edition {}: {}.", grant.id(), grant.sequence(), name(*state))?;
            let features: Vec<_> = grant.features().iter().map(AsRef::as_ref).collect();
            writeln!(f, "  opens {}", features.join(", "))?;
            writeln!(f, "  {}; {}", grant.kind(), state.reason())?;
            write!(f, "  issued {}, starts {}", grant.issued(), grant.starts())?;
            match (grant.expires(), grant.ends()) {
                (Some(paid), Some(ends)) if paid < ends => {
                    writeln!(f, ", paid until {paid}, works until {ends}")?;
                }
                (Some(paid), _) => writeln!(f, ", paid until {paid}")?,
                _ => writeln!(f, ", for good")?,
            }
            if let Some(offline) = grant.offline() {
                writeln!(
                    f,
                    "  works for {} days without hearing from the seller",
                    offline.as_secs() / 86_400
                )?;
            }
            if !grant.regions().is_empty() {
                let regions: Vec<_> = grant.regions().iter().map(ToString::to_string).collect();
                writeln!(f, "  works in {}", regions.join(", "))?;
            }
            if let Some(because) = grant.because() {
                writeln!(f, "  replaced what was before, because {because}")?;
            }
            writeln!(f, "  {}", grant.transfer())?;
        }
        writeln!(f, "\nFeatures:")?;
        for (feature, decision) in &self.features {
            write!(f, "  {}: {}; {decision}", feature.name(), verdict(decision))?;
            match decision.help().to_string() {
                help if help.is_empty() => writeln!(f)?,
                help => writeln!(f, "; to do: {help}")?,
            }
        }
        Ok(())
    }
}

fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn option(value: Option<String>) -> String {
    value.map_or_else(|| "null".into(), |value| text(&value))
}

fn date(at: Option<Timestamp>) -> String {
    option(at.map(|at| at.to_string()))
}

fn array(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", text(name))).collect();
    format!("{{{}}}", members.join(","))
}
