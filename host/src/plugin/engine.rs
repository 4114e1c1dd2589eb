//! The engine: wasmtime set up for all plugins, with what guests may import, and the tick that makes them yield.

use super::cache::Cache;
use super::chance::Seed;
use super::compiler::Compiler;
use super::guest::{self, Guest};
use super::lane::SlowLane;
use crate::config::{BUSY_EPOCH_TICK_MS, EPOCH_TICK_MS, INSTANCES_MAX, Limits};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails};

/// What one component may be made of, so that no plugin's calls take the whole pool. Languages with a runtime need some
/// dozen core instances, and of memories and tables one or two.
const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 64;
const MEMORIES_PER_COMPONENT_MAX: u32 = 2;
const TABLES_PER_COMPONENT_MAX: u32 = 8;
/// What the pool holds of each per component instance: less than all of them at their bounds would take.
const CORE_INSTANCES_PER_COMPONENT: u32 = 16;
const MEMORIES_PER_COMPONENT: u32 = 2;
const TABLES_PER_COMPONENT: u32 = 4;
/// Memory that a pooled instance leaves in place, wiped, instead of giving it back to the system: four system calls
/// and 20 µs of a fresh instance go away. Guests of the recipe in `plugins/` are smaller than this.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 1 << 20;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;
/// The same for a component whose memory is larger from the start, as those are that bring a language's runtime: of that
/// only the pages are wiped that a call has written to, which the system has to be asked for.
const LARGE_MEMORY_KEEP_RESIDENT_BYTES: usize = 4 << 20;
/// Of a guest's stack, for the host's own code in calls that the guest makes.
const HOST_STACK_BYTES: usize = 3 << 19;

/// Compiles components and makes instances. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) compiler: Compiler,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) lane: Arc<SlowLane>,
    pub(super) seed: Seed,
    largest: Limits,
    debug_info: bool,
    runtimes: Arc<Mutex<BTreeMap<Kind, Runtime>>>,
}

/// What the engine is set up with, beside the bounds of the plugins.
pub struct Setup {
    /// The program that compiles; see [`super::own_program`].
    pub compiler: PathBuf,
    /// Where compiled components are kept.
    pub cache: Option<Arc<Cache>>,
    /// Where the guests' chance comes from.
    pub seed: Seed,
    /// Whether a trap tells files and lines, from what debug info the component has; then there is no cache. For the
    /// authors of plugins alone: reading it takes time and memory that a component decides on.
    pub debug_info: bool,
}

/// What of a plugin is a setting of the whole of wasmtime.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    stack_bytes_max: usize,
    has_large_memory: bool,
}

impl Kind {
    /// Of a component whose memory begins with so much.
    pub(super) fn new(stack_bytes_max: usize, memory_bytes: u64) -> Self {
        // Where the system does not tell, wiping the whole would take longer than new pages.
        let has_large_memory =
            memory_bytes > MEMORY_KEEP_RESIDENT_BYTES as u64 && PoolingAllocationConfig::is_pagemap_scan_available();
        Self { stack_bytes_max, has_large_memory }
    }
}

/// wasmtime for plugins of one kind. Cheap to clone: every plugin has it.
#[derive(Clone)]
pub(super) struct Runtime {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) linker: Arc<Linker<Guest>>,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[error("setting up the WebAssembly engine: {0}")]
pub struct EngineError(String);

impl Engine {
    /// An engine whose pool fits instances of up to the `largest` memory and table of any plugin.
    ///
    /// # Errors
    /// When the system does not grant the pool's address space (4 GiB an instance, not memory).
    pub fn new(largest: &Limits, setup: Setup) -> Result<Self, EngineError> {
        let lane = SlowLane::start().map_err(|error| EngineError(format!("starting threads: {error}")))?;
        let engine = Self {
            compiler: Compiler::new(setup.compiler, setup.debug_info),
            // What it holds was compiled without.
            cache: setup.cache.filter(|_| !setup.debug_info),
            lane: Arc::new(lane),
            seed: setup.seed,
            largest: largest.clone(),
            debug_info: setup.debug_info,
            runtimes: Arc::default(),
        };
        engine.runtime(Kind::new(largest.stack_bytes_max, 0))?;
        Ok(engine)
    }

    /// Where the chance of all guests comes from.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The runtime for plugins of a kind.
    pub(super) fn runtime(&self, kind: Kind) -> Result<Runtime, EngineError> {
        let mut runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtimes.get(&kind) {
            return Ok(runtime.clone());
        }
        let runtime = Runtime::new(&self.largest, kind, self.debug_info, &self.lane)
            .map_err(|error| EngineError(format!("{error:#}")))?;
        Ok(runtimes.entry(kind).or_insert(runtime).clone())
    }
}

impl Runtime {
    fn new(largest: &Limits, kind: Kind, debug_info: bool, lane: &Arc<SlowLane>) -> wasmtime::Result<Self> {
        let Kind { stack_bytes_max, has_large_memory } = kind;
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(INSTANCES_MAX)
            .total_stacks(INSTANCES_MAX)
            .total_memories(INSTANCES_MAX * MEMORIES_PER_COMPONENT)
            .total_core_instances(INSTANCES_MAX * CORE_INSTANCES_PER_COMPONENT)
            .total_tables(INSTANCES_MAX * TABLES_PER_COMPONENT)
            .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
            .max_memories_per_component(MEMORIES_PER_COMPONENT_MAX)
            .max_tables_per_component(TABLES_PER_COMPONENT_MAX)
            .max_memories_per_module(MEMORIES_PER_COMPONENT_MAX)
            .max_tables_per_module(TABLES_PER_COMPONENT_MAX)
            .max_memory_size(largest.memory_bytes_max)
            .table_elements(largest.table_elements_max)
            .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES)
            // Beyond wasmtime's hundred, a call takes over the memory of another plugin's, which costs as much as no pool.
            .max_unused_warm_slots(INSTANCES_MAX)
            .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES);
        if has_large_memory {
            pool.linear_memory_keep_resident(LARGE_MEMORY_KEEP_RESIDENT_BYTES).pagemap_scan(Enabled::Yes);
        }
        let mut config = compile_settings(debug_info);
        config
            .max_wasm_stack(stack_bytes_max)
            .async_stack_size(stack_bytes_max + HOST_STACK_BYTES)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let wasmtime = wasmtime::Engine::new(&config)?;
        let linker = Arc::new(guest::linker(&wasmtime)?);
        tick(&wasmtime, lane)?;
        Ok(Self { wasmtime, linker })
    }
}

/// What decides on the code that a component compiles to; the same in the compiler's process and in the host.
pub(super) fn compile_settings(debug_info: bool) -> Config {
    let details = if debug_info { WasmBacktraceDetails::Enable } else { WasmBacktraceDetails::Disable };
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed).epoch_interruption(true).wasm_backtrace_details(details);
    config
}

/// Advances the epoch for as long as the engine lives, from a thread of its own: a runtime thread may be the one that
/// has to be interrupted.
fn tick(engine: &wasmtime::Engine, lane: &Arc<SlowLane>) -> std::io::Result<()> {
    let (engine, lane) = (engine.weak(), Arc::downgrade(lane));
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            let busy = lane.upgrade().is_some_and(|lane| lane.is_busy());
            std::thread::sleep(Duration::from_millis(if busy { BUSY_EPOCH_TICK_MS } else { EPOCH_TICK_MS }));
        }
    })?;
    Ok(())
}
