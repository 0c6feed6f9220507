//! See `crates/properties/src/path.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("path", data));
