//! Sockets that WebSockets reach: PULL and ROUTER of flows, with back-pressure, bounds and an orderly end.

use super::client::{BINARY, WebSocket};
use crate::harness::{Host, Setup, wait_for};
use serde_json::json;

const PULL: &str = "\
[sockets.in]
type = 'pull'
bind = ['ws:/in']
queue_messages_max = 2
[sockets.out]
type = 'push'
bind = ['tcp://127.0.0.1:*']
queue_messages_max = 2
[flows.f]
from = ['in']
through = ['downcase']
to = ['out']
in_flight_max = 1
";

/// A ROUTER at `/in`, whose flow answers whoever asks.
pub const ROUTER: &str = "\
[sockets.in]
type = 'router'
bind = ['ws:/in']
[flows.f]
from = ['in']
through = ['downcase']
to = ['in']
";

fn start(config: &str) -> Host {
    Setup::new().committed("downcase").config(config).start()
}

fn counts(host: &Host, hop: &str) -> serde_json::Value {
    host.ledger()["hops"][hop].clone()
}

#[test]
fn what_is_pushed_goes_through_the_flow() {
    let host = start(PULL);
    assert_eq!(host.surface("in"), host.surface("http").replacen("http", "ws", 1) + "/in");
    let puller = crate::flows::unconnected(zmq::PULL);
    puller.connect(host.surface("out")).unwrap();
    let mut push = WebSocket::zws(&host, "/in", "");
    push.send(BINARY, b"\0One");
    push.send(BINARY, b"\x01t");
    push.send(BINARY, b"\0Two");
    assert_eq!(puller.recv_multipart(0).unwrap(), [b"lower case of One is one".to_vec()]);
    assert_eq!(puller.recv_multipart(0).unwrap(), [b"t".to_vec(), b"lower case of Two is two".to_vec()]);
    host.wait_for_hop("sockets.in", &json!({"in": 2, "out": 2, "in_flight": 0}));
    // With the handshake of NULL, as libzmq has it.
    let mut null = WebSocket::open(&host, "/in", "ZWS2.0/NULL");
    let (opcode, ready) = null.receive();
    assert!(opcode == BINARY && ready.starts_with(b"\x02\x05READY\x0bSocket-Type\0\0\0\x04PULL"));
    null.send(BINARY, b"\x02\x05READY\x0bSocket-Type\0\0\0\x04PUSH\x08Identity\0\0\0\0");
    null.send(BINARY, b"\0Three");
    assert_eq!(puller.recv_multipart(0).unwrap(), [b"lower case of Three is three".to_vec()]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_flow_without_room_slows_its_clients_and_loses_nothing() {
    let host = start(PULL);
    let mut push = WebSocket::zws(&host, "/in", "");
    let mut other = WebSocket::zws(&host, "/in", "");
    const EACH: u64 = 300;
    for number in 0..EACH {
        push.send(BINARY, format!("\0A{number}").as_bytes());
        other.send(BINARY, format!("\0B{number}").as_bytes());
    }
    // Nobody takes what comes out, so that not everything comes in.
    host.wait_for_hop("sockets.in", &json!({"in_flight": 2}));
    assert!(counts(&host, "sockets.in")["in"].as_u64().unwrap() < EACH, "{}", counts(&host, "sockets.in"));
    // Others are served meanwhile.
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    let puller = crate::flows::unconnected(zmq::PULL);
    puller.connect(host.surface("out")).unwrap();
    let mut last = [None::<u64>; 2];
    for _ in 0..2 * EACH {
        let text = puller.recv_string(0).unwrap().unwrap();
        let (name, number) = text.trim_start_matches("lower case of ").split(' ').next().unwrap().split_at(1);
        let (number, last) = (number.parse::<u64>().unwrap(), &mut last[usize::from(name == "B")]);
        assert!(last.is_none_or(|last| last + 1 == number), "{text} after {last:?}");
        *last = Some(number);
    }
    host.wait_for_hop("sockets.in", &json!({"in": 2 * EACH, "out": 2 * EACH, "dropped": {}, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn who_leaves_while_no_flow_reads_holds_nothing_for_long() {
    let host = start(ROUTER);
    host.output("flow", &["pause", "f"]);
    let mut gone = WebSocket::zws(&host, "/in", "me");
    gone.send(BINARY, b"\0nobody waits");
    host.wait_for_hop("sockets.in.in", &json!({"in_flight": 1}));
    drop(gone);
    let mut again = wait_for("its identity", || {
        let mut again = WebSocket::zws(&host, "/in", "me");
        again.send(BINARY, b"\x02\x04PING\0\0x");
        (again.receive().0 == BINARY).then_some(again)
    });
    host.wait_for_hop("sockets.in.in", &json!({"in_flight": 0, "dropped": {"client-gone": 1}}));
    let open = |count: &str| {
        let metrics = host.admin("/metrics");
        let text = metrics.text();
        let line = text.lines().find(|line| line.starts_with("tidegate_socket_websockets_open{"));
        line.and_then(|line| line.rsplit_once(' ')).is_some_and(|(_, open)| open == count)
    };
    wait_for("the end of its WebSocket", || open("1").then_some(()));
    let idle = WebSocket::zws(&host, "/in", "");
    wait_for("another", || open("2").then_some(()));
    drop(idle);
    wait_for("the end of who has sent nothing", || open("1").then_some(()));
    // What waits of who stays is not lost.
    again.send(BINARY, b"\0One");
    again.send(BINARY, b"\0Two");
    host.wait_for_hop("sockets.in.in", &json!({"in_flight": 1}));
    host.output("flow", &["resume", "f"]);
    assert_eq!(again.frames(), ["lower case of One is one"]);
    assert_eq!(again.frames(), ["lower case of Two is two"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_comes_in_is_of_the_bytes_in_flight_until_a_flow_has_it() {
    let host = start(&format!("{PULL}[http]\nin_flight_bytes_max = 100_000\n"));
    host.output("flow", &["pause", "f"]);
    let send = |client: &mut WebSocket| client.send(BINARY, &[&b"\0"[..], &[b'X'; 120_000]].concat());
    // One alone may have more than the bound, as one body may.
    let mut held = WebSocket::zws(&host, "/in", "");
    send(&mut held);
    host.wait_for_hop("sockets.in", &json!({"in_flight": 1}));
    let mut refused = WebSocket::zws(&host, "/in", "");
    send(&mut refused);
    let (code, reason) = refused.closed();
    assert!(code == 1013 && reason.contains("in_flight_bytes_max"), "{code} {reason}");
    host.output("flow", &["resume", "f"]);
    let puller = crate::flows::unconnected(zmq::PULL);
    puller.connect(host.surface("out")).unwrap();
    let received = || puller.recv_multipart(0).unwrap()[0].len();
    assert_eq!(received(), "lower case of  is ".len() + 240_000);
    // What a flow has is no longer of them.
    send(&mut held);
    assert_eq!(received(), "lower case of  is ".len() + 240_000);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_router_answers_each_by_its_identity() {
    let host = start(ROUTER);
    let mut named = WebSocket::zws(&host, "/in", "me");
    let mut other = WebSocket::zws(&host, "/in", "");
    named.send(BINARY, b"\0One");
    other.send(BINARY, b"\0Two");
    assert_eq!(named.frames(), ["lower case of One is one"]);
    assert_eq!(other.frames(), ["lower case of Two is two"]);
    // A second one of that name does not get what is for the first.
    let mut thief = WebSocket::zws(&host, "/in", "me");
    let (code, reason) = thief.closed();
    assert!(code == 1008 && reason.contains("identity"), "{reason}");
    named.send(BINARY, b"\0Three");
    assert_eq!(named.frames(), ["lower case of Three is three"]);
    // Bytes that are no text name a peer as well.
    let mut bytes = WebSocket::open(&host, "/in", "ZWS2.0");
    bytes.send(BINARY, b"\0\xff\xfe");
    bytes.send(BINARY, b"\0Four");
    assert_eq!(bytes.frames(), [""]);
    assert_eq!(bytes.frames(), ["lower case of Four is four"]);
    host.wait_for_hop("sockets.in.out", &json!({"in": 4, "out": 4, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_for_nobody_or_for_who_does_not_read_is_dropped_with_its_reason() {
    let config = ROUTER.replace("bind = ['ws:/in']", "bind = ['ws:/in']\npeer_queue_bytes_max = 1_000")
        + "[sockets.push]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n\
           [flows.g]\nfrom = ['push']\nthrough = ['downcase']\nto = ['in']\n";
    let host = start(&config);
    let pusher = crate::flows::unconnected(zmq::PUSH);
    pusher.connect(host.surface("push")).unwrap();
    pusher.send_multipart(["nobody", "x"], 0).unwrap();
    host.wait_for_hop("sockets.in.out", &json!({"in": 1, "dropped": {"unroutable": 1}}));
    let mut deaf = WebSocket::zws(&host, "/in", "deaf");
    deaf.send(BINARY, b"\0One");
    assert_eq!(deaf.frames(), ["lower case of One is one"]);
    let text = "x".repeat(500_000);
    wait_for("a queue that is full", || {
        pusher.send_multipart(["deaf", &text], 0).unwrap();
        (counts(&host, "sockets.in.out")["dropped"]["client-full"].as_u64() > Some(2)).then_some(())
    });
    // What waited for it is lost with it.
    drop(deaf);
    host.wait_for_hop("sockets.in.out", &json!({"in_flight": 0}));
    let dropped = counts(&host, "sockets.in.out")["dropped"]["client-gone"].as_u64();
    assert!(dropped > Some(0), "{}", counts(&host, "sockets.in.out"));
}

#[test]
fn a_socket_changes_and_ends_while_its_clients_are_told() {
    let host = start(PULL);
    let mut push = WebSocket::zws(&host, "/in", "");
    let (path, config) =
        (host.directory.path().join("new.toml"), PULL.replace("queue_messages_max = 2", "queue_messages_max = 3"));
    std::fs::write(&path, config.replace("ws:/in", "ws:/other")).unwrap();
    host.output("flow", &["apply", path.to_str().unwrap()]);
    let (code, _) = push.closed();
    assert_eq!(code, 1001);
    assert_eq!(super::client::shake_hands(&host, "/in", "Sec-WebSocket-Protocol: ZWS2.0\r\n").1.status, 404);
    let mut push = WebSocket::zws(&host, "/other", "");
    push.send(BINARY, b"\0One");
    host.wait_for_hop("sockets.in", &json!({"in": 1}));
    std::fs::write(&path, PULL.replace("ws:/in", "ws:/other")).unwrap();
    host.output("flow", &["apply", path.to_str().unwrap()]);
    assert_eq!(push.closed().0, 1001);
    let mut push = WebSocket::zws(&host, "/other", "");
    push.send(BINARY, b"\0Two");
    host.wait_for_hop("sockets.in", &json!({"in": 2}));
}

#[test]
fn a_client_that_goes_on_sending_does_not_hold_up_the_end() {
    let mut host = start(&format!("{PULL}[shutdown]\ngrace_ms = 500\n"));
    let mut push = WebSocket::zws(&host, "/in", "");
    // It reads nothing, and so never says that it has heard of the end.
    let sender = std::thread::spawn(move || {
        let frame = super::client::frame(true, BINARY, b"\0more");
        while std::io::Write::write_all(&mut push.0.0, &frame).is_ok() {}
    });
    host.wait_for_hop("sockets.in", &json!({"in_flight": 1}));
    let began = std::time::Instant::now();
    host.process.signal("TERM");
    host.wait();
    // Eleven seconds are what its connection alone would get.
    assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    sender.join().unwrap();
}

#[test]
fn what_came_in_before_the_end_is_answered() {
    let mut host = start(ROUTER);
    let mut client = WebSocket::zws(&host, "/in", "");
    for number in 0..50 {
        client.send(BINARY, format!("\0A{number}").as_bytes());
    }
    host.wait_for_hop("sockets.in.in", &json!({"in": 50}));
    host.process.signal("TERM");
    for number in 0..50 {
        assert_eq!(client.frames(), [format!("lower case of A{number} is a{number}")]);
    }
    assert_eq!(client.closed().0, 1001);
    assert_eq!(host.wait(), 0);
}
