#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| coachwork_fuzz::queue_log::run(data));
