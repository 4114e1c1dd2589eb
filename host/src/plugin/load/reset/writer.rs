//! A component, written again with what resets its instances.

use super::component::{Component, CoreInstance, payloads};
use super::glue::{self, Imports};
use super::module;
use super::obstacle::ResetObstacle;
use crate::plugin::run::isolation::STATE;
use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentSectionId, ComponentTypeSection, ComponentValType, ExportKind, InstanceSection,
    ModuleArg, ModuleSection, PrimitiveValType, RawSection,
};
use wasmparser::types::TypesRef;
use wasmparser::{CanonicalFunction, ComponentAlias, ExternalKind, Payload};

/// The component with what resets its instances; `types` are its own.
///
/// # Errors
/// When a part of the component cannot be encoded again.
pub(crate) fn instrumented(source: &Component, types: TypesRef) -> Result<Vec<u8>, ResetObstacle> {
    let mut writer = Writer { source, types, functions: Vec::new(), count: 0, extra: Extra::default() };
    writer.write().map_err(|error| match error {
        Error::UserError(obstacle) => obstacle,
        error => ResetObstacle::Encoding(error.to_string()),
    })
}

/// What the component is given that it did not have, as far as it has been written.
#[derive(Default)]
struct Extra {
    modules: u32,
    instances: u32,
    /// The functions [`module::RESET`] and [`module::STATE`] of its instances, once there are any.
    resets: Option<(Vec<u32>, Vec<u32>)>,
}

/// Writes the component. Core functions of its own move behind those that it is given; nothing else of it does.
struct Writer<'a, 'b> {
    source: &'b Component<'a>,
    types: TypesRef<'b>,
    /// The new number of each core function that has been written.
    functions: Vec<u32>,
    /// How many there are now, with those that it is given.
    count: u32,
    extra: Extra,
}

type Encoded<T = ()> = Result<T, Error<ResetObstacle>>;

impl Reencode for Writer<'_, '_> {
    type Error = ResetObstacle;

    fn function_index(&mut self, function: u32) -> Encoded<u32> {
        // The component is valid, so a function is written before it is referred to.
        Ok(self.functions.get(function as usize).copied().unwrap_or(function))
    }
}

impl ReencodeComponent for Writer<'_, '_> {}

impl Writer<'_, '_> {
    fn write(&mut self) -> Encoded<Vec<u8>> {
        let mut component = wasm_encoder::Component::new();
        let mut modules = self.source.modules.iter();
        let binary = self.source.binary;
        for payload in payloads(binary) {
            let (payload, _) = payload?;
            match payload {
                Payload::ModuleSection { unchecked_range: range, .. } => {
                    let Some(module) = modules.next() else { continue };
                    if module.has_state() {
                        let module = module.instrumented().map_err(Error::UserError)?;
                        component.section(&ModuleSection(&module));
                    } else {
                        let data = &binary[range];
                        component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data });
                    }
                }
                Payload::ComponentCanonicalSection(functions) => {
                    for function in functions {
                        self.canonical_function(&mut component, function?)?;
                    }
                }
                // Names by numbers that have changed, and what nothing of the compiled code depends on.
                Payload::CustomSection(_) => {}
                Payload::ComponentAliasSection(ref aliases) => {
                    let mut defined = 0;
                    for alias in aliases.clone() {
                        let is_function =
                            matches!(alias?, ComponentAlias::CoreInstanceExport { kind: ExternalKind::Func, .. });
                        defined += usize::from(is_function);
                    }
                    self.parse_component_payload(&mut component, payload, binary)?;
                    (0..defined).for_each(|_| self.own_function());
                }
                payload => self.parse_component_payload(&mut component, payload, binary)?,
            }
        }
        self.state(&mut component);
        Ok(component.finish())
    }

    /// One more core function of the component's own has been written.
    fn own_function(&mut self) {
        let number = self.given_function();
        self.functions.push(number);
    }

    /// One more core function has been written; returns its number.
    fn given_function(&mut self) -> u32 {
        self.count += 1;
        self.count - 1
    }

    fn canonical_function(&mut self, component: &mut wasm_encoder::Component, function: CanonicalFunction) -> Encoded {
        let mut section = CanonicalFunctionSection::new();
        let CanonicalFunction::Lift { core_func_index, type_index, options } = function else {
            self.parse_component_canonical(&mut section, function)?;
            component.section(&section);
            self.own_function();
            return Ok(());
        };
        let results = match &self.types[self.types.core_function_at(core_func_index)].composite_type.inner {
            wasmparser::CompositeInnerType::Func(function) => self.val_types(function.results().to_vec())?,
            _ => Vec::new(),
        };
        let mut kept = Vec::new();
        let mut post_return = None;
        for option in options {
            match self.canonical_option(option)? {
                CanonicalOption::PostReturn(function) => post_return = Some(function),
                option => kept.push(option),
            }
        }
        let (resets, _) = self.resets(component);
        let imports = Imports { each: &resets, post_return };
        let reset = self.glue(component, &glue::post_return(&imports, &results), &imports);
        kept.push(CanonicalOption::PostReturn(reset));
        section.lift(self.function_index(core_func_index)?, type_index, kept);
        component.section(&section);
        Ok(())
    }

    /// The functions that reset and hash each instance, in the order in which those are made.
    fn resets(&mut self, component: &mut wasm_encoder::Component) -> (Vec<u32>, Vec<u32>) {
        if let Some(resets) = &self.extra.resets {
            return resets.clone();
        }
        let mut aliases = ComponentAliasSection::new();
        let mut resets = (Vec::new(), Vec::new());
        for (number, instance) in (0..).zip(&self.source.instances) {
            let CoreInstance::Module { module, .. } = instance else { continue };
            if self.source.modules[*module as usize].has_state() {
                for (name, functions) in [(module::RESET, &mut resets.0), (module::STATE, &mut resets.1)] {
                    aliases.alias(Alias::CoreInstanceExport { instance: number, kind: ExportKind::Func, name });
                    functions.push(self.given_function());
                }
            }
        }
        component.section(&aliases);
        self.extra.resets.insert(resets).clone()
    }

    /// Adds an instance of a module of ours, and returns the function that it exports.
    fn glue(
        &mut self,
        component: &mut wasm_encoder::Component,
        module: &wasm_encoder::Module,
        imports: &Imports,
    ) -> u32 {
        component.section(&ModuleSection(module));
        let module = self.source.modules.len() as u32 + self.extra.modules;
        let instance = self.source.instances.len() as u32 + self.extra.instances;
        let mut instances = InstanceSection::new();
        instances.export_items(imports.named().map(|(name, function)| (name, ExportKind::Func, function)));
        instances.instantiate(module, [(glue::FROM, ModuleArg::Instance(instance))]);
        component.section(&instances);
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::CoreInstanceExport { instance: instance + 1, kind: ExportKind::Func, name: glue::EXPORT });
        component.section(&aliases);
        self.extra.modules += 1;
        self.extra.instances += 2;
        self.given_function()
    }

    /// Adds the export that hashes what is reset.
    fn state(&mut self, component: &mut wasm_encoder::Component) {
        let (_, states) = self.resets(component);
        let imports = Imports { each: &states, post_return: None };
        let state = self.glue(component, &glue::state(&imports), &imports);
        let mut types = ComponentTypeSection::new();
        let none: [(&str, ComponentValType); 0] = [];
        types.function().params(none).result(Some(ComponentValType::Primitive(PrimitiveValType::U64)));
        component.section(&types);
        let mut functions = CanonicalFunctionSection::new();
        functions.lift(state, self.types.component_type_count(), []);
        component.section(&functions);
        let mut exports = ComponentExportSection::new();
        exports.export(STATE, ComponentExportKind::Func, self.types.component_function_count(), None);
        component.section(&exports);
    }
}
