//! Guests that leave marks in all their state, and report whether they find any.

use crate::fixtures::{SET, TRANSFORM, component, returning};

/// The body that makes [`marking`] look for marks.
pub const LOOK: &[u8] = b"?";
/// The bodies that make it leave marks, and then return, trap, loop, reject, filter or use up its stack.
pub const WAYS_TO_END: [&[u8]; 6] = [b"a", b"t", b"l", b"r", b"f", b"s"];
/// The body that makes it leave marks, and then loop for a while.
pub const STAY: &[u8] = b"b";

/// Leaves marks in a global, a table, its memory and the memory that it grows by. Asked to [`LOOK`], it returns `0` if
/// it finds no mark, else `1`. Asked to [`STAY`], it loops for `steps` steps of some nanoseconds.
pub fn marking(steps: u32) -> Vec<u8> {
    let fields = "(table $table 10 1000 funcref) (elem declare func $deeper)";
    let look = "(if (i32.ne (table.size $table) (i32.const 10)) (then (local.set $found (i64.const 1))))
        (if (i32.eqz (ref.is_null (table.get $table (i32.const 3)))) (then (local.set $found (i64.const 1))))
        (drop (memory.grow (i32.const 8)))
        (drop (table.grow $table (ref.null func) (i32.const 10)))";
    let leave = "(table.set $table (i32.const 3) (ref.func $deeper))
        (drop (table.grow $table (ref.func $deeper) (i32.const 20)))
        (drop (memory.grow (i32.const 16)))";
    marks(32, steps, fields, look, leave)
}

/// As [`marking`], but only in a global and in memory that does not grow, so that its instances can be reset.
pub fn marking_in_place(steps: u32) -> Vec<u8> {
    marks(16, steps, "", "", "")
}

fn marks(pages: u32, steps: u32, fields: &str, look_as_well: &str, leave_as_well: &str) -> Vec<u8> {
    let way =
        |letter: &[u8], does: &str| format!("(if (i32.eq (local.get $way) (i32.const {})) (then {does}))", letter[0]);
    let word = "(i64.const 0x6d61726b6d61726b)";
    let ends = [
        way(b"t", "(unreachable)"),
        way(b"l", "(loop (br 0))"),
        way(b"r", "(call $set (i32.const 0) (i32.const 1)) (return (i32.const 16))"),
        way(b"f", "(return (i32.const 16))"),
        way(b"s", "(drop (call $deeper (i32.const 0)))"),
        way(
            STAY,
            &format!(
                "(local.set $at (i32.const 0))
                 (loop
                    (i64.store (i32.const 131072) (i64.rotl (i64.load (i32.const 131072)) (i64.const 1)))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br_if 0 (i32.lt_u (local.get $at) (i32.const {steps}))))"
            ),
        ),
    ]
    .concat();
    let end = "(i32.shl (memory.size) (i32.const 16))";
    component(
        "transform-plugin",
        pages,
        4096,
        &format!(
            r#"(global $mark (mut i64) (i64.const 0)) {fields}
               (func $deeper (param i32) (result i32)
                  (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (local.get 0)))
               {SET} {TRANSFORM}
               (local $way i32) (local $at i32) (local $found i64)
               (local.set $way (i32.load8_u (local.get $body)))
               (if (i32.eq (local.get $way) (i32.const {look})) (then
                  (local.set $found (global.get $mark))
                  (if (i32.ne (memory.size) (i32.const {pages})) (then (local.set $found (i64.const 1))))
                  {look_as_well}
                  (local.set $at (i32.const 65536))
                  (loop
                     (local.set $found (i64.or (local.get $found) (i64.load (local.get $at))))
                     (local.set $at (i32.add (local.get $at) (i32.const 8)))
                     (br_if 0 (i32.lt_u (local.get $at) {end})))
                  (i32.store8 (i32.const 1024)
                     (i32.add (i32.const 48) (i64.ne (local.get $found) (i64.const 0))))
                  (return (block (result i32) {answer_of_look}))))
               (global.set $mark {word}) {leave_as_well}
               (local.set $at (i32.const 65536))
               (loop
                  (i64.store (local.get $at) {word})
                  (local.set $at (i32.add (local.get $at) (i32.const 8)))
                  (br_if 0 (i32.lt_u (local.get $at) {end})))
               {ends} {answer})"#,
            look = LOOK[0],
            answer_of_look = returning("(i32.const 1024)", "(i32.const 1)"),
            answer = returning("(local.get $body)", "(local.get $body_len)"),
        ),
    )
}
