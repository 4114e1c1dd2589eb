//! The requester: DEALER clients of the broker, each on its own thread, that time the replies to their requests.

use super::handshake::{Handshakes, ReportedFailures};
use crate::messaging::curve::client_keys::ClientKeys;
use crate::messaging::socket;
use crate::system::output::{note, try_print};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How many times a client looks for a reply after each request.
const REPLIES_AWAITED: u32 = 5;

/// Where to send requests, how many, and how long to wait for replies.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The broker's frontend.
    pub endpoint: String,
    /// How many clients ask at a time.
    pub clients: u32,
    /// How many requests each of them sends.
    pub requests: u32,
    /// How long a client waits for the replies to one request, and for the connection.
    pub timeout: Duration,
    /// For a broker that speaks CURVE.
    pub keys: Option<ClientKeys>,
}

/// The counts of all clients, and the times of their replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests that were sent.
    pub sent: u64,
    /// Replies that came.
    pub replies: u64,
    /// The time from each request to its first reply; requests without a reply have none.
    pub round_trips: Vec<Duration>,
}

impl Summary {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.replies += other.replies;
        self.round_trips.extend(other.round_trips);
    }
}

/// `sent=… replies=… none=… rtt_ms p50=… p99=…`; a percentile of nothing is `-`.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = self.sent - self.round_trips.len() as u64;
        write!(f, "sent={} replies={} none={none} rtt_ms", self.sent, self.replies)?;
        let mut sorted = self.round_trips.clone();
        sorted.sort_unstable();
        for percent in [50, 99] {
            // The smallest value that so many percent do not exceed.
            let rank = (sorted.len() * percent).div_ceil(100);
            match sorted.get(rank.saturating_sub(1)) {
                Some(rtt) => write!(f, " p{percent}={:.3}", rtt.as_secs_f64() * 1000.0)?,
                None => write!(f, " p{percent}=-")?,
            }
        }
        Ok(())
    }
}

/// Runs all clients until they have ended, and sums up. Requests and replies are printed on stdout as they happen.
pub fn run(settings: &Settings) -> Summary {
    let context = zmq::Context::new();
    let mut summary = Summary::default();
    let reported = Arc::new(ReportedFailures::default());
    thread::scope(|scope| {
        let clients: Vec<_> = (0..settings.clients)
            .map(|index| {
                let (context, reported) = (&context, Arc::clone(&reported));
                scope.spawn(move || request(context, settings, &format!("worker-{index}"), reported))
            })
            .collect();
        for client in clients {
            // A client that panicked has said so on stderr.
            summary.add(client.join().unwrap_or_default());
        }
    });
    summary
}

/// One client from its first request to its last reply. What stops it is printed on stderr.
fn request(context: &zmq::Context, settings: &Settings, name: &str, reported: Arc<ReportedFailures>) -> Summary {
    let mut client = match Client::open(context, settings, name, reported) {
        Ok(client) => client,
        Err(cause) => {
            complain(name, &format!("connecting DEALER to {}: {cause}", settings.endpoint));
            return Summary::default();
        }
    };
    for n in 1..=settings.requests {
        if let Err(error) = client.send(n, settings.timeout).and_then(|()| client.await_replies(settings.timeout)) {
            let cause = match error {
                zmq::Error::EAGAIN => format!("no connection within {:?}", settings.timeout),
                error => socket::cause(error),
            };
            complain(name, &format!("sending request #{n} to {}: {cause}", settings.endpoint));
            break;
        }
    }
    if let Err(error) = client.collect_late_replies(settings.timeout) {
        complain(name, &format!("receiving from {}: {}", settings.endpoint, socket::cause(error)));
    }
    client.summary
}

struct Client<'a> {
    name: &'a str,
    socket: zmq::Socket,
    handshakes: Handshakes,
    /// When each request that has no reply yet was sent, by its body.
    unanswered: BTreeMap<Vec<u8>, Instant>,
    summary: Summary,
}

impl<'a> Client<'a> {
    fn open(
        context: &zmq::Context,
        settings: &Settings,
        name: &'a str,
        reported: Arc<ReportedFailures>,
    ) -> Result<Self, String> {
        let socket = context.socket(zmq::DEALER).map_err(socket::cause)?;
        let set_options = || -> zmq::Result<()> {
            socket.set_identity(name.as_bytes())?;
            // Nothing is queued for a broker that is not there: sending waits for the connection, but not for ever.
            socket.set_immediate(true)?;
            socket.set_linger(0)
        };
        set_options().map_err(socket::cause)?;
        let endpoints = [settings.endpoint.clone()];
        let mut handshakes = Handshakes::watch(context, &socket, name, &endpoints, settings.keys.as_ref(), reported)?;
        handshakes.connect(&socket, &settings.endpoint)?;
        Ok(Self { name, socket, handshakes, unanswered: BTreeMap::new(), summary: Summary::default() })
    }

    fn send(&mut self, n: u32, timeout: Duration) -> zmq::Result<()> {
        let body = format!("request #{n}").into_bytes();
        let sent = Instant::now();
        while let Err(error) = socket::send(&self.socket, &[&body], zmq::DONTWAIT) {
            if error != zmq::Error::EAGAIN || !self.wait(zmq::POLLOUT, sent + timeout)? {
                return Err(error);
            }
        }
        self.unanswered.insert(body, sent);
        self.summary.sent += 1;
        print(&format!("Req #{n} sent.."));
        Ok(())
    }

    /// As the demo's clients do: looks for a reply a few times, and takes in at most one each time.
    fn await_replies(&mut self, timeout: Duration) -> zmq::Result<()> {
        for _ in 0..REPLIES_AWAITED {
            self.receive(timeout / REPLIES_AWAITED)?;
        }
        Ok(())
    }

    /// Receives until `timeout` has passed without a reply.
    fn collect_late_replies(&mut self, timeout: Duration) -> zmq::Result<()> {
        while self.summary.sent > 0 && self.receive(timeout)? {}
        Ok(())
    }

    /// Waits for the socket until the deadline at most, and maintains its handshakes. Returns whether there was time
    /// left.
    fn wait(&mut self, events: zmq::PollEvents, deadline: Instant) -> zmq::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let wait = self.handshakes.wait().map_or(left, |wait| wait.min(left));
        socket::poll(&mut [self.socket.as_poll_item(events), self.handshakes.as_poll_item()], Some(wait))?;
        self.handshakes.maintain(&self.socket)?;
        Ok(true)
    }

    /// Takes in one reply, if one comes in time. Returns whether one did.
    fn receive(&mut self, timeout: Duration) -> zmq::Result<bool> {
        let deadline = Instant::now() + timeout;
        let frames = loop {
            if let Some(frames) = socket::receive_now(&self.socket, usize::MAX)? {
                break frames;
            }
            if !self.wait(zmq::POLLIN, deadline)? {
                return Ok(false);
            }
        };
        let received = Instant::now();
        self.handshakes.heard();
        self.summary.replies += 1;
        if let Some(sent) = frames.last().and_then(|body| self.unanswered.remove(body)) {
            self.summary.round_trips.push(received - sent);
        }
        let text: Vec<_> = frames.iter().map(|frame| String::from_utf8_lossy(frame)).collect();
        print(&format!("Client {} received: {}", self.name, text.join("\t")));
        Ok(true)
    }
}

/// Prints a line in one write. If nobody reads stdout any more, the requests are sent all the same.
fn print(line: &str) {
    let _ = try_print(format!("{line}\n"));
}

fn complain(name: &str, problem: &str) {
    note(format_args!("{name}: {problem}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_percentiles_of_first_replies() {
        let round_trips = (1..=100).rev().map(Duration::from_millis).collect();
        let summary = Summary { sent: 110, replies: 150, round_trips };
        assert_eq!(summary.to_string(), "sent=110 replies=150 none=10 rtt_ms p50=50.000 p99=99.000");
        assert_eq!(Summary::default().to_string(), "sent=0 replies=0 none=0 rtt_ms p50=- p99=-");
    }

    #[test]
    fn nobody_there_ends_each_client_after_one_timeout() {
        let settings = Settings {
            endpoint: "tcp://127.0.0.1:9".to_owned(),
            clients: 2,
            requests: 100,
            timeout: Duration::from_millis(100),
            keys: None,
        };
        let started = Instant::now();
        assert_eq!(run(&settings), Summary::default());
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
}
