//! Frames as bytes.

pub(crate) use keyward_testkit::http2_frames::*;
