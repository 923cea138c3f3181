//! A real database becomes one that every rival can read: the same bits and numbers, with plain names.
//!
//! *Invariant:* ours and the rivals get the same database, of which nothing is left out but what no rival reads: messages above 64 bytes,
//! second messages of one id, signals that leave their message or lie on an earlier one, and nested multiplexers.
//! *Next:* `traffic.rs` (frames for it), `rivals.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use coachwork_dbc::{ByteOrder, Database, Message, Multiplexed, Options, Signal, ValueType};

/// The databases that are measured, all published by opendbc: a short name, the file's, and whether its frames are CAN FD.
pub const FILES: [(&str, &str, bool); 6] = [
    ("toyota", "toyota_tnga_k_pt_generated", false),
    ("psa", "psa_aee2010_r3", false),
    ("honda", "honda_civic_touring_2016_can_generated", false),
    ("giorgio", "fca_giorgio", false),
    ("tesla", "tesla_can", false),
    ("hyundai", "hyundai_canfd_generated", true),
];

/// A database to measure.
#[derive(Debug)]
pub struct Case {
    /// Its short name.
    pub name: String,
    /// Whether its frames are longer than 8 bytes.
    pub fd: bool,
    /// The database.
    pub database: Database,
    /// The same as a DBC file.
    pub text: String,
}

/// The corpus of real files: `COACHWORK_CORPUS`, or beside the workspace.
pub fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let root = std::env::var_os("COACHWORK_CORPUS").map_or_else(beside, PathBuf::from);
    root.join("dbc/opendbc").is_dir().then_some(root)
}

/// The databases of [`FILES`]; none where there is no corpus.
pub fn cases() -> Vec<Case> {
    let Some(root) = corpus() else { return Vec::new() };
    let load = |(name, file, fd): &(&str, &str, bool)| {
        Case::load(name, &root.join(format!("dbc/opendbc/{file}.dbc")), *fd)
    };
    FILES.iter().map(load).collect()
}

impl Case {
    /// Loads a file. `fd` says how long its frames may be.
    pub fn load(name: &str, path: &Path, fd: bool) -> Self {
        let bytes = std::fs::read(path).expect("the file is there");
        let loaded = Options::new().load(&bytes).expect("the file loads");
        Self::new(name, fd, &loaded.database)
    }

    /// The parts of a database that every rival reads, with plain names.
    pub fn new(name: &str, fd: bool, database: &Database) -> Self {
        let text = plain(database, if fd { 64 } else { 8 });
        let database = Database::parse(&text).expect("what is written loads");
        Self { name: name.to_string(), fd, database, text }
    }

    /// The number of signals of all messages.
    pub fn signals(&self) -> usize {
        self.database.messages().iter().map(|message| message.signals().len()).sum()
    }
}

fn plain(database: &Database, longest: usize) -> String {
    let mut text = String::from("VERSION \"\"\n\nNS_ :\n\nBS_:\n\nBU_: n\n\n");
    let mut floats = String::new();
    let mut seen = BTreeSet::new();
    let messages = database.messages().iter().filter(|message| message.length() <= longest);
    for (number, message) in messages.filter(|message| seen.insert(message.id())).enumerate() {
        let id = message.id().to_dbc();
        let _ = writeln!(text, "BO_ {id} m{number}: {} n", message.length());
        let overlapping: BTreeSet<_> = message.overlaps().into_iter().map(|(_, later)| later).collect();
        let selector = message
            .signals()
            .iter()
            .position(|signal| signal.is_multiplexer() && signal.multiplexed().is_none());
        for (place, (index, signal)) in message.indexed_signals().enumerate() {
            if !message.holds(index) || overlapping.contains(&index) {
                continue;
            }
            let Some(mark) = mark(message, selector, signal, place) else { continue };
            let order = u8::from(signal.byte_order() == ByteOrder::LittleEndian);
            let sign = if signal.value_type() == ValueType::Signed { '-' } else { '+' };
            let (start, length, factor, offset) =
                (signal.start(), signal.length(), signal.factor(), signal.offset());
            let (min, max) = signal.range().unwrap_or((0.0, 0.0));
            let _ = writeln!(
                text,
                " SG_ s{place} {mark}: {start}|{length}@{order}{sign} ({factor},{offset}) [{min}|{max}] \"\" n"
            );
            let float = match signal.value_type() {
                ValueType::F32 => 1,
                ValueType::F64 => 2,
                ValueType::Unsigned | ValueType::Signed => continue,
            };
            let _ = writeln!(floats, "SIG_VALTYPE_ {id} s{place} : {float};");
        }
        text.push('\n');
    }
    text + &floats
}

/// The multiplexer's mark; `None` for a signal that is left out.
fn mark(message: &Message, selector: Option<usize>, signal: &Signal, place: usize) -> Option<String> {
    let Some(multiplexed) = signal.multiplexed() else {
        return Some(if Some(place) == selector { "M ".into() } else { String::new() });
    };
    let of = message.signals().get(selector?)?;
    let (from, to) = *multiplexed.values().first()?;
    let simple = multiplexed.multiplexer() == of.name() && from == to && multiplexed.values().len() == 1;
    (simple && !signal.is_multiplexer()).then(|| format!("m{from} "))
}

/// The values for which something is defined under the multiplexer of a message, with the multiplexer; `None` where it has none.
pub fn selector(message: &Message) -> Option<(&Signal, Vec<u64>)> {
    let selector = message.signals().iter().find(|signal| signal.is_multiplexer())?;
    let values: BTreeSet<u64> = message
        .signals()
        .iter()
        .filter_map(Signal::multiplexed)
        .flat_map(|multiplexed: &Multiplexed| multiplexed.values().iter().map(|range| range.0))
        .collect();
    Some((selector, values.into_iter().collect()))
}
