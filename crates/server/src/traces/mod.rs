//! Traces: which requests are part of one (W3C Trace Context), what each spent its time on, and how that gets to an
//! OpenTelemetry collector.
//!
//! A core decides when a request arrives whether it is sampled, notes times as it goes, and leaves them in a bounded queue
//! when the request ends. Everything else happens on a thread of its own, which no request waits for.

pub mod context;
mod exporter;
pub mod ids;
mod otlp;
mod queue;
mod sampler;
pub mod trace;
pub mod tracer;
