//! See `crates/properties/src/token_request.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("token_request", data));
