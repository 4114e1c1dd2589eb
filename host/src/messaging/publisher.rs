//! The publisher: a bounded queue in front of the one thread that owns the XPUB socket.

mod core;
mod publish_loop;
mod settings;
mod sink;
mod surface;

pub use settings::Settings;
pub use surface::PublisherSurface;

use super::socket::name_states::NameStates;
use super::socket::statistics::SocketStatistics;
use super::socket::{self, BindError};
use super::spans::describe;
use crate::config;
use crate::flow::Frames;
use crate::flow::bell::Bell;
use crate::flow::mailbox::{Mailbox, PushError, Room};
use crate::ledger::{Hop, Reason};
use crate::log_limit::LogLimit;
use crate::system::supervisor::Supervisor;
use crate::traces::{Kind, Span, TraceContext};
use bytes::Bytes;
use core::{QueuedMessage, topic_of};
use publish_loop::{OpenError, PublishLoop};
use smallvec::smallvec;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No place in the publish queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueFull {
    /// As many messages wait as may.
    #[error("the publish queue holds {0} messages, which is queue_messages_max")]
    Messages(usize),
    /// The messages that wait have as many bytes as they may.
    #[error("the publish queue has no room within queue_bytes_max {0}")]
    Bytes(usize),
    /// The host ends.
    #[error("the publisher is closed")]
    Closed,
}

/// The queue to the publisher's thread.
#[derive(Debug)]
struct Queue {
    messages: Mailbox<QueuedMessage>,
    messages_max: usize,
    bytes_max: usize,
    /// Set before the queue is closed: the time by which all messages in it have to be sent.
    deadline: OnceLock<Instant>,
}

impl Queue {
    fn full(&self, error: PushError) -> QueueFull {
        match error {
            PushError::TooManyItems => QueueFull::Messages(self.messages_max),
            PushError::TooManyBytes => QueueFull::Bytes(self.bytes_max),
            PushError::Closed => QueueFull::Closed,
        }
    }
}

/// Closes the queue when the publisher's thread ends, however it does. So no message is accepted that nobody will
/// publish: the caller gets an error.
struct ClosesWhenDropped(Arc<Queue>);

impl Drop for ClosesWhenDropped {
    fn drop(&mut self) {
        self.0.messages.close();
    }
}

/// The handle of the thread that publishes.
#[derive(Debug)]
pub struct Publisher {
    name: String,
    endpoints: Vec<String>,
    /// The names that it connects to.
    names: Arc<NameStates>,
    queue: Arc<Queue>,
    statistics: Arc<SocketStatistics>,
    hop: Arc<Hop>,
    log_limit: Mutex<LogLimit>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Publisher {
    /// Binds the socket and starts its thread.
    ///
    /// # Errors
    /// When it cannot be bound or connected, or the system gives no thread or pipe.
    pub fn bind(settings: Settings, hop: Arc<Hop>, supervisor: &Supervisor) -> Result<Self, BindError> {
        let first = settings.bind.iter().chain(&settings.connect).next();
        // That of `[messaging]` is known by its kind alone.
        let role = if settings.name == "publish" { "PUB".to_owned() } else { format!("PUB {}", settings.name) };
        let first = first.map(ToString::to_string).unwrap_or_default();
        let failed = |OpenError { place, cause }: OpenError| {
            let (act, endpoint) = place.unwrap_or(("binding", first.clone()));
            BindError { act, role: role.clone(), endpoint, cause }
        };
        let config::Messaging { queue_messages_max: messages_max, queue_bytes_max: bytes_max, .. } = settings.messaging;
        let messages = Mailbox::new(messages_max, bytes_max);
        let queue = Arc::new(Queue { messages, messages_max, bytes_max, deadline: OnceLock::new() });
        let bell = Bell::new().map_err(|error| failed(format!("making a pipe: {error}").into()))?;
        let (statistics, names) = (Arc::new(SocketStatistics::after(&hop)), Arc::<NameStates>::default());
        let open = {
            let (settings, queue, supervisor) = (settings.clone(), Arc::clone(&queue), supervisor.clone());
            let (statistics, names) = (Arc::clone(&statistics), Arc::clone(&names));
            move || PublishLoop::open(&settings, queue, bell, statistics, names, supervisor)
        };
        let closing = ClosesWhenDropped(Arc::clone(&queue));
        let run = move |publish_loop: PublishLoop| {
            let _closing = closing;
            publish_loop.run()
        };
        let (thread, endpoints) = socket::spawn_owner((supervisor, "publisher"), open, run).map_err(failed)?;
        Ok(Self {
            name: settings.name,
            endpoints,
            names,
            queue,
            statistics,
            hop,
            log_limit: Mutex::default(),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Where it is bound, with real ports, and then where it connects to.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// The statistics of the socket.
    pub fn figures(&self) -> &Arc<SocketStatistics> {
        &self.statistics
    }

    /// How many messages wait to be handed to libzmq.
    pub fn queued(&self) -> usize {
        self.queue.messages.len()
    }

    /// Queues a message, without waiting: `[topic, body]`, or `[body]` if the topic is empty. Messages are sent in the
    /// order in which they were queued.
    ///
    /// # Errors
    /// When the queue has no room or is closed; then nothing was published or counted.
    pub fn publish(&self, topic: impl Into<Bytes>, body: impl Into<Bytes>) -> Result<(), QueueFull> {
        let (topic, body) = (topic.into(), body.into());
        let frames = if topic.is_empty() { smallvec![body] } else { smallvec![topic, body] };
        self.publish_below(&TraceContext::default(), frames)
    }

    /// Queues a message of one frame or more, with a span below that of what it came by.
    fn publish_below(&self, trace: &TraceContext, frames: Frames) -> Result<(), QueueFull> {
        let bytes = frames.iter().map(Bytes::len).sum();
        self.queue((trace, frames, bytes), |queue, message| queue.messages.push(bytes, message))
    }

    /// Takes a place in the queue for a message of so many bytes.
    fn reserve_bytes(&self, bytes: usize) -> Result<Room, QueueFull> {
        self.queue.messages.reserve(bytes).map_err(|error| self.queue.full(error))
    }

    /// As [`Self::publish_below`], in a place that was taken before.
    fn publish_reserved(&self, room: Room, trace: &TraceContext, frames: Frames) -> Result<(), QueueFull> {
        let bytes = frames.iter().map(Bytes::len).sum();
        self.queue((trace, frames, bytes), |queue, message| queue.messages.push_reserved(room, message))
    }

    fn queue(
        &self,
        (trace, frames, bytes): (&TraceContext, Frames, usize),
        push: impl FnOnce(&Queue, &mut dyn FnMut() -> QueuedMessage) -> Result<(), PushError>,
    ) -> Result<(), QueueFull> {
        let mut span = Self::span(trace, &frames, bytes);
        let mut frames = Some(frames);
        let mut message = || {
            let (frames, span) = (frames.take().unwrap_or_default(), std::mem::take(&mut span));
            QueuedMessage { frames, passage: self.hop.enter(), span }
        };
        let queued = push(&self.queue, &mut message).map_err(|error| self.queue.full(error));
        if let Err(full) = &queued {
            span.fail(Reason::QueueFull.as_str(), &full.to_string());
        }
        queued
    }

    fn span(trace: &TraceContext, frames: &Frames, bytes: usize) -> Span {
        let mut span = trace.child(Kind::Producer, || "publish".into());
        if let Some(span) = span.recording() {
            let topic = topic_of(frames);
            describe(span, "publish", String::from_utf8_lossy(topic).into_owned(), bytes - topic.len());
        }
        span
    }

    /// Hands the queued messages to libzmq, gives slow subscribers at most `linger` to take them, and closes. Blocks
    /// until the thread has ended.
    pub fn close(&self, linger: Duration) {
        self.queue.deadline.get_or_init(|| Instant::now() + linger);
        self.queue.messages.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The supervisor has reported a panic.
        let _ = thread.map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::socket::ipc::IpcAccess;

    fn settings(endpoint: &str, queue_messages_max: usize) -> Settings {
        let publish = config::Endpoint(Some(endpoint.to_owned()));
        Settings {
            name: "publish".to_owned(),
            bind: vec![publish],
            connect: Vec::new(),
            messaging: config::Messaging { queue_messages_max, ..config::Messaging::default() },
            publisher: config::Publisher::default(),
            ipc: IpcAccess { mode: 0o700, group: None },
            curve: None,
            keys: None,
        }
    }

    fn publisher(queue_messages_max: usize) -> (Publisher, Arc<Hop>) {
        let hop = Arc::new(Hop::default());
        let settings = settings("tcp://127.0.0.1:*", queue_messages_max);
        (Publisher::bind(settings, Arc::clone(&hop), &Supervisor::default()).expect("a free port"), hop)
    }

    fn subscriber(publisher: &Publisher) -> zmq::Socket {
        let socket = zmq::Context::new().socket(zmq::SUB).expect("socket");
        socket.set_subscribe(b"").expect("subscribe");
        socket.set_rcvtimeo(5000).expect("timeout");
        socket.connect(&publisher.endpoints()[0]).expect("connect");
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
        let counts = hop.figures();
        let unwanted = counts.dropped(crate::ledger::Reason::NoSubscriber);
        assert_eq!((counts.in_flight, counts.out + unwanted), (0, counts.entered));
        assert!(counts.out >= 500, "{counts:?}");
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
        let error =
            Publisher::bind(settings(&first.endpoints()[0], 10), hop, &Supervisor::default()).expect_err("in use");
        assert_eq!(error.to_string(), format!("binding PUB to {}: address in use", &first.endpoints()[0]));
    }

    #[test]
    fn a_file_in_the_way_is_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notes.txt");
        std::fs::write(&path, "precious").expect("a file");
        let bind = |endpoint: String| Publisher::bind(settings(&endpoint, 10), Arc::default(), &Supervisor::default());

        let error = bind(format!("ipc://{}", path.display())).expect_err("a file");
        assert!(error.to_string().ends_with("the path exists and is not a socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "precious");

        let error = bind(format!("ipc://{}/below", path.display())).expect_err("no directory");
        assert!(error.to_string().to_lowercase().contains("not a directory"), "{error}");
    }
}
