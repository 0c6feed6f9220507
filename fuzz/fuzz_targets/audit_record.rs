//! See `crates/properties/src/audit_record.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("audit_record", data));
