#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod admission;
mod backoff;
mod bell;
mod board;
mod catalogue;
mod changes;
mod clock;
mod datapoint;
mod driver;
mod error;
mod ext;
mod failover;
mod gate;
mod joint;
mod memory;
mod merged;
mod path;
mod points;
mod receipt;
mod recording;
mod request;
mod structs;
mod subscribe;
mod subscription;
mod sync;
mod time;
mod typed;
mod unit;
mod value;
mod vehicle;
#[cfg(feature = "vspec")]
mod vspec;
pub mod vss;

pub use admission::{Admission, Admitted, Credential, Everybody};
pub use backoff::{Backoff, Waits};
pub use board::{Board, Command};
pub use catalogue::{
    Access, Catalogue, CatalogueCell, CatalogueError, Entry, EntryError, Facts, Kind, Permission, Receipts,
    SignalId, TimeBase, TreeHash, UnknownKind,
};
pub use changes::Changes;
pub use clock::{Clock, ManualClock, Sleep};
pub use datapoint::{Availability, Datapoint, Reason, ReasonKind, State};
pub use driver::Driver;
pub use error::{Error, ErrorKind, Operation};
pub use ext::VehicleExt;
pub use failover::Failover;
pub use gate::Gate;
pub use memory::MemoryVehicle;
pub use merged::Merged;
pub use path::{Path, PathError, Pattern};
pub use receipt::{Outcome, Receipt, Refusal, RefusalKind, Stage};
pub use recording::{Pace, Playback, Recorded, Recorder, RecordingError, RecordingFault};
pub use request::{Key, KeyError, Request, Set};
pub use structs::{MAX_STRUCT_DEPTH, MAX_STRUCT_PROPERTIES, StructError, StructType, StructValue};
pub use subscribe::{Filter, MAX_QUEUE, Overflow, Subscribe};
pub use subscription::{Event, Points, Source, Subscription};
pub use time::{Monotonic, Timestamp, TimestampError};
pub use typed::{Reading, TypedPath, Unavailable};
pub use unit::{Conversion, Unit, UnitError};
pub use value::{DataType, ScalarType, TypeError, UnknownDataType, Value, VssScalar, VssValue};
pub use vehicle::{Each, Get, Vehicle};
#[cfg(feature = "vspec")]
pub use vspec::{
    MAX_BYTES as MAX_VSPEC_BYTES, MAX_DEFAULTS as MAX_VSPEC_DEFAULTS, MAX_NODES as MAX_VSPEC_NODES, Vspec,
    VspecError, VspecFault,
};
