//! The engine: compiles components for all plugins, and holds the runtimes that run them.

use super::cache::Cache;
use super::compiler::Compiler;
use crate::config::Limits;
use crate::plugin::run::deterministic_random::Seed;
use crate::plugin::run::runtime::{EngineError, Runtimes};
use crate::system::supervisor::Supervisor;
use std::path::PathBuf;
use std::sync::Arc;

/// Compiles components and makes instances. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) compiler: Compiler,
    pub(crate) cache: Option<Arc<Cache>>,
    pub(crate) runtimes: Runtimes,
}

/// What the engine is set up with, beside the bounds of the plugins.
pub struct Setup {
    /// How many plugins it is for. There may come more, but then calls of several in turn take over each other's
    /// memory.
    pub plugins: usize,
    /// The program that compiles; see [`crate::plugin::own_program`].
    pub compiler: PathBuf,
    /// Where compiled components are kept.
    pub cache: Option<Arc<Cache>>,
    /// Where the guests' randomness comes from.
    pub seed: Seed,
    /// Whether a trap tells files and lines, from what debug info the component has, which the code in the cache is
    /// compiled with then. For the authors of plugins alone: reading it takes time and memory that a component decides
    /// on.
    pub debug_info: bool,
    /// How many processors compilers leave to the traffic; none where there is none.
    pub spare_processors: usize,
    /// Looks after the thread that makes guests yield.
    pub supervisor: Supervisor,
}

impl Engine {
    /// An engine whose pool fits instances of up to the `largest` memory and table of any plugin.
    ///
    /// # Errors
    /// When the system does not grant the pool's address space (4 GiB an instance, not memory).
    pub fn new(largest: &Limits, setup: Setup) -> Result<Self, EngineError> {
        let runtimes = Runtimes::start(largest, setup.plugins, (setup.seed, setup.debug_info), &setup.supervisor)?;
        let compiler = Compiler::new(setup.compiler, setup.debug_info, setup.spare_processors);
        Ok(Self { compiler, cache: setup.cache, runtimes })
    }

    /// Where the randomness of all guests comes from.
    pub fn seed(&self) -> Seed {
        self.runtimes.seed
    }
}
