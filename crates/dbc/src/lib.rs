#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "std"), no_std)]
#![doc = include_str!("../README.md")]

extern crate alloc;

mod batch;
mod decode;
pub mod diff;
mod encode;
mod id;
mod index;
pub mod lint;
mod load;
mod model;
mod number;
mod plan;
#[cfg(feature = "serde")]
mod serial;
mod write;

pub use self::batch::{
    Batch, BatchCounts, BatchFrame, Block, ClassicFrame, Column, ColumnType, Content, FdFrame, NarrowBlock,
    Row,
};
pub use self::decode::{DecodeError, Decoded, SignalValue};
pub use self::encode::{
    BatchEncodeError, BatchEncoder, EncodeError, EncodedFrame, Encoder, SignalKey, Steps, Value,
};
pub use self::id::CanId;
pub use self::load::diagnostic::{Code, Diagnostic, LoadError, LoadErrorKind, MAX_DIAGNOSTICS, Severity};
pub use self::load::{Encoding, Loaded, Options};
pub use self::model::attribute::{
    AttributeDefinition, AttributeObject, AttributeType, AttributeValue, Attributes,
};
pub use self::model::builder::{
    BuildError, BuildErrorKind, DatabaseBuilder, MAX_MESSAGE_LENGTH, MessageBuilder,
};
pub use self::model::choices::Choices;
pub use self::model::database::{Database, Match};
pub use self::model::extra::{
    EnvironmentType, EnvironmentVariable, Relation, RelationTarget, SignalGroup, ValueTable,
};
pub use self::model::message::{Message, SignalIndex};
pub use self::model::node::Node;
pub use self::model::signal::{Availability, ByteOrder, Multiplexed, Signal, ValueType};
pub use self::number::{Number, Raw};
