//! A database becomes findings: what a reader, a sender or a tool would trip over, each with a stable code.
//!
//! *Invariant:* findings come in the order of the database and are at most a fixed number per message, signal and node; a rule that is
//! allowed is not reported; nothing is changed.
//! *Next:* `lint/rule.rs` (the rules), `lint/message.rs` and `lint/signal.rs` (what they look at), `diff.rs` (two databases instead of one).

mod finding;
mod message;
mod names;
mod rule;
mod signal;
#[cfg(test)]
mod tests;
pub(crate) mod units;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub use self::finding::Finding;
pub use self::rule::{Level, Rule, Rules, UnknownRule};
pub(crate) use self::signal::limits;
pub use self::units::symbol as unit_symbol;
use crate::load::Loaded;
use crate::{CanId, Code, Database, Diagnostic, Severity, Signal};

impl Database {
    /// Looks for what is wrong, odd or missing.
    ///
    /// ```
    /// use coachwork_dbc::lint::{Level, Rule, Rules};
    /// use coachwork_dbc::{CanId, Database, Message, Signal};
    ///
    /// let narrow = Signal::new("Speed", 0, 8).with_range(0.0, 300.0).with_unit("kph");
    /// let message = Message::builder("Wheels", CanId::standard(0x100).unwrap(), 1).signal(narrow).build()?;
    /// let database = Database::builder().message(message).build();
    ///
    /// let findings = database.lint(&Rules::none().set(Rule::RangeTooWide, Level::Deny).set(Rule::UnitSpelling, Level::Note));
    /// assert_eq!(findings[0].rule(), Rule::RangeTooWide);
    /// assert_eq!(findings[0].signal(), Some("Speed"));
    /// assert_eq!(findings[1].to_string(), r#"note: Wheels.Speed: the unit "kph" is usually spelled "km/h" [unit-spelling]"#);
    /// # Ok::<(), coachwork_dbc::BuildError>(())
    /// ```
    pub fn lint(&self, rules: &Rules) -> Vec<Finding> {
        let mut report = Report::new(rules);
        names::check_database(self, &mut report);
        message::check_database(self, &mut report);
        for message in self.messages() {
            report.enter(message.name(), message.id());
            message::check(self, message, &mut report);
            let shared = signal::Shared::of(message);
            for (index, signal) in message.indexed_signals() {
                signal::check(self, message, index, signal, &shared, &mut report);
            }
            report.leave();
        }
        report.findings
    }
}

impl Loaded {
    /// Looks for what is wrong, odd or missing in the database and in the file it came from: as [`Database::lint`], with the file's
    /// own breakage first, and with lines where the loader knows them.
    pub fn lint(&self, rules: &Rules) -> Vec<Finding> {
        let mut report = Report::new(rules);
        // What the loader noticed and a rule finds too is reported once, by the rule, at the loader's line.
        let mut places: BTreeMap<Rule, Places<'_>> = BTreeMap::new();
        let names = self.names();
        for diagnostic in &self.diagnostics {
            match twin(diagnostic.code()).filter(|_| names.contains(diagnostic.text())) {
                Some(rule) => places
                    .entry(rule)
                    .or_default()
                    .entry(diagnostic.text())
                    .or_default()
                    .push_back((diagnostic.line(), diagnostic.column())),
                None => report.file(diagnostic),
            }
        }
        let mut findings = report.findings;
        findings.extend(self.database.lint(rules).into_iter().map(|mut finding| {
            let name = finding.signal().or(finding.message()).unwrap_or_default();
            let known = places.get_mut(&finding.rule()).and_then(|places| places.get_mut(name));
            finding.place = known.and_then(VecDeque::pop_front);
            finding
        }));
        findings
    }

    /// The names of messages and signals: what findings are about.
    fn names(&self) -> BTreeSet<&str> {
        let messages = self.database.messages().iter();
        messages
            .flat_map(|message| message.signals().iter().map(Signal::name).chain([message.name()]))
            .collect()
    }
}

/// Lines and columns of what is named, in the order of the file.
type Places<'a> = BTreeMap<&'a str, VecDeque<(u32, u32)>>;

/// The rule that finds what the loader noticed.
fn twin(code: Code) -> Option<Rule> {
    match code {
        Code::DuplicateId => Some(Rule::DuplicateId),
        Code::DuplicateMessage => Some(Rule::DuplicateMessage),
        Code::DuplicateSignal => Some(Rule::DuplicateSignal),
        Code::OutsideMessage => Some(Rule::OutsideMessage),
        Code::Overlap => Some(Rule::Overlap),
        Code::OddName => Some(Rule::OddName),
        _ => None,
    }
}

/// What is collected, and about what.
struct Report<'a> {
    rules: &'a Rules,
    message: Option<(&'a str, CanId)>,
    findings: Vec<Finding>,
}

impl<'a> Report<'a> {
    fn new(rules: &'a Rules) -> Self {
        Self { rules, message: None, findings: Vec::new() }
    }

    fn enter(&mut self, message: &'a str, id: CanId) {
        self.message = Some((message, id));
    }

    fn leave(&mut self) {
        self.message = None;
    }

    /// Whether a rule is worth looking at.
    fn wants(&self, rule: Rule) -> bool {
        self.rules.level(rule) > Level::Allow
    }

    /// Reports something about the database, or about the message that was entered.
    fn say(&mut self, rule: Rule, text: impl FnOnce() -> String) {
        self.add(rule, None, text);
    }

    /// Reports something about a signal of the message that was entered.
    fn say_of(&mut self, rule: Rule, signal: &Signal, text: impl FnOnce() -> String) {
        self.add(rule, Some(signal.name().to_string()), text);
    }

    fn add(&mut self, rule: Rule, signal: Option<String>, text: impl FnOnce() -> String) {
        let level = self.rules.level(rule);
        if level > Level::Allow {
            self.findings.push(Finding {
                rule,
                level,
                message: self.message.map(|(name, id)| (name.to_string(), id)),
                signal,
                text: text(),
                place: None,
            });
        }
    }

    fn file(&mut self, diagnostic: &Diagnostic) {
        let rule = match diagnostic.severity() {
            Severity::Notice => Rule::FileOddity,
            Severity::Repaired => Rule::FileRepaired,
            Severity::Skipped => Rule::FileSkipped,
        };
        let before = self.findings.len();
        self.say(rule, || {
            let mut text = diagnostic.code().to_string();
            for part in [diagnostic.action(), diagnostic.text()] {
                if !part.is_empty() {
                    text.push_str(": ");
                    text.push_str(part);
                }
            }
            text
        });
        if let Some(finding) = self.findings.get_mut(before) {
            finding.place = Some((diagnostic.line(), diagnostic.column()));
        }
    }
}
