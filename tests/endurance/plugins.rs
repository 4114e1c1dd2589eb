//! The plugins under load, each in variants of the same behaviour and different bytes.

use super::requesters::REPLIES;
use crate::fixtures;
use crate::harness::bytes;

/// How long each reply waits for the one before it.
const DELAY_MS: u32 = 5;
/// The number of variants: few enough for most swaps to find theirs in the compile cache.
const VARIANTS: u64 = 8;

/// downcase and upcase, by turns.
pub fn transform(turn: u64) -> Vec<u8> {
    variant(bytes(if turn.is_multiple_of(2) { "downcase" } else { "upcase" }), turn)
}

/// Traps if the body begins with `T`, else returns it.
pub fn trapping(turn: u64) -> Vec<u8> {
    variant(fixtures::trapping_on(b'T'), turn)
}

/// Replies [`REPLIES`] times with the request's own frames; traps if the first frame begins with `T`.
pub fn policy(turn: u64) -> Vec<u8> {
    let mut instructions =
        String::from("(if (i32.eq (i32.load8_u (i32.load (local.get $frames))) (i32.const 84)) (then (unreachable)))");
    for reply in 0..u32::from(REPLIES) {
        let at = 1024 + 12 * reply;
        instructions += &format!(
            "(i32.store (i32.const {at}) (i32.const {DELAY_MS}))
             (i32.store offset=4 (i32.const {at}) (local.get $frames))
             (i32.store offset=8 (i32.const {at}) (local.get $frames_len))"
        );
    }
    instructions += &format!(
        "(call $set (i32.const 1) (i32.const 1024)) (call $set (i32.const 2) (i32.const {REPLIES})) (i32.const 16)"
    );
    variant(fixtures::reply_policy("", &instructions), turn)
}

fn variant(component: Vec<u8>, turn: u64) -> Vec<u8> {
    [component, fixtures::custom_section("turn", (turn % VARIANTS).to_string().as_bytes())].concat()
}
