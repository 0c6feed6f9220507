//! `cookie`: sets cookies on the upstream request (pipeline spec 5.3).

use std::collections::BTreeMap;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{BindContext, HandlerKind, Mutator, MutatorKind};
use keyward_core::ports::UnixTime;
use keyward_core::session::{Session, SessionCookie};

use crate::rendered::Rendered;

/// Settings of `cookie`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CookieConfig {
    /// Cookie names and the templates of their values.
    #[schemars(with = "BTreeMap<String, String>")]
    pub cookies: Node,
}

/// Ready to run.
pub struct Cookie {
    cookies: Vec<Rendered>,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "cookie"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<CookieConfig>())
    }
}

impl MutatorKind for Kind {
    fn bind(&self, config: &Node, context: &BindContext<'_>) -> Result<Box<dyn Mutator>, Diagnostic> {
        let CookieConfig { cookies } = decode(config)?;
        let cookies = Rendered::compile_all(&cookies, context)?;
        if let Some(bad) = cookies.iter().find(|cookie| !is_cookie_name(&cookie.name)) {
            return Err(Diagnostic::error(format!("`{}` is not a cookie name", bad.name)).at(&bad.place.origin));
        }
        Ok(Box::new(Cookie { cookies }))
    }
}

impl Mutator for Cookie {
    fn mutate<'a>(
        &'a self,
        request: &'a GatedRequest,
        session: &'a mut Session,
        _: UnixTime,
    ) -> Step<'a, Result<(), Denial>> {
        // Each composes the header anew from the request's own, as in the reference.
        session.cookies.clear();
        Step::Ready(
            self.cookies
                .iter()
                .try_for_each(|cookie| {
                    let value = cookie_value(&cookie.render(request, session)?);
                    let sensitive = cookie.template.is_sensitive();
                    session.set_cookie(SessionCookie { name: cookie.name.clone(), value, sensitive });
                    Ok(())
                })
                .map(|()| session.sets_cookies = true),
        )
    }

    fn reads_captures(&self) -> bool {
        self.cookies.iter().any(|cookie| cookie.template.reads_captures())
    }

    fn written_headers(&self) -> Vec<http::HeaderName> {
        vec![http::header::COOKIE]
    }
}

/// RFC 9110 section 5.6.2 token.
fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Drops what a cookie value cannot hold and quotes what needs it, as the reference does.
fn cookie_value(text: &str) -> String {
    let kept: String = text.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | ';' | '\\')).collect();
    if kept.contains([' ', ',']) { format!("\"{kept}\"") } else { kept }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::Bench;

    #[test]
    fn names_are_tokens() {
        let rows = [("id", true), ("__Host-id", true), ("", false), ("a b", false), ("a=b", false), ("é", false)];
        for (name, expected) in rows {
            assert_eq!(is_cookie_name(name), expected, "{name}");
        }
    }

    /// Rules are shown without what is written there.
    #[test]
    fn it_writes_the_cookie_header() {
        let bound = Bench::new(&[]).bind_mutator(&Kind, &json!({"cookies": {"id": "{{ print .Subject }}"}}));
        assert_eq!(bound.written_headers(), [http::header::COOKIE]);
    }

    #[test]
    fn values_are_cleaned_and_quoted_as_in_the_reference() {
        let rows = [
            ("foo", "foo"),
            ("foo issuer audience", "\"foo issuer audience\""),
            ("a,b", "\"a,b\""),
            ("a;b\\c\"d", "abcd"),
            ("x\r\ny", "xy"),
            ("é", ""),
            ("", ""),
        ];
        for (text, expected) in rows {
            assert_eq!(cookie_value(text), expected, "{text:?}");
        }
    }
}
