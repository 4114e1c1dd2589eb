//! Another configuration comes into force while the host runs, as far as it can without a restart: at a SIGHUP that of the
//! file, by the admin surface what it is sent.

mod difference;

use super::flows::{Changes, Flows};
use super::http::RoutesInForce;
use super::{notice, sockets, through};
use crate::config::{self, Config, Document, Limits, RELOAD_TOLD_MS_MAX};
use crate::http::admin::{Applied, Reconfigure};
use crate::plugin::{Cause, Slots};
use crate::rehearsal::shadow::Apply;
use difference::{Waiting, waiting};
use futures_util::future::{BoxFuture, join_all};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

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
    /// What the instances of all plugins fit into.
    largest: Limits,
    reread: Reread,
    slots: Arc<Slots>,
    flows: Arc<Flows>,
    routes: RoutesInForce,
    /// Set when the host begins to end.
    draining: Arc<AtomicBool>,
}

impl Reload {
    pub(super) fn new(
        in_force: Config,
        reread: Reread,
        slots: Arc<Slots>,
        flows: Arc<Flows>,
        routes: RoutesInForce,
        draining: Arc<AtomicBool>,
    ) -> Self {
        let (largest, in_force) = (in_force.limits_largest(), Mutex::new(in_force));
        Self { in_force, largest, reread, slots, flows, routes, draining }
    }

    /// Reads the configuration again, and has what it says come into force. Says in the log what was changed, and what of
    /// it waits for a restart.
    pub(super) async fn reread(&self) {
        let mut in_force = self.in_force.lock().await;
        let reread = Arc::clone(&self.reread);
        let read = tokio::task::spawn_blocking(move || reread()).await;
        let outcome = match read.unwrap_or_else(|panic| Err(panic.to_string())) {
            Ok(read) => {
                let wanted = in_force.with_live_part_of(&read, &self.largest);
                let waiting = waiting(&wanted, &read);
                self.apply(&mut in_force, wanted, &Document::default(), waiting).await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(applied) if applied == Applied::default() => {
                tracing::info!("the configuration is the one in force");
            }
            Ok(_) => {}
            Err(error) => {
                let error = error.trim_end();
                tracing::error!("the configuration is not taken, and what was in force still is: {error}");
            }
        }
    }

    /// Has what is live of a configuration come into force.
    ///
    /// # Errors
    /// When it does not fit together, or cannot run; then nothing has changed.
    async fn apply(
        &self,
        in_force: &mut Config,
        wanted: Config,
        document: &Document,
        waiting: Vec<Waiting>,
    ) -> Result<Applied, String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("the host is ending, and changes nothing any more".to_owned());
        }
        wanted.check(document)?;
        through::check(&self.slots, &wanted, Some(in_force))?;
        let mut changes = self.flows.apply(in_force, &wanted, &self.routes).await?;
        changes.add_of("routes", &in_force.routes, &wanted.routes);
        changes.changed.extend(self.slots.configure(wanted.clone()));
        *in_force = wanted;
        if !changes.is_empty() {
            sockets::warn_of_unused(in_force);
        }
        let Changes { added, changed, removed } = changes;
        for (keys, what) in [(&added, "added"), (&changed, "changed"), (&removed, "removed")] {
            for key in keys {
                tracing::info!(%key, "the configuration has changed here: {what}");
            }
        }
        waiting.iter().for_each(Waiting::tell);
        let restart = waiting.into_iter().map(|waiting| waiting.key).collect();
        Ok(Applied { added, changed, removed, restart })
    }

    /// Waits, but not for longer than this, until nothing is being applied. Once the host has begun to end nothing will be.
    pub(super) async fn settle(&self, wait_max: Duration) {
        let _ = timeout(wait_max, self.in_force.lock()).await;
    }
}

impl Apply for Reload {
    fn settings(
        self: Arc<Self>,
        plugin: String,
        settings: BTreeMap<String, String>,
    ) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move {
            let mut in_force = self.in_force.lock().await;
            let mut wanted = in_force.clone();
            wanted.plugins.entry(plugin).or_default().settings.extend(settings);
            self.apply(&mut in_force, wanted, &Document::default(), Vec::new()).await.map(drop)
        })
    }

    fn through(
        self: Arc<Self>,
        flow: String,
        before: Vec<String>,
        through: Vec<String>,
    ) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move {
            let mut in_force = self.in_force.lock().await;
            let mut wanted = in_force.clone();
            let Some(changed) = wanted.flows.get_mut(&flow) else { return Err(format!("no flow is named {flow}")) };
            if changed.through != before {
                return Err(format!("flow {flow} leads through {} by now", changed.through.join(", ")));
            }
            changed.through = through;
            self.apply(&mut in_force, wanted, &Document::default(), Vec::new()).await.map(drop)
        })
    }
}

impl Reconfigure for Reload {
    fn replace(self: Arc<Self>, toml: String) -> BoxFuture<'static, Result<Applied, String>> {
        Box::pin(async move {
            let (mut sent, document) = Config::parse(toml)?;
            let mut in_force = self.in_force.lock().await;
            // What is left out says nothing about what is to be.
            sent.fill_limits(&in_force, |key| document.says(key));
            let wanted = in_force.with_live_part_of(&sent, &self.largest);
            let mut waiting = waiting(&wanted, &sent);
            waiting.retain(|waiting| document.says(&waiting.key));
            self.apply(&mut in_force, wanted, &document, waiting).await
        })
    }

    fn put_flow(self: Arc<Self>, name: String, flow: config::Flow) -> BoxFuture<'static, Result<Applied, String>> {
        Box::pin(async move {
            let mut in_force = self.in_force.lock().await;
            let mut wanted = in_force.clone();
            let before = wanted.flows.insert(name.clone(), flow);
            if before != wanted.flows.get(&name).cloned()
                && before.iter().chain(wanted.flows.get(&name)).any(config::Flow::is_of_frontend)
            {
                return Err(format!(
                    "flows.{name}: what answers the frontend changes with a restart alone: write it into the configuration \
                     file, and start the host again"
                ));
            }
            self.apply(&mut in_force, wanted, &Document::default(), Vec::new()).await
        })
    }
}
