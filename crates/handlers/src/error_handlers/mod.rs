//! The table of error handlers.

pub mod json;
pub mod redirect;
pub mod www_authenticate;

use keyward_core::pipeline::ErrorHandlerKind;

/// Every error handler.
pub const ALL: &[&dyn ErrorHandlerKind] = &[&json::Kind, &redirect::Kind, &www_authenticate::Kind];
