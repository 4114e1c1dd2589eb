//! Requests over HTTP/1.1 and HTTP/2: both are served, bounded and counted alike.

use super::{REQUEST, address, ask, connect, get, host, http2, pair, setup, write};
use crate::fixtures;
use crate::harness::{LONG_PATIENCE, wait_for};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn both_protocols_are_served() {
    let (host, certificate) = host("");
    let mut stream = connect(&host, &certificate);
    for _ in 0..2 {
        let answer = ask(&mut stream).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("tidegate-request: "), "{answer}");
    }
    let body = http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        // Several requests at once on one connection.
        let mut requests = requests.ready().await.unwrap();
        let answers: Vec<_> =
            (0..3).map(|_| requests.send_request(get("/downcase/?param=A"), true).unwrap().0).collect();
        let mut bodies = String::new();
        for answer in answers {
            let answer = answer.await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.headers().contains_key("tidegate-request")), (200, true));
            bodies += std::str::from_utf8(&answer.into_body().data().await.unwrap().unwrap()).unwrap();
        }
        bodies
    });
    assert_eq!(body, "lower case of A is a".repeat(3));
    // A request without TLS is not served.
    let mut plain = TcpStream::connect(address(&host)).unwrap();
    plain.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    plain.write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    host.process.wait_for_log("TLS handshake failed");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_request_that_is_given_up_on_http_2_is_counted() {
    let setup =
        setup("").plugin("wait", &fixtures::waiting()).config("[plugins.wait.limits]\ncall_deadline_ms = 60000");
    let certificate = write(setup.path(), &pair());
    let host = setup.start();
    let in_flight = || host.status("wait")["calls_in_flight"].as_u64().unwrap();
    http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        let mut requests = requests.ready().await.unwrap();
        // First the stream is reset, then the connection is closed.
        for reset in [true, false] {
            let mut answer = requests.send_request(get("/wait/?param=x"), true).unwrap().0;
            while in_flight() == 0 {
                let _ = tokio::time::timeout(Duration::from_millis(5), &mut answer).await;
            }
            if reset {
                drop(answer);
                while in_flight() == 1 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    });
    wait_for("the end of the call", || (in_flight() == 0).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_answer_before_the_body_is_read_on_both_protocols() {
    let (host, certificate) = host("headers_max = 50");
    let body = vec![b'x'; 900_000];
    let mut stream = connect(&host, &certificate);
    write!(stream, "POST /nowhere/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(&body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&answer));

    http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        let mut requests = requests.ready().await.unwrap();
        for _ in 0..3 {
            let post = warp::http::Request::post("https://localhost/nowhere/").body(()).unwrap();
            let (answer, mut sending) = requests.send_request(post, false).unwrap();
            let _ = sending.send_data(body.clone().into(), true);
            assert_eq!(answer.await.unwrap().status().as_u16(), 404);
        }
        // Header fields have the same bounds as over HTTP/1.1, and `host` must not differ from the authority.
        let mut many = get("/");
        (0..51).for_each(|_| _ = many.headers_mut().append("x", "y".parse().unwrap()));
        let mut other = get("/");
        other.headers_mut().insert("host", "example.org".parse().unwrap());
        for (request, status) in [(many, 431), (other, 400), (get("/"), 200)] {
            let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
            assert_eq!(answer.status().as_u16(), status);
        }
    });
    assert_eq!(host.stop(), 0);
}
