//! See `crates/properties/src/signed_claims.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("signed_claims", data));
