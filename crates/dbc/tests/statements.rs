//! Every file of the corpus against its own text, statement for statement: what a line says is in the database, or a diagnostic names the line.
//!
//! *Invariant:* the reading here is a few splits of single lines, and shares nothing with the loader.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::float_cmp,
    clippy::cast_precision_loss
)]

mod corpus;

use std::collections::{BTreeMap, BTreeSet};

use coachwork_dbc::{AttributeValue, ByteOrder, CanId, Database, Message, Options, Signal, ValueType};

/// The number of an id in the file, as the loader must take it.
fn id(text: &str) -> Option<CanId> {
    let number: u32 = text.parse().ok()?;
    CanId::from_dbc(number).or_else(|| CanId::extended(number & 0x1FFF_FFFF))
}

/// Words and quoted texts of a line that holds a whole statement.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let parts: Vec<&str> = line.split('"').collect();
    if parts.len().is_multiple_of(2) || line.contains('\\') {
        return None;
    }
    for (at, part) in parts.iter().enumerate() {
        if at % 2 == 1 {
            words.push(format!("\"{part}"));
        } else {
            words.extend(
                part.split([' ', '\t', ',', ':', ';', '(', ')', '[', ']', '|', '@'])
                    .filter(|word| !word.is_empty())
                    .map(ToOwned::to_owned),
            );
        }
    }
    Some(words)
}

/// Whether an attribute's value is what the file says.
fn equal(value: &AttributeValue, said: &str) -> bool {
    match (value, said.strip_prefix('"')) {
        (AttributeValue::Text(text), Some(said)) => text == said,
        // An enumeration by its index.
        (AttributeValue::Text(_), None) => said.parse::<u32>().is_ok(),
        (value, None) => value.number() == said.parse().ok(),
        (_, Some(_)) => false,
    }
}

/// Short names of signals and the long ones that attributes give, by message.
type LongNames = BTreeMap<(CanId, String), String>;

/// The signal that statements call by this name.
fn called<'a>(message: &'a Message, name: &str, long: &LongNames) -> Option<&'a Signal> {
    let long = long.get(&(message.id(), name.to_owned()));
    long.and_then(|long| message.signal_named(long)).or_else(|| message.signal_named(name))
}

struct Check<'a> {
    database: &'a Database,
    excused: BTreeSet<usize>,
    long: LongNames,
    messages: BTreeMap<CanId, &'a Message>,
    current: Option<&'a Message>,
    checked: usize,
    wrong: Vec<String>,
}

impl Check<'_> {
    /// Whether the database holds what a statement says; `None` where this reading does not know.
    #[allow(clippy::too_many_lines)]
    fn statement(&mut self, words: &[String]) -> Option<bool> {
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        let signal_of = |check: &Self, at: usize| -> Option<Signal> {
            called(check.messages.get(&id(word(at))?)?, word(at + 1), &check.long).cloned()
        };
        match word(0) {
            "BO_" => {
                if word(1) == "3221225472" {
                    self.current = None;
                    return None;
                }
                let found = id(word(1)).and_then(|id| self.messages.get(&id)).copied();
                self.current = found;
                Some(found.is_some_and(|message| message.length().to_string() == word(3)))
            }
            "SG_" => {
                let mark = usize::from(!word(2).starts_with(|c: char| c.is_ascii_digit()));
                let message = self.current?;
                let number = |at: usize| word(at).parse::<f64>().unwrap_or(f64::NAN);
                let found = message.signals().iter().find(|signal| {
                    signal.start().to_string() == word(2 + mark)
                        && signal.length().to_string() == word(3 + mark)
                        && (signal.name() == word(1)
                            || called(message, word(1), &self.long)
                                .is_some_and(|called| called.name() == signal.name()))
                });
                Some(found.is_some_and(|signal| {
                    let order = if signal.byte_order() == ByteOrder::LittleEndian { "1" } else { "0" };
                    let sign = if signal.value_type() == ValueType::Unsigned { "+" } else { "-" };
                    let kind = signal.value_type().is_float() && word(4 + mark).starts_with(order)
                        || word(4 + mark) == format!("{order}{sign}");
                    let range = signal.range().unwrap_or((0.0, 0.0));
                    let numbers = [signal.factor(), signal.offset(), range.0, range.1]
                        == [number(5 + mark), number(6 + mark), number(7 + mark), number(8 + mark)];
                    kind && numbers
                        && word(9 + mark)[1..] == *signal.unit()
                        && signal.is_multiplexer() == (mark == 1 && word(2).ends_with('M'))
                }))
            }
            "VAL_" => {
                let Some(signal) = signal_of(self, 1) else {
                    return Some(
                        self.database
                            .environment_variables()
                            .iter()
                            .any(|variable| variable.name() == word(1)),
                    );
                };
                let said: Vec<(i128, String)> = words[3..]
                    .chunks_exact(2)
                    .map(|pair| (pair[0].parse().unwrap_or(i128::MAX), pair[1][1..].to_owned()))
                    .collect();
                let have: Vec<(i128, String)> =
                    signal.choices().iter().map(|(value, label)| (value, label.to_owned())).collect();
                Some(said == have)
            }
            "CM_" => match word(1) {
                "SG_" => Some(signal_of(self, 2)?.comment() == Some(&word(4)[1..])),
                "BO_" => Some(self.messages.get(&id(word(2))?)?.comment() == Some(&word(3)[1..])),
                "BU_" => Some(
                    self.database.node(word(2)).is_some_and(|node| node.comment() == Some(&word(3)[1..])),
                ),
                text if text.starts_with('"') => Some(
                    self.database
                        .comment()
                        .is_some_and(|comment| comment.lines().any(|line| line == &text[1..])),
                ),
                _ => None,
            },
            "BA_" => {
                let name = &word(1)[1..];
                let value = match word(2) {
                    "SG_" => {
                        return Some(
                            signal_of(self, 3)
                                .and_then(|signal| {
                                    signal.attributes().value(name).map(|value| equal(value, word(5)))
                                })
                                .unwrap_or(false),
                        );
                    }
                    "BO_" => {
                        return Some(
                            id(word(3))
                                .and_then(|id| self.messages.get(&id))
                                .and_then(|message| message.attributes().value(name))
                                .is_some_and(|value| equal(value, word(4))),
                        );
                    }
                    "BU_" => {
                        return Some(
                            self.database
                                .node(word(3))
                                .and_then(|node| node.attributes().value(name))
                                .is_some_and(|value| equal(value, word(4))),
                        );
                    }
                    "EV_" => return None,
                    value => value,
                };
                Some(self.database.attributes().value(name).is_some_and(|have| equal(have, value)))
            }
            "BA_DEF_" => {
                let name = if word(1).starts_with('"') { word(1) } else { word(2) };
                Some(
                    self.database
                        .attribute_definitions()
                        .iter()
                        .any(|definition| definition.name() == &name[1..]),
                )
            }
            "BA_DEF_DEF_" => Some(self.database.attribute_definitions().iter().any(|definition| {
                definition.name() == &word(1)[1..]
                    && definition.default().is_some_and(|value| equal(value, word(2)))
            })),
            "SIG_GROUP_" => Some(
                self.messages
                    .get(&id(word(1))?)?
                    .groups()
                    .iter()
                    .any(|group| group.name() == word(2) && group.signals().len() == words.len() - 4),
            ),
            "SIG_VALTYPE_" => Some(
                signal_of(self, 1).is_some_and(|signal| word(3) == "0" || signal.value_type().is_float()),
            ),
            "SG_MUL_VAL_" => {
                let ranges: Vec<(u64, u64)> = words[4..]
                    .iter()
                    .filter_map(|range| range.split_once('-'))
                    .map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()))
                    .collect();
                Some(signal_of(self, 1).is_some_and(|signal| {
                    signal.multiplexed().is_some_and(|multiplexed| multiplexed.values() == ranges)
                }))
            }
            "BO_TX_BU_" => Some(
                self.messages
                    .get(&id(word(1))?)
                    .is_some_and(|message| words[2..].iter().all(|node| message.senders().contains(node))),
            ),
            "VAL_TABLE_" => Some(
                self.database
                    .value_tables()
                    .iter()
                    .any(|table| table.name() == word(1) && table.choices().len() == (words.len() - 2) / 2),
            ),
            "EV_" => {
                Some(self.database.environment_variables().iter().any(|variable| variable.name() == word(1)))
            }
            "ENVVAR_DATA_" => Some(self.database.environment_variables().iter().any(|variable| {
                variable.name() == word(1)
                    && variable.data_length().map(|length| length.to_string()).as_deref() == Some(word(2))
            })),
            "BU_" => Some(words[1..].iter().all(|name| self.database.node(name).is_some())),
            "VERSION" => Some(self.database.version() == &word(1)[1..]),
            "SGTYPE_" | "BA_SGTYPE_" | "CAT_" | "CAT_DEF_" | "FILTER" => Some(
                self.database
                    .other_statements()
                    .iter()
                    .any(|text| text.starts_with(word(0)) && text.contains(word(1))),
            ),
            _ => None,
        }
    }
}

#[test]
fn what_a_file_says_is_in_the_database() {
    let Some(root) = corpus::root() else { return };
    let (mut checked, mut excused, mut wrong) = (0, 0, Vec::new());
    for path in corpus::files(&root.join("dbc"), ".dbc") {
        let bytes = std::fs::read(&path).unwrap();
        let text = std::str::from_utf8(&bytes).map_or_else(|_| corpus::cp1252(&bytes), ToOwned::to_owned);
        let loaded = Options::new().load(&bytes).unwrap();
        let messages =
            loaded.database.messages().iter().rev().map(|message| (message.id(), message)).collect();
        let lines = loaded.diagnostics.iter().map(|diagnostic| diagnostic.line() as usize).collect();
        let long = text
            .lines()
            .filter(|line| line.starts_with("BA_ \"SystemSignalLongSymbol\" SG_ "))
            .filter_map(words);
        let long = long
            .filter_map(|words| Some(((id(&words[3])?, words[4].clone()), words[5][1..].to_owned())))
            .collect();
        let mut check = Check {
            database: &loaded.database,
            excused: lines,
            long,
            messages,
            current: None,
            checked: 0,
            wrong: Vec::new(),
        };
        let (mut inside, mut header) = (false, false);
        for (at, line) in text.trim_start_matches('\u{FEFF}').lines().enumerate() {
            let open = inside;
            inside ^= line.replace("\\\"", "").matches('"').count() % 2 == 1;
            header = line.starts_with("NS_")
                || header && !line.starts_with("BS_") && !line.starts_with("BU_") && !line.starts_with("BO_");
            let Some(words) =
                words(line.trim()).filter(|words| !open && !inside && !header && !words.is_empty())
            else {
                continue;
            };
            let verdict = check.statement(&words);
            if verdict == Some(false) && check.excused.contains(&(at + 1)) {
                excused += 1;
            } else if verdict == Some(false) {
                check.wrong.push(format!("{}:{}: {line}", path.display(), at + 1));
            } else if verdict.is_some() {
                check.checked += 1;
            }
        }
        checked += check.checked;
        wrong.append(&mut check.wrong);
    }
    println!(
        "{checked} statements found in the databases, {excused} of which diagnostics speak, {} missing",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{} missing:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(checked > 30_000);
}
