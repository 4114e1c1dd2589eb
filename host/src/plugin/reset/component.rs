//! A component, read to know what its instances are made of, and written again with what resets them.

use super::STATE;
use super::glue::{self, Imports};
use super::module::{self, Module};
use super::obstacle::Obstacle;
use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentTypeSection, ComponentValType, ExportKind, InstanceSection, ModuleArg,
    ModuleSection, PrimitiveValType,
};
use wasmparser::types::TypesRef;
use wasmparser::{
    CanonicalFunction, Chunk, ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentType,
    ComponentTypeRef, ExternalKind, Instance, InstantiationArgKind, Parser, Payload,
};

/// What stands at the top of a component.
pub(super) struct Component<'a> {
    binary: &'a [u8],
    pub(super) modules: Vec<Module<'a>>,
    pub(super) instances: Vec<CoreInstance<'a>>,
    /// The core functions, in the order of their numbers.
    pub(super) functions: Vec<CoreFunction<'a>>,
    has_lifted: bool,
}

/// A core instance, by its number among all of them.
pub(super) enum CoreInstance<'a> {
    /// Made of the module with this number, with instances to import from.
    Module { module: u32, arguments: Vec<(&'a str, u32)> },
    /// Core functions by name; of other exports nothing has to be known.
    Exports(Vec<(&'a str, u32)>),
}

/// Where a core function comes from.
pub(super) enum CoreFunction<'a> {
    Alias { instance: u32, name: &'a str },
    Host,
}

/// The payloads at the top of a component, each with the bytes of the module or component that it is.
fn payloads(binary: &[u8]) -> impl Iterator<Item = wasmparser::Result<(Payload<'_>, &[u8])>> {
    let mut parser = Parser::new(0);
    let mut rest = binary;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (payload, consumed) = match parser.parse(rest, true) {
            Ok(Chunk::Parsed { payload, consumed }) => (payload, consumed),
            // All of it is there.
            Ok(Chunk::NeedMoreData(_)) => return None,
            Err(error) => {
                rest = &[];
                return Some(Err(error));
            }
        };
        rest = &rest[consumed..];
        let mut inner: &[u8] = &[];
        if let Payload::ModuleSection { unchecked_range: range, .. }
        | Payload::ComponentSection { unchecked_range: range, .. } = &payload
        {
            let length = range.len().min(rest.len());
            (inner, rest) = rest.split_at(length);
        }
        Some(Ok((payload, inner)))
    })
}

impl<'a> Component<'a> {
    /// Reads what is around the functions.
    pub(super) fn read(binary: &'a [u8]) -> Result<Self, Obstacle> {
        let mut component =
            Self { binary, modules: Vec::new(), instances: Vec::new(), functions: Vec::new(), has_lifted: false };
        for payload in payloads(binary) {
            let (payload, inner) = payload.map_err(Obstacle::Feature)?;
            component.take(payload, inner)?;
        }
        let bytes = component
            .modules
            .iter()
            .flat_map(|module| &module.memories)
            .fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
        if bytes > super::MEMORY_BYTES_MAX {
            return Err(Obstacle::LargeMemory { bytes });
        }
        Ok(component)
    }

    fn take(&mut self, payload: Payload<'a>, inner: &'a [u8]) -> Result<(), Obstacle> {
        let unreadable = Obstacle::Feature;
        match payload {
            Payload::ModuleSection { .. } | Payload::InstanceSection(_) if self.has_lifted => {
                return Err(Obstacle::LateInstance);
            }
            Payload::ModuleSection { parser, .. } => {
                self.modules.push(Module::read(parser, inner, self.modules.len())?);
            }
            Payload::ComponentSection { parser, .. } => check_nested(parser, inner)?,
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    self.instances.push(core_instance(instance.map_err(unreadable)?));
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    match alias.map_err(unreadable)? {
                        ComponentAlias::CoreInstanceExport { kind: ExternalKind::Func, instance_index, name } => {
                            self.functions.push(CoreFunction::Alias { instance: instance_index, name });
                        }
                        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. } => {
                            return Err(Obstacle::ImportedModule);
                        }
                        _ => {}
                    }
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    if let ComponentTypeRef::Module(_) = import.map_err(unreadable)?.ty {
                        return Err(Obstacle::ImportedModule);
                    }
                }
            }
            Payload::ComponentTypeSection(types) => {
                for defined in types {
                    if let ComponentType::Resource { .. } = defined.map_err(unreadable)? {
                        return Err(Obstacle::OwnResource);
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let name = export.map_err(unreadable)?.name.name;
                    if name.starts_with(crate::plugin::wasi_http::INTERFACE) {
                        return Err(Obstacle::Handler(name.to_owned()));
                    }
                    if name == STATE {
                        return Err(Obstacle::Name { module: "the component".to_owned(), name: name.to_owned() });
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    match function.map_err(unreadable)? {
                        CanonicalFunction::Lift { .. } => self.has_lifted = true,
                        CanonicalFunction::Lower { .. } if self.has_lifted => return Err(Obstacle::CallsItself),
                        CanonicalFunction::Lower { .. } | CanonicalFunction::ResourceDrop { .. } => {
                            self.functions.push(CoreFunction::Host);
                        }
                        other => return Err(Obstacle::BuiltIn(format!("{other:?}"))),
                    }
                }
            }
            Payload::ComponentStartSection { .. } => return Err(Obstacle::ComponentStart),
            _ => {}
        }
        Ok(())
    }

    /// The component with what resets its instances; `types` are its own.
    pub(super) fn instrumented(&self, types: TypesRef) -> Result<Vec<u8>, Obstacle> {
        let mut writer = Writer { source: self, types, functions: Vec::new(), count: 0, extra: Extra::default() };
        writer.write().map_err(|error| match error {
            Error::UserError(obstacle) => obstacle,
            error => Obstacle::Encoding(error.to_string()),
        })
    }
}

fn core_instance(instance: Instance) -> CoreInstance {
    match instance {
        Instance::Instantiate { module_index, args } => {
            let arguments = args.iter().map(|argument| match argument.kind {
                InstantiationArgKind::Instance => (argument.name, argument.index),
            });
            CoreInstance::Module { module: module_index, arguments: arguments.collect() }
        }
        Instance::FromExports(exports) => {
            let functions = exports.iter().filter(|export| export.kind == ExternalKind::Func);
            CoreInstance::Exports(functions.map(|export| (export.name, export.index)).collect())
        }
    }
}

/// A component inside of another one may say how things are called, and do nothing.
fn check_nested(parser: Parser, bytes: &[u8]) -> Result<(), Obstacle> {
    for payload in parser.parse_all(bytes) {
        match payload.map_err(Obstacle::Feature)? {
            Payload::ModuleSection { .. }
            | Payload::InstanceSection(_)
            | Payload::ComponentCanonicalSection(_)
            | Payload::ComponentStartSection { .. } => return Err(Obstacle::NestedModule),
            Payload::ComponentTypeSection(types) => {
                for defined in types {
                    if let ComponentType::Resource { .. } = defined.map_err(Obstacle::Feature)? {
                        return Err(Obstacle::OwnResource);
                    }
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    if let ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. } =
                        alias.map_err(Obstacle::Feature)?
                    {
                        return Err(Obstacle::NestedModule);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
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

type Encoded<T = ()> = Result<T, Error<Obstacle>>;

impl Reencode for Writer<'_, '_> {
    type Error = Obstacle;

    fn function_index(&mut self, function: u32) -> Encoded<u32> {
        // It is valid, so it has been written before.
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
                        component.section(&wasm_encoder::RawSection { id: 1, data });
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
