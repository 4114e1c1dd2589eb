//! Guests for tests, which do one thing each: core modules in text form, encoded as components with the contract in
//! `wit/`.

mod answers;
mod buckets;
mod costs;
mod faults;
mod nondeterminism;
mod policies;
mod processors;
mod refused;
mod state;
mod versions;

pub use answers::*;
pub use buckets::*;
pub use costs::*;
pub use faults::*;
pub use nondeterminism::*;
pub use policies::*;
pub use processors::*;
pub use refused::*;
pub use state::*;
pub use versions::*;

use crate::harness::root;
use std::sync::LazyLock;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve, UnresolvedPackageGroup};

/// All versions of the contract.
pub fn contract() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_dir(root().join("wit")).expect("wit/ is well-formed");
    resolve.push_dir(root().join("host/wit")).expect("host/wit/ is well-formed");
    let earlier = UnresolvedPackageGroup::parse_dir(root().join("wit/0.1.0")).expect("wit/0.1.0/ is well-formed");
    resolve.push_group(earlier).expect("wit/0.1.0/ needs only what wit/ has");
    resolve
}

/// All versions of the contract, and the worlds below.
static CONTRACT: LazyLock<(Resolve, PackageId)> = LazyLock::new(|| {
    let mut resolve = contract();
    let package = resolve.push_str("worlds.wit", WORLDS).expect("the worlds of the tests");
    (resolve, package)
});

const WORLDS: &str = "package tidegate:tests;
    world transform-plugin { include tidegate:plugin/transform-plugin@0.1.0; }
    world reply-policy-plugin { include tidegate:plugin/reply-policy-plugin@0.1.0; }
    world both-roles { include transform-plugin; include reply-policy-plugin; }
    world processor-plugin { include tidegate:plugin/processor-plugin@0.2.0; }
    world framed-policy-plugin { include tidegate:plugin/reply-policy-plugin@0.2.0; }
    world keeping-processor {
        include processor-plugin;
        import wasi:keyvalue/store@0.2.0-draft2;
        import wasi:keyvalue/atomics@0.2.0-draft2;
    }
    world both-versions { include transform-plugin; include processor-plugin; }";

/// A component of `world` around a core module with these fields, a memory of `pages`, and a bump allocator that
/// begins at the address `heap`.
pub fn component(world: &str, pages: u32, heap: u32, fields: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            {fields}
            (memory (export "memory") {pages})
            (global $free (mut i32) (i32.const {heap}))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at)))"#
    );
    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let (resolve, package) = &*CONTRACT;
    let world = resolve.select_world(&[*package], Some(world)).expect("the world is among these");
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

pub const TRANSFORM: &str = r#"(func (export "tidegate:plugin/transform@0.1.0#transform")
    (param $topic i32) (param $topic_len i32) (param $pairs i32) (param $pairs_len i32)
    (param $body i32) (param $body_len i32) (result i32)"#;

pub const REPLIES: &str = r#"(func (export "tidegate:plugin/reply-policy@0.1.0#replies")
    (param $identity i32) (param $identity_len i32) (param $pairs i32) (param $pairs_len i32)
    (param $frames i32) (param $frames_len i32) (result i32)"#;

/// A function that sets one 32-bit word of the returned value, which is at address 16.
pub const SET: &str = r#"(func $set (param $word i32) (param $value i32)
    (i32.store (i32.add (i32.const 16) (i32.shl (local.get $word) (i32.const 2))) (local.get $value)))"#;

/// A transform with these instructions, which leave the address of the result on the stack, and with these fields in
/// its module.
pub fn transform(fields: &str, instructions: &str) -> Vec<u8> {
    component("transform-plugin", 32, 4096, &format!("{fields} {SET} {TRANSFORM} {instructions})"))
}

/// As [`transform`], for a reply policy.
pub fn reply_policy(fields: &str, instructions: &str) -> Vec<u8> {
    component("reply-policy-plugin", 32, 4096, &format!("{fields} {SET} {REPLIES} {instructions})"))
}

/// The bytes of a custom section, to be appended to a component.
pub fn custom_section(name: &str, data: &[u8]) -> Vec<u8> {
    use wasm_encoder::{ComponentSection, CustomSection};
    let mut bytes = Vec::new();
    CustomSection { name: name.into(), data: data.into() }.append_to_component(&mut bytes);
    bytes
}

/// Instructions that return `ok(some(message))` with the body at this address and of this length.
pub fn returning(at: &str, length: &str) -> String {
    format!(
        "(call $set (i32.const 1) (i32.const 1))
         (call $set (i32.const 6) {at}) (call $set (i32.const 7) {length})
         (i32.const 16)"
    )
}
