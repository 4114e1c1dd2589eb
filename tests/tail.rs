//! The live tail: whoever watches sees what goes by, as much of it as is to be seen and no more, and holds up nobody.

use crate::fixtures;
use crate::flows::unconnected;
use crate::harness::{Host, LONG_PATIENCE, PATIENCE, Setup, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

/// A tail that is read.
struct Tail(BufReader<TcpStream>);

impl Tail {
    /// Opens it, and has it begin.
    #[track_caller]
    fn open(host: &Host, query: &str) -> (Self, Value) {
        let mut stream = TcpStream::connect(host.surface("admin").split_once("://").unwrap().1).unwrap();
        stream.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
        write!(stream, "GET /tail?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut tail = Self(BufReader::new(stream));
        let (name, open) = tail.next().expect("it begins");
        assert_eq!(name, "open", "{open}");
        (tail, open)
    }

    /// The next event; none at the end.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).expect("something comes in time") == 0 {
                return None;
            }
            if let Some(found) = line.strip_prefix("event: ") {
                name = found.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            } else if line.trim() == "0" {
                return None;
            }
        }
    }

    /// The next message, of which `skipped` are told between.
    #[track_caller]
    fn message(&mut self) -> Value {
        loop {
            let (name, data) = self.next().expect("a message");
            if name == "message" {
                return data;
            }
        }
    }
}

fn refused(host: &Host, query: &str, status: u16, detail: &str) {
    let answer = host.admin(&format!("/tail?{query}"));
    assert_eq!(answer.status, status, "{query}: {}", answer.text());
    assert!(answer.json()["detail"].as_str().unwrap().contains(detail), "{query}: {}", answer.text());
}

#[test]
fn a_request_is_seen_on_its_way_and_its_body_is_not() {
    let host = Setup::new().committed("downcase").plugin("typed", &fixtures::answering("weather", None)).start();
    let (mut tail, open) = Tail::open(&host, "");
    assert_eq!(open, json!({"shows": "heads", "rate": 20}));
    let (mut typed, _) = Tail::open(&host, "route=typed&topic=wea");
    let (mut probe, _) = Tail::open(&host, "text=SECRET");
    let answer = host.get("/downcase/?param=SECRET&other=SECRET");
    assert_eq!(host.get("/typed/?param=x").status, 200);
    let (went_in, came_out) = (tail.message(), tail.message());
    let at = json!({"kind": "route", "name": "downcase"});
    assert_eq!((&went_in["point"], &went_in["at"], &went_in["bytes"]), (&json!("in"), &at, &json!(6)), "{went_in}");
    assert_eq!(went_in["id"], answer.header("tidegate-request"));
    assert_eq!((&came_out["point"], &came_out["at"]), (&json!("out"), &at), "{came_out}");
    assert_eq!((&came_out["to"], &came_out["sizes"]), (&json!(["publish"]), &json!([answer.text().len()])));
    for seen in [&went_in, &came_out] {
        assert!(
            seen.get("contents").is_none() && seen.get("metadata").is_none() && seen.get("topic").is_none(),
            "{seen}"
        );
        assert!(!seen.to_string().to_lowercase().contains("secret"), "{seen}");
    }
    let seen = typed.message();
    assert_eq!((&seen["topic"], &seen["frames"]), (&json!({"text": "weather"}), &json!(2)), "{seen}");
    assert_eq!(host.stop(), 0);
    // To the end, nothing was found by the text of a body, and nothing skipped either.
    assert_eq!(probe.next(), None);
}

#[test]
fn bodies_are_seen_where_they_are_to_be() {
    let host = Setup::new().committed("downcase").config("[admin]\ntail = 'bodies'").start();
    let (mut tail, open) = Tail::open(&host, "text=HeLLo");
    assert_eq!(open["shows"], "bodies");
    host.get("/downcase/?param=another");
    host.post("/downcase/", b"HeLLo\xff");
    host.get("/downcase/?param=HeLLo");
    let seen = tail.message();
    assert_eq!(seen["contents"], json!([{"base64": "SGVMTG//"}]), "{seen}");
    let seen = tail.message();
    assert_eq!((&seen["point"], &seen["contents"]), (&json!("in"), &json!([{"text": "HeLLo"}])), "{seen}");
    assert!(seen["metadata"].as_array().unwrap().iter().any(|pair| pair[0] == "http.method"), "{seen}");
    assert_eq!(tail.message()["point"], "out");
    assert_eq!(host.stop(), 0);
}

#[test]
fn messages_of_a_flow_and_requests_of_the_frontend_are_seen_and_their_end_ends_the_tail() {
    let sockets = "[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n\
                   [flows.clean]\nfrom = ['in']\nthrough = ['downcase']\nto = ['publish']\n";
    let host = Setup::new().committed("downcase").plugin("answers", &fixtures::replying(1, 0)).config(sockets).start();
    let (mut flow, _) = Tail::open(&host, "flow=clean");
    let (mut policy, _) = Tail::open(&host, "policy=answers");
    let push = unconnected(zmq::PUSH);
    push.connect(host.surface("in")).unwrap();
    push.send_multipart(["EUR", "Body"], 0).unwrap();
    let (went_in, came_out) = (flow.message(), flow.message());
    assert_eq!((&went_in["from"], &went_in["topic"]), (&json!("in"), &json!({"text": "EUR"})), "{went_in}");
    assert_eq!((&came_out["to"], &came_out["point"]), (&json!(["publish"]), &json!("out")), "{came_out}");
    let dealer = unconnected(zmq::DEALER);
    dealer.set_identity(b"client\xff").unwrap();
    dealer.connect(host.surface("frontend")).unwrap();
    dealer.send("question", 0).unwrap();
    dealer.recv_bytes(0).expect("a reply");
    let (request, reply) = (policy.message(), policy.message());
    assert_eq!((&request["point"], &reply["point"]), (&json!("request"), &json!("reply")), "{request} {reply}");
    assert_eq!((&request["identity"]["base64"], &request["id"]), (&reply["identity"]["base64"], &reply["id"]));
    assert_eq!((&request["frames"], &request["sizes"]), (&json!(1), &json!([8])), "{request}");
    let began = Instant::now();
    assert_eq!(host.stop(), 0);
    assert!(began.elapsed() < PATIENCE, "who watches does not hold up the end of the host");
    assert_eq!(std::iter::from_fn(|| flow.next()).filter(|(name, _)| name == "message").count(), 0);
}

#[test]
fn more_than_is_shown_is_counted_and_told() {
    let host = Setup::new().committed("downcase").start();
    let (mut tail, _) = Tail::open(&host, "rate=2&route=downcase");
    let client = crate::harness::Client::new(&host);
    const REQUESTS: u64 = 50;
    for _ in 0..REQUESTS {
        assert_eq!(client.request("GET", "/downcase/?param=x", None).unwrap().status, 200);
    }
    let (mut shown, mut skipped) = (0, 0);
    while shown + skipped < 2 * REQUESTS {
        match tail.next().expect("they are told of") {
            (name, _) if name == "message" => shown += 1,
            (_, data) => skipped += data["skipped"].as_u64().unwrap(),
        }
    }
    assert!(shown >= 2 && skipped > 0, "{shown} {skipped}");
    assert_eq!((shown + skipped, host.stop()), (2 * REQUESTS, 0));
}

#[test]
fn a_tail_that_nobody_reads_holds_up_nobody() {
    let host = Setup::new().committed("downcase").config("[admin]\ntail = 'bodies'").start();
    let (_tail, _) = Tail::open(&host, "rate=1000");
    let (client, body) = (crate::harness::Client::new(&host), vec![b'x'; 64 << 10]);
    let began = Instant::now();
    for _ in 0..300 {
        assert_eq!(client.request("POST", "/downcase/", Some(&body)).unwrap().status, 200);
    }
    assert!(began.elapsed() < LONG_PATIENCE);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_no_tail_can_be_of_is_told() {
    let host = Setup::new().committed("downcase").start();
    refused(&host, "flow=nobody", 404, "no flow is named nobody");
    refused(&host, "route=nobody", 404, "no route is named nobody");
    refused(&host, "rate=0", 400, "no number from 1 to 1000");
    refused(&host, "bodies=true", 400, "bodies is not taken");
    assert_eq!(host.admin_request("POST", "/tail", Some(b"")).status, 405);
    let tails: Vec<_> = (0..8).map(|_| Tail::open(&host, "")).collect();
    refused(&host, "", 503, "8 live tails are open already");
    drop(tails);
    // The host notices that they have gone when it has something to send.
    wait_for("room for another", || {
        host.get("/downcase/?param=x");
        let stream = TcpStream::connect(host.surface("admin").split_once("://").unwrap().1).unwrap();
        let mut tail = BufReader::new(stream);
        write!(tail.get_mut(), "GET /tail HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut line = String::new();
        tail.read_line(&mut line).unwrap();
        line.contains(" 200 ").then_some(())
    });
    assert_eq!(host.stop(), 0);

    let host = Setup::new().committed("downcase").config("[admin]\ntail = 'off'").start();
    refused(&host, "", 404, "set admin.tail to heads or bodies");
    assert_eq!(host.stop(), 0);
}
