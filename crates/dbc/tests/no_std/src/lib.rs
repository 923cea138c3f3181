//! The model and the codec in a program that has no standard library: a text becomes a database, bytes become values, values become bytes.
//!
//! *Invariant:* nothing here or below links `std`; `run` links this into a program and fails where something does.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

use alloc::string::ToString as _;

use coachwork_dbc::{CanId, Database, Match, Number, Signal, Value};

#[global_allocator]
static HEAP: emballoc::Allocator<262_144> = emballoc::Allocator::new();

#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

const TEXT: &str = "BS_:\nBU_: A\nBO_ 256 Engine: 8 A\n SG_ Speed : 7|16@0+ (0.25,0) [0|8000] \"rpm\" A\n SG_ Heat : 16|8@1- (1,-40) [-40|200] \"C\" A\n";

/// Loads, decodes, encodes, builds and writes; 0 where all is as it must be, otherwise the number of the first step that is not.
#[expect(unsafe_code, reason = "a name that C can call")]
#[unsafe(no_mangle)]
pub extern "C" fn proof(payload: &mut [u8; 8]) -> i32 {
    let Ok(database) = Database::parse(TEXT) else { return 1 };
    let Some(message) = CanId::standard(256).and_then(|id| database.find(id, Match::Auto)) else { return 2 };
    let Ok(decoded) = message.decode(payload) else { return 3 };
    let Some(speed) = decoded.value_named("Speed").map(|value| value.physical()) else { return 4 };
    if speed != Number::Float(1000.0) {
        return 5;
    }
    let given =
        [("Speed", Value::Physical(Number::Float(2000.0))), ("Heat", Value::Physical(Number::Integer(60)))];
    match message.encode(&given) {
        Ok(bytes) if bytes.len() == 8 => payload.copy_from_slice(&bytes),
        _ => return 6,
    }
    let Ok(own) =
        coachwork_dbc::Message::builder("Own", message.id(), 8).signal(Signal::new("S", 0, 64)).build()
    else {
        return 7;
    };
    let written = Database::builder().message(own).build().to_dbc();
    if Database::parse(&written).map(|read| read.messages().len()) != Ok(1)
        || message.id().to_string() != "100"
    {
        return 8;
    }
    0
}
