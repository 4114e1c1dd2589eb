//! Components as files, loaded into this process as a host would load them, for their authors.

use crate::buckets::PluginBuckets;
use crate::cli::compile_cache::compile_cache;
use crate::cli::output::progress::{self, Stderr};
use crate::config::{self, Limits};
use crate::plugin::{Candidate, Engine, Examples, Plugin, Seed, Setup, own_program, source_of};
use crate::system::supervisor::Supervisor;
use anyhow::Context;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A component's file, and the name of its plugin.
#[derive(Clone)]
pub(super) struct ComponentFile {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

impl ComponentFile {
    /// Named after its file.
    ///
    /// # Errors
    /// When the file's stem cannot be the name of a plugin.
    pub(super) fn at(path: PathBuf) -> anyhow::Result<Self> {
        let name = source_of(path.clone()).map_err(anyhow::Error::msg)?.name;
        Ok(Self { name, path })
    }
}

/// Loads with the default bounds, and so that traps tell files and lines where the component knows them.
pub(super) struct Workbench {
    limits: Limits,
    seed: Seed,
    stderr: Stderr,
    cache: config::Cache,
    /// Most authors' components know no lines, as all of Python and JavaScript, and these take longest to compile: their
    /// code is that of a host, whose cache has it, or has it from now on.
    engine: OnceCell<Engine>,
    engine_with_debug_info: OnceCell<Engine>,
}

impl Workbench {
    pub(super) fn new(cache: config::Cache, limits: Limits, seed: Option<u64>, stderr: Stderr) -> Self {
        let (engine, engine_with_debug_info) = Default::default();
        Self { limits, seed: Seed::new(seed), stderr, cache, engine, engine_with_debug_info }
    }

    /// Loads a component with settings for the guest. `examples` stand in for those that it carries.
    ///
    /// # Errors
    /// When the file cannot be read, a stage of loading refuses the component, or an engine cannot be set up.
    pub(super) async fn load(
        &self,
        component: &ComponentFile,
        settings: BTreeMap<String, String>,
        examples: Option<Examples>,
    ) -> anyhow::Result<Arc<Plugin>> {
        let ComponentFile { name, path } = component;
        let loaded = async {
            let candidate = Candidate::read(path, self.limits.component_bytes_max).await?;
            let engine = self.engine_for(&candidate).await?;
            let buckets = PluginBuckets::of_any_name();
            let load = engine.load_without_slot(name, candidate, self.limits.clone(), settings, buckets, examples);
            anyhow::Ok(progress::during(&format!("compiling {}", path.display()), self.stderr, load).await?)
        };
        loaded.await.with_context(|| format!("{} is refused", path.display()))
    }

    async fn engine_for(&self, candidate: &Candidate) -> anyhow::Result<&Engine> {
        let debug_info = candidate.has_debug_info();
        let engine = if debug_info { &self.engine_with_debug_info } else { &self.engine };
        engine.get_or_try_init(async || self.new_engine(debug_info)).await
    }

    fn new_engine(&self, debug_info: bool) -> anyhow::Result<Engine> {
        let setup = Setup {
            plugins: 1,
            compiler: own_program().context("finding this program, which compiles")?,
            cache: compile_cache(&self.cache, debug_info),
            seed: self.seed,
            debug_info,
            spare_processors: 0,
            supervisor: Supervisor::default(),
        };
        Ok(Engine::new(&self.limits, setup)?)
    }
}

/// Runs the work of one command.
///
/// # Errors
/// When the runtime cannot start, or the work fails.
pub(super) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Runtime::new().context("starting threads")?.block_on(work)
}
