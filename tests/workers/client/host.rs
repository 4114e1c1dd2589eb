//! The host of a worker, played by the test: a ROUTER that speaks Majordomo 0.2 by hand.

use crate::harness::{END_PATIENCE, Process, tidegate};
use std::path::Path;
use std::time::{Duration, Instant};

pub type Frames = Vec<Vec<u8>>;

/// Long enough that nobody takes the other for lost while a test runs.
pub const CALM: &str = "--heartbeat=60s";

pub struct Hosting {
    socket: zmq::Socket,
    pub endpoint: String,
    pub directory: tempfile::TempDir,
}

impl Hosting {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// With options of the socket.
    pub fn with(set: impl FnOnce(&zmq::Socket)) -> Self {
        let socket = zmq::Context::new().socket(zmq::ROUTER).unwrap();
        socket.set_linger(0).unwrap();
        set(&socket);
        socket.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = socket.get_last_endpoint().unwrap().unwrap();
        Self { socket, endpoint, directory: tempfile::tempdir().unwrap() }
    }

    /// Listens at another place.
    pub fn move_to(&self, endpoint: &str) {
        self.socket.unbind(&self.endpoint).unwrap();
        self.socket.bind(endpoint).unwrap();
    }

    /// Starts a worker of the service `score` with this command.
    pub fn worker(&self, flags: &[&str], command: &[&str]) -> Process {
        start(self.directory.path(), &self.endpoint, flags, command)
    }

    /// As [`Hosting::worker`], with a script of the shell for its command.
    pub fn scripted(&self, flags: &[&str], script: &str) -> Process {
        self.worker(flags, &["sh", "-c", script])
    }

    /// The next message of any worker: its identity and the other frames; none after so long.
    pub fn receive_within(&self, patience: Duration) -> Option<(Vec<u8>, Frames)> {
        self.socket.set_rcvtimeo(i32::try_from(patience.as_millis()).unwrap()).unwrap();
        let mut frames = self.socket.recv_multipart(0).ok()?;
        Some((frames.remove(0), frames))
    }

    /// The next message that is no heartbeat.
    #[track_caller]
    pub fn receive(&self) -> (Vec<u8>, Frames) {
        let started = Instant::now();
        loop {
            let left = END_PATIENCE.saturating_sub(started.elapsed());
            let (worker, frames) = self.receive_within(left).expect("a message of the worker");
            if frames != heartbeat() {
                return (worker, frames);
            }
        }
    }

    /// Waits for a READY, and lets the worker hear that it is known.
    #[track_caller]
    pub fn ready(&self) -> Vec<u8> {
        let (worker, frames) = self.receive();
        assert_eq!(frames, [&b"MDPW02"[..], b"\x01", b"score"]);
        self.send(&worker, &heartbeat());
        worker
    }

    #[track_caller]
    pub fn send(&self, worker: &[u8], frames: &[Vec<u8>]) {
        let message = std::iter::once(worker).chain(frames.iter().map(Vec::as_slice));
        self.socket.send_multipart(message, 0).unwrap();
    }

    /// Gives a worker a message.
    #[track_caller]
    pub fn request(&self, worker: &[u8], token: &str, message: &[&[u8]]) {
        let head: [&[u8]; 4] = [b"MDPW02", b"\x02", token.as_bytes(), b""];
        let frames: Frames = head.iter().chain(message).map(|frame| frame.to_vec()).collect();
        self.send(worker, &frames);
    }

    /// Waits for the answer of this worker to this message, which is returned.
    #[track_caller]
    pub fn answer(&self, worker: &[u8], token: &str) -> Vec<u8> {
        let (from, mut frames) = self.receive();
        let answer = frames.pop().unwrap();
        let head: [&[u8]; 4] = [b"MDPW02", b"\x04", token.as_bytes(), b""];
        assert_eq!((from.as_slice(), frames.as_slice()), (worker, &head.map(<[u8]>::to_vec)[..]));
        answer
    }

    /// Gives a worker a message of one frame, and waits for its answer.
    #[track_caller]
    pub fn ask(&self, worker: &[u8], token: &str, body: &[u8]) -> Vec<u8> {
        self.request(worker, token, &[body]);
        self.answer(worker, token)
    }

    /// Waits for a DISCONNECT.
    #[track_caller]
    pub fn left_by(&self, worker: &[u8]) {
        assert_eq!(self.receive(), (worker.to_vec(), disconnect()));
    }

    /// Ends a worker in order.
    #[track_caller]
    pub fn end(&self, mut process: Process, worker: &[u8]) -> String {
        process.signal("TERM");
        self.left_by(worker);
        assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
        process.stderr()
    }
}

pub fn start(directory: &Path, endpoint: &str, flags: &[&str], command: &[&str]) -> Process {
    let mut worker = tidegate();
    worker.current_dir(directory).args(["worker", "--connect", endpoint, "--service", "score"]).args(flags);
    Process::start(worker.arg("--").args(command))
}

pub fn heartbeat() -> Frames {
    vec![b"MDPW02".to_vec(), vec![5]]
}

pub fn disconnect() -> Frames {
    vec![b"MDPW02".to_vec(), vec![6]]
}
