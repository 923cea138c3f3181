//! Definitions, defaults and values of attributes, of objects and of relations.
//!
//! *Invariant:* a value is a whole number, a number or a text as it is written; what its definition makes of it comes later.
//! *Next:* `words.rs` (the parts), `../apply.rs` (what is made of them).

use alloc::vec::Vec;

use super::Parser;
use crate::load::diagnostic::Place;
use crate::load::number;
use crate::load::scan::Fail;
use crate::load::statement::{AttributeLine, DefaultLine, DefinitionLine, Target};
use crate::model::attribute::{AttributeObject, AttributeType, AttributeValue};

impl Parser<'_, '_> {
    pub(super) fn definition(&mut self, place: Place, relation: bool) -> Result<(), Fail> {
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
    pub(super) fn bound(&mut self) -> Result<i64, Fail> {
        let (place, word) = self.scan.word("a bound is missing")?;
        let fail = Fail { place, what: "a bound is a number", at_end: false };
        if let Some((value, sound)) = number::integer(word) {
            self.check_number(place, word, sound);
            return Ok(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX }));
        }
        number::float(word).map(|(value, _)| if value < 0.0 { i64::MIN } else { i64::MAX }).ok_or(fail)
    }

    /// A text or a number.
    pub(super) fn attribute_value(&mut self) -> Result<AttributeValue, Fail> {
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

    pub(super) fn default(&mut self, place: Place, relation: bool) -> Result<(), Fail> {
        let name = self.scan.quoted("an attribute name in quotes is missing")?;
        let value = self.attribute_value()?;
        self.end(place)?;
        self.out.defaults.push(DefaultLine { place, relation, name, value });
        Ok(())
    }

    pub(super) fn attribute(&mut self, place: Place) -> Result<(), Fail> {
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

    pub(super) fn relation(&mut self, place: Place) -> Result<(), Fail> {
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
}
