//! The sandbox of a component: where its instances are made, the bounds of a call in one, and what the end of a call
//! means.

use crate::buckets::CallBuckets;
use crate::config::{INSTANCES_MAX, Limits};
use crate::plugin::call::{CallError, CallNumber};
use crate::plugin::role::RoleName;
use crate::plugin::run::deterministic_random::CallSeed;
use crate::plugin::run::guest::Guest;
use crate::plugin::run::guest::memory_limits::{HighWater, RefusedGrowth};
use crate::plugin::run::isolation::Isolation;
use crate::plugin::run::meter::Meter;
use crate::plugin::run::plugin_state::PluginState;
use crate::plugin::run::runtime::Runtime;
use futures_util::FutureExt;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;
use wasmtime::component::InstancePre;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

/// A component, and what its instances run in.
pub(crate) struct Sandbox {
    /// SHA-256 of the component, in hexadecimal.
    pub(crate) digest: Arc<str>,
    pub(crate) isolation: Isolation,
    pub(crate) component: InstancePre<Guest>,
    pub(crate) plugin_state: Arc<PluginState>,
    pub(crate) runtime: Runtime,
}

impl Sandbox {
    pub(crate) fn limits(&self) -> &Limits {
        &self.plugin_state.limits
    }

    pub(crate) fn name(&self) -> &str {
        &self.plugin_state.name
    }

    /// A store for one instance, which notes in `memory` how much it takes.
    ///
    /// # Errors
    /// When there are as many instances as may be.
    pub(crate) fn store(&self, call_seed: CallSeed, memory: Arc<HighWater>) -> Result<Store<Guest>, CallError> {
        Guest::store(&self.runtime.wasmtime, &self.plugin_state, call_seed, memory)
    }

    /// Runs a call under its deadline; a long one goes on in the background. A panic in the host's part of it ends
    /// there, so that whoever asked gets its input back and lives on. In a box from the beginning: a call is some
    /// kilobytes large, and every function that passes it on would copy them.
    ///
    /// # Errors
    /// What the call failed with, or that it missed its deadline or panicked.
    pub(super) async fn bounded<T: Send + 'static>(
        &self,
        call: Pin<Box<impl Future<Output = Result<T, CallError>> + Send + 'static>>,
    ) -> Result<T, CallError> {
        let deadline_ms = self.limits().call_deadline_ms;
        let (share, began, deadline) = (&self.plugin_state.cpu, Instant::now(), Duration::from_millis(deadline_ms));
        let meter = OnceLock::<Arc<Meter>>::new();
        let too_late = || match meter.get() {
            Some(meter) if meter.is_starved(share, deadline) => CallError::Starved(deadline_ms),
            _ => CallError::DeadlineExceeded(deadline_ms),
        };
        unless_panicked(async {
            let mut call = pin!(self.runtime.background_calls.run(share, call, began, &meter));
            // Most end at once, and need no timer.
            if let Poll::Ready(ended) = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
                return ended;
            }
            timeout_at((began + deadline).into(), call).await.unwrap_or_else(|_| Err(too_late()))
        })
        .await
    }

    pub(crate) fn call_seed(&self, role: Option<RoleName>, number: CallNumber) -> CallSeed {
        CallSeed {
            seed: self.runtime.seed,
            digest: Arc::clone(&self.digest),
            role,
            number,
            buckets: CallBuckets::Plain,
        }
    }

    /// What a call returned, or why it returned nothing.
    ///
    /// # Errors
    /// When the guest trapped, or the system refused what the call needed; the error names the bound that was broken.
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
        Err(match store.data().memory_limits.refused {
            Some(RefusedGrowth::Memory) => CallError::OverMemory(limits.memory_bytes_max),
            Some(RefusedGrowth::Table) => CallError::OverTable(limits.table_elements_max),
            None => CallError::Trapped(match store.data().error_output() {
                // Not `{:?}`: that would add the host's own backtrace where the environment asks for those.
                Some(output) => format!("{output}\n{error:#}"),
                None => format!("{error:#}"),
            }),
        })
    }
}

/// Whether the system refused something that wasmtime asked it for, memory for another instance above all. A guest
/// causes no such errors: it is told of what it is refused.
fn is_of_system(error: &wasmtime::Error) -> bool {
    error.is::<rustix::io::Errno>() || error.is::<std::io::Error>()
}

/// The result of a call; a panic in it becomes [`CallError::Panicked`].
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
