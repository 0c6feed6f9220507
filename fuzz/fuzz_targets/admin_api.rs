//! See `crates/properties/src/admin_api.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("admin_api", data));
