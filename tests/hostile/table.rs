//! The table of hostile components: what each of them is, and the outcome that it must have.

use super::components::*;
use crate::fixtures;
use Outcome::{Answers, Refused, Serves};

/// The outcome that a component must have.
pub enum Outcome {
    /// Not loaded: the stage that refuses it, and a text of the log line.
    Refused(&'static str, &'static str),
    /// Loaded; a call is answered with this status, and its log line contains this text.
    Answers(u16, &'static str),
    /// Harmless: every call is answered, and a log line contains this text.
    Serves(&'static str),
}

pub type Row = (&'static str, Outcome, Vec<u8>);

/// The deadline of the rows that must exceed it; the others have more time than they need on a busy machine.
pub const SHORT_MS: u32 = 500;
/// A text in the log line of a call that exceeded its deadline, and in that of one that was starved on a busy machine.
pub const DEADLINE: &str = "call_deadline_ms 500";
pub const STACK: &str = "used up its stack of stack_bytes_max 524288";
pub const MEMORY: &str = "more memory than memory_bytes_max 67108864 was refused";
pub const TABLE: &str = "a larger table than table_elements_max 10000 was refused";
pub const OUTPUT: &str = "output is over output_bytes_max 16777216";
pub const DROPPED: &str = "over log_lines_per_second_max 100 are dropped";
pub const GROW: &str = "(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) (unreachable)";
pub const FOREVER: &str = "(loop (br 0)) (unreachable)";
pub const RANDOM: &str = "get-random-bytes";
pub const INSECURE: &str = "get-insecure-random-bytes";

/// Components that are loaded and called.
#[rustfmt::skip]
pub fn calls() -> Vec<Row> {
    vec![
        // Time.
        ("loop", Answers(504, DEADLINE), fixtures::looping()),
        ("loop-of-fills", Answers(504, DEADLINE), plain("", "(loop (memory.fill (i32.const 4096) (i32.const 0) (i32.const 2000000)) (br 0)) (unreachable)")),
        ("loop-of-tail-calls", Answers(504, DEADLINE), tail_calling()),
        ("loop-in-realloc", Answers(504, DEADLINE), allocating(FOREVER)),
        ("loop-in-post-return", Answers(504, DEADLINE), post_returning("", FOREVER)),
        ("wait", Answers(504, DEADLINE), fixtures::waiting()),
        ("wait-for-a-list", Answers(504, DEADLINE), polling(10, -1)),
        ("log-for-ever", Answers(504, DEADLINE), logging(None, 18)),
        ("print-for-ever", Answers(504, DEADLINE), printing(None, 18)),
        // Stack.
        ("recurse", Answers(502, STACK), fixtures::recursing()),
        ("recurse-mutually", Answers(502, STACK), recursing_mutually()),
        ("recurse-indirectly", Answers(502, STACK), recursing_indirectly()),
        ("recurse-through-the-host", Answers(502, STACK), recursing_through_the_host()),
        ("recurse-in-realloc", Answers(502, STACK), allocating("(i32.add (call $realloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 8)) (i32.const 1))")),
        ("recurse-in-post-return", Answers(502, STACK), post_returning("(func $f (call $f) (call $f))", "(call $f)")),
        ("frame-of-a-thousand", Answers(502, STACK), framing(1_000)),
        ("frame-over-the-stack", Answers(502, STACK), framing(70_000)),
        // Memory and tables.
        ("grow", Answers(502, MEMORY), fixtures::growing()),
        ("grow-at-once", Answers(502, MEMORY), fixtures::transform("", "(if (i32.lt_s (memory.grow (i32.const 65000)) (i32.const 0)) (then (unreachable))) (i32.const 16)")),
        ("grow-and-live", Serves(""), doing("(memory.grow (i32.const 65000))")),
        ("grow-in-realloc", Answers(502, MEMORY), allocating(GROW)),
        ("grow-in-post-return", Answers(502, MEMORY), post_returning("", GROW)),
        ("grow-a-table", Answers(502, TABLE), fixtures::transform("(table 1 funcref)", "(loop (br_if 0 (i32.ge_s (table.grow (ref.null func) (i32.const 100)) (i32.const 0)))) (unreachable)")),
        ("grow-a-table-at-once", Answers(502, TABLE), fixtures::transform("(table 1 funcref)", "(if (i32.lt_s (table.grow (ref.null func) (i32.const -1)) (i32.const 0)) (then (unreachable))) (i32.const 16)")),
        // Traps.
        ("trap", Answers(502, "wasm `unreachable` instruction executed"), fixtures::trapping()),
        ("trap-in-realloc", Answers(502, "wasm `unreachable` instruction executed"), allocating("(unreachable)")),
        ("trap-in-post-return", Answers(502, "wasm `unreachable` instruction executed"), post_returning("", "(unreachable)")),
        ("divide-by-zero", Answers(502, "integer divide by zero"), doing("(i32.div_s (i32.const 1) (i32.const 0))")),
        ("divide-over", Answers(502, "integer overflow"), doing("(i32.div_s (i32.const 0x80000000) (i32.const -1))")),
        ("truncate-over", Answers(502, "integer overflow"), doing("(i32.trunc_f64_s (f64.const 1e300))")),
        ("truncate-nan", Answers(502, "invalid conversion to integer"), doing("(i32.trunc_f64_s (f64.const nan))")),
        ("load-outside", Answers(502, "out of bounds memory access"), doing("(i32.load offset=4294967295 (i32.const -1))")),
        ("store-outside", Answers(502, "out of bounds memory access"), fixtures::transform("", "(i64.store (i32.const -8) (i64.const -1)) (i32.const 16)")),
        ("fill-outside", Answers(502, "out of bounds memory access"), fixtures::transform("", "(memory.fill (i32.const 0) (i32.const 1) (i32.const -1)) (i32.const 16)")),
        ("copy-outside", Answers(502, "out of bounds memory access"), fixtures::transform("", "(memory.copy (i32.const 0) (i32.const -9) (i32.const 8)) (i32.const 16)")),
        ("table-get-outside", Answers(502, "out of bounds"), fixtures::transform("(table 1 funcref)", "(drop (table.get (i32.const 77))) (i32.const 16)")),
        ("call-outside", Answers(502, "out of bounds"), fixtures::transform("(table 1 funcref)", "(call_indirect (i32.const 77)) (i32.const 16)")),
        ("call-null", Answers(502, "uninitialized element"), fixtures::transform("(table 1 funcref)", "(call_indirect (i32.const 0)) (i32.const 16)")),
        ("call-wrongly", Answers(502, "indirect call type mismatch"), fixtures::transform("(func $f (param f64)) (table funcref (elem $f))", "(call_indirect (i32.const 0)) (i32.const 16)")),
        ("exit-well", Answers(502, "exit"), exiting(0)),
        ("exit-badly", Answers(502, "exit"), exiting(1)),
        // Invalid returned values.
        ("result-outside", Answers(502, "out of bounds"), plain("", "(i32.const -4)")),
        ("result-at-the-end", Answers(502, "out of bounds"), plain("", "(i32.const 2097148)")),
        ("result-unaligned", Answers(502, "not aligned"), plain("", "(i32.const 17)")),
        ("result-unknown", Answers(502, "invalid expected discriminant"), returning("", &[(16, &[2])])),
        ("option-unknown", Answers(502, "invalid option discriminant"), returning("", &[(16, &[0, 77])])),
        ("error-unknown", Answers(502, "unexpected discriminant"), returning("", &[(16, &[1, 2])])),
        ("topic-outside", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, END - 1, 2])])),
        ("topic-far-outside", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, u32::MAX, 1])])),
        ("topic-without-end", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, 1024, u32::MAX])])),
        ("pairs-outside", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, 0, 0, END - 8, 1])])),
        ("pairs-without-end", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, 0, 0, 512, u32::MAX])])),
        ("pairs-wrap-around", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, 0, 0, 512, 1 << 28])])),
        ("pairs-unaligned", Answers(502, "not aligned"), returning("", &[(16, &[0, 1, 0, 0, 513, 1])])),
        ("key-outside", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, 0, 0, 512, 1]), (512, &[END, 1])])),
        ("value-without-end", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, 0, 0, 512, 1]), (512, &[0, 0, 0, u32::MAX])])),
        ("body-outside", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, 0, 0, 0, 0, END, 1])])),
        ("body-without-end", Answers(502, "out of bounds"), returning("", &[(16, &[0, 1, 0, 0, 0, 0, 1, u32::MAX])])),
        ("error-text-outside", Answers(502, "out of bounds"), returning("", &[(16, &[1, 0, END, 9])])),
        ("text-invalid-in-topic", Answers(502, "invalid utf-8"), returning(r"\ff\fe", &[(16, &[0, 1, 1024, 2])])),
        ("text-invalid-in-key", Answers(502, "invalid utf-8"), returning(r"\c0\80", &[(16, &[0, 1, 0, 0, 512, 1]), (512, &[1024, 2])])),
        ("text-invalid-in-value", Answers(502, "invalid utf-8"), returning(r"\ed\a0\80", &[(16, &[0, 1, 0, 0, 512, 1]), (512, &[0, 0, 1024, 3])])),
        ("text-invalid-in-rejected", Answers(502, "invalid utf-8"), returning(r"\f4\90\80\80", &[(16, &[1, 0, 1024, 4])])),
        ("text-invalid-in-failed", Answers(502, "utf-8"), returning(r"\e2\82", &[(16, &[1, 1, 1024, 2])])),
        ("utf16-half-a-pair", Answers(502, "surrogate"), returning_utf16(r"\00\d8", &[(16, &[0, 1, 1024, 1])])),
        ("utf16-unaligned", Answers(502, "not aligned"), returning_utf16("", &[(16, &[0, 1, 1025, 1])])),
        ("utf16-without-end", Answers(502, "out of bounds"), returning_utf16("", &[(16, &[0, 1, 1024, 1 << 31])])),
        ("content-type-forged", Answers(502, ""), returning(r"content-typea\0d\0ax: y", &[(16, &[0, 1, 0, 0, 512, 1]), (512, &[1024, 12, 1036, 7])])),
        // Returned values over the limit.
        ("gigabyte", Answers(502, OUTPUT), fixtures::gigabyte()),
        ("giant-topic", Answers(502, OUTPUT), returning_much(300, &[(16, &[0, 1, 0, 17 << 20])])),
        ("giant-body", Answers(502, OUTPUT), returning_much(300, &[(16, &[0, 1, 0, 0, 0, 0, 0, 17 << 20])])),
        ("giant-error", Answers(502, OUTPUT), returning_much(300, &[(16, &[1, 1, 0, 17 << 20])])),
        ("million-pairs", Answers(502, OUTPUT), returning_much(300, &[(16, &[0, 1, 0, 0, 512, 1_000_000])])),
        // A hostile allocator.
        ("realloc-outside", Answers(502, "realloc return: beyond end of memory"), allocating("(i32.const -16)")),
        ("realloc-at-the-end", Answers(502, "realloc return: beyond end of memory"), allocating("(i32.const 2097148)")),
        ("realloc-unaligned", Answers(502, "realloc return: result not aligned"), allocating("(i32.or (call $bump (local.get 3)) (i32.const 1))")),
        ("realloc-over-itself", Serves(""), allocating("(i32.const 4096)")),
        // Floods of host calls.
        ("log-flood", Serves(DROPPED), logging(Some(100_000), 18)),
        ("log-megabytes", Serves("flood"), logging(Some(150), 1 << 20)),
        ("log-outside", Answers(502, "out of bounds"), logging(Some(1), u32::MAX)),
        ("print-flood", Serves(DROPPED), printing(Some(100_000), 18)),
        ("print-pages", Serves("stdio"), printing(Some(1_000), 4_096)),
        ("print-too-much", Answers(502, "Buffer too large"), printing(Some(1), 4_097)),
        ("print-zeroes", Answers(502, "cannot write more zeroes"), printing_zeroes(1 << 40)),
        ("leak-timers", Answers(502, "resource table has no free keys"), leaking_timers()),
        ("leak-streams", Answers(502, "resource table has no free keys"), leaking_streams()),
        ("poll-nothing", Answers(502, "empty poll list"), polling(0, 0)),
        ("poll-thousands", Serves(""), polling(9_000, 0)),
        ("poll-half-a-million", Answers(502, "store handle limit exceeded"), polling(500_000, 0)),
        ("random-without-end", Answers(502, "exceeds limit"), randomizing(Some(1), RANDOM, u64::MAX)),
        ("random-insecure-without-end", Answers(502, "exceeds limit"), randomizing(Some(1), INSECURE, u64::MAX)),
        ("random-megabytes", Answers(502, "realloc return: beyond end of memory"), randomizing(None, RANDOM, 1 << 20)),
        // Large, but within the limits.
        ("functions", Serves(""), plain(&many(10_000, "(func $f# (result i32) (i32.const #))"), "(i32.const 16)")),
        ("types", Serves(""), plain(&format!("(type (func)) {}", many(1_000, "(rec (type (func (param i32))) (type (func (result i64 i32 f32))))")), "(i32.const 16)")),
        ("globals", Serves(""), plain(&many(10_000, "(global $g# (mut i64) (i64.const #))"), "(i32.const 16)")),
        ("core-exports", Serves(""), plain(&many(10_000, "(func (export \"f#\"))"), "(i32.const 16)")),
        ("exports", Serves(""), with_exports(900)),
        ("components-in-a-row", Serves(""), components_in_a_row(900)),
        ("deep-components", Serves(""), nested_components(1_000)),
        ("deep-blocks", Serves(""), nesting_blocks(10_000)),
        ("long-function", Serves(""), computing_at_length(50_000)),
        ("long-branch-table", Serves(""), branching(50_000)),
        ("many-locals", Serves(""), plain(&format!("(func $f (local {}))", "i64 ".repeat(50_000)), "(i32.const 16)")),
        ("data", Serves(""), plain(&format!("(data \"{}\")", "a".repeat(20 << 20)), "(i32.const 16)")),
        ("data-segments", Serves(""), plain(&many(20_000, "(data \"#\")"), "(i32.const 16)")),
        ("custom-section", Serves(""), with_custom_sections(1, "huge", &vec![0; 30 << 20])),
        ("custom-sections", Serves(""), with_custom_sections(100_000, "many", b"")),
        ("custom-sources", Serves(""), with_custom_sections(2, "tidegate:sources", b"\xff\0garbage")),
        // Texts at length, of which the log gets no more than a line.
        ("trap-at-length", Answers(502, STACK), fixtures::transform(&format!("(func ${0} (call ${0}) (call ${0}))", "f".repeat(50_000)), &format!("(call ${}) (i32.const 16)", "f".repeat(50_000)))),
        ("failed-at-length", Answers(502, "the plugin failed"), returning_much(33, &[(16, &[1, 1, 4096, 2 << 20])])),
    ]
}

/// Files that are refused.
#[rustfmt::skip]
pub fn refusals() -> Vec<Row> {
    vec![
        // Start functions that fail.
        ("start-trap", Refused("probe", "wasm `unreachable` instruction executed"), fixtures::starting("(unreachable)")),
        ("start-loop", Refused("probe", DEADLINE), fixtures::starting("(loop (br 0))")),
        ("start-wait", Refused("probe", DEADLINE), waiting_in_start()),
        ("start-recurse", Refused("probe", STACK), fixtures::starting("(call $start)  (call $start)")),
        ("start-grow", Refused("probe", MEMORY), fixtures::starting(GROW)),
        ("start-exit", Refused("probe", "exit"), exiting_in_start()),
        ("data-outside", Refused("probe", "out of bounds memory access"), plain("(data (i32.const -1) \"x\")", "(i32.const 16)")),
        ("elements-outside", Refused("probe", "out of bounds table access"), plain("(func $f) (table 1 funcref) (elem (i32.const 9) $f)", "(i32.const 16)")),
        ("memory-declared", Refused("compile", "memory"), returning_much(1_025, &[])),
        ("memory-declared-whole", Refused("compile", "memory"), returning_much(65_536, &[])),
        ("memories-declared", Refused("compile", "memories"), plain(&"(memory 1)".repeat(50), "(i32.const 16)")),
        ("memories-of-parts", Refused("compile", "linear memories"), holding(fixtures::filtering(), &instances(20, "(memory 64)"))),
        ("table-declared", Refused("compile", "table"), plain("(table 10001 funcref)", "(i32.const 16)")),
        ("table-declared-huge", Refused("compile", "table"), plain("(table 4000000000 funcref)", "(i32.const 16)")),
        ("tables-declared", Refused("compile", "tables"), plain(&"(table 1 funcref)".repeat(90), "(i32.const 16)")),
        ("tables-of-parts", Refused("compile", "tables"), holding(fixtures::filtering(), &instances(20, "(table 1000 funcref)"))),
        // Files over a limit.
        ("locals-over", Refused("compile", "locals"), invalid(&format!("(func (local {}))", "i64 ".repeat(50_001)))),
        ("parameters-over", Refused("compile", "param"), invalid(&format!("(func (param {}))", "i64 ".repeat(1_001)))),
        ("components-over", Refused("compile", "components"), components_in_a_row(1_001)),
        ("instances", Refused("compile", "core module instances"), holding(fixtures::filtering(), &instances(900, ""))),
        ("memories-of-instances", Refused("compile", "core module instances"), holding(fixtures::filtering(), &instances(900, "(memory 0)"))),
        ("instances-that-double", Refused("compile", "core module instances"), holding(fixtures::filtering(), &doubling(10))),
        ("instances-over", Refused("compile", "instances"), holding(fixtures::filtering(), &instances(1_001, ""))),
        ("instances-that-double-over", Refused("compile", "core module instances"), holding(fixtures::filtering(), &doubling(14))),
        ("type-that-doubles", Refused("compile", "type size"), doubling_type(40)),
        ("exports-over", Refused("compile", "instances count exceeds limit"), with_exports(5_000)),
        ("imports-over", Refused("compile", "instances count exceeds limit"), importing(5_000)),
        ("imports", Refused("type-check", "evil:host/files"), importing(900)),
        ("name-over", Refused("compile", "string"), text(&format!("(component (import \"{}\" (func)))", "a".repeat(100_001)))),
        ("name-forged", Refused("compile", "FORGED"), text("(component (import \"a\\0aFORGED line\" (func)))")),
        // Roles and imports of the wrong type.
        ("role-missing", Refused("type-check", "exports neither tidegate:plugin/processor@0.2.0 nor tidegate:plugin/transform@0.1.0 nor"), fixtures::wrong_world()),
        ("role-of-another-version", Refused("type-check", "in version `9.9.9`, and this host speaks the contract in 0.1.0 and 0.2.0"), fixtures::other_version()),
        ("role-empty", Refused("type-check", "transform"), text("(component (instance (export \"tidegate:plugin/transform@0.1.0\")))")),
        ("role-imported", Refused("type-check", "tidegate:plugin/transform@0.1.0"), text("(component (import \"tidegate:plugin/transform@0.1.0\" (instance $i)) (export \"tidegate:plugin/transform@0.1.0\" (instance $i)))")),
        ("role-a-component", Refused("compile", "exporting a component from the root"), text("(component (component $c) (export \"tidegate:plugin/transform@0.1.0\" (component $c)))")),
        ("import-unknown", Refused("type-check", "evil:host/files"), fixtures::importing_unknown()),
        ("import-of-another-type", Refused("type-check", "wasi:random/random"), text("(component (import \"wasi:random/random@0.2.12\" (instance (export \"get-random-u64\" (func (result string))))) (instance (export \"tidegate:plugin/transform@0.1.0\")))")),
        ("import-of-a-module", Refused("type-check", "a-module"), text("(component (import \"a-module\" (core module)) (instance (export \"tidegate:plugin/transform@0.1.0\")))")),
        // Files that are not components.
        ("empty", Refused("compile", "the file is empty"), Vec::new()),
        ("module", Refused("compile", "a core module, not a component"), text("(module)")),
        ("module-as-text", Refused("compile", "component"), b"(module)".to_vec()),
        ("magic", Refused("compile", "unexpected end"), b"\0asm".to_vec()),
        ("magic-only", Refused("type-check", "exports neither"), HEADER.to_vec()),
        ("magic-wrong", Refused("compile", "neither a WebAssembly component nor its text form"), b"\0wasm\x0d\0\x01\0".to_vec()),
        ("version-wrong", Refused("compile", "version"), b"\0asm\xff\0\x01\0".to_vec()),
        ("layer-wrong", Refused("compile", "version"), b"\0asm\x0d\0\x07\0".to_vec()),
        ("section-without-end", Refused("compile", "module section is too large"), [HEADER, b"\x01\xff\xff\xff\xff\x0f"].concat()),
        ("section-unknown", Refused("compile", "section"), [HEADER, b"\x7f\x01\x00"].concat()),
        ("noise", Refused("compile", "neither a WebAssembly component nor its text form"), noise(1, 100_000)),
        ("noise-behind-magic", Refused("compile", "at offset"), [HEADER, &noise(2, 100_000)].concat()),
        ("zeroes", Refused("compile", "neither a WebAssembly component nor its text form"), vec![0; 1 << 20]),
        ("native-code", Refused("compile", "neither a WebAssembly component nor its text form"), std::fs::read(env!("CARGO_BIN_EXE_tidegate")).unwrap()[..1 << 20].to_vec()),
        ("text-garbage", Refused("compile", "expected valid module field"), b"(garbage)".to_vec()),
        ("text-unfinished", Refused("compile", "expected"), b"(component (core module (func".to_vec()),
        ("text-nested", Refused("compile", "nesting"), "(component ".repeat(100_000).into_bytes()),
        ("text-not-utf8", Refused("compile", "utf-8"), b"(component \xff)".to_vec()),
        ("code-invalid", Refused("compile", "type mismatch"), invalid("(func (result i32) (i64.const 1))")),
        ("memory-shared", Refused("compile", "shared"), invalid("(memory 1 1 shared)")),
        // A role of the right name and of the wrong type.
        ("role-of-another-type", Refused("type-check", "transform"), wrongly_typed("(param \"input\" string)", "(param i32 i32)")),
        ("role-without-parameters", Refused("type-check", "transform"), wrongly_typed("", "")),
        // Texts at length, of which the log gets no more than a line.
        ("text-of-parentheses", Refused("compile", "expected"), vec![b'('; 1 << 20]),
    ]
}

/// The ledger's reason and a text in the log line of the failed call, and the reply policy.
pub type PolicyRow = (&'static str, &'static str, Vec<u8>);

#[rustfmt::skip]
pub fn policies() -> Vec<PolicyRow> {
    vec![
        ("over-output", OUTPUT, fixtures::replying(1_000_000, 0)),
        ("too-many-replies", "1001 replies are more than replies_max 1000", fixtures::replying(1_001, 0)),
        ("delay-too-long", "waits 4294967295 ms, over delay_ms_max 60000", fixtures::replying(1, u32::MAX)),
        ("no-frames", "reply 0 has no frames", fixtures::replying_without_frames()),
        ("over-output", OUTPUT, aliasing_policy(1, 1_000, 2 << 20)),
        ("over-output", OUTPUT, aliasing_policy(1_000, 1_000, 1 << 10)),
        ("trapped", "wasm `unreachable` instruction executed", fixtures::reply_policy("", "(unreachable)")),
        ("trapped", "wasm `unreachable` instruction executed", allocating_policy("(unreachable)")),
        ("trapped", "wasm `unreachable` instruction executed", post_returning_policy("(unreachable)")),
        ("over-stack", STACK, fixtures::reply_policy("(func $f (call $f) (call $f))", "(call $f) (i32.const 16)")),
        ("trapped", "realloc return: beyond end of memory", allocating_policy("(i32.const -16)")),
        ("trapped", "out of bounds", policy_returning("", &[(16, &[0, 65_536, u32::MAX])])),
        ("trapped", "out of bounds", policy_returning("", &[(16, &[0, END, 1])])),
        ("trapped", "not aligned", policy_returning("", &[(16, &[0, 65_537, 1])])),
        ("trapped", "out of bounds", policy_returning("", &[(16, &[0, 512, 1]), (512, &[0, 65_536, u32::MAX])])),
        ("trapped", "out of bounds", policy_returning("", &[(16, &[0, 512, 1]), (512, &[0, 528, 1, 0, END, 1])])),
        ("trapped", "invalid utf-8", policy_returning(r"\ff", &[(16, &[1, 1, 1024, 1])])),
        ("trapped", "discriminant", policy_returning("", &[(16, &[9])])),
        ("trapped", "exit", exiting_policy()),
        ("over-memory", MEMORY, fixtures::reply_policy("", GROW)),
        ("failed", "the plugin failed: no", policy_returning("no", &[(16, &[1, 1, 1024, 2])])),
        ("rejected", "no", policy_returning("no", &[(16, &[1, 0, 1024, 2])])),
        ("deadline-exceeded", "call_deadline_ms 2000", fixtures::reply_policy("", FOREVER)),
        ("deadline-exceeded", "call_deadline_ms 2000", allocating_policy(FOREVER)),
        ("deadline-exceeded", "call_deadline_ms 2000", post_returning_policy(FOREVER)),
    ]
}
