//! The modules that stand between a component's functions and its core modules: they call what those export.

use super::functions::RESULTS;
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, Module, NameMap,
    NameSection, TypeSection, ValType,
};

/// The instance that they import from.
pub(crate) const FROM: &str = "";
/// Their one export.
pub(crate) const EXPORT: &str = "reset";
const POST_RETURN: &str = "post-return";

/// The core functions that one of them calls.
pub(crate) struct Imports<'a> {
    /// Of each instance the one that resets it, or the one that hashes it.
    pub(crate) each: &'a [u32],
    /// What the component itself has called after its function returned.
    pub(crate) post_return: Option<u32>,
}

impl Imports<'_> {
    /// Each with the name under which it is imported.
    pub(crate) fn named(&self) -> impl ExactSizeIterator<Item = (String, u32)> {
        let each = self.each.iter().enumerate().map(|(index, function)| (index.to_string(), *function));
        let post_return = self.post_return.map(|function| (POST_RETURN.to_owned(), function));
        each.chain(post_return).collect::<Vec<_>>().into_iter()
    }
}

/// Calls the guest's own post-return with the function's `results`, and then resets each instance.
pub(crate) fn post_return(imports: &Imports, results: &[ValType]) -> Module {
    let mut function = Function::new([]);
    let count = imports.each.len() as u32;
    if imports.post_return.is_some() {
        (0..results.len() as u32).for_each(|result| {
            function.instructions().local_get(result);
        });
        function.instructions().call(count);
    }
    (0..count).for_each(|reset| {
        function.instructions().call(reset);
    });
    function.instructions().end();
    module(imports, (RESULTS[0], results), (results, &[]), &function)
}

/// One hash of those of all instances.
pub(crate) fn state(imports: &Imports) -> Module {
    let mut function = Function::new([]);
    function.instructions().i64_const(0);
    (0..imports.each.len() as u32).for_each(|state| {
        function.instructions().i64_const(31).i64_mul().call(state).i64_xor();
    });
    function.instructions().end();
    module(imports, (RESULTS[1], &[]), (&[], &[ValType::I64]), &function)
}

/// `each` and `post_return` are the results of the imported functions of the one kind and the parameters of the other.
fn module(
    imports: &Imports,
    (each, post_return): (&[ValType], &[ValType]),
    (parameters, results): (&[ValType], &[ValType]),
    function: &Function,
) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([], each.iter().copied());
    types.ty().function(post_return.iter().copied(), []);
    types.ty().function(parameters.iter().copied(), results.iter().copied());
    let mut section = ImportSection::new();
    for (name, _) in imports.named() {
        section.import(FROM, &name, EntityType::Function(u32::from(name == POST_RETURN)));
    }
    let mut functions = FunctionSection::new();
    functions.function(2);
    let mut exports = ExportSection::new();
    exports.export(EXPORT, ExportKind::Func, imports.named().len() as u32);
    let mut code = CodeSection::new();
    code.function(function);
    // As they stand in the backtrace of a guest that traps in its own post-return.
    let mut called = NameMap::new();
    called.append(imports.named().len() as u32, EXPORT);
    let mut names = NameSection::new();
    names.module("tidegate");
    names.functions(&called);
    let mut module = Module::new();
    module.section(&types).section(&section).section(&functions).section(&exports).section(&code).section(&names);
    module
}
