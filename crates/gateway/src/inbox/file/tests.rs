use super::*;

use futures::executor::block_on;

fn directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("coachwork-inbox-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    directory
}

fn lane(number: u8) -> Lane {
    Lane { origin: Origin::from_bytes([number; 16]), number }
}

fn notes(numbers: &[u64]) -> Vec<Note> {
    let note = |&number: &u64| Note {
        number,
        written: Timestamp::from_seconds(1),
        name: "usage".into(),
        payload: number.to_string().into_bytes().into(),
    };
    numbers.iter().map(note).collect()
}

#[test]
fn notes_and_numbers_survive_and_notes_are_forgotten_alone() {
    let directory = directory("whole");
    let inbox = FileInbox::open(&directory, 10_000).unwrap();
    assert_eq!(FileInbox::open(&directory, 10_000).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    block_on(inbox.store(lane(1), notes(&[1, 2]))).unwrap();
    block_on(inbox.store(lane(2), notes(&[7]))).unwrap();
    let (read, position) = inbox.read().unwrap();
    assert_eq!(
        read.iter().map(|(lane, note)| (lane.number, note.number)).collect::<Vec<_>>(),
        [(1, 1), (1, 2), (2, 7)]
    );
    block_on(inbox.store(lane(1), notes(&[9]))).unwrap();
    inbox.forget(position).unwrap();
    assert_eq!(inbox.forget(position).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    drop(inbox);
    let inbox = FileInbox::open(&directory, 10_000).unwrap();
    assert_eq!(inbox.read().unwrap().0, vec![(lane(1), notes(&[9]).remove(0))]);
    let stored = |number| block_on(inbox.stored(lane(number))).unwrap();
    assert_eq!((stored(1), stored(2), stored(3)), (9, 7, 0));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn it_is_bounded() {
    let directory = directory("bounded");
    let inbox = FileInbox::open(&directory, 400).unwrap();
    let full = (1..100).find(|&number| block_on(inbox.store(lane(1), notes(&[number]))).is_err()).unwrap();
    assert!(full > 3, "{full}");
    assert_eq!(block_on(inbox.stored(lane(1))).unwrap(), full - 1);
    assert!(std::fs::metadata(directory.join("notes")).unwrap().len() <= 400);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_file_cut_at_any_byte_holds_whole_deliveries_and_damage_is_not_passed_over() {
    let directory = directory("cut");
    let inbox = FileInbox::open(&directory, 10_000).unwrap();
    let mut ends = vec![0];
    for first in [1, 3, 5] {
        block_on(inbox.store(lane(1), notes(&[first, first + 1]))).unwrap();
        ends.push(usize::try_from(inbox.lock().end).unwrap());
    }
    drop(inbox);
    let path = directory.join("notes");
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let inbox = FileInbox::open(&directory, 10_000).unwrap();
        let deliveries = ends.iter().filter(|end| **end <= cut).count() - 1;
        let stored = block_on(inbox.stored(lane(1))).unwrap();
        assert_eq!((inbox.read().unwrap().0.len(), stored), (2 * deliveries, 2 * deliveries as u64), "{cut}");
        block_on(inbox.store(lane(1), notes(&[stored + 1]))).unwrap();
    }
    for byte in 0..ends[2] {
        let mut damaged = whole.clone();
        damaged[byte] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert_eq!(FileInbox::open(&directory, 10_000).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(std::fs::read(&path).unwrap(), damaged, "nothing is touched");
    }
    std::fs::remove_dir_all(directory).unwrap();
}
