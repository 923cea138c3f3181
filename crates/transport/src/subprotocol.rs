//! Which subprotocol two sides agree on, for transports that negotiate it themselves.
//!
//! *Next:* `framed.rs`, `memory.rs`; `viss::Dialect::of_subprotocol` (what a name means).

use std::sync::Arc;

/// The subprotocol of a connection: the first of the names that the connecting side offers, in its order of preference, which the other side
/// knows. A side that names none goes along with whatever the other one prefers, or with none.
///
/// # Errors
/// What to tell people, where both sides name some and none is common.
pub fn agree<S: AsRef<str>, T: AsRef<str>>(offered: &[S], known: &[T]) -> Result<Option<Arc<str>>, String> {
    let first = if offered.is_empty() {
        known.first().map(AsRef::as_ref)
    } else if known.is_empty() {
        offered.first().map(AsRef::as_ref)
    } else {
        offered.iter().map(AsRef::as_ref).find(|name| known.iter().any(|known| known.as_ref() == *name))
    };
    if first.is_none() && !offered.is_empty() {
        let list = |names: Vec<&str>| names.join(", ");
        return Err(format!(
            "no common subprotocol: one side speaks {}, the other {}",
            list(offered.iter().map(AsRef::as_ref).collect()),
            list(known.iter().map(AsRef::as_ref).collect()),
        ));
    }
    Ok(first.map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connecting_side_has_the_choice() {
        let names = |list: &[&'static str]| list.to_vec();
        let cases: [(&[&str], &[&str], Option<&str>); 5] = [
            (&["VISSv3", "VISSv2"], &["VISSv2", "VISSv3"], Some("VISSv3")),
            (&["x", "VISSv2"], &["VISSv3", "VISSv2"], Some("VISSv2")),
            (&[], &["VISSv3"], Some("VISSv3")),
            (&["VISSv3"], &[], Some("VISSv3")),
            (&[], &[], None),
        ];
        for (offered, known, wanted) in cases {
            assert_eq!(agree(&names(offered), &names(known)).unwrap().as_deref(), wanted);
        }
        let error = agree(&["a"], &["b"]).unwrap_err();
        assert_eq!(error, "no common subprotocol: one side speaks a, the other b");
    }
}
