//! What goes wrong on a bus becomes the one error of the vehicle boundary.
//!
//! *Next:* `vehicle.rs`, which answers with these.

use crate::bus::BusError;
use coachwork_dbc::EncodeError;
use coachwork_vehicle::{Error, ErrorKind};

/// A value that does not encode.
pub(crate) fn encode_error(error: &EncodeError) -> Error {
    let kind = match error {
        EncodeError::OutOfRange { .. }
        | EncodeError::OffGrid { .. }
        | EncodeError::RawOutOfRange { .. }
        | EncodeError::UnknownLabel { .. } => ErrorKind::OutOfRange,
        _ => ErrorKind::Other,
    };
    Error::new(kind, error.to_string()).caused_by(error.clone())
}

/// A bus that does not take or give frames.
pub(crate) fn bus_error(error: BusError, bus: &str) -> Error {
    let kind = match error {
        BusError::Full => ErrorKind::Limit,
        BusError::Down(_) | BusError::Closed | BusError::Io(_) => ErrorKind::Unavailable,
        BusError::NotCarried(_) => ErrorKind::Unsupported,
        BusError::Log(_) => ErrorKind::Other,
    };
    Error::new(kind, error.to_string()).reported_by(bus.to_owned()).caused_by(error)
}
