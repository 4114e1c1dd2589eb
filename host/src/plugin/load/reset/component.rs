//! A component, read to know what its instances are made of.

use super::module::Module;
use super::obstacle::ResetObstacle;
use crate::plugin::roles::http_handler;
use crate::plugin::run::isolation::STATE;
use wasmparser::{
    CanonicalFunction, Chunk, ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentType,
    ComponentTypeRef, ComponentTypeSectionReader, ExternalKind, Instance, InstantiationArgKind, Parser, Payload,
};

/// What stands at the top of a component.
pub(crate) struct Component<'a> {
    pub(crate) binary: &'a [u8],
    pub(crate) modules: Vec<Module<'a>>,
    pub(crate) instances: Vec<CoreInstance<'a>>,
    /// The core functions, in the order of their numbers.
    pub(crate) functions: Vec<CoreFunction<'a>>,
    has_lifted: bool,
}

/// A core instance, by its number among all of them.
pub(crate) enum CoreInstance<'a> {
    /// Made of the module with this number, with instances to import from.
    Module { module: u32, arguments: Vec<(&'a str, u32)> },
    /// Core functions by name; of other exports nothing has to be known.
    Exports(Vec<(&'a str, u32)>),
}

/// Where a core function comes from.
pub(crate) enum CoreFunction<'a> {
    Alias { instance: u32, name: &'a str },
    Host,
}

/// The payloads at the top of a component, each with the bytes of the module or component that it is.
pub(crate) fn payloads(binary: &[u8]) -> impl Iterator<Item = wasmparser::Result<(Payload<'_>, &[u8])>> {
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
    ///
    /// # Errors
    /// When the component has a part that a reset cannot deal with, or its memories are too large.
    pub(crate) fn read(binary: &'a [u8]) -> Result<Self, ResetObstacle> {
        let mut component =
            Self { binary, modules: Vec::new(), instances: Vec::new(), functions: Vec::new(), has_lifted: false };
        for payload in payloads(binary) {
            let (payload, inner) = payload.map_err(ResetObstacle::Feature)?;
            component.take(payload, inner)?;
        }
        let bytes = component
            .modules
            .iter()
            .flat_map(|module| &module.memories)
            .fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
        if bytes > super::MEMORY_BYTES_MAX {
            return Err(ResetObstacle::LargeMemory { bytes });
        }
        Ok(component)
    }

    fn take(&mut self, payload: Payload<'a>, inner: &'a [u8]) -> Result<(), ResetObstacle> {
        let unreadable = ResetObstacle::Feature;
        match payload {
            Payload::ModuleSection { .. } | Payload::InstanceSection(_) if self.has_lifted => {
                return Err(ResetObstacle::LateInstance);
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
                            return Err(ResetObstacle::ImportedModule);
                        }
                        _ => {}
                    }
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    if let ComponentTypeRef::Module(_) = import.map_err(unreadable)?.ty {
                        return Err(ResetObstacle::ImportedModule);
                    }
                }
            }
            Payload::ComponentTypeSection(types) => check_types(types)?,
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let name = export.map_err(unreadable)?.name.name;
                    if name.starts_with(http_handler::INTERFACE) {
                        return Err(ResetObstacle::Handler(name.to_owned()));
                    }
                    if name == STATE {
                        return Err(ResetObstacle::Name { module: "the component".to_owned(), name: name.to_owned() });
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    match function.map_err(unreadable)? {
                        CanonicalFunction::Lift { .. } => self.has_lifted = true,
                        CanonicalFunction::Lower { .. } if self.has_lifted => return Err(ResetObstacle::CallsItself),
                        CanonicalFunction::Lower { .. } | CanonicalFunction::ResourceDrop { .. } => {
                            self.functions.push(CoreFunction::Host);
                        }
                        other => return Err(ResetObstacle::BuiltIn(format!("{other:?}"))),
                    }
                }
            }
            Payload::ComponentStartSection { .. } => return Err(ResetObstacle::ComponentStart),
            _ => {}
        }
        Ok(())
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
fn check_nested(parser: Parser, bytes: &[u8]) -> Result<(), ResetObstacle> {
    for payload in parser.parse_all(bytes) {
        match payload.map_err(ResetObstacle::Feature)? {
            Payload::ModuleSection { .. }
            | Payload::InstanceSection(_)
            | Payload::ComponentCanonicalSection(_)
            | Payload::ComponentStartSection { .. } => return Err(ResetObstacle::NestedModule),
            Payload::ComponentTypeSection(types) => check_types(types)?,
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    if let ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. } =
                        alias.map_err(ResetObstacle::Feature)?
                    {
                        return Err(ResetObstacle::NestedModule);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A component may have no resources of its own.
fn check_types(types: ComponentTypeSectionReader) -> Result<(), ResetObstacle> {
    for defined in types {
        if let ComponentType::Resource { .. } = defined.map_err(ResetObstacle::Feature)? {
            return Err(ResetObstacle::OwnResource);
        }
    }
    Ok(())
}
