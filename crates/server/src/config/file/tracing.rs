//! `tracing`: checked as the reference does, and otherwise without effect.

use schemars::JsonSchema;
use serde::Deserialize;

mirror! {
    /// Tracing.
    Tracing {
        /// jaeger, otel or zipkin. No traces are exported.
        provider: TracingProvider,
        /// Service name.
        service_name: String,
        /// Environment.
        deployment_environment: String,
        /// Provider settings.
        providers: Providers,
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
        /// `host:port`.
        server_url: String,
        /// Plain HTTP.
        insecure: bool,
        /// How many traces.
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
        /// Jaeger.
        Jaeger,
        /// OpenTelemetry.
        Otel,
        /// Zipkin.
        Zipkin,
    }
}
