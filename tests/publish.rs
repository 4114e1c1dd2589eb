//! The messages that a transform returns reach every subscriber, unchanged and in order.

use crate::fixtures;
use crate::harness::{Host, PATIENCE, Setup, wait_for};

/// A subscriber to everything whose subscription has reached the host, with no messages left to receive.
fn subscriber(host: &Host, route: &str) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::SUB).unwrap();
    socket.set_subscribe(b"").unwrap();
    socket.connect(host.surface("publish")).unwrap();
    socket.set_rcvtimeo(50).unwrap();
    wait_for("the subscription", || {
        assert_eq!(host.get(&format!("{route}?param=probe")).status, 200);
        socket.recv_multipart(0).ok()
    });
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    assert_eq!(host.get(&format!("{route}?param=last")).status, 200);
    while !socket.recv_bytes(0).unwrap().ends_with(b"last") {}
    socket
}

#[test]
fn one_frame_without_a_topic_two_with_one() {
    let host = Setup::new()
        .plugin("plain", &fixtures::answering("", None))
        .plugin("topical", &fixtures::answering("weather", None))
        .start();
    let socket = subscriber(&host, "/plain/");
    host.get("/plain/?param=one");
    host.get("/topical/?param=two");
    host.post("/plain/", &[0, 255, 10]);
    host.post("/plain/", b"");
    assert_eq!(socket.recv_multipart(0).unwrap(), [b"one"]);
    assert_eq!(socket.recv_multipart(0).unwrap(), [b"weather".as_slice(), b"two"]);
    assert_eq!(socket.recv_multipart(0).unwrap(), [[0, 255, 10]]);
    assert_eq!(socket.recv_multipart(0).unwrap(), [b""]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn only_what_was_answered_with_200_to_get_or_post_is_published() {
    let host = Setup::new()
        .committed("downcase")
        .plugin("filter", &fixtures::filtering())
        .plugin("reject", &fixtures::erring(false, "no"))
        .plugin("broken", &fixtures::answering("", Some(r"a\0ab")))
        .start();
    let socket = subscriber(&host, "/downcase/");
    assert_eq!(host.request("HEAD", "/downcase/?param=A", None).status, 200);
    assert_eq!(host.get("/filter/?param=A").status, 204);
    assert_eq!(host.get("/reject/?param=A").status, 422);
    assert_eq!(host.get("/broken/?param=A").status, 502);
    assert_eq!(host.get("/downcase/?param=Last").status, 200);
    assert_eq!(socket.recv_multipart(0).unwrap(), [b"lower case of Last is last"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn messages_keep_their_order_and_none_is_missing() {
    const MESSAGES: usize = 2_000;
    let host = Setup::new().plugin("plain", &fixtures::answering("", None)).start();
    let socket = subscriber(&host, "/plain/");
    let client = crate::harness::Client::new(&host);
    for number in 0..MESSAGES {
        assert_eq!(client.request("GET", &format!("/plain/?param={number}"), None).unwrap().status, 200);
    }
    for number in 0..MESSAGES {
        assert_eq!(socket.recv_multipart(0).unwrap(), [number.to_string().into_bytes()]);
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_message_of_the_largest_size_goes_through() {
    let host = Setup::new()
        .plugin("plain", &fixtures::answering("", None))
        .config(
            "[http]\nbody_bytes_max = 200000000\n[limits]\nmemory_bytes_max = 268435456\noutput_bytes_max = 200000000",
        )
        .start();
    let socket = subscriber(&host, "/plain/");
    // The guest has 32 pages and does not grow, so the output must fit there.
    let large: Vec<u8> = (0..1_500_000_u32).map(|number| number as u8).collect();
    assert_eq!(host.post("/plain/", &large).body, large);
    assert_eq!(socket.recv_multipart(0).unwrap(), [large]);
    assert_eq!(host.stop(), 0);
}
