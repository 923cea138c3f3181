//! Bytes become damage to a store's files, or the state in it; nothing is found that was not saved, and nothing works
//! that no grant opens.
//!
//! *Oracle:* a load gives one of the states that were saved or none; a wallet opened over any bytes allows only what a
//! grant that it holds names, and that it verified.
//! *Next:* `coachwork_entitlement::{FileStore, Wallet}`.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use coachwork_entitlement::{
    Anchor, Features, FileStore, Grant, GrantId, Issuer, KeyId, MemoryStore, PaidClass, PaidFeature,
    Recovery, Setup, Store, VehicleId, Verifier, Wallet,
};
use coachwork_vehicle::{ManualClock, Timestamp};

const NAMES: [&str; 3] = ["state", "state.new", "state.old"];
const NOW: i64 = 1_780_000_000;

struct Stand {
    folder: PathBuf,
    files: Vec<Vec<u8>>,
    store: FileStore,
}

static STAND: LazyLock<Mutex<Stand>> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("coachwork-fuzz-store-{}", std::process::id()));
    let store = FileStore::open(&folder).expect("a folder");
    for number in 1..=3 {
        store.save(&state(number)).expect("room");
    }
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
    let mut files = vec![read("state"), read("state"), read("state.old")];
    files[1].clear();
    Mutex::new(Stand { folder, files, store })
});

fn state(number: u8) -> Vec<u8> {
    vec![number; 24]
}

fn setup() -> Setup {
    let issuer = issuer();
    let features = ["a", "b"].map(|name| PaidFeature::new(name.parse().expect("a name"), PaidClass::Data));
    let keys = Anchor::Keys(Verifier::new([(issuer.key_id(), issuer.public_key())]).expect("a set"));
    let features = Arc::new(Features::new(features).expect("a table"));
    Setup::new(VehicleId::opaque([1; 16]), features, keys, Timestamp::from_seconds(NOW))
}

fn issuer() -> Issuer {
    Issuer::new(KeyId::new("fuzz").expect("an id"), &[7; 32]).expect("a key")
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_seconds(NOW)))
}

/// The state of a wallet that holds a grant for `a`.
pub fn wallet_state() -> Vec<u8> {
    let store = Arc::new(MemoryStore::default());
    let wallet = Wallet::open(setup(), store.clone(), clock()).expect("a wallet");
    let id = GrantId::new("g").expect("an id");
    let paid = PaidFeature::new("a".parse().expect("a name"), PaidClass::Data);
    let grant = Grant::draft(id, VehicleId::opaque([1; 16]), Timestamp::from_seconds(NOW)).opens(&paid);
    let token = issuer().issue(&grant.build().expect("a grant")).expect("a token");
    wallet.add_grant(&token).expect("it is ours");
    store.load().expect("memory").state.expect("it was saved")
}

/// The first byte says what the rest is: damage to files, a wallet's state, or changes to a sound one.
pub fn run(data: &[u8]) {
    judge(data);
}

/// As [`run`]: what was found, as a small number.
pub fn judge(data: &[u8]) -> u8 {
    let (mode, rest) = data.split_first().unwrap_or((&0, &[]));
    match mode % 3 {
        0 => damage(rest),
        1 => open(rest.to_vec()),
        _ => {
            static SOUND: LazyLock<Vec<u8>> = LazyLock::new(wallet_state);
            let mut state = SOUND.clone();
            for change in rest.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % state.len();
                state[at] ^= change[2];
            }
            open(state)
        }
    }
}

/// Each four bytes: which file, where, and what happens there.
fn damage(data: &[u8]) -> u8 {
    let stand = STAND.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut files = stand.files.clone();
    for change in data.chunks_exact(4) {
        let file = &mut files[usize::from(change[0]) % 3];
        let at = usize::from(change[1]);
        match change[2] % 4 {
            0 => file.truncate(at),
            1 => file.push(change[3]),
            2 => file.clear(),
            _ => {
                if let Some(byte) = file.get_mut(at) {
                    *byte ^= change[3];
                }
            }
        }
    }
    for (name, file) in NAMES.iter().zip(&files) {
        let path = stand.folder.join(name);
        if file.is_empty() {
            let _ = std::fs::remove_file(path);
        } else {
            std::fs::write(path, file).expect("room");
        }
    }
    let loaded = stand.store.load().expect("files");
    let sound = |number: usize| files.get(number) == stand.files.get(number) && !files[number].is_empty();
    match loaded.state {
        Some(found) => {
            assert!(found == state(3) || found == state(2), "{found:?}");
            // The newest that is whole.
            assert_eq!(found == state(3), files.contains(&stand.files[0]));
            found[0]
        }
        None => {
            assert!(!sound(0) && !sound(2));
            assert!(matches!(loaded.recovery, Recovery::Lost | Recovery::Fresh));
            0
        }
    }
}

fn open(state: Vec<u8>) -> u8 {
    let store = MemoryStore::default();
    store.save(&state).expect("memory");
    let wallet = Wallet::open(setup(), store, clock()).expect("a wallet");
    let grants = wallet.grants();
    let mut allowed = 0;
    for name in ["a", "b"] {
        if wallet.check(name).is_allowed() {
            let name = name.parse().expect("a name");
            assert!(grants.iter().any(|grant| grant.opens(&name)), "{name}");
            allowed += 1;
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_decides() {
        assert_eq!(judge(&[0]), 3);
        assert_eq!(judge(&[0, 0, 60, 3, 1]), 2);
        assert_eq!(judge(&[0, 0, 0, 2, 0, 2, 0, 2, 0]), 0);
        let mut whole = vec![1];
        whole.extend(wallet_state());
        assert_eq!(judge(&whole), 1);
        assert_eq!(judge(&[2]), 1);
        assert_eq!(judge(&[2, 0, 40, 1]), 0);
    }
}
