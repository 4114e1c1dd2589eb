//! How a connection ends: by a timeout, after its client shuts down its sending side, or with the host.

use super::{address, ask, connect, get, host, http2, pair, setup, write};
use crate::fixtures;
use crate::harness::{LONG_PATIENCE, wait_for};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

#[test]
fn a_handshake_has_to_come_in_time() {
    let (host, certificate) = host("handshake_timeout_ms = 300");
    let mut silent = TcpStream::connect(address(&host)).unwrap();
    silent.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    host.process.wait_for_line(&["connection cut off", "handshake-timeout"]);
    ask(&mut connect(&host, &certificate)).unwrap();
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_idle_connection_is_ended() {
    let (host, certificate) = host("idle_timeout_ms = 400\nhead_timeout_ms = 400");
    let mut stream = connect(&host, &certificate);
    ask(&mut stream).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        let mut requests = requests.ready().await.unwrap();
        let answer = requests.send_request(get("/downcase/?param=A"), true).unwrap().0.await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        drop(answer);
        // The host sends GOAWAY without an error, so that the client may reconnect.
        let ended = tokio::time::timeout(LONG_PATIENCE, async {
            while let Ok(ready) = requests.ready().await {
                requests = ready;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        ended.await.expect("the connection ends");
    });
    wait_for("both lines", || (host.process.stderr().matches("idle-timeout").count() == 2).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_answer_has_to_be_taken_on_http_2_too() {
    let setup = setup("answer_timeout_ms = 500\nhead_timeout_ms = 60000").plugin("echo", &fixtures::echoing(4 << 20));
    let certificate = write(setup.path(), &pair());
    let host = setup.start();
    // A client with a window of zero reads from its socket, but never receives the answer.
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    http2(&host, &certificate, &builder, async |requests| {
        let mut requests = requests.ready().await.unwrap();
        let post = warp::http::Request::post("https://localhost/echo/").body(()).unwrap();
        let (answer, mut body) = requests.send_request(post, false).unwrap();
        body.send_data(vec![b'x'; 512 << 10].into(), true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let ended = tokio::time::timeout(LONG_PATIENCE, answer.into_body().data()).await.expect("the connection ends");
        assert!(ended.is_none_or(|data| data.is_err()));
    });
    host.process.wait_for_line(&["connection cut off", "answer-timeout"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn who_shuts_its_side_down_is_answered_with_or_without_a_farewell() {
    let setup = setup("").plugin("wait", &fixtures::waiting()).config("[plugins.wait.limits]\ncall_deadline_ms = 300");
    let certificate = write(setup.path(), &pair());
    let host = setup.start();
    for (path, status) in [("/downcase/?param=A", 200), ("/wait/?param=x", 504)] {
        for farewell in [true, false] {
            let mut stream = connect(&host, &certificate);
            write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            stream.flush().unwrap();
            if farewell {
                stream.conn.send_close_notify();
                while stream.conn.wants_write() {
                    stream.conn.write_tls(&mut stream.sock).unwrap();
                }
            }
            stream.sock.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}, {farewell}: {answer}");
        }
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_has_no_request_does_not_hold_up_the_end() {
    let (host, certificate) = host("");
    let half = TcpStream::connect(address(&host)).unwrap();
    let mut idle = connect(&host, &certificate);
    ask(&mut idle).unwrap();
    let mut unfinished = connect(&host, &certificate);
    unfinished.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    unfinished.flush().unwrap();
    let started = http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        let mut requests = requests.ready().await.unwrap();
        assert_eq!(requests.send_request(get("/"), true).unwrap().0.await.unwrap().status().as_u16(), 200);
        let started = Instant::now();
        // After this the client's runtime is dropped, which sends neither GOAWAY nor close_notify.
        host.process.signal("TERM");
        started
    });
    let mut host = host;
    assert_eq!(host.wait(), 0);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop((half, idle, unfinished));
}
