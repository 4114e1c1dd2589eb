//! A plugin: a component that has passed every stage of loading, and how its roles are called.

use super::v0_1_0::{self, Adapter, Idle, ReplyPolicyInput, TransformInput};
use super::wasi_http::Handler;
use crate::config::{INSTANCES_MAX, Limits};
use crate::plugin::call::{CallError, CallNumber, Message, Reply};
use crate::plugin::role::Role;
use crate::plugin::run::account::Account;
use crate::plugin::run::deterministic_random::Occasion;
use crate::plugin::run::guest::Guest;
use crate::plugin::run::guest::memory_limits::{HighWater, Refused};
use crate::plugin::run::isolation::Isolation;
use crate::plugin::run::meter::Meter;
use crate::plugin::run::response::Outlet;
use crate::plugin::run::runtime::Runtime;
use bytes::Bytes;
use futures_util::FutureExt;
use hyper::Request;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;
use wasmtime::component::InstancePre;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

/// A component that has passed every stage.
pub struct Plugin {
    /// SHA-256 of the component, in hexadecimal.
    pub digest: Arc<str>,
    /// The digest of the artifact that it was pulled as, if it comes from a registry.
    pub artifact: Option<Arc<str>>,
    /// The component's size.
    pub size_bytes: usize,
    /// What it serves.
    pub roles: Vec<Role>,
    /// The interfaces with functions that it imports.
    pub imports: Vec<String>,
    /// How many examples it was tried on.
    pub examples: usize,
    /// How long compiling took, or fetching what was compiled before.
    pub compile_time: Duration,
    /// What its instances are when a call begins in them.
    pub isolation: Isolation,
    pub(crate) component: InstancePre<Guest>,
    pub(crate) adapter: Adapter,
    pub(crate) handler: Option<Handler>,
    pub(crate) account: Arc<Account>,
    pub(crate) runtime: Runtime,
}

impl Plugin {
    pub(crate) fn limits(&self) -> &Limits {
        &self.account.limits
    }

    pub(crate) fn name(&self) -> &str {
        &self.account.name
    }

    /// The version of the contract that it was built against; none if it is a handler and nothing else.
    pub fn contract(&self) -> Option<&'static str> {
        self.roles.iter().any(|role| *role != Role::HttpHandler).then_some(v0_1_0::VERSION)
    }

    /// A store for one instance, which notes in `memory` how much it takes.
    pub(crate) fn store(&self, occasion: Occasion, memory: Arc<HighWater>) -> Result<Store<Guest>, CallError> {
        Guest::store(&self.runtime.wasmtime, &self.account, occasion, memory)
    }

    /// One call of the role `transform`; `idle` are the instances of the generation that serves it. `held` is let go when the
    /// guest has ended, which after a deadline may be a tick later than the call.
    pub(crate) async fn transform(
        self: &Arc<Self>,
        message: Arc<TransformInput>,
        number: CallNumber,
        idle: Arc<Idle>,
        held: impl Send + 'static,
    ) -> Result<Option<Message>, CallError> {
        #[cfg(feature = "compiled-in")]
        if let Some(output) = super::compiled_in::transform(&self.account.name, &message) {
            return output;
        }
        let plugin = Arc::clone(self);
        let call = Box::pin(async move {
            let _held = held;
            let occasion = plugin.occasion(Some(Role::Transform), number);
            plugin.adapter.transform(&plugin, &idle, &message, occasion).await
        });
        self.bounded(call).await
    }

    /// One call of the role `reply-policy`, likewise.
    pub(crate) async fn replies(
        self: &Arc<Self>,
        request: Arc<ReplyPolicyInput>,
        number: CallNumber,
        idle: Arc<Idle>,
        held: impl Send + 'static,
    ) -> Result<Vec<Reply>, CallError> {
        #[cfg(feature = "compiled-in")]
        if let Some(output) = super::compiled_in::replies(&self.account.name, &request) {
            return output;
        }
        let plugin = Arc::clone(self);
        let call = Box::pin(async move {
            let _held = held;
            let occasion = plugin.occasion(Some(Role::ReplyPolicy), number);
            plugin.adapter.replies(&plugin, &idle, &request, occasion).await
        });
        self.bounded(call).await
    }

    /// One call of the role `http-handler`; its response goes to `outlet` as it is written.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        request: Request<Bytes>,
        number: CallNumber,
        idle: Arc<Idle>,
        outlet: Outlet,
        held: impl Send + 'static,
    ) -> Result<(), CallError> {
        let plugin = Arc::clone(self);
        let call = Box::pin(async move {
            let _held = held;
            let handler = plugin.handler.as_ref().ok_or(CallError::NoRole("http-handler"))?;
            let new = plugin.new_instance(&idle, plugin.occasion(Some(Role::HttpHandler), number)).await?;
            handler.handle(&plugin, &idle, new, request, outlet).await
        });
        self.bounded(call).await
    }

    /// Instantiates once, under the bounds of a call, to see that the component starts. Only an instance shows whether
    /// its functions are of the contract's types, which is the inner result.
    pub(crate) async fn probe(self: &Arc<Self>) -> Result<wasmtime::Result<()>, CallError> {
        let plugin = Arc::clone(self);
        let call = Box::pin(async move {
            let mut store = plugin.store(plugin.occasion(None, CallNumber::Load(0)), Arc::default())?;
            let started = plugin.component.instantiate_async(&mut store).await;
            let instance = plugin.unless_trapped(started, &store)?;
            if plugin.handler.is_some()
                && let Err(error) = Handler::check_function(&mut store, &instance)
            {
                return Ok(Err(error));
            }
            Ok(plugin.adapter.check_functions(&mut store, &instance))
        });
        self.bounded(call).await
    }

    /// Runs a call under its deadline; a long one goes on in the slow lane. A panic in the host's part of it ends there,
    /// so that whoever asked gets its input back and lives on. In a box from the beginning: a call is some kilobytes large,
    /// and every function that passes it on would copy them.
    async fn bounded<T: Send + 'static>(
        &self,
        call: Pin<Box<impl Future<Output = Result<T, CallError>> + Send + 'static>>,
    ) -> Result<T, CallError> {
        let deadline_ms = self.limits().call_deadline_ms;
        let (share, began, deadline) = (&self.account.cpu, Instant::now(), Duration::from_millis(deadline_ms));
        let meter = OnceLock::<Arc<Meter>>::new();
        let too_late = || match meter.get() {
            Some(meter) if meter.is_starved(share, deadline) => CallError::Starved(deadline_ms),
            _ => CallError::DeadlineExceeded(deadline_ms),
        };
        unless_panicked(async {
            let mut call = pin!(self.runtime.lane.run(share, call, began, &meter));
            // Most end at once, and need no timer.
            if let Poll::Ready(ended) = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
                return ended;
            }
            timeout_at((began + deadline).into(), call).await.unwrap_or_else(|_| Err(too_late()))
        })
        .await
    }

    pub(crate) fn occasion(&self, role: Option<Role>, number: CallNumber) -> Occasion {
        Occasion { seed: self.runtime.seed, digest: Arc::clone(&self.digest), role, number }
    }

    /// What a call returned, or why it returned nothing.
    pub(crate) fn unless_trapped<T>(
        &self,
        returned: wasmtime::Result<T>,
        store: &Store<Guest>,
    ) -> Result<T, CallError> {
        let error = match returned {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let limits = self.limits();
        if error.is::<PoolConcurrencyLimitError>() {
            return Err(CallError::TooManyCalls(INSTANCES_MAX as usize));
        }
        if is_of_system(&error) {
            return Err(CallError::NoRoom(format!("{error:#}")));
        }
        if error.downcast_ref::<Trap>() == Some(&Trap::StackOverflow) {
            return Err(CallError::OverStack(limits.stack_bytes_max));
        }
        // wasmtime has no public type for this one; a test holds its text.
        if error.root_cause().to_string().contains("fuel allocated for hostcalls") {
            return Err(CallError::OverOutput(limits.output_bytes_max));
        }
        Err(match store.data().growth.refused {
            Some(Refused::Memory) => CallError::OverMemory(limits.memory_bytes_max),
            Some(Refused::Table) => CallError::OverTable(limits.table_elements_max),
            // Not `{:?}`: that would add the host's own backtrace where the environment asks for those.
            None => CallError::Trapped(format!("{error:#}")),
        })
    }
}

/// Whether the system refused something that wasmtime asked it for, memory for another instance above all. A guest has no such
/// errors: what it is refused it is told of.
fn is_of_system(error: &wasmtime::Error) -> bool {
    error.is::<rustix::io::Errno>() || error.is::<std::io::Error>()
}

/// What a call came to, be it a panic of the host's.
async fn unless_panicked<T>(call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or(Err(CallError::Panicked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_is_told_from_a_trap() {
        let no_memory = || rustix::io::Errno::NOMEM;
        assert!(is_of_system(&wasmtime::Error::new(no_memory()).context("making an instance")));
        assert!(is_of_system(&std::io::Error::from(no_memory()).into()));
        assert!(!is_of_system(&wasmtime::Error::new(Trap::UnreachableCodeReached).context("error while executing")));
    }

    #[tokio::test]
    async fn a_panic_ends_the_call_and_nothing_else() {
        let call = async {
            tokio::task::yield_now().await;
            panic!("in the host's part of a call")
        };
        assert_eq!(unless_panicked::<()>(call).await, Err(CallError::Panicked));
        assert_eq!(unless_panicked(async { Ok(1) }).await, Ok(1));
    }
}
