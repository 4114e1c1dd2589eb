//! Flows that run in this process, without a host and without sockets: their plugins, and what stands around them.

mod observers;

pub(in crate::cli) use observers::{FailedCall, Failures, KeepingSink, NoLetters, ObservedStage, ThisRuntime};

use crate::cli::compile_cache::compile_cache;
use crate::config::{self, Config, Place};
use crate::plugin::{Cause, Engine, Seed, Setup, Slots, Source, own_program};
use crate::system::supervisor::Supervisor;
use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::path::Path;

/// Loads the plugins of these names, as a host would.
///
/// # Errors
/// When there is no component for one of them, it is refused, or the engine cannot be set up.
pub(in crate::cli) async fn load<'a>(
    config: &Config,
    names: impl Iterator<Item = &'a String>,
    seed: Seed,
) -> anyhow::Result<Slots> {
    let names: BTreeSet<_> = names.collect();
    let sources: Vec<_> = names.into_iter().map(|name| source(config, name)).collect::<Result<_, _>>()?;
    let setup = Setup {
        plugins: sources.len().max(1),
        compiler: own_program().context("finding this program, which compiles")?,
        cache: compile_cache(&config.cache, false),
        seed,
        debug_info: false,
        spare_processors: 0,
        supervisor: Supervisor::default(),
    };
    let slots = Slots::new(Engine::new(&config.limits_largest(), setup)?, config.clone(), false).without_memory();
    for slot in slots.add_all(sources) {
        let loading = slots.load(&slot, Cause::Asked).await;
        loading.with_context(|| format!("loading plugin {} from {}", slot.name(), slot.source()))?;
    }
    Ok(slots)
}

/// Where a plugin comes from: where the configuration says, else from the folder in which a host looks.
fn source(config: &Config, name: &str) -> anyhow::Result<Source> {
    let configured = config.plugins.get(name).and_then(|plugin| plugin.path.clone());
    let found = Path::new(config::PLUGINS_DIRECTORY).join(format!("{name}.wasm"));
    let Some(place) = configured.or_else(|| found.is_file().then(|| Place::from(found.clone()))) else {
        bail!("there is no component for the plugin {name}: set plugins.{name}.path, or put it at {}", found.display());
    };
    Ok(Source { name: name.to_owned(), place })
}
