//! See `crates/properties/src/redaction.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("redaction", data));
