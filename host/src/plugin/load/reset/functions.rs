//! The two functions that a core module is given: one writes its memories and globals as they were in a new instance, the other
//! hashes them.

use super::module::{Module, RESET, STATE};
use super::obstacle::ResetObstacle;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Encode, ExportKind, Function, MemArg, SectionId, ValType};
use wasmparser::ConstExpr;

/// Both functions have no parameters; the second one returns an i64.
pub(crate) const RESULTS: [&[ValType]; 2] = [&[], &[ValType::I64]];
/// How much of a memory is looked at before it is decided whether to write it.
const BLOCK_BYTES: u64 = 256;
const VECTOR_BYTES: u64 = 16;
/// An odd number with bits all over, by which the hash is multiplied after each word.
const MULTIPLIER: i64 = 0x9E37_79B9_7F4A_7C15_u64 as i64;

impl Module<'_> {
    /// Whether an instance of it has anything that has to be written again.
    pub(crate) fn has_state(&self) -> bool {
        !(self.memories.is_empty() && self.data.is_empty() && self.globals.is_empty() && self.start.is_none())
    }

    /// The module with both functions, exported as [`RESET`] and [`STATE`].
    ///
    /// # Errors
    /// When an initial value cannot be encoded again.
    pub(crate) fn instrumented(&self) -> Result<wasm_encoder::Module, ResetObstacle> {
        let mut sections = self.sections.clone();
        let mut types = Vec::new();
        for results in RESULTS {
            types.push(0x60);
            ([] as [ValType; 0]).as_slice().encode(&mut types);
            results.encode(&mut types);
        }
        sections.add(SectionId::Type, 2, &types);
        let mut functions = Vec::new();
        let mut exports = Vec::new();
        let mut code = Vec::new();
        let first = (self.imports.len() + self.bodies.len()) as u32;
        for (index, (name, function)) in [(RESET, self.reset()?), (STATE, self.state())].into_iter().enumerate() {
            (self.types + index as u32).encode(&mut functions);
            name.encode(&mut exports);
            ExportKind::Func.encode(&mut exports);
            (first + index as u32).encode(&mut exports);
            function.encode(&mut code);
        }
        sections.add(SectionId::Function, 2, &functions);
        sections.add(SectionId::Export, 2, &exports);
        sections.add(SectionId::Code, 2, &code);
        // An active segment is gone once it has been copied: each has a twin that is kept.
        let mut twins = Vec::new();
        for data in &self.data {
            twins.push(1);
            data.bytes.encode(&mut twins);
        }
        let count = self.data.len() as u32;
        if count > 0 {
            sections.add(SectionId::Data, count, &twins);
            sections.set_data_count(self.segments + count);
        }
        Ok(sections.module())
    }

    /// What an instantiation does to memories and globals, in its order.
    fn reset(&self) -> Result<Function, ResetObstacle> {
        let mut function = Function::new([(1, ValType::I32)]);
        for (index, bytes) in (self.imported_memories..).zip(&self.memories) {
            // As many as there are at the beginning: an instance that grew a memory is not used again.
            zero(&mut function, index, *bytes);
        }
        for global in &self.globals {
            constant(&mut function, &global.value)?;
            function.instructions().global_set(global.index);
        }
        for (twin, data) in (self.segments..).zip(&self.data) {
            constant(&mut function, &data.offset)?;
            function.instructions().i32_const(0).i32_const(data.bytes.len() as i32).memory_init(data.memory, twin);
        }
        if let Some(start) = self.start {
            function.instructions().call(start);
        }
        function.instructions().end();
        Ok(function)
    }

    /// A hash over all words of the memories, as large as they are, and over the globals.
    fn state(&self) -> Function {
        const HASH: u32 = 0;
        const ADDRESS: u32 = 1;
        let mut function = Function::new([(1, ValType::I64), (1, ValType::I32)]);
        // Takes the word on the stack in.
        let mix = |function: &mut Function| {
            let mut instructions = function.instructions();
            instructions.local_get(HASH).i64_xor().i64_const(MULTIPLIER).i64_mul();
            instructions.i64_const(29).i64_rotl().local_set(HASH);
        };
        for memory in (self.imported_memories..).take(self.memories.len()) {
            // From the end, which is a multiple of a page, down to 0.
            let mut instructions = function.instructions();
            instructions.memory_size(memory).i32_const(16).i32_shl().local_set(ADDRESS);
            instructions.block(BlockType::Empty).local_get(ADDRESS).i32_eqz().br_if(0).loop_(BlockType::Empty);
            instructions.local_get(ADDRESS).i32_const(8).i32_sub().local_tee(ADDRESS);
            instructions.i64_load(MemArg { offset: 0, align: 3, memory_index: memory });
            mix(&mut function);
            function.instructions().local_get(ADDRESS).br_if(0).end().end();
        }
        for global in &self.globals {
            use wasmparser::ValType as Kind;
            if global.kind == Kind::V128 {
                function.instructions().global_get(global.index).i64x2_extract_lane(0);
                mix(&mut function);
            }
            let mut instructions = function.instructions();
            instructions.global_get(global.index);
            match global.kind {
                Kind::I32 => instructions.i64_extend_i32_u(),
                Kind::I64 => &mut instructions,
                Kind::F32 => instructions.i32_reinterpret_f32().i64_extend_i32_u(),
                Kind::F64 => instructions.i64_reinterpret_f64(),
                Kind::V128 => instructions.i64x2_extract_lane(1),
                // Which function a reference names cannot be told; whether it is null can.
                Kind::Ref(_) => instructions.ref_is_null().i64_extend_i32_u(),
            };
            mix(&mut function);
        }
        function.instructions().local_get(HASH).end();
        function
    }
}

/// Writes zeros over a memory of so many bytes, which are pages. Most of it is zero already, and reading it takes less than
/// half the time of writing it; so each block is written only if something stands there.
fn zero(function: &mut Function, memory: u32, bytes: u64) {
    const ADDRESS: u32 = 0;
    if bytes == 0 {
        return;
    }
    let vector = |offset| MemArg { offset, align: 4, memory_index: memory };
    let offsets = || (0..BLOCK_BYTES).step_by(VECTOR_BYTES as usize);
    let mut instructions = function.instructions();
    instructions.i32_const(bytes as i32).local_set(ADDRESS).loop_(BlockType::Empty);
    instructions.local_get(ADDRESS).i32_const(BLOCK_BYTES as i32).i32_sub().local_set(ADDRESS);
    for offset in offsets() {
        instructions.local_get(ADDRESS).v128_load(vector(offset));
        if offset > 0 {
            instructions.v128_or();
        }
    }
    instructions.v128_any_true().if_(BlockType::Empty);
    for offset in offsets() {
        instructions.local_get(ADDRESS).v128_const(0).v128_store(vector(offset));
    }
    instructions.end().local_get(ADDRESS).br_if(0).end();
}

/// Computes a constant where the module itself has the engine compute it.
fn constant(function: &mut Function, expression: &ConstExpr) -> Result<(), ResetObstacle> {
    for operator in expression.get_operators_reader() {
        let operator = operator.map_err(ResetObstacle::Feature)?;
        if !matches!(operator, wasmparser::Operator::End) {
            function.instruction(
                &RoundtripReencoder
                    .instruction(operator)
                    .map_err(|error| ResetObstacle::Encoding(error.to_string()))?,
            );
        }
    }
    Ok(())
}
