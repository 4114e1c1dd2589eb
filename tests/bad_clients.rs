//! A client that is too slow, or asks for too much, is cut off or refused, and harms no other client.

use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Setup};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The interval between bytes, so short that a timeout that restarts with each byte would never expire.
const DRIP: Duration = Duration::from_millis(20);
const REQUEST: &[u8] = b"GET /downcase/?param=A HTTP/1.1\r\nhost: x\r\n\r\n";

fn host(http: &str) -> Host {
    Setup::new().committed("downcase").env("TIDEGATE_LOG", "debug").config(&format!("[http]\n{http}")).start()
}

fn connect(host: &Host) -> TcpStream {
    let stream = TcpStream::connect(host.surface("http").trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    stream
}

/// Sends bytes one at a time until the host closes the connection.
fn drip(stream: &mut TcpStream, bytes: impl Iterator<Item = u8>) {
    for byte in bytes {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        std::thread::sleep(DRIP);
    }
}

/// All bytes that arrive until the host closes or resets the connection.
#[track_caller]
fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => all,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => all,
        Err(error) => panic!("the connection is not ended: {error}"),
    }
}

/// Reads one answer on a connection that stays open.
#[track_caller]
fn read_answer(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    while !all.ends_with(b"lower case of A is a") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&all)));
        all.push(byte[0]);
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn a_head_has_to_come_in_time() {
    let host = host("head_timeout_ms = 500");
    let (mut silent, mut dripping, mut second) = (connect(&host), connect(&host), connect(&host));
    second.write_all(REQUEST).unwrap();
    read_answer(&mut second);
    for stream in [&mut dripping, &mut second] {
        let mut from = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            drip(&mut from, b"GET / HTTP/1.1\r\nx: ".iter().copied().chain(std::iter::repeat(b'x')))
        });
    }
    for stream in [&mut silent, &mut dripping, &mut second] {
        assert_eq!(read_to_end(stream), b"");
    }
    host.process.wait_for_line(&["connection cut off", "head-timeout"]);
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_idle_connection_is_ended_later_than_a_head_that_does_not_come() {
    let host = host("head_timeout_ms = 200\nidle_timeout_ms = 1500");
    let mut idle = connect(&host);
    idle.write_all(REQUEST).unwrap();
    read_answer(&mut idle);
    let mut silent = connect(&host);
    assert_eq!(read_to_end(&mut silent), b"");
    // This connection has been idle for longer than the head timeout too, and is served.
    idle.write_all(REQUEST).unwrap();
    read_answer(&mut idle);
    assert_eq!(read_to_end(&mut idle), b"");
    host.process.wait_for_line(&["connection cut off", "idle-timeout"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_body_has_to_come_in_time() {
    let host = host("body_timeout_ms = 500");
    for head in ["content-length: 100000", "transfer-encoding: chunked"] {
        let mut stream = connect(&host);
        stream.write_all(format!("POST /downcase/ HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n").as_bytes()).unwrap();
        let mut from = stream.try_clone().unwrap();
        std::thread::spawn(move || drip(&mut from, b"1\r\nx\r\n".iter().copied().cycle()));
        let answer = read_to_end(&mut stream);
        assert!(answer.starts_with(b"HTTP/1.1 408"), "{head}: {}", String::from_utf8_lossy(&answer));
    }
    // A client that sends half a body and then nothing is cut off as well.
    let mut stream = connect(&host);
    stream.write_all(b"POST /downcase/ HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
    assert!(read_to_end(&mut stream).starts_with(b"HTTP/1.1 408"));
    assert_eq!(host.stop(), 0);
}

/// A host whose route `/echo/` gives back what is posted, with room for more than a system buffers.
fn echoing(http: &str) -> Host {
    Setup::new()
        .plugin("echo", &fixtures::echoing(40 << 20))
        .committed("downcase")
        .env("TIDEGATE_LOG", "debug")
        .config(&format!(
            "[http]\nbody_bytes_max = 33554432\n{http}\n[plugins.echo.limits]\noutput_bytes_max = 67108864\ncall_deadline_ms = 60000"
        ))
        .with(&["--publish=none"])
        .start()
}

fn ask_for_much(host: &Host) -> TcpStream {
    let mut stream = connect(host);
    let body = vec![b'x'; 32 << 20];
    let head = format!("POST /echo/ HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    stream
}

#[test]
fn an_answer_has_to_be_taken() {
    let host = echoing("answer_timeout_ms = 1000");
    let mut stopped = ask_for_much(&host);
    host.process.wait_for_line(&["connection cut off", "answer-timeout"]);
    let mut slow = ask_for_much(&host);
    let mut read = 0;
    // A client that reads a byte now and then is slower than any real connection.
    while let Ok(1) = slow.read(&mut [0]) {
        read += 1;
        if host.process.stderr().matches("answer-timeout").count() > 1 {
            break;
        }
        std::thread::sleep(DRIP);
    }
    assert!(read < 32 << 20);
    assert!(read_to_end(&mut stopped).len() < 32 << 20);
    // A client that reads without a pause gets the whole answer.
    assert_eq!(host.post("/echo/", &vec![b'y'; 8 << 20]).body.len(), 8 << 20);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_too_long_is_refused() {
    let host = host("uri_bytes_max = 100\nhead_bytes_max = 8192");
    let fits = "x".repeat(100 - "/downcase/?param=".len());
    assert_eq!(host.get(&format!("/downcase/?param={fits}")).status, 200);
    let answer = host.get(&format!("/downcase/?param={fits}x"));
    assert_eq!((answer.status, answer.header("content-type")), (414, "application/problem+json"));
    assert!(answer.text().contains("uri_bytes_max 100"), "{}", answer.text());
    let mut stream = connect(&host);
    let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(9_000));
    let _ = stream.write_all(head.as_bytes());
    assert!(read_to_end(&mut stream).starts_with(b"HTTP/1.1 431"));
    assert_eq!(host.stop(), 0);
}

#[test]
fn as_many_requests_as_may_be_are_served_at_once() {
    let host = Setup::new()
        .committed("downcase")
        .plugin("wait", &fixtures::waiting())
        .config("[http]\nrequests_max = 2")
        .config("[plugins.wait.limits]\ncall_deadline_ms = 5000")
        .start();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..2).map(|_| scope.spawn(|| host.get("/wait/?param=x").status)).collect();
        crate::harness::wait_for("both calls", || (host.status("wait")["calls_in_flight"] == 2).then_some(()));
        let answer = host.get("/downcase/?param=A");
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text());
        assert!(answer.text().contains("requests_max 2"), "{}", answer.text());
        assert_ne!(answer.header("tidegate-request"), "");
        assert_eq!(calls.into_iter().map(|call| call.join().unwrap()).collect::<Vec<_>>(), [504, 504]);
    });
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_connection_that_ends_makes_room_for_the_next() {
    let host = host("connections_max = 2");
    let (first, second) = (Client::new(&host), Client::new(&host));
    assert_eq!(first.request("GET", "/downcase/?param=A", None).unwrap().status, 200);
    assert_eq!(second.request("GET", "/downcase/?param=A", None).unwrap().status, 200);
    let mut third = connect(&host);
    third.write_all(REQUEST).unwrap();
    third.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(third.read(&mut [0]).is_err(), "the third connection is served beside the two that may be");
    drop(first);
    third.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    read_answer(&mut third);
    assert_eq!(host.stop(), 0);
}
