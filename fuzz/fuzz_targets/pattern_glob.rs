//! See `crates/properties/src/pattern_glob.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("pattern_glob", data));
