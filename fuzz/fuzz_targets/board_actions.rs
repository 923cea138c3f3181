#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| coachwork_fuzz::board_actions::run(data));
