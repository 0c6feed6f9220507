//! How tokens are got, renewed and replaced.

use std::path::PathBuf;

use keyward_server::secrets::EnvironmentSecrets;
use keyward_server::secrets::vault::{Credentials, Given, Login};
use keyward_testkit::vault::{KUBERNETES, MOUNT, on_every_server, strangers_token};

use crate::asked::{Asked, GIVEN, by_file, by_kubernetes, by_role, by_role_of, fill};

#[test]
fn every_login_gets_a_token_and_a_refused_one_says_what_to_do() {
    let variables = |directory: PathBuf, name: &str| {
        let variables = EnvironmentSecrets::new(Some(directory));
        Login::Given(Given::Variable { variables, name: name.to_owned() })
    };
    // Somebody else's credentials, in place of those in a file.
    let with = |directory: PathBuf, name: &str, text: &str| {
        std::fs::write(directory.join(name), text).unwrap();
        directory
    };
    let other_role = |directory: PathBuf| Login::Method {
        mount: KUBERNETES.to_owned(),
        credentials: Credentials::Kubernetes { role: "other".to_owned(), token_file: directory.join("jwt") },
    };
    let other_mount = |login: Login| match login {
        Login::Method { credentials, .. } => Login::Method { mount: "keyward-none".to_owned(), credentials },
        given => given,
    };
    on_every_server("logins", |server| {
        let good = fill(server);
        server.token(GIVEN, 3600);
        server.logins(3600, true);
        type Row<'a> = (&'a str, &'a dyn Fn(PathBuf) -> Login, &'a str);
        let rows: &[Row<'_>] = &[
            ("a file", &by_file, &good),
            ("a variable", &|directory| variables(directory, "token"), &good),
            ("Kubernetes", &by_kubernetes, &good),
            ("AppRole", &by_role, &good),
            ("no variable", &|directory| variables(directory, "other"), "`other`, which should hold a token of Vault"),
            ("an empty token", &|directory| variables(directory, "empty"), "the token of Vault is empty"),
            ("no file", &|directory| by_file(directory.join("none")), "none/token`: No such file"),
            ("no service account", &|directory| by_kubernetes(directory.join("none")), "none/jwt`: No such file"),
            (
                "a stranger's token",
                &|directory| by_file(with(directory, "token", "nobody")),
                "or give a new token, if this one is over or revoked",
            ),
            (
                "an account that is not bound",
                &|directory| by_kubernetes(with(directory, "jwt", &strangers_token())),
                "to the login at `auth/keyward-test-kubernetes`; check that `auth/keyward-test-kubernetes` is",
            ),
            (
                "what is no account's token",
                &|directory| by_kubernetes(with(directory, "jwt", "nobody")),
                "to the login at `auth/keyward-test-kubernetes`; check that `auth/keyward-test-kubernetes` is",
            ),
            ("a role that is not there", &other_role, "400 to the login at `auth/keyward-test-kubernetes`; check that"),
            (
                "no such AppRole",
                &|directory| by_role_of("other", directory),
                "400 to the login at `auth/keyward-test-approle`; check that",
            ),
            (
                "another secret identifier",
                &|directory| by_role(with(directory, "secret-id", "other")),
                "the secret identifier is neither over nor used up",
            ),
            (
                "no such method",
                &|directory| other_mount(by_role(directory)),
                "to the login at `auth/keyward-none`; check that `auth/keyward-none` is an AppRole method",
            ),
        ];
        for (who, login, expected) in rows {
            let said = Asked::of(server, login).say("app");
            assert!(said.contains(expected), "{who}: {said}");
        }
    });
}

#[test]
fn tokens_are_renewed_at_half_of_their_life_and_replaced_when_they_cannot_be() {
    for (case, login) in [("renewal-kubernetes", by_kubernetes as fn(PathBuf) -> Login), ("renewal-approle", by_role)] {
        on_every_server(case, |server| {
            let good = fill(server);
            server.logins(100, true);
            let asked = Asked::of(server, login);
            // What happens before, and what is asked because of it.
            type Row<'a> = (&'a str, &'a dyn Fn(), &'a [&'a str]);
            let rows: &[Row<'_>] = &[
                ("a first fetch", &|| (), &["login", "read"]),
                ("nothing", &|| asked.pass(49), &["read"]),
                ("half of the life", &|| asked.pass(1), &["renew-self", "read"]),
                ("a life anew", &|| asked.pass(49), &["read"]),
                ("all of the life", &|| asked.pass(51), &["login", "read"]),
                ("a revocation", &|| server.revoke_all(), &["read", "lookup-self", "login", "read"]),
                (
                    "a revocation that is noticed at half of the life",
                    &|| {
                        server.revoke_all();
                        asked.pass(50);
                    },
                    &["renew-self", "login", "read"],
                ),
                (
                    "a renewal that fails",
                    &|| {
                        server.front().fault(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
                        asked.pass(50);
                    },
                    &["renew-self", "read"],
                ),
                (
                    "a renewal that is refused",
                    &|| server.forbid("auth/token/renew-self"),
                    &["renew-self", "login", "read"],
                ),
            ];
            for (what, happens, expected) in rows {
                happens();
                server.front().take_asked();
                assert_eq!(asked.say("app"), good, "{what}");
                assert_eq!(last(&server.front().take_asked()), *expected, "{what}");
            }
        });
    }
}

/// Such as a batch token.
#[test]
fn a_token_that_cannot_be_renewed_is_replaced_when_its_life_is_over() {
    on_every_server("not-renewable", |server| {
        let good = fill(server);
        server.logins(100, false);
        let asked = Asked::of(server, by_role);
        for (seconds, expected) in [(0, &["login", "read"][..]), (99, &["read"]), (1, &["login", "read"])] {
            asked.pass(seconds);
            assert_eq!(asked.say("app"), good);
            assert_eq!(last(&server.front().take_asked()), expected, "{seconds} s later");
        }
    });
}

#[test]
fn a_given_token_is_renewed_and_its_successor_is_noticed() {
    on_every_server("given", |server| {
        let good = fill(server);
        server.token(GIVEN, 100);
        let asked = Asked::of(server, by_file);
        assert_eq!(asked.say("app"), good);
        asked.pass(50);
        assert_eq!(asked.say("app"), good);
        assert_eq!(last(&server.front().take_asked()), ["lookup-self", "read", "renew-self", "read"]);
        server.revoke_all();
        assert!(asked.say("app").contains("or give a new token, if this one is over or revoked"));
        server.token("given-by-somebody-else", 0);
        std::fs::write(asked.directory.path().join("token"), "given-by-somebody-else\n").unwrap();
        assert_eq!(asked.say("app"), good);
    });
}

/// What it may not read, no other token of the same identity may.
#[test]
fn a_token_that_is_good_is_not_replaced_because_of_a_path_that_is_forbidden() {
    for (case, login) in [("kept-kubernetes", by_kubernetes as fn(PathBuf) -> Login), ("kept-approle", by_role)] {
        on_every_server(case, |server| {
            let good = fill(server);
            server.logins(100, true);
            server.forbid(&format!("{MOUNT}/data/closed"));
            let asked = Asked::of(server, login);
            assert_eq!(asked.say("app"), good);
            assert!(
                asked
                    .say("closed")
                    .ends_with("allow `read` on `keyward-test/data/closed` in a policy of this identity")
            );
            assert_eq!(asked.say("app"), good);
            assert_eq!(last(&server.front().take_asked()), ["login", "read", "closed", "lookup-self", "read"]);
        });
    }
}

/// A token that may do nothing but read secrets is as good as any.
#[test]
fn a_token_that_may_not_ask_about_itself_reads_all_the_same() {
    for (case, login) in [("silent-given", by_file as fn(PathBuf) -> Login), ("silent-approle", by_role)] {
        on_every_server(case, |server| {
            let good = fill(server);
            server.token(GIVEN, 3600);
            server.logins(100, true);
            server.forbid("auth/token/lookup-self");
            server.forbid(&format!("{MOUNT}/data/closed"));
            let asked = Asked::of(server, login);
            for _ in 0..2 {
                assert_eq!(asked.say("app"), good);
                let said = asked.say("closed");
                assert!(
                    said.contains("allow `read` on `keyward-test/data/closed` in a policy of this identity"),
                    "{said}"
                );
            }
        });
    }
}

/// The last parts of the paths that were asked for, `read` for that of the secret.
fn last(asked: &[String]) -> Vec<&str> {
    let last = asked.iter().map(|asked| asked.rsplit('/').next().unwrap_or_default());
    last.map(|name| if name == "app" { "read" } else { name }).collect()
}
