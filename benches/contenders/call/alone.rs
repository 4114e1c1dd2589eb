//! The component call alone, with nothing of the host but its wasmtime settings and its bounds on memory and time.

use std::path::Path;
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store, StoreLimits, StoreLimitsBuilder,
};

wasmtime::component::bindgen!({
    path: "../wit/0.1.0",
    inline: "package tidegate:benches; world transform-role { export tidegate:plugin/transform@0.1.0; }",
    world: "tidegate:benches/transform-role",
});

use exports::tidegate::plugin::transform::Message;

const MEMORY_BYTES_MAX: usize = 64 << 20;
const TABLE_ELEMENTS_MAX: usize = 10_000;
const MEMORY_KEEP_RESIDENT_BYTES: usize = 1 << 20;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// The compiled component.
pub struct Alone {
    engine: Engine,
    role: TransformRolePre<StoreLimits>,
}

/// An instance of it.
pub struct Instance {
    store: Store<StoreLimits>,
    role: TransformRole,
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
        let role = TransformRolePre::new(Linker::new(&engine).instantiate_pre(&component)?)?;
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
        let input = Message { topic: String::new(), metadata: Vec::new(), body };
        let output = self.role.tidegate_plugin_transform().call_transform(&mut self.store, &input)?;
        let output = output.map_err(|error| wasmtime::format_err!("{error:?}"))?;
        output.map(|output| output.body).ok_or_else(|| wasmtime::format_err!("the message was filtered"))
    }
}
