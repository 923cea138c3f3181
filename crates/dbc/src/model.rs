//! What a database says: messages, signals, labels, attributes, nodes; and how it is built.
//!
//! *Invariant:* nothing here reads a file; a built message is compiled and never changes.
//! *Next:* `load.rs` (a DBC file fills it), `codec.rs` (bytes through it).

pub(crate) mod attribute;
pub(crate) mod builder;
pub(crate) mod choices;
pub(crate) mod database;
pub(crate) mod extra;
mod layout;
pub(crate) mod message;
pub(crate) mod node;
pub(crate) mod signal;
