//! See `crates/properties/src/request_head.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("request_head", data));
