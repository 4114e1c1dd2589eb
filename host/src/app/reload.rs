//! SIGHUP: every plugin's source is looked at, and what the configuration says now comes into force, as far as it can
//! without a restart.

use super::flows::{Changes, Flows};
use super::notice;
use crate::config::{Config, RELOAD_TOLD_MS_MAX};
use crate::plugin::{Cause, Slots};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
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

/// The configuration in force, and how another one comes into force.
pub(super) struct Reload {
    in_force: Mutex<Config>,
    reread: Reread,
    flows: Arc<Flows>,
}

impl Reload {
    pub(super) fn new(in_force: Config, reread: Reread, flows: Arc<Flows>) -> Self {
        Self { in_force: Mutex::new(in_force), reread, flows }
    }

    /// Reads the configuration again, and has its sockets and flows run. Says in the log what was changed, and what of it
    /// waits for a restart.
    pub(super) async fn apply(&self) {
        let mut in_force = self.in_force.lock().await;
        let reread = Arc::clone(&self.reread);
        let read = tokio::task::spawn_blocking(move || reread()).await;
        let read = match read.unwrap_or_else(|panic| Err(panic.to_string())) {
            Ok(read) => read,
            Err(error) => return tell_refused(error.trim_end()),
        };
        match self.flows.apply(&read).await {
            Ok(Changes { added, changed, removed }) => {
                for (lists, what) in [(added, "added"), (changed, "changed"), (removed, "removed")] {
                    for key in lists {
                        tracing::info!(%key, "the configuration has changed here: {what}");
                    }
                }
            }
            Err(error) => return tell_refused(&error),
        }
        compare(&in_force, &read);
        (in_force.sockets, in_force.flows) = (read.sockets, read.flows);
    }
}

fn tell_refused(error: &str) {
    tracing::error!("the configuration is not taken, and what was in force still is: {error}");
}

/// Says in the log what of the configuration waits for a restart.
fn compare(in_force: &Config, read: &Config) {
    let (before, now) = (values(in_force), values(read));
    if before == now {
        tracing::info!("the configuration is the one in force");
    }
    let keys: BTreeSet<_> = before.keys().chain(now.keys()).filter(|key| !is_live(key)).collect();
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

/// Whether a change of a key needs no restart.
fn is_live(key: &str) -> bool {
    key.starts_with("sockets.") || key.starts_with("flows.")
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
