//! See `simplechat_fuzz_checks::items`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| simplechat_fuzz_checks::items(data));
