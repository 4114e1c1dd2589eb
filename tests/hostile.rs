//! Whatever a component is, the host says what became of it, and every other answer stays right.

use crate::fixtures;
use crate::harness::{Client, Host, Process, Setup, assert_balanced, component, tidegate, wait_for};
use crate::hostile_components::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What has to become of a component.
enum Outcome {
    /// Not loaded: the stage that refuses it, and what its line says.
    Refused(&'static str, &'static str),
    /// Loaded; a call is answered with this status, and the failure's line says this.
    Answers(u16, &'static str),
    /// Harmless: every call is answered, and a line of the log says this.
    Serves(&'static str),
}

use Outcome::{Answers, Refused, Serves};

/// A plugin that fails at every call is what this file is about.
const NO_PAUSES: &str = "[rollback]\nfailures = 0";
/// The deadline of the rows that are about it; the others have more time than they need on a busy machine.
const SHORT_MS: u32 = 500;
const DEADLINE: &str = "ran longer than call_deadline_ms 500";
const STACK: &str = "used up its stack of stack_bytes_max 524288";
const MEMORY: &str = "more memory than memory_bytes_max 67108864 was refused";
const TABLE: &str = "a larger table than table_elements_max 10000 was refused";
const OUTPUT: &str = "output is over output_bytes_max 16777216";
const DROPPED: &str = "over log_lines_per_second_max 100 are dropped";
const GROW: &str = "(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) (unreachable)";
const FOREVER: &str = "(loop (br 0)) (unreachable)";
const RANDOM: &str = "get-random-bytes";
const INSECURE: &str = "get-insecure-random-bytes";

/// What no line of the log is longer than, whatever a guest says.
const LINE_BYTES_MAX: usize = 64 << 10;

type Row = (&'static str, Outcome, Vec<u8>);

#[rustfmt::skip]
fn calls() -> Vec<Row> {
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
        // Lies in the returned value.
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
        // Too much of it.
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
        // Large but lawful.
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
        ("instances", Refused("compile", "core module instances"), holding(fixtures::filtering(), &instances(900, ""))),
        ("memories-of-instances", Refused("compile", "core module instances"), holding(fixtures::filtering(), &instances(900, "(memory 0)"))),
        ("instances-that-double", Refused("compile", "core module instances"), holding(fixtures::filtering(), &doubling(10))),
    ]
}

#[rustfmt::skip]
fn refusals() -> Vec<Row> {
    vec![
        // What starts badly.
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
        // What is too much for one file.
        ("locals-over", Refused("compile", "locals"), invalid(&format!("(func (local {}))", "i64 ".repeat(50_001)))),
        ("parameters-over", Refused("compile", "param"), invalid(&format!("(func (param {}))", "i64 ".repeat(1_001)))),
        ("components-over", Refused("compile", "components"), components_in_a_row(1_001)),
        ("instances-over", Refused("compile", "instances"), holding(fixtures::filtering(), &instances(1_001, ""))),
        ("instances-that-double-over", Refused("compile", "core module instances"), holding(fixtures::filtering(), &doubling(14))),
        ("type-that-doubles", Refused("compile", "type size"), doubling_type(40)),
        ("exports-over", Refused("compile", "instances count exceeds limit"), with_exports(5_000)),
        ("imports-over", Refused("compile", "instances count exceeds limit"), importing(5_000)),
        ("imports", Refused("type-check", "evil:host/files"), importing(900)),
        ("name-over", Refused("compile", "string"), text(&format!("(component (import \"{}\" (func)))", "a".repeat(100_001)))),
        ("name-forged", Refused("compile", "FORGED"), text("(component (import \"a\\0aFORGED line\" (func)))")),
        // Of the wrong type.
        ("role-missing", Refused("type-check", "exports neither tidegate:plugin/transform@0.1.0 nor"), fixtures::wrong_world()),
        ("role-of-another-version", Refused("type-check", "in version `9.9.9`, and this host speaks 0.1.0"), fixtures::other_version()),
        ("role-empty", Refused("type-check", "transform"), text("(component (instance (export \"tidegate:plugin/transform@0.1.0\")))")),
        ("role-imported", Refused("type-check", "tidegate:plugin/transform@0.1.0"), text("(component (import \"tidegate:plugin/transform@0.1.0\" (instance $i)) (export \"tidegate:plugin/transform@0.1.0\" (instance $i)))")),
        ("role-a-component", Refused("compile", "exporting a component from the root"), text("(component (component $c) (export \"tidegate:plugin/transform@0.1.0\" (component $c)))")),
        ("import-unknown", Refused("type-check", "evil:host/files"), fixtures::importing_unknown()),
        ("import-of-another-type", Refused("type-check", "wasi:random/random"), text("(component (import \"wasi:random/random@0.2.12\" (instance (export \"get-random-u64\" (func (result string))))) (instance (export \"tidegate:plugin/transform@0.1.0\")))")),
        ("import-of-a-module", Refused("type-check", "a-module"), text("(component (import \"a-module\" (core module)) (instance (export \"tidegate:plugin/transform@0.1.0\")))")),
        // No component.
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
    ]
}

/// Rows whose outcome is not yet theirs: they are loaded, and fail at every call.
#[rustfmt::skip]
fn type_faults() -> Vec<Row> {
    vec![
        ("role-of-another-type", Refused("type-check", "transform"), wrongly_typed("(param \"input\" string)", "(param i32 i32)")),
        ("role-without-parameters", Refused("type-check", "transform"), wrongly_typed("", "")),
    ]
}

/// Rows whose lines are not yet bounded.
#[rustfmt::skip]
fn length_faults() -> Vec<Row> {
    vec![
        ("text-of-parentheses", Refused("compile", "expected"), vec![b'('; 1 << 20]),
        ("trap-at-length", Answers(502, STACK), fixtures::transform(&format!("(func ${0} (call ${0}) (call ${0}))", "f".repeat(50_000)), &format!("(call ${}) (i32.const 16)", "f".repeat(50_000)))),
        ("failed-at-length", Answers(502, "the plugin failed"), returning_much(33, &[(16, &[1, 1, 4096, 2 << 20])])),
    ]
}

/// Whether a line of the log about the plugin has all the words.
fn has_line(log: &str, plugin: &str, words: &[&str]) -> bool {
    let plugin = format!("plugin=\"{plugin}\"");
    log.lines().any(|line| line.contains(&plugin) && words.iter().all(|word| line.contains(word)))
}

impl Outcome {
    /// What the row's plugin did otherwise, by the answer to one call and the whole log.
    fn mismatch(&self, plugin: &str, status: u16, log: &str) -> Option<String> {
        let (right, words) = match *self {
            Refused(stage, text) => {
                (status == 503, vec!["not loaded".to_owned(), format!("reason=\"{stage}: "), text.to_owned()])
            }
            Answers(expected, "") => (status == expected, vec![]),
            Answers(expected, text) => (status == expected, vec!["call failed".to_owned(), text.to_owned()]),
            Serves(text) => (status == 200 || status == 204, vec![text.to_owned()]),
        };
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        if right && has_line(log, plugin, &words) {
            return None;
        }
        let lines: Vec<_> = log
            .lines()
            .filter(|line| line.contains(&format!("plugin=\"{plugin}\"")))
            .map(|line| line.chars().take(600).collect::<String>())
            .take(4)
            .collect();
        Some(format!("{plugin}: status {status}, lacks {words:?} in\n    {}\n", lines.join("\n    ")))
    }
}

/// A host with the good plugin in a scanned directory, into which files are dropped.
fn host(config: &str) -> Host {
    let setup = Setup::new().with(&["--frontend=none"]).config(NO_PAUSES).config(config);
    std::fs::create_dir(setup.path().join("plugins")).unwrap();
    std::fs::copy(component("downcase"), setup.path().join("plugins/downcase.wasm")).unwrap();
    setup.start()
}

/// Puts files into the directory, a few at a time, and waits until the host has said what it makes of each.
fn drop_in<'a>(host: &Host, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
    let plugins = host.directory.path().join("plugins");
    let files: Vec<_> = files.into_iter().collect();
    for batch in files.chunks(8) {
        for (name, bytes) in batch {
            replace(&plugins.join(format!("{name}.wasm")), bytes);
        }
        for (name, _) in batch {
            host.process.wait_for_line(&["loaded", &format!("plugin=\"{name}\"")]);
        }
    }
}

/// Replaces a file at once.
fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Raises its flag when it goes, after a failed assertion too: else whoever waits for the flag would wait for ever.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks the good plugin again and again while `work` goes on.
fn with_good_answers<T>(host: &Host, work: impl FnOnce() -> T) -> T {
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let client = Client::new(host);
            let mut answers = 0_u32;
            while !enough.load(Ordering::Relaxed) {
                assert_good(&client);
                answers += 1;
            }
            answers
        });
        let result = {
            let _guard = Raised(&enough);
            work()
        };
        let answers = asking.join().expect("every answer of the good plugin is right");
        assert!(answers > 10, "{answers}");
        result
    })
}

#[track_caller]
fn assert_good(client: &Client) {
    let answer = client.request("GET", "/downcase/?param=HeLLo", None).expect("an answer");
    assert_eq!((answer.status, answer.text()), (200, "lower case of HeLLo is hello"));
}

/// Calls each plugin once, four at a time; after each call the good plugin has to answer well on the same connection.
fn call_each(host: &Host, names: &[&str]) -> Vec<u16> {
    let next = AtomicUsize::new(0);
    let statuses: BTreeMap<usize, u16> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let client = Client::new(host);
                    let mut statuses = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(name) = names.get(index) else { return statuses };
                        let answer = client.request("GET", &format!("/{name}/?param=HeLLo"), None).expect(name);
                        statuses.push((index, answer.status));
                        assert_good(&client);
                    }
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    statuses.into_values().collect()
}

/// Stops the host, which has to end well, and gives its whole log.
fn log_of(host: Host) -> String {
    let mut process = host.process;
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
    let log = process.stderr();
    assert_balanced(&log);
    log
}

/// Loads and calls every row in one host, and holds its log against the outcomes.
#[track_caller]
fn assert_outcomes(rows: &[Row]) {
    let mut config = "[limits]\ncall_deadline_ms = 20000\n".to_owned();
    for (name, ..) in rows.iter().filter(|row| matches!(row.1, Answers(504, _) | Refused(_, DEADLINE))) {
        config += &format!("[plugins.{name}.limits]\ncall_deadline_ms = {SHORT_MS}\n");
    }
    let host = host(&config);
    let names: Vec<_> = rows.iter().map(|row| row.0).collect();
    let statuses = with_good_answers(&host, || {
        drop_in(&host, rows.iter().map(|(name, _, bytes)| (*name, bytes.as_slice())));
        call_each(&host, &names)
    });
    let log = log_of(host);
    let mismatches: Vec<_> = rows
        .iter()
        .zip(statuses)
        .filter_map(|((name, outcome, _), status)| outcome.mismatch(name, status, &log))
        .collect();
    assert!(mismatches.is_empty(), "{} of {} rows:\n{}", mismatches.len(), rows.len(), mismatches.concat());
    assert!(log.lines().all(|line| !line.starts_with("FORGED")), "a guest wrote a line of its own");
    let longest = log.lines().max_by_key(|line| line.len()).unwrap();
    let start: String = longest.chars().take(200).collect();
    assert!(longest.len() < LINE_BYTES_MAX, "a line of {} bytes: {start}", longest.len());
}

#[test]
fn what_is_no_file_or_too_large_a_one_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("directory.wasm")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling.wasm")).unwrap();
    std::os::unix::fs::symlink("circle.wasm", path("circle.wasm")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", path("endless.wasm")).unwrap();
    // Of holes alone, so that nothing is written.
    std::fs::File::create(path("huge.wasm")).unwrap().set_len((256 << 20) + 1).unwrap();
    assert!(Command::new("mkfifo").arg(path("fifo.wasm")).status().unwrap().success());
    for (name, text) in [
        ("directory.wasm", "not a regular file"),
        ("dangling.wasm", "No such file"),
        ("circle.wasm", "symbolic links"),
        ("endless.wasm", "not a regular file"),
        ("fifo.wasm", "not a regular file"),
        ("huge.wasm", "larger than component_bytes_max 268435456"),
    ] {
        let mut process = Process::start(tidegate().args(["plugin", "check"]).arg(path(name)));
        assert_eq!(process.wait().code(), Some(1), "{name}");
        let stderr = process.stderr();
        assert!(stderr.contains("is refused: read: ") && stderr.contains(text), "{name}: {stderr}");
    }
}

#[test]
fn hostile_calls_have_the_outcome_of_their_line() {
    assert_outcomes(&calls());
}

#[test]
fn hostile_files_have_the_outcome_of_their_line() {
    assert_outcomes(&refusals());
}

#[test]
fn a_role_of_another_type_is_refused() {
    assert_outcomes(&type_faults());
}

#[test]
fn no_guest_writes_a_long_line() {
    assert_outcomes(&length_faults());
}

/// Instances, memories and tables come out of a pool that all plugins share.
#[test]
fn what_one_plugin_takes_of_the_pool_is_not_missed_by_another() {
    // As much of each as one component may have, with its own module's share.
    for (count, fields) in [(50, ""), (1, "(memory 0)"), (5, "(table 0 funcref)")] {
        let host = host(&format!("[limits]\ncall_deadline_ms = {SHORT_MS}"));
        let hoard = holding(fixtures::waiting(), &instances(count, fields));
        drop_in(&host, [("hoard", hoard.as_slice())]);
        with_good_answers(&host, || {
            std::thread::scope(|scope| {
                for _ in 0..64 {
                    scope.spawn(|| {
                        let client = Client::new(&host);
                        for _ in 0..4 {
                            let status = client.request("GET", "/hoard/?param=x", None).unwrap().status;
                            assert!([503, 504].contains(&status), "{status}");
                        }
                    });
                }
            });
        });
        log_of(host);
    }
}

/// What a policy does is told by the ledger's reason and the line of its failed call.
type PolicyRow = (&'static str, &'static str, Vec<u8>);

#[rustfmt::skip]
fn policies() -> Vec<PolicyRow> {
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
        ("deadline-exceeded", "ran longer than call_deadline_ms 2000", fixtures::reply_policy("", FOREVER)),
        ("deadline-exceeded", "ran longer than call_deadline_ms 2000", allocating_policy(FOREVER)),
        ("deadline-exceeded", "ran longer than call_deadline_ms 2000", post_returning_policy(FOREVER)),
    ]
}

#[test]
fn a_hostile_policy_sends_nothing_and_is_counted() {
    let rows = policies();
    let setup = Setup::new().committed("downcase").committed("echo").with(&["--policy=echo"]);
    let host = setup.config(NO_PAUSES).config("[limits]\ncall_deadline_ms = 2000").start();
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(60_000).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    let mut expected = BTreeMap::<&str, u64>::new();
    with_good_answers(&host, || {
        for (index, (reason, text, bytes)) in rows.iter().enumerate() {
            let generation = format!("generation={}", index + 2);
            replace(&host.plugin_path("echo"), bytes);
            host.process.wait_for_line(&["loaded", "plugin=\"echo\"", &generation]);
            socket.send("lost", 0).unwrap();
            host.process.wait_for_line(&["call failed", "plugin=\"echo\"", &generation, text]);
            *expected.entry(reason).or_default() += 1;
        }
        replace(&host.plugin_path("echo"), &std::fs::read(component("echo")).unwrap());
        host.process.wait_for_line(&["loaded", "plugin=\"echo\"", &format!("generation={}", rows.len() + 2)]);
        socket.send("served", 0).unwrap();
        assert_eq!(socket.recv_multipart(0).unwrap(), [b"served"]);
    });
    let log = log_of(host);
    let ledger = log.lines().find(|line| line.contains("ledger policy")).unwrap();
    for (reason, count) in expected {
        assert!(ledger.split(' ').any(|word| word == format!("{reason}={count}")), "{reason}={count}: {ledger}");
    }
}

/// Every cut at 1 KB, and copies with one bit the wrong way round.
#[test]
fn damaged_copies_of_a_good_component_are_refused_or_whole() {
    let good = std::fs::read(component("downcase")).unwrap();
    let cuts = (1024..good.len()).step_by(1024).map(|at| (format!("cut-{at}"), good[..at].to_vec()));
    let cuts: Vec<_> = cuts.collect();
    let places = noise(3, 3 * 64);
    let flips = places.chunks(3).map(|place| {
        let at = usize::from_be_bytes([0, 0, 0, 0, 0, place[0], place[1], place[2]]) % (good.len() * 8);
        let mut bytes = good.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        (format!("flip-{at}"), bytes)
    });
    let flips: Vec<_> = flips.collect();
    let host = host("[limits]\ncall_deadline_ms = 2000");
    let files = || cuts.iter().chain(&flips).map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    with_good_answers(&host, || {
        drop_in(&host, files());
        for (name, _) in &cuts {
            let answer = host.get(&format!("/{name}/?param=HeLLo"));
            let whole = (answer.status, answer.text()) == (200, "lower case of HeLLo is hello");
            assert!(whole || answer.status == 503, "{name}: {}", answer.text());
        }
        // A flipped bit may be in a text or a number: any answer is one, as long as the host gives it.
        call_each(&host, &flips.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    });
    let log = log_of(host);
    for (name, _) in files() {
        let outcomes =
            ["generation=1", "reason=\"compile: ", "reason=\"type-check: ", "reason=\"probe: ", "reason=\"examples: "];
        assert!(outcomes.iter().any(|outcome| has_line(&log, name, &["loaded", outcome])), "{name}");
    }
}

/// What is called in turn for as long as memory is watched: plugin, what it does, its limits, and the answer's status.
fn mixture() -> Vec<(&'static str, Vec<u8>, &'static str, u16)> {
    let quick = [
        ("trap", fixtures::trapping(), "", 502),
        ("grow", fixtures::growing(), "memory_bytes_max = 4194304", 502),
        ("text", returning(r"\ff\fe", &[(16, &[0, 1, 1024, 2])]), "", 502),
        ("outside", returning("", &[(16, &[0, 1, 0, 0, END, 1])]), "", 502),
        ("recurse", fixtures::recursing(), "", 502),
        ("alias", returning("", &[(16, &[0, 1, 0, 0, 0, 0, 0, END])]), "output_bytes_max = 65536", 502),
        ("exit", exiting(1), "", 502),
        ("realloc", allocating("(i32.const -16)"), "", 502),
        ("print", printing(Some(3), 1_024), "", 204),
        ("rejected", fixtures::erring(false, "no"), "", 422),
        ("filter", fixtures::filtering(), "", 204),
    ];
    // What costs milliseconds has fewer turns.
    let slow = [("loop", fixtures::looping(), "call_deadline_ms = 5", 504), ("leak", leaking_timers(), "", 502)];
    quick.iter().cycle().take(quick.len() * 4).chain(&slow).cloned().collect()
}

/// What the system tells of the host that works in the directory: the child of this process that does.
#[cfg(target_os = "linux")]
fn status_file(directory: &Path) -> std::path::PathBuf {
    let directory = directory.canonicalize().unwrap();
    let parent = format!("PPid:\t{}\n", std::process::id());
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let host = processes
        .filter(|process| std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == directory))
        .map(|process| process.join("status"))
        .find(|status| std::fs::read_to_string(status).is_ok_and(|status| status.contains(&parent)));
    host.expect("the host's process")
}

/// The resident memory of a process in KiB.
#[cfg(target_os = "linux")]
fn resident_kib(status_file: &Path) -> u64 {
    let status = std::fs::read_to_string(status_file).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process that has not ended");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_flat_over_hostile_calls() {
    const CALLS: usize = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
    const THREADS: usize = 3;
    // All threads call one plugin at a time, so that each has taken its places in the pool early on.
    const CALLS_IN_A_ROW: usize = 64;
    let calls = std::env::var("TIDEGATE_HOSTILE_CALLS").map_or(CALLS, |calls| calls.parse().expect("a number"));
    let mixture = mixture();
    let mut setup = Setup::new().with(&["--frontend=none"]).committed("downcase").config(NO_PAUSES);
    setup = setup.config("[limits]\ncall_deadline_ms = 20000");
    let mut named = std::collections::BTreeSet::new();
    for (name, component, limits, _) in mixture.iter().filter(|(name, ..)| named.insert(*name)) {
        setup = setup.plugin(name, component).config(&format!("[plugins.{name}.limits]\n{limits}"));
    }
    // The ledger, and of the rest only what is wrong: a line for each failed call would be the larger part of the work.
    let mut command = setup.command();
    command.env("TIDEGATE_LOG", "error,tidegate::app=info").env("RUST_BACKTRACE", "0");
    let mut process = Process::start(&mut command);
    let http = wait_for("the host", || {
        let lines = process.stdout();
        lines
            .ends_with("ready\n")
            .then(|| lines.lines().find_map(|line| line.strip_prefix("http ")).unwrap().to_owned())
    });

    let next = AtomicUsize::new(0);
    let call_on = |until| {
        let client = Client::at(&http);
        loop {
            let call = next.fetch_add(1, Ordering::Relaxed);
            if call >= until {
                return;
            }
            if call.is_multiple_of(8) {
                assert_good(&client);
            }
            let (name, _, _, status) = &mixture[call / CALLS_IN_A_ROW % mixture.len()];
            let answer = client.request("GET", &format!("/{name}/?param=HeLLo"), None).expect("an answer");
            assert_eq!(answer.status, *status, "{name}: {}", answer.text());
        }
    };
    let mut samples = Vec::new();
    let status_file = status_file(setup.path());
    let mut call_by = |threads, until| {
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..threads).map(|_| scope.spawn(|| call_on(until))).collect();
            while callers.iter().any(|caller| !caller.is_finished()) {
                samples.push((next.load(Ordering::Relaxed), resident_kib(&status_file)));
                std::thread::sleep(Duration::from_millis(10));
            }
        });
    };
    // At first by more threads, so that the pool has handed out more places than it will have to later.
    call_by(THREADS * 5, calls / 5);
    next.store(calls / 5, Ordering::Relaxed);
    call_by(THREADS, calls);
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
    assert_balanced(&process.stderr());

    // The median of a tenth: one sample may see what eight calls hold.
    let median = |tenth: usize| {
        let within = (calls / 10 * tenth)..(calls / 10 * (tenth + 1));
        let mut kib: Vec<_> = samples.iter().filter(|(call, _)| within.contains(call)).map(|(_, kib)| *kib).collect();
        kib.sort_unstable();
        kib[kib.len() / 2]
    };
    let medians: Vec<_> = (0..10).map(median).collect();
    println!("resident KiB by tenths of {calls} calls: {medians:?}");
    assert!(medians[9] < medians[2] + medians[2] / 20 + 4_096, "resident KiB by tenths: {medians:?}");
}
