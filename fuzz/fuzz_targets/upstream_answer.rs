//! See `crates/properties/src/upstream_answer.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("upstream_answer", data));
