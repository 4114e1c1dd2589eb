//! The plugins of a host: which are loaded at its start, what loads them, and which one answers the broker.

use super::{StartError, could_not_start};
use crate::backbone::{BucketConnection, NatsBucket};
use crate::buckets::Backends;
use crate::config::{self, Config};
use crate::plugin::{
    self, Cache, Cause, Engine, LoadError, ReplyPolicy, Role, Seed, Slot, Slots, Source, component_names, scan,
};
use crate::system::supervisor::Supervisor;
use anyhow::Context;
use futures_util::future::join_all;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The policy that serves where several are loaded and none is named.
const DEFAULT_POLICY: &str = "random-replies";
/// Which plugins to load, and the directory in which new ones are looked for.
pub(super) fn sources(config: &Config, named: Vec<Source>) -> Result<(Vec<Source>, Option<PathBuf>), StartError> {
    let mut sources = named;
    for (name, plugin) in &config.plugins {
        // The command line wins.
        if let Some(place) = plugin.path.clone().filter(|_| sources.iter().all(|source| source.name != *name)) {
            sources.push(Source { name: name.clone(), place });
        }
    }
    if !sources.is_empty() {
        return Ok((sources, None));
    }
    let directory = Path::new(config::PLUGINS_DIRECTORY);
    let (sources, complaints) = scan(directory).unwrap_or_else(|error| {
        tracing::warn!("no plugins: reading ./{}: {error}; name one with --plugin", directory.display());
        Default::default()
    });
    for complaint in complaints {
        tracing::error!("{complaint}");
    }
    Ok((sources, Some(directory.to_owned())))
}

pub(super) fn engine(config: &Config, plugins: usize, supervisor: &Supervisor) -> Result<Engine, StartError> {
    let setup = plugin::Setup {
        plugins,
        compiler: plugin::own_program().context("finding this program, which compiles plugins")?,
        cache: cache(&config.cache),
        seed: Seed::new(config.seed),
        debug_info: false,
        spare_processors: 1,
        supervisor: supervisor.clone(),
    };
    Engine::new(&config.limits_largest(), setup).map_err(could_not_start)
}

/// The compile cache. To be without one costs time and nothing else, so it keeps no host from starting.
fn cache(config: &config::Cache) -> Option<Arc<Cache>> {
    let cache = Cache::configured(config, false).unwrap_or_else(|error| {
        tracing::warn!("{error}; compiling without a cache");
        None
    });
    cache.map(Arc::new)
}

/// A plugin that was named has to load; one that was found may fail, and leaves an empty slot. So does one whose bytes
/// were taken out of service while the host ran: it keeps the others' traffic from nobody.
pub(super) async fn load(slots: &Arc<Slots>, sources: Vec<Source>, scanned: bool) -> Result<(), StartError> {
    // All at the same time: each waits for its compiler. What was found on a machine that is too busy is tried again later.
    let loads = slots.add_all(sources).into_iter().map(async |slot| {
        let outcome = match scanned {
            true => slots.load(&slot, Cause::Started).await,
            false => slots.load_or_end(&slot).await,
        };
        (outcome, slot)
    });
    let outcomes = join_all(loads).await.into_iter().filter(|_| !scanned);
    let refusals = outcomes.filter_map(|(outcome, slot)| {
        let error = outcome.err().filter(|error| !matches!(error, LoadError::NoReplacement(_)))?;
        Some(format!("loading plugin {} from {}: {error}", slot.name(), slot.source()))
    });
    // Each of them, since nothing else tells of them.
    let refusals: Vec<_> = refusals.collect();
    if refusals.is_empty() { Ok(()) } else { Err(could_not_start(refusals.join("\n"))) }
}

/// Whether a plugin that answers the broker's requests is likely among these, as far as files say so before they are
/// compiled.
pub(super) async fn has_likely_policy(config: &Config, sources: &[Source]) -> bool {
    if config.messaging.policy.is_some() {
        return true;
    }
    let role = format!("/{}@", ReplyPolicy::NAME);
    for source in sources {
        let bytes_max = config.limits_of(&source.name).component_bytes_max;
        if let config::Place::File(file) = &source.place
            && exports(file, bytes_max).await.iter().any(|export| export.contains(&role))
        {
            return true;
        }
    }
    false
}

/// What a component's file exports; nothing if it is none that will be loaded.
async fn exports(file: &Path, bytes_max: u64) -> Vec<String> {
    match tokio::fs::metadata(file).await {
        Ok(found) if found.is_file() && found.len() <= bytes_max => {}
        _ => return Vec::new(),
    }
    let bytes = tokio::fs::read(file).await.unwrap_or_default();
    component_names(&bytes).map(|(_, exports)| exports).unwrap_or_default()
}

/// The slot that answers the broker's requests, if there is a frontend and no flow answers it: the one named; else
/// `random-replies`, else the only reply policy.
pub(super) fn choose_policy(slots: &Slots, config: &Config) -> Result<Option<Arc<Slot>>, StartError> {
    let messaging = &config.messaging;
    if messaging.frontend.0.is_none() || config.frontend_flow().is_some() {
        return Ok(None);
    }
    let policy = policy_of(slots, messaging.policy.as_deref())?;
    if let Some(policy) = &policy {
        slots.set_policy(policy);
    }
    Ok(policy)
}

fn policy_of(slots: &Slots, named: Option<&str>) -> Result<Option<Arc<Slot>>, StartError> {
    let usage = |text: String| Err(StartError::Usage(text));
    let has_role = |slot: &Slot| {
        // One whose bytes are condemned is asked again once there are others.
        slot.has_role(ReplyPolicy::NAME).unwrap_or_else(|| slot.had_role(ReplyPolicy::NAME))
    };
    if let Some(name) = named {
        return match slots.get(name) {
            Some(slot) if slot.roles().is_none() || has_role(&slot) => Ok(Some(slot)),
            Some(_) => usage(format!("--policy {name}: the plugin has no reply-policy role")),
            None => usage(format!("--policy {name}: no plugin of that name is loaded; name it with --plugin")),
        };
    }
    let mut policies: Vec<_> = slots.all().into_iter().filter(|slot| has_role(slot)).collect();
    if let Some(slot) = policies.iter().find(|slot| slot.name() == DEFAULT_POLICY) {
        return Ok(Some(Arc::clone(slot)));
    }
    if policies.len() > 1 {
        let names: Vec<_> = policies.iter().map(|slot| slot.name()).collect();
        return usage(format!("several reply policies are loaded ({}): choose one with --policy", names.join(", ")));
    }
    if policies.is_empty() {
        tracing::warn!("frontend none: no plugin with the reply-policy role is loaded");
    }
    Ok(policies.pop())
}

/// Where buckets of plugins may be kept.
pub(super) fn backends(config: &Config) -> Backends {
    let Some(nats) = config.nats.clone() else { return Backends::default() };
    let connection = Arc::new(BucketConnection::new(nats));
    Backends::with_nats(move |plugin, name, bounds| {
        Arc::new(NatsBucket::new(Arc::clone(&connection), plugin, name, bounds))
    })
}
