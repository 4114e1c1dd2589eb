//! Traces: what comes in is a tree of spans at the collector that is configured, as far as it takes them.

mod collector;
mod losses;

use crate::fixtures;
use crate::harness::{Answer, Client, EMPTY_REQUEST, Host, PATIENCE, Setup, root, wait_for};
use crate::raw_http::Raw;
use collector::{Answering, Collector, Told, hexadecimal, named};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_RECORDED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Without a pause or a rollback, since tests fail on purpose. What a host has to tell it tells every second, and at its end:
/// a test that has asked all it wants to ask ends the host.
fn setup(collector: &Collector, config: &str) -> Setup {
    let endpoint = &collector.endpoint;
    Setup::new().config(&format!("[rollback]\nfailures = 0\n[otel]\nendpoint = '{endpoint}'\n{config}"))
}

fn ask(host: &Host, path: &str, traceparent: &str) -> Answer {
    Client::new(host).request_with("GET", path, &[("traceparent", traceparent)], None).unwrap()
}

#[track_caller]
fn assert_parent(child: &Span, parent: &Span) {
    let ids = |span: &Span| (hexadecimal(&span.trace_id), hexadecimal(&span.span_id));
    assert_eq!((hexadecimal(&child.trace_id), hexadecimal(&child.parent_span_id)), ids(parent), "{child:#?}");
    assert!(child.start_time_unix_nano >= parent.start_time_unix_nano, "{child:#?} begins before {parent:#?}");
}

#[test]
fn a_request_its_call_and_its_message_are_below_the_callers_span() {
    let collector = Collector::start(Answering::Well);
    let host = setup(&collector, "").committed("downcase").start();
    let answer = ask(&host, "/downcase/?param=SECRET", TRACEPARENT);
    assert_eq!(host.stop(), 0);
    let spans = collector.wait_for_spans(3);

    let request = named(&spans, "GET /downcase/");
    assert_eq!((hexadecimal(&request.trace_id).as_str(), request.kind()), (TRACE, SpanKind::Server));
    assert_eq!(hexadecimal(&request.parent_span_id), CALLER);
    request.assert_tells(&[
        ("http.request.method", "GET"),
        ("http.route", "/downcase/"),
        ("http.response.status_code", "200"),
        ("url.path", "/downcase/"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("network.peer.address", "127.0.0.1"),
        ("tidegate.request.id", answer.header("tidegate-request")),
        ("error.type", ""),
    ]);
    let call = named(&spans, "processor downcase");
    assert_parent(call, request);
    assert_eq!(call.kind(), SpanKind::Internal);
    call.assert_tells(&[
        ("tidegate.plugin.name", "downcase"),
        ("tidegate.plugin.role", "processor"),
        ("tidegate.plugin.generation", "1"),
        ("tidegate.plugin.digest", answer.header("tidegate-digest")),
        ("tidegate.request.id", answer.header("tidegate-request")),
    ]);
    let message = named(&spans, "publish");
    assert_parent(message, request);
    assert_eq!(message.kind(), SpanKind::Producer);
    message.assert_tells(&[
        ("messaging.system", "zeromq"),
        ("messaging.operation.name", "publish"),
        ("messaging.operation.type", "send"),
        ("messaging.message.body.size", &answer.body.len().to_string()),
        ("error.type", "no-subscriber"),
    ]);
    assert!(spans.iter().all(|span| !span.has_failed() && !format!("{span:?}").contains("SECRET")), "{spans:#?}");
    assert!(spans.iter().all(|span| span.end_time_unix_nano >= span.start_time_unix_nano), "{spans:#?}");
    assert_eq!(collector.resource("service.name").as_deref(), Some("tidegate"));
    assert_eq!(collector.resource("service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_message_is_published_under_its_topic() {
    let collector = Collector::start(Answering::Well);
    let setup = setup(&collector, "").plugin("x", &fixtures::answering("some topic", None));
    let host = setup.env("OTEL_SERVICE_NAME", "press").env("OTEL_RESOURCE_ATTRIBUTES", "hall=7").start();
    let socket = zmq::Context::new().socket(zmq::SUB).unwrap();
    socket.set_subscribe(b"").unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.connect(host.surface("publish")).unwrap();
    wait_for("the subscription", || {
        (host.get("/x/?param=A").status == 200 && socket.poll(zmq::POLLIN, 0).unwrap() > 0).then_some(())
    });
    let published = wait_for("a message that went out", || {
        let spans = collector.spans().into_iter().filter(|span| span.name == "publish");
        Some(spans.collect::<Vec<_>>()).filter(|spans| spans.iter().any(|span| span.told("error.type").is_empty()))
    });
    published.iter().for_each(|span| span.assert_tells(&[("messaging.destination.name", "some topic")]));
    assert_eq!(collector.resource("service.name").as_deref(), Some("press"));
    assert_eq!(collector.resource("hall").as_deref(), Some("7"));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_failure_is_told_where_it_is_one() {
    let collector = Collector::start(Answering::Well);
    let host = setup(&collector, "")
        .plugin("trap", &fixtures::trapping())
        .plugin("reject", &fixtures::erring(false, "not like this"))
        .start();
    for (path, status) in [("/trap/?param=A", 502), ("/reject/?param=A", 422), ("/nobody/", 404)] {
        assert_eq!(host.get(path).status, status, "{path}");
    }
    let odd = host.request("BREW", "/trap/", None);
    assert_eq!(odd.status, 405);
    assert_eq!(host.stop(), 0);
    let spans = collector.wait_for_spans(6);

    let request = named(&spans, "GET /trap/");
    assert!(request.has_failed() && request.parent_span_id.is_empty(), "{request:#?}");
    request.assert_tells(&[("http.response.status_code", "502"), ("error.type", "502")]);
    let call = named(&spans, "transform trap");
    assert!(call.has_failed() && call.status.as_ref().unwrap().message.contains("unreachable"), "{call:#?}");
    call.assert_tells(&[("error.type", "trapped"), ("tidegate.plugin.generation", "1")]);
    assert_parent(call, request);

    let (request, call) = (named(&spans, "GET /reject/"), named(&spans, "transform reject"));
    assert!(!request.has_failed() && !call.has_failed(), "it is the caller's to mend: {request:#?} {call:#?}");
    request.assert_tells(&[("http.response.status_code", "422"), ("error.type", "")]);
    call.assert_tells(&[("error.type", "rejected")]);

    named(&spans, "GET").assert_tells(&[("http.route", ""), ("url.path", "/nobody/")]);
    named(&spans, "HTTP /trap/")
        .assert_tells(&[("http.request.method", "_OTHER"), ("http.request.method_original", "BREW")]);
}

#[test]
fn a_brokers_request_its_call_and_its_replies_are_one_trace() {
    let collector = Collector::start(Answering::Well);
    let host = setup(&collector, "").plugin("two", &fixtures::replying(2, 200)).start();
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket.send_multipart(EMPTY_REQUEST, 0).unwrap();
    for _ in 0..2 {
        socket.recv_multipart(0).unwrap();
    }
    assert_eq!(host.stop(), 0);
    let spans = collector.wait_for_spans(4);
    let request = named(&spans, "process frontend");
    assert_eq!((request.kind(), request.parent_span_id.len()), (SpanKind::Consumer, 0));
    request.assert_tells(&[("messaging.system", "zeromq"), ("messaging.destination.name", "frontend")]);
    let call = named(&spans, "reply-policy two");
    assert_parent(call, request);
    call.assert_tells(&[("tidegate.plugin.name", "two"), ("tidegate.plugin.generation", "1")]);
    let replies: Vec<_> = spans.iter().filter(|span| span.name == "reply frontend").collect();
    assert_eq!(replies.len(), 2, "{spans:#?}");
    for (reply, waited_ms) in replies.into_iter().zip([200, 400]) {
        assert_parent(reply, request);
        assert_eq!(reply.kind(), SpanKind::Producer);
        // It ends when it is sent. Its delay is measured by another clock than its span.
        let until_sent_ms = (reply.end_time_unix_nano - request.start_time_unix_nano) / 1_000_000;
        assert!(until_sent_ms >= waited_ms - 10, "{reply:#?}");
    }
    assert!(spans.iter().all(|span| !span.has_failed()), "{spans:#?}");
}

#[test]
fn a_brokers_request_that_fails_has_failed() {
    let collector = Collector::start(Answering::Well);
    let host = setup(&collector, "").plugin("none", &fixtures::replying_without_frames()).start();
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket.send("x", 0).unwrap();
    let spans = collector.wait_for_spans(2);
    for name in ["process frontend", "reply-policy none"] {
        assert!(named(&spans, name).has_failed());
        named(&spans, name).assert_tells(&[("error.type", "no-frames")]);
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_answer_that_breaks_off_has_failed() {
    let collector = Collector::start(Answering::Well);
    let handler = std::fs::read(root().join("tests/fixtures/handler.wasm")).unwrap();
    let host = setup(&collector, "").plugin("h", &handler).start();
    let mut raw = Raw::connect(&host, "http");
    raw.send("GET /h/late-trap HTTP/1.1\r\nhost: x\r\n\r\n");
    raw.rest();
    assert_eq!(host.stop(), 0);
    let spans = collector.wait_for_spans(2);
    let (request, call) = (named(&spans, "GET /h/*"), named(&spans, "http-handler h"));
    assert!(request.has_failed() && call.has_failed(), "{spans:#?}");
    request.assert_tells(&[("http.response.status_code", "200"), ("error.type", "answer-cut-short")]);
    call.assert_tells(&[("error.type", "trapped"), ("tidegate.plugin.role", "http-handler")]);
}

#[test]
fn what_a_client_gives_up_is_told() {
    let collector = Collector::start(Answering::Well);
    let config = "[plugins.wait.limits]\ncall_deadline_ms = 60000";
    let host = setup(&collector, config).plugin("wait", &fixtures::waiting()).start();
    let mut raw = Raw::connect(&host, "http");
    // A client that closes with unread data resets the connection.
    raw.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    raw.0.peek(&mut [0]).unwrap();
    raw.send("GET /wait/?param=x HTTP/1.1\r\nhost: x\r\n\r\n");
    wait_for("the call", || (host.status("wait")["calls_in_flight"] == 1).then_some(()));
    drop(raw);
    let spans = collector.wait_for_spans(3);
    for name in ["GET", "transform wait"] {
        assert!(named(&spans, name).has_failed(), "{spans:#?}");
        named(&spans, name).assert_tells(&[("error.type", "client-gone")]);
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_plugin_is_told_of_the_span_of_its_call() {
    let collector = Collector::start(Answering::Well);
    let handler = std::fs::read(root().join("tests/fixtures/handler.wasm")).unwrap();
    let host = setup(&collector, "").plugin("second", &fixtures::telling_pair(1)).plugin("h", &handler).start();
    // One of the caller's, and one that begins here.
    let answers = [TRACEPARENT, ""].map(|traceparent| ask(&host, "/second/?param=x", traceparent));
    let answer = ask(&host, "/h/echo", TRACEPARENT);
    assert_eq!(host.stop(), 0);
    let spans = collector.wait_for_spans(8);
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "transform second").map(Told::traceparent).collect();
    assert_eq!(calls, answers.each_ref().map(Answer::text));
    assert!(answer.text().contains(&named(&spans, "http-handler h").traceparent()), "{}", answer.text());
    named(&spans, "GET /h/*").assert_tells(&[("url.path", "/h/echo")]);
}

#[test]
fn whether_a_trace_is_recorded_is_decided_where_it_begins() {
    let collector = Collector::start(Answering::Well);
    let host = setup(&collector, "sample_ratio = 0").plugin("second", &fixtures::telling_pair(1)).start();
    host.get("/second/?param=here&a=b");
    let answer = ask(&host, "/second/?param=x", NOT_RECORDED);
    assert_eq!(answer.text(), NOT_RECORDED, "it is handed on as it came");
    ask(&host, "/second/?param=x", TRACEPARENT);
    let hop = host.ledger()["hops"]["traces"].take();
    assert_eq!(host.stop(), 0);
    let spans = collector.wait_for_spans(3);
    assert!(spans.iter().all(|span| hexadecimal(&span.trace_id) == TRACE), "{spans:#?}");
    assert!(hop["in"].as_u64().unwrap() <= 3, "{hop}");

    let host = setup(&collector, "sample_ratio = 0.5").plugin("second", &fixtures::telling_pair(1)).start();
    collector.forget();
    for _ in 0..200 {
        host.get("/second/?param=x&a=b");
    }
    assert_eq!(host.stop(), 0);
    let requests = collector.spans().iter().filter(|span| span.name == "GET /second/").count();
    // Six standard deviations.
    assert!((58..=142).contains(&requests), "{requests} of 200");
    assert_eq!(collector.spans().len(), 3 * requests);
}

#[test]
fn without_a_collector_there_is_nothing_of_it() {
    let host = Setup::new().plugin("second", &fixtures::telling_pair(1)).start();
    assert_eq!(ask(&host, "/second/?param=x", TRACEPARENT).text(), TRACEPARENT);
    assert!(host.ledger()["hops"].get("traces").is_none());
    assert!(!host.admin("/metrics").text().contains("traces"));
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_no_collector_is_said_at_the_start() {
    for flag in ["--otel-endpoint=127.0.0.1:4318", "--otel-endpoint=grpc://127.0.0.1:4317"] {
        let output = Setup::new().committed("downcase").with(&[flag]).command().output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains("such as http://127.0.0.1:4318"), "{error}");
    }
}
