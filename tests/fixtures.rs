//! Plugins that do one thing each, hostile ones among them: core modules in text form, made components against the
//! real contract in `wit/`.

use crate::harness::root;
use std::sync::LazyLock;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

static CONTRACT: LazyLock<(Resolve, PackageId)> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).expect("wit/ is well-formed");
    resolve.push_str("both.wit", BOTH_ROLES).expect("a world of both roles");
    (resolve, package)
});

/// The world of a component that has both roles.
const BOTH_ROLES: &str = "package tidegate:tests;
    world both-roles { include tidegate:plugin/transform-plugin@0.1.0; include tidegate:plugin/reply-policy-plugin@0.1.0; }";

/// A component of `world` around the fields of a core module, which has a memory of `pages` and an allocator that
/// hands out what is left above `heap`.
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
    let world = resolve.select_world(&[*package], Some(world)).expect("the world is in wit/");
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

pub const TRANSFORM: &str = r#"(func (export "tidegate:plugin/transform@0.1.0#transform")
    (param $topic i32) (param $topic_len i32) (param $pairs i32) (param $pairs_len i32)
    (param $body i32) (param $body_len i32) (result i32)"#;

pub const REPLIES: &str = r#"(func (export "tidegate:plugin/reply-policy@0.1.0#replies")
    (param $identity i32) (param $identity_len i32) (param $pairs i32) (param $pairs_len i32)
    (param $frames i32) (param $frames_len i32) (result i32)"#;

/// Sets the words of the value that is returned, which stands at address 16.
pub const SET: &str = r#"(func $set (param $word i32) (param $value i32)
    (i32.store (i32.add (i32.const 16) (i32.shl (local.get $word) (i32.const 2))) (local.get $value)))"#;

/// A transform with the given instructions; they leave the address of the result. `fields` stand beside it.
pub fn transform(fields: &str, instructions: &str) -> Vec<u8> {
    component("transform-plugin", 32, 4096, &format!("{fields} {SET} {TRANSFORM} {instructions})"))
}

/// As [`transform`], for a reply policy.
pub fn reply_policy(fields: &str, instructions: &str) -> Vec<u8> {
    component("reply-policy-plugin", 32, 4096, &format!("{fields} {SET} {REPLIES} {instructions})"))
}

/// `ok(some(message))` with the topic and content-type given and the input's body.
pub fn answering(topic: &str, content_type: Option<&str>) -> Vec<u8> {
    let pairs = content_type.map_or(0, |_| 1);
    let value = content_type.unwrap_or_default();
    let data = format!(
        r#"(data (i32.const 1024) "{topic}") (data (i32.const 2048) "content-type") (data (i32.const 3072) "{value}")
           (data (i32.const 512) "\00\08\00\00\0c\00\00\00\00\0c\00\00\{:02x}\00\00\00")"#,
        value.len()
    );
    transform(
        &data,
        &format!(
            "(call $set (i32.const 1) (i32.const 1))
             (call $set (i32.const 2) (i32.const 1024)) (call $set (i32.const 3) (i32.const {}))
             (call $set (i32.const 4) (i32.const 512)) (call $set (i32.const 5) (i32.const {pairs}))
             (call $set (i32.const 6) (local.get $body)) (call $set (i32.const 7) (local.get $body_len))
             (i32.const 16)",
            topic.len()
        ),
    )
}

/// `ok(none)`.
pub fn filtering() -> Vec<u8> {
    transform("", "(i32.const 16)")
}

/// `err(rejected(text))` or `err(failed(text))`.
pub fn erring(failed: bool, text: &str) -> Vec<u8> {
    transform(
        &format!(r#"(data (i32.const 1024) "{text}")"#),
        &format!(
            "(call $set (i32.const 0) (i32.const 1)) (call $set (i32.const 1) (i32.const {}))
             (call $set (i32.const 2) (i32.const 1024)) (call $set (i32.const 3) (i32.const {}))
             (i32.const 16)",
            i32::from(failed),
            text.len()
        ),
    )
}

/// Never returns.
pub fn looping() -> Vec<u8> {
    transform("", "(loop (br 0)) (unreachable)")
}

/// Calls itself until its stack is used up.
pub fn recursing() -> Vec<u8> {
    transform("(func $deeper (result i32) (i32.add (call $deeper) (i32.const 1)))", "(call $deeper)")
}

/// Takes memory until it gets no more, then traps.
pub fn growing() -> Vec<u8> {
    transform("", "(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) (unreachable)")
}

/// Traps at once.
pub fn trapping() -> Vec<u8> {
    transform("", "(unreachable)")
}

/// Returns a hundred pairs that all point at one string of 10 MiB: 1 GiB of output from a small guest.
pub fn gigabyte() -> Vec<u8> {
    let pages = 11 * 16 + 1;
    let instructions = "(local $i i32)
        (memory.fill (i32.const 65536) (i32.const 97) (i32.const 10485760))
        (loop
            (i32.store (i32.add (i32.const 1024) (i32.mul (local.get $i) (i32.const 16))) (i32.const 65536))
            (i32.store (i32.add (i32.const 1032) (i32.mul (local.get $i) (i32.const 16))) (i32.const 65536))
            (i32.store (i32.add (i32.const 1036) (i32.mul (local.get $i) (i32.const 16))) (i32.const 10485760))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $i) (i32.const 100))))
        (call $set (i32.const 1) (i32.const 1))
        (call $set (i32.const 4) (i32.const 1024)) (call $set (i32.const 5) (i32.const 100))
        (i32.const 16)";
    component("transform-plugin", pages, 11 << 20, &format!("{SET} {TRANSFORM} {instructions})"))
}

/// Waits in a host call for an hour.
pub fn waiting() -> Vec<u8> {
    transform(
        r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
           (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))"#,
        "(call $block (call $timer (i64.const 3600000000000))) (unreachable)",
    )
}

/// Counts its calls in its memory and answers with the count, as one digit.
pub fn counting() -> Vec<u8> {
    transform(
        "(global $calls (mut i32) (i32.const 0))",
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
         (i32.store8 (i32.const 1024) (i32.add (global.get $calls) (i32.const 48)))
         (call $set (i32.const 1) (i32.const 1))
         (call $set (i32.const 6) (i32.const 1024)) (call $set (i32.const 7) (i32.const 1))
         (i32.const 16)",
    )
}

/// As [`counting`], in so little memory that its instances are reset.
pub fn counting_in_place() -> Vec<u8> {
    component(
        "transform-plugin",
        1,
        4096,
        &format!(
            "(global $calls (mut i32) (i32.const 0)) {SET} {TRANSFORM}
             (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (i32.store8 (i32.const 1024) (i32.add (global.get $calls) (i32.const 48))) {})",
            returning("(i32.const 1024)", "(i32.const 1)")
        ),
    )
}

/// As [`counting`], but waits for half a second before it answers a body that begins with `w`.
pub fn counting_slowly() -> Vec<u8> {
    transform(
        r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
           (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
           (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop (param i32)))
           (global $calls (mut i32) (i32.const 0))"#,
        &format!(
            "(local $timer i32)
             (if (i32.eq (i32.load8_u (local.get $body)) (i32.const 119)) (then
                (local.set $timer (call $timer (i64.const 500000000)))
                (call $block (local.get $timer)) (call $drop (local.get $timer))))
             (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (i32.store8 (i32.const 1024) (i32.add (global.get $calls) (i32.const 48))) {}",
            returning("(i32.const 1024)", "(i32.const 1)")
        ),
    )
}

/// Has a start function of the given instructions.
pub fn starting(instructions: &str) -> Vec<u8> {
    transform(&format!("(func $start {instructions}) (start $start)"), "(i32.const 16)")
}

/// Exports nothing that the host knows.
pub fn wrong_world() -> Vec<u8> {
    wat::parse_str("(component)").unwrap()
}

/// Replies `count` times with the request's own frames, each after `delay_ms`.
pub fn replying(count: u32, delay_ms: u32) -> Vec<u8> {
    let bytes = 65536 + count * 12;
    let instructions = format!(
        "(local $i i32) (local $at i32)
         (local.set $at (i32.const 65536))
         (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (i32.const {count})))
            (i32.store (local.get $at) (i32.const {delay_ms}))
            (i32.store offset=4 (local.get $at) (local.get $frames))
            (i32.store offset=8 (local.get $at) (local.get $frames_len))
            (local.set $at (i32.add (local.get $at) (i32.const 12)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))
         (call $set (i32.const 1) (i32.const 65536)) (call $set (i32.const 2) (i32.const {count}))
         (i32.const 16)"
    );
    component("reply-policy-plugin", bytes.div_ceil(65536) + 1, 4096, &format!("{SET} {REPLIES} {instructions})"))
}

/// Replies `count` times, up to a thousand, with one frame of so many zeros, each after `delay_ms`.
pub fn replying_at_length(count: u32, bytes: u32, delay_ms: u32) -> Vec<u8> {
    let instructions = format!(
        "(local $i i32) (local $at i32)
         (i32.store (i32.const 1040) (i32.const 65536)) (i32.store (i32.const 1044) (i32.const {bytes}))
         (local.set $at (i32.const 2048))
         (loop $next
            (i32.store (local.get $at) (i32.const {delay_ms}))
            (i32.store offset=4 (local.get $at) (i32.const 1040))
            (i32.store offset=8 (local.get $at) (i32.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 12)))
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {count}))))
         (call $set (i32.const 1) (i32.const 2048)) (call $set (i32.const 2) (i32.const {count}))
         (i32.const 16)"
    );
    let pages = bytes.div_ceil(65536) + 2;
    component("reply-policy-plugin", pages, 32768, &format!("{SET} {REPLIES} {instructions})"))
}

/// Has the right exports, and an import that no host of this contract offers.
pub fn importing_unknown() -> Vec<u8> {
    wat::parse_str(
        r#"(component
            (import "evil:host/files" (instance (export "all" (func))))
            (instance (export "tidegate:plugin/transform@0.1.0")))"#,
    )
    .unwrap()
}

/// Exports the role in a version of the contract that does not exist.
pub fn other_version() -> Vec<u8> {
    wat::parse_str(r#"(component (instance (export "tidegate:plugin/transform@9.9.9")))"#).unwrap()
}

/// Replies once with the request's own frames: at once if its first frame is empty, else after `delay_ms`.
pub fn replying_late_unless_asked(delay_ms: u32) -> Vec<u8> {
    let instructions = format!(
        "(if (i32.load offset=4 (local.get $frames)) (then (i32.store (i32.const 1024) (i32.const {delay_ms}))))
         (i32.store (i32.const 1028) (local.get $frames)) (i32.store (i32.const 1032) (local.get $frames_len))
         (call $set (i32.const 1) (i32.const 1024)) (call $set (i32.const 2) (i32.const 1))
         (i32.const 16)"
    );
    reply_policy("", &instructions)
}

/// Replies once, with a digit for how many frames the request has.
pub fn counting_frames() -> Vec<u8> {
    reply_policy(
        "",
        "(i32.store8 (i32.const 2048) (i32.add (i32.const 48) (local.get $frames_len)))
         (i32.store (i32.const 1040) (i32.const 2048)) (i32.store (i32.const 1044) (i32.const 1))
         (i32.store (i32.const 1028) (i32.const 1040)) (i32.store (i32.const 1032) (i32.const 1))
         (call $set (i32.const 1) (i32.const 1024)) (call $set (i32.const 2) (i32.const 1))
         (i32.const 16)",
    )
}

/// Replies with the metadata of the request: name, value, name, value …
pub fn telling_metadata() -> Vec<u8> {
    reply_policy(
        "",
        "(i32.store (i32.const 1028) (local.get $pairs))
         (i32.store (i32.const 1032) (i32.mul (local.get $pairs_len) (i32.const 2)))
         (call $set (i32.const 1) (i32.const 1024)) (call $set (i32.const 2) (i32.const 1))
         (i32.const 16)",
    )
}

/// Replies once, with no frames.
pub fn replying_without_frames() -> Vec<u8> {
    reply_policy(
        "",
        "(call $set (i32.const 1) (i32.const 1024)) (call $set (i32.const 2) (i32.const 1))
         (i32.const 16)",
    )
}

/// A custom section, to be put behind a component.
pub fn custom_section(name: &str, data: &[u8]) -> Vec<u8> {
    use wasm_encoder::{ComponentSection, CustomSection};
    let mut bytes = Vec::new();
    CustomSection { name: name.into(), data: data.into() }.append_to_component(&mut bytes);
    bytes
}

/// Returns the body, or traps if that begins with `byte`.
pub fn trapping_on(byte: u8) -> Vec<u8> {
    transform(
        "",
        &format!(
            "(if (i32.and (i32.ne (local.get $body_len) (i32.const 0))
                          (i32.eq (i32.load8_u (local.get $body)) (i32.const {byte}))) (then (unreachable)))
             {}",
            returning("(local.get $body)", "(local.get $body_len)")
        ),
    )
}

/// `ok(some(message))` with the body that stands there.
pub fn returning(at: &str, length: &str) -> String {
    format!(
        "(call $set (i32.const 1) (i32.const 1))
         (call $set (i32.const 6) {at}) (call $set (i32.const 7) {length})
         (i32.const 16)"
    )
}

/// How much memory [`hoarding`] and [`searching`] take, in pages, and from where on.
const TAKEN: &str = "(drop (memory.grow (i32.const 16)))";

/// Leaves its mark all over its memory, in what the host wipes in place and in what it gives back.
pub fn hoarding() -> Vec<u8> {
    transform(
        "",
        &format!(
            "{TAKEN} (memory.fill (i32.const 65536) (i32.const 170) (i32.const 1114112))
             (i32.store8 (i32.const 1024) (i32.const 48)) {}",
            returning("(i32.const 1024)", "(i32.const 1)")
        ),
    )
}

/// Answers with `1` if any of its memory is not zero that it has not written to, else with `0`.
pub fn searching() -> Vec<u8> {
    transform(
        "",
        &format!(
            "(local $at i32) (local $found i64)
             {TAKEN} (local.set $at (i32.const 65536))
             (loop
                (local.set $found (i64.or (local.get $found) (i64.load (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if 0 (i32.lt_u (local.get $at) (i32.const 1179648))))
             (i32.store8 (i32.const 1024) (i32.add (i32.const 48) (i64.ne (local.get $found) (i64.const 0)))) {}",
            returning("(i32.const 1024)", "(i32.const 1)")
        ),
    )
}

/// Answers with eight random bytes.
pub fn drawing() -> Vec<u8> {
    transform(
        r#"(import "wasi:random/random@0.2.12" "get-random-u64" (func $draw (result i64)))"#,
        &format!("(i64.store (i32.const 1024) (call $draw)) {}", returning("(i32.const 1024)", "(i32.const 8)")),
    )
}

/// `err(failed(text))` with eight letters that chance has chosen.
pub fn failing_by_chance() -> Vec<u8> {
    failing_with(r#"(import "wasi:random/random@0.2.12" "get-random-u64" (func $draw (result i64)))"#, "(call $draw)")
}

/// As [`failing_by_chance`], but the clock has a say too.
pub fn failing_by_chance_and_time() -> Vec<u8> {
    failing_with(
        r#"(import "wasi:random/random@0.2.12" "get-random-u64" (func $draw (result i64)))
           (import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))"#,
        "(i64.xor (call $draw) (i64.xor (call $now) (call $now)))",
    )
}

/// `err(failed(text))` with a letter, `a` to `p`, for each byte of the number that the instructions leave.
fn failing_with(fields: &str, number: &str) -> Vec<u8> {
    transform(
        fields,
        &format!(
            "(i64.store (i32.const 1024)
                (i64.add (i64.and {number} (i64.const 0x0f0f0f0f0f0f0f0f)) (i64.const 0x6161616161616161)))
             (call $set (i32.const 0) (i32.const 1)) (call $set (i32.const 1) (i32.const 1))
             (call $set (i32.const 2) (i32.const 1024)) (call $set (i32.const 3) (i32.const 8))
             (i32.const 16)"
        ),
    )
}

/// Answers with two readings of the monotonic clock, in nanoseconds as 8 bytes each, the lowest first.
pub fn telling_time() -> Vec<u8> {
    transform(
        r#"(import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))"#,
        &format!(
            "(i64.store (i32.const 1024) (call $now)) (i64.store (i32.const 1032) (call $now)) {}",
            returning("(i32.const 1024)", "(i32.const 16)")
        ),
    )
}

/// Writes so many lines to the log.
pub fn logging(lines: u32) -> Vec<u8> {
    transform(
        r#"(import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))
           (data (i32.const 1024) "a line of a guest")"#,
        &format!(
            "(local $i i32)
             (loop
                (call $log (i32.const 2) (i32.const 1024) (i32.const 1) (i32.const 1024) (i32.const 17))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get $i) (i32.const {lines}))))
             {}",
            returning("(local.get $body)", "(local.get $body_len)")
        ),
    )
}

/// Answers `slow` and the body, and has a function of so many steps that depend on each other.
pub fn long_to_compile(steps: usize) -> Vec<u8> {
    let step = "(local.set $x (i32.xor (i32.mul (local.get $x) (i32.const 31)) (i32.const 7)))\n";
    let fields = format!(
        r#"(func $long (param $x i32) (result i32) {} (local.get $x))
           (data (i32.const 1024) "slow ")"#,
        step.repeat(steps)
    );
    transform(
        &fields,
        &format!(
            "(memory.copy (i32.const 1029) (local.get $body) (local.get $body_len)) {}",
            returning("(i32.const 1024)", "(i32.add (i32.const 5) (local.get $body_len))")
        ),
    )
}

/// Replies once with the request's own frames; waits for so long before that if the first one begins with `w`.
pub fn slow_policy(wait_ms: u64) -> Vec<u8> {
    reply_policy(
        r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
           (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
           (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop (param i32)))"#,
        &format!(
            "(local $timer i32)
             (if (i32.eq (i32.load8_u (i32.load (local.get $frames))) (i32.const 119)) (then
                (local.set $timer (call $timer (i64.const {})))
                (call $block (local.get $timer)) (call $drop (local.get $timer))))
             (i32.store (i32.const 1028) (local.get $frames)) (i32.store (i32.const 1032) (local.get $frames_len))
             (call $set (i32.const 1) (i32.const 1024)) (call $set (i32.const 2) (i32.const 1))
             (i32.const 16)",
            wait_ms * 1_000_000
        ),
    )
}

/// Waits in a host call for an hour.
pub fn waiting_policy() -> Vec<u8> {
    reply_policy(
        r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
           (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))"#,
        "(call $block (call $timer (i64.const 3600000000000))) (unreachable)",
    )
}

/// Replies once with the request's own frames; if the first one begins with `w`, never, for it counts for ever.
pub fn spinning_policy() -> Vec<u8> {
    reply_policy(
        "",
        "(if (i32.eq (i32.load8_u (i32.load (local.get $frames))) (i32.const 119)) (then (loop (br 0))))
         (i32.store (i32.const 1028) (local.get $frames)) (i32.store (i32.const 1032) (local.get $frames_len))
         (call $set (i32.const 1) (i32.const 1024)) (call $set (i32.const 2) (i32.const 1))
         (i32.const 16)",
    )
}

/// Answers with the input's body, of up to about as many bytes.
pub fn echoing(bytes: u32) -> Vec<u8> {
    let fields = format!("{SET} {TRANSFORM} {})", returning("(local.get $body)", "(local.get $body_len)"));
    component("transform-plugin", bytes >> 16, 4096, &fields)
}

/// Answers with the value of the pair of the metadata with this index.
pub fn telling_pair(index: u32) -> Vec<u8> {
    let word = |at: u32| format!("(i32.load (i32.add (local.get $pairs) (i32.const {})))", index * 16 + at);
    transform("", &returning(&word(8), &word(12)))
}

/// Counts before it answers, which takes about a nanosecond per step.
pub fn busy(steps: u32) -> Vec<u8> {
    transform(
        "",
        &format!(
            "(local $i i32)
             (loop (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {steps}))))
             {}",
            returning("(local.get $body)", "(local.get $body_len)")
        ),
    )
}

/// Answers with the value of a setting.
pub fn telling_setting(key: &str) -> Vec<u8> {
    transform(
        &format!(
            r#"(import "wasi:config/store@0.2.0-rc.1" "get" (func $get (param i32 i32 i32)))
               (data (i32.const 1024) "{key}")"#
        ),
        &format!(
            "(call $get (i32.const 1024) (i32.const {}) (i32.const 2048)) {}",
            key.len(),
            returning("(i32.load offset=8 (i32.const 2048))", "(i32.load offset=12 (i32.const 2048))")
        ),
    )
}
