//! The publisher: a bounded queue in front of the one thread that owns the XPUB socket.

mod batching;
mod publish_loop;
mod publish_queue;
mod renewal;
mod retained;
mod subscriptions;

pub use publish_queue::QueueFull;

use super::curve::Curve;
use super::socket::figures::SocketFigures;
use super::socket::ipc::IpcAccess;
use super::socket::{self, BindError};
use crate::config::OnFull;
use crate::ledger::Hop;
use bytes::Bytes;
use publish_loop::PublishLoop;
use publish_queue::{Place, PublishQueue};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where the publisher binds, and its bounds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Such as `tcp://127.0.0.1:4444`; `tcp://127.0.0.1:*` takes a free port.
    pub endpoint: String,
    /// How many messages may wait for libzmq, and how many libzmq holds for one slow subscriber.
    pub queue_messages_max: usize,
    /// The bytes of the messages that wait for libzmq.
    pub queue_bytes_max: usize,
    /// The bytes that libzmq holds for one slow subscriber.
    pub peer_queue_bytes_max: usize,
    /// What becomes of a message for which a subscriber has no room.
    pub on_full: OnFull,
    /// Keeps the last message of each topic for later subscribers, within these bounds.
    pub retain: Option<RetainBounds>,
    /// Who may connect, where the endpoint is in the file system.
    pub ipc: IpcAccess,
    /// How often a silent connection is asked whether it is still there; zero for never.
    pub heartbeat: Duration,
    /// How long a client may take for its handshake.
    pub handshake_timeout: Duration,
    /// Lets in subscribers with an authorized key alone; none lets in everybody.
    pub curve: Option<Curve>,
}

/// The bounds on retained messages.
#[derive(Clone, Copy, Debug)]
pub struct RetainBounds {
    /// How many topics have one.
    pub topics_max: usize,
    /// The bytes of all of them.
    pub bytes_max: usize,
}

/// The handle of the thread that publishes.
#[derive(Debug)]
pub struct Publisher {
    endpoint: String,
    queue: Arc<PublishQueue>,
    figures: Arc<SocketFigures>,
    hop: Arc<Hop>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Publisher {
    /// Binds the socket and starts its thread.
    pub fn bind(settings: Settings, hop: Arc<Hop>) -> Result<Self, BindError> {
        let failed = |cause| BindError { role: "PUB", endpoint: settings.endpoint.clone(), cause };
        let queue = PublishQueue::new(settings.queue_messages_max, settings.queue_bytes_max)
            .map_err(|error| failed(format!("making a pipe: {error}")))?;
        let (queue, figures) = (Arc::new(queue), Arc::new(SocketFigures::after(&hop)));
        let open = {
            let (settings, queue, figures) = (settings.clone(), Arc::clone(&queue), Arc::clone(&figures));
            move || PublishLoop::open(&settings, queue, figures)
        };
        let (thread, endpoint) = socket::spawn_owner("publisher", open, PublishLoop::run).map_err(failed)?;
        Ok(Self { endpoint, queue, figures, hop, thread: Mutex::new(Some(thread)) })
    }

    /// The endpoint with its real port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What the socket tells of itself.
    pub fn figures(&self) -> &Arc<SocketFigures> {
        &self.figures
    }

    /// Messages that wait for libzmq.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Gives a message its place in the queue, without waiting: `[topic, body]`, or `[body]` if the topic is empty.
    /// Messages leave in the order of their places.
    ///
    /// [`QueueFull`] means that nothing was published and nothing counted.
    pub fn publish(&self, topic: String, body: impl Into<Bytes>) -> Result<(), QueueFull> {
        let body = body.into();
        let bytes = topic.len() + body.len();
        self.queue.push(bytes, || Place { topic, body, passage: self.hop.enter() })
    }

    /// Hands what is queued to libzmq, gives slow subscribers at most `linger` to take it, and closes. Waits for all that.
    pub fn close(&self, linger: Duration) {
        self.queue.close(Instant::now() + linger);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(endpoint = self.endpoint, "publisher thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: &str, queue_messages_max: usize) -> Settings {
        Settings {
            endpoint: endpoint.to_owned(),
            queue_messages_max,
            queue_bytes_max: 1 << 30,
            peer_queue_bytes_max: 1 << 30,
            on_full: OnFull::CutOff,
            retain: None,
            ipc: IpcAccess { mode: 0o700, group: None },
            heartbeat: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(5),
            curve: None,
        }
    }

    fn publisher(queue_messages_max: usize) -> (Publisher, Arc<Hop>) {
        let hop = Arc::new(Hop::default());
        let settings = settings("tcp://127.0.0.1:*", queue_messages_max);
        (Publisher::bind(settings, Arc::clone(&hop)).expect("a free port"), hop)
    }

    fn subscriber(publisher: &Publisher) -> zmq::Socket {
        let socket = zmq::Context::new().socket(zmq::SUB).expect("socket");
        socket.set_subscribe(b"").expect("subscribe");
        socket.set_rcvtimeo(5000).expect("timeout");
        socket.connect(publisher.endpoint()).expect("connect");
        // The first message that comes through shows that the subscription is known.
        while socket.poll(zmq::POLLIN, 10).expect("poll") == 0 {
            publisher.publish(String::new(), b"hello".to_vec()).expect("a place");
        }
        publisher.publish(String::new(), b"last".to_vec()).expect("a place");
        while socket.recv_bytes(0).expect("message") != b"last" {}
        socket
    }

    #[test]
    fn messages_leave_in_order_with_their_topics() {
        let (publisher, hop) = publisher(1000);
        let subscriber = subscriber(&publisher);
        for n in 0..500u16 {
            let topic = if n % 2 == 0 { String::new() } else { format!("topic {n}") };
            publisher.publish(topic, n.to_be_bytes().to_vec()).expect("a place");
        }
        for n in 0..500u16 {
            let mut expected = vec![n.to_be_bytes().to_vec()];
            if n % 2 == 1 {
                expected.insert(0, format!("topic {n}").into_bytes());
            }
            assert_eq!(subscriber.recv_multipart(0).expect("message"), expected);
        }
        publisher.close(Duration::from_secs(1));
        let figures = hop.figures();
        let unwanted = figures.dropped(crate::ledger::Reason::NoSubscriber);
        assert_eq!((figures.in_flight, figures.out + unwanted), (0, figures.entered));
        assert!(figures.out >= 500, "{figures:?}");
    }

    #[test]
    fn closing_hands_over_what_is_queued() {
        let (publisher, hop) = publisher(100_000);
        let subscriber = subscriber(&publisher);
        // The last one has come before it is counted.
        while hop.figures().in_flight > 0 {
            std::thread::yield_now();
        }
        let before = hop.figures().out;
        for _ in 0..20_000 {
            publisher.publish(String::new(), vec![0; 100]).expect("a place");
        }
        publisher.close(Duration::from_secs(5));
        assert_eq!(publisher.publish(String::new(), vec![]), Err(QueueFull::Closed));
        for n in 0..20_000 {
            subscriber.recv_bytes(0).unwrap_or_else(|error| panic!("message {n}: {error}"));
        }
        assert_eq!(hop.figures().out, before + 20_000);
    }

    #[test]
    fn a_taken_endpoint_is_named() {
        let (first, hop) = publisher(10);
        let error = Publisher::bind(settings(first.endpoint(), 10), hop).expect_err("in use");
        assert_eq!(error.to_string(), format!("binding PUB to {}: address in use", first.endpoint()));
    }

    #[test]
    fn a_file_in_the_way_is_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notes.txt");
        std::fs::write(&path, "precious").expect("a file");
        let bind = |endpoint: String| Publisher::bind(settings(&endpoint, 10), Arc::default());

        let error = bind(format!("ipc://{}", path.display())).expect_err("a file");
        assert!(error.to_string().ends_with("the path exists and is not a socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "precious");

        let error = bind(format!("ipc://{}/below", path.display())).expect_err("no directory");
        assert!(error.to_string().to_lowercase().contains("not a directory"), "{error}");
    }
}
