//! The page for routes that do not exist, in the caller's media type (serving spec 7.8).

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::Full;

use super::accept::fit;
use crate::http_server::typed;

const REASON: &str = "The requested route does not exist. Make sure you are using the right path, domain, and port.";

pub(super) fn page(headers: &HeaderMap) -> Response<Full<Bytes>> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    match preferred(accept) {
        "application/json" => {
            let body = serde_json::json!({"error": {"code": 404, "message": "Not Found", "reason": REASON}});
            typed(StatusCode::NOT_FOUND, "application/json; charset=utf-8", format!("{body:#}"))
        }
        "text/plain" => typed(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", format!("Error 404 - {REASON}")),
        _ => typed(
            StatusCode::NOT_FOUND,
            "text/html; charset=utf-8",
            format!(
                "<!DOCTYPE html>\n<html>\n<head><title>404 - Route not found</title></head>\n\
                 <body><h1>Error 404</h1><p>{REASON}</p></body>\n</html>\n"
            ),
        ),
    }
}

/// The offered type with the highest quality; the first of equals; HTML when nothing fits (RFC 9110
/// section 12.5.1).
fn preferred(accept: &str) -> &'static str {
    const OFFERED: [&str; 3] = ["text/html", "text/plain", "application/json"];
    let mut best = ("text/html", 0.0_f32);
    for offered in OFFERED {
        let quality = fit(accept, offered, None).quality;
        if quality > best.1 {
            best = (offered, quality);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_comes_in_the_type_that_is_asked_for() {
        let rows = [
            ("*/*", "text/html"),
            ("application/json", "application/json"),
            ("text/plain", "text/plain"),
            ("text/plain;q=0.5, application/json;q=0.9", "application/json"),
            ("text/*, application/json;q=0.9", "text/html"),
            ("text/html;q=0, */*", "text/plain"),
            ("image/png", "text/html"),
        ];
        for (accept, expected) in rows {
            assert_eq!(preferred(accept), expected, "{accept}");
        }
    }
}
