//! A core module, as far as a reset has to know it.

use super::obstacle::ResetObstacle;
use super::sections::Sections;
use std::collections::HashMap;
use wasmparser::{
    ConstExpr, DataKind, ExternalKind, FunctionBody, KnownCustom, Name, Operator, Parser, Payload, TypeRef, ValType,
};

/// What resets the memories and globals of an instance.
pub(crate) const RESET: &str = "tidegate:reset";
/// What hashes them.
pub(crate) const STATE: &str = "tidegate:state";

/// A core module of a component.
#[derive(Default)]
pub(crate) struct Module<'a> {
    /// As it calls itself, or its number among the component's modules.
    pub(crate) name: String,
    pub(crate) sections: Sections<'a>,
    pub(crate) types: u32,
    pub(crate) segments: u32,
    /// The functions that it imports, by module and name.
    pub(crate) imports: Vec<(&'a str, &'a str)>,
    /// Its exported functions.
    pub(crate) exports: HashMap<&'a str, u32>,
    /// The functions that it defines.
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    pub(crate) imported_memories: u32,
    pub(crate) imported_globals: u32,
    /// The sizes of the memories that it defines, in bytes.
    pub(crate) memories: Vec<u64>,
    /// The globals that it defines and may set, with their initial values.
    pub(crate) globals: Vec<Global<'a>>,
    /// The active segments of data.
    pub(crate) data: Vec<Data<'a>>,
    pub(crate) start: Option<u32>,
}

/// A global that may be set.
pub(crate) struct Global<'a> {
    pub(crate) index: u32,
    pub(crate) kind: ValType,
    pub(crate) value: ConstExpr<'a>,
}

/// An active segment of data.
pub(crate) struct Data<'a> {
    pub(crate) memory: u32,
    pub(crate) offset: ConstExpr<'a>,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Module<'a> {
    /// Reads the module that `parser` is at the beginning of; `number` is its place among those of the component.
    ///
    /// # Errors
    /// When the module cannot be read, or exports a name that the added functions need.
    pub(crate) fn read(parser: Parser, bytes: &'a [u8], number: usize) -> Result<Self, ResetObstacle> {
        let base = parser.offset() as usize;
        let mut module = Self { name: format!("core module {number}"), ..Self::default() };
        for payload in parser.parse_all(bytes) {
            let payload = payload.map_err(ResetObstacle::Feature)?;
            if let Some((id, range)) = payload.as_section() {
                module.sections.push(id, &bytes[range.start - base..range.end - base]);
            }
            module.take(payload).map_err(ResetObstacle::Feature)?;
        }
        let is_taken = |name: &&str| module.exports.contains_key(*name);
        if let Some(name) = [RESET, STATE].iter().find(|name| is_taken(name)) {
            return Err(ResetObstacle::Name { module: module.name, name: (*name).to_owned() });
        }
        Ok(module)
    }

    /// Looks for instructions after which a new instance would differ from one whose memories and globals are written again.
    ///
    /// # Errors
    /// The first such instruction.
    pub(crate) fn check_functions(&self) -> Result<(), ResetObstacle> {
        for body in &self.bodies {
            for item in body.get_operators_reader().map_err(ResetObstacle::Feature)?.into_iter_with_offsets() {
                let (operator, offset) = item.map_err(ResetObstacle::Feature)?;
                let module = || self.name.clone();
                let changes = |instruction| Err(ResetObstacle::TableChange { module: module(), instruction, offset });
                let drops = |instruction| Err(ResetObstacle::DroppedSegment { module: module(), instruction, offset });
                match operator {
                    Operator::TableSet { .. } => changes("table.set"),
                    Operator::TableGrow { .. } => changes("table.grow"),
                    Operator::TableFill { .. } => changes("table.fill"),
                    Operator::TableCopy { .. } => changes("table.copy"),
                    Operator::TableInit { .. } => changes("table.init"),
                    Operator::ElemDrop { .. } => drops("elem.drop"),
                    Operator::DataDrop { .. } => drops("data.drop"),
                    _ => Ok(()),
                }?;
            }
        }
        Ok(())
    }

    fn take(&mut self, payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(types) => {
                for group in types {
                    self.types += group?.types().len() as u32;
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => self.imports.push((import.module, import.name)),
                        TypeRef::Memory(_) => self.imported_memories += 1,
                        TypeRef::Global(_) => self.imported_globals += 1,
                        TypeRef::Table(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory?;
                    // The features that a component may be made of exclude shared memories.
                    self.memories.push(memory.initial.saturating_mul(1 << memory.page_size_log2.unwrap_or(16)));
                }
            }
            Payload::GlobalSection(globals) => {
                for (index, global) in (self.imported_globals..).zip(globals) {
                    let global = global?;
                    if global.ty.mutable {
                        self.globals.push(Global { index, kind: global.ty.content_type, value: global.init_expr });
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        self.exports.insert(export.name, export.index);
                    }
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::DataSection(segments) => {
                self.segments = segments.count();
                for segment in segments {
                    let segment = segment?;
                    if let DataKind::Active { memory_index: memory, offset_expr: offset } = segment.kind {
                        self.data.push(Data { memory, offset, bytes: segment.data });
                    }
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    for name in names {
                        if let Ok(Name::Module { name, .. }) = name {
                            self.name = format!("module {name}");
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}
