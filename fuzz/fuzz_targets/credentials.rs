//! See `simplechat_fuzz_checks::credentials`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| simplechat_fuzz_checks::credentials(data));
