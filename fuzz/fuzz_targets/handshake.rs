//! See `simplechat_fuzz_checks::handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| simplechat_fuzz_checks::handshake(data));
