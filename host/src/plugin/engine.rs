//! The engine: wasmtime set up once for all plugins, with what guests may import, and the tick that makes them yield.

use super::guest::{self, Guest};
use crate::config::{EPOCH_TICK_MS, GUEST_STACK_BYTES_MAX, INSTANCES_MAX, Limits};
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{Config, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// Core modules and tables that a component may be made of, on average; languages with a runtime need a dozen.
const CORE_INSTANCES_PER_COMPONENT: u32 = 16;
const TABLES_PER_MODULE: u32 = 4;
/// Memory that a pooled instance leaves in place, wiped, instead of giving it back to the system: four system calls
/// and 20 µs of a fresh instance go away. Guests of the recipe in `plugins/` are smaller than this.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 1 << 20;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// Compiles components and makes instances. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) linker: Linker<Guest>,
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
    pub fn new(largest: &Limits) -> Result<Self, EngineError> {
        Self::set_up(largest).map_err(|error| EngineError(format!("{error:#}")))
    }

    fn set_up(largest: &Limits) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(INSTANCES_MAX)
            .total_stacks(INSTANCES_MAX)
            .total_memories(INSTANCES_MAX)
            .total_core_instances(INSTANCES_MAX * CORE_INSTANCES_PER_COMPONENT)
            .total_tables(INSTANCES_MAX * TABLES_PER_MODULE)
            .max_tables_per_module(TABLES_PER_MODULE)
            .max_memory_size(largest.memory_bytes_max)
            .table_elements(largest.table_elements_max)
            .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES)
            .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES);

        let mut config = Config::new();
        config
            .cranelift_opt_level(OptLevel::Speed)
            .epoch_interruption(true)
            .max_wasm_stack(GUEST_STACK_BYTES_MAX)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));

        let wasmtime = wasmtime::Engine::new(&config)?;
        let linker = guest::linker(&wasmtime)?;
        tick(&wasmtime)?;
        Ok(Self { wasmtime, linker })
    }
}

/// Advances the epoch for as long as the engine lives, from a thread of its own: a runtime thread may be the one that
/// has to be interrupted.
fn tick(engine: &wasmtime::Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(Duration::from_millis(EPOCH_TICK_MS));
        }
    })?;
    Ok(())
}
