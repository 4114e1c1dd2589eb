//! Builders of hostile components: their common parts, and the components with a hostile allocator or post-return.

mod host_calls;
mod invalid;
mod recursion;
mod size;
mod values;

pub use host_calls::*;
pub use invalid::*;
pub use recursion::*;
pub use size::*;
pub use values::*;

use crate::fixtures::{REPLIES, TRANSFORM, contract, reply_policy, transform};
use std::sync::LazyLock;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

/// The preamble of a component.
pub const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// Worlds of the contract that also import what language runtimes import.
const WORLDS: &str = r"package tidegate:hostile;
    package wasi:cli@0.2.12 {
        interface exit { exit: func(status: result); }
        interface stdout { use wasi:io/streams@0.2.12.{output-stream}; get-stdout: func() -> output-stream; }
    }
    world runtime { import wasi:cli/exit@0.2.12; import wasi:cli/stdout@0.2.12; }
    world transform { include runtime; include tidegate:plugin/transform-plugin@0.1.0; }
    world policy { include runtime; include tidegate:plugin/reply-policy-plugin@0.1.0; }";

static CONTRACT: LazyLock<(Resolve, PackageId)> = LazyLock::new(|| {
    let mut resolve = contract();
    let package = resolve.push_source("hostile.wit", WORLDS).expect("the worlds are well-formed");
    (resolve, package)
});

/// A component of one of the [`WORLDS`] around a core module.
fn around(world: &str, encoding: StringEncoding, module: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap_or_else(|error| panic!("{error}\n{module}"));
    let (resolve, package) = &*CONTRACT;
    let world = resolve.select_world(&[*package], Some(world)).expect("one of the worlds");
    embed_component_metadata(&mut module, resolve, world, encoding).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

const PARTS: &str = r#"(memory (export "memory") 32) (global $free (mut i32) (i32.const 4096))
    (func $bump (param $bytes i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
        (global.set $free (i32.add (local.get $at) (local.get $bytes)))
        (local.get $at))"#;
const BUMP: &str = "(call $bump (local.get 3))";
const NONE: &str = "(i32.const 16)";

/// A transform with these fields in its module, these instructions of its allocator, and these of its own.
fn whole(fields: &str, realloc: &str, instructions: &str) -> Vec<u8> {
    around("transform", StringEncoding::UTF8, &module(fields, realloc, &format!("{TRANSFORM} {instructions})")))
}

fn module(fields: &str, realloc: &str, role: &str) -> String {
    format!(
        r#"(module {fields} {PARTS}
            (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc}) {role})"#
    )
}

/// A transform with the ordinary allocator, and without the function `$set` that [`transform`] has.
pub fn plain(fields: &str, instructions: &str) -> Vec<u8> {
    whole(fields, BUMP, instructions)
}

/// Filters every message; its allocator has these instructions.
pub fn allocating(realloc: &str) -> Vec<u8> {
    whole("", realloc, NONE)
}

/// Filters every message; its post-return function has these instructions.
pub fn post_returning(fields: &str, instructions: &str) -> Vec<u8> {
    let post = r#"(func (export "cabi_post_tidegate:plugin/transform@0.1.0#transform") (param i32)"#;
    whole(&format!("{fields} {post} {instructions})"), BUMP, NONE)
}

/// As [`post_returning`], for a reply policy.
pub fn post_returning_policy(instructions: &str) -> Vec<u8> {
    let post = r#"(func (export "cabi_post_tidegate:plugin/reply-policy@0.1.0#replies") (param i32)"#;
    reply_policy(&format!("{post} {instructions})"), NONE)
}

/// A reply policy whose allocator has these instructions.
pub fn allocating_policy(realloc: &str) -> Vec<u8> {
    around("policy", StringEncoding::UTF8, &module("", realloc, &format!("{REPLIES} {NONE})")))
}

/// Evaluates an expression, drops its value, and filters the message.
pub fn doing(expression: &str) -> Vec<u8> {
    transform("", &format!("(drop {expression}) {NONE}"))
}
