//! See `crates/properties/src/trace_context.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyward_properties::check("trace_context", data));
