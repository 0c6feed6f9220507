//! See `crates/properties/src/configuration.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("configuration", data));
