//! See `simplechat_fuzz_checks::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| simplechat_fuzz_checks::settings(data));
