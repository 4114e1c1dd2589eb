//! Who may follow events, what may be asked for, and how many may at a time.

use super::follower::{Follower, ask};
use super::{host, host_of, push_numbers};
use crate::client::Client;
use crate::harness::{Host, Setup, wait_for};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn status(host: &Host, path: &str, headers: &str) -> u16 {
    ask(host, path, headers).1.status
}

#[test]
fn the_token_may_stand_in_the_query_and_stands_in_no_log() {
    let setup = Setup::new().committed("downcase").env("TIDEGATE_LOG", "trace");
    std::fs::write(setup.path().join("public-token"), TOKEN).unwrap();
    let (mut host, socket) = host_of(setup, "[http]\ntoken_file = 'public-token'\n");
    assert_eq!(status(&host, "/events", ""), 401);
    assert_eq!(status(&host, "/events?token=0123456789abcdef0123456789abcdee", ""), 401);
    assert_eq!(status(&host, "/events?token=", ""), 401);
    // Elsewhere it is a part of the message.
    assert_eq!(status(&host, &format!("/downcase/?param=a&token={TOKEN}"), ""), 401);
    assert_eq!(status(&host, &format!("/events?token={TOKEN}&unknown=1"), ""), 400);
    assert_eq!(status(&host, &format!("/events?token={TOKEN}&topic=%zz"), ""), 400);
    let mut in_query = Follower::of(&host, &format!("/events?topic=a&token={TOKEN}"));
    let mut encoded = Follower::of(&host, &format!("/events?token=%30{}", &TOKEN[1..]));
    let mut in_header = Follower::with(&host, "/events", &format!("authorization: Bearer {TOKEN}\r\n"));
    push_numbers(&host, &socket, "a", 0..1);
    for follower in [&mut in_query, &mut encoded, &mut in_header] {
        assert_eq!(follower.event().data.unwrap(), "0");
    }
    drop((in_query, encoded, in_header));
    host.process.wait_for_log("/events");
    let (code, stderr) = host.stop_and_tell();
    assert_eq!(code, 0);
    for part in [TOKEN, &TOKEN[1..], &TOKEN[..31]] {
        assert!(!stderr.contains(part), "{}", stderr.lines().find(|line| line.contains(part)).unwrap());
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let (host, _socket) = host("topics_max = 2\n");
    let long = "x".repeat(1_025);
    for (path, expected, told) in [
        ("/events?tpoic=a", 400, "say topic=NAME"),
        ("/events?last_event_id=1&last_event_id=2", 400, "stands twice"),
        ("/events?topic=a&topic=b&topic=c", 400, "topics_max 2"),
        (&format!("/events?topic={long}"), 400, "1024 bytes"),
        ("/events?topic=%ff", 400, "UTF-8"),
        ("/events/", 404, "no plugin serves this path"),
        ("/events/a", 404, "no plugin serves this path"),
    ] {
        let answer = host.get(path);
        assert_eq!(answer.status, expected, "{path}");
        assert!(answer.text().contains(told), "{path}: {}", answer.text());
    }
    // The same topic twice is one.
    Follower::of(&host, "/events?topic=a&topic=b&topic=a");
    let answer = host.post("/events", b"x");
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
    let answer = host.request("HEAD", "/events", None);
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
    assert_eq!(host.stop(), 0);
}

#[test]
fn streams_have_a_bound_of_their_own_and_requests_keep_theirs() {
    let setup = Setup::new().committed("downcase");
    let (host, socket) = host_of(setup, "streams_max = 2\n[http]\nrequests_max = 1\n");
    let open = |host: &Host| {
        // The permit of the request is given back a moment after its answer begins.
        wait_for("room for a request", || (status(host, "/downcase/?param=a", "") == 200).then_some(()));
        Follower::of(host, "/events?topic=a")
    };
    let (mut first, second) = (open(&host), open(&host));
    wait_for("room for a request", || (status(&host, "/downcase/?param=a", "") == 200).then_some(()));
    let answer = host.get("/events");
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert!(answer.text().contains("events.streams_max 2"), "{}", answer.text());
    let metrics = host.admin("/metrics").text().to_owned();
    for line in ["tidegate_event_streams_open{} 2", "tidegate_event_streams_refused_total{} 1"] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    // Another gets the place of one that ends.
    drop(second);
    wait_for("a place", || (status(&host, "/events", "") == 200).then_some(()));
    push_numbers(&host, &socket, "a", 0..1);
    assert_eq!(first.event().data.unwrap(), "0");
    assert_eq!(host.stop(), 0);
}

#[test]
fn pages_of_other_origins_follow_only_where_they_are_listed() {
    let (host, _socket) = host("origins = ['https://app.example']\n");
    for (origin, allowed) in [("https://app.example", Some("https://app.example")), ("https://evil.example", None)] {
        let (_raw, head) = ask(&host, "/events", &format!("origin: {origin}\r\n"));
        assert_eq!((head.status, head.header("access-control-allow-origin")), (200, allowed), "{origin}");
        assert!(head.header("vary").is_some_and(|vary| vary.contains("origin")));
    }
    let asked = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "last-event-id"),
    ];
    let answer = Client::new(&host).request_with("OPTIONS", "/events", &asked, None).unwrap();
    assert_eq!((answer.status, answer.header("access-control-allow-headers")), (204, "last-event-id"));
    assert_eq!(host.stop(), 0);
}
