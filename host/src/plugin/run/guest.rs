//! What the store of one instance holds.

mod denied;
mod error_output;
mod guest_log;
pub(crate) mod http_client;
pub(crate) mod keyvalue;
pub(crate) mod linker;
pub(crate) mod memory_limits;
mod stdin;

use super::deterministic_random::{self, CallSeed, GuestRandom};
use super::instance_permit::InstancePermit;
use super::meter;
use super::plugin_state::PluginState;
use crate::config::{HANDLER_FIELDS_BYTES_MAX, INSTANCES_MAX, RANDOM_BYTES_MAX, RESOURCES_MAX};
use crate::plugin::call::CallError;
use error_output::ErrorOutput;
use guest_log::LogStream;
use http_client::HttpClient;
use keyvalue::open::OpenBuckets;
use memory_limits::{HighWater, MemoryLimits};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stdin::CountedStdin;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "package tidegate:host; world guest-log { import wasi:logging/logging@0.1.0-draft; }",
    world: "tidegate:host/guest-log",
});

use wasi::logging::logging::{Host as LoggingHost, Level};

/// The data of one store, which lives as long as its instance: by default, for one call.
pub struct Guest {
    pub(super) plugin_state: Arc<PluginState>,
    call_seed: CallSeed,
    resources: ResourceTable,
    // Made when first asked for: most guests import nothing of it, and making it costs more than their whole call.
    wasi: Option<Wasi>,
    http: Option<Http>,
    error_output: Option<ErrorOutput>,
    buckets: OpenBuckets,
    pub(crate) memory_limits: MemoryLimits,
    _permit: InstancePermit,
}

/// A guest's WASI, and the ends of it that the host holds.
struct Wasi {
    context: WasiCtx,
    random: GuestRandom,
    output: [LogStream; 2],
}

/// A handler's wasi:http.
struct Http {
    context: WasiHttpCtx,
    outbound: HttpClient,
}

impl Guest {
    /// A store for a new instance, with its bounds set.
    ///
    /// # Errors
    /// [`CallError::TooManyCalls`] when there are as many instances as may be.
    pub(crate) fn store(
        engine: &wasmtime::Engine,
        plugin_state: &Arc<PluginState>,
        call_seed: CallSeed,
        memory: Arc<HighWater>,
    ) -> Result<Store<Self>, CallError> {
        let permit = InstancePermit::take().ok_or(CallError::TooManyCalls(INSTANCES_MAX as usize))?;
        plugin_state.instances_made.fetch_add(1, Ordering::Relaxed);
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(RESOURCES_MAX);
        let limits = &plugin_state.limits;
        let memory_limits = MemoryLimits::new(limits.memory_bytes_max, limits.table_elements_max, memory);
        let guest = Self {
            plugin_state: Arc::clone(plugin_state),
            call_seed,
            resources,
            wasi: None,
            http: None,
            error_output: None,
            buckets: OpenBuckets::default(),
            memory_limits,
            _permit: permit,
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.memory_limits);
        // The first says that guests may yield, the second what they do then: it replaces the first's.
        store.epoch_deadline_async_yield_and_update(1);
        store.epoch_deadline_callback(|_| {
            meter::interrupted();
            Ok(UpdateDeadline::Yield(1))
        });
        Self::refill(&mut store);
        Ok(store)
    }

    /// Makes the store of an instance that has served before ready for one more call.
    pub(crate) fn again(store: &mut Store<Self>, call_seed: CallSeed) {
        Self::refill(store);
        let guest = store.data_mut();
        guest.memory_limits.refused = None;
        guest.buckets.clear();
        if let Some(wasi) = &guest.wasi {
            wasi.random.restart(&call_seed);
            wasi.output.iter().for_each(|stream| stream.restart(call_seed.number));
        }
        if let Some(error_output) = &guest.error_output {
            error_output.clear();
        }
        guest.call_seed = call_seed;
    }

    /// Whether an instance has asked for nothing of WASI and of no bucket so far.
    pub(crate) fn has_asked_nothing(&self) -> bool {
        self.wasi.is_none() && self.http.is_none() && self.buckets.is_empty()
    }

    /// Takes back what the host has for an instance whose memories and globals were reset, so that it finds as little
    /// there as a new one. False if the call has left a mark that stays: memory that has grown does not shrink, and of
    /// a resource that it was given the number is seen by the next one, also when it was handed back.
    pub(crate) fn reset(&mut self) -> bool {
        self.end_lines();
        (self.wasi, self.http, self.error_output) = (None, None, None);
        self.buckets.clear();
        // Where the table may not grow, an entry can be added only if one was freed: then the table was used.
        self.resources.set_max_capacity(0);
        let was_used = !self.resources.is_empty() || self.resources.push(()).is_ok();
        self.resources.set_max_capacity(RESOURCES_MAX);
        !was_used && !self.memory_limits.has_changed()
    }

    fn refill(store: &mut Store<Self>) {
        // What is copied out of the guest is charged while it is copied, so a small guest cannot make a large answer.
        let output_bytes_max = store.data().plugin_state.limits.output_bytes_max;
        store.set_hostcall_fuel(output_bytes_max);
        store.set_epoch_deadline(1);
    }

    /// What the guest wrote of its own error in this call.
    pub(crate) fn error_output(&self) -> Option<String> {
        self.error_output.as_ref()?.text()
    }

    /// The end of a call: what the guest wrote without ending the line goes to the log.
    pub(crate) fn end_lines(&self) {
        for stream in self.wasi.iter().flat_map(|wasi| &wasi.output) {
            stream.end();
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.end_lines();
    }
}

impl Wasi {
    fn new(plugin_state: &Arc<PluginState>, call_seed: &CallSeed, error_output: ErrorOutput) -> Self {
        let random = GuestRandom::new(call_seed);
        let stream = |error_output| LogStream::new(Arc::clone(plugin_state), call_seed.number, error_output);
        let output = [stream(None), stream(Some(error_output))];
        let mut builder = WasiCtx::builder();
        builder
            .stdin(CountedStdin(Arc::clone(plugin_state)))
            .stdout(output[0].clone())
            .stderr(output[1].clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .insecure_random_seed(deterministic_random::insecure_seed(call_seed))
            .insecure_random(random.clone())
            .secure_random(random.clone())
            .max_random_size(RANDOM_BYTES_MAX);
        if let Some(clock) = random.clock() {
            builder.wall_clock(clock.clone()).monotonic_clock(clock);
        }
        Self { context: builder.build(), random, output }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| {
            let error_output = self.error_output.get_or_insert_default().clone();
            Wasi::new(&self.plugin_state, &self.call_seed, error_output)
        });
        WasiCtxView { ctx: &mut wasi.context, table: &mut self.resources }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let http = self.http.get_or_insert_with(|| {
            let mut context = WasiHttpCtx::new();
            context.set_field_size_limit(HANDLER_FIELDS_BYTES_MAX);
            let outbound = HttpClient::new(Arc::clone(&self.plugin_state), self.call_seed.number);
            Http { context, outbound }
        });
        WasiHttpCtxView { ctx: &mut http.context, hooks: &mut http.outbound, table: &mut self.resources }
    }
}

impl LoggingHost for Guest {
    fn log(&mut self, level: Level, context: String, message: String) {
        let level = match level {
            Level::Trace => tracing::Level::TRACE,
            Level::Debug => tracing::Level::DEBUG,
            Level::Info => tracing::Level::INFO,
            Level::Warn => tracing::Level::WARN,
            Level::Error | Level::Critical => tracing::Level::ERROR,
        };
        if level == tracing::Level::ERROR {
            self.error_output.get_or_insert_default().write(format!("{message}\n").as_bytes());
        }
        self.plugin_state.log(self.call_seed.number, level, &context, &message);
    }
}

/// Lets guests write to the log.
///
/// # Errors
/// When wasmtime refuses to define one of them.
pub(super) fn add_logging(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasi::logging::logging::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}
