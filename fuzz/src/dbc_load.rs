//! Bytes become a database, or an error with a place; whatever loads is written and loads again to the same.
//!
//! *Oracle:* strict mode refuses exactly what lenient mode reports; what is written loads to an equal database with nothing
//! repaired or left out, and is written again to the same text; every place is inside the text; memory is bounded by the length.
//! *Next:* `coachwork_dbc::Options`.

use coachwork_dbc::{Code, LoadErrorKind, MAX_DIAGNOSTICS, Options, Severity};

/// The most memory that loading may hold: so many bytes for a byte of the file, and a base. The densest input is a list of empty labels,
/// whose tree the second reader holds meanwhile; `hostile.rs` measures it.
const MOST: (u64, u64) = (500, 256 << 10);

/// Runs one input.
pub fn run(data: &[u8]) {
    let held = allocation_counter::measure(|| drop(Options::new().load(data))).bytes_max;
    assert!(held <= MOST.0 * data.len() as u64 + MOST.1, "{held} bytes are held for {}", data.len());
    load(data);
}

/// How many messages came out; `None` where nothing loads.
pub fn load(data: &[u8]) -> Option<usize> {
    let lenient = Options::new().load(data);
    let strict = Options::new().strict(true).load(data);
    let loaded = match (lenient, strict) {
        (Err(lenient), Err(strict)) => {
            assert_eq!(lenient, strict);
            assert!(lenient.kind() != LoadErrorKind::Refused);
            return None;
        }
        (Err(why), Ok(_)) => panic!("strict loads what lenient refuses: {why}"),
        (Ok(loaded), Ok(_)) => {
            assert!(loaded.diagnostics.is_empty());
            loaded
        }
        (Ok(loaded), Err(strict)) => {
            assert_eq!(strict.kind(), LoadErrorKind::Refused);
            assert_eq!(strict.diagnostics(), loaded.diagnostics);
            loaded
        }
    };
    assert!(loaded.diagnostics.len() <= MAX_DIAGNOSTICS + 1);
    // A line may end with a carriage return alone.
    let lines = data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    assert!(loaded.diagnostics.iter().all(|diagnostic| (1..=lines).contains(&(diagnostic.line() as usize)) && diagnostic.column() >= 1));
    let text = loaded.database.to_dbc();
    let again = Options::new()
        .load_text(&text)
        .unwrap_or_else(|why| panic!("what was written does not load: {why}\n{text}"));
    let twice = loaded.diagnostics.iter().any(|diagnostic| diagnostic.code() == Code::DuplicateSignal);
    for diagnostic in &again.diagnostics {
        let harmless = diagnostic.severity() == Severity::Notice || diagnostic.code() == Code::OddName;
        // Of two signals with one name, a statement finds the first, and the second may be the multiplexer.
        let ambiguous = twice && diagnostic.code() == Code::NoMultiplexer;
        assert!(harmless || ambiguous, "what was written is repaired: {diagnostic}\n{text}");
    }
    // Of two signals with one name, the second may need a longer name that is spelled otherwise.
    assert!(
        twice || loaded.database == again.database,
        "what was written loads to another database:\n{text}\n{}",
        again.database.to_dbc()
    );
    assert!(twice || text == again.database.to_dbc());
    for message in loaded.database.messages() {
        assert!(message.signals().iter().all(|signal| message.signal_named(signal.name()).is_some()));
        let payload = [0xA5; 64];
        assert!(message.decode_partial(&payload).count() <= message.signals().len());
    }
    Some(loaded.database.messages().len())
}

#[cfg(test)]
mod tests {
    use super::load;

    #[test]
    fn inputs_matter() {
        assert_eq!(load(b"hello"), None);
        assert_eq!(load(b"VERSION \"\""), Some(0));
        assert_eq!(load(b"BO_ 1 A: 8 X\n"), Some(1));
        assert_eq!(load(b"BO_ 1 A: 8 X\nBO_ 2 B: 8 X\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" X\n"), Some(2));
    }
}
