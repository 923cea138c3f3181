//! Tokens become statements. A statement that cannot be read is left out alone: reading goes on at the next line that begins with a keyword.
//!
//! *Invariant:* every statement of the text is either in the result or in a diagnostic; the loop moves forward at every turn.
//! *Next:* `statement.rs` (what comes out), `assemble.rs` (what is made of it).

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use super::diagnostic::{Code, Diagnostics, LoadError, LoadErrorKind, Place, Severity};
#[cfg(feature = "std")]
use super::second::SecondReader;
use super::number;
use super::scan::{Fail, Scan, is_keyword};
use super::statement::{
    At, AttributeLine, CommentLine, DefaultLine, DefinitionLine, EnvironmentDataLine, EnvironmentLine,
    FloatLine, GroupLine, LabelLine, Labels, MessageLine, MessageRef, MultiplexLine, SendersLine, SignalLine,
    Statements, TableLine, Target,
};
use crate::CanId;
use crate::model::attribute::{AttributeObject, AttributeType, AttributeValue};
use crate::model::signal::ByteOrder;

/// The id of the pseudo message that holds signals without a message.
const INDEPENDENT: u32 = 0xC000_0000;

/// Reads a whole file; says also how many statements a second reader has read alike.
pub(super) fn parse<'t>(
    text: &'t str,
    diagnostics: &mut Diagnostics,
) -> Result<(Statements<'t>, usize), LoadError> {
    diagnostics.begin(text);
    let mut parser = Parser {
        scan: Scan::new(text),
        diagnostics,
        out: Statements::default(),
        known: 0,
        open: false,
        #[cfg(feature = "std")]
        second: SecondReader::default(),
        #[cfg(feature = "std")]
        text,
    };
    let end = parser.file();
    #[cfg(feature = "std")]
    let read_twice = parser.second.agreed();
    #[cfg(not(feature = "std"))]
    let read_twice = 0;
    let Parser { out, known, .. } = parser;
    let (kind, place, what) = match end {
        Err(fail) => (LoadErrorKind::UnexpectedEnd, fail.place, fail.what),
        Ok(()) if known == 0 => (LoadErrorKind::NotADbc, Place(0), ""),
        Ok(()) => return Ok((out, read_twice)),
    };
    let (line, column) = diagnostics.position(text, place);
    Err(LoadError::new(kind, line, column, what))
}

struct Parser<'t, 'd> {
    scan: Scan<'t>,
    diagnostics: &'d mut Diagnostics,
    out: Statements<'t>,
    /// How many statements were recognised.
    known: usize,
    /// Whether the last message can take signals.
    open: bool,
    #[cfg(feature = "std")]
    second: SecondReader,
    #[cfg(feature = "std")]
    text: &'t str,
}

impl<'t> Parser<'t, '_> {
    fn file(&mut self) -> Result<(), Fail> {
        while !self.scan.at_end() {
            let place = self.scan.place();
            let Some((_, word)) = self.scan.word_or_none() else {
                // A lone semicolon is nobody's loss.
                if !self.scan.eat(b';') {
                    self.unknown(place);
                }
                continue;
            };
            if !is_keyword(word) {
                self.unknown(place);
                continue;
            }
            self.known += 1;
            self.before(word, place);
            let reported = self.diagnostics.count();
            match self.statement(word, place) {
                Ok(()) => self.read_again(word, place, self.diagnostics.count() == reported),
                Err(fail) => {
                    self.read_again(word, place, false);
                    self.recover(word, place, &fail)?;
                }
            }
        }
        self.before("", Place(usize::MAX));
        Ok(())
    }

    /// A message ends where the next statement begins that is no signal.
    #[cfg(feature = "std")]
    fn before(&mut self, word: &str, place: Place) {
        if word != "SG_" && self.second.in_message() {
            let end = Place(place.0.min(self.text.len()));
            self.second.message_ends(self.text, end, &self.out, self.diagnostics);
        }
    }

    #[cfg(not(feature = "std"))]
    fn before(&mut self, _word: &str, _place: Place) {}

    /// Gives a statement to the second reader; `sound` says that the first had nothing to report.
    #[cfg(feature = "std")]
    fn read_again(&mut self, word: &str, place: Place, sound: bool) {
        let text = self.scan.since(place);
        self.second.statement((word, place), sound, text, &self.out, self.diagnostics);
    }

    #[cfg(not(feature = "std"))]
    fn read_again(&mut self, _word: &str, _place: Place, _sound: bool) {}

    /// Leaves out lines up to the next that begins with a keyword.
    fn unknown(&mut self, place: Place) {
        self.diagnostics.report(
            Code::UnknownStatement,
            Severity::Skipped,
            place,
            self.scan.line(place),
            "left out: this is no statement",
        );
        let next = self.scan.next_keyword_line(place);
        self.jump(next);
    }

    /// Leaves out a statement that cannot be read.
    fn recover(&mut self, word: &str, place: Place, fail: &Fail) -> Result<(), Fail> {
        let next = self.scan.next_statement_on_line(place).or_else(|| self.scan.next_keyword_line(place));
        if fail.at_end && next.is_none() {
            return Err(Fail { place: fail.place, what: fail.what, at_end: true });
        }
        if word == "BO_" {
            self.open = false;
        }
        // A text that swallowed the next statements has lost its closing quote.
        let swallowed = fail.at_end || next.is_some_and(|next| next <= fail.place);
        let (code, at, what) = if swallowed {
            (Code::UnterminatedText, place, "a text in it has no closing quote")
        } else {
            (Code::Syntax, fail.place, fail.what)
        };
        let action = format!("left out: {what}");
        self.diagnostics.report(code, Severity::Skipped, at, self.scan.line(place), action);
        self.jump(next);
        Ok(())
    }

    fn jump(&mut self, next: Option<Place>) {
        self.scan.jump(next.unwrap_or(Place(usize::MAX)));
    }

    fn statement(&mut self, word: &'t str, place: Place) -> Result<(), Fail> {
        match word {
            "VERSION" => {
                let text = self.scan.quoted("a version is a text in quotes")?;
                self.out.version = Some(text);
                self.scan.eat(b';');
            }
            "NS_" => self.new_symbols()?,
            "BS_" => {
                self.scan.expect(b':', "`:` is missing")?;
                self.out.has_bit_timing = true;
                self.out.bit_timing =
                    self.scan.rest_of_line().trim_end_matches(|c: char| c == ';' || c.is_whitespace());
            }
            "BU_" => self.nodes()?,
            "BO_" => self.message(place)?,
            "SG_" => self.signal(place)?,
            "BO_TX_BU_" => self.senders(place)?,
            "CM_" => self.comment(place)?,
            "BA_DEF_" => self.definition(place, false)?,
            "BA_DEF_REL_" => self.definition(place, true)?,
            "BA_DEF_DEF_" => self.default(place, false)?,
            "BA_DEF_DEF_REL_" => self.default(place, true)?,
            "BA_" => self.attribute(place)?,
            "BA_REL_" => self.relation(place)?,
            "VAL_" => self.labels_of(place)?,
            "SIG_VALTYPE_" => self.float(place)?,
            "SG_MUL_VAL_" => self.multiplexed(place)?,
            "VAL_TABLE_" => self.table(place)?,
            "SIG_GROUP_" => self.group(place)?,
            "EV_" => self.environment(place)?,
            "ENVVAR_DATA_" => self.environment_data(place)?,
            // Obsolete: kept as they are.
            _ => {
                while !self.scan.eat(b';') {
                    if self.scan.next_is(b'"') {
                        self.scan.quoted("a text is missing")?;
                    } else if self.scan.at_keyword_line() || !self.scan.step() {
                        return Err(self.scan.fail("`;` is missing"));
                    }
                }
                self.out.others.push(self.scan.since(place));
            }
        }
        Ok(())
    }

    /// The semicolon; where it is missing, the next statement or the end of the file shows that.
    fn end(&mut self, place: Place) -> Result<(), Fail> {
        if self.scan.eat(b';') {
            return Ok(());
        }
        let behind = self.scan.behind();
        if self.scan.at_end() || self.scan.at_keyword_line() {
            self.diagnostics.report(
                Code::MissingSemicolon,
                Severity::Repaired,
                behind,
                self.scan.line(place),
                "added the missing semicolon",
            );
            return Ok(());
        }
        Err(self.scan.fail("`;` is missing"))
    }

    fn name(&mut self, what: &'static str) -> Result<&'t str, Fail> {
        let (place, name) = self.scan.word(what)?;
        self.check_name(place, name);
        Ok(name)
    }

    fn check_name(&mut self, place: Place, name: &str) {
        let sound = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if !sound {
            self.diagnostics.report(
                Code::OddName,
                Severity::Repaired,
                place,
                name,
                "kept a name that is not a C identifier",
            );
        }
    }

    fn id(&mut self) -> Result<MessageRef, Fail> {
        let (place, word) = self.scan.word("a message id is missing")?;
        let Ok(number) = word.parse::<u32>() else {
            return Err(Fail { place, what: "a message id is a number of 32 bits", at_end: false });
        };
        Ok(self.id_of(place, word, number))
    }

    /// The identifier that a number stands for; every number stands for one, and the same everywhere in the file.
    fn id_of(&mut self, place: Place, word: &str, number: u32) -> MessageRef {
        if number == INDEPENDENT {
            return None;
        }
        if let Some(id) = CanId::from_dbc(number) {
            return Some(id);
        }
        let masked = number & 0x1FFF_FFFF;
        let (code, action) = if number == masked {
            (Code::ExtendedWithoutBit31, "read as an extended id: it is above 11 bits without bit 31")
        } else {
            (Code::IdTooWide, "ignored the bits above the 29th")
        };
        self.diagnostics.report(code, Severity::Repaired, place, word, action);
        CanId::extended(masked)
    }

    fn float_number(&mut self, what: &'static str) -> Result<f64, Fail> {
        let (place, word) = self.scan.word(what)?;
        let (value, sound) = number::float(word).ok_or(Fail { place, what, at_end: false })?;
        self.check_number(place, word, sound);
        Ok(value)
    }

    /// `[min|max]`
    fn range(&mut self) -> Result<(f64, f64), Fail> {
        self.scan.expect(b'[', "`[` is missing before the smallest value")?;
        let min = self.range_bound("a smallest value is missing")?;
        self.scan.expect(b'|', "`|` is missing after the smallest value")?;
        let max = self.range_bound("a largest value is missing")?;
        self.scan.expect(b']', "`]` is missing after the largest value")?;
        Ok((min, max))
    }

    fn range_bound(&mut self, what: &'static str) -> Result<f64, Fail> {
        let (place, word) = self.scan.word(what)?;
        let (value, sound) = number::bound(word).ok_or(Fail { place, what, at_end: false })?;
        self.check_number(place, word, sound);
        Ok(value)
    }

    fn integer_number(&mut self, what: &'static str) -> Result<i128, Fail> {
        let (place, word) = self.scan.word(what)?;
        let (value, sound) = number::integer(word).ok_or(Fail { place, what, at_end: false })?;
        self.check_number(place, word, sound);
        Ok(value)
    }

    fn unsigned(&mut self, what: &'static str) -> Result<u32, Fail> {
        let place = self.scan.place();
        u32::try_from(self.integer_number(what)?).map_err(|_| Fail { place, what, at_end: false })
    }

    fn check_number(&mut self, place: Place, word: &str, sound: bool) {
        if !sound {
            self.diagnostics.report(
                Code::OddNumber,
                Severity::Repaired,
                place,
                word,
                "read a number in a form that the format does not have",
            );
        }
    }

    fn new_symbols(&mut self) -> Result<(), Fail> {
        self.scan.expect(b':', "`:` is missing")?;
        while let Some(line) = self.scan.symbol_line() {
            self.out.new_symbols.extend(line.split_ascii_whitespace());
        }
        Ok(())
    }

    fn nodes(&mut self) -> Result<(), Fail> {
        self.scan.expect(b':', "`:` is missing")?;
        self.out.has_nodes = true;
        while !self.scan.at_keyword_line() {
            self.scan.eat(b',');
            let Some((place, name)) = self.scan.word_or_none() else { break };
            self.check_name(place, name);
            self.out.nodes.push(At { place, value: name });
        }
        self.scan.eat(b';');
        Ok(())
    }

    fn message(&mut self, place: Place) -> Result<(), Fail> {
        let id = self.id()?;
        let name = self.name("a message name is missing")?;
        self.scan.expect(b':', "`:` is missing after the message name")?;
        let length = self.unsigned("a message length is missing")?;
        let sender = if self.scan.at_line_end() { None } else { Some(self.name("a sender is missing")?) };
        if sender.is_none() && self.scan.at_end() {
            return Err(self.scan.fail("a sender is missing"));
        }
        self.scan.eat(b';');
        self.out.messages.push(MessageLine {
            place,
            id,
            name,
            length,
            sender: sender.filter(|name| !is_nobody(name)),
            signals: Vec::new(),
        });
        self.open = true;
        Ok(())
    }

    fn signal(&mut self, place: Place) -> Result<(), Fail> {
        let name = self.name("a signal name is missing")?;
        let (mut is_multiplexer, mut selector) = (false, None);
        if let Some((place, word)) = self.scan.word_or_none() {
            let fail = || Fail {
                place,
                what: "a multiplexer mark is `M`, `m` and a number, or both",
                at_end: false,
            };
            let rest = word.strip_suffix('M').inspect(|_| is_multiplexer = true).unwrap_or(word);
            if let Some(value) = rest.strip_prefix('m') {
                selector = Some(value.parse::<u64>().map_err(|_| fail())?);
            } else if !rest.is_empty() {
                return Err(fail());
            }
        }
        self.scan.expect(b':', "`:` is missing after the signal name")?;
        let start = self.unsigned("a start bit is missing")?;
        self.scan.expect(b'|', "`|` is missing after the start bit")?;
        let length = self.unsigned("a signal length is missing")?;
        self.scan.expect(b'@', "`@` is missing after the signal length")?;
        let (kind_place, kind) = self.scan.word("byte order and sign are missing")?;
        let (byte_order, signed) = match kind {
            "1+" => (ByteOrder::LittleEndian, false),
            "1-" => (ByteOrder::LittleEndian, true),
            "0+" => (ByteOrder::BigEndian, false),
            "0-" => (ByteOrder::BigEndian, true),
            _ => {
                return Err(Fail {
                    place: kind_place,
                    what: "byte order and sign are `0` or `1`, and `+` or `-`",
                    at_end: false,
                });
            }
        };
        self.scan.expect(b'(', "`(` is missing before the factor")?;
        let factor = self.float_number("a factor is missing")?;
        self.scan.expect(b',', "`,` is missing after the factor")?;
        let offset = self.float_number("an offset is missing")?;
        self.scan.expect(b')', "`)` is missing after the offset")?;
        let (min, max) = self.range()?;
        let unit = self.scan.quoted("a unit in quotes is missing")?;
        let receivers = self.receivers();
        self.scan.eat(b';');
        let range = (min != 0.0 || max != 0.0).then_some((min, max));
        let signal = SignalLine {
            place,
            name,
            is_multiplexer,
            selector,
            start,
            length,
            byte_order,
            signed,
            factor,
            offset,
            range,
            unit,
            receivers,
        };
        match self.out.messages.last_mut().filter(|_| self.open) {
            Some(message) => message.signals.push(signal),
            None => self.diagnostics.report(
                Code::UnknownMessage,
                Severity::Skipped,
                place,
                name,
                "left out: the signal follows no message",
            ),
        }
        Ok(())
    }

    /// Names on this line, divided by commas or space; a comma at the line's end leads to the next.
    fn receivers(&mut self) -> Vec<&'t str> {
        let mut names = Vec::new();
        while !self.scan.at_line_end() {
            let Some((place, name)) = self.scan.word_or_none() else { break };
            if !is_nobody(name) {
                self.check_name(place, name);
                names.push(name);
            }
            if self.scan.at_line_end() || !self.scan.eat(b',') {
                continue;
            }
            self.scan.space();
        }
        names
    }

    fn senders(&mut self, place: Place) -> Result<(), Fail> {
        let id = self.id()?;
        self.scan.expect(b':', "`:` is missing after the message id")?;
        let mut nodes = Vec::new();
        while !self.scan.next_is(b';') && !self.scan.at_keyword_line() {
            let name = self.name("a sender is missing")?;
            if !is_nobody(name) {
                nodes.push(name);
            }
            self.scan.eat(b',');
        }
        self.end(place)?;
        self.out.senders.push(SendersLine { place, id, nodes });
        Ok(())
    }

    fn comment(&mut self, place: Place) -> Result<(), Fail> {
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

    fn definition(&mut self, place: Place, relation: bool) -> Result<(), Fail> {
        let object = if self.scan.next_is(b'"') {
            AttributeObject::Database
        } else {
            let (at, word) = self.scan.word("an attribute name is missing")?;
            match word {
                "BU_" => AttributeObject::Node,
                "BO_" => AttributeObject::Message,
                "SG_" => AttributeObject::Signal,
                "EV_" => AttributeObject::EnvironmentVariable,
                "BU_EV_REL_" if relation => AttributeObject::NodeToEnvironmentVariable,
                "BU_BO_REL_" if relation => AttributeObject::NodeToMessage,
                "BU_SG_REL_" if relation => AttributeObject::NodeToSignal,
                _ => {
                    return Err(Fail {
                        place: at,
                        what: "an attribute belongs to `BU_`, `BO_`, `SG_`, `EV_`, or a relation of them",
                        at_end: false,
                    });
                }
            }
        };
        let name = self.scan.quoted("an attribute name in quotes is missing")?;
        let (at, word) = self.scan.word("an attribute type is missing")?;
        let kind = match word {
            "INT" | "HEX" => {
                let (min, max) =
                    if self.scan.next_is(b';') { (0, 0) } else { (self.bound()?, self.bound()?) };
                if word == "INT" {
                    AttributeType::Integer { min, max }
                } else {
                    AttributeType::Hex { min, max }
                }
            }
            "FLOAT" => {
                let (min, max) = if self.scan.next_is(b';') {
                    (0.0, 0.0)
                } else {
                    (
                        self.float_number("a smallest value is missing")?,
                        self.float_number("a largest value is missing")?,
                    )
                };
                AttributeType::Float { min, max }
            }
            "STRING" => AttributeType::Text,
            "ENUM" => {
                let mut texts = Vec::new();
                while self.scan.next_is(b'"') {
                    texts.push(self.scan.quoted("a text is missing")?.into_owned());
                    self.scan.eat(b',');
                }
                AttributeType::Enumeration(texts)
            }
            _ => {
                return Err(Fail {
                    place: at,
                    what: "an attribute type is `INT`, `HEX`, `FLOAT`, `STRING` or `ENUM`",
                    at_end: false,
                });
            }
        };
        self.end(place)?;
        self.out.definitions.push(DefinitionLine { place, object, name, kind });
        Ok(())
    }

    /// A bound of an integer attribute.
    fn bound(&mut self) -> Result<i64, Fail> {
        let (place, word) = self.scan.word("a bound is missing")?;
        let fail = Fail { place, what: "a bound is a number", at_end: false };
        if let Some((value, sound)) = number::integer(word) {
            self.check_number(place, word, sound);
            return Ok(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX }));
        }
        number::float(word).map(|(value, _)| if value < 0.0 { i64::MIN } else { i64::MAX }).ok_or(fail)
    }

    /// A text or a number.
    fn attribute_value(&mut self) -> Result<AttributeValue, Fail> {
        if self.scan.next_is(b'"') {
            return Ok(AttributeValue::Text(self.scan.quoted("a text is missing")?.into_owned()));
        }
        let (place, word) = self.scan.word("an attribute value is missing")?;
        if let Ok(value) = word.parse::<i64>() {
            return Ok(AttributeValue::Integer(value));
        }
        match number::float(word) {
            Some((value, sound)) => {
                self.check_number(place, word, sound);
                Ok(AttributeValue::Float(value))
            }
            None => {
                Err(Fail { place, what: "an attribute value is a number or a text in quotes", at_end: false })
            }
        }
    }

    fn default(&mut self, place: Place, relation: bool) -> Result<(), Fail> {
        let name = self.scan.quoted("an attribute name in quotes is missing")?;
        let value = self.attribute_value()?;
        self.end(place)?;
        self.out.defaults.push(DefaultLine { place, relation, name, value });
        Ok(())
    }

    fn attribute(&mut self, place: Place) -> Result<(), Fail> {
        let name = self.scan.quoted("an attribute name in quotes is missing")?;
        let target = match self.scan.peek_word() {
            Some(word @ ("BU_" | "BO_" | "SG_" | "EV_")) => {
                self.scan.word_or_none();
                match word {
                    "BU_" => Target::Node(self.name("a node is missing")?),
                    "BO_" => Target::Message(self.id()?),
                    "SG_" => Target::Signal(self.id()?, self.name("a signal is missing")?),
                    _ => Target::EnvironmentVariable(self.name("an environment variable is missing")?),
                }
            }
            _ => Target::Database,
        };
        let value = self.attribute_value()?;
        self.end(place)?;
        self.out.attributes.push(AttributeLine { place, name, target, value });
        Ok(())
    }

    fn relation(&mut self, place: Place) -> Result<(), Fail> {
        let name = self.scan.quoted("an attribute name in quotes is missing")?;
        let (at, word) = self.scan.word("a relation is missing")?;
        let node = self.name("a node is missing")?;
        let target = match word {
            "BU_EV_REL_" => {
                Target::NodeToEnvironmentVariable(node, self.name("an environment variable is missing")?)
            }
            "BU_BO_REL_" => Target::NodeToMessage(node, self.id()?),
            "BU_SG_REL_" => {
                if self.scan.peek_word() == Some("SG_") {
                    self.scan.word_or_none();
                }
                Target::NodeToSignal(node, self.id()?, self.name("a signal is missing")?)
            }
            _ => {
                return Err(Fail {
                    place: at,
                    what: "a relation is `BU_EV_REL_`, `BU_BO_REL_` or `BU_SG_REL_`",
                    at_end: false,
                });
            }
        };
        let value = self.attribute_value()?;
        self.end(place)?;
        self.out.attributes.push(AttributeLine { place, name, target, value });
        Ok(())
    }

    /// Values and labels up to the semicolon.
    fn labels(&mut self) -> Result<Labels<'t>, Fail> {
        let mut labels = Vec::new();
        while !self.scan.next_is(b';') && !self.scan.at_end() && !self.scan.at_keyword_line() {
            let value = self.integer_number("a value is a whole number")?;
            let label: Cow<'t, str> = self.scan.quoted("a label in quotes is missing")?;
            labels.push((value, label));
        }
        Ok(labels)
    }

    fn labels_of(&mut self, place: Place) -> Result<(), Fail> {
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

    fn float(&mut self, place: Place) -> Result<(), Fail> {
        let id = self.id()?;
        let signal = self.name("a signal is missing")?;
        self.scan.eat(b':');
        let kind = self.unsigned("a value type is 0, 1 or 2")?;
        self.end(place)?;
        self.out.floats.push(FloatLine { place, id, signal, kind });
        Ok(())
    }

    fn multiplexed(&mut self, place: Place) -> Result<(), Fail> {
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
}

impl Parser<'_, '_> {
    fn table(&mut self, place: Place) -> Result<(), Fail> {
        let name = self.name("a table name is missing")?;
        let labels = self.labels()?;
        self.end(place)?;
        self.out.tables.push(TableLine { name, labels });
        Ok(())
    }

    fn group(&mut self, place: Place) -> Result<(), Fail> {
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

    fn environment(&mut self, place: Place) -> Result<(), Fail> {
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

    fn environment_data(&mut self, place: Place) -> Result<(), Fail> {
        let name = self.name("an environment variable is missing")?;
        self.scan.expect(b':', "`:` is missing after the environment variable")?;
        let length = self.unsigned("a number of bytes is missing")?;
        self.end(place)?;
        self.out.environment_data.push(EnvironmentDataLine { place, name, length });
        Ok(())
    }
}

/// The names that stand for no node.
pub(super) fn is_nobody(name: &str) -> bool {
    matches!(name, "Vector__XXX" | "VectorXXX" | "VECTOR__XXX")
}
