//! `coachwork grant`: the seller's side and the car's side of a grant, on files.
//!
//! *Invariant:* a private key is written once, for its owner alone, and never shown; what is public and what is private are
//! different files. Tokens are printed in their text form, because that is what was asked for, and nowhere else.
//! *Next:* `grant_sell.rs` signs; `grant_car.rs` verifies and keeps.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use coachwork_entitlement::{Anchor, Bundle, Issuer, KeyId, Policy, PublicKey, Roots, VehicleId, Verifier};
use coachwork_vehicle::Timestamp;

use crate::Failure;
use crate::grant_car::{Export, Show, Status, Verify};
use crate::grant_sell::{Issue, NewKeys, Revoke};

/// Issue, look at, withdraw and keep grants for paid features.
#[derive(Debug, Args)]
pub(crate) struct Grant {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    NewKeys(NewKeys),
    Issue(Box<Issue>),
    Show(Show),
    Verify(Verify),
    Revoke(Revoke),
    Status(Status),
    Export(Export),
}

impl Grant {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::NewKeys(keys) => keys.run(),
            Command::Issue(issue) => issue.run(),
            Command::Show(show) => show.run(),
            Command::Verify(verify) => verify.run(),
            Command::Revoke(revoke) => revoke.run(),
            Command::Status(status) => status.run(),
            Command::Export(export) => export.run(),
        }
    }
}

/// Which car.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its VIN, which is hashed.
    #[arg(long, required_unless_present = "vehicle", conflicts_with = "vehicle")]
    vin: Option<String>,
    /// The id that its maker gave it, 32 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    vehicle: Option<String>,
}

impl Which {
    pub(crate) fn id(&self) -> Result<VehicleId, Failure> {
        if let Some(vin) = &self.vin {
            return VehicleId::from_vin(vin).map_err(failed);
        }
        let id = unhex(self.vehicle.as_deref().unwrap_or_default()).and_then(|id| id.try_into().ok());
        id.map(VehicleId::opaque)
            .ok_or_else(|| Failure::Message("a vehicle's id is 32 hexadecimal digits".into()))
    }
}

/// The names of a pair of keys in a folder: the private half in `NAME.key`, the public in `NAME.pub`.
pub(crate) fn issuer(folder: &Path, name: &str) -> Result<Issuer, Failure> {
    let path = folder.join(format!("{name}.key"));
    let text = read_text(&path)?;
    let bad = || Failure::Message(format!("{}: not a private key", path.display()));
    let (id, secret) = text.trim().split_once(' ').ok_or_else(bad)?;
    let secret: [u8; 32] = unhex(secret).and_then(|bytes| bytes.try_into().ok()).ok_or_else(bad)?;
    Issuer::new(KeyId::new(id).map_err(failed)?, &secret).map_err(failed)
}

fn public(folder: &Path, name: &str) -> Result<(KeyId, PublicKey), Failure> {
    let path = folder.join(format!("{name}.pub"));
    let text = read_text(&path)?;
    let bad = || Failure::Message(format!("{}: not a public key", path.display()));
    let (id, key) = text.trim().split_once(' ').ok_or_else(bad)?;
    let key: [u8; 32] = unhex(key).and_then(|bytes| bytes.try_into().ok()).ok_or_else(bad)?;
    Ok((KeyId::new(id).map_err(failed)?, PublicKey::from_bytes(&key).map_err(failed)?))
}

/// Whom a car trusts: the root in `root.pub`, and the key set that it signed.
pub(crate) fn trust(folder: &Path) -> Result<(Roots, Vec<u8>), Failure> {
    let roots = Roots::new([public(folder, "root")?]).map_err(failed)?;
    Ok((roots, read(&folder.join("keys.cose"))?))
}

pub(crate) fn verifier(folder: &Path) -> Result<Verifier, Failure> {
    let (roots, keys) = trust(folder)?;
    Ok(Verifier::trusting(&roots.verify(&keys).map_err(failed)?))
}

pub(crate) fn anchor(folder: &Path) -> Result<(Anchor, Vec<u8>), Failure> {
    trust(folder).map(|(roots, keys)| (Anchor::Roots(roots), keys))
}

/// The tokens in a file, in either form.
pub(crate) fn tokens(path: &Path) -> Result<Bundle, Failure> {
    let bytes = read(path)?;
    let trimmed = if bytes.first() == Some(&0xd2) { &bytes[..] } else { bytes.trim_ascii() };
    Bundle::read(trimmed).map_err(failed)
}

pub(crate) fn policy(path: &Path) -> Result<Policy, Failure> {
    read_text(path)?.parse().map_err(|why| Failure::Message(format!("{}: {why}", path.display())))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|why| Failure::Message(format!("{}: {why}", path.display())))
}

fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|why| Failure::Message(format!("{}: {why}", path.display())))
}

/// Writes a file that was not there.
pub(crate) fn write_new(path: &Path, bytes: &[u8], private: bool) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if private {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let _ = private;
    let written =
        options.open(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|why| Failure::Message(format!("{}: {why}", path.display())))
}

/// Puts a file in the place of another, whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let _ = fs::remove_file(&new);
    write_new(&new, bytes, false)?;
    fs::rename(&new, path).map_err(|why| Failure::Message(format!("{}: {why}", path.display())))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        out.extend([byte >> 4, byte & 15].map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0')));
        out
    })
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let pairs = digits.chunks_exact(2);
    Some(pairs.filter_map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect())
}

pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the tool reads the system's time")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.saturating_add(Duration::from_secs(since.as_secs()))
}

pub(crate) fn failed(why: impl std::fmt::Display) -> Failure {
    Failure::Message(why.to_string())
}
