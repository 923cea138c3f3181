//! Runs every seed and every past crash through its target, on stable.

use std::path::Path;

/// Runs all seeds of a target, of which there are some, and all of its past crashes.
fn replay(target: &str, run: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = 0;
    for folder in ["seeds", "crashes"] {
        let Ok(files) = std::fs::read_dir(root.join(folder).join(target)) else { continue };
        for file in files {
            let path = file.expect("a folder of files").path();
            run(&std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display())));
            seeds += usize::from(folder == "seeds");
        }
    }
    assert!(seeds > 0, "{target} has no seeds");
}

#[test]
fn token_verify() {
    replay("token_verify", coachwork_fuzz::token_verify::run);
}

#[test]
fn dbc_load() {
    replay("dbc_load", coachwork_fuzz::dbc_load::run);
}

#[test]
fn decode_roundtrip() {
    replay("decode_roundtrip", coachwork_fuzz::decode_roundtrip::run);
}

#[test]
fn encode_model() {
    replay("encode_model", coachwork_fuzz::encode_model::run);
}

#[test]
fn columns_rows() {
    replay("columns_rows", coachwork_fuzz::columns_rows::run);
}

#[test]
fn key_set() {
    replay("key_set", coachwork_fuzz::key_set::run);
}

#[test]
fn candump_line() {
    replay("candump_line", coachwork_fuzz::candump_line::run);
}

#[test]
fn log_text() {
    replay("log_text", coachwork_fuzz::log_text::run);
}

#[test]
fn mapping() {
    replay("mapping", coachwork_fuzz::mapping::run);
}

#[test]
fn viss_filters() {
    replay("viss_filters", coachwork_fuzz::viss_filters::run);
}

#[test]
fn session_bytes() {
    replay("session_bytes", coachwork_fuzz::session_bytes::run);
}

#[test]
fn board_actions() {
    replay("board_actions", coachwork_fuzz::board_actions::run);
}

#[test]
fn bus_framing() {
    replay("bus_framing", coachwork_fuzz::bus_framing::run);
}

#[test]
fn math() {
    replay("math", coachwork_fuzz::math::run);
}

#[test]
fn recording() {
    replay("recording", coachwork_fuzz::recording::run);
}

#[test]
fn log_blf() {
    replay("log_blf", coachwork_fuzz::log_blf::run);
}

#[test]
fn log_pcap() {
    replay("log_pcap", coachwork_fuzz::log_pcap::run);
}

#[test]
fn log_mf4() {
    replay("log_mf4", coachwork_fuzz::log_mf4::run);
}

#[test]
fn status_list() {
    replay("status_list", coachwork_fuzz::status_list::run);
}

#[test]
fn store_load() {
    replay("store_load", coachwork_fuzz::store_load::run);
}

#[test]
fn policy() {
    replay("policy", coachwork_fuzz::policy::run);
}

#[test]
fn entitlement_state() {
    replay("entitlement_state", coachwork_fuzz::entitlement_state::run);
}

#[test]
fn vspec() {
    replay("vspec", coachwork_fuzz::vspec::run);
}

#[test]
fn pattern() {
    replay("pattern", coachwork_fuzz::pattern::run);
}

#[test]
fn unit_conversion() {
    replay("unit_conversion", coachwork_fuzz::unit_conversion::run);
}

#[test]
fn simulator_actions() {
    replay("simulator_actions", coachwork_fuzz::simulator_actions::run);
}

#[test]
fn mqtt_envelope() {
    replay("mqtt_envelope", coachwork_fuzz::mqtt_envelope::run);
}

#[test]
fn websocket() {
    replay("websocket", coachwork_fuzz::websocket::run);
}

#[test]
fn serve_config() {
    replay("serve_config", coachwork_fuzz::serve_config::run);
}

#[test]
fn request_keys() {
    replay("request_keys", coachwork_fuzz::request_keys::run);
}

#[test]
fn queue_log() {
    replay("queue_log", coachwork_fuzz::queue_log::run);
}
