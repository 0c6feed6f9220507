//! See `crates/properties/src/cookies.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("cookies", data));
