//! Which values come, and what is said of those that do not.

use keyward_server::secrets::backend::Wanted;
use keyward_server::secrets::vault::Options;
use keyward_testkit::vault::{MOUNT, on_every_server};
use serde_json::json;

use crate::asked::{Asked, GIVEN, LIMITS, by_file, by_role, fill, said, wanted};

#[test]
fn every_value_comes_or_says_why_not() {
    on_every_server("values", |server| {
        let good = fill(server);
        let older = json!({"token": "older"});
        for path in ["deleted", "destroyed", "closed", "a b/c?d", "a+b/%2f/ü"] {
            server.put(path, &older);
        }
        server.put("deleted", &older);
        server.delete("deleted", 2);
        server.destroy("destroyed", 1);
        server.forbid(&format!("{MOUNT}/data/closed"));
        server.token(GIVEN, 3600);
        let rows: &[(Wanted, &str)] = &[
            (wanted("app", Some("token"), None), &good),
            (wanted("app", Some("number"), None), "7 @2"),
            (wanted("app", Some("token"), Some("1")), "older @1"),
            (wanted("a b/c?d", Some("token"), None), "older @1"),
            (wanted("a+b/%2f/ü", Some("token"), None), "older @1"),
            (wanted("app", Some("list"), None), "`list` is a list, and no text; store it as a text, in quotes"),
            (wanted("app", Some("tokne"), None), "no member `tokne`; its members are `list`, `number`, `token`"),
            (wanted("app", None, None), "`app` holds an object; say which member, with `field`"),
            (
                wanted("app", Some("token"), Some("9")),
                "Vault answered 404 for `app`; check `id`, which is the path without",
            ),
            (wanted("none", Some("token"), None), "Vault answered 404 for `none`"),
            (wanted("deleted", Some("token"), None), "version 2 of `deleted` is deleted; undelete it with"),
            (wanted("deleted", Some("token"), Some("1")), "older @1"),
            (wanted("destroyed", Some("token"), None), "version 1 of `destroyed` is destroyed; write a new version"),
            (
                wanted("closed", Some("token"), None),
                "Vault answered 403 for `closed`; allow `read` on `keyward-test/data/closed` in a policy of this identity; or",
            ),
        ];
        let asked = Asked::of(server, by_file);
        let all: Vec<Wanted> = rows.iter().map(|row| row.0.clone()).collect();
        for (outcome, (wanted, expected)) in asked.fetch(&all).iter().zip(rows) {
            assert!(said(outcome).contains(expected), "{wanted:?}: {}", said(outcome));
        }
        let requests = server.front().take_asked();
        let reads = requests.iter().filter(|asked| asked.starts_with("GET keyward-test/data/app")).count();
        assert_eq!(reads, 3, "once for each version: {requests:?}");
    });
}

#[test]
fn a_mount_that_is_not_there_is_named() {
    on_every_server("no-mount", |server| {
        server.token(GIVEN, 3600);
        let asked =
            Asked::at(&server.front().url(), LIMITS, by_file, |options| options.mount = "keyward-none".to_owned());
        let said = asked.say("app");
        assert!(said.contains("Vault answered 404 for `app`; check `id`"), "{said}");
        assert!(said.contains("that `keyward-none` is a KV engine, version 2"), "{said}");
    });
}

#[test]
fn a_namespace_is_named() {
    on_every_server("namespace", |server| {
        if !server.enter("keyward-test-team") {
            return keyward_testkit::vault::tell("skipped: this server has no namespaces\n");
        }
        let good = fill(server);
        server.logins(3600, true);
        let url = server.front().url();
        let within = |namespace: &str| {
            let namespace = (!namespace.is_empty()).then(|| namespace.to_owned());
            Asked::at(&url, LIMITS, by_role, |options| options.namespace = namespace.clone()).say("app")
        };
        assert_eq!(within("keyward-test-team"), good);
        for elsewhere in ["", "keyward-test-none"] {
            let said = within(elsewhere);
            assert!(said.contains("to the login at `auth/keyward-test-approle`; check that"), "{elsewhere}: {said}");
        }
        let set = |options: &mut Options| options.namespace = Some("keyward-test-none".to_owned());
        let said = Asked::at(&url, LIMITS, by_file, set).say("app");
        assert!(said.starts_with("Vault answered 404 when asked about the token; check `namespace`"), "{said}");
    });
}

/// However many values are wanted, a Vault that is sealed is asked once.
#[test]
fn a_vault_that_is_sealed_is_asked_once() {
    on_every_server("sealed", |server| {
        let good = fill(server);
        server.token(GIVEN, 3600);
        let asked = Asked::of(server, by_file);
        assert_eq!(asked.say("app"), good);
        if !server.seal() {
            return keyward_testkit::vault::tell("skipped: no KEYWARD_VAULT_UNSEAL_KEY to unseal it with\n");
        }
        server.front().take_asked();
        let many: Vec<Wanted> = (0..100).map(|number| wanted(&format!("{number}"), Some("token"), None)).collect();
        for outcome in asked.fetch(&many) {
            assert!(said(&outcome).contains("unseal it"), "{}", said(&outcome));
        }
        assert_eq!(server.front().take_asked(), ["GET keyward-test/data/0"]);
        server.unseal();
        assert_eq!(asked.say("app"), good);
    });
}
