#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| coachwork_fuzz::viss_filters::run(data));
