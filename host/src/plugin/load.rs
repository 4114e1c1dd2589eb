//! Load: read, compile, type-check, probe. Nothing here changes what serves.

use super::CONTRACT_VERSION;
use super::call::CallError;
use super::engine::Engine;
use super::guest::Guest;
use super::reply_policy::{self, ReplyPolicy};
use super::transform::{self, Transform};
use crate::config::{COMPONENT_BYTES_MAX, Limits};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{error::Elapsed, timeout};
use wasmtime::component::types::{Component as ComponentType, ComponentItem};
use wasmtime::component::{Component, InstancePre};
use wasmtime::{PoolConcurrencyLimitError, Store};
use wasmtime_wasi_config::WasiConfigVariables;

/// What a plugin can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Messages that come in by HTTP.
    Transform,
    /// Requests that come in at the broker.
    ReplyPolicy,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transform => "transform",
            Self::ReplyPolicy => "reply-policy",
        })
    }
}

/// Why a file did not become a plugin, by the stage that refused it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("read: {0}")]
    Read(String),
    /// The bytes are no component, or one that the engine does not take.
    #[error("compile: {0}")]
    Compile(String),
    /// The component's imports or exports are not those of the contract.
    #[error("type-check: {0}")]
    TypeCheck(String),
    /// The component could not be instantiated within its bounds.
    #[error("probe: {0}")]
    Probe(CallError),
}

/// A component that has passed every stage.
pub struct Plugin {
    name: Arc<str>,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
    /// The file's size.
    pub size_bytes: usize,
    /// What it serves.
    pub roles: Vec<Role>,
    /// The interfaces with functions that it imports.
    pub imports: Vec<String>,
    /// How long compiling took.
    pub compile_time: Duration,
    pub(super) transform: Option<Transform>,
    pub(super) reply_policy: Option<ReplyPolicy>,
    pub(super) limits: Limits,
    settings: Arc<WasiConfigVariables>,
    engine: wasmtime::Engine,
}

/// The whole file, if it is one and of bearable size. Blocks.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |cause: &dyn fmt::Display| LoadError::Read(format!("{}: {cause}", path.display()));
    // Looked at before it is opened: opening a FIFO would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Err(failed(&"not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(&error))?;
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        return Err(failed(&format_args!("larger than {COMPONENT_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// SHA-256 in hexadecimal, the name of a component's content.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Engine {
    /// Reads a file and takes it through every stage.
    pub async fn load_file(
        &self,
        name: &str,
        path: &Path,
        limits: Limits,
        settings: BTreeMap<String, String>,
    ) -> Result<Plugin, LoadError> {
        let path = path.to_owned();
        let bytes = blocking(move || read(&path)).await?;
        self.load(name, bytes, limits, settings).await
    }

    /// Takes a component's bytes through compile, type-check and probe.
    pub(super) async fn load(
        &self,
        name: &str,
        bytes: Vec<u8>,
        limits: Limits,
        settings: BTreeMap<String, String>,
    ) -> Result<Plugin, LoadError> {
        let (digest, size_bytes) = (digest(&bytes), bytes.len());
        let engine = self.wasmtime.clone();
        let (component, compile_time) = blocking(move || compile(&engine, &bytes)).await?;
        let typed = TypeChecked::new(self, &component)?;

        let plugin = Plugin {
            name: name.into(),
            digest,
            size_bytes,
            roles: typed.roles(),
            imports: imports(&self.wasmtime, &component.component_type()),
            compile_time,
            transform: typed.transform,
            reply_policy: typed.reply_policy,
            limits,
            settings: Arc::new(WasiConfigVariables::from_iter(settings)),
            engine: self.wasmtime.clone(),
        };
        plugin.probe(&typed.component).await.map_err(LoadError::Probe)?;
        Ok(plugin)
    }
}

impl Plugin {
    /// A store for one call.
    pub(super) fn store(&self) -> Store<Guest> {
        Guest::store(&self.engine, &self.name, &self.limits, &self.settings)
    }

    /// Instantiates once, under the bounds of a call, to see that the component starts.
    async fn probe(&self, component: &InstancePre<Guest>) -> Result<(), CallError> {
        let mut store = self.store();
        let deadline = Duration::from_millis(self.limits.call_deadline_ms);
        let ended = timeout(deadline, component.instantiate_async(&mut store)).await;
        self.unless_trapped(ended, &store).map(|_| ())
    }

    /// What a call returned, or why it returned nothing.
    pub(super) fn unless_trapped<T>(
        &self,
        ended: Result<wasmtime::Result<T>, Elapsed>,
        store: &Store<Guest>,
    ) -> Result<T, CallError> {
        let error = match ended {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(Elapsed { .. }) => return Err(CallError::DeadlineExceeded(self.limits.call_deadline_ms)),
        };
        if error.is::<PoolConcurrencyLimitError>() {
            return Err(CallError::TooManyCalls(crate::config::INSTANCES_MAX as usize));
        }
        // wasmtime has no public type for this one; a test holds its text.
        if error.root_cause().to_string().contains("fuel allocated for hostcalls") {
            let max = self.limits.output_bytes_max;
            return Err(CallError::OverBounds(format!("the plugin's output is over output_bytes_max {max}")));
        }
        match store.data().growth.refused {
            Some(what) => Err(CallError::OverMemory(what)),
            None => Err(CallError::Trapped(format!("{error:?}"))),
        }
    }
}

/// Blocking work off the runtime's threads. A panic in it (a compiler's bug, say) is the file's fault, not the host's.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(LoadError::Compile(format!("the compiler gave up: {panic}"))),
    }
}

fn compile(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<(Component, Duration), LoadError> {
    refuse_what_is_no_component(bytes)?;
    let started = Instant::now();
    let component = Component::new(engine, bytes).map_err(|error| LoadError::Compile(format!("{error:#}")))?;
    Ok((component, started.elapsed()))
}

/// Says what the bytes are where the compiler would only say what they are not.
fn refuse_what_is_no_component(bytes: &[u8]) -> Result<(), LoadError> {
    const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const MAGIC: &[u8] = b"\0asm";
    let refuse = |what: &str| Err(LoadError::Compile(what.to_owned()));
    if bytes.is_empty() {
        refuse("the file is empty")
    } else if bytes.starts_with(CORE_MODULE) {
        refuse("a core module, not a component: build it with `tidegate plugin build`")
    } else if bytes.starts_with(MAGIC) || bytes.trim_ascii_start().starts_with(b"(") {
        Ok(())
    } else {
        refuse("neither a WebAssembly component nor its text form")
    }
}

/// A component that can be linked, with the roles that its exports give it.
struct TypeChecked {
    component: InstancePre<Guest>,
    transform: Option<Transform>,
    reply_policy: Option<ReplyPolicy>,
}

impl TypeChecked {
    fn new(engine: &Engine, component: &Component) -> Result<Self, LoadError> {
        let refused = |error: wasmtime::Error| LoadError::TypeCheck(format!("{error:#}"));
        let exports = component.component_type();
        let has_transform = exports_role(&engine.wasmtime, &exports, Role::Transform)?;
        let has_reply_policy = exports_role(&engine.wasmtime, &exports, Role::ReplyPolicy)?;
        if !has_transform && !has_reply_policy {
            return Err(LoadError::TypeCheck(format!(
                "exports neither tidegate:plugin/transform@{CONTRACT_VERSION} nor \
                 tidegate:plugin/reply-policy@{CONTRACT_VERSION}: build it against the world transform-plugin or \
                 reply-policy-plugin in wit/"
            )));
        }
        let component = engine.linker.instantiate_pre(component).map_err(refused)?;
        Ok(Self {
            transform: has_transform.then(|| transform::check(component.clone())).transpose().map_err(refused)?,
            reply_policy: has_reply_policy
                .then(|| reply_policy::check(component.clone()))
                .transpose()
                .map_err(refused)?,
            component,
        })
    }

    fn roles(&self) -> Vec<Role> {
        let transform = self.transform.iter().map(|_| Role::Transform);
        let reply_policy = self.reply_policy.iter().map(|_| Role::ReplyPolicy);
        transform.chain(reply_policy).collect()
    }
}

/// Whether the component exports the interface of a role; another version of it is an error.
fn exports_role(engine: &wasmtime::Engine, component: &ComponentType, role: Role) -> Result<bool, LoadError> {
    let interface = format!("tidegate:plugin/{role}");
    let mut versions = component.exports(engine).filter_map(|(name, _)| {
        let rest = name.strip_prefix(&interface)?;
        if rest.is_empty() { Some("") } else { rest.strip_prefix('@') }
    });
    match versions.next() {
        None => Ok(false),
        Some(CONTRACT_VERSION) => Ok(true),
        Some(version) => Err(LoadError::TypeCheck(format!(
            "exports {interface} in version `{version}`, and this host speaks {CONTRACT_VERSION}: rebuild it against wit/"
        ))),
    }
}

/// The imports that can do something: an instance that holds types alone is no capability.
fn imports(engine: &wasmtime::Engine, component: &ComponentType) -> Vec<String> {
    let able = |item: &ComponentItem| match item {
        ComponentItem::ComponentInstance(instance) => instance.exports(engine).any(|(_, item)| {
            matches!(item.ty, ComponentItem::ComponentFunc(_) | ComponentItem::CoreFunc(_) | ComponentItem::Resource(_))
        }),
        ComponentItem::Type(_) => false,
        _ => true,
    };
    component.imports(engine).filter(|(_, item)| able(&item.ty)).map(|(name, _)| name.to_owned()).collect()
}
