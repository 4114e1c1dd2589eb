//! Components that use up the stack, each by another form of recursion.

use super::NONE;
use crate::fixtures::transform;
use std::fmt::Write;

/// Calls itself with `values` live across the call, so that each stack frame holds them all.
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

/// Calls itself through a table.
pub fn recursing_indirectly() -> Vec<u8> {
    let fields = "(type $f (func (result i32))) (table 1 1 funcref) (elem (i32.const 0) $deeper)
        (func $deeper (result i32) (i32.add (call_indirect (type $f) (i32.const 0)) (i32.const 1)))";
    transform(fields, "(call $deeper)")
}

/// Has two functions that call each other.
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

/// Loops by tail calls.
pub fn tail_calling() -> Vec<u8> {
    transform("(func $again (result i32) (return_call $again))", "(call $again)")
}
