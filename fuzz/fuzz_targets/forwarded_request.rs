//! See `crates/properties/src/forwarded_request.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("forwarded_request", data));
