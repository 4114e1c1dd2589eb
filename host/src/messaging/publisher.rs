//! The publisher: a bounded queue in front of the one thread that owns the PUB socket.

use super::curve::Curve;
use super::gate::Gate;
use super::socket::{self, BindError};
use crate::ledger::{Hop, Passage, Reason};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the thread sleeps at most. A PUB socket takes in its subscribers' comings and goings only when it is used:
/// with nothing to publish they would pile up.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Where the publisher binds, and its bound.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Such as `tcp://127.0.0.1:4444`; `tcp://127.0.0.1:*` takes a free port.
    pub endpoint: String,
    /// How many messages may wait for libzmq, and how many libzmq holds for one slow subscriber.
    pub queue_messages_max: usize,
    /// Lets in subscribers with an authorized key alone; none lets in everybody.
    pub curve: Option<Curve>,
}

/// No place in the publish queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the publish queue holds {0} messages, which is queue_messages_max")]
pub struct QueueFull(pub usize);

/// The handle of the thread that publishes.
#[derive(Debug)]
pub struct Publisher {
    endpoint: String,
    queue: Arc<Queue>,
    hop: Arc<Hop>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Publisher {
    /// Binds the PUB socket and starts its thread.
    pub fn bind(settings: Settings, hop: Arc<Hop>) -> Result<Self, BindError> {
        let queue = Arc::new(Queue::new(settings.queue_messages_max));
        let open = {
            let settings = settings.clone();
            move || open(&settings)
        };
        let run = {
            let queue = Arc::clone(&queue);
            move |(socket, gate)| {
                publish_until_closed(socket, &queue);
                drop::<Option<Gate>>(gate);
            }
        };
        match socket::spawn_owner("publisher", open, run) {
            Ok((thread, endpoint)) => Ok(Self { endpoint, queue, hop, thread: Mutex::new(Some(thread)) }),
            Err(cause) => Err(BindError { role: "PUB", endpoint: settings.endpoint, cause }),
        }
    }

    /// The endpoint with its real port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Gives a message its place in the queue, without waiting: `[topic, body]`, or `[body]` if the topic is empty.
    /// Messages leave in the order of their places.
    ///
    /// [`QueueFull`] means that nothing was published and nothing counted.
    pub fn publish(&self, topic: String, body: Vec<u8>) -> Result<(), QueueFull> {
        self.queue.push(|| Place { topic, body, passage: self.hop.enter() })
    }

    /// Hands what is queued to libzmq, gives slow subscribers at most `linger` to take it, and closes. Waits for all that.
    pub fn close(&self, linger: Duration) {
        self.queue.close(linger);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(endpoint = self.endpoint, "publisher thread panicked");
        }
    }
}

/// One message in the queue.
#[derive(Debug)]
struct Place {
    topic: String,
    body: Vec<u8>,
    passage: Passage,
}

/// What lies between those who publish and the thread. The thread takes everything at once and is woken only while it
/// sleeps: wake-ups are what a queue costs.
#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    /// All that is not yet handed to libzmq, what the thread has taken included.
    unsent: AtomicUsize,
    messages_max: usize,
}

#[derive(Debug, Default)]
struct State {
    places: Vec<Place>,
    asleep: bool,
    /// Set once, by whoever closes: nothing comes in any more.
    linger: Option<Duration>,
}

impl Queue {
    fn new(messages_max: usize) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), unsent: AtomicUsize::new(0), messages_max }
    }

    fn push(&self, place: impl FnOnce() -> Place) -> Result<(), QueueFull> {
        let mut state = self.lock();
        if state.linger.is_some() || self.unsent.load(Ordering::Relaxed) >= self.messages_max {
            return Err(QueueFull(self.messages_max));
        }
        self.unsent.fetch_add(1, Ordering::Relaxed);
        state.places.push(place());
        let wake = std::mem::take(&mut state.asleep);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Swaps the queue with the empty `batch`, after at most [`SLEEP_MAX`]. Returns the linger once nothing more comes.
    fn take(&self, batch: &mut Vec<Place>) -> Option<Duration> {
        let mut state = self.lock();
        if state.places.is_empty() && state.linger.is_none() {
            state.asleep = true;
            state = self.filled.wait_timeout(state, SLEEP_MAX).unwrap_or_else(PoisonError::into_inner).0;
            state.asleep = false;
        }
        std::mem::swap(&mut state.places, batch);
        state.linger
    }

    fn close(&self, linger: Duration) {
        self.lock().linger.get_or_insert(linger);
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No change of the state can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(settings: &Settings) -> Result<((zmq::Socket, Option<Gate>), String), String> {
    let context = zmq::Context::new();
    let mut socket = context.socket(zmq::PUB).map_err(socket::cause)?;
    socket.set_sndhwm(socket::hwm(settings.queue_messages_max)).map_err(socket::cause)?;
    let gate = settings.curve.as_ref().map(|curve| curve.guard(&context)).transpose()?;
    if let Some(curve) = &settings.curve {
        curve.protect(&mut socket)?;
    }
    let endpoint = socket::bind(&socket, &settings.endpoint)?;
    Ok(((socket, gate), endpoint))
}

fn publish_until_closed(socket: zmq::Socket, queue: &Queue) {
    let mut batch = Vec::new();
    let linger = loop {
        let linger = queue.take(&mut batch);
        // Makes the socket look at its subscribers now: sending does so only once in a while, and whoever subscribed
        // before a request is to get its message.
        if let Err(error) = socket.get_events() {
            tracing::warn!(%error, "looking at subscribers");
        }
        for place in batch.drain(..) {
            hand_over(&socket, place);
            queue.unsent.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(linger) = linger {
            break linger;
        }
    };
    let linger_ms = i32::try_from(linger.as_millis()).unwrap_or(i32::MAX);
    if let Err(error) = socket.set_linger(linger_ms) {
        tracing::warn!(%error, linger_ms, "setting the linger of PUB");
    }
    // Dropping the last socket of the context ends both, after the linger at most.
}

fn hand_over(socket: &zmq::Socket, place: Place) {
    let frames = [place.topic.as_bytes(), &place.body];
    let message = if place.topic.is_empty() { &frames[1..] } else { &frames[..] };
    match socket::send(socket, message, zmq::DONTWAIT) {
        Ok(()) => place.passage.out(),
        Err(error) => {
            tracing::warn!(%error, topic = place.topic, "publishing failed");
            place.passage.dropped(Reason::SendFailed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publisher(queue_messages_max: usize) -> (Publisher, Arc<Hop>) {
        let hop = Arc::new(Hop::default());
        let settings = Settings { endpoint: "tcp://127.0.0.1:*".to_owned(), queue_messages_max, curve: None };
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
        assert_eq!((figures.in_flight, figures.out), (0, figures.entered));
    }

    #[test]
    fn closing_hands_over_what_is_queued() {
        let (publisher, hop) = publisher(100_000);
        let subscriber = subscriber(&publisher);
        let before = hop.figures().entered;
        for _ in 0..20_000 {
            publisher.publish(String::new(), vec![0; 100]).expect("a place");
        }
        publisher.close(Duration::from_secs(5));
        assert_eq!(publisher.publish(String::new(), vec![]), Err(QueueFull(100_000)));
        for n in 0..20_000 {
            subscriber.recv_bytes(0).unwrap_or_else(|error| panic!("message {n}: {error}"));
        }
        assert_eq!(hop.figures().out, before + 20_000);
    }

    #[test]
    fn a_full_queue_refuses_and_counts_nothing() {
        let hop = Arc::new(Hop::default());
        let queue = Queue::new(2);
        let place = || Place { topic: String::new(), body: vec![], passage: hop.enter() };
        assert_eq!((queue.push(place), queue.push(place)), (Ok(()), Ok(())));
        assert_eq!(queue.push(place), Err(QueueFull(2)));

        // What the thread has taken but not yet sent still has its place.
        let mut batch = Vec::new();
        queue.take(&mut batch);
        assert_eq!((batch.len(), queue.push(place)), (2, Err(QueueFull(2))));
        assert_eq!(hop.figures().entered, 2);
    }

    #[test]
    fn a_taken_endpoint_is_named() {
        let (first, hop) = publisher(10);
        let settings = Settings { endpoint: first.endpoint().to_owned(), queue_messages_max: 10, curve: None };
        let error = Publisher::bind(settings, hop).expect_err("in use");
        assert_eq!(error.to_string(), format!("binding PUB to {}: address in use", first.endpoint()));
    }

    #[test]
    fn a_file_in_the_way_is_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notes.txt");
        std::fs::write(&path, "precious").expect("a file");
        let settings = |endpoint| Settings { endpoint, queue_messages_max: 10, curve: None };
        let bind = |endpoint| Publisher::bind(settings(endpoint), Arc::default());

        let error = bind(format!("ipc://{}", path.display())).expect_err("a file");
        assert!(error.to_string().ends_with("the path exists and is not a socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "precious");

        let error = bind(format!("ipc://{}/below", path.display())).expect_err("no directory");
        assert!(error.to_string().to_lowercase().contains("not a directory"), "{error}");
    }
}
