//! Each item of the list keeps a component from being reset, and nothing else does.

use super::{RUN, around, component};
use crate::plugin::load::reset::{MEMORY_BYTES_MAX, ResetObstacle, resettable};

fn refused(component: &[u8]) -> ResetObstacle {
    resettable(component).expect_err("it cannot be reset")
}

fn assert_refused(component: &[u8], words: &str) {
    let text = refused(component).to_string();
    assert!(text.contains(words), "{text}");
}

#[test]
fn a_component_without_any_of_them_is_reset() {
    resettable(&component(&format!("(memory 1) (global (mut i32) (i32.const 1)) {RUN} local.get 0)"))).unwrap();
    // One without anything to reset as well.
    resettable(&component(&format!("{RUN} local.get 0)"))).unwrap();
}

#[test]
fn memories_are_bounded_together() {
    let pages = MEMORY_BYTES_MAX / 65536;
    let with = |pages| component(&format!("(memory {pages}) (memory 1) {RUN} local.get 0)"));
    resettable(&with(pages - 1)).unwrap();
    assert!(matches!(refused(&with(pages)), ResetObstacle::LargeMemory { bytes } if bytes == MEMORY_BYTES_MAX + 65536));
}

#[test]
fn no_instruction_changes_a_table() {
    for (instruction, name) in [
        ("(table.set $t (i32.const 0) (ref.null func))", "table.set"),
        ("(drop (table.grow $t (ref.null func) (i32.const 1)))", "table.grow"),
        ("(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))", "table.fill"),
        ("(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1))", "table.copy"),
        ("(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))", "table.init"),
    ] {
        let fields = format!("(table $t 2 funcref) (elem $e func $f) (func $f) {RUN} {instruction} local.get 0)");
        let obstacle = refused(&component(&fields));
        assert!(
            matches!(&obstacle, ResetObstacle::TableChange { instruction, .. } if *instruction == name),
            "{obstacle}"
        );
        // Where it is: the module by its name, the instruction by its place in the file.
        let text = obstacle.to_string();
        assert!(text.starts_with(&format!("module m: {name} at 0x")), "{text}");
    }
    // To look at one, and to call through it, changes nothing.
    let fields = format!(
        "(type $f (func)) (table $t 2 funcref) (elem (i32.const 0) func $f) (func $f)
         {RUN} (drop (table.get $t (i32.const 0))) (call_indirect (type $f) (i32.const 0)) (table.size $t))"
    );
    resettable(&component(&fields)).unwrap();
}

#[test]
fn no_segment_is_dropped() {
    let fields = r#"(memory 1) (data $d "x") (elem $e funcref (ref.null func))"#;
    for instruction in ["data.drop $d", "elem.drop $e"] {
        let obstacle = refused(&component(&format!("{fields} {RUN} {instruction} local.get 0)")));
        assert!(matches!(obstacle, ResetObstacle::DroppedSegment { .. }), "{obstacle}");
    }
    // A passive segment that is kept can be copied from again and again.
    let copy = "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))";
    resettable(&component(&format!("{fields} {RUN} {copy} (i32.load8_u (i32.const 0)))"))).unwrap();
}

#[test]
fn features_with_other_state_are_refused() {
    for (fields, words) in [
        ("(memory 1 1 shared)", "threads"),
        ("(memory i64 1)", "memory64"),
        ("(tag $t) (func throw $t)", "exceptions"),
        ("(type $s (struct (field (mut i32)))) (global (mut (ref null $s)) (ref.null $s))", "gc"),
    ] {
        let obstacle = refused(&component(&format!("{fields} {RUN} local.get 0)")));
        assert!(matches!(obstacle, ResetObstacle::Feature(_)) && obstacle.to_string().contains(words), "{obstacle}");
    }
}

#[test]
fn a_start_function_that_only_computes_is_run_again() {
    let start = |does: &str| {
        component(&format!(
            "(memory 1) (table $t 1 funcref) (type $f (func)) (elem (i32.const 0) func $one)
             (func $one) (func $two (call $one)) (func $s {does}) (start $s) {RUN} local.get 0)"
        ))
    };
    resettable(&start("(call $two) (i32.store (i32.const 0) (memory.size))")).unwrap();
    for (does, what) in [
        ("(drop (memory.grow (i32.const 1)))", "memory.grow at 0x"),
        ("(call $one) (call_indirect (type $f) (i32.const 0))", "a call by table at 0x"),
        ("(return_call_indirect (type $f) (i32.const 0))", "a call by table at 0x"),
        ("(drop (table.get $t (i32.const 0)))", "table.get at 0x"),
    ] {
        let obstacle = refused(&start(does));
        assert!(matches!(obstacle, ResetObstacle::Start { .. }), "{obstacle}");
        assert!(obstacle.to_string().contains(what), "{obstacle}");
    }
}

#[test]
fn a_start_function_is_followed_into_other_modules_and_not_into_the_host() {
    let with = |arguments: &str| {
        around(
            &format!(
                r#"(import "clock" (instance $clock (export "now" (func (result u64)))))
                   (core func $now (canon lower (func $clock "now")))
                   (core module $m (memory 1) (func (export "init") (i32.store (i32.const 0) (i32.const 1))) {RUN} local.get 0))
                   (core instance $main (instantiate $m))
                   (core module $wasi (import "" "now" (func (result i64))) (func (export "ask") (drop (call 0))))
                   (core instance $asks (instantiate $wasi (with "" (instance (export "now" (func $now))))))
                   (core module $starts (import "" "f" (func $f)) (func $s (call $f)) (start $s))
                   (core instance (instantiate $starts (with "" {arguments})))"#
            ),
            "",
        )
    };
    resettable(&with(r#"(instance (export "f" (func $main "init")))"#)).unwrap();
    let obstacle = refused(&with(r#"(instance (export "f" (func $asks "ask")))"#));
    assert!(obstacle.to_string().contains("now, which the host answers"), "{obstacle}");
}

#[test]
fn what_the_host_keeps_for_a_component_is_refused() {
    let core = format!("(core module $m {RUN} local.get 0)) (core instance $main (instantiate $m))");
    assert!(matches!(
        refused(&around(&format!("(type $r (resource (rep i32))) {core}"), "")),
        ResetObstacle::OwnResource
    ));
    let handler = wat::parse_str(r#"(component (instance (export "wasi:http/incoming-handler@0.2.3")))"#).unwrap();
    assert!(matches!(refused(&handler), ResetObstacle::Handler(_)));
}

#[test]
fn a_component_that_calls_itself_is_refused() {
    let lower = "(core func (canon lower (func $run)))";
    let core = format!("(core module $m {RUN} local.get 0)) (core instance $main (instantiate $m))");
    assert!(matches!(refused(&around(&core, lower)), ResetObstacle::CallsItself));
}

#[test]
fn whatever_is_not_looked_at_is_refused() {
    let core = format!("(core module $m {RUN} local.get 0)) (core instance $main (instantiate $m))");
    for rest in ["(core module)", "(core module $n) (core instance (instantiate $m))"] {
        assert!(matches!(refused(&around(&core, rest)), ResetObstacle::LateInstance));
    }
    for nested in ["(component (core module))", "(component (component (core module)))"] {
        assert!(matches!(refused(&around(&core, nested)), ResetObstacle::NestedModule));
    }
    resettable(&around(&core, "(component (type u8))")).unwrap();
    assert_refused(&around(&format!(r#"(import "m" (core module)) {core}"#), ""), "imports a core module");
    for name in ["tidegate:reset", "tidegate:state"] {
        assert_refused(
            &component(&format!(r#"(func (export "{name}")) {RUN} local.get 0)"#)),
            "an export has the name",
        );
    }
    assert_refused(&around(&core, r#"(export "tidegate-state" (func $run))"#), "an export has the name");
    for broken in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\xff\x0f", b"\0asm\x01\0\0\0"] {
        assert!(resettable(broken).is_err(), "{broken:?}");
    }
}
