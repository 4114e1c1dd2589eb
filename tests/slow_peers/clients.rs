//! Clients of the frontend that do not read their replies, or have gone before a reply comes.

use super::{LARGE, settled};
use crate::fixtures;
use crate::harness::{Host, LONG_PATIENCE, Setup, wait_up_to};
use serde_json::json;

/// A DEALER whose own queue holds one reply, for tests in which it does not read.
fn greedy(host: &Host, identity: &[u8]) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_identity(identity).unwrap();
    socket.set_rcvhwm(1).unwrap();
    socket.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket
}

fn broker_host(policy: &str) -> Host {
    let config = format!("[messaging]\nqueue_messages_max = 20\n[broker]\non_full = '{policy}'");
    Setup::new().committed("echo").config(&config).start()
}

/// Sends one large request after the other until `enough` is true of the reply hop. Returns how many were sent.
fn ask_until(host: &Host, socket: &zmq::Socket, enough: impl Fn(&serde_json::Value) -> bool) -> u64 {
    for sent in 1..10_000 {
        socket.send(vec![b'x'; LARGE], 0).unwrap();
        let ledger = wait_up_to(LONG_PATIENCE, "the request to be answered", || {
            let ledger = host.ledger();
            (ledger["hops"]["policy"]["out"] == sent).then_some(ledger)
        });
        if enough(&ledger["hops"]["reply"]) {
            return sent;
        }
    }
    panic!("nothing happened:\n{}", host.process.stderr());
}

#[test]
fn a_client_that_does_not_read_costs_its_own_replies_alone() {
    let host = broker_host("drop-newest");
    let socket = greedy(&host, b"greedy");
    let sent = ask_until(&host, &socket, |reply| reply["dropped"]["client-full"].as_u64().is_some_and(|n| n > 2));
    let other = greedy(&host, b"other");
    other.send("x", 0).unwrap();
    assert_eq!(other.recv_bytes(0).unwrap(), b"x");
    let reply = settled(&host, "reply");
    assert_eq!(reply["out"].as_u64().unwrap() + reply["dropped"]["client-full"].as_u64().unwrap(), sent + 1);
    // Every reply that was handed to libzmq arrives.
    socket.set_rcvtimeo(1000).unwrap();
    let received = std::iter::from_fn(|| socket.recv_bytes(0).ok()).count() as u64;
    assert_eq!(received + 1, reply["out"].as_u64().unwrap());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_client_that_does_not_read_is_cut_off_where_the_policy_says_so() {
    let host = broker_host("cut-off");
    let socket = greedy(&host, b"greedy");
    ask_until(&host, &socket, |reply| reply["dropped"]["client-full"] == 1);
    host.process.wait_for_line_up_to(
        LONG_PATIENCE,
        &["cut off: it does not read its replies", "surface=\"frontend\"", "127.0.0.1:"],
    );
    let other = greedy(&host, b"other");
    other.send("x", 0).unwrap();
    assert_eq!(other.recv_bytes(0).unwrap(), b"x");
    assert_eq!(host.stop(), 0);
}

#[test]
fn requests_wait_for_a_client_that_does_not_read_where_the_policy_is_to_wait() {
    let host = broker_host("block");
    let socket = greedy(&host, b"greedy");
    // A reply that is in flight has not been sent yet; in the end it is either sent or held.
    let holds = |_: &serde_json::Value| {
        wait_up_to(LONG_PATIENCE, "the reply to go or to be held", || {
            let hops = host.ledger()["hops"].clone();
            let gone = hops["reply"]["out"] == hops["policy"]["out"];
            let held = host.admin("/broker").json()["replies_held"] != 0;
            (gone || held).then_some(held)
        })
    };
    let sent = ask_until(&host, &socket, holds);
    let other = greedy(&host, b"other");
    other.send("x", 0).unwrap();
    other.set_rcvtimeo(300).unwrap();
    assert_eq!(other.recv_bytes(0), Err(zmq::Error::EAGAIN), "the frontend reads nothing");
    for number in 0..sent {
        assert_eq!(socket.recv_bytes(0).unwrap().len(), LARGE, "reply {number}");
    }
    other.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
    assert_eq!(other.recv_bytes(0).unwrap(), b"x");
    let reply = settled(&host, "reply");
    assert_eq!((&reply["out"], &reply["dropped"]), (&json!(sent + 1), &json!({})));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_client_that_has_gone_gets_no_reply_and_that_is_counted() {
    let host = Setup::new().plugin("late", &fixtures::replying_late_unless_asked(300)).start();
    let socket = greedy(&host, b"gone");
    socket.send("x", 0).unwrap();
    wait_up_to(LONG_PATIENCE, "the request", || (host.ledger()["hops"]["policy"]["out"] == 1).then_some(()));
    drop(socket);
    let reply = wait_up_to(LONG_PATIENCE, "the reply", || {
        let reply = settled(&host, "reply");
        (reply["in"] == 1 && reply["in_flight"] == 0).then_some(reply)
    });
    assert_eq!(reply["dropped"], json!({"unroutable": 1}));
    assert_eq!(host.stop(), 0);
}
