//! Both components, loaded as a host loads them.

use crate::buckets::PluginBuckets;
use crate::cli::compile_cache::compile_cache;
use crate::cli::output::progress::{self, Stderr};
use crate::config::Config;
use crate::plugin::{Candidate, Engine, Examples, Plugin, Seed, Setup, own_program};
use crate::rehearsal::Pair;
use crate::system::supervisor::Supervisor;
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;

/// Loads both under the bounds and with the settings of a plugin, and without a network. Their examples are not tried:
/// what a component answers is to be seen even if it is not what its author promises. The engine is to be kept for as long as
/// they are called.
///
/// # Errors
/// When a component is refused, or the engine cannot be set up.
pub(super) async fn load(old: &Path, new: &Path, name: &str, config: &Config) -> anyhow::Result<(Pair, Engine)> {
    let setup = Setup {
        plugins: 2,
        compiler: own_program().context("finding this program, which compiles")?,
        cache: compile_cache(&config.cache, false),
        // Each call has its own.
        seed: Seed { value: 0, fixed: true },
        debug_info: false,
        spare_processors: 0,
        supervisor: Supervisor::default(),
    };
    let engine = Engine::new(&config.limits_largest(), setup)?;
    let loading =
        async { tokio::try_join!(load_one(&engine, old, name, config), load_one(&engine, new, name, config)) };
    let (old, new) = progress::during("compiling", Stderr::Alone, loading).await?;
    Ok((Pair { old, new }, engine))
}

async fn load_one(engine: &Engine, path: &Path, name: &str, config: &Config) -> anyhow::Result<Arc<Plugin>> {
    let mut limits = config.limits_of(name);
    // Nobody else needs the processors: long calls that took turns on a part of them would miss their deadlines.
    let processors = std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
    limits.cpu_percent_max = limits.cpu_percent_max.max(processors.saturating_mul(100));
    let loaded = async {
        let candidate = Candidate::read(path, limits.component_bytes_max).await?;
        let examples = Some(Examples::default());
        let granted = config.buckets_of(name);
        let buckets =
            if granted.is_empty() { PluginBuckets::of_any_name() } else { PluginBuckets::of_nobody(&granted) };
        engine.load_without_slot(name, candidate, limits, config.settings_of(name), buckets, examples).await
    };
    loaded.await.with_context(|| format!("{} is refused", path.display()))
}
