//! Envelopes: the routing frames that proxies and clients put before a request come back unchanged, and the policy sees
//! only its body.

use crate::fixtures;
use crate::harness::{Host, PATIENCE, Setup, wait_for};
use std::sync::mpsc;
use std::thread;

fn connect(kind: zmq::SocketType, endpoint: &str) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

/// Starts a `zmq_proxy` in front of `endpoint` and returns the proxy's endpoint. It ends with the process.
fn proxy(endpoint: &str) -> String {
    let (sender, receiver) = mpsc::channel();
    let backend = connect(zmq::DEALER, endpoint);
    thread::spawn(move || {
        let frontend = zmq::Context::new().socket(zmq::ROUTER).unwrap();
        frontend.bind("tcp://127.0.0.1:*").unwrap();
        sender.send(frontend.get_last_endpoint().unwrap().unwrap()).unwrap();
        zmq::proxy(&frontend, &backend)
    });
    receiver.recv().unwrap()
}

#[track_caller]
fn assert_answer(socket: &zmq::Socket, request: &[&[u8]], answer: &[&[u8]]) {
    socket.send_multipart(request, 0).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap(), answer, "to {request:?}");
}

fn dropped(host: &Host, reason: &str) -> u64 {
    host.ledger()["hops"]["policy"]["dropped"][reason].as_u64().unwrap_or_default()
}

#[test]
fn clients_behind_proxies_are_answered() {
    let counting = Setup::new().plugin("counting", &fixtures::counting_frames()).start();
    let echo = Setup::new().committed("echo").start();
    let (mut counted, mut echoed) = (counting.surface("frontend").to_owned(), echo.surface("frontend").to_owned());
    for hops in 0..3 {
        if hops > 0 {
            (counted, echoed) = (proxy(&counted), proxy(&echoed));
        }
        assert_answer(&connect(zmq::REQ, &counted), &[b"one", b"", b"three"], &[b"3"]);
        assert_answer(&connect(zmq::REQ, &echoed), &[b"one", b"", b"three"], &[b"one", b"", b"three"]);
        let dealer = connect(zmq::DEALER, &counted);
        assert_answer(&dealer, &[b"", b"one", b"", b"three"], &[b"", b"3"]);
        assert_answer(&dealer, &[b"", b""], &[b"", b"1"]);
        // Routing frames that the client has put there itself.
        assert_answer(&dealer, &[b"a", b"b", b"", b"one"], &[b"a", b"b", b"", b"1"]);
        // Without a delimiter the identities that proxies add are taken for frames of the body; an echo returns them
        // too.
        assert_answer(&connect(zmq::DEALER, &echoed), &[b"one", b"two"], &[b"one", b"two"]);
    }
    let delivered = wait_for("all to be counted", || {
        let reply = counting.ledger()["hops"]["reply"].clone();
        (reply["in_flight"] == 0).then_some(reply)
    });
    assert_eq!((&delivered["out"], &delivered["dropped"]), (&12.into(), &serde_json::json!({})));
    assert_eq!((counting.stop(), echo.stop()), (0, 0));
}

#[test]
fn an_envelope_may_be_as_deep_as_a_body_may_be_long() {
    let host =
        Setup::new().plugin("counting", &fixtures::counting_frames()).config("[messaging]\nframes_max = 9").start();
    let dealer = connect(zmq::DEALER, host.surface("frontend"));
    let message = |hops: usize, body: usize| -> Vec<Vec<u8>> {
        let hops = (1..=hops).map(|hop| vec![hop as u8; 255]);
        hops.chain([vec![]]).chain(std::iter::repeat_n(b"x".to_vec(), body)).collect()
    };
    for (hops, body) in [(0, 9), (1, 1), (9, 9)] {
        dealer.send_multipart(message(hops, body), 0).unwrap();
        let mut expected = message(hops, 0);
        expected.push(body.to_string().into_bytes());
        assert_eq!(dealer.recv_multipart(0).unwrap(), expected);
    }
    for (hops, body) in [(10, 1), (0, 10), (9, 100), (100, 1)] {
        dealer.send_multipart(message(hops, body), 0).unwrap();
    }
    // No identity has 256 bytes, so all of this is body.
    assert_answer(&dealer, &[&[b'i'; 256], b"", b"x"], &[b"3"]);
    assert_eq!(dropped(&host, "too-large"), 4);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_dealer_without_delimiters_may_have_empty_frames_in_its_body_where_the_envelope_is_the_identity() {
    let host =
        Setup::new().plugin("counting", &fixtures::counting_frames()).config("[broker]\nenvelope = 'identity'").start();
    let dealer = connect(zmq::DEALER, host.surface("frontend"));
    assert_answer(&dealer, &[b"one", b"", b"three"], &[b"3"]);
    assert_answer(&dealer, &[b"one", b""], &[b"2"]);
    // An empty first frame is still a delimiter, for REQ clients.
    assert_answer(&dealer, &[b"", b"one", b"", b"three"], &[b"", b"3"]);
    assert_answer(&connect(zmq::REQ, host.surface("frontend")), &[b"one"], &[b"1"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_probe_is_counted_and_not_asked() {
    for envelope in ["delimiter", "identity"] {
        let host = Setup::new()
            .plugin("counting", &fixtures::counting_frames())
            .config(&format!("[broker]\nenvelope = '{envelope}'"))
            .start();
        let probing = zmq::Context::new().socket(zmq::ROUTER).unwrap();
        probing.set_linger(0).unwrap();
        probing.set_probe_router(true).unwrap();
        probing.connect(host.surface("frontend")).unwrap();
        wait_for("the probe", || (dropped(&host, "no-body") == 1).then_some(()));
        let dealer = connect(zmq::DEALER, host.surface("frontend"));
        dealer.send("", 0).unwrap();
        assert_answer(&dealer, &[b"", b""], &[b"", b"1"]);
        let policy = wait_for("all to be counted", || {
            let policy = host.ledger()["hops"]["policy"].clone();
            (policy["in_flight"] == 0).then_some(policy)
        });
        assert_eq!((&policy["out"], &policy["dropped"]), (&1.into(), &serde_json::json!({"no-body": 2})));
        assert_eq!(host.stop(), 0);
    }
}

#[test]
fn a_reply_that_is_lost_behind_a_proxy_is_kept_with_its_way_back() {
    let host = Setup::new().plugin("late", &fixtures::replying_late_unless_asked(500)).start();
    let dealer = connect(zmq::DEALER, host.surface("frontend"));
    dealer.send_multipart([b"behind".as_slice(), b"", b"late"], 0).unwrap();
    wait_for("the request", || (host.ledger()["hops"]["schedule"]["in"] == 1).then_some(()));
    drop(dealer);
    let letter = wait_for("the letter", || {
        let letters = std::fs::read_to_string(host.directory.path().join("dead-letters.jsonl")).ok()?;
        serde_json::from_str::<serde_json::Value>(letters.lines().next()?).ok()
    });
    // `behind`, an empty frame, `late`
    assert_eq!(letter["reply"]["frames_base64"], serde_json::json!(["YmVoaW5k", "", "bGF0ZQ=="]));
    assert_eq!(host.stop(), 0);
}
