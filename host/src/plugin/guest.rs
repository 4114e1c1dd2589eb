//! What one call's store holds, and all that a guest can import: standard WASI, with nothing behind files, sockets,
//! environment and arguments.

use super::growth::Growth;
use crate::config::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX, Limits, RANDOM_BYTES_MAX, RESOURCES_MAX};
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "package tidegate:host; world guest-log { import wasi:logging/logging@0.1.0-draft; }",
    world: "tidegate:host/guest-log",
});

use wasi::logging::logging::{Host as LoggingHost, Level};

/// The data of one store, which lives for one call.
pub(super) struct Guest {
    plugin: Arc<str>,
    settings: Arc<WasiConfigVariables>,
    resources: ResourceTable,
    // Made when first asked for: most guests import nothing of it, and making it costs more than their whole call.
    wasi: Option<WasiWithOutput>,
    log_lines: usize,
    pub(super) growth: Growth,
}

/// A guest's WASI, and what it has written to stdout and stderr.
struct WasiWithOutput {
    context: WasiCtx,
    output: MemoryOutputPipe,
}

impl Guest {
    /// A store for one call of `plugin`, with its bounds set.
    pub(super) fn store(
        engine: &wasmtime::Engine,
        plugin: &Arc<str>,
        limits: &Limits,
        settings: &Arc<WasiConfigVariables>,
    ) -> Store<Self> {
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(RESOURCES_MAX);
        let guest = Self {
            plugin: Arc::clone(plugin),
            settings: Arc::clone(settings),
            resources,
            wasi: None,
            log_lines: 0,
            growth: Growth::new(limits.memory_bytes_max, limits.table_elements_max),
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.growth);
        // What is copied out of the guest is charged while it is copied, so a small guest cannot make a large answer.
        store.set_hostcall_fuel(limits.output_bytes_max);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    /// Writes one line of the guest to the log. `{:?}` escapes what could forge lines or move a terminal's cursor.
    fn log_line(&mut self, level: Level, context: &str, message: &str) {
        self.log_lines += 1;
        if self.log_lines > LOG_LINES_MAX {
            return;
        }
        let plugin = &*self.plugin;
        let context = shortened(context, LOG_LINE_BYTES_MAX);
        let message = shortened(message, LOG_LINE_BYTES_MAX);
        match level {
            Level::Trace => tracing::trace!(plugin, ?context, ?message),
            Level::Debug => tracing::debug!(plugin, ?context, ?message),
            Level::Info => tracing::info!(plugin, ?context, ?message),
            Level::Warn => tracing::warn!(plugin, ?context, ?message),
            Level::Error | Level::Critical => tracing::error!(plugin, ?context, ?message),
        }
    }
}

impl Drop for Guest {
    /// The end of a call: what the guest wrote to stdout and stderr goes to the log, and what was too much is said.
    fn drop(&mut self) {
        if let Some(wasi) = self.wasi.take() {
            let written = wasi.output.contents();
            for line in String::from_utf8_lossy(&written).lines().filter(|line| !line.is_empty()) {
                self.log_line(Level::Info, "stdio", line);
            }
        }
        if let Some(lost) = self.log_lines.checked_sub(LOG_LINES_MAX).filter(|&lost| lost > 0) {
            tracing::warn!(plugin = &*self.plugin, lost, "log lines of one call over the bound of {LOG_LINES_MAX}");
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| {
            let output = MemoryOutputPipe::new(LOG_LINES_MAX * LOG_LINE_BYTES_MAX);
            let context = WasiCtx::builder()
                .stdout(output.clone())
                .stderr(output.clone())
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .max_random_size(RANDOM_BYTES_MAX)
                .build();
            WasiWithOutput { context, output }
        });
        WasiCtxView { ctx: &mut wasi.context, table: &mut self.resources }
    }
}

impl LoggingHost for Guest {
    fn log(&mut self, level: Level, context: String, message: String) {
        self.log_line(level, &context, &message);
    }
}

/// Everything that a component may import.
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, |guest: &mut Guest| WasiConfig::from(&*guest.settings))?;
    wasi::logging::logging::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

/// The text, cut at a character's boundary if it is longer than `bytes_max`.
pub(super) fn shortened(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
