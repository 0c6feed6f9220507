//! See `crates/properties/src/key_set.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("key_set", data));
