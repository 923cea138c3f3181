//! Statements about what the messages hold: comments, labels, value types, multiplexers, groups; and environment variables.
//!
//! *Invariant:* what a statement refers to is not looked up here.
//! *Next:* `words.rs` (the parts), `../apply.rs` (what is made of them).

use alloc::vec::Vec;

use super::{Parser, is_nobody};
use crate::load::diagnostic::{Code, Place, Severity};
use crate::load::scan::Fail;
use crate::load::statement::{
    CommentLine, EnvironmentDataLine, EnvironmentLine, FloatLine, GroupLine, LabelLine, MultiplexLine, Span,
    TableLine, Target,
};

impl Parser<'_, '_> {
    pub(super) fn comment(&mut self, place: Place) -> Result<(), Fail> {
        let target = if self.scan.next_is(b'"') {
            Target::Database
        } else {
            let (at, word) = self.scan.word("a comment is missing")?;
            match word {
                "BU_" => Target::Node(self.name("a node is missing")?),
                "BO_" => Target::Message(self.id()?),
                "EV_" => Target::EnvironmentVariable(self.name("an environment variable is missing")?),
                "SG_" => {
                    let id = self.id()?;
                    if self.scan.next_is(b'"') {
                        self.diagnostics.report(
                            Code::CommentWithoutSignal,
                            Severity::Repaired,
                            at,
                            self.scan.line(place),
                            "taken as the message's comment: it names no signal",
                        );
                        Target::Message(id)
                    } else {
                        Target::Signal(id, self.name("a signal is missing")?)
                    }
                }
                _ => match word.parse::<u32>() {
                    Ok(number) => {
                        self.diagnostics.report(
                            Code::CommentWithoutSignal,
                            Severity::Repaired,
                            at,
                            self.scan.line(place),
                            "taken as a message's comment: it has no `BO_`",
                        );
                        Target::Message(self.id_of(at, word, number))
                    }
                    Err(_) => {
                        return Err(Fail {
                            place: at,
                            what: "a comment is about `BU_`, `BO_`, `SG_` or `EV_`",
                            at_end: false,
                        });
                    }
                },
            }
        };
        let text = self.scan.quoted("a comment in quotes is missing")?;
        self.end(place)?;
        self.out.comments.push(CommentLine { place, target, text });
        Ok(())
    }

    /// Values and labels up to the semicolon.
    pub(super) fn labels(&mut self) -> Result<Span, Fail> {
        let from = self.out.entry_count();
        while !self.scan.next_is(b';') && !self.scan.at_end() && !self.scan.at_keyword_line() {
            let value = self.integer_number("a value is a whole number")?;
            let label = self.scan.quoted("a label in quotes is missing")?;
            self.out.add_entry(value, label);
        }
        Ok(self.out.entries_from(from))
    }

    pub(super) fn labels_of(&mut self, place: Place) -> Result<(), Fail> {
        let (at, word) = self.scan.word("a signal is missing")?;
        let target = match word.parse::<u32>() {
            Ok(number) => Target::Signal(self.id_of(at, word, number), self.name("a signal is missing")?),
            Err(_) => Target::EnvironmentVariable(word),
        };
        let labels = self.labels()?;
        self.end(place)?;
        self.out.labels.push(LabelLine { place, target, labels });
        Ok(())
    }

    pub(super) fn float(&mut self, place: Place) -> Result<(), Fail> {
        let id = self.id()?;
        let signal = self.name("a signal is missing")?;
        self.scan.eat(b':');
        let kind = self.unsigned("a value type is 0, 1 or 2")?;
        self.end(place)?;
        self.out.floats.push(FloatLine { place, id, signal, kind });
        Ok(())
    }

    pub(super) fn multiplexed(&mut self, place: Place) -> Result<(), Fail> {
        let id = self.id()?;
        let signal = self.name("a signal is missing")?;
        let multiplexer = self.name("a multiplexer is missing")?;
        let mut values = Vec::new();
        while !self.scan.next_is(b';') && !self.scan.at_keyword_line() {
            let at = self.scan.place();
            let fail =
                |_| Fail { place: at, what: "multiplexer values are ranges of numbers", at_end: false };
            let from = self.scan.digits("a multiplexer value is missing")?.parse::<u64>().map_err(fail)?;
            self.scan.expect(b'-', "`-` is missing in a range of multiplexer values")?;
            let to = self.scan.digits("a multiplexer value is missing")?.parse::<u64>().map_err(fail)?;
            values.push((from, to));
            self.scan.eat(b',');
        }
        self.end(place)?;
        self.out.multiplexed.push(MultiplexLine { place, id, signal, multiplexer, values });
        Ok(())
    }

    pub(super) fn table(&mut self, place: Place) -> Result<(), Fail> {
        let name = self.name("a table name is missing")?;
        let labels = self.labels()?;
        self.end(place)?;
        self.out.tables.push(TableLine { name, labels });
        Ok(())
    }

    pub(super) fn group(&mut self, place: Place) -> Result<(), Fail> {
        let id = self.id()?;
        let name = self.name("a group name is missing")?;
        let repetitions = self.unsigned("the group's repetitions are missing")?;
        self.scan.eat(b':');
        let mut signals = Vec::new();
        while !self.scan.next_is(b';') && !self.scan.at_keyword_line() {
            signals.push(self.name("a signal is missing")?);
            self.scan.eat(b',');
        }
        self.end(place)?;
        self.out.groups.push(GroupLine { place, id, name, repetitions, signals });
        Ok(())
    }

    pub(super) fn environment(&mut self, place: Place) -> Result<(), Fail> {
        let name = self.name("an environment variable is missing")?;
        self.scan.expect(b':', "`:` is missing after the environment variable")?;
        let kind = self.unsigned("the type of an environment variable is missing")?;
        let (min, max) = self.range()?;
        let unit = self.scan.quoted("a unit in quotes is missing")?;
        let initial = self.float_number("a first value is missing")?;
        let at = self.scan.place();
        let id = i64::try_from(self.integer_number("the id of an environment variable is missing")?);
        let id = id.map_err(|_| Fail {
            place: at,
            what: "the id of an environment variable has at most 64 bits",
            at_end: false,
        })?;
        let access = self.name("an access type is missing")?;
        let mut nodes = Vec::new();
        while !self.scan.next_is(b';') && !self.scan.at_keyword_line() {
            let node = self.name("a node is missing")?;
            if !is_nobody(node) {
                nodes.push(node);
            }
            self.scan.eat(b',');
        }
        self.end(place)?;
        self.out.environment.push(EnvironmentLine {
            place,
            name,
            kind,
            range: (min, max),
            unit,
            initial,
            id,
            access,
            nodes,
        });
        Ok(())
    }

    pub(super) fn environment_data(&mut self, place: Place) -> Result<(), Fail> {
        let name = self.name("an environment variable is missing")?;
        self.scan.expect(b':', "`:` is missing after the environment variable")?;
        let length = self.unsigned("a number of bytes is missing")?;
        self.end(place)?;
        self.out.environment_data.push(EnvironmentDataLine { place, name, length });
        Ok(())
    }
}
