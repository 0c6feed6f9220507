//! The outside of the rules that are examined: nothing real, and the same every time.

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyward_core::credential::{Absent, NamedSecret};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::gate::GatedRequest;
use keyward_core::jwt::{KeySet, SigningSet, TokenCache};
use keyward_core::pipeline::decide::decide;
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::grant::CredentialedRequest;
use keyward_core::pipeline::shared::Shared;
use keyward_core::ports::{
    CallPolicy, Clock, KeySource, KeySources, LocalFuture, NoBody, Outside, Random, SecretSource, SideAnswer,
    SideClient, SideError, SideRequest, SigningSource, UnixTime,
};
use keyward_core::rule::alike::Alike;
use keyward_core::rule::compile::Compiler;
use keyward_core::rule::handlers::HandlerSettings;
use keyward_core::rule::model::read_rule;
use keyward_core::rule::pattern::Strategy;
use keyward_core::rule::rule_set::{Authorities, RuleSet};
use keyward_core::secret::Secret;
use keyward_handlers::TABLES;
use keyward_server::config::settings;
use keyward_server::config::yaml::{self, Dialect};

/// What every variable and every secret holds.
pub(crate) const SECRET: &str = "s3cr3t-0f-the-upstream";
/// What time it is, in seconds since 1970.
pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);
/// Public halves of the keys that tokens of conformance tests are signed with, and a shared key.
const KEYS: [&str; 2] =
    [include_str!("../../../conformance/keys/jwks.json"), include_str!("../../../conformance/keys/oct.jwks.json")];
const SIGNING: &str = include_str!("../../../conformance/keys/id_token.jwks.json");
/// Every handler may be used, and each has the settings that it cannot do without.
const CONFIGURATION: &str = include_str!("configuration.yaml");

/// The public keys of the conformance tests; the shared one is a set of its own, as it has to be.
pub(crate) static PUBLIC: LazyLock<Arc<KeySet>> = LazyLock::new(|| set(KEYS[0]));
/// The shared key.
pub(crate) static SHARED: LazyLock<Arc<KeySet>> = LazyLock::new(|| set(KEYS[1]));

fn set(document: &str) -> Arc<KeySet> {
    Arc::new(KeySet::parse(document.as_bytes()).unwrap())
}

/// A source of one set that never changes.
pub(crate) struct Fixed(pub(crate) Arc<KeySet>);

impl KeySource for Fixed {
    fn current(&self) -> Option<Arc<KeySet>> {
        Some(self.0.clone())
    }

    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn location(&self) -> &str {
        "fixed"
    }
}

struct World;

impl Clock for World {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn unix(&self) -> Duration {
        Duration::from_secs(NOW.0.unsigned_abs())
    }
}

impl Random for World {
    fn fill(&self, bytes: &mut [u8]) {
        for (byte, value) in bytes.iter_mut().zip((1..=251).cycle()) {
            *byte = value;
        }
    }
}

impl SecretSource for World {
    fn env(&self, _: &str) -> Option<Secret> {
        Some(Secret::new(SECRET))
    }

    fn secret(&self, _: &str) -> Result<NamedSecret, Absent> {
        Ok(NamedSecret { value: Secret::new(SECRET), version: "1".into(), hosts: None })
    }
}

impl KeySources for World {
    fn open(&self, url: &str) -> Result<Arc<dyn KeySource>, String> {
        Ok(Arc::new(Fixed(if url.ends_with("/oct") { SHARED.clone() } else { PUBLIC.clone() })))
    }

    fn open_signing(&self, _: &str) -> Result<Arc<dyn SigningSource>, String> {
        Ok(Arc::new(World))
    }
}

impl SigningSource for World {
    fn current(&self) -> Option<Arc<SigningSet>> {
        static SET: LazyLock<Arc<SigningSet>> =
            LazyLock::new(|| Arc::new(SigningSet::parse(SIGNING.as_bytes()).unwrap()));
        Some(SET.clone())
    }

    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl SideClient for World {
    fn call<'a>(&'a self, _: SideRequest, _: &'a CallPolicy) -> LocalFuture<'a, Result<SideAnswer, SideError>> {
        Box::pin(std::future::ready(Err(SideError::Broken("there are no side services".to_owned()))))
    }
}

/// The outside.
pub(crate) fn outside() -> Outside {
    Outside {
        secrets: Arc::new(World),
        keys: Arc::new(World),
        tokens: Arc::new(TokenCache::new(1 << 20)),
        side: Arc::new(World),
        clock: Arc::new(World),
        random: Arc::new(World),
    }
}

/// Rules that were compiled, and what was found.
pub(crate) struct Compiled {
    pub(crate) rules: RuleSet,
    pub(crate) findings: Vec<Diagnostic>,
}

/// Compiles a rule document.
pub(crate) fn compiled(document: &str, strategy: Strategy) -> Result<Compiled, Diagnostic> {
    static SETTINGS: LazyLock<HandlerSettings> = LazyLock::new(|| {
        let node = yaml::parse(CONFIGURATION, "configuration", Dialect::Core).unwrap();
        settings::check(&node).unwrap_or_else(|findings| panic!("{findings:?}")).0.handlers
    });
    let outside = outside();
    let compiler = Compiler {
        handlers: TABLES,
        settings: &SETTINGS,
        strategy,
        outside: &outside,
        shared: Shared::default(),
        alike: Alike::default(),
    };
    let (mut rules, mut findings) = (Vec::new(), Vec::new());
    yaml::parse_items(document, "rules", Dialect::Rules, &mut |node, doubled| {
        let number = u32::try_from(rules.len()).unwrap();
        rules.push(Arc::new(compiler.compile(number, &read_rule(node, doubled)?, &mut findings)));
        Ok(())
    })?;
    Ok(Compiled { rules: RuleSet::new(rules, Authorities::default(), "1".to_owned(), &|| {}), findings })
}

/// Rules of a property itself, all of which have to be sound.
pub(crate) fn sound(document: &str) -> RuleSet {
    let compiled = compiled(document, Strategy::Glob).unwrap_or_else(|problem| panic!("{problem}"));
    for rule in compiled.rules.rules() {
        assert!(rule.broken().is_none(), "{:?}", rule.broken());
    }
    compiled.rules
}

/// The request as it would be sent.
pub(crate) fn credentialed(rules: &RuleSet, mut request: GatedRequest) -> Result<CredentialedRequest, Denial> {
    let rule = rules.find(&request)?;
    let grant = at_once(decide(rule, &mut request, &mut NoBody, NOW))?;
    grant.credential(request, rule).map_err(|refused| refused.0)
}

/// What a future comes to that waits for nothing outside.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..16 {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return outcome;
        }
    }
    panic!("nothing here has to be waited for");
}
