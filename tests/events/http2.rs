//! Events over HTTP/2: many streams and requests on one connection, each of which goes on and ends by itself.

use crate::fixtures;
use crate::harness::{Host, LONG_PATIENCE};
use crate::https::{get, http2, pair, setup, write};
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A host with events and TLS, and its certificate.
fn host() -> (Host, String) {
    let setup = setup("[events]\nenabled = true\n").plugin("count", &fixtures::counting_slowly());
    let certificate = write(setup.path(), &pair());
    (setup.start(), certificate)
}

/// One stream of a connection.
struct Stream {
    body: h2::RecvStream,
    text: String,
}

impl Stream {
    async fn open(requests: &SendRequest<Bytes>, request: warp::http::Request<()>) -> Self {
        let mut requests = requests.clone().ready().await.unwrap();
        let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        Self { body: answer.into_body(), text: String::new() }
    }

    /// Some more of it; false at its end.
    async fn read(&mut self) -> bool {
        let data = timeout(LONG_PATIENCE, self.body.data()).await.expect("something comes");
        let Some(data) = data.transpose().expect("no reset") else { return false };
        self.body.flow_control().release_capacity(data.len()).unwrap();
        self.text += std::str::from_utf8(&data).unwrap();
        true
    }

    /// Reads until this has come, and returns what came before it.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some((before, rest)) = self.text.split_once(end) {
                let (before, rest) = (before.to_owned(), rest.to_owned());
                self.text = rest;
                return before;
            }
            assert!(self.read().await, "{end:?} comes in {:?}", self.text);
        }
    }
}

/// Waits for a condition, and lets the connection go on meanwhile.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG_PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} does not come"));
}

async fn ask(requests: &SendRequest<Bytes>, path: &str) -> String {
    let mut answer = Stream::open(requests, get(path)).await;
    while answer.read().await {}
    answer.text
}

#[test]
fn streams_and_requests_share_a_connection() {
    let (host, certificate) = host();
    http2(&host, &certificate, &Builder::new(), async |requests| {
        let mut first = Stream::open(&requests, get("/events")).await;
        let mut second = Stream::open(&requests, get("/events?topic=lower")).await;
        let opening = first.until("\n\n").await;
        let (_, id) = opening.split_once("\nid: ").unwrap();
        second.until("\n\n").await;
        assert_eq!(ask(&requests, "/downcase/?param=A").await, "lower case of A is a");
        for stream in [&mut first, &mut second] {
            stream.until("data: lower case of A is a\n\n").await;
        }
        // The end of one is that of no other.
        drop(first);
        let is_gone = || host.admin("/metrics").text().contains("tidegate_event_streams_open{} 1");
        until("the end of one", is_gone).await;
        ask(&requests, "/downcase/?param=B").await;
        second.until("data: lower case of B is b\n\n").await;
        let mut request = get("/events");
        request.headers_mut().insert("last-event-id", id.parse().unwrap());
        let mut resumed = Stream::open(&requests, request).await;
        for letter in ["a", "b"] {
            let before = resumed.until(&format!(" is {letter}\n\n")).await;
            assert!(!before.contains("event: gap"), "{before}");
        }
    });
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_end_of_the_host_comes_behind_what_its_last_requests_publish() {
    let (mut host, certificate) = host();
    http2(&host, &certificate, &Builder::new(), async |requests| {
        let mut stream = Stream::open(&requests, get("/events")).await;
        stream.until("\n\n").await;
        let ask = async {
            assert_eq!(ask(&requests, "/count/?param=w").await, "1");
        };
        let end = async {
            until("the call", || host.ledger()["hops"]["transform"]["in"] == 1).await;
            host.process.signal("TERM");
            stream.until("data: 1\n\n").await;
            stream.until("retry: ").await;
            while stream.read().await {}
        };
        tokio::join!(ask, end);
    });
    assert_eq!(host.wait(), 0);
}
