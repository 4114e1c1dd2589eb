//! Components that flood the host with calls, leak its resources, or ask it to wait or to exit.

use super::{BUMP, NONE, around, module, whole};
use crate::fixtures::REPLIES;
use wit_component::StringEncoding;

/// Executes instructions `times` times, or for ever, then filters the message.
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

/// Writes log lines of the `bytes` at address 1024.
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

/// Writes chunks of `bytes` to stdout, and ignores the results.
pub fn printing(times: Option<u32>, bytes: u32) -> Vec<u8> {
    let write = format!("(call $write (global.get $stream) (i32.const 1024) (i32.const {bytes}) (i32.const 64))");
    repeating(STDOUT, times, &format!("{OPEN_ONCE} {write}"))
}

/// Asks the host to write this many zeroes to stdout.
pub fn printing_zeroes(bytes: u64) -> Vec<u8> {
    let write = format!("(call $zeroes (global.get $stream) (i64.const {bytes}) (i32.const 64))");
    repeating(STDOUT, Some(1), &format!("{OPEN_ONCE} {write}"))
}

/// Opens stdout in a loop and never closes it.
pub fn leaking_streams() -> Vec<u8> {
    repeating(STDOUT, None, "(drop (call $stdout))")
}

const POLL: &str = r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration"
        (func $timer (param i64) (result i32)))
    (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.12" "poll" (func $poll (param i32 i32 i32)))"#;

/// Creates timers in a loop and drops none.
pub fn leaking_timers() -> Vec<u8> {
    repeating(POLL, None, "(drop (call $timer (i64.const -1)))")
}

/// Waits in its start function.
pub fn waiting_in_start() -> Vec<u8> {
    let start = "(func $start (call $block (call $timer (i64.const -1)))) (start $start)";
    whole(&format!("{POLL} {start}"), BUMP, NONE)
}

/// Polls a list that holds the same timer `count` times.
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

/// Asks for `bytes` random bytes in one call.
pub fn randomizing(times: Option<u32>, function: &str, bytes: u64) -> Vec<u8> {
    let interface = if function.contains("insecure") { "insecure" } else { "random" };
    repeating(
        &format!(r#"(import "wasi:random/{interface}@0.2.12" "{function}" (func $random (param i64 i32)))"#),
        times,
        &format!("(call $random (i64.const {bytes}) (i32.const 64))"),
    )
}

const EXIT: &str = r#"(import "wasi:cli/exit@0.2.12" "exit" (func $exit (param i32)))"#;

/// Calls `exit`, as a command would.
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
