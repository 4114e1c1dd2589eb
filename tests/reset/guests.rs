//! Guests that try to leave a mark: each first looks for one, then leaves one, and returns what it found.

use super::Outcome;
use crate::fixtures::{REPLIES, SET, TRANSFORM, component, returning};
use crate::harness::Host;

/// How the host prepares the instances of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its instances are reset in place.
    InPlace,
    /// Each call gets a new instance, for a reason with these words.
    New(&'static str),
}

/// One call of a guest.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// A call of its transform, with one letter for the way in which the call ends.
    Transform(&'static str),
    /// A call of its reply policy.
    Policy,
}

impl Call {
    pub fn make(self, host: &Host, name: &str) -> Outcome {
        match self {
            Self::Transform(way) => host.post(&format!("/{name}/"), way.as_bytes()).into(),
            Self::Policy => {
                let call = br#"{"request": {"frames": ["a"]}}"#;
                let answer = host.admin_request("POST", &format!("/plugins/{name}/call"), Some(call));
                Outcome { status: answer.status, body: answer.json()["replies"].to_string().into_bytes() }
            }
        }
    }
}

/// A guest and the calls to make.
pub struct Guest {
    pub name: &'static str,
    pub kind: Kind,
    pub component: Vec<u8>,
    pub calls: Vec<Call>,
    /// Whether the next call sees its marks if the instance is reused without a reset.
    pub is_seen: bool,
}

/// The ways in which the calls end: `a` returns, `t` traps, `r` rejects, `s` uses up the stack.
const WAYS: &str = "aatarasaa";
/// As [`WAYS`], with `l`, which never returns.
const ALL_WAYS: &str = "aatalarasaa";

fn calls(ways: &'static str) -> Vec<Call> {
    (0..ways.len()).map(|at| Call::Transform(&ways[at..=at])).collect()
}

/// Evaluates `look`, executes `mark`, and ends in the way that the body asks for. If it returns, it returns the 64 bits
/// of `look`.
fn transform(fields: &str, look: &str, mark: &str) -> Vec<u8> {
    let way = |letter: char, does: &str| {
        format!("(if (i32.eq (local.get $way) (i32.const {})) (then {does}))", letter as u32)
    };
    let ends = [
        way('t', "(unreachable)"),
        way('l', "(loop (br 0))"),
        way(
            'r',
            "(call $set (i32.const 0) (i32.const 1)) (call $set (i32.const 1) (i32.const 0)) (return (i32.const 16))",
        ),
        way('s', "(drop (call $deeper (i32.const 0)))"),
    ]
    .concat();
    component(
        "transform-plugin",
        2,
        8192,
        &format!(
            "{fields}
             (func $deeper (param i32) (result i32)
                (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (local.get 0)))
             {SET} {TRANSFORM}
             (local $way i32) (local $seen i64) (local $handle i32)
             (local.set $way (i32.load8_u (local.get $body)))
             (local.set $seen {look})
             {mark}
             (i64.store (i32.const 2048) (local.get $seen))
             {ends} {})",
            returning("(i32.const 2048)", "(i32.const 8)")
        ),
    )
}

/// Marks an address in memory.
fn at(address: u32) -> Vec<u8> {
    let place = format!("(i32.const {address})");
    transform("", &format!("(i64.load {place})"), &format!("(i64.store {place} (i64.const -1))"))
}

/// Marks a global of this type.
fn global(kind: &str, initial: &str, as_i64: &str, mark: &str) -> Vec<u8> {
    transform(
        &format!("(global $mark (mut {kind}) ({kind}.const {initial}))"),
        &format!("(global.get $mark) {as_i64}"),
        &format!("(global.set $mark ({kind}.const {mark}))"),
    )
}

const TIMER: &str = r#"
    (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
    (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop (param i32)))"#;
const A_TIMER: &str = "(local.tee $handle (call $timer (i64.const 1)))";
const RANDOM: &str = r#"(import "wasi:random/random@0.2.12" "get-random-u64" (func $draw (result i64)))"#;
const CLOCK: &str = r#"(import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))"#;

/// All of them.
pub fn guests() -> Vec<Guest> {
    use Kind::{InPlace, New};
    let guest = |name, kind, component| Guest { name, kind, component, calls: calls(WAYS), is_seen: true };
    let data = r#"(data (i32.const 1024) "its own data") (data (i32.const 1100) "and more")"#;
    vec![
        guest("stack", InPlace, at(0)),
        guest("heap", InPlace, at(65_536)),
        guest("heap-end", InPlace, at(131_064)),
        Guest {
            calls: calls(ALL_WAYS),
            ..guest(
                "own-data",
                InPlace,
                transform(data, "(i64.load (i32.const 1024))", "(i64.store (i32.const 1020) (i64.const -1))"),
            )
        },
        guest("between-data", InPlace, transform(data, "(i64.load (i32.const 1060))", "(i64.store (i32.const 1060) (i64.const -1))")),
        guest(
            "all-memory",
            InPlace,
            transform("", "(i64.load (i32.const 100000))", "(memory.fill (i32.const 3000) (i32.const 255) (i32.const 128000))"),
        ),
        Guest { calls: calls(ALL_WAYS), ..guest("global", InPlace, global("i32", "3", "i64.extend_i32_u", "4")) },
        guest("global-i64", InPlace, global("i64", "-3", "", "4")),
        guest("global-f64", InPlace, global("f64", "-0", "i64.reinterpret_f64", "4")),
        guest("global-v128", InPlace, global("v128", "i64x2 1 2", "i64x2.extract_lane 1", "i64x2 3 4")),
        guest(
            "table",
            New("table.set at 0x"),
            transform(
                "(table $table 4 funcref) (elem declare func $deeper)",
                "(i64.extend_i32_u (ref.is_null (table.get $table (i32.const 1))))",
                "(table.set $table (i32.const 1) (ref.func $deeper))",
            ),
        ),
        guest(
            "grown-table",
            New("table.grow at 0x"),
            transform(
                "(table $table 4 funcref)",
                "(i64.extend_i32_u (table.size $table))",
                "(drop (table.grow $table (ref.null func) (i32.const 1)))",
            ),
        ),
        Guest {
            // The second time nothing is there to be copied.
            calls: calls("aaa"),
            ..guest(
                "segment",
                New("data.drop at 0x"),
                transform(
                    r#"(data $passive "passive!")"#,
                    "(block (result i64)
                        (memory.init $passive (i32.const 3000) (i32.const 0) (i32.const 8)) (i64.load (i32.const 3000)))",
                    "(data.drop $passive)",
                ),
            )
        },
        guest("grown", InPlace, transform("", "(i64.extend_i32_u (memory.size))", "(drop (memory.grow (i32.const 1)))")),
        guest(
            "grown-and-written",
            InPlace,
            transform(
                "",
                "(i64.extend_i32_s (memory.grow (i32.const 1)))",
                "(i64.store (i32.const 131072) (i64.const -1))",
            ),
        ),
        guest(
            "refused-growth",
            InPlace,
            transform(
                "",
                "(i64.load (i32.const 5000))",
                "(i64.store (i32.const 5000) (i64.extend_i32_s (memory.grow (i32.const 60000))))",
            ),
        ),
        guest("resource", InPlace, transform(TIMER, &format!("(i64.extend_i32_u {A_TIMER})"), "")),
        // Handed back in the order in which they came, so that the numbers come in another one.
        guest(
            "resource-returned",
            InPlace,
            transform(
                TIMER,
                &format!("(i64.extend_i32_u {A_TIMER})"),
                "(call $timer (i64.const 1)) (call $drop (local.get $handle)) call $drop",
            ),
        ),
        // Each call draws anew in any instance.
        Guest {
            is_seen: false,
            ..guest("chance", InPlace, transform(RANDOM, "(call $draw)", "(drop (call $draw))"))
        },
        guest("clock", InPlace, transform(&format!("{CLOCK} (global $last (mut i64) (i64.const 0))"), "(i64.sub (call $now) (global.get $last))", "(global.set $last (call $now))")),
        guest(
            "start",
            InPlace,
            transform(
                "(global $mark (mut i64) (i64.const 1)) (func $start (global.set $mark (i64.const 2))) (start $start)",
                "(global.get $mark)",
                "(global.set $mark (i64.const 3))",
            ),
        ),
        guest(
            "start-that-asks",
            New("which the host answers"),
            transform(
                &format!("{RANDOM} (global $mark (mut i64) (i64.const 0)) (func $start (global.set $mark (call $draw))) (start $start)"),
                "(global.get $mark)",
                "(global.set $mark (i64.const 0))",
            ),
        ),
        guest("allocator", InPlace, transform("", "(i64.extend_i32_u (local.get $body))", "")),
        guest("post-return", InPlace, post_return("(i64.store (i32.const 4000) (i64.const -1))", "a")),
        Guest {
            calls: calls("apapaa"),
            is_seen: false,
            ..guest("post-return-that-loops", InPlace, post_return("(i64.store (i32.const 4000) (i64.const -1)) (loop (br 0))", "p"))
        },
        Guest {
            calls: calls("apapaa"),
            is_seen: false,
            ..guest("post-return-that-traps", InPlace, post_return("(i64.store (i32.const 4000) (i64.const -1)) (unreachable)", "p"))
        },
        Guest {
            calls: vec![
                Call::Transform("a"),
                Call::Policy,
                Call::Policy,
                Call::Transform("a"),
                Call::Transform("a"),
                Call::Policy,
            ],
            ..guest("two-roles", InPlace, two_roles())
        },
    ]
}

/// Marks its memory in its post-return, if the call was asked to end in this way.
fn post_return(does: &str, way: &str) -> Vec<u8> {
    let mark = format!(
        r#"(global $asked (mut i32) (i32.const 0))
           (func (export "cabi_post_tidegate:plugin/transform@0.1.0#transform") (param i32)
              (if (i32.eq (global.get $asked) (i32.const {})) (then {does})))"#,
        way.as_bytes()[0]
    );
    transform(&mark, "(i64.load (i32.const 4000))", "(global.set $asked (local.get $way))")
}

/// Has both roles, which count their calls in one global.
fn two_roles() -> Vec<u8> {
    let count = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.store8 (i32.const 1024) (i32.add (global.get $calls) (i32.const 48)))";
    component(
        "tidegate:tests/both-roles",
        1,
        8192,
        &format!(
            "(global $calls (mut i32) (i32.const 0)) {SET}
             {TRANSFORM} {count} {})
             {REPLIES} {count}
                (i32.store (i32.const 1040) (i32.const 1024)) (i32.store (i32.const 1044) (i32.const 1))
                (i32.store (i32.const 2052) (i32.const 1040)) (i32.store (i32.const 2056) (i32.const 1))
                (call $set (i32.const 1) (i32.const 2048)) (call $set (i32.const 2) (i32.const 1))
                (i32.const 16))",
            returning("(i32.const 1024)", "(i32.const 1)")
        ),
    )
}
