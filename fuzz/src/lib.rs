//! Fuzz targets: one module each, whose `run` takes the fuzzer's bytes, drives the code and checks it against an oracle.
//!
//! *Invariant:* `run` panics only when an oracle disagrees; each module's unit test shows that it uses its input.
//! *Next:* `fuzz_targets/` (libFuzzer's entry points), `tests/replay.rs` (seeds and past crashes on stable).

pub mod board_actions;
pub mod bus_framing;
pub mod candump_line;
pub mod columns_rows;
pub mod dbc_load;
pub mod decode_roundtrip;
pub mod encode_model;
pub mod entitlement_state;
pub mod key_set;
pub mod log_blf;
mod log_items;
pub mod log_mf4;
pub mod log_pcap;
pub mod log_text;
pub mod mapping;
pub mod math;
pub mod mqtt_envelope;
pub mod pattern;
pub mod policy;
pub mod queue_log;
pub mod recording;
pub mod request_keys;
pub mod serve_config;
pub mod session_bytes;
pub mod simulator_actions;
mod slow_viss;
pub mod status_list;
pub mod store_load;
pub mod token_verify;
pub mod unit_conversion;
pub mod viss_filters;
pub mod vspec;
pub mod websocket;
