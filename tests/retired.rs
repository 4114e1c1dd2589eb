//! A retired generation leaves nothing in memory: after many swaps it is what it was after a few.

use crate::fixtures;
use crate::harness::{Client, Setup, bytes};
use crate::process::resident_kib;

/// After this many swaps of each plugin, the host has allocated all that it keeps.
const FEW: u64 = 10;
const MANY: u64 = 100;
const ALLOWED_KIB: u64 = 10 << 10;
/// How many components take turns: more than the host keeps for a rollback, and few enough to be compiled once each.
const VARIANTS: u64 = 4;

fn variant(component: Vec<u8>, turn: u64) -> Vec<u8> {
    [component, fixtures::custom_section("turn", (turn % VARIANTS).to_string().as_bytes())].concat()
}

#[test]
fn memory_after_many_swaps_is_what_it_was_after_ten() {
    // One plugin with little memory, as `plugin build` makes them, and one with more than the host keeps of an instance
    // that has ended.
    let small = |turn| variant(bytes("downcase"), turn);
    let large = |turn| variant(fixtures::trapping_on(b'T'), turn);
    let host = Setup::new().plugin("small", &small(0)).plugin("large", &large(0)).start();
    let (admin, client) = (Client::at(host.surface("admin")), Client::new(&host));
    let mut after_few = 0;
    for turn in 1..=MANY {
        for (name, component) in [("small", small(turn)), ("large", large(turn))] {
            let answer = admin.request("PUT", &format!("/plugins/{name}"), Some(&component)).expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.text());
            for _ in 0..4 {
                let answer = client.request("POST", &format!("/{name}/"), Some(b"AbC")).expect("an answer");
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert_eq!(answer.header("tidegate-generation"), (turn + 1).to_string());
            }
        }
        if turn == FEW {
            after_few = resident_kib(host.process.id());
        }
    }
    let after_many = resident_kib(host.process.id());
    println!("resident KiB: {after_few} after {FEW} swaps of each, {after_many} after {MANY}");
    assert!(after_many <= after_few + ALLOWED_KIB, "resident KiB: {after_few}, then {after_many}");
    assert_eq!(host.stop(), 0);
}
