//! The runtime: wasmtime set up for plugins, with what guests may import, and the tick that makes them yield.

use super::background_calls::BackgroundCalls;
use super::deterministic_random::Seed;
use super::guest::Guest;
use super::guest::linker::linker;
use crate::config::{BUSY_EPOCH_TICK_MS, EPOCH_TICK_MS, INSTANCES_MAX, Limits};
use crate::system::fail_point::is_to_fail;
use crate::system::supervisor::Supervisor;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{
    Config, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

/// What one component may be made of, so that no plugin's calls take the whole pool. Languages with a runtime need some
/// dozen core instances, and of memories and tables one or two.
const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 64;
const MEMORIES_PER_COMPONENT_MAX: u32 = 2;
const TABLES_PER_COMPONENT_MAX: u32 = 8;
/// What the pool holds of each per component instance: less than all of them at their bounds would take.
const CORE_INSTANCES_PER_COMPONENT: u32 = 16;
const MEMORIES_PER_COMPONENT: u32 = 2;
const TABLES_PER_COMPONENT: u32 = 4;
/// Memory that a pooled instance leaves in place, wiped, instead of giving it back to the system: four system calls and
/// 20 µs of a fresh instance go away. Guests of the recipe in `plugins/` are smaller than this. Of larger ones, wiping
/// more takes longer than getting it anew: with 1 MiB, a call of one with 2 MiB took 48 µs instead of 28.
///
/// All of it is wiped, and all beyond it given back, whatever a call has written to. The system could be asked for the
/// pages that were written (`pagemap_scan`), but it does not name those that it has swapped out or is moving at that
/// moment, and the next call would read them.
///
/// Where instances are kept warm, no call waits for the wiping, and all of a memory is left in place: a call would be
/// given page after page as it writes, which was more than half of one in JavaScript.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 128 << 10;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;
/// Memories in place beyond one for each plugin: for plugins that come later, and for what swaps leave. Each of them in
/// time holds as much as the largest plugin that ever had it left there.
const SPARE_MEMORIES: usize = 15;
/// wasmtime divides its pool among the processors, but among no more than so many.
const POOL_PARTS_MAX: usize = 16;
/// Of a guest's stack, for the host's own code in calls that the guest makes.
const HOST_STACK_BYTES: usize = 3 << 19;

/// wasmtime for plugins with stacks of one size. Cheap to clone: every plugin has it.
#[derive(Clone)]
pub(crate) struct Runtime {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) linker: Arc<Linker<Guest>>,
    /// Where long calls go on.
    pub(crate) background_calls: Arc<BackgroundCalls>,
    /// Where the randomness of all guests comes from.
    pub(crate) seed: Seed,
    /// Looks after what keeps instances warm.
    pub(crate) supervisor: Supervisor,
}

/// The runtimes of all plugins. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Runtimes {
    pub(crate) background_calls: Arc<BackgroundCalls>,
    /// Where the randomness of all guests comes from.
    pub(crate) seed: Seed,
    supervisor: Supervisor,
    largest: Limits,
    memories_in_place_max: u32,
    debug_info: bool,
    /// By what their guests have of a stack, and by whether instances are kept warm: settings of the whole of wasmtime.
    by_kind: Arc<Mutex<BTreeMap<(usize, bool), Runtime>>>,
    ticked: Arc<Ticked>,
}

/// The engines whose guests are made to yield.
type Ticked = Mutex<Vec<EngineWeak>>;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[error("setting up the WebAssembly engine: {0}")]
pub struct EngineError(String);

impl Runtimes {
    /// Starts what all of them share. Their pools fit instances of up to the `largest` memory and table of so many
    /// `plugins`.
    ///
    /// # Errors
    /// When the system does not grant threads, or a pool's address space (4 GiB an instance, not memory).
    pub(crate) fn start(
        largest: &Limits,
        plugins: usize,
        (seed, debug_info): (Seed, bool),
        supervisor: &Supervisor,
    ) -> Result<Self, EngineError> {
        let started = |error| EngineError(format!("starting threads: {error}"));
        let background_calls = Arc::new(BackgroundCalls::start().map_err(started)?);
        let ticked = Arc::<Ticked>::default();
        tick(&ticked, &background_calls, supervisor).map_err(started)?;
        let (largest, memories_in_place_max) = (largest.clone(), memories_in_place_max(plugins));
        let supervisor = supervisor.clone();
        let runtimes = Self {
            background_calls,
            seed,
            supervisor,
            largest,
            memories_in_place_max,
            debug_info,
            by_kind: Arc::default(),
            ticked,
        };
        runtimes.get(runtimes.largest.stack_bytes_max, false)?;
        Ok(runtimes)
    }

    /// The runtime for plugins whose guests may have so much of a stack, rounded up to a power of two, and that keep
    /// instances warm or do not: each has a pool, which reserves 8 TiB of addresses, and they have to fit beside each
    /// other however many sizes there are. Of instances there are [`INSTANCES_MAX`] in all pools together; the memory
    /// that each pool keeps of those that ended adds up.
    ///
    /// # Errors
    /// When the system does not grant the address space of another pool.
    pub(crate) fn get(&self, stack_bytes_max: usize, keeps_warm: bool) -> Result<Runtime, EngineError> {
        let stack_bytes = stack_bytes_max.next_power_of_two();
        let mut by_kind = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = by_kind.get(&(stack_bytes, keeps_warm)) {
            return Ok(runtime.clone());
        }
        let Limits { memory_bytes_max, table_elements_max, .. } = self.largest;
        let (memory_bytes, table_bytes, in_place_max) = match keeps_warm {
            true => (memory_bytes_max, table_elements_max * size_of::<usize>(), processors() as u32),
            false => (MEMORY_KEEP_RESIDENT_BYTES, TABLE_KEEP_RESIDENT_BYTES, self.memories_in_place_max),
        };
        let mut pool = PoolingAllocationConfig::new();
        pool.linear_memory_keep_resident(memory_bytes)
            .table_keep_resident(table_bytes)
            .max_unused_warm_slots(in_place_max);
        let runtime = self.new_runtime(pool, stack_bytes).map_err(|error| EngineError(format!("{error:#}")))?;
        self.ticked.lock().unwrap_or_else(PoisonError::into_inner).push(runtime.wasmtime.weak());
        Ok(by_kind.entry((stack_bytes, keeps_warm)).or_insert(runtime).clone())
    }

    fn new_runtime(&self, mut pool: PoolingAllocationConfig, stack_bytes: usize) -> wasmtime::Result<Runtime> {
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
            .max_memory_size(self.largest.memory_bytes_max)
            .table_elements(self.largest.table_elements_max);
        let mut config = compile_settings(self.debug_info);
        config
            .max_wasm_stack(stack_bytes)
            .async_stack_size(stack_bytes + HOST_STACK_BYTES)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let wasmtime = wasmtime::Engine::new(&config)?;
        let linker = Arc::new(linker(&wasmtime)?);
        let (background_calls, supervisor) = (Arc::clone(&self.background_calls), self.supervisor.clone());
        Ok(Runtime { wasmtime, linker, background_calls, seed: self.seed, supervisor })
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many memories stay in place that no call uses. With fewer than there are plugins, asked in turn, a call takes
/// over the memory of another plugin's, which costs as much as no pool. But until there are as many, wasmtime takes one
/// that nobody ever had before one of a plugin that was retired, so each swap leaves one behind for each thread.
fn memories_in_place_max(plugins: usize) -> u32 {
    let parts = processors().min(POOL_PARTS_MAX);
    let wanted = plugins.saturating_add(SPARE_MEMORIES).saturating_mul(parts);
    u32::try_from(wanted).map_or(INSTANCES_MAX, |wanted| wanted.min(INSTANCES_MAX))
}

/// What decides on the code that a component compiles to; the same in the compiler's process and in the host.
pub(crate) fn compile_settings(debug_info: bool) -> Config {
    let details = if debug_info { WasmBacktraceDetails::Enable } else { WasmBacktraceDetails::Disable };
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed).epoch_interruption(true).wasm_backtrace_details(details);
    config
}

/// What the thread is called that makes guests yield.
const EPOCH: &str = "epoch";

/// Advances the epoch of all engines for as long as they live, from a thread of its own: a runtime thread may be the
/// one that has to be interrupted.
fn tick(ticked: &Arc<Ticked>, background_calls: &Arc<BackgroundCalls>, supervisor: &Supervisor) -> std::io::Result<()> {
    let (ticked, background_calls) = (Arc::downgrade(ticked), Arc::downgrade(background_calls));
    let run = move || {
        while let Some(ticked) = ticked.upgrade() {
            for engine in &*ticked.lock().unwrap_or_else(PoisonError::into_inner) {
                if let Some(engine) = engine.upgrade() {
                    engine.increment_epoch();
                }
            }
            drop(ticked);
            let busy = background_calls.upgrade().is_some_and(|background_calls| background_calls.is_busy());
            std::thread::sleep(Duration::from_millis(if busy { BUSY_EPOCH_TICK_MS } else { EPOCH_TICK_MS }));
            if is_to_fail(EPOCH) {
                return Err("a test has asked for it".to_owned());
            }
        }
        Ok(())
    };
    supervisor.thread(EPOCH, run).map(drop)
}
