//! The head of a file, its nodes, and its messages with their signals.
//!
//! *Invariant:* a signal belongs to the message before it; where that could not be read, the signal is left out with it.
//! *Next:* `words.rs` (the parts), `../statement.rs` (what comes out).

use alloc::vec::Vec;

use super::{Parser, is_nobody};
use crate::load::diagnostic::{Code, Place, Severity};
use crate::load::scan::{Fail, is_space};
use crate::load::statement::{At, MessageLine, SendersLine, SignalLine, Span};
use crate::model::signal::ByteOrder;

impl Parser<'_, '_> {
    pub(super) fn new_symbols(&mut self) -> Result<(), Fail> {
        self.scan.expect(b':', "`:` is missing")?;
        while let Some(line) = self.scan.symbol_line() {
            let words = line.split(|c: char| u8::try_from(c).is_ok_and(is_space));
            self.out.new_symbols.extend(words.filter(|word| !word.is_empty()));
        }
        Ok(())
    }

    pub(super) fn nodes(&mut self) -> Result<(), Fail> {
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

    pub(super) fn message(&mut self, place: Place) -> Result<(), Fail> {
        let id = self.id_of_message()?;
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

    pub(super) fn signal(&mut self, place: Place) -> Result<(), Fail> {
        let name = self.name("a signal name is missing")?;
        let (mut is_multiplexer, mut selector) = (false, None);
        if let Some((place, word)) = self.scan.word_or_none() {
            let fail = || Fail {
                place,
                what: "a multiplexer mark is `M`, `m` and a number, or both",
                at_end: false,
            };
            let rest = word.strip_suffix('M').inspect(|_| is_multiplexer = true).unwrap_or(word);
            if word == "m" {
                self.diagnostics.report(
                    Code::NoMultiplexer,
                    Severity::Repaired,
                    place,
                    name,
                    "read as a plain signal: `m` has no number",
                );
            } else if let Some(value) = rest.strip_prefix('m') {
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
            Some(message) => {
                if message.signals.is_empty() {
                    message.signals.reserve(8);
                }
                message.signals.push(signal);
            }
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
    pub(super) fn receivers(&mut self) -> Span {
        let from = self.out.name_count();
        while !self.scan.at_line_end() {
            let Some((place, name)) = self.scan.word_or_none() else { break };
            if !is_nobody(name) {
                self.check_name(place, name);
                self.out.add_name(name);
            }
            if self.scan.at_line_end() || !self.scan.eat(b',') {
                continue;
            }
            self.scan.space();
        }
        self.out.names_from(from)
    }

    pub(super) fn senders(&mut self, place: Place) -> Result<(), Fail> {
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
}
