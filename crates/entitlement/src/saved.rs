//! A wallet's memory becomes bytes for a store, and comes back: tokens as they were signed, and what the car knows itself.
//!
//! *Invariant:* nothing in it is believed for being there: every token is verified again when it is loaded. Reading is
//! bounded before it allocates; what is not exactly of this form is no state.
//! *Next:* `store.rs` keeps the bytes; `wallet.rs` makes them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use coachwork_vehicle::Timestamp;

use crate::cbor::{Major, Malformed, Reader, write_bytes, write_head, write_text};
use crate::entitlements::MAX_GRANTS;
use crate::feature::FeatureName;
use crate::features::MAX_FEATURES;
use crate::status::MAX_STATUS_TOKEN;
use crate::terms::Region;
use crate::time::{SavedTime, Trust};
use crate::token::MAX_TOKEN;

/// The most status lists of a car.
pub const MAX_LISTS: usize = 16;

type Token = Arc<[u8]>;

#[derive(Clone)]
pub(crate) struct Saved {
    pub(crate) keys: Option<Token>,
    pub(crate) grants: Vec<Token>,
    pub(crate) lists: Vec<Token>,
    pub(crate) owner: u32,
    pub(crate) region: Option<Region>,
    pub(crate) time: SavedTime,
    /// While the car moves: what works to the end of the journey.
    pub(crate) journey: Option<BTreeSet<FeatureName>>,
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Saved({} grants, {} lists)", self.grants.len(), self.lists.len())
    }
}

pub(crate) fn encode(saved: &Saved) -> Vec<u8> {
    let mut out = Vec::new();
    let tokens = |out: &mut Vec<u8>, tokens: &[Token]| {
        write_head(out, Major::Array, tokens.len() as u64);
        for token in tokens {
            write_bytes(out, token);
        }
    };
    let time = |out: &mut Vec<u8>, at: Timestamp| write_bytes(out, &at.nanoseconds().to_be_bytes());
    write_head(&mut out, Major::Array, 7);
    tokens(&mut out, saved.keys.as_slice());
    tokens(&mut out, &saved.grants);
    tokens(&mut out, &saved.lists);
    write_head(&mut out, Major::Unsigned, u64::from(saved.owner));
    write_text(&mut out, saved.region.as_ref().map_or("", Region::as_str));
    let SavedTime { floor, seen, seen_trust, disputed, lost } = &saved.time;
    write_head(&mut out, Major::Array, 5);
    time(&mut out, *floor);
    time(&mut out, *seen);
    write_head(&mut out, Major::Unsigned, *seen_trust as u64);
    write_head(&mut out, Major::Array, u64::from(disputed.is_some()));
    if let Some(disputed) = disputed {
        time(&mut out, *disputed);
    }
    write_head(&mut out, Major::Unsigned, lost.as_secs());
    let journey = saved.journey.as_ref();
    write_head(&mut out, Major::Array, journey.map_or(0, |journey| journey.len() as u64 + 1));
    if let Some(journey) = journey {
        // An empty text tells a journey without features from none.
        write_text(&mut out, "");
        for name in journey {
            write_text(&mut out, name.as_str());
        }
    }
    out
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Saved, Malformed> {
    let mut r = Reader::new(bytes);
    r.exactly(Major::Array, 7, "a state of 7 parts")?;
    let keys = tokens(&mut r, 1, MAX_TOKEN)?.pop();
    let grants = tokens(&mut r, MAX_GRANTS, MAX_TOKEN)?;
    let lists = tokens(&mut r, MAX_LISTS, MAX_STATUS_TOKEN)?;
    let owner =
        u32::try_from(r.unsigned("an owner epoch")?).map_err(|_| r.malformed("an epoch before this"))?;
    let region = match r.text("a country")? {
        "" => None,
        text => Some(text.parse().map_err(|_| r.malformed("a country before this"))?),
    };
    r.exactly(Major::Array, 5, "times")?;
    let (floor, seen) = (time(&mut r)?, time(&mut r)?);
    let seen_trust = match r.unsigned("a trust level")? {
        0 => Trust::Unknown,
        1 => Trust::Rtc,
        2 => Trust::Network,
        3 => Trust::Secure,
        _ => return Err(r.malformed("a trust level to 3 before this")),
    };
    let disputed = match r.array("a disputed time, or none")? {
        0 => None,
        1 => Some(time(&mut r)?),
        _ => return Err(r.malformed("one time from here")),
    };
    let lost = Duration::from_secs(r.unsigned("seconds")?);
    let journey = journey(&mut r)?;
    r.end("the end of the state")?;
    let time = SavedTime { floor, seen, seen_trust, disputed, lost };
    Ok(Saved { keys, grants, lists, owner, region, time, journey })
}

fn tokens(r: &mut Reader<'_>, most: usize, longest: usize) -> Result<Vec<Token>, Malformed> {
    let count = r.array("tokens")?;
    if count > most as u64 {
        return Err(r.malformed("fewer tokens from here"));
    }
    let mut tokens: Vec<Token> = Vec::new();
    for _ in 0..count {
        let token = r.bytes("a token")?;
        if token.len() > longest {
            return Err(r.malformed("a shorter token before this"));
        }
        tokens.push(token.into());
    }
    Ok(tokens)
}

fn time(r: &mut Reader<'_>) -> Result<Timestamp, Malformed> {
    let bytes = r.bytes("a time")?.try_into().map_err(|_| r.malformed("8 bytes before this"))?;
    Ok(Timestamp::from_nanoseconds(i64::from_be_bytes(bytes)))
}

fn journey(r: &mut Reader<'_>) -> Result<Option<BTreeSet<FeatureName>>, Malformed> {
    let count = r.array("a journey, or none")?;
    if count == 0 {
        return Ok(None);
    }
    if count > MAX_FEATURES as u64 + 1 || !r.text("a journey")?.is_empty() {
        return Err(r.malformed("a journey before this"));
    }
    let mut journey = BTreeSet::new();
    for _ in 1..count {
        let name = r.text("a feature")?.parse().map_err(|_| r.malformed("a feature before this"))?;
        if journey.last().is_some_and(|last| *last >= name) {
            return Err(r.malformed("features in ascending order before this"));
        }
        journey.insert(name);
    }
    Ok(Some(journey))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_saved()(
            keys in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
            grants in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5),
            lists in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5),
            owner: u32, region in prop::option::of("[A-Z]{2}"),
            (floor, seen, trust, disputed, lost) in (any::<i64>(), any::<i64>(), 0u8..4, any::<Option<i64>>(), any::<u64>()),
            journey in prop::option::of(prop::collection::btree_set("[a-z]{1,9}", 0..5)),
        ) -> Saved {
            let at = Timestamp::from_nanoseconds;
            let trust = [Trust::Unknown, Trust::Rtc, Trust::Network, Trust::Secure][usize::from(trust)];
            Saved {
                keys: keys.map(Into::into),
                grants: grants.into_iter().map(Into::into).collect(),
                lists: lists.into_iter().map(Into::into).collect(),
                owner,
                region: region.map(|region| region.parse().unwrap()),
                time: SavedTime {
                    floor: at(floor), seen: at(seen), seen_trust: trust, disputed: disputed.map(at),
                    lost: Duration::from_secs(lost),
                },
                journey: journey.map(|journey| journey.iter().map(|name| name.parse().unwrap()).collect()),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_saved_comes_back(saved in any_saved()) {
            let bytes = encode(&saved);
            let back = decode(&bytes).unwrap();
            prop_assert_eq!(encode(&back), bytes.clone());
            prop_assert_eq!((back.time, back.journey, back.owner), (saved.time, saved.journey, saved.owner));
            prop_assert!((0..bytes.len()).all(|end| decode(&bytes[..end]).is_err()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn too_many_are_refused_before_they_are_read() {
        // An array that claims 2^64 - 1 tokens.
        assert!(decode(b"\x87\x80\x9b\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
    }
}
