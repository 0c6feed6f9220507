//! Tables of pipeline spec 5.2, 6.3 and 6.5.
#![allow(clippy::unwrap_used, clippy::approx_constant)]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue};
use serde_json::json;

use super::*;
use crate::credential::{Absent, NamedSecret};
use crate::members::Members;
use crate::secret::Secret;

struct Environment;

impl SecretSource for Environment {
    fn env(&self, name: &str) -> Option<Secret> {
        match name {
            "TOKEN" | "1" => Some(Secret::new("user:pässword")),
            "EMPTY" => Some(Secret::new("")),
            _ => None,
        }
    }

    fn secret(&self, name: &str) -> Result<NamedSecret, Absent> {
        match name {
            "jira" => Ok(NamedSecret { value: Secret::new("s3cr3t"), version: "7".into(), hosts: None }),
            "empty" => Ok(NamedSecret { value: Secret::new(""), version: "7".into(), hosts: None }),
            _ => Err(Absent { cause: "no source has it".to_owned(), remedy: Some("add it".to_owned()) }),
        }
    }
}

fn compile_with(text: &str) -> Result<Template, TemplateError> {
    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(golden::Fixed), Arc::new(golden::Fixed));
    Template::compile(text, &Environment, &clock, &random)
}

fn render(text: &str) -> Result<String, String> {
    let extra = json!({
        "iss": "issuer", "aud": "audience", "num": 5, "exp": 1_516_239_022, "million": 1_000_000, "small": 0.00001,
        "hundred": 100_000, "null": null, "roles": ["admin", "dev"], "example.com/some-claims": ["Foo", "Bar"],
        "nested": {"int": 10, "float64": 3.14159, "bool": true, "html": "<&>"}, "text": "hello",
    });
    static HEADER: LazyLock<HeaderMap> = LazyLock::new(|| {
        HeaderMap::from_iter([(http::HeaderName::from_static("x-foo"), HeaderValue::from_static("bar"))])
    });
    let captures = ["Foo".to_owned(), "Bar".to_owned()];
    let template = compile_with(text).map_err(|error| error.to_string())?;
    let data = TemplateData {
        subject: "alice",
        extra: Some(&Members::from(extra.as_object().unwrap().clone())),
        header: &HEADER,
        captures: &captures,
        method: "GET",
        scheme: "http",
        host: "ex.com:8080",
        path: "/a%20b",
        raw_query: "a=7&b=8",
        force_query: false,
        request_header: &HEADER,
    };
    let mut out = String::new();
    template.render(&data, &mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

#[test]
fn templates_render_as_in_the_reference() {
    let rows = [
        ("{{ print .Subject }}", "alice"),
        ("realm:resources:users:{{ print .Subject }}", "realm:resources:users:alice"),
        ("{{ print .Subject }} {{ print .Extra.iss }} {{ print .Extra.aud }}", "alice issuer audience"),
        ("{{ print .Extra.nested.int }}", "10"),
        ("{{ print .Extra.nested.float64 }}", "3.14159"),
        ("{{ print .Extra.nested.bool }}", "true"),
        ("{{ print .Extra.nested.nil }}", ""),
        ("{{- (index .Extra \"example.com/some-claims\") | join \",\" -}}", "Foo,Bar"),
        ("{{ index .MatchContext.RegexpCaptureGroups 0}}", "Foo"),
        ("{{ printIndex .MatchContext.RegexpCaptureGroups (sub 2 1 | int)}}", "Bar"),
        ("{{ printIndex .MatchContext.RegexpCaptureGroups 5 }}", ""),
        // 6.3
        ("{{ .Extra.foo }}", "<no value>"),
        ("{{ index .Extra \"foo\" }}", "<no value>"),
        ("{{ print .Extra.foo }}", ""),
        ("{{ .Extra.nested.b }}", "<no value>"),
        ("{{ .Extra.foo | default \"x\" }}", "x"),
        ("{{ .Extra.foo | toString }}", "<nil>"),
        ("{{ .Extra.foo | quote }}", ""),
        ("{{ .Extra.foo | toJson }}", "null"),
        ("{{ .Extra.foo | join \",\" }}", ""),
        ("{{ if .Extra.foo }}a{{ else }}b{{ end }}", "b"),
        ("{{ eq .Extra.foo \"x\" }}", "false"),
        ("{{ range .Extra.foo }}x{{ else }}none{{ end }}", "none"),
        ("{{ .MatchContext.Header.Get \"x\" }}", ""),
        ("{{ .MatchContext.Header.Get \"X-Foo\" }}", "bar"),
        // 6.5
        ("{{ .Extra.exp }}", "1.516239022e+09"),
        ("{{ .Extra.million }}", "1e+06"),
        ("{{ .Extra.hundred }}", "100000"),
        ("{{ .Extra.small }}", "1e-05"),
        ("{{ .Extra.exp | int64 }}", "1516239022"),
        ("{{ .Extra.exp | toJson }}", "1516239022"),
        ("{{ .Extra.roles }}", "[admin dev]"),
        ("{{ .Extra.nested }}", "map[bool:true float64:3.14159 html:<&> int:10]"),
        ("{{ printf \"%d\" .Extra.num }}", "%!d(float64=5)"),
        ("{{ printf \"%s-%05d|%-4s|%.2f\" \"a\" 42 \"b\" 1.005 }}", "a-00042|b   |1.00"),
        ("{{ printf \"%+q\" .Extra.roles }}", "[\"admin\" \"dev\"]"),
        (
            "{{ toJson .Extra.nested }}",
            "{\"bool\":true,\"float64\":3.14159,\"html\":\"\\u003c\\u0026\\u003e\",\"int\":10}",
        ),
        // control, variables, functions
        ("{{ $x := .Subject }}{{ with $x }}<{{ . }}>{{ end }}", "<alice>"),
        ("{{ range $i, $v := .Extra.roles }}{{ if $i }},{{ end }}{{ $v }}{{ end }}", "admin,dev"),
        ("{{ range .Extra.roles }}{{ if eq . \"dev\" }}{{ break }}{{ end }}{{ . }}{{ end }}", "admin"),
        ("{{ if eq .Subject \"bob\" }}1{{ else if eq .Subject \"alice\" \"x\" }}2{{ else }}3{{ end }}", "2"),
        ("a {{- /* gone */ -}} b", "ab"),
        ("a\n  {{- .Subject -}}  \nb", "aaliceb"),
        ("{{ `raw \"x\"` }}{{ 'a' }}", "raw \"x\"97"),
        ("{{ .Subject | upper | trunc 3 | quote }}", "\"ALI\""),
        ("{{ or .Extra.missing .Extra.iss }}{{ and .Extra.iss .Extra.missing | default \"-\" }}", "issuer-"),
        ("{{ if and .Extra.missing .Extra.missing.deeper }}x{{ end }}", ""),
        (
            "{{ .MatchContext.URL.Path }} {{ .MatchContext.URL.Query.Get \"b\" }} {{ .MatchContext.Method }}",
            "/a b 8 GET",
        ),
        ("{{ .MatchContext.URL }} {{ .MatchContext.URL.Hostname }}", "http://ex.com:8080/a%20b?a=7&b=8 ex.com"),
        ("{{ env \"TOKEN\" }}", "user:pässword"),
        ("{{ expandenv \"[$TOKEN.${TOKEN}] $\" }}", "[user:pässword.user:pässword] $"),
        ("{{ expandenv \"$12 $/ ${1}\" }}", "user:pässword2 $/ user:pässword"),
        ("{{ secret \"jira\" }}", "s3cr3t"),
        ("Basic {{ secret \"jira\" | b64enc }}", "Basic czNjcjN0"),
        ("Basic {{ env \"TOKEN\" | b64enc }}", "Basic dXNlcjpww6Rzc3dvcmQ="),
        (
            "{{ replace \"l\" \"L\" .Extra.text }}{{ substr 0 2 .Extra.text }}{{ trimPrefix \"he\" .Extra.text }}",
            "heLLohello",
        ),
        ("{{ .Subject }}:{{ derivePassword 1 \"pin\" \"a\" \"b\" \"c\" }}", "alice:9016"),
        ("{{ ternary \"y\" \"n\" (hasPrefix \"al\" .Subject) }}", "y"),
        ("{{ (splitList \",\" \"a,b,c\") | last }}{{ (split \",\" \"a,b\")._1 }}", "cb"),
        ("}} literal", "}} literal"),
        // define, template, block, range over a number: each answer is the reference's
        ("{{ define \"t\" }}T{{ . }}{{ end }}{{ template \"t\" .Subject }}", "Talice"),
        ("{{ template \"x\" }}{{ define \"x\" }}[{{ . }}{{ $ }}]{{ end }}", "[<no value><no value>]"),
        ("{{ block \"b\" .Subject }}<{{ . }}>{{ end }}{{ template \"b\" 5 }}", "<alice><5>"),
        ("{{ define \"x\" }}a{{ end }}{{ define \"x\" }} {{ end }}{{ template \"x\" }}", "a"),
        (
            "{{ define \"r\" }}{{ if . }}{{ . }}{{ template \"r\" (int (sub . 1)) }}{{ end }}{{ end }}{{ template \"r\" 5 }}",
            "54321",
        ),
        ("{{ $x := 1 }}{{ define \"y\" }}{{ $x := 2 }}{{ $x }}{{ end }}{{ template \"y\" }}{{ $x }}", "21"),
        ("{{ range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "02"),
        ("{{ range 0 }}x{{ else }}none{{ end }}", "none"),
        ("{{ range 1000000000 }}{{ . }}{{ break }}{{ end }}", "0"),
    ];
    for (text, expected) in rows {
        assert_eq!(render(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn faults_are_named() {
    let rows = [
        ("{{ Invalid Template }}", "function \"Invalid\" not defined"),
        ("{{ .UnknownField }}", "can't evaluate field UnknownField"),
        ("{{ .foo }}", "can't evaluate field foo"),
        ("{{", "unclosed action"),
        ("{{ /* c */}}", "unexpected '/'"),
        ("{{/* c */ }}", "comment ends before closing delimiter"),
        ("{{ if .Subject }}", "unclosed {{if}}"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ .Extra.a.b }}", "nil pointer"),
        ("{{ print .Extra.a.b }}", "nil pointer"),
        ("{{ .Extra.text.b }}", "can't evaluate field b"),
        ("{{ index .Extra \"a\" \"b\" }}", "index of untyped nil"),
        ("{{ index .MatchContext.RegexpCaptureGroups 5 }}", "index out of range"),
        ("{{ .Extra.foo | upper }}", "expected string"),
        ("{{ lt .Extra.foo 1.0 }}", "comparison"),
        ("{{ len .Extra.foo }}", "len of type <nil>"),
        ("{{ eq .Extra.num 5 }}", "incompatible types"),
        ("{{ print }}", "wrong number of args for print: want 1 got 0"),
        ("{{ print 1 2 }}", "want 1 got 2"),
        ("{{ printIndex .MatchContext.RegexpCaptureGroups -1 }}", "out of range"),
        ("{{ div 1 0 }}", "divide by zero"),
        ("{{ env \"MISSING\" }}", "environment variable `MISSING` is not set"),
        ("{{ env \"EMPTY\" }}", "environment variable `EMPTY` is empty"),
        ("{{ secret \"missing\" }}", "secret `missing`: no source has it (line 1, column 3 of the template)"),
        ("{{ secret \"empty\" }}", "secret `empty`: it is empty"),
        ("{{ secret .Subject }}", "`secret` takes one constant text and no piped value, such as `secret \"NAME\"`"),
        ("{{ \"jira\" | secret }}", "one constant text"),
        ("{{ env .Subject }}", "one constant text"),
        ("{{ getHostByName \"x\" }}", "`getHostByName` is refused"),
        ("{{ template \"x\" .Subject }}", "template \"x\" not defined"),
        ("{{ if true }}{{ define \"x\" }}{{ end }}{{ end }}", "unexpected {{define}}"),
        ("{{ define \"x\" }}a{{ end }}{{ define \"x\" }}b{{ end }}", "multiple definition"),
        ("{{ define \"x\" }}a", "is not closed"),
        ("{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}", "nest too deeply"),
        ("{{ $x := 1 }}{{ define \"x\" }}{{ $x }}{{ end }}", "undefined variable"),
        ("{{ range 3 }}{{ block \"x\" . }}{{ break }}{{ end }}{{ end }}", "outside {{range}}"),
        ("{{ range $i, $v := 3 }}{{ end }}", "can't iterate"),
        ("{{ range 1000000000 }}{{ end }}", "too long"),
        ("{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}", "too long"),
        ("{{ $x }}", "undefined variable"),
        ("{{ lt 1i 2i }}", "invalid type for comparison"),
        ("{{ eq 1+0i 1 }}", "incompatible types for comparison"),
        ("{{ 1+2 }}", "bad number syntax: `1+2`"),
        ("{{ 1i2 }}", "illegal number syntax: `1i2`"),
        ("{{ 0x10i }}", "illegal number syntax: `0x10i`"),
        ("{{ 18446744073709551615 }}", "18446744073709551615 overflows int"),
        ("{{ 08 }}", "integer overflow: `08`"),
        ("{{ expandenv \"$MISSING\" }}", "environment variable `MISSING` is not set"),
        ("{{ expandenv \"${a b}\" }}", "after `${`"),
        ("{{ expandenv \"$$\" }}", "`$$` names no variable"),
        ("{{ expandenv \"a$*b\" }}", "`$*` names no variable"),
        ("{{ expandenv \"$2\" }}", "environment variable `2` is not set"),
        ("{{ expandenv \"${\" }}", "after `${`"),
        ("{{ .Subject | expandenv }}", "one constant text"),
        ("{{ bcrypt .Subject }}", "takes too long to be run for every request"),
        ("{{ range 11 }}{{ $x := htpasswd \"u:\" \"p\" }}{{ end }}", "called too often"),
        ("{{ repeat 100000 \"abcdef\" }}", "too long"),
        ("{{ range until 9999 }}{{ range until 9999 }}x{{ end }}{{ end }}", "too long or writes too much"),
    ];
    for (text, expected) in rows {
        let error = render(text).expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn constants_fold_and_secrets_are_marked() {
    let compile = |text| compile_with(text).unwrap();
    assert_eq!(compile("no-check").constant(), Some("no-check"));
    let basic = compile("Basic {{ env \"TOKEN\" }}");
    assert_eq!(basic.constant(), Some("Basic user:pässword"));
    assert!(basic.is_sensitive());
    assert!(!format!("{basic:?}").contains("pässword"));
    let named = compile("{{ secret \"jira\" }}{{ expandenv \"$TOKEN$TOKEN\" }}{{ secret \"jira\" }}");
    assert!(named.is_sensitive() && !format!("{named:?}").contains("s3cr3t"));
    let shown: Vec<String> = named.credentials().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["jira@7", "env:TOKEN"]);
    let subject = compile("{{ .Subject }}");
    assert_eq!((subject.constant(), subject.is_sensitive(), subject.reads_captures()), (None, false, false));
    assert!(compile("{{ printIndex .MatchContext.RegexpCaptureGroups 0 }}").reads_captures());
    assert!(compile("{{ . }}").reads_captures());
    // What the parts that never change print is known from the start.
    let folded = compile("{{ upper \"ab\" }}-{{ if .Subject }}{{ add 1 2 }}{{ end }}{{ .Subject }}");
    assert_eq!(folded.expected_size(), "AB-3".len() + compile("{{ .Subject }}").expected_size());
}

proptest::proptest! {
    #[test]
    fn compiling_and_rendering_never_panic(text in ".{0,60}", inside in "[ .a-zA-Z0-9$|(){}\"`:=,-]{0,40}") {
        let _ = render(&text);
        let _ = render(&format!("{{{{{inside}}}}}"));
        let _ = render(&format!("{{{{ range .Extra.roles }}}}{{{{{inside}}}}}{{{{ end }}}}"));
    }
}
