//! Both authenticators with a clock and side services that a test scripts: the sequences of pipeline spec
//! 8.2 and 8.3, and what must never be shared.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::step::Step;
use keyward_core::ports::UnixTime;
use serde_json::{Value, json};

use crate::authenticators::oauth2_client_credentials;
use crate::bench::{BEGIN, Bench, request, shown};

fn ann() -> Value {
    json!({"active": true, "sub": "ann", "scope": "scope-a", "iss": "foo", "aud": ["audience"]})
}

const TOKEN: &str = "Bearer t";

/// [T] of pipeline spec 8.3: where the endpoint judges scopes, every request asks it.
#[test]
fn scopes_that_the_endpoint_judges_are_never_remembered() {
    let bench = Bench::new(&[(200, ann()), (200, ann()), (200, json!({"active": false}))]);
    let checks = json!({"trusted_issuers": ["foo", "bar"], "target_audience": ["audience"]});
    let with = |scope: &str| {
        let mut config = checks.clone();
        config["required_scope"] = json!([scope]);
        bench.introspection(config)
    };
    let free = bench.introspection(checks.clone());
    assert_eq!(bench.ask(&*free, TOKEN), (Ok("ann".into()), 1));
    assert_eq!(bench.ask(&*free, TOKEN), (Ok("ann".into()), 0));
    assert_eq!(bench.ask(&*with("scope-a"), TOKEN), (Ok("ann".into()), 1));
    assert_eq!(bench.ask(&*with("scope-b"), TOKEN), (Err(401), 1));
}

/// [T] of pipeline spec 8.3, and GHSA-qvp4-rpmr-xwrr: a remembered answer is judged by the rule at hand.
#[test]
fn ghsa_qvp4_rpmr_xwrr_every_demand_is_judged_on_a_hit() {
    let bench = Bench::new(&[(200, ann())]);
    let rows = [
        (json!({"required_scope": ["scope-a"]}), (Ok("ann".to_owned()), 1)),
        (json!({}), (Ok("ann".to_owned()), 0)),
        (json!({"required_scope": ["scope-a"]}), (Ok("ann".to_owned()), 0)),
        (json!({"required_scope": ["scope-b"]}), (Err(403), 0)),
        (json!({"target_audience": ["not-audience"]}), (Err(403), 0)),
        (json!({"trusted_issuers": ["not-foo", "bar"]}), (Err(403), 0)),
    ];
    for (mut config, expected) in rows {
        config["scope_strategy"] = json!("wildcard");
        assert_eq!(bench.ask(&*bench.introspection(config.clone()), TOKEN), expected, "{config}");
    }
}

/// [T] of pipeline spec 8.3: failures are asked for again each time.
#[test]
fn failures_are_never_remembered() {
    let answers = [
        (200, json!({"active": true, "token_use": "refresh_token"}), 403),
        (200, json!({"active": false}), 401),
        (200, json!({"active": true, "exp": 1}), 401),
        (200, json!([]), 500),
        (404, json!({}), 500),
        (429, json!({}), 429),
    ];
    for (status, body, denied) in answers {
        let bench = Bench::new(&[(status, body.clone())]);
        for strategy in ["none", "wildcard"] {
            let handler = bench.introspection(json!({"scope_strategy": strategy}));
            assert_eq!(bench.ask(&*handler, TOKEN), (Err(denied), 1), "{status} {body}");
            assert_eq!(bench.ask(&*handler, TOKEN), (Err(denied), 1), "{status} {body}");
        }
    }
}

/// [T] of pipeline spec 8.3, and W33: `ttl` and `exp` both end an entry, a minute does where there is neither.
#[test]
fn entries_end() {
    let seconds = BEGIN / 1000;
    let mut expiring = ann();
    expiring["exp"] = json!(seconds + 2);
    let rows = [
        (ann(), json!({"enabled": true, "ttl": "100ms"}), 100, Ok("ann".to_owned())),
        (ann(), json!({"enabled": true, "ttl": "0s"}), 60_000, Ok("ann".to_owned())),
        (ann(), json!({"enabled": true}), 60_000, Ok("ann".to_owned())),
        (expiring.clone(), json!({"enabled": true, "ttl": "1h"}), 2000, Err(401)),
        (expiring, json!({"enabled": true}), 2000, Err(401)),
    ];
    for (answer, cache, life, after) in rows {
        let bench = Bench::new(&[(200, answer)]);
        let handler = bench.introspection(json!({"cache": cache.clone()}));
        assert_eq!(bench.ask(&*handler, TOKEN), (Ok("ann".into()), 1));
        // A hit does not make an entry live longer.
        bench.pass(life / 2);
        assert_eq!(bench.ask(&*handler, TOKEN), (Ok("ann".into()), 0), "{cache}");
        bench.pass(life / 2 - 1);
        assert_eq!(bench.ask(&*handler, TOKEN), (Ok("ann".into()), 0), "{cache}");
        bench.pass(1);
        assert_eq!(bench.ask(&*handler, TOKEN), (after, 1), "{cache}");
    }
}

/// [T] of pipeline spec 8.3, GHSA-4mq7-pvjg-xp2r and W34: whatever could change the answer keeps entries apart.
#[test]
fn ghsa_4mq7_pvjg_xp2r_nothing_is_shared_across_other_inputs() {
    let pre = |secret: &str, scope: &str| {
        json!({"pre_authorization": {"enabled": true, "client_id": "i", "client_secret": secret,
            "token_url": "http://hydra/token", "scope": [scope]}})
    };
    let mut answer = ann();
    answer["access_token"] = json!("pre");
    let rows = [
        (json!({}), TOKEN, 1),
        (json!({}), "Bearer other", 1),
        (json!({"introspection_url": "http://other/introspect"}), TOKEN, 1),
        (json!({"introspection_request_headers": {"X-Tenant": "a"}}), TOKEN, 1),
        (json!({"introspection_request_headers": {"X-Tenant": "b"}}), TOKEN, 1),
        (json!({"preserve_host": true}), TOKEN, 1),
        (json!({"scope_strategy": "exact"}), TOKEN, 1),
        (json!({"cache": {"enabled": true, "ttl": "5s"}}), TOKEN, 1),
        (pre("s", "a"), TOKEN, 2),
        (pre("z", "a"), TOKEN, 2),
        (pre("s", "b"), TOKEN, 2),
    ];
    let bench = Bench::new(&[(200, answer)]);
    for again in [false, true] {
        for (config, token, calls) in &rows {
            let outcome = bench.ask(&*bench.introspection(config.clone()), token);
            assert_eq!(outcome, (Ok("ann".into()), if again { 0 } else { *calls }), "{config} {token}");
        }
    }
}

/// CVE-2026-71326: one call for all who ask the same at once, and only for them.
#[test]
fn a_storm_of_one_token_is_one_call() {
    for (status, expected) in [(200, Ok("ann".to_owned())), (500, Err(500))] {
        let bench = Bench::new(&[(status, ann())]);
        let handler = bench.introspection(json!({}));
        bench.world.held.store(true, Ordering::Relaxed);
        let requests: Vec<GatedRequest> = [TOKEN, TOKEN, TOKEN, "Bearer other"].map(request).into();
        let mut waiting: Vec<_> = requests
            .iter()
            .map(|request| match handler.authenticate(request, UnixTime(0)) {
                Step::Pending(future) => future,
                Step::Ready(_) => panic!("nothing is remembered yet"),
            })
            .collect();
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.iter_mut().all(|future| future.as_mut().poll(&mut context).is_pending()));
        assert_eq!(bench.world.calls.lock().unwrap().len(), 2);
        // Whoever made the call goes away: the next makes it.
        drop(waiting.remove(0));
        assert!(waiting.iter_mut().all(|future| future.as_mut().poll(&mut context).is_pending()));
        assert_eq!(bench.world.calls.lock().unwrap().len(), 3);
        bench.world.held.store(false, Ordering::Relaxed);
        let mut done: Vec<Option<Result<String, u16>>> = vec![None; waiting.len()];
        for _ in 0..waiting.len() {
            for (future, done) in waiting.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
                if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
                    *done = Some(shown(outcome));
                }
            }
        }
        assert!(done.iter().all(|outcome| outcome.as_ref() == Some(&expected)), "{done:?}");
        assert_eq!(bench.world.calls.lock().unwrap().len(), 3);
    }
}

/// The token for the endpoint is fetched when needed, shared, replaced in time, and tried by form as well.
#[test]
fn pre_authorization() {
    let pre = json!({"cache": {"enabled": false}, "pre_authorization": {"enabled": true, "client_id": "i",
        "client_secret": "s", "token_url": "http://hydra/token"}});
    let token = json!({"access_token": "pre", "expires_in": 20});
    let refusal = json!({"error": "invalid_client"});
    let bench = Bench::new(&[
        (401, refusal.clone()),
        (200, token.clone()),
        (200, ann()),
        (200, ann()),
        (200, token),
        (200, ann()),
    ]);
    let handler = bench.introspection(pre.clone());
    assert!(bench.world.calls.lock().unwrap().is_empty());
    assert_eq!(bench.ask(&*handler, TOKEN), (Ok("ann".into()), 3));
    bench.pass(9_999);
    assert_eq!(bench.ask(&*handler, TOKEN), (Ok("ann".into()), 1));
    bench.pass(1);
    assert_eq!(bench.ask(&*handler, TOKEN), (Ok("ann".into()), 2));
    let form = "http://hydra/token client_id=i&client_secret=s&grant_type=client_credentials ";
    let call = "http://hydra/introspect scope=&token=t Bearer pre";
    let basic = "http://hydra/token grant_type=client_credentials Basic aTpz";
    assert_eq!(*bench.world.calls.lock().unwrap(), [basic, form, call, call, form, call]);

    let bench = Bench::new(&[(401, refusal)]);
    assert_eq!(bench.ask(&*bench.introspection(pre), TOKEN), (Err(500), 2));
}

/// [T] of pipeline spec 2.7 and 8.2.
#[test]
fn clients_that_got_a_token_are_remembered() {
    let client = |over: Value| {
        let mut config = json!({"token_url": "http://hydra/token", "cache": {"enabled": true}});
        config.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        config
    };
    const ANN: &str = "Basic Y2xpZW50OnNlY3JldA==";
    let token = |life: Value| (200, json!({"access_token": "at", "expires_in": life}));
    let bind = |bench: &Bench, over: Value| bench.bind(&oauth2_client_credentials::Kind, &client(over));

    let bench = Bench::new(&[token(json!(1)), (503, json!({}))]);
    let handler = bind(&bench, json!({}));
    assert_eq!(bench.ask(&*handler, TOKEN), (Ok("not responsible".into()), 0));
    assert_eq!(bench.ask(&*handler, ANN), (Ok("client".into()), 1));
    assert_eq!(bench.ask(&*handler, ANN), (Ok("client".into()), 0));
    // Another secret of the same client is another client.
    assert_eq!(bench.ask(&*handler, "Basic Y2xpZW50OmJhZA=="), (Err(503), 1));
    bench.pass(1000);
    assert_eq!(bench.ask(&*handler, ANN), (Err(503), 1));

    let bench = Bench::new(&[token(json!(60))]);
    for over in [
        json!({}),
        json!({"required_scope": ["a"]}),
        json!({"token_url": "http://other/token"}),
        json!({"cache": {"enabled": true, "ttl": "6h"}}),
    ] {
        assert_eq!(bench.ask(&*bind(&bench, over.clone()), ANN), (Ok("client".into()), 1), "{over}");
        assert_eq!(bench.ask(&*bind(&bench, over.clone()), ANN), (Ok("client".into()), 0), "{over}");
    }

    let rows = [
        (json!({"enabled": true, "ttl": "100ms"}), json!(60), 100),
        (json!({"enabled": true, "ttl": "6h"}), json!(2), 2000),
        (json!({"enabled": true}), Value::Null, 60_000),
        (json!({"enabled": true, "ttl": "6h"}), Value::Null, 0),
        (json!({"enabled": false}), json!(60), 0),
    ];
    for (cache, life, remembered) in rows {
        let bench = Bench::new(&[token(life)]);
        let handler = bind(&bench, json!({"cache": cache.clone()}));
        assert_eq!(bench.ask(&*handler, ANN), (Ok("client".into()), 1));
        if remembered > 0 {
            bench.pass(remembered - 1);
            assert_eq!(bench.ask(&*handler, ANN), (Ok("client".into()), 0), "{cache}");
            bench.pass(1);
        }
        assert_eq!(bench.ask(&*handler, ANN), (Ok("client".into()), 1), "{cache}");
    }
}

/// [T] of pipeline spec 2.7: what a token endpoint answers, and what the caller gets.
#[test]
fn token_endpoint_statuses() {
    let token = json!({"access_token": "at"});
    let rows = [
        (200, token.clone(), Ok("client".to_owned())),
        (401, json!({}), Err(401)),
        (403, json!({}), Err(401)),
        (400, token.clone(), Err(401)),
        (200, json!({"access_token": "at", "error": "x"}), Err(401)),
        (429, json!({}), Err(429)),
        (503, json!({}), Err(503)),
        (500, json!({}), Err(500)),
        (504, json!({}), Err(504)),
        (404, json!({}), Err(404)),
        (302, token, Err(503)),
        (200, json!({}), Err(503)),
        (200, json!([]), Err(503)),
    ];
    for (status, body, expected) in rows {
        let bench = Bench::new(&[(status, body.clone())]);
        let config = json!({"token_url": "http://hydra/token"});
        let handler = bench.bind(&oauth2_client_credentials::Kind, &config);
        assert_eq!(bench.ask(&*handler, "Basic Y2xpZW50OnNlY3JldA=="), (expected, 1), "{status} {body}");
        assert_eq!(bench.ask(&*handler, "Basic JXp6OnM="), (Err(401), 0));
    }
}

proptest::proptest! {
    /// GHSA-qvp4-rpmr-xwrr: whatever was asked before under whatever demands, a remembered answer decides as
    /// a fresh one does.
    #[test]
    fn a_warm_cache_decides_as_none_does(
        members in (0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize, 0..4_usize),
        asked in proptest::collection::vec((0..3_usize, 0..3_usize, 0..3_usize, 0..4_usize, 0..3000_u64), 1..8),
    ) {
        let (scope, issuer, audience, token_use, expires) = members;
        let seconds = BEGIN / 1000;
        let answer = json!({
            "active": true,
            "sub": "ann",
            "scope": (["", "a", "a b.c"][scope]),
            "iss": (["", "foo", "bar"][issuer]),
            "aud": ([json!([]), json!("x"), json!(["x", "y"])][audience]),
            "token_use": (["", "access_token", "refresh_token"][token_use]),
            "exp": ([0, seconds, seconds + 2, seconds + 5][expires]),
        });
        let bench = Bench::new(&[(200, answer)]);
        for (required, issuers, audiences, strategy, pause) in asked {
            bench.pass(pause);
            let mut demands = json!({
                "required_scope": ([json!([]), json!(["a"]), json!(["a", "b.c.d"])][required]),
                "trusted_issuers": ([json!([]), json!(["foo"]), json!(["foo", "bar"])][issuers]),
                "target_audience": ([json!([]), json!(["x"]), json!(["x", "y"])][audiences]),
                "scope_strategy": (["none", "exact", "hierarchic", "wildcard"][strategy]),
            });
            let warm = bench.ask(&*bench.introspection(demands.clone()), TOKEN).0;
            demands["cache"] = json!({"enabled": false});
            let cold = bench.ask(&*bench.introspection(demands), TOKEN).0;
            proptest::prop_assert_eq!(warm, cold);
        }
    }
}
