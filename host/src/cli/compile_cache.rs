//! Where commands without a host keep what they compile: where a host does that is not told otherwise.

use crate::config;
use crate::plugin::Cache;
use crate::system::output::note;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

/// The flag that says where.
#[derive(Clone, Debug, Args)]
pub(super) struct CacheFlag {
    /// Where compiled components are kept, or none [default: tidegate in $XDG_CACHE_HOME, else in ~/.cache]
    #[arg(long, value_name = "DIR", env = "TIDEGATE_CACHE")]
    cache: Option<PathBuf>,
}

impl From<CacheFlag> for config::Cache {
    fn from(flag: CacheFlag) -> Self {
        Self { directory: flag.cache, ..Self::default() }
    }
}

/// The compile cache. To be without one costs time and nothing else, so it keeps no command from its work.
pub(super) fn compile_cache(config: &config::Cache, debug_info: bool) -> Option<Arc<Cache>> {
    let cache = Cache::configured(config, debug_info).unwrap_or_else(|error| {
        note(format_args!("{error}; compiling without a cache"));
        None
    });
    cache.map(Arc::new)
}
