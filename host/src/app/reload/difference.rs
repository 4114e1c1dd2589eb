//! The keys at which two configurations differ and that cannot change while the host runs.

use crate::config::Config;
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// A key whose value comes into force with the next start.
pub(super) struct Waiting {
    /// Its name, with the names of its tables before it.
    pub(super) key: String,
    in_force: Option<Value>,
    configured: Option<Value>,
}

impl Waiting {
    /// Says so in the log.
    pub(super) fn tell(&self) {
        let Self { key, in_force, configured } = self;
        // What guests are set up with may be secret.
        if key.contains(".settings.") {
            tracing::warn!(%key, "the configuration has changed here, which takes effect at the next start");
        } else {
            let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "unset".to_owned(), Value::to_string);
            tracing::warn!(
                %key,
                in_force = text(in_force),
                configured = text(configured),
                "the configuration has changed here, which takes effect at the next start"
            );
        }
    }
}

/// What a configuration has otherwise than the one in force, which is what waits for a restart; in the order of the keys.
pub(super) fn waiting(in_force: &Config, configured: &Config) -> Vec<Waiting> {
    let (mut before, mut now) = (values(in_force), values(configured));
    let keys: BTreeSet<_> = before.keys().chain(now.keys()).cloned().collect();
    let differing = keys.into_iter().filter_map(|key| {
        let (in_force, configured) = (before.remove(&key), now.remove(&key));
        (in_force != configured).then_some(Waiting { key, in_force, configured })
    });
    differing.collect()
}

/// What is said of each key, whose name is that of its tables and its own, with dots between.
fn values(config: &Config) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    // What every host prints with --print-config can be read.
    let table = config.to_toml().ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    collect("", table, &mut values);
    values
}

fn collect(prefix: &str, table: Table, values: &mut BTreeMap<String, Value>) {
    for (name, value) in table {
        match value {
            Value::Table(table) => collect(&format!("{prefix}{name}."), table, values),
            value => drop(values.insert(format!("{prefix}{name}"), value)),
        }
    }
}
