//! See `crates/properties/src/error_conditions.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("error_conditions", data));
