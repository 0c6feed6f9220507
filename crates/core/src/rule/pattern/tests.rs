//! Tables of serving spec 5.5 to 5.7: their rows marked [T] come first, then those marked [X], then Keyward's own.
#![allow(clippy::unwrap_used)]

use super::delimiter::Part;
use super::*;

/// [T] of serving spec 5.5; what stands between delimiters instead of where it stands.
#[test]
fn delimiter_rows() {
    for text in ["<", ">", ">>", "><>", "foo.bar<var", "foo.bar>var", "foo.bar><var", "foo.bar<<>var"] {
        assert!(delimiter::split(text).is_err(), "{text}");
    }
    let variable = |text: &str| Part::Variable(text.to_owned());
    let literal = |text: &str| Part::Literal(text.to_owned());
    assert_eq!(delimiter::split("foo.bar<<>>").unwrap(), [literal("foo.bar"), variable("<>")]);
    assert_eq!(delimiter::split("foo.bar<<>><>").unwrap(), [literal("foo.bar"), variable("<>"), variable("")]);
    assert_eq!(
        delimiter::split("foo.bar<<>><>tt<>").unwrap(),
        [literal("foo.bar"), variable("<>"), variable(""), literal("tt"), variable("")]
    );
}

fn check(strategy: Strategy, pattern: &str, yes: &[&str], no: &[&str]) {
    let compiled = Pattern::compile(pattern, strategy).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for subject in yes {
        assert_eq!(compiled.is_match(subject), Ok(true), "{pattern} / {subject}");
        assert!(subject.starts_with(&**compiled.literal_prefix()), "{pattern} / {subject}");
    }
    for subject in no {
        assert_eq!(compiled.is_match(subject), Ok(false), "{pattern} / {subject}");
    }
}

/// [T] of serving spec 5.7 as far as `https://localhost/users/<[0-9]*>`, and that a glob has no capture groups.
#[test]
fn glob_rows() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("urn:foo:<?>", &["urn:foo:u"], &["urn:foo:user", "urn:foo:"]),
        ("urn:foo:<?>&&<?>", &["urn:foo:w&&r"], &[]),
        ("urn:foo:<?>?<?>", &["urn:foo:w?r"], &["urn:foo:w&r"]),
        ("urn:foo:<*>", &["urn:foo:user", "urn:foo:"], &[]),
        ("urn:foo:<*>:<*>", &["urn:foo:usr:swen"], &[]),
        ("*:foo:<*>:<*>", &["*:foo:usr:swen"], &["urn:foo:usr:swen"]),
        ("urn:foo:<*>:role:<?>", &["urn:foo:usr:role:a"], &["urn:foo:usr:role:admin"]),
        ("urn:foo:<m[a,o,u]n>", &["urn:foo:man"], &["urn:foo:moon"]),
        ("urn:foo:<m[!a,o,u]n>", &["urn:foo:min"], &["urn:foo:man"]),
        ("http://example.com/<*>", &["http://example.com/foo"], &["http://example.com/foo/bar"]),
        ("https://localhost/users/<[0-9]*>", &["https://localhost/users/1234"], &["https://localhost/users/abcd"]),
        ("http://h/<[0-9]*>", &["http://h/1", "http://h/1a"], &["http://h/", "http://h/1/2"]),
        ("http://h/<*>", &["http://h/a", "http://h/a:b"], &["http://h/a.b", "http://h/a/b"]),
        ("http://h/<**>", &["http://h/", "http://h/a", "http://h/a/b", "http://h/a.b/c"], &["http://h"]),
        ("http://h<**>", &["http://h", "http://h/x/y", "http://hx.evil/y"], &[]),
        ("http://h/<**>/a", &["http://h//a", "http://h/x/a", "http://h/x/y/a", "http://h/a"], &["http://ha"]),
        ("http://h/users/<**>/posts", &["http://h/users/1/posts", "http://h/users/posts"], &[]),
        ("http://h/users/<*>/posts", &["http://h/users/1/posts"], &["http://h/users/posts"]),
        ("http://h/x<**>x", &["http://h/x", "http://h/xx", "http://h/xyx"], &[]),
        ("http://h/<[!a]*>", &["http://h/b", "http://h/.x", "http://h//b"], &["http://h/a"]),
        ("http://<*>.ex.com/<**>", &["http://a.ex.com/x"], &["http://a.b.ex.com/x"]),
        ("http://h:<*>/x", &["http://h:8080/x"], &["http://h/x"]),
        ("http://h/<{a,{b,c}}>", &["http://h/a", "http://h/b", "http://h/c"], &[]),
        ("http://h/<{a,}>", &["http://h/a", "http://h/"], &[]),
        ("<{http,https}>://h/<*>", &["http://h/a", "https://h/a"], &[]),
        ("<http|https>://h/<*>", &["http|https://h/a"], &["http://h/a"]),
        ("http://h/<m.n>", &["http://h/m.n"], &["http://h/man"]),
        ("http://h/<a<b>>", &["http://h/a<b>"], &[]),
        ("http://h/<{a>", &["http://h/a"], &[]),
        ("http://h/<]>", &["http://h/]"], &[]),
        ("http://h/<}>", &["http://h/}"], &[]),
        // A brace, a class and an escape may reach over the literal text between two variable parts.
        ("http://h/<{a,>b<c}>", &["http://h/a", "http://h/bc"], &["http://h/abc"]),
        ("http://h/<{a>b,c<}>", &["http://h/ab", "http://h/c"], &["http://h/ab,c"]),
        ("http://h/<[a>b<]>", &["http://h/a", "http://h/b"], &["http://h/ab"]),
        ("http://h/<[,-]]>", &["http://h/,", "http://h/]", "http://h/A"], &["http://h/-]"]),
        ("http://h/<a\\>", &["http://h/a"], &["http://h/a\\"]),
        ("http://h/<***>", &["http://h/a", "http://h/a/b"], &["http://h/"]),
        // W11: alternatives match what they say (`glob-alternatives`).
        ("http://h/<{a*,b}>", &["http://h/ax", "http://h/b"], &["http://h/x"]),
        ("http://h/<{*a,b}>", &["http://h/xa", "http://h/b"], &["http://h/x"]),
        ("http://h/<{[0-9]*,x}>", &["http://h/12", "http://h/x"], &["http://h/a"]),
        ("http://h/<{a*,b?}>", &["http://h/a", "http://h/axx", "http://h/bx"], &["http://h/b"]),
        ("http://h/<{a/**,b}>", &["http://h/a/x", "http://h/b"], &[]),
        ("http://localhost:1234/<{foo*,bar*}>", &["http://localhost:1234/foo", "http://localhost:1234/bar"], &[]),
        ("http://h/<a{,/**}>", &["http://h/a", "http://h/a/b"], &["http://h/ab"]),
    ];
    for (pattern, yes, no) in rows {
        check(Strategy::Glob, pattern, yes, no);
    }
    let deep = format!("<{}a>", "{".repeat(200));
    let bad = ["<[>", "<[]>", "<[c-a]>", "<[a-c0-9]>", "<[a-]>", "<a", "a<{}>", "a<{,}>", "a<{>", "a<{b,{}}>", &deep];
    for pattern in bad.map(|inside| format!("http://h/{inside}")) {
        assert!(Pattern::compile(&pattern, Strategy::Glob).is_err(), "{pattern}");
    }
    assert_eq!(Pattern::compile("http://h/<**>", Strategy::Glob).unwrap().captures("http://h/a"), Ok(vec![]));
}

/// [T] of serving spec 5.6: the first five rows. That queries are not matched is in the scenario `rows-users-regexp`.
#[test]
fn regexp_rows() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("https://localhost/users/<[0-9]+>", &["https://localhost/users/1234"], &["https://localhost/users/abcd"]),
        (
            "https://localhost/users/<[[:digit:]]*>",
            &["https://localhost/users/1234"],
            &["https://localhost/users/abcd"],
        ),
        (
            "https://localhost/users/<(?!admin).*>",
            &["https://localhost/users/manager", "https://localhost/users/1234"],
            &["https://localhost/users/admin", "https://localhost/users/administrator"],
        ),
        ("urn:foo:<.?>", &["urn:foo:u"], &["urn:foo:user"]),
        ("http://localhost", &["http://localhost"], &["http://localhost/"]),
        ("http://h/<.*>", &["http://h/", "http://h/a/b"], &["xhttp://h/a", "http://h/a\nb", "http://h/a\n"]),
        ("http://h/<(?i)abc>", &["http://h/ABC"], &["http://H/abc"]),
        ("http://h<(/.*)?>", &["http://h", "http://h/"], &["http://hx"]),
        ("http://h/<a{2,3}>", &["http://h/aa"], &["http://h/a"]),
        ("http://h/<a{,3}b>", &["http://h/a{,3}b"], &["http://h/aab"]),
        // Subjects are ASCII: what is not is percent-encoded.
        ("http://h/<\\p{L}+>", &["http://h/x"], &["http://h/1", "http://h/é"]),
        ("http://h/<(?#c)x>", &["http://h/x"], &[]),
        ("http://h/<\\d+>", &["http://h/1"], &["http://h/١"]),
        ("http://h/<[a-z-[aeiou]]+>", &["http://h/xyz"], &["http://h/xe"]),
        ("http://h/<[a&&b]>", &["http://h/&", "http://h/a"], &["http://h/c"]),
        ("http://h/<[~~]>", &["http://h/~"], &[]),
        ("http://h/a.b", &["http://h/a.b"], &["http://h/axb"]),
        ("http://h/<>", &["http://h/"], &["http://h/a"]),
        ("http://h/<.*?>/<.*>", &["http://h/a/b"], &[]),
    ];
    for (pattern, yes, no) in rows {
        check(Strategy::Regexp, pattern, yes, no);
    }
    let bad = [
        "http://h/<(?<=/)x>",
        "http://h/<(?>a+)b>",
        "http://h/<\\_>",
        "http://h/<a(b>",
        "http://h/<[>",
        "http://h/<a|b)x(>",
    ];
    for pattern in bad {
        assert!(Pattern::compile(pattern, Strategy::Regexp).is_err(), "{pattern}");
    }
}

/// [T] of serving spec 5.6: the first four rows.
#[test]
fn capture_rows() {
    let rows: &[(&str, &str, &[&str])] = &[
        ("http://localhost", "http://localhost", &[]),
        ("http://localhost/<.*>", "http://localhost/user", &["user"]),
        ("<http|https>://localhost/<.*>", "http://localhost/user", &["http", "user"]),
        ("urn:foo:<.*>:<.*>", "urn:foo:user:one", &["user", "one"]),
        ("http://h/<(a)(b)?>", "http://h/a", &["a", "a", ""]),
        ("http://h/<(?P<n>x)>", "http://h/x", &["x", "x"]),
        ("http://h/<(?<a>x)(y)>", "http://h/xy", &["xy", "y", "x"]),
        ("http://h/<(?!q)(.)>", "http://h/x", &["x", "x"]),
    ];
    for (pattern, subject, expected) in rows {
        let compiled = Pattern::compile(pattern, Strategy::Regexp).unwrap();
        assert_eq!(compiled.captures(subject).unwrap(), *expected, "{pattern}");
    }
}

#[test]
fn literal_text_is_brought_into_the_gates_form() {
    let rows = [
        ("HTTP://Example.COM/Path", "http://example.com/Path"),
        ("http://h:80/x", "http://h/x"),
        ("https://h:443/x", "https://h/x"),
        ("https://h:80/x", "https://h:80/x"),
        ("http://h/a b/é", "http://h/a%20b/%C3%A9"),
        ("http://h/%7ea/%c3%a9", "http://h/~a/%C3%A9"),
        ("http://Auth<*>", "http://auth"),
    ];
    for (pattern, prefix) in rows {
        assert_eq!(&**Pattern::compile(pattern, Strategy::Glob).unwrap().literal_prefix(), prefix);
    }
}

/// The longest path that the gate lets through, with `end` at its end.
fn longest(end: &str) -> String {
    format!("http://h/{}{end}", "a".repeat(8 * 1024 - end.len()))
}

/// (what stands between the delimiters, the subject's end)
const RUNAWAYS: [(&str, &str); 14] = [
    ("(a|a)*(?!c)$", "!"),
    ("(a|aa)+(?=b)b", "!"),
    ("(a+)+(?!b)$", "!"),
    ("(?:a*)*\\b(?!c)x", "!"),
    ("(.*)(.*)(.*)(.*)(?=x)x", "!"),
    ("(?:(?'n'.*)\\k'n')+x", "!"),
    ("(?'n'a*)(?'m'a*)\\k'n'\\k'm'x", "!"),
    // No turning back, and yet no end: each place looks through all the rest.
    ("(?:(?=[^!]*!)a)*!", "!"),
    ("(?:(?=.*(?=.*!))a)*!", "!"),
    ("(?:(?=(?'n'.*))a)*\\k'n'x", "!"),
    ("(?:(?=(?:(?=.*!)a){1000})a)*x", "!"),
    ("(?:(?:(?=(.)?)){1000}){1000}(?:(?=(.)?)){100000000}x", "!"),
    ("(a*)*x", "!"),
    ("(?'n'a)*(?(n)(?:a*?)*?x|y)", "!"),
];

#[test]
fn runaway_patterns_end_by_the_step_limit() {
    for (inside, end) in RUNAWAYS {
        let pattern = Pattern::compile(&format!("http://h/<{inside}>"), Strategy::Regexp).unwrap();
        assert_eq!(pattern.is_match(&longest(end)), Err(MatchError), "{inside}");
        assert_eq!(pattern.captures(&longest(end)), Err(MatchError), "{inside}");
    }
    // An automaton needs no limit for what is as bad to an engine that backtracks.
    for inside in ["(a+)+$", "(a|aa)+", "(.*a){20}x"] {
        let pattern = Pattern::compile(&format!("http://h/<{inside}>b"), Strategy::Regexp).unwrap();
        assert_eq!(pattern.is_match(&longest("!")), Ok(false), "{inside}");
    }
    let glob = Pattern::compile(&format!("http://h/<{}>b", "a*".repeat(30)), Strategy::Glob).unwrap();
    assert_eq!(glob.is_match(&longest("!")), Ok(false));
}

#[test]
fn what_rules_need_stays_far_below_the_limit() {
    for inside in ["(?!admin).*", "((?!admin).)*", "(?:(?!/admin)/?[^/]+)*", "(?=.*a)(?=.*!)[^/]+", "(a*)*!"] {
        let pattern = Pattern::compile(&format!("http://h/<{inside}>"), Strategy::Regexp).unwrap();
        let mut steps = Steps::default();
        for _ in 0..4 {
            assert_eq!(pattern.is_match_within(&longest("!"), Spelling::Sent, &mut steps), Ok(true), "{inside}");
        }
    }
}

/// Rules that begin with a variable part are all asked.
#[test]
fn ten_thousand_ordinary_patterns_are_asked_for_one_request() {
    let url = format!("https://api.example.com/tenant-10000/{}", "users/1234/".repeat(20));
    let patterns = [
        ("<https?>://api.example.com/tenant-1/<.*>", Strategy::Regexp),
        ("<http|https>://api.example.com/tenant-1/<[^/]+>/<(?!admin).*>", Strategy::Regexp),
        ("<{http,https}>://api.example.com/tenant-1/<**>", Strategy::Glob),
    ];
    for (text, strategy) in patterns {
        let pattern = Pattern::compile(text, strategy).unwrap();
        let mut steps = Steps::default();
        for _ in 0..10_000 {
            assert_eq!(pattern.is_match_within(&url, Spelling::Sent, &mut steps), Ok(false), "{text}");
        }
    }
}

/// Ten thousand rules may cost one request what one may.
#[test]
fn many_patterns_share_the_steps_of_a_request() {
    let backtracking = format!("http://h/<{}>", "((?!x).)*x");
    let automaton = format!("http://h/<{}x>", "(?:a?[ab]?){30}");
    let glob = format!("http://h/<{}x>", "*a".repeat(30));
    for (text, strategy) in [(backtracking, Strategy::Regexp), (automaton, Strategy::Regexp), (glob, Strategy::Glob)] {
        let pattern = Pattern::compile(&text, strategy).unwrap();
        let mut steps = Steps::default();
        let asked = (0..10_000)
            .take_while(|_| pattern.is_match_within(&longest("!"), Spelling::Sent, &mut steps).is_ok())
            .count();
        assert!((1..1000).contains(&asked), "{text}: {asked}");
    }
}

proptest::proptest! {
    #[test]
    fn compiling_and_matching_never_panic(inside in ".{0,20}", url in ".{0,30}") {
        for strategy in [Strategy::Glob, Strategy::Regexp] {
            if let Ok(pattern) = Pattern::compile(&format!("http://h/<{inside}>"), strategy) {
                let _ = pattern.is_match(&url);
                let _ = pattern.captures(&url);
            }
        }
    }
}
