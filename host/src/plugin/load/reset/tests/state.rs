//! What is reset is as it was, whatever a call did to it.

use super::{RUN, around, component};
use crate::plugin::load::reset::resettable;
use crate::plugin::run::isolation::STATE;
use wasmtime::component::{Component, Linker, TypedFunc};
use wasmtime::{Config, Engine, Store};

/// What a component answers to each argument when each call has an instance of its own.
fn fresh(engine: &Engine, component: &[u8], arguments: &[u32]) -> Vec<Option<u32>> {
    let component = Component::new(engine, component).unwrap();
    let call = |argument| {
        let mut store = Store::new(engine, ());
        let instance = Linker::new(engine).instantiate(&mut store, &component).unwrap();
        let run: TypedFunc<(u32,), (u32,)> = instance.get_typed_func(&mut store, "run").unwrap();
        run.call(&mut store, (argument,)).ok().map(|(result,)| result)
    };
    arguments.iter().map(|argument| call(*argument)).collect()
}

/// The same of one instance for all calls up to one that traps, which has to hash as it did in the beginning after each.
fn reset(engine: &Engine, component: &[u8], arguments: &[u32]) -> Vec<Option<u32>> {
    let component = Component::new(engine, resettable(component).unwrap()).unwrap();
    let mut results = Vec::new();
    let mut arguments = arguments.iter().peekable();
    while arguments.peek().is_some() {
        let mut store = Store::new(engine, ());
        let instance = Linker::new(engine).instantiate(&mut store, &component).unwrap();
        let run: TypedFunc<(u32,), (u32,)> = instance.get_typed_func(&mut store, "run").unwrap();
        let state: TypedFunc<(), (u64,)> = instance.get_typed_func(&mut store, STATE).unwrap();
        let initial = state.call(&mut store, ()).unwrap();
        for argument in arguments.by_ref() {
            let result = run.call(&mut store, (*argument,)).ok().map(|(result,)| result);
            results.push(result);
            if result.is_none() {
                break;
            }
            assert_eq!(state.call(&mut store, ()).unwrap(), initial);
        }
    }
    results
}

const ARGUMENTS: [u32; 8] = [0, 1, 0, 2, 1, 0, 0, 2];

fn engine() -> Engine {
    Engine::new(&Config::new()).unwrap()
}

/// Compares both, and checks that without a reset a mark would have been seen.
fn assert_left_nothing(component: &[u8]) {
    let engine = engine();
    let expected = fresh(&engine, component, &ARGUMENTS);
    assert_eq!(reset(&engine, component, &ARGUMENTS), expected);
    let component = Component::new(&engine, component).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    let run: TypedFunc<(u32,), (u32,)> = instance.get_typed_func(&mut store, "run").unwrap();
    let reused = ARGUMENTS.map(|argument| run.call(&mut store, (argument,)).ok().map(|(result,)| result));
    assert_ne!(reused[..], expected, "the component leaves no mark");
}

/// Adds to what it reads at a place, which it answers with what was there before.
fn marks(fields: &str, read: &str, write: &str) -> Vec<u8> {
    component(&format!("{fields} {RUN} {read} {write})"))
}

#[test]
fn memory_is_as_it_was() {
    for address in [0, 4, 8, 240, 252, 256, 1000, 32_764, 65_276, 65_280, 65_532] {
        let place = format!("(i32.const {address})");
        assert_left_nothing(&marks(
            r#"(memory 1) (data (i32.const 4) "ab") (data (i32.const 5) "xyz")"#,
            &format!("(i32.load {place})"),
            &format!("(i32.store {place} (i32.add (i32.load {place}) (i32.const 7)))"),
        ));
    }
}

#[test]
fn every_memory_is_as_it_was_also_where_another_module_fills_it() {
    for memory in ["$a", "$b"] {
        assert_left_nothing(&marks(
            r#"(memory $a 1) (memory $b 2) (data (memory $a) (i32.const 4) "ab") (data (memory $b) (i32.const 4) "cd")"#,
            &format!("(i32.load {memory} (i32.const 4))"),
            &format!("(i32.store {memory} (i32.const 4) (i32.const -1))"),
        ));
    }
    // Its data is of a module that is made later, at a place that a global says.
    let core = format!(
        r#"(core module $m (memory (export "memory") 1) (global (export "at") i32 (i32.const 40))
              {RUN} (i32.load (i32.const 42)) (i32.store (i32.const 42) (i32.const 9))))
           (core instance $main (instantiate $m))
           (core module $fills (import "" "memory" (memory 1)) (import "" "at" (global i32))
              (data (offset (i32.add (global.get 0) (i32.const 2))) "wxyz"))
           (core instance (instantiate $fills (with "" (instance $main))))"#
    );
    assert_left_nothing(&around(&core, ""));
}

#[test]
fn every_kind_of_global_is_as_it_was() {
    for (kind, initial, as_i32, changed) in [
        ("i32", "(i32.const 5)", "", "(i32.const 6)"),
        ("i64", "(i64.const -5)", "i32.wrap_i64", "(i64.const 6)"),
        ("f32", "(f32.const nan:0x200001)", "i32.reinterpret_f32", "(f32.const 0)"),
        ("f64", "(f64.const 1.5)", "i64.reinterpret_f64 i64.const 32 i64.shr_u i32.wrap_i64", "(f64.const 0)"),
        ("v128", "(v128.const i32x4 1 2 3 4)", "i32x4.extract_lane 3", "(v128.const i32x4 1 2 3 9)"),
        ("funcref", "(ref.func $f)", "ref.is_null", "(ref.null func)"),
        ("externref", "(ref.null extern)", "ref.is_null", "(ref.null extern)"),
        ("i32", "(i32.add (i32.const 2) (i32.const 3))", "", "(i32.const 6)"),
    ] {
        let component = marks(
            &format!("(func $f) (global $g (mut {kind}) {initial})"),
            &format!("(global.get $g) {as_i32}"),
            &format!("(global.set $g {changed})"),
        );
        if kind == "externref" {
            // No component has another one than null.
            resettable(&component).unwrap();
        } else {
            assert_left_nothing(&component);
        }
    }
}

#[test]
fn every_module_is_as_it_was_and_every_instance_of_one() {
    let counter = r#"(core module $counter (global $n (mut i32) (i32.const 0))
        (func (export "count") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"#;
    for which in ["$a", "$b"] {
        let core = format!(
            r#"{counter} (core instance $a (instantiate $counter)) (core instance $b (instantiate $counter))
               (core module $m (import "" "count" (func $count (result i32))) {RUN} (call $count)))
               (core instance $main (instantiate $m (with "" (instance {which}))))"#
        );
        assert_left_nothing(&around(&core, ""));
    }
}

#[test]
fn what_a_start_function_did_is_done_again() {
    let start = "(memory 1) (global $g (mut i32) (i32.const 3)) (func $s (i32.store (i32.const 8) (i32.const 77))
        (global.set $g (i32.add (global.get $g) (i32.load (i32.const 8))))) (start $s)";
    for (read, write) in [
        ("(global.get $g)", "(global.set $g (i32.const 0))"),
        ("(i32.load (i32.const 8))", "(i32.store (i32.const 8) (i32.const 0))"),
    ] {
        assert_left_nothing(&marks(start, read, write));
    }
}

#[test]
fn the_guests_own_post_return_comes_first_and_leaves_nothing() {
    let text = r#"(component
        (core module $m (memory 1) (global $n (mut i32) (i32.const 0))
            (func (export "run") (param i32) (result i32) (i32.add (global.get $n) (i32.load (i32.const 0))))
            (func (export "after") (param i32) (global.set $n (i32.const 5)) (i32.store (i32.const 0) (local.get 0))
                (if (i32.eq (local.get 0) (i32.const 1000)) (then unreachable))))
        (core instance $i (instantiate $m))
        (func (export "run") (param "x" u32) (result u32)
            (canon lift (core func $i "run") (post-return (core func $i "after")))))"#;
    assert_left_nothing(&wat::parse_str(text).unwrap());
}

#[test]
fn a_trap_is_what_it_was() {
    let engine = engine();
    let component = component(&format!("(memory 1) {RUN} (i32.load (i32.mul (local.get 0) (i32.const 65533))))"));
    let results = reset(&engine, &component, &ARGUMENTS);
    assert_eq!(results, fresh(&engine, &component, &ARGUMENTS));
    assert!(results.contains(&None));
}

#[test]
fn two_exports_leave_nothing_to_each_other() {
    let text = r#"(component
        (core module $m (global $n (mut i32) (i32.const 0))
            (func (export "run") (param i32) (result i32) (global.get $n) (global.set $n (i32.const 1)))
            (func (export "two") (param i32) (result i32) (global.get $n) (global.set $n (i32.const 2))))
        (core instance $i (instantiate $m))
        (func (export "run") (param "x" u32) (result u32) (canon lift (core func $i "run")))
        (func (export "two") (param "x" u32) (result u32) (canon lift (core func $i "two"))))"#;
    let component = wat::parse_str(text).unwrap();
    let engine = engine();
    let component = Component::new(&engine, resettable(&component).unwrap()).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    for name in ["run", "two", "two", "run"] {
        let function: TypedFunc<(u32,), (u32,)> = instance.get_typed_func(&mut store, name).unwrap();
        assert_eq!(function.call(&mut store, (0,)).unwrap(), (0,), "{name}");
    }
}
