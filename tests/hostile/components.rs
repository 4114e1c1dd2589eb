//! Builders of hostile components: lies in the returned value, hostile allocators, floods of host calls, and files that
//! are large, deep or damaged.

use crate::fixtures::{REPLIES, TRANSFORM, component, filtering, reply_policy, transform};
use crate::harness::root;
use std::fmt::Write;
use std::sync::LazyLock;
use wasm_encoder::{
    ComponentExportKind, ComponentExportSection, ComponentInstanceSection, ComponentSection, ComponentSectionId,
    CustomSection, RawSection,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

/// What opens a component.
pub const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// The contract with what language runtimes import beside it.
const WORLDS: &str = r"package tidegate:hostile;
    package wasi:cli@0.2.12 {
        interface exit { exit: func(status: result); }
        interface stdout { use wasi:io/streams@0.2.12.{output-stream}; get-stdout: func() -> output-stream; }
    }
    world runtime { import wasi:cli/exit@0.2.12; import wasi:cli/stdout@0.2.12; }
    world transform { include runtime; include tidegate:plugin/transform-plugin@0.1.0; }
    world policy { include runtime; include tidegate:plugin/reply-policy-plugin@0.1.0; }";

static CONTRACT: LazyLock<(Resolve, PackageId)> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    resolve.push_dir(root().join("wit")).expect("wit/ is well-formed");
    let package = resolve.push_source("hostile.wit", WORLDS).expect("the worlds are well-formed");
    (resolve, package)
});

/// A component of one of the [`WORLDS`] around a whole core module.
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

/// A transform in full: what stands beside it, its allocator's instructions and its own.
fn whole(fields: &str, realloc: &str, instructions: &str) -> Vec<u8> {
    around("transform", StringEncoding::UTF8, &module(fields, realloc, &format!("{TRANSFORM} {instructions})")))
}

fn module(fields: &str, realloc: &str, role: &str) -> String {
    format!(
        r#"(module {fields} {PARTS}
            (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc}) {role})"#
    )
}

/// A transform without imports and without the stores of [`transform`].
pub fn plain(fields: &str, instructions: &str) -> Vec<u8> {
    whole(fields, BUMP, instructions)
}

/// Filters every message, after the allocator did what it wanted.
pub fn allocating(realloc: &str) -> Vec<u8> {
    whole("", realloc, NONE)
}

/// Filters every message, and then has a word with the host before its memory is freed.
pub fn post_returning(fields: &str, instructions: &str) -> Vec<u8> {
    let post = r#"(func (export "cabi_post_tidegate:plugin/transform@0.1.0#transform") (param i32)"#;
    whole(&format!("{fields} {post} {instructions})"), BUMP, NONE)
}

/// As [`post_returning`], for a reply policy.
pub fn post_returning_policy(instructions: &str) -> Vec<u8> {
    let post = r#"(func (export "cabi_post_tidegate:plugin/reply-policy@0.1.0#replies") (param i32)"#;
    reply_policy(&format!("{post} {instructions})"), NONE)
}

/// A reply policy with an allocator of its own.
pub fn allocating_policy(realloc: &str) -> Vec<u8> {
    around("policy", StringEncoding::UTF8, &module("", realloc, &format!("{REPLIES} {NONE})")))
}

/// Does something, drops what comes of it, and filters the message.
pub fn doing(expression: &str) -> Vec<u8> {
    transform("", &format!("(drop {expression}) {NONE}"))
}

/// The text at address 1024, and words at the addresses given; the returned value stands at 16.
fn segments(text: &str, words: &[(u32, &[u32])]) -> String {
    let mut segments = format!(r#"(data (i32.const 1024) "{text}")"#);
    for (address, words) in words {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).fold(String::new(), |mut text, byte| {
            write!(text, "\\{byte:02x}").unwrap();
            text
        });
        write!(segments, r#" (data (i32.const {address}) "{bytes}")"#).unwrap();
    }
    segments
}

/// A transform that returns what its data segments say.
///
/// Words of a message: 0 ok, 1 some, address and length of topic, metadata and body. Of an error: 1, which, address,
/// length. The memory ends at [`END`].
pub fn returning(text: &str, words: &[(u32, &[u32])]) -> Vec<u8> {
    transform(&segments(text, words), NONE)
}

/// As [`returning`], for a reply policy: 0 ok, address and number of replies; a reply is delay, address and number of
/// frames; a frame is address and length.
pub fn policy_returning(text: &str, words: &[(u32, &[u32])]) -> Vec<u8> {
    reply_policy(&segments(text, words), NONE)
}

/// Where the memory of [`returning`] ends.
pub const END: u32 = 32 << 16;

/// As [`returning`], with a memory of `pages` that is zero but for the words.
pub fn returning_much(pages: u32, words: &[(u32, &[u32])]) -> Vec<u8> {
    let fields = format!("{} {TRANSFORM} {NONE})", segments("", words));
    component("transform-plugin", pages, 4096, &fields)
}

/// `replies` replies of `frames` frames, all of them the same `bytes` of a memory of 2 MiB.
pub fn aliasing_policy(replies: usize, frames: u32, bytes: u32) -> Vec<u8> {
    let reply = [0, 65_536, frames];
    let replies_at = 65_536 + frames * 8;
    let list: Vec<u32> = reply.iter().copied().cycle().take(replies * 3).collect();
    let frame: Vec<u32> = [0, bytes].into_iter().cycle().take(frames as usize * 2).collect();
    policy_returning("", &[(16, &[0, replies_at, replies as u32]), (65_536, &frame), (replies_at, &list)])
}

/// As [`returning`], with strings in UTF-16.
pub fn returning_utf16(text: &str, words: &[(u32, &[u32])]) -> Vec<u8> {
    let role = format!("{TRANSFORM} {NONE})");
    around("transform", StringEncoding::UTF16, &module(&segments(text, words), BUMP, &role))
}

/// Filters every message, having done something many times or without end.
fn repeating(imports: &str, times: Option<u32>, instructions: &str) -> Vec<u8> {
    let again = match times {
        None => "(br 0)".to_owned(),
        Some(times) => format!(
            "(local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br_if 0 (i32.lt_u (local.get $i) (i32.const {times})))"
        ),
    };
    let instructions = format!("(local $i i32) (loop {instructions} {again}) {NONE}");
    whole(&format!(r#"{imports} (data (i32.const 1024) "flood\0aFORGED line")"#), BUMP, &instructions)
}

/// Writes lines of `bytes` to the log, from address 1024 on.
pub fn logging(times: Option<u32>, bytes: u32) -> Vec<u8> {
    repeating(
        r#"(import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))"#,
        times,
        &format!("(call $log (i32.const 4) (i32.const 1024) (i32.const 18) (i32.const 1024) (i32.const {bytes}))"),
    )
}

const STDOUT: &str = r#"(import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
    (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.12" "[method]output-stream.write-zeroes" (func $zeroes (param i32 i64 i32)))
    (global $stream (mut i32) (i32.const -1))"#;
const OPEN_ONCE: &str = "(if (i32.lt_s (global.get $stream) (i32.const 0)) (then (global.set $stream (call $stdout))))";

/// Writes pieces of `bytes` to stdout, whatever becomes of them.
pub fn printing(times: Option<u32>, bytes: u32) -> Vec<u8> {
    let write = format!("(call $write (global.get $stream) (i32.const 1024) (i32.const {bytes}) (i32.const 64))");
    repeating(STDOUT, times, &format!("{OPEN_ONCE} {write}"))
}

/// Asks the host to write this many zeroes to stdout by itself.
pub fn printing_zeroes(bytes: u64) -> Vec<u8> {
    let write = format!("(call $zeroes (global.get $stream) (i64.const {bytes}) (i32.const 64))");
    repeating(STDOUT, Some(1), &format!("{OPEN_ONCE} {write}"))
}

/// Opens stdout again and again and closes nothing.
pub fn leaking_streams() -> Vec<u8> {
    repeating(STDOUT, None, "(drop (call $stdout))")
}

const POLL: &str = r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration"
        (func $timer (param i64) (result i32)))
    (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.12" "poll" (func $poll (param i32 i32 i32)))"#;

/// Makes timers and drops none.
pub fn leaking_timers() -> Vec<u8> {
    repeating(POLL, None, "(drop (call $timer (i64.const -1)))")
}

/// Waits in its start function, before it is even called.
pub fn waiting_in_start() -> Vec<u8> {
    let start = "(func $start (call $block (call $timer (i64.const -1)))) (start $start)";
    whole(&format!("{POLL} {start}"), BUMP, NONE)
}

/// Waits for a list of `count` times the one timer.
pub fn polling(count: u32, nanoseconds: i64) -> Vec<u8> {
    let instructions = format!(
        "(local $i i32) (local $timer i32)
         (local.set $timer (call $timer (i64.const {nanoseconds})))
         (drop (memory.grow (i32.const 800)))
         (global.set $free (i32.const {}))
         (block (br_if 0 (i32.eqz (i32.const {count}))) (loop
            (i32.store (i32.add (i32.const 65536) (i32.shl (local.get $i) (i32.const 2))) (local.get $timer))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $i) (i32.const {count})))))
         (call $poll (i32.const 65536) (i32.const {count}) (i32.const 64)) {NONE}",
        65536 + count * 4,
    );
    whole(POLL, BUMP, &instructions)
}

/// Asks for `bytes` random bytes at once.
pub fn randomizing(times: Option<u32>, function: &str, bytes: u64) -> Vec<u8> {
    let interface = if function.contains("insecure") { "insecure" } else { "random" };
    repeating(
        &format!(r#"(import "wasi:random/{interface}@0.2.12" "{function}" (func $random (param i64 i32)))"#),
        times,
        &format!("(call $random (i64.const {bytes}) (i32.const 64))"),
    )
}

const EXIT: &str = r#"(import "wasi:cli/exit@0.2.12" "exit" (func $exit (param i32)))"#;

/// Ends the program that it takes itself for.
pub fn exiting(status: u32) -> Vec<u8> {
    whole(EXIT, BUMP, &format!("(call $exit (i32.const {status})) {NONE}"))
}

/// As [`exiting`], in the start function.
pub fn exiting_in_start() -> Vec<u8> {
    whole(&format!("{EXIT} (func $start (call $exit (i32.const 0))) (start $start)"), BUMP, NONE)
}

/// As [`exiting`], for a reply policy.
pub fn exiting_policy() -> Vec<u8> {
    let role = format!("{REPLIES} (call $exit (i32.const 0)) {NONE})");
    around("policy", StringEncoding::UTF8, &module(EXIT, BUMP, &role))
}

/// Calls itself with `values` live over the call, so that each frame holds them all.
pub fn framing(values: usize) -> Vec<u8> {
    let mut body = String::new();
    for value in 0..values {
        write!(body, "i32.const {} i64.load ", (value % 1000) * 8).unwrap();
    }
    body += "call $deeper ";
    body += &"i64.add ".repeat(values);
    let deeper = format!("(func $deeper (result i64) {body})");
    transform(&deeper, &format!("(drop (call $deeper)) {NONE}"))
}

/// Recursion of other shapes than a function that calls itself.
pub fn recursing_indirectly() -> Vec<u8> {
    let fields = "(type $f (func (result i32))) (table 1 1 funcref) (elem (i32.const 0) $deeper)
        (func $deeper (result i32) (i32.add (call_indirect (type $f) (i32.const 0)) (i32.const 1)))";
    transform(fields, "(call $deeper)")
}

/// Two functions that call each other.
pub fn recursing_mutually() -> Vec<u8> {
    let fields = "(func $one (result i32) (i32.add (call $two) (i32.const 1)))
        (func $two (result i32) (i32.add (call $one) (i32.const 1)))";
    transform(fields, "(call $one)")
}

/// Recurses, and calls the host at each depth.
pub fn recursing_through_the_host() -> Vec<u8> {
    let fields = r#"(import "wasi:random/random@0.2.12" "get-random-u64" (func $random (result i64)))
        (func $deeper (result i64) (i64.add (call $random) (call $deeper)))"#;
    transform(fields, "(drop (call $deeper)) (i32.const 16)")
}

/// Loops without a loop.
pub fn tail_calling() -> Vec<u8> {
    transform("(func $again (result i32) (return_call $again))", "(call $again)")
}

/// Fields, `count` times, each with its number in place of `#`.
pub fn many(count: usize, field: &str) -> String {
    (0..count).map(|number| field.replace('#', &number.to_string())).collect()
}

/// `depth` blocks in each other.
pub fn nesting_blocks(depth: usize) -> Vec<u8> {
    let deep = format!("(func $deep {} {})", "block ".repeat(depth), "end ".repeat(depth));
    plain(&deep, NONE)
}

/// One function of many instructions that all hang together.
pub fn computing_at_length(instructions: usize) -> Vec<u8> {
    let chain = "i32.const 8 i32.load i32.xor ".repeat(instructions / 3);
    plain(&format!("(func $long (param i32) (result i32) local.get 0 {chain})"), NONE)
}

/// A `br_table` of many targets.
pub fn branching(targets: usize) -> Vec<u8> {
    let table = format!("(func $far (param i32) (block (br_table {} 0 (local.get 0))))", "0 ".repeat(targets));
    plain(&table, NONE)
}

/// A component that filters, with more sections behind those that it needs.
pub fn with_section(section: &impl ComponentSection) -> Vec<u8> {
    let mut bytes = filtering();
    section.append_to_component(&mut bytes);
    bytes
}

/// With `count` custom sections of one name.
pub fn with_custom_sections(count: usize, name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = filtering();
    for _ in 0..count {
        CustomSection { name: name.into(), data: data.into() }.append_to_component(&mut bytes);
    }
    bytes
}

/// With `count` more exports than it needs.
pub fn with_exports(count: usize) -> Vec<u8> {
    let mut exports = ComponentExportSection::new();
    for number in 0..count {
        exports.export(format!("export-{number}").as_str(), ComponentExportKind::Instance, 0, None);
    }
    with_section(&exports)
}

/// `bytes` with another component in it, instantiated together with it.
pub fn holding(mut bytes: Vec<u8>, nested: &str) -> Vec<u8> {
    let nested = wat::parse_str(nested).unwrap();
    RawSection { id: ComponentSectionId::Component.into(), data: &nested }.append_to_component(&mut bytes);
    // The encoder put one component before it, the one that gives the role its types.
    ComponentInstanceSection::new().instantiate::<_, &str>(1, []).append_to_component(&mut bytes);
    bytes
}

/// A component of `count` core instances, each with the fields given.
pub fn instances(count: usize, fields: &str) -> String {
    format!("(component (core module $m {fields}) {})", "(core instance (instantiate $m))".repeat(count))
}

/// A component that instantiates two that instantiate two, and so on: 2 to the `depth` core instances.
pub fn doubling(depth: usize) -> String {
    let mut text = "(component (component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for level in 1..=depth {
        let half = level - 1;
        write!(text, "(component $c{level} (instance (instantiate $c{half})) (instance (instantiate $c{half})))")
            .unwrap();
    }
    write!(text, "(instance (instantiate $c{depth})))").unwrap();
    text
}

/// A type whose values double in size `depth` times.
pub fn doubling_type(depth: usize) -> Vec<u8> {
    let mut text = "(component (type $t0 (tuple u64 u64))".to_owned();
    for level in 1..=depth {
        write!(text, "(type $t{level} (tuple $t{0} $t{0}))", level - 1).unwrap();
    }
    wat::parse_str(text + ")").unwrap()
}

/// Components in each other, `depth` deep.
pub fn nested_components(depth: usize) -> Vec<u8> {
    let mut inner = HEADER.to_vec();
    for _ in 0..depth {
        let mut outer = HEADER.to_vec();
        RawSection { id: ComponentSectionId::Component.into(), data: &inner }.append_to_component(&mut outer);
        inner = outer;
    }
    with_section(&RawSection { id: ComponentSectionId::Component.into(), data: &inner })
}

/// `count` empty components beside each other.
pub fn components_in_a_row(count: usize) -> Vec<u8> {
    let mut bytes = filtering();
    for _ in 0..count {
        RawSection { id: ComponentSectionId::Component.into(), data: HEADER }.append_to_component(&mut bytes);
    }
    bytes
}

/// The component that a text stands for.
pub fn text(component: &str) -> Vec<u8> {
    wat::parse_str(component).unwrap()
}

/// A component around a core module that need not be valid.
pub fn invalid(fields: &str) -> Vec<u8> {
    text(&format!("(component (core module {fields}))"))
}

/// Imports `count` interfaces that nobody offers.
pub fn importing(count: usize) -> Vec<u8> {
    let imports = many(count, r#"(import "evil:host/files#" (instance (export "all" (func))))"#);
    text(&format!(r#"(component {imports} (instance (export "tidegate:plugin/transform@0.1.0")))"#))
}

/// The role's export, lifted with another type than the contract's.
pub fn wrongly_typed(parameters: &str, core_parameters: &str) -> Vec<u8> {
    text(&format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "f") {core_parameters})
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (func $f {parameters}
                (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
            (instance $role (export "transform" (func $f)))
            (export "tidegate:plugin/transform@0.1.0" (instance $role)))"#
    ))
}

/// Bytes that look random and are the same in every run.
pub fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}
