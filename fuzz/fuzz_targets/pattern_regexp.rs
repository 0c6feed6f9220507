//! See `crates/properties/src/pattern_regexp.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("pattern_regexp", data));
