//! See `crates/properties/src/rule_document.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("rule_document", data));
