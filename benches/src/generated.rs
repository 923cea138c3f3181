//! What dbc-codegen generates, called as a program would call it: a frame becomes a message, and every getter is asked.
//!
//! *Next:* `../build.rs` (where it is generated).

use coachwork_dbc::{BatchFrame, ClassicFrame};

/// The database that the code was generated from.
pub const TEXT: &str = include_str!(concat!(env!("OUT_DIR"), "/powertrain.dbc"));

#[allow(
    dead_code,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::unimplemented
)]
mod powertrain {
    include!(concat!(env!("OUT_DIR"), "/powertrain.rs"));
}

/// A number of whatever type a getter returns.
trait Double {
    fn double(self) -> f64;
}

macro_rules! double {
    ($($t:ty),*) => {$(
        impl Double for $t {
            fn double(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}
double!(f32, u8, u16, u32, i8, i16, i32, bool);

/// Decodes a frame; the number of signals. No signal where the message is unknown or the frame too short.
pub fn decode(frame: &ClassicFrame, out: &mut [f64; 64]) -> usize {
    use powertrain::Messages;

    let Ok(message) = Messages::from_can_message(frame.id().into(), frame.payload()) else { return 0 };
    include!(concat!(env!("OUT_DIR"), "/calls.rs"))
}
