//! Subscribers that stay and record every message, and `tidegate subscribe` processes that are killed or suspended.

use super::callers::number_of;
use super::sequence::Sequence;
use crate::harness::{LONG_PATIENCE, Process, tidegate, wait_up_to};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The message that separates the probes from the messages that are counted.
pub const START: &str = "start";

/// The messages that one listener received: for each caller the sequence of their numbers.
pub type Received = BTreeMap<u64, Sequence>;

/// A subscriber that stays.
pub struct Listener {
    thread: JoinHandle<Received>,
    state: Arc<State>,
}

struct State {
    listens: AtomicBool,
    wanted: AtomicU64,
}

impl Listener {
    pub fn start(endpoint: &str) -> Self {
        let socket = zmq::Context::new().socket(zmq::SUB).unwrap();
        socket.set_rcvhwm(0).unwrap();
        socket.set_subscribe(b"").unwrap();
        socket.set_rcvtimeo(100).unwrap();
        socket.connect(endpoint).unwrap();
        let state = Arc::new(State { listens: AtomicBool::new(false), wanted: AtomicU64::new(u64::MAX) });
        let thread = std::thread::spawn({
            let state = Arc::clone(&state);
            move || state.listen(&socket)
        });
        Self { thread, state }
    }

    /// Whether the listener has received any message.
    pub fn listens(&self) -> bool {
        self.state.listens.load(Ordering::SeqCst)
    }

    /// Waits until `count` messages have arrived, and for a moment longer, in which no other may arrive.
    pub fn finish(self, count: u64) -> Received {
        self.state.wanted.store(count, Ordering::SeqCst);
        self.thread.join().expect("a listener")
    }
}

impl State {
    fn listen(&self, socket: &zmq::Socket) -> Received {
        let (mut received, mut count, mut started) = (Received::new(), 0, false);
        let mut last = Instant::now();
        loop {
            let wanted = self.wanted.load(Ordering::SeqCst);
            match socket.recv_bytes(0) {
                Ok(message) if started => {
                    let (caller, number) = number_of(&message).unwrap_or_else(|| panic!("unknown: {message:.40?}"));
                    received.entry(caller).or_default().add(number);
                    count += 1;
                    last = Instant::now();
                }
                Ok(message) => {
                    self.listens.store(true, Ordering::SeqCst);
                    started = message.ends_with(START.as_bytes());
                }
                Err(_) if count >= wanted => return received,
                Err(_) if wanted < u64::MAX && last.elapsed() > LONG_PATIENCE => return received,
                Err(_) => {}
            }
        }
    }
}

/// A process of `tidegate subscribe` with its own log.
pub struct SubscribeProcess {
    process: Process,
    log: PathBuf,
}

impl SubscribeProcess {
    /// Starts the process, and waits until it has received its first message.
    pub fn start(endpoint: &str, directory: &Path, name: &str) -> Self {
        let log = directory.join(format!("{name}.log"));
        let mut command = tidegate();
        command.current_dir(directory).args(["subscribe", "--quiet", "--connect", endpoint, "--log"]).arg(&log);
        let subscriber = Self { process: Process::start(&mut command), log };
        wait_up_to(LONG_PATIENCE, "the first message of a subscriber", || (subscriber.lines() > 0).then_some(()));
        subscriber
    }

    /// The number of lines in its log.
    pub fn lines(&self) -> u64 {
        std::fs::read(&self.log).map_or(0, |log| log.iter().filter(|&&byte| byte == b'\n').count() as u64)
    }

    /// Kills the process. Returns how many messages it had received.
    pub fn kill(mut self) -> u64 {
        self.process.signal("KILL");
        self.process.wait();
        let lines = self.lines();
        std::fs::remove_file(&self.log).unwrap();
        lines
    }

    /// Suspends the process, as a laptop that sleeps does.
    pub fn suspend(&self) {
        self.process.signal("STOP");
    }

    /// Resumes the process and ends it in order. Returns how many messages it reports to have received.
    pub fn resume(mut self) -> u64 {
        self.process.signal("CONT");
        self.process.signal("TERM");
        assert_eq!(self.process.wait().code(), Some(0), "{}", self.process.stderr());
        std::fs::remove_file(&self.log).unwrap();
        let stderr = self.process.stderr();
        let received = stderr.split("received=").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        received.unwrap_or_else(|| panic!("no tally: {stderr}"))
    }
}

/// Publishes probes until every listener has received one, then [`START`], after which messages are counted.
pub fn wait_until_all_listen(listeners: &[Listener], mut publish: impl FnMut(&str)) {
    wait_up_to(LONG_PATIENCE, "the listeners", || {
        publish("probe");
        std::thread::sleep(Duration::from_millis(20));
        listeners.iter().all(Listener::listens).then_some(())
    });
    publish(START);
}
