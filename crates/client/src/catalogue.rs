//! The metadata of a gateway becomes a catalogue, and a later metadata the next snapshot of the same lineage.
//!
//! *Invariant:* ids stay as they are. What a gateway does not have any more, or has in another form, stays in the catalogue without rights.
//! *Next:* `shared.rs` (which keeps the catalogue).

use coachwork_transport::viss::Metadata;
use coachwork_vehicle::{
    Access, Catalogue, Entry, Error, ErrorKind, Facts, Operation, Permission, Receipts, SignalId,
};

/// The first snapshot.
pub(crate) fn first(metadata: Metadata) -> Result<Catalogue, Error> {
    let facts = facts(&metadata);
    let (entries, access): (Vec<Entry>, Vec<Access>) = metadata.entries.into_iter().unzip();
    let catalogue = Catalogue::new(entries, facts).map_err(|why| {
        let message = format!("the gateway's metadata make no catalogue: {why}");
        Error::new(ErrorKind::Protocol, message).during(Operation::Connect).caused_by(why)
    })?;
    let mut access = access.into_iter();
    Ok(catalogue.with_access(|_, own| access.next().unwrap_or_else(|| own.clone())))
}

/// The next snapshot, or `None` where nothing has changed.
pub(crate) fn next(now: &Catalogue, metadata: Metadata) -> Option<Catalogue> {
    let facts = facts(&metadata);
    let mut known: Vec<Option<Access>> = vec![None; now.len()];
    let (mut new, mut new_access) = (Vec::new(), Vec::new());
    for (entry, access) in metadata.entries {
        let Some(id) = now.id(entry.path().as_str()) else {
            new.push(entry);
            new_access.push(access);
            continue;
        };
        let same = now.entry(id).is_ok_and(|own| *own == entry);
        let access =
            if same { access } else { withdrawn("the gateway has it in another form; connect anew") };
        if let Some(place) = now.row(id).ok().and_then(|row| known.get_mut(row)) {
            *place = Some(access);
        }
    }
    let gone = withdrawn("the gateway does not have it any more");
    let known: Vec<Access> = known.into_iter().map(|access| access.unwrap_or_else(|| gone.clone())).collect();
    let same = now.ids().zip(&known).all(|(id, access)| now.access(id).is_ok_and(|own| own == access));
    if same && new.is_empty() && *now.facts() == facts {
        return None;
    }
    let mut access = known.into_iter().chain(new_access);
    // An entry that cannot be had twice, and was checked when it was read, grows into any catalogue.
    let grown = now.grown(new).ok()?;
    Some(grown.with_facts(facts).with_access(|_, own| access.next().unwrap_or_else(|| own.clone())))
}

/// The same snapshot with these rights to read, or `None` where they are there already.
pub(crate) fn permitted(now: &Catalogue, changes: &[(SignalId, Permission)]) -> Option<Catalogue> {
    let differs = |(id, read): &(SignalId, Permission)| now.access(*id).is_ok_and(|own| own.read != *read);
    changes.iter().any(differs).then(|| {
        now.with_access(|id, own| match changes.iter().rev().find(|(changed, _)| *changed == id) {
            Some((_, read)) => Access { read: read.clone(), write: own.write.clone() },
            None => own.clone(),
        })
    })
}

/// A gateway of plain VISS says nothing of itself: then only what VISS guarantees holds.
fn facts(metadata: &Metadata) -> Facts {
    metadata.facts.clone().unwrap_or_else(|| {
        let mut facts = Facts::default();
        facts.receipts = Receipts::Accepted;
        facts.snapshots = false;
        facts.reports_changes_only = true;
        facts
    })
}

fn withdrawn(why: &'static str) -> Access {
    Access { read: Permission::denied(why), write: Permission::denied(why) }
}
