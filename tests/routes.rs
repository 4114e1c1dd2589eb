//! Routes that are configured: chains of plugins, what they are told of a request, and what they may say in a response.

mod coding;
mod cors;

use crate::fixtures;
use crate::harness::{Client, Host, PATIENCE, Setup, wait_for};
use std::collections::BTreeMap;

/// A subscriber to everything whose subscription has reached the host, after a message by a route that passes its input on.
pub fn subscriber(host: &Host, route: &str) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::SUB).unwrap();
    socket.set_subscribe(b"").unwrap();
    socket.connect(host.surface("publish")).unwrap();
    socket.set_rcvtimeo(50).unwrap();
    wait_for("the subscription", || {
        assert_eq!(host.post(route, b"probe").status, 200);
        socket.recv_multipart(0).ok()
    });
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    assert_eq!(host.post(route, b"last").status, 200);
    while !socket.recv_bytes(0).unwrap().ends_with(b"last") {}
    socket
}

/// What came in at a hop, what went out, and what was dropped for a reason.
fn hop(host: &Host, name: &str, reason: &str) -> [Option<u64>; 3] {
    let hop = &host.ledger()["hops"][name];
    [hop["in"].as_u64(), hop["out"].as_u64(), hop["dropped"][reason].as_u64()]
}

#[test]
fn a_route_has_its_plugins_process_a_message_one_after_the_other() {
    let host = Setup::new()
        .committed("downcase")
        .committed("upcase")
        .plugin("plain", &fixtures::answering("", None))
        .config("[routes.intake]\nthrough = ['upcase', 'downcase']\n[routes.quiet]\nthrough = ['plain']\nto = []")
        .start();
    let socket = subscriber(&host, "/plain/");
    let answer = host.get("/intake/?param=HeLLo");
    let text = "lower case of upper case of HeLLo is HELLO is upper case of hello is hello";
    assert_eq!((answer.status, answer.text()), (200, text));
    assert_eq!(answer.header("tidegate-plugin"), "downcase");
    assert_eq!(answer.header("tidegate-through"), "upcase@1, downcase@1");
    assert_eq!(host.post("/quiet/", b"unheard").text(), "unheard");
    let own = host.get("/downcase/?param=A");
    assert_eq!((own.text(), own.header("tidegate-through")), ("lower case of A is a", ""));
    assert_eq!(socket.recv_multipart(0).unwrap(), [text.as_bytes()]);
    assert_eq!(socket.recv_multipart(0).unwrap(), [b"lower case of A is a"]);
    for name in ["routes.intake", "routes.intake.upcase", "routes.intake.downcase", "routes.quiet"] {
        assert_eq!(hop(&host, name, "")[..2], [Some(1), Some(1)], "{name}");
    }
    let index = host.get("/");
    assert!(index.text().contains("\n/intake/?param=TEXT\n/plain/?param=TEXT\n"), "{}", index.text());
    assert!(host.process.stdout().contains("/intake/\n"), "{}", host.process.stdout());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_message_that_a_plugin_of_a_chain_fails_at_is_kept_as_it_came_in() {
    let host = Setup::new()
        .committed("upcase")
        .plugin("trap", &fixtures::trapping())
        .config("[routes.intake]\nthrough = ['upcase', 'trap']")
        .start();
    let answer = host.post("/intake/", b"abc");
    assert_eq!((answer.status, answer.header("tidegate-through")), (502, "upcase@1, trap@1"));
    assert_eq!(hop(&host, "routes.intake", "trapped"), [Some(1), Some(0), Some(1)]);
    assert_eq!(hop(&host, "routes.intake.trap", "trapped"), [Some(1), Some(0), Some(1)]);
    let letters = wait_for("the letter", || {
        let letters = host.admin("/dead-letters").json()["letters"].as_array().cloned().unwrap_or_default();
        (!letters.is_empty()).then_some(letters)
    });
    let id = letters[0]["id"].as_str().unwrap().to_owned();
    let letter = &host.admin(&format!("/dead-letters/{id}")).json()[0];
    assert_eq!((&letter["route"], &letter["plugin"]), (&"intake".into(), &"trap".into()), "{letter}");
    assert_eq!((&letter["met"], &letter["message"]["body_base64"]), (&"upcase@1 → trap@1".into(), &"YWJj".into()));
    // It goes through the whole chain again, not only to where it failed.
    let replayed = host.admin_request("POST", &format!("/dead-letters/{id}/replay"), Some(b""));
    assert_eq!(replayed.status, 502, "{}", replayed.text());
    assert_eq!(hop(&host, "routes.intake.upcase", ""), [Some(2), Some(2), None]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_chain_multiplies_a_message_within_a_bound() {
    let host = Setup::new()
        .plugin("thirty", &fixtures::repeating(30))
        .plugin("forty", &fixtures::repeating(40))
        .config("[routes.some]\nthrough = ['thirty', 'thirty']\n[routes.many]\nthrough = ['thirty', 'forty']")
        .start();
    assert_eq!(host.post("/some/", b"x").text(), "x");
    assert_eq!(hop(&host, "routes.some.thirty", ""), [Some(31), Some(31), None]);
    let entered = host.ledger()["hops"]["publish"]["in"].clone();
    assert_eq!(entered, 900, "all of it is published");
    let answer = host.post("/many/", b"x");
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("messages, over the 1000 that a stage of a chain may return"), "{}", answer.text());
    assert_eq!(hop(&host, "routes.many", "over-output"), [Some(1), Some(0), Some(1)]);
    assert_eq!(host.ledger()["hops"]["publish"]["in"], 900, "nothing of it is");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_processor_is_told_of_the_request_what_the_route_lists() {
    let host = Setup::new()
        .plugin("plain", &fixtures::repeating(1))
        .plugin("tell", &fixtures::telling_pairs())
        .plugin("old", &fixtures::telling_pair(1))
        .config(
            "[routes.tell]\nheaders = ['x-sensor', 'cookie', 'x-forwarded-for']\n[routes.old]\nheaders = ['x-sensor']",
        )
        .start();
    let socket = subscriber(&host, "/plain/");
    let headers = [
        ("x-sensor", "7"),
        ("x-other", "8"),
        ("authorization", "Bearer secret"),
        ("x-forwarded-for", "10.0.0.1"),
        ("content-type", "a/b"),
    ];
    let answer = Client::new(&host).request_with("PATCH", "/tell/?a=b&param=c", &headers, Some(b"body")).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut told = BTreeMap::new();
    while told.len() < 8 {
        let frames = socket.recv_multipart(0).unwrap();
        let [key, value] = frames.map_to_text();
        told.insert(key, value);
    }
    assert_eq!(answer.text(), told["tidegate.request-id"], "the first message is the answer");
    let peer: std::net::SocketAddr = told["tidegate.peer"].parse().unwrap();
    assert!(peer.ip().is_loopback());
    told.retain(|key, _| !key.starts_with("tidegate."));
    let expected = [
        ("http.content-type", "a/b"),
        ("http.header.x-sensor", "7"),
        ("http.method", "PATCH"),
        ("http.path", "/tell/"),
        ("query.a", "b"),
        ("query.param", "c"),
    ];
    assert_eq!(told, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());

    // A transform of 0.1.0 is told what it always was: the second pair is of the query.
    let answer = Client::new(&host).request_with("POST", "/old/?a=b", &[("x-sensor", "7")], Some(b"")).unwrap();
    assert_eq!(answer.text(), "b");
    // Without a parameter the body of a GET is empty, where a route was configured for a processor.
    assert_eq!((host.get("/tell/").status, host.get("/plain/").status, host.get("/old/").status), (200, 400, 400));
    assert_eq!(host.stop(), 0);
}

/// The frames of a message as text.
trait Texts {
    fn map_to_text<const COUNT: usize>(self) -> [String; COUNT];
}

impl Texts for Vec<Vec<u8>> {
    fn map_to_text<const COUNT: usize>(self) -> [String; COUNT] {
        let texts: Vec<_> = self.into_iter().map(|frame| String::from_utf8(frame).unwrap()).collect();
        texts.try_into().unwrap()
    }
}

#[test]
fn a_processor_sets_the_status_and_the_headers_that_the_route_allows() {
    let saying = |pairs: &[(&str, &str)]| fixtures::saying(pairs);
    let host = Setup::new()
        .plugin("made", &saying(&[("http.status", "201"), ("content-type", "a/b"), ("http.header.x-kind", "new")]))
        .plugin("none", &saying(&[("http.status", "204")]))
        .plugin("wrong", &saying(&[("http.status", "99")]))
        .plugin("more", &saying(&[("http.header.x-other", "1")]))
        .plugin("same", &fixtures::repeating(1))
        .config("[routes.made]\nresponse_headers = ['x-kind']\n[routes.more]\nresponse_headers = ['x-kind']")
        .config("[routes.same]\nheaders = ['x-sensor']")
        .start();
    let answer = host.post("/made/", b"x");
    assert_eq!((answer.status, answer.text(), answer.header("content-type")), (201, "x", "a/b"));
    assert_eq!(answer.header("x-kind"), "new");
    let answer = host.post("/none/", b"x");
    assert_eq!((answer.status, answer.text(), answer.header("content-type")), (204, "", ""));
    for (path, said) in [
        ("/wrong/", "its http.status `99` is no number from 200 to 599"),
        ("/more/", "http.header.x-other is not allowed: list x-other in response_headers of [routes.more]"),
    ] {
        let answer = host.post(path, b"x");
        assert_eq!(answer.status, 502, "{path}");
        assert!(answer.text().contains("the host's log says why"), "{}", answer.text());
        host.process.wait_for_log(said);
    }
    assert_eq!(hop(&host, "routes.more", "bad-response"), [Some(1), Some(0), Some(1)]);
    // What comes back as it was told says nothing of the response.
    let answer = Client::new(&host).request_with("PUT", "/same/", &[("x-sensor", "7")], Some(b"y")).unwrap();
    assert_eq!((answer.status, answer.text(), answer.header("x-sensor")), (200, "y", ""));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_configured_route_takes_every_method_that_has_a_body() {
    let host = Setup::new().committed("downcase").committed("upcase").config("[routes.upcase]").start();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = host.request(method, "/upcase/", Some(b"a"));
        assert_eq!((answer.status, answer.text()), (200, "upper case of a is A"), "{method}");
    }
    assert_eq!(host.request("PUT", "/downcase/", Some(b"a")).header("allow"), "GET, HEAD, POST");
    let answer = host.request("OPTIONS", "/upcase/", None);
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD, POST, PUT, PATCH, DELETE"));
    assert_eq!(host.stop(), 0);
}
