//! Identifiers, messages and databases for `serde`: written as what describes them, checked and compiled when read.
//!
//! *Invariant:* nothing comes in that the builder would refuse.
//! *Next:* `model/builder.rs`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{CanId, Database, DatabaseBuilder, Message, MessageBuilder};

/// The number that DBC files use: bit 31 marks an extended identifier.
impl Serialize for CanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_dbc().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CanId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        Self::from_dbc(number).ok_or_else(|| D::Error::custom("no CAN identifier has these bits"))
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = Self::builder(self.name.clone(), self.id, self.length());
        parts.symbol.clone_from(&self.symbol);
        parts.senders.clone_from(&self.senders);
        parts.signals.clone_from(&self.signals);
        parts.groups.clone_from(&self.groups);
        parts.comment.clone_from(&self.comment);
        parts.attributes = self.attributes.clone();
        parts.cycle_time = self.cycle_time;
        parts.is_j1939 = self.is_j1939;
        parts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        MessageBuilder::deserialize(deserializer)?.build().map_err(D::Error::custom)
    }
}

impl Serialize for Database {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Database {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(DatabaseBuilder::deserialize(deserializer)?.build())
    }
}
