//! Reply policies whose result is wrong: nothing of it is sent, and the request is counted as dropped.

use super::table::policies;
use super::{NO_PAUSES, log_of, replace, with_good_answers};
use crate::balance::at_exit;
use crate::harness::{LONG_PATIENCE, Setup, bytes, wait_up_to};
use std::collections::BTreeMap;

#[test]
fn a_hostile_policy_sends_nothing_and_is_counted() {
    let rows = policies();
    let setup = Setup::new().committed("downcase").committed("echo").with(&["--policy=echo"]);
    // On a busy machine the host would shed load of the good plugin, which this test is not about.
    let setup = setup.config("[http]\nqueue_delay_ms_max = 0");
    let host = setup.config(NO_PAUSES).config("[limits]\ncall_deadline_ms = 2000").start();
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(60_000).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    let mut expected = BTreeMap::<&str, u64>::new();
    with_good_answers(&host, || {
        for (index, (reason, text, bytes)) in rows.iter().enumerate() {
            let generation = format!("generation={}", index + 2);
            replace(&host.plugin_path("echo"), bytes);
            host.process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", "plugin=\"echo\"", &generation]);
            socket.send("lost", 0).unwrap();
            *expected.entry(reason).or_default() += 1;
            if *reason == "rejected" {
                // It is the client's fault, which no log is filled with.
                wait_up_to(LONG_PATIENCE, "the count of what was rejected", || {
                    let count = host.ledger()["hops"]["policy"]["dropped"]["rejected"].as_u64();
                    (count == Some(expected[reason])).then_some(())
                });
                continue;
            }
            host.process.wait_for_line_up_to(LONG_PATIENCE, &["call failed", "plugin=\"echo\"", &generation, text]);
        }
        replace(&host.plugin_path("echo"), &bytes("echo"));
        host.process.wait_for_line_up_to(
            LONG_PATIENCE,
            &["loaded", "plugin=\"echo\"", &format!("generation={}", rows.len() + 2)],
        );
        socket.send("served", 0).unwrap();
        assert_eq!(socket.recv_multipart(0).unwrap(), [b"served"]);
    });
    let log = log_of(host);
    let ledger = at_exit(&log);
    let dropped = &ledger["hops"]["policy"]["dropped"];
    for (reason, count) in expected {
        // On a busy machine a call that was to exceed its deadline may be counted as starved.
        let starved = if reason == "deadline-exceeded" { dropped["starved"].as_u64().unwrap_or(0) } else { 0 };
        assert_eq!(dropped[reason].as_u64().unwrap_or(0) + starved, count, "{reason}: {ledger}");
    }
}
