//! SIGHUP: every plugin's source is looked at, and what the configuration says now is compared with what is in force.

use super::notice;
use crate::config::{Config, RELOAD_TOLD_MS_MAX};
use crate::plugin::{Cause, Slots};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use toml::{Table, Value};

/// How long a reload may take before the service manager is told that it is over, whatever goes on.
const RELOAD_TOLD_MAX: Duration = Duration::from_millis(RELOAD_TOLD_MS_MAX);

/// Reads the configuration again, with the flags and variables that the host was started with laid over the file.
pub type Reread = Arc<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// Looks at every plugin's source, and tells the service manager when that is done.
pub(super) async fn load_all(slots: Arc<Slots>) {
    let load = |slot| {
        let slots = Arc::clone(&slots);
        tokio::spawn(async move { slots.load(&slot, Cause::Noticed).await })
    };
    // What a slow registry has to give comes in its own time.
    let _ = timeout(RELOAD_TOLD_MAX, join_all(slots.all().into_iter().map(load))).await;
    notice::ready();
}

/// Says in the log what of the configuration waits for a restart. Reads a file.
pub(super) fn compare(in_force: &Config, reread: &Reread) {
    let read = match reread() {
        Ok(read) => read,
        Err(error) => {
            tracing::error!("the configuration is not taken, and what was in force still is: {}", error.trim_end());
            return;
        }
    };
    let (before, now) = (values(in_force), values(&read));
    if before == now {
        tracing::info!("the configuration is the one in force");
    }
    let keys: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    for key in keys {
        let (was, is) = (before.get(key), now.get(key));
        if was == is {
            continue;
        }
        // What guests are set up with may be secret.
        if key.contains(".settings.") {
            tracing::warn!(%key, "the configuration has changed here, which takes effect at the next start");
        } else {
            let text = |value: Option<&Value>| value.map_or_else(|| "unset".to_owned(), Value::to_string);
            tracing::warn!(
                %key,
                in_force = text(was),
                configured = text(is),
                "the configuration has changed here, which takes effect at the next start"
            );
        }
    }
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
