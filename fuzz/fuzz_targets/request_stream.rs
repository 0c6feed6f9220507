//! See `crates/properties/src/request_stream.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("request_stream", data));
