//! The component call alone, with nothing of the host but its wasmtime settings and its bounds on memory and time.

use std::path::Path;
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store, StoreLimits, StoreLimitsBuilder,
};

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "package tidegate:benches; world processor-role { export tidegate:plugin/processor@0.2.0; }",
    world: "tidegate:benches/processor-role",
});

use exports::tidegate::plugin::processor::Message;

const MEMORY_BYTES_MAX: usize = 64 << 20;
const TABLE_ELEMENTS_MAX: usize = 10_000;
const MEMORY_KEEP_RESIDENT_BYTES: usize = 1 << 20;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// The compiled component.
pub struct Alone {
    engine: Engine,
    role: ProcessorRolePre<StoreLimits>,
}

/// An instance of it.
pub struct Instance {
    store: Store<StoreLimits>,
    role: ProcessorRole,
}

impl Alone {
    pub fn new(component: &Path) -> Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.max_memory_size(MEMORY_BYTES_MAX)
            .table_elements(TABLE_ELEMENTS_MAX)
            .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES)
            .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES);
        let mut config = Config::new();
        config.epoch_interruption(true).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let component = Component::from_file(&engine, component)?;
        let role = ProcessorRolePre::new(Linker::new(&engine).instantiate_pre(&component)?)?;
        Ok(Self { engine, role })
    }

    pub fn instance(&self) -> Result<Instance> {
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).table_elements(TABLE_ELEMENTS_MAX).build();
        let mut store = Store::new(&self.engine, limits);
        store.limiter(|limits| limits);
        store.set_epoch_deadline(u64::MAX / 2);
        let role = self.role.instantiate(&mut store)?;
        Ok(Instance { store, role })
    }
}

impl Instance {
    pub fn call(&mut self, body: Vec<u8>) -> Result<Vec<u8>> {
        let input = Message { metadata: Vec::new(), frames: vec![body] };
        let output = self.role.tidegate_plugin_processor().call_process(&mut self.store, &input)?;
        let output = output.map_err(|error| wasmtime::format_err!("{error:?}"))?;
        let answer = output.into_iter().next().and_then(|mut message| message.frames.pop());
        answer.ok_or_else(|| wasmtime::format_err!("the message was filtered"))
    }
}
