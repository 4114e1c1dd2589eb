//! Fuzzing of what resets an instance: whatever a core module is, it comes to the same in an instance that is reset after each
//! call as in a new one for each.

use super::resettable;
use crate::plugin::run::guest::memory_limits::MemoryLimits;
use crate::plugin::run::isolation::STATE;
use std::sync::{Arc, LazyLock};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, Component, ComponentAliasSection, ComponentExportKind, ComponentExportSection,
    ComponentSectionId, ComponentTypeSection, ComponentValType, ExportKind, InstanceSection, PrimitiveValType,
    RawSection,
};
use wasmtime::component::{Component as Compiled, Linker, TypedFunc};
use wasmtime::{Engine, Store, Trap};

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);
const MEMORY_BYTES_MAX: usize = 4 << 20;
const TABLE_ELEMENTS_MAX: usize = 10_000;

/// What came of a call.
type Outcome = Result<u64, Option<Trap>>;
type Run = TypedFunc<(u64,), (u64,)>;

/// Calls the export `run`, from i64 to i64, of a core module without imports with each argument. Returns whether the component
/// around it can be reset.
pub fn reset(module: &[u8], arguments: &[u64]) -> bool {
    let component = component(module);
    // References to what a garbage collector has are valid, and not for this engine.
    let Ok(fresh) = Compiled::new(&ENGINE, &component) else { return false };
    let Ok(resettable) = resettable(&component) else { return false };
    let reset = Compiled::new(&ENGINE, &resettable).expect("what is added to a sound component is sound");
    // Where a start function traps there is no instance.
    let Some(mut instance) = Instance::new(&reset) else { return true };
    let Some(initial) = instance.state() else { return true };
    for argument in arguments {
        let expected = Instance::new(&fresh).expect("as the one that is reset").call(*argument);
        assert_eq!(instance.call(*argument), expected);
        if expected.is_ok() && !instance.store.data().has_changed() {
            assert_eq!(instance.state(), Some(initial), "something was left");
        } else {
            instance = Instance::new(&reset).expect("as the first one");
        }
    }
    true
}

struct Instance {
    store: Store<MemoryLimits>,
    run: Run,
    state: Option<TypedFunc<(), (u64,)>>,
}

impl Instance {
    fn new(component: &Compiled) -> Option<Self> {
        let mut store = Store::new(&ENGINE, MemoryLimits::new(MEMORY_BYTES_MAX, TABLE_ELEMENTS_MAX, Arc::default()));
        store.limiter(|limits| limits);
        let instance = Linker::new(&ENGINE).instantiate(&mut store, component).ok()?;
        store.data_mut().begin();
        let run = instance.get_typed_func(&mut store, "run").expect("the export");
        let state = instance.get_typed_func(&mut store, STATE).ok();
        Some(Self { store, run, state })
    }

    fn call(&mut self, argument: u64) -> Outcome {
        let called = self.run.call(&mut self.store, (argument,));
        called.map(|(result,)| result).map_err(|error| error.downcast_ref::<Trap>().copied())
    }

    fn state(&mut self) -> Option<u64> {
        let (state,) = self.state.as_ref()?.call(&mut self.store, ()).expect("it only reads");
        Some(state)
    }
}

/// The component that is this module, and exports its function `run`.
fn component(module: &[u8]) -> Vec<u8> {
    const U64: ComponentValType = ComponentValType::Primitive(PrimitiveValType::U64);
    let mut instances = InstanceSection::new();
    instances.instantiate::<_, &str>(0, []);
    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::CoreInstanceExport { instance: 0, kind: ExportKind::Func, name: "run" });
    let mut types = ComponentTypeSection::new();
    types.function().params([("argument", U64)]).result(Some(U64));
    let mut functions = CanonicalFunctionSection::new();
    functions.lift(0, 0, []);
    let mut exports = ComponentExportSection::new();
    exports.export("run", ComponentExportKind::Func, 0, None);
    let mut component = Component::new();
    component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: module });
    component.section(&instances).section(&aliases).section(&types).section(&functions).section(&exports);
    component.finish()
}
