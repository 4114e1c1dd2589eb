//! Components as files, loaded into this process as a host would load them, for their authors.

use crate::config::Limits;
use crate::plugin::{Engine, Examples, LoadError, Plugin, Seed, Setup, own_program, source_of};
use crate::system::supervisor::Supervisor;
use anyhow::Context;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

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

/// An engine with the default bounds, whose traps tell files and lines where the component knows them.
pub(super) struct Workbench {
    engine: Engine,
    limits: Limits,
}

impl Workbench {
    /// # Errors
    /// When the engine cannot be set up.
    pub(super) fn new(seed: Option<u64>) -> anyhow::Result<Self> {
        let limits = Limits::default();
        let setup = Setup {
            plugins: 1,
            compiler: own_program().context("finding this program, which compiles")?,
            // No cache, so that the reported compile time is that of this run.
            cache: None,
            seed: Seed::new(seed),
            debug_info: true,
            supervisor: Supervisor::default(),
        };
        Ok(Self { engine: Engine::new(&limits, setup)?, limits })
    }

    /// Loads a component with settings for the guest. `examples` stand in for those that it carries.
    ///
    /// # Errors
    /// When a stage of loading refuses the component.
    pub(super) async fn load(
        &self,
        component: &ComponentFile,
        settings: BTreeMap<String, String>,
        examples: Option<Examples>,
    ) -> Result<Arc<Plugin>, LoadError> {
        self.engine.load_file(&component.name, &component.path, self.limits.clone(), settings, examples).await
    }
}

/// Runs the work of one command.
///
/// # Errors
/// When the runtime cannot start, or the work fails.
pub(super) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Runtime::new().context("starting threads")?.block_on(work)
}
