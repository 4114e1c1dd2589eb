//! NATS that is away: the host starts, says so, and serves whoever does not need it; what waits for it goes on when it comes.

use super::nats::Nats;
use super::{THROUGH, peer, start};
use crate::harness::{Setup, wait_for};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Read;
use std::net::TcpListener;

#[test]
fn the_host_starts_without_it_and_goes_on_when_it_comes() {
    let Some(mut nats) = Nats::not_started() else { return };
    let config = format!("{THROUGH}[routes.keep]\nthrough = ['downcase']\nto = ['jetstream:orders.kept']\n");
    let host = start(&nats, &config);
    let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
    let line = wait_for("/readyz to name it", || host.readiness().into_iter().find(|line| line.contains("NATS at")));
    assert!(line.contains(&nats.url()) && line.contains("is away"), "{line}");
    // Others do not notice.
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    let answer = host.post("/keep/", b"A");
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text());
    // A flow waits.
    for number in 0..10 {
        sender.send_multipart(["eu", &number.to_string()], 0).unwrap();
    }
    nats.run();
    for number in 0..10 {
        assert_eq!(receiver.recv_multipart(0).unwrap(), [b"eu".to_vec(), number.to_string().into_bytes()]);
    }
    assert_eq!(host.post("/keep/", b"A").status, 200);
    wait_for("the host to be ready", || host.readiness().iter().all(|line| !line.contains("NATS")).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_was_not_acknowledged_when_it_went_is_stored_once_when_it_comes() {
    let Some(mut nats) = Nats::start() else { return };
    let host = start(&nats, THROUGH);
    let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
    nats.stored("orders", 0);
    let count = 3_000;
    let sending = std::thread::spawn(move || {
        for number in 0..count {
            sender.send_multipart(["eu", &number.to_string()], 0).unwrap();
        }
        sender
    });
    wait_for("some to be stored", || (nats.count("orders")? > 100).then_some(()));
    nats.kill();
    wait_for("the host to say so", || host.readiness().into_iter().find(|line| line.contains("is away")));
    nats.run();
    let _sender = sending.join().unwrap();
    // A message comes twice only if it was delivered twice.
    let (mut seen, mut received) = (vec![false; count], 0);
    while seen.iter().any(|seen| !seen) {
        let frames = receiver.recv_multipart(0).unwrap();
        let number: usize = std::str::from_utf8(&frames[1]).unwrap().parse().unwrap();
        received += usize::from(!std::mem::replace(&mut seen[number], true));
    }
    assert_eq!(received, count);
    let stored = nats.stored("orders", count as u64);
    let numbers: Vec<usize> =
        stored.iter().map(|(_, _, body)| std::str::from_utf8(body).unwrap().parse().unwrap()).collect();
    assert!(numbers.into_iter().collect::<BTreeSet<_>>().into_iter().eq(0..count), "each is stored once");
    host.wait_for_hop("jetstream:orders.{topic}", &json!({"in": count, "out": count, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

/// Something else listens there, and says nothing, or what is no NATS.
#[test]
fn a_server_that_is_no_nats_is_told_of_and_nothing_else() {
    for says in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO {\r\n", b"+OK\r\nMSG x 1 9999999999\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                std::thread::spawn(move || {
                    let _ = std::io::Write::write_all(&mut stream, says);
                    let _ = stream.read(&mut [0; 64]);
                });
            }
        });
        let config = format!("[nats]\nurl = 'nats://127.0.0.1:{port}'\n{THROUGH}");
        let host = Setup::new().config(&config).committed("downcase").start();
        wait_for("/readyz to name it", || host.readiness().into_iter().find(|line| line.contains("is away")));
        assert_eq!(host.get("/downcase/?param=A").status, 200);
        assert_eq!(host.stop(), 0);
    }
}
