//! The settings that only a start can change.

use crate::config::settings::Settings;

/// Their keys and values.
pub struct Fixed(Vec<(String, String)>);

impl Fixed {
    /// Those of a start.
    pub fn of(settings: &Settings) -> Self {
        let Settings { proxy, api, metrics, issuer, secrets, .. } = settings;
        let mut found = vec![
            ("serve.proxy.workers".to_owned(), proxy.workers.to_string()),
            ("serve.proxy.limits.token_cache_bytes".to_owned(), proxy.token_cache_bytes.to_string()),
            ("serve.prometheus.metric_name_prefix".to_owned(), metrics.prefix.clone()),
            ("secrets.traceable".to_owned(), secrets.traceable.to_string()),
            ("issuer".to_owned(), if issuer.is_some() { "present" } else { "absent" }.to_owned()),
        ];
        let own = issuer.iter().map(|issuer| &issuer.listener);
        for listener in [&proxy.listener, &api.listener, &metrics.listener].into_iter().chain(own) {
            found.push((format!("{}.host", listener.key), listener.host.clone()));
            found.push((format!("{}.port", listener.key), listener.port.to_string()));
        }
        Self(found)
    }

    /// The keys that have another value now.
    pub fn changed<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = &'a str> {
        let value = |key: &str| self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value);
        now.0.iter().filter(move |(key, new)| value(key).is_some_and(|old| old != new)).map(|(key, _)| key.as_str())
    }
}
