//! See `crates/properties/src/injected_headers.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("injected_headers", data));
