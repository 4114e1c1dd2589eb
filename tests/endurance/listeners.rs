//! Subscribers that live through it all and note every message, and those that do not.

use super::callers::number_of;
use super::sequence::Sequence;
use crate::harness::{LONG_PATIENCE, Process, tidegate, wait_up_to};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is published between the messages that only find out who listens and those that are counted.
pub const START: &str = "start";

/// What one listener heard: by caller the numbers of its messages, in order.
pub type Heard = BTreeMap<u64, Sequence>;

/// A subscriber that lives.
pub struct Listener {
    thread: JoinHandle<Heard>,
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

    /// Whether any message has come.
    pub fn listens(&self) -> bool {
        self.state.listens.load(Ordering::SeqCst)
    }

    /// Waits for the messages that have not come yet of `count`, and for one more that must not be.
    pub fn finish(self, count: u64) -> Heard {
        self.state.wanted.store(count, Ordering::SeqCst);
        self.thread.join().expect("a listener")
    }
}

impl State {
    fn listen(&self, socket: &zmq::Socket) -> Heard {
        let (mut heard, mut count, mut started) = (Heard::new(), 0, false);
        let mut last = Instant::now();
        loop {
            let wanted = self.wanted.load(Ordering::SeqCst);
            match socket.recv_bytes(0) {
                Ok(message) if started => {
                    let (caller, number) = number_of(&message).unwrap_or_else(|| panic!("unknown: {message:.40?}"));
                    heard.entry(caller).or_default().add(number);
                    count += 1;
                    last = Instant::now();
                }
                Ok(message) => {
                    self.listens.store(true, Ordering::SeqCst);
                    started = message.ends_with(START.as_bytes());
                }
                Err(_) if count >= wanted => return heard,
                Err(_) if wanted < u64::MAX && last.elapsed() > LONG_PATIENCE => return heard,
                Err(_) => {}
            }
        }
    }
}

/// `tidegate subscribe` with a log of its own.
pub struct Guest {
    process: Process,
    log: PathBuf,
}

impl Guest {
    /// Starts one, and waits until it has its first message.
    pub fn start(endpoint: &str, directory: &Path, name: &str) -> Self {
        let log = directory.join(format!("{name}.log"));
        let mut command = tidegate();
        command.current_dir(directory).args(["subscribe", "--quiet", "--connect", endpoint, "--log"]).arg(&log);
        let guest = Self { process: Process::start(&mut command), log };
        wait_up_to(LONG_PATIENCE, "the first message of a subscriber", || (guest.lines() > 0).then_some(()));
        guest
    }

    /// How much it has written to its log.
    pub fn lines(&self) -> u64 {
        std::fs::read(&self.log).map_or(0, |log| log.iter().filter(|&&byte| byte == b'\n').count() as u64)
    }

    /// Ends it as a crash does. Returns how much it had received.
    pub fn kill(mut self) -> u64 {
        self.process.signal("KILL");
        self.process.wait();
        let lines = self.lines();
        std::fs::remove_file(&self.log).unwrap();
        lines
    }

    /// Stops its process, as a laptop that sleeps does.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on and end in order. Returns how much it says it has received.
    pub fn thaw(mut self) -> u64 {
        self.process.signal("CONT");
        self.process.signal("TERM");
        assert_eq!(self.process.wait().code(), Some(0), "{}", self.process.stderr());
        std::fs::remove_file(&self.log).unwrap();
        let stderr = self.process.stderr();
        let received = stderr.split("received=").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        received.unwrap_or_else(|| panic!("no tally: {stderr}"))
    }
}

/// Nobody is known to listen until a message has come: publishes with `publish` until all do. Then the count begins.
pub fn wait_until_all_listen(listeners: &[Listener], mut publish: impl FnMut(&str)) {
    wait_up_to(LONG_PATIENCE, "the listeners", || {
        publish("probe");
        std::thread::sleep(Duration::from_millis(20));
        listeners.iter().all(Listener::listens).then_some(())
    });
    publish(START);
}
