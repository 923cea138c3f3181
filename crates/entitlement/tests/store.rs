//! A store under power cuts: children that are killed in the middle of saving, and every byte of every file torn.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use coachwork_entitlement::{FileStore, MAX_STATE, MemoryStore, Recovery, Store, StoreError};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("coachwork-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The state with this number: long, and different everywhere from every other.
fn state(number: u32) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend((0..20_000u32).map(|at| (at.wrapping_mul(number.wrapping_add(7)) >> 3) as u8));
    bytes
}

/// The number of the state in a store, which must be whole.
fn number(store: &FileStore) -> (u32, Recovery) {
    let loaded = store.load().unwrap();
    let Some(bytes) = loaded.state else { return (0, loaded.recovery) };
    let number = u32::from_be_bytes(*bytes.first_chunk().unwrap());
    assert!(bytes == state(number), "a mixture");
    (number, loaded.recovery)
}

const CHILD: &str = "COACHWORK_STORE_CHILD";

/// Not a test of its own: what the child of the next one does, until it is killed.
#[test]
fn child_that_saves_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let store = FileStore::open(folder).unwrap();
    let mut next = number(&store).0;
    loop {
        next += 1;
        store.save(&state(next)).unwrap();
        println!("saved {next}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn a_kill_in_the_middle_of_saving_loses_nothing() {
    let folder = Folder::new("kill");
    let (mut kills, mut fallbacks, mut last) = (0, 0, 0);
    for delay in 0..40u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_saves_until_it_is_killed", "--nocapture"])
            .env(CHILD, &folder.0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = |line: &str| line.rsplit_once("saved ").and_then(|(_, number)| number.parse::<u32>().ok());
        let first = lines.by_ref().map_while(Result::ok).find_map(|line| said(&line)).unwrap();
        // Spread over the time that a save takes, and over several saves.
        std::thread::sleep(Duration::from_micros(delay * 397));
        child.kill().unwrap();
        child.wait().unwrap();
        let told = lines.map_while(Result::ok).filter_map(|line| said(&line)).last().unwrap_or(first);
        let (found, recovery) = number(&FileStore::open(&folder.0).unwrap());
        // All that was acknowledged is there, and at most the one save that was under way besides.
        assert!(found == told || found == told + 1, "told {told}, found {found}");
        assert!(found > last, "{found} after {last}");
        assert!(matches!(recovery, Recovery::Clean | Recovery::LastGood), "{recovery:?}");
        fallbacks += u32::from(recovery == Recovery::LastGood);
        last = found;
        kills += 1;
    }
    println!("{kills} kills, {last} saves, {fallbacks} of them found in the middle of a save");
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.clone(), fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn restore(folder: &Path, files: &[(PathBuf, Vec<u8>)]) {
    fs::remove_dir_all(folder).unwrap();
    fs::create_dir_all(folder).unwrap();
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
}

/// A short state, so that every byte can be visited.
fn short(number: u8) -> Vec<u8> {
    vec![number; 40]
}

#[test]
fn a_write_cut_at_any_byte_loses_nothing() {
    let folder = Folder::new("cut");
    let store = FileStore::open(&folder.0).unwrap();
    store.save(&short(1)).unwrap();
    store.save(&short(2)).unwrap();
    let before = files(&folder.0);
    store.save(&short(3)).unwrap();
    let after = files(&folder.0);
    let new = after.iter().find(|(path, _)| path.ends_with("state")).unwrap().1.clone();
    let at = |name: &str| folder.0.join(name);

    // Cut while the new file was written.
    for end in 0..=new.len() {
        restore(&folder.0, &before);
        fs::write(at("state.new"), &new[..end]).unwrap();
        let loaded = store.load().unwrap();
        assert_eq!(loaded.recovery, Recovery::LastGood);
        assert_eq!(loaded.state, Some(short(if end == new.len() { 3 } else { 2 })), "{end} bytes");
        // And the next save goes on from there.
        store.save(&short(4)).unwrap();
        assert_eq!(store.load().unwrap().state, Some(short(4)));
    }
    // Cut between the two renames.
    restore(&folder.0, &before);
    fs::rename(at("state"), at("state.old")).unwrap();
    fs::write(at("state.new"), &new).unwrap();
    assert_eq!(store.load().unwrap().state, Some(short(3)));
    // A save cut at once after that still has the third.
    fs::write(at("state.new"), &new).unwrap();
    store.save(&short(4)).unwrap();
    assert_eq!(store.load().unwrap().state, Some(short(4)));
    fs::write(at("state"), b"").unwrap();
    assert_eq!(store.load().unwrap().state, Some(short(3)));

    // Every bit of the newest copy spoiled: the last good one is found, and said to be that.
    for bit in 0..new.len() * 8 {
        restore(&folder.0, &after);
        let mut spoiled = new.clone();
        spoiled[bit / 8] ^= 1 << (bit % 8);
        fs::write(at("state"), spoiled).unwrap();
        let loaded = store.load().unwrap();
        assert_eq!((loaded.state, loaded.recovery), (Some(short(2)), Recovery::LastGood), "bit {bit}");
    }
    // All of them spoiled.
    for name in ["state", "state.old"] {
        fs::write(at(name), b"nothing").unwrap();
    }
    let loaded = store.load().unwrap();
    assert_eq!((loaded.state, loaded.recovery), (None, Recovery::Lost));
}

#[test]
fn a_store_is_bounded_and_begins_empty() {
    let folder = Folder::new("bounds");
    let store = FileStore::open(&folder.0).unwrap();
    assert_eq!(store.load().unwrap().recovery, Recovery::Fresh);
    assert!(matches!(store.save(&vec![0; MAX_STATE + 1]), Err(StoreError::TooLarge)));
    store.save(&vec![7; MAX_STATE]).unwrap();
    assert_eq!(store.load().unwrap().state.unwrap().len(), MAX_STATE);
    // A file that somebody made too large is not read to its end.
    fs::write(folder.0.join("state"), vec![0; 3 * MAX_STATE]).unwrap();
    assert_eq!(store.load().unwrap().recovery, Recovery::Lost);

    let memory = MemoryStore::default();
    assert_eq!(memory.load().unwrap().recovery, Recovery::Fresh);
    memory.save(b"state").unwrap();
    assert_eq!(memory.load().unwrap().state.as_deref(), Some(&b"state"[..]));
}
