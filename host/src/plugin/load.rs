//! Load: read, compile, type-check, probe, examples. Nothing here changes what serves.

pub(crate) mod blocking;
mod busy_retry;
pub(crate) mod cache;
pub(crate) mod candidate;
pub(crate) mod compiler;
pub(crate) mod copies;
pub(crate) mod engine;
pub(crate) mod examples;
pub(crate) mod file;
pub(crate) mod gate;
pub(crate) mod oci_cache;
pub(crate) mod origin;
pub(crate) mod reset;
pub(crate) mod sources;
pub(crate) mod turn;
mod type_check;

use super::call::CallError;
use super::roles::loaded::Plugin;
use super::roles::sandbox::Sandbox;
use super::run::isolation::Isolation;
use super::run::plugin_state::PluginState;
use super::run::runtime::Runtime;
use crate::buckets::PluginBuckets;
use crate::config::Limits;
use blocking::blocking;
use busy_retry::retry_while_busy;
use candidate::Candidate;
use engine::Engine;
use examples::Examples;
use examples::promised::{carried_examples, check_examples};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use type_check::TypeChecked;
use wasmtime::component::Component;

/// How long a compiler may be at work before the log says so.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Why bytes did not become a plugin, by the stage that refused them.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The registry does not answer.
    #[error("pull: {0}")]
    Unreachable(String),
    /// The registry does not let in who asks.
    #[error("pull: {0}")]
    Denied(String),
    /// The registry did not give it, or not what it should.
    #[error("pull: {0}")]
    Pull(String),
    /// The file could not be read, or is too large.
    #[error("read: {0}")]
    Read(String),
    /// The bytes are no component, or one that the engine does not take.
    #[error("compile: {0}")]
    Compile(String),
    /// The host had too much to do, which says nothing of the component.
    #[error("{stage}: {text}")]
    #[allow(missing_docs)]
    Busy { stage: &'static str, text: String },
    /// The component's imports or exports are not those of the contract.
    #[error("type-check: {0}")]
    TypeCheck(String),
    /// The component could not be instantiated within its bounds.
    #[error("probe: {0}")]
    Probe(CallError),
    /// The component does not do what its author promises.
    #[error("examples: {0}")]
    Examples(String),
    /// It answers captured traffic otherwise than what serves, or that cannot be told.
    #[error("gate: {0}")]
    Gate(String),
    /// The same bytes served before and were taken out of service.
    #[error("probation: {0}")]
    Probation(String),
    /// As before, and there is nothing to serve in their place.
    #[error("probation: {0}")]
    NoReplacement(String),
    /// A load, a rollback or an unload that was asked for later took effect before.
    #[error("superseded: what was asked for later has taken effect; load it again if it is still wanted")]
    Superseded,
}

impl LoadError {
    fn of_probe(error: CallError) -> Self {
        if error.is_too_busy() {
            return Self::Busy { stage: "probe", text: error.to_string() };
        }
        Self::Probe(error)
    }

    /// Whoever routes to a slot relies on the roles that it serves.
    ///
    /// # Errors
    /// When a newcomer lacks a role of what serves.
    pub(super) fn of_lost_role(serving: &Plugin, newcomer: &Plugin) -> Result<(), Self> {
        match serving.role_lacked_by(newcomer) {
            Some(role) => Err(Self::TypeCheck(format!("lacks the role {role}, which the serving generation has"))),
            None => Ok(()),
        }
    }

    /// The stage that refused.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Denied(_) | Self::Pull(_) => "pull",
            Self::Read(_) => "read",
            Self::Compile(_) => "compile",
            Self::Busy { stage, .. } => stage,
            Self::TypeCheck(_) => "type-check",
            Self::Probe(_) => "probe",
            Self::Examples(_) => "examples",
            Self::Gate(_) => "gate",
            Self::Probation(_) | Self::NoReplacement(_) => "probation",
            Self::Superseded => "superseded",
        }
    }
}

/// SHA-256 in hexadecimal, the name of a component's content.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Engine {
    /// Takes a component that no slot is for through every stage. `examples` stand in for those that it carries.
    ///
    /// # Errors
    /// When a stage of loading refuses the component.
    pub async fn load_without_slot(
        &self,
        name: &str,
        candidate: Candidate,
        limits: Limits,
        settings: BTreeMap<String, String>,
        buckets: PluginBuckets,
        examples: Option<Examples>,
    ) -> Result<Arc<Plugin>, LoadError> {
        let plugin_state = PluginState::offline(name.to_owned(), limits, settings, buckets);
        self.load_with(&Arc::new(plugin_state), candidate, examples, true).await
    }

    /// Takes a component through every stage. If someone `asked` for the load, it does not wait behind the compilations
    /// of loads that nobody asked for.
    ///
    /// # Errors
    /// When a stage refuses the component, or the host is too busy for it.
    pub(super) async fn load(
        &self,
        plugin_state: &Arc<PluginState>,
        candidate: Candidate,
        asked: bool,
    ) -> Result<Arc<Plugin>, LoadError> {
        self.load_with(plugin_state, candidate, None, asked).await
    }

    async fn load_with(
        &self,
        plugin_state: &Arc<PluginState>,
        candidate: Candidate,
        examples: Option<Examples>,
        asked: bool,
    ) -> Result<Arc<Plugin>, LoadError> {
        let Candidate { bytes, digest, artifact, .. } = candidate;
        let max = plugin_state.limits.component_bytes_max;
        if bytes.len() as u64 > max {
            return Err(LoadError::Read(format!("the component is larger than component_bytes_max {max}")));
        }
        let runtime = self.runtimes.get(plugin_state.limits.stack_bytes_max, plugin_state.warm > 0);
        let runtime = runtime.map_err(|error| LoadError::Compile(error.to_string()))?;
        let started = Instant::now();
        let cached = self.cached(&digest, plugin_state, &runtime).await?;
        let from_cache = cached.is_some();
        let (component, isolation) = match cached {
            Some(cached) => cached,
            None => self.compiled(&bytes, &digest, plugin_state, &runtime, asked).await?,
        };
        let compile_time = started.elapsed();
        let (typed, examples) = {
            let (runtime, bytes, plugin_state) = (runtime.clone(), Arc::clone(&bytes), Arc::clone(plugin_state));
            blocking(move || {
                let typed = TypeChecked::new(&runtime, &component, &plugin_state)?;
                Ok((typed, examples.map_or_else(|| carried_examples(&bytes), Ok)?))
            })
            .await?
        };
        let isolation = if plugin_state.reuse > 1 { Isolation::Reused(plugin_state.reuse) } else { isolation };
        let (plugin_state, component) = (Arc::clone(plugin_state), typed.component);
        let plugin = Arc::new(Plugin {
            artifact,
            size_bytes: bytes.len(),
            imports: typed.imports,
            examples: examples.count(),
            compile_time,
            from_cache,
            functions: typed.functions,
            sandbox: Arc::new(Sandbox { digest, isolation, component, plugin_state, runtime }),
        });
        retry_while_busy(|| plugin.probe(), &Default::default())
            .await
            .map_err(LoadError::of_probe)?
            .map_err(|error| LoadError::TypeCheck(format!("{error:#}")))?;
        check_examples(&plugin, &examples).await?;
        Ok(plugin)
    }

    /// What was compiled before, and what its instances are.
    async fn cached(
        &self,
        digest: &Arc<str>,
        plugin_state: &PluginState,
        runtime: &Runtime,
    ) -> Result<Option<(Component, Isolation)>, LoadError> {
        let Some(cache) = self.cache.clone() else { return Ok(None) };
        let (digest, reset, runtime) = (Arc::clone(digest), plugin_state.resets(), runtime.clone());
        blocking(move || Ok(cache.get(&digest, reset, &runtime))).await
    }

    /// What a compiler makes of the component, which the cache has from now on, and what its instances are.
    async fn compiled(
        &self,
        bytes: &Arc<Vec<u8>>,
        digest: &Arc<str>,
        plugin_state: &PluginState,
        runtime: &Runtime,
        asked: bool,
    ) -> Result<(Component, Isolation), LoadError> {
        let reset = plugin_state.resets();
        let compiling = self.compiler.compile(bytes, &plugin_state.limits, reset, asked);
        let artifact = told_if_slow(&plugin_state.name, bytes.len(), compiling).await?;
        let (cache, digest, runtime) = (self.cache.clone(), Arc::clone(digest), runtime.clone());
        blocking(move || {
            let component = adopt(&runtime, Compiled::Bytes(&artifact)).map_err(LoadError::Compile)?;
            let isolation = Isolation::at_end_of(&artifact)
                .ok_or_else(|| LoadError::Compile("the compiler did not end what it wrote".to_owned()))?;
            if let Some(cache) = cache {
                cache.put(&digest, reset, &artifact);
            }
            Ok((component, isolation))
        })
        .await
    }
}

/// Says so if compiling takes longer than anybody waits without a word.
async fn told_if_slow<T>(plugin: &str, size_bytes: usize, compiling: impl Future<Output = T>) -> T {
    let mut compiling = pin!(compiling);
    if let Ok(compiled) = timeout(SILENCE_MAX, &mut compiling).await {
        return compiled;
    }
    tracing::info!(plugin, size_bytes, "compiling, once for these bytes");
    compiling.await
}

/// Where compiled code is.
enum Compiled<'a> {
    Bytes(&'a [u8]),
    File(&'a Path),
}

/// Takes over a file of the compile cache.
///
/// # Errors
/// When wasmtime does not take the file for compiled code of its own.
pub(super) fn adopt_file(runtime: &Runtime, path: &Path) -> Result<Component, String> {
    adopt(runtime, Compiled::File(path))
}

/// Takes over what a compiler of ours wrote.
#[expect(unsafe_code, reason = "machine code cannot be checked, only its origin")]
fn adopt(runtime: &Runtime, compiled: Compiled) -> Result<Component, String> {
    let engine = &runtime.wasmtime;
    // SAFETY: the bytes come from a child process that runs this very binary, over a pipe that nobody else holds, or
    // from a file in a directory that nobody else may write to, with a sound checksum.
    let component = unsafe {
        match compiled {
            Compiled::Bytes(bytes) => Component::deserialize(engine, bytes),
            Compiled::File(path) => Component::deserialize_file(engine, path),
        }
    };
    component.map_err(|error| format!("{error:#}"))
}
