//! See `simplechat_fuzz_checks::sealed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| simplechat_fuzz_checks::sealed(data));
