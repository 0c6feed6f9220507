//! What was wrong with callers' connections, where there was no request that could have a record of it.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::ReasonLabels;

/// A closed vocabulary: the label of `keyward_connection_faults_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A TLS handshake failed.
    Handshake,
    /// It did not end in time.
    HandshakeTimeout,
    /// HTTP without TLS, where TLS is spoken.
    PlainHttp,
    /// The preface or a field block of HTTP/2 did not end in time.
    HeaderTimeout,
    /// A field section of HTTP/2 that was not read to its end, since it is too large.
    Http2FieldSection,
    /// `PROTOCOL_ERROR` (RFC 9113 section 7), as are the following: what the peer was told.
    Http2Protocol,
    /// `FLOW_CONTROL_ERROR`
    Http2FlowControl,
    /// `STREAM_CLOSED`
    Http2StreamClosed,
    /// `FRAME_SIZE_ERROR`
    Http2FrameSize,
    /// `REFUSED_STREAM`: more of them at a time than are allowed.
    Http2RefusedStream,
    /// `COMPRESSION_ERROR`
    Http2Compression,
    /// `ENHANCE_YOUR_CALM`
    Http2Calm,
}

impl Fault {
    /// All of them, in the order of their numbers.
    const ALL: [Self; 12] = [
        Self::Handshake,
        Self::HandshakeTimeout,
        Self::PlainHttp,
        Self::HeaderTimeout,
        Self::Http2FieldSection,
        Self::Http2Protocol,
        Self::Http2FlowControl,
        Self::Http2StreamClosed,
        Self::Http2FrameSize,
        Self::Http2RefusedStream,
        Self::Http2Compression,
        Self::Http2Calm,
    ];

    /// What a peer of HTTP/2 did, judged by the error code that it is told; nothing where the code blames somebody else.
    pub fn of_http2(code: u32) -> Option<Self> {
        Some(match code {
            0x1 => Self::Http2Protocol,
            0x3 => Self::Http2FlowControl,
            0x5 => Self::Http2StreamClosed,
            0x6 => Self::Http2FrameSize,
            0x7 => Self::Http2RefusedStream,
            0x9 => Self::Http2Compression,
            0xb => Self::Http2Calm,
            _ => return None,
        })
    }

    /// The spelling in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::PlainHttp => "plain_http",
            Self::HeaderTimeout => "header_timeout",
            Self::Http2FieldSection => "http2_field_section",
            Self::Http2Protocol => "http2_protocol",
            Self::Http2FlowControl => "http2_flow_control",
            Self::Http2StreamClosed => "http2_stream_closed",
            Self::Http2FrameSize => "http2_frame_size",
            Self::Http2RefusedStream => "http2_refused_stream",
            Self::Http2Compression => "http2_compression",
            Self::Http2Calm => "http2_calm",
        }
    }

    /// What was spoken.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Handshake | Self::HandshakeTimeout | Self::PlainHttp => "TLS",
            _ => "HTTP/2.0",
        }
    }
}

/// Counts by reason.
pub struct FaultMetrics([Counter; Fault::ALL.len()]);

impl FaultMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let faults: Family<ReasonLabels, Counter> = Family::default();
        registry.register("keyward_connection_faults", "Faults of callers' connections, by reason", faults.clone());
        Self(Fault::ALL.map(|fault| faults.get_or_create_owned(&ReasonLabels { reason: fault.as_str() })))
    }

    /// Counts one.
    pub fn count(&self, fault: Fault) {
        self.0[fault as usize].inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_number_and_a_spelling_of_its_own() {
        for (number, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, number);
            assert_eq!(Fault::ALL.iter().filter(|other| other.as_str() == fault.as_str()).count(), 1);
        }
    }
}
