//! Servers that mean harm: what they say is a short line, they keep the host from nobody else, and however often they send it
//! away it says so a few times.

use super::THROUGH;
use crate::harness::{LONG_PATIENCE, Setup, wait_for, wait_up_to};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

const INFO: &[u8] =
    b"INFO {\"server_id\":\"x\",\"version\":\"2.9.10\",\"proto\":1,\"host\":\"h\",\"port\":1,\"headers\":true,\
                      \"max_payload\":1048576}\r\n";

/// A server that begins with the first bytes, and says the others once the host has said who it is. Returns its port, and
/// when each connection came.
fn server(first: &'static [u8], then: Vec<u8>) -> (u16, Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, times) = channel();
    let serve = move |mut stream: TcpStream| {
        stream.write_all(first)?;
        BufReader::new(stream.try_clone()?).read_line(&mut String::new())?;
        stream.write_all(&then)
    };
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            if sender.send(Instant::now()).is_err() {
                return;
            }
            let _ = serve(stream);
        }
    });
    (port, times)
}

fn config(port: u16) -> String {
    format!("[nats]\nurl = 'nats://127.0.0.1:{port}'\n[streams.orders]\nsubjects = ['orders.>']\n{THROUGH}")
}

#[test]
fn what_a_server_says_is_a_short_line_wherever_it_is_shown() {
    let long = "\u{1b}[31m\nWARN not ours é".repeat(20_000);
    let refusal = format!("-ERR '{long}'\r\n").into_bytes();
    // In the place of an answer; in a connection that was made; in the place of the first word.
    let later = [b"PONG\r\n", &refusal[..]].concat();
    let first: &'static [u8] = refusal.clone().leak();
    for (first, then, is_shown) in [(INFO, refusal, true), (INFO, later, false), (first, Vec::new(), true)] {
        let (port, times) = server(first, then);
        let mut host = Setup::new().config(&config(port)).start();
        for _ in 0..5 {
            times.recv_timeout(LONG_PATIENCE).unwrap();
        }
        if is_shown {
            let is_away = |line: &String| line.contains("is away") && line.contains("not ours");
            wait_for("/readyz to say so", || host.readiness().into_iter().find(is_away));
        }
        let answer = host.admin("/readyz");
        assert!(answer.text().lines().all(|line| line.len() < 700), "{}", answer.text());
        let (code, log) = host.stop_and_tell();
        assert_eq!(code, 0);
        assert!(log.lines().all(|line| line.len() < 1_500 && !line.starts_with("WARN not ours")), "{log}");
        assert!(!log.contains("\u{1b}[31m"), "{log}");
    }
}

/// A server that takes the host and closes the connection at once is asked less and less often.
#[test]
fn a_server_that_takes_the_host_and_sends_it_away_does_not_keep_it_busy() {
    let (port, times) = server(INFO, b"PONG\r\n".to_vec());
    let mut host = Setup::new().config(&config(port)).start();
    let times: Vec<_> = (0..7).map(|_| times.recv_timeout(LONG_PATIENCE).unwrap()).collect();
    // Each pause is at least a half of twice the one before.
    let last = times[6].duration_since(times[5]);
    assert!(last.as_millis() >= 1_500, "{last:?}");
    let (code, log) = host.stop_and_tell();
    assert_eq!(code, 0);
    for words in ["connected to NATS", "the connection to NATS has ended", "is away"] {
        let count = log.lines().filter(|line| line.contains(words)).count();
        assert!(count <= 10, "{count} lines say {words}: {log}");
    }
}

/// A server that tells of a thousand others, which nobody is, does not keep the host from its own.
#[test]
fn a_server_that_tells_of_many_others_does_not_lead_the_host_away() {
    let others: Vec<_> = (0..1_000).map(|number| format!("127.1.{}.{}:1", number / 250, number % 250)).collect();
    let info = String::from_utf8(INFO.to_vec()).unwrap();
    let info = info.replace("\"headers\"", &format!("\"connect_urls\":{others:?},\"headers\""));
    let (port, times) = server(info.into_bytes().leak(), Vec::new());
    let host = Setup::new().config(&config(port)).start();
    for _ in 0..6 {
        times.recv_timeout(LONG_PATIENCE).unwrap();
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_name_that_is_none_is_told_of() {
    let named = config(4222).replace("nats://127.0.0.1", "nats://nowhere.invalid");
    let host = Setup::new().config(&named).start();
    wait_up_to(LONG_PATIENCE, "/readyz to say so", || {
        host.readiness().into_iter().find(|line| line.contains("is away: a name in nats.url has no address"))
    });
    assert_eq!(host.stop(), 0);
}
