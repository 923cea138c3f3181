#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| coachwork_fuzz::request_keys::run(data));
