//! Every database of the corpus against what an independent tool makes of it: tables, decoded payloads, encoded payloads.
//!
//! *Invariant:* where ours differs on purpose, the case is named here; everything else is equal, raw values exactly and physical values to the last bit.
//! *Next:* `corpus/mod.rs` (where the files are).
#![allow(
    clippy::cast_precision_loss,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::print_stdout
)]

mod corpus;

use coachwork_dbc::{
    ByteOrder, CanId, DecodeError, EncodeError, Loaded, Message, Number, Options, Raw, Signal, Value,
    ValueType,
};
use corpus::Json;

/// What was compared.
#[derive(Default)]
struct Tally {
    equal: usize,
    different: Vec<String>,
}

impl Tally {
    fn check(&mut self, equal: bool, what: impl FnOnce() -> String) {
        if equal {
            self.equal += 1;
        } else {
            self.different.push(what());
        }
    }

    fn report(self, name: &str, least: usize) {
        println!("{name}: {} comparisons equal, {} different", self.equal, self.different.len());
        assert!(
            self.different.is_empty(),
            "{} differences, first:\n{}",
            self.different.len(),
            self.different[..self.different.len().min(40)].join("\n")
        );
        assert!(self.equal >= least, "only {} comparisons", self.equal);
    }
}

struct File {
    name: String,
    loaded: Loaded,
    table: Vec<Json>,
    /// The oracle read UTF-8 as CP1252.
    mistaken: bool,
}

impl File {
    fn message(&self, row: &Json) -> &Message {
        let id = id_of(
            row["id"].as_u64().or_else(|| row["i"].as_u64()),
            row["ext"].as_u64().or_else(|| row["x"].as_u64()),
        );
        match row["name"].as_str() {
            Some(name) => self
                .loaded
                .database
                .messages()
                .iter()
                .find(|message| message.id() == id && self.text(message.name()) == name),
            None => self.loaded.database.message(id),
        }
        .unwrap_or_else(|| panic!("{}: no message {id} {}", self.name, row["name"]))
    }
}

fn id_of(id: Option<u64>, extended: Option<u64>) -> CanId {
    let id = u32::try_from(id.unwrap()).unwrap();
    if extended == Some(1) { CanId::extended(id) } else { CanId::standard(id) }.unwrap()
}

impl File {
    /// A text of ours as the oracle has it.
    fn text(&self, ours: &str) -> String {
        if self.mistaken { corpus::cp1252(ours.as_bytes()) } else { ours.to_owned() }
    }
}

/// The characters that CP1252 does not have, as the oracle sometimes has them.
fn replaced(text: &str) -> String {
    text.replace(['\u{81}', '\u{8D}', '\u{8F}', '\u{90}', '\u{9D}'], "\u{FFFD}")
}

/// Runs `check` on every file that the oracle could load.
fn each(mut check: impl FnMut(&File)) -> bool {
    let Some(root) = corpus::root() else { return false };
    let mut count = 0;
    for path in corpus::files(&root.join("oracle/dbc"), ".table.jsonl.gz") {
        let name = path
            .strip_prefix(root.join("oracle"))
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches(".table.jsonl.gz")
            .to_owned();
        let mut table = corpus::rows(&path);
        let head = table.remove(0);
        if !head["loaded"].as_bool().unwrap() {
            continue;
        }
        let bytes = std::fs::read(root.join(&name)).unwrap();
        let loaded = Options::new().load(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mistaken = head["encoding"].as_str() == Some("cp1252")
            && !bytes.is_ascii()
            && std::str::from_utf8(&bytes).is_ok();
        check(&File { name, loaded, table, mistaken });
        count += 1;
    }
    assert!(count >= 60, "only {count} databases");
    true
}

fn rows(file: &File, kind: &str) -> Vec<Json> {
    corpus::rows(&corpus::root().unwrap().join(format!("oracle/{}.{kind}.jsonl.gz", file.name)))
}

/// Integers exactly, floats to the last bit.
fn same(json: &Json, ours: Number) -> bool {
    match (json.as_i128(), ours) {
        (Some(want), Number::Integer(have)) => want == have,
        // 5 and 5.0 are one number.
        (Some(want), Number::Float(have)) => want as f64 == have,
        (None, Number::Integer(have)) => json.as_f64() == Some(have as f64),
        (None, Number::Float(have)) => {
            json.as_f64().is_some_and(|want| want == have || want.is_nan() && have.is_nan())
        }
    }
}

fn raw_number(raw: Raw) -> Number {
    raw.integer().map_or_else(|| Number::Float(raw.to_f64()), Number::Integer)
}

#[test]
fn tables_are_equal() {
    let mut tally = Tally::default();
    let ran = each(|file| {
        let at = |what: &str| format!("{}: {what}", file.name);
        tally.check(file.loaded.database.messages().len() == file.table.len(), || {
            at(&format!("{} messages, want {}", file.loaded.database.messages().len(), file.table.len()))
        });
        for row in &file.table {
            let message = file.message(row);
            let at = |what: &str| format!("{}: {}: {what}", file.name, message.name());
            tally.check(message.length() as u64 == row["len"].as_u64().unwrap(), || at("length"));
            let senders: Vec<&str> =
                row["senders"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            tally.check(message.senders() == senders, || {
                at(&format!("senders {:?}, want {senders:?}", message.senders()))
            });
            let cycle = message.cycle_time().map(|time| time.as_secs_f64() * 1000.0);
            tally.check(cycle == row["cycle_ms"].as_f64().filter(|cycle| *cycle != 0.0), || {
                at(&format!("cycle {cycle:?}, want {}", row["cycle_ms"]))
            });
            tally.check(
                message.comment().is_some_and(|comment| !comment.is_empty())
                    == row["comment"].as_bool().unwrap(),
                || at("comment"),
            );
            let signals = row["signals"].as_array().unwrap();
            // The oracle keeps one of two signals with one name; ours keeps both.
            if row["dup_names"].as_u64() == Some(0) {
                tally.check(message.signals().len() == signals.len(), || {
                    at(&format!("{} signals, want {}", message.signals().len(), signals.len()))
                });
            }
            for want in signals {
                let name = want["n"].as_str().unwrap();
                let start = want["start"].as_u64().unwrap();
                match message
                    .signals()
                    .iter()
                    .find(|signal| file.text(signal.name()) == name && u64::from(signal.start()) == start)
                {
                    Some(signal) => check_signal(
                        file,
                        &mut tally,
                        &format!("{}: {}.{name}", file.name, message.name()),
                        signal,
                        want,
                    ),
                    // A long name of two signals with one short name goes to the first of them.
                    None => {
                        tally
                            .check(row["dup_names"].as_u64() == Some(1), || at(&format!("no signal {name}")));
                    }
                }
            }
        }
    });
    if ran {
        tally.report("tables", 300_000);
    }
}

fn check_signal(file: &File, tally: &mut Tally, at: &str, signal: &Signal, want: &Json) {
    tally.check(u64::from(signal.length()) == want["len"].as_u64().unwrap(), || format!("{at}: length"));
    tally.check((signal.byte_order() == ByteOrder::BigEndian) == (want["be"].as_u64() == Some(1)), || {
        format!("{at}: byte order")
    });
    let float = signal.value_type().is_float();
    tally.check(float == (want["float"].as_u64() == Some(1)), || format!("{at}: float"));
    tally.check(
        float || (signal.value_type() == ValueType::Signed) == (want["signed"].as_u64() == Some(1)),
        || format!("{at}: sign"),
    );
    tally.check(Some(signal.factor()) == want["factor"].as_f64(), || {
        format!("{at}: factor {}", signal.factor())
    });
    tally.check(Some(signal.offset()) == want["offset"].as_f64(), || {
        format!("{at}: offset {}", signal.offset())
    });
    // `[0.0|0.0]` is a range to the oracle; to us it is none, as `[0|0]` is to both.
    let bound = |key: &str| {
        want[key].as_f64().filter(|_| want["min"].as_f64() != Some(0.0) || want["max"].as_f64() != Some(0.0))
    };
    tally.check(signal.min() == bound("min") && signal.max() == bound("max"), || {
        format!("{at}: range {:?}, want {} {}", signal.range(), want["min"], want["max"])
    });
    tally.check(file.text(signal.unit()) == want["unit"].as_str().unwrap_or(""), || {
        format!("{at}: unit {}", signal.unit())
    });
    let choices = want["choices"].as_object().unwrap_or_default();
    // Of two labels for one value the oracle keeps the last in its table and ours keeps both.
    let ours: std::collections::BTreeMap<String, String> = signal
        .choices()
        .iter()
        .map(|(value, label)| (value.to_string(), replaced(&file.text(label))))
        .collect();
    let theirs: std::collections::BTreeMap<String, String> =
        choices.iter().map(|(value, label)| (value.clone(), replaced(label.as_str().unwrap()))).collect();
    tally.check(ours == theirs, || format!("{at}: choices {ours:?}, want {theirs:?}"));
    tally.check(signal.is_multiplexer() == (want["is_mux"].as_u64() == Some(1)), || {
        format!("{at}: multiplexer")
    });
    tally.check(
        signal.multiplexed().map(coachwork_dbc::Multiplexed::multiplexer) == want["mux_sig"].as_str(),
        || format!("{at}: multiplexer {:?}, want {:?}", signal.multiplexed(), want["mux_sig"]),
    );
    let ids: Vec<u64> = want["mux_ids"]
        .as_array()
        .map(|ids| ids.iter().map(|id| id.as_u64().unwrap()).collect())
        .unwrap_or_default();
    let ranges = signal.multiplexed().map(coachwork_dbc::Multiplexed::values).unwrap_or_default();
    let spread: std::collections::BTreeSet<u64> = ranges.iter().flat_map(|range| range.0..=range.1).collect();
    tally.check(spread == ids.iter().copied().collect(), || {
        format!("{at}: multiplexer values {ranges:?}, want {ids:?}")
    });
    let receivers: Vec<&str> =
        want["recv"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    tally.check(signal.receivers() == receivers, || {
        format!("{at}: receivers {:?}, want {receivers:?}", signal.receivers())
    });
    tally.check(signal.spn().map(u64::from) == want["spn"].as_u64().filter(|spn| *spn != 0), || {
        format!("{at}: spn {:?}, want {:?}", signal.spn(), want["spn"])
    });
    // Ours counts the attribute's default as a start value; the oracle does not.
    let start = signal.start_value().filter(|_| signal.attributes().value("GenSigStartValue").is_some());
    tally.check(start.map(Raw::to_f64) == want["initial"].as_f64(), || {
        format!("{at}: start value {:?}, want {:?}", start, want["initial"])
    });
}

#[test]
fn payloads_decode_alike() {
    let mut tally = Tally::default();
    let (mut undefined, mut outside, mut twice) = (0, 0, 0);
    let ran = each(|file| {
        for row in rows(file, "decode") {
            let message = file.message(&row);
            let table = file.table.iter().find(|m| m["id"] == row["i"] && m["ext"] == row["x"]).unwrap();
            let payload = corpus::bytes(row["d"].as_str().unwrap());
            let at = || format!("{}: {} {}", file.name, message.name(), row["d"].as_str().unwrap());
            if let Some(error) = row["e"].as_str() {
                // Its errors are ours where a multiplexer is undefined; a signal outside its message is an error there, and left out alone here; so is an overlap sometimes, which is nothing to us.
                let ours = message.decode(&payload).err();
                if error.starts_with("DecodeError: unpacking failed") {
                    outside += 1;
                    let overlap = table["overlap"].as_u64() == Some(1);
                    let left_out = message.decode_partial(&payload).count() < message.signals().len();
                    tally.check(ours.is_none() && (overlap || left_out), at);
                } else {
                    undefined += 1;
                    tally.check(matches!(ours, Some(DecodeError::UndefinedMultiplexer { .. })), || {
                        format!("{}: {ours:?}, want {error}", at())
                    });
                }
                continue;
            }
            if table["dup_names"].as_u64() == Some(1) {
                twice += 1;
                continue;
            }
            let decoded = match message.decode(&payload) {
                Ok(decoded) => decoded,
                Err(error) => {
                    tally.check(false, || format!("{}: {error}", at()));
                    continue;
                }
            };
            let mut seen = 0;
            for ((want, raw), physical) in table["signals"]
                .as_array()
                .unwrap()
                .iter()
                .zip(row["r"].as_array().unwrap())
                .zip(row["p"].as_array().unwrap())
            {
                let name = want["n"].as_str().unwrap();
                let value = decoded.value_named(name);
                match value {
                    None => tally.check(raw.is_null() && physical.is_null(), || {
                        format!("{}: {name} is missing", at())
                    }),
                    Some(value) => {
                        seen += 1;
                        tally.check(same(raw, raw_number(value.raw())), || {
                            format!("{}: {name} raw {} want {raw}", at(), value.raw())
                        });
                        tally.check(same(physical, value.physical()), || {
                            format!("{}: {name} = {} want {physical}", at(), value.physical())
                        });
                    }
                }
            }
            tally.check(message.decode(&payload).unwrap().count() == seen, || {
                format!("{}: the iterator disagrees", at())
            });
            // What is decoded encodes to the same bits.
            let values: Vec<_> = message
                .decode(&payload)
                .unwrap()
                .map(|value| (value.index(), Value::Raw(value.raw())))
                .collect();
            let mut onto = payload.clone();
            match message.encode_onto(&values, &mut onto) {
                Ok(()) => tally.check(onto == payload, || format!("{}: encodes to {onto:02x?}", at())),
                Err(error) => tally.check(false, || format!("{}: {error}", at())),
            }
        }
    });
    if ran {
        println!(
            "decode: {undefined} undefined multiplexers, {outside} payloads with a signal outside, {twice} payloads of messages with a name twice"
        );
        tally.report("decode", 600_000);
    }
}

#[test]
fn values_encode_alike() {
    let mut tally = Tally::default();
    // Of overlapping signals the later wins here and the bits are mixed there; a signal outside its message is refused here and cut there.
    let mut purpose = 0;
    let ran = each(|file| {
        for row in rows(file, "encode") {
            let message = file.message(&row);
            let table = file.table.iter().find(|m| m["id"] == row["i"] && m["ext"] == row["x"]).unwrap();
            if table["dup_names"].as_u64() == Some(1) {
                continue;
            }
            let names =
                table["signals"].as_array().unwrap().iter().map(|signal| signal["n"].as_str().unwrap());
            let values: Vec<(&str, Value<'_>)> = names
                .zip(row["v"].as_array().unwrap())
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| {
                    (name, value.as_i128().map_or_else(|| Value::from(value.as_f64().unwrap()), Value::from))
                })
                .collect();
            let ours = message.encode(&values);
            let at = || format!("{}: {} {values:?}", file.name, message.name());
            if values
                .iter()
                .any(|value| message.signal_named(value.0).is_some_and(|signal| signal.length() > 64))
            {
                tally.check(matches!(ours, Err(EncodeError::Outside { .. })), || {
                    format!("{}: {ours:02x?}", at())
                });
                continue;
            }
            match row["e"].as_str() {
                None => {
                    let want = corpus::bytes(row["d"].as_str().unwrap());
                    let overlap = table["overlap"].as_u64() == Some(1) && ours.is_ok();
                    let outside = table["outside"].as_u64() == Some(1)
                        && matches!(ours, Err(EncodeError::Outside { .. }));
                    purpose += usize::from((overlap || outside) && ours.as_ref() != Ok(&want));
                    tally.check(overlap || outside || ours.as_ref() == Ok(&want), || {
                        format!("{}: {ours:02x?}, want {want:02x?}", at())
                    });
                }
                // A signal outside its message, or an overlap, which is nothing to us.
                Some(error) if error.starts_with("OverflowError") => {
                    let overlap = table["overlap"].as_u64() == Some(1) && ours.is_ok();
                    tally.check(overlap || matches!(ours, Err(EncodeError::Outside { .. })), || {
                        format!("{}: {ours:02x?}, want {error}", at())
                    });
                }
                // `[0.0|0.0]` is a range to the oracle; to us it is none, as `[0|0]` is to both.
                Some(error) if error.contains(" equal to 0.0 in message") && ours.is_ok() => purpose += 1,
                Some(error) => tally.check(matches!(ours, Err(EncodeError::OutOfRange { .. })), || {
                    format!("{}: {ours:02x?}, want {error}", at())
                }),
            }
        }
    });
    if ran {
        println!("encode: {purpose} differences on purpose");
        tally.report("encode", 15_000);
    }
}
