//! How the pools of `[workers]` are opened and ended.

use super::{Flows, Running};
use crate::app::pools::Stages;
use crate::app::sockets;
use crate::config::{self, Config, step_of};
use crate::flow::Surface;
use crate::messaging::{PoolHops, PoolSettings, WorkerPool};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A pool, with what it was opened for.
pub(super) struct OpenPool {
    pub(super) config: config::WorkerPool,
    pool: Arc<WorkerPool>,
}

/// The pools that flows and routes go through.
pub(super) fn used(config: &Config) -> BTreeMap<&String, &config::WorkerPool> {
    let unused = config.unused_pools();
    config.workers.iter().filter(|(name, _)| !unused.contains(&name.as_str())).collect()
}

impl Flows {
    /// Opens a pool, to which no message goes yet.
    ///
    /// # Errors
    /// When it cannot be bound; names it.
    pub(super) async fn open_pool(&self, config: &Config, name: &str) -> Result<OpenPool, String> {
        let pool = &config.workers[name];
        let step = step_of(name);
        self.ledger.name_socket(&step, &self.ledger.hop(&step));
        let hops = PoolHops { messages: self.ledger.hop(&step), answers: self.ledger.hop(&format!("{step}.answers")) };
        let settings = PoolSettings {
            name: step,
            config: pool.clone(),
            messaging: config.messaging_of_pool(name),
            ipc: sockets::ipc(&config.messaging)?,
            curve: self.curve.clone().filter(|_| config.asks_workers_for_keys(name)),
        };
        let supervisor = self.supervisor.clone();
        let opened = tokio::task::spawn_blocking(move || WorkerPool::open(settings, hops, &supervisor)).await;
        let opened = opened.map_err(|panic| panic.to_string())?.map_err(|error| error.to_string())?;
        self.surfaces.add(Arc::clone(&opened) as Arc<dyn Surface>);
        Ok(OpenPool { config: pool.clone(), pool: opened })
    }

    /// Has messages go to a pool, in place of the one that had its name.
    pub(super) fn serve_pool(&self, name: &str, OpenPool { config, pool }: &OpenPool) {
        self.pools.serve(name, config, Stages { idempotent: pool.stage(true), other: pool.stage(false) });
    }

    /// As [`Self::open_pool`], while the host runs: says where it is.
    ///
    /// # Errors
    /// As [`Self::open_pool`].
    pub(super) async fn open_pool_live(&self, config: &Config, name: &str) -> Result<OpenPool, String> {
        let opened = self.open_pool(config, name).await?;
        tracing::info!(pool = name, endpoint = opened.pool.endpoint(), "pool opened");
        Ok(opened)
    }

    /// Ends the pools that are `going`. Where none was opened in the place of one that ends, messages wait.
    pub(super) async fn replace_pools(
        &self,
        running: &mut Running,
        going: &BTreeSet<String>,
        opened: BTreeMap<String, OpenPool>,
    ) {
        let gone: Vec<_> = going.iter().filter_map(|name| running.pools.remove_entry(name)).collect();
        let without_other = gone.iter().filter(|(name, _)| !opened.contains_key(name));
        without_other.for_each(|(name, pool)| self.pools.hold(name, &pool.config));
        let gone: Vec<_> = gone.into_iter().map(|(_, pool)| pool).collect();
        self.end_pools(gone).await;
        running.pools.extend(opened);
    }

    /// Ends pools to which no message goes any more: each finishes what it has.
    pub(super) async fn end_pools(&self, pools: impl IntoIterator<Item = OpenPool>) {
        for OpenPool { pool, .. } in pools {
            let surface = Arc::clone(&pool) as Arc<dyn Surface>;
            let abandoned = pool.end(self.deadline()).await;
            self.surfaces.remove(&surface);
            tracing::info!(pool = surface.name(), abandoned, "pool closed");
        }
    }
}
