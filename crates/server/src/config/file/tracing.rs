//! `tracing`: where traces go, and what callers may say of them.

use schemars::JsonSchema;
use serde::Deserialize;

mirror! {
    /// Tracing.
    Tracing {
        /// Where traces go; only `otel` exports any.
        provider: TracingProvider,
        /// The attribute `service.name`; `ORY Oathkeeper` by default.
        service_name: String,
        /// The attribute `deployment.environment.name`.
        deployment_environment: String,
        /// Provider settings.
        providers: Providers,
        /// Extension: what becomes of the trace that a caller's `traceparent` names; `follow` by default.
        caller_context: CallerContextName,
    }
    /// `tracing.providers`
    Providers {
        /// Jaeger.
        jaeger: Jaeger,
        /// Zipkin.
        zipkin: Zipkin,
        /// OpenTelemetry.
        otlp: Otlp,
    }
    /// `tracing.providers.jaeger`
    Jaeger {
        /// `host:port`.
        local_agent_address: String,
        /// How many traces.
        sampling: JaegerSampling,
    }
    /// `tracing.providers.jaeger.sampling`
    JaegerSampling {
        /// A remote sampler.
        server_url: String,
        /// From 0 to 1.
        trace_id_ratio: f64,
    }
    /// `tracing.providers.zipkin`
    Zipkin {
        /// Where traces go.
        server_url: String,
        /// How many traces.
        sampling: Sampling,
    }
    /// `tracing.providers.otlp`
    Otlp {
        /// The collector, `host:port`; or, as an extension, a URL, which may name another path than `/v1/traces`.
        server_url: String,
        /// Plain HTTP.
        insecure: bool,
        /// How many of the traces that begin here; all by default.
        sampling: Sampling,
        /// Sent as `Authorization`.
        authorization_header: String,
    }
    /// `sampling` of a provider
    Sampling {
        /// From 0 to 1.
        sampling_ratio: f64,
    }
}

names! {
    /// `tracing.provider`
    TracingProvider {
        /// Nothing is exported.
        Jaeger,
        /// An OpenTelemetry collector, or whatever takes OTLP over HTTP.
        Otel,
        /// Nothing is exported.
        Zipkin,
    }
    /// `tracing.caller_context`
    CallerContextName {
        /// It goes on; whether it is sampled, the ratio decides.
        Continue,
        /// It goes on, and is sampled when the caller says so.
        Follow,
        /// Another begins.
        Replace,
    }
}
