//! A worker as the ZeroMQ Guide has it: a DEALER that speaks version 0.2 of Majordomo (RFC 18).

use crate::harness::PATIENCE;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const MAJORDOMO: &[u8] = b"MDPW02";
const READY: &[u8] = &[1];
const REQUEST: &[u8] = &[2];
const PARTIAL: &[u8] = &[3];
const FINAL: &[u8] = &[4];
const HEARTBEAT: &[u8] = &[5];
const DISCONNECT: &[u8] = &[6];

/// What the workers of a test are told to do after so many milliseconds of silence.
pub const HEARTBEAT_MS: u64 = 100;

/// A pool with a socket in a directory; its workers need send no heartbeats unless `keys` say so.
pub fn pool(directory: &Path, name: &str, keys: &str) -> String {
    let heartbeat = if keys.contains("heartbeat_ms") { "" } else { "heartbeat_ms = 600_000\n" };
    format!("[workers.{name}]\nbind = ['{}']\n{heartbeat}{keys}\n", endpoint(directory, name))
}

/// Where that binds.
pub fn endpoint(directory: &Path, name: &str) -> String {
    format!("ipc://{}/{name}", directory.display())
}

/// A worker that does what a test says.
pub struct Worker(zmq::Socket);

/// A message that it has.
pub struct Job {
    envelope: Vec<Vec<u8>>,
    pub frames: Vec<Vec<u8>>,
}

impl Job {
    /// Its last frame, as text.
    pub fn body(&self) -> String {
        String::from_utf8(self.frames.last().expect("a frame").clone()).unwrap()
    }
}

impl Worker {
    /// Connects, and says that it is ready for the messages of a pool.
    pub fn of(directory: &Path, name: &str) -> Self {
        Self::at(&endpoint(directory, name), name, "")
    }

    /// The same, at an endpoint and with an identity, unless that is empty.
    pub fn at(endpoint: &str, service: &str, identity: &str) -> Self {
        let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
        // What it has said has gone out when it goes.
        socket.set_linger(1_000).unwrap();
        socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
        if !identity.is_empty() {
            socket.set_identity(identity.as_bytes()).unwrap();
        }
        socket.connect(endpoint).unwrap();
        socket.send_multipart([MAJORDOMO, READY, service.as_bytes()], 0).unwrap();
        Self(socket)
    }

    /// Waits until the host tells it to go.
    #[track_caller]
    pub fn wait_to_go(&self) {
        loop {
            let frames = self.0.recv_multipart(0).expect("a message");
            if frames != [MAJORDOMO, HEARTBEAT] {
                return assert_eq!(frames, [MAJORDOMO, DISCONNECT]);
            }
        }
    }

    /// Whether anything has come that it has not taken.
    pub fn has_more(&self) -> bool {
        self.0.recv_multipart(zmq::DONTWAIT).is_ok()
    }

    /// The next message.
    #[track_caller]
    pub fn take(&self) -> Job {
        loop {
            let mut frames = self.0.recv_multipart(0).expect("a message").into_iter();
            assert_eq!(frames.next().as_deref(), Some(MAJORDOMO));
            match frames.next().as_deref() {
                Some(REQUEST) => {
                    let envelope = frames.by_ref().take(2).collect();
                    return Job { envelope, frames: frames.collect() };
                }
                Some(HEARTBEAT) => {}
                other => panic!("{other:?} is no message"),
            }
        }
    }

    /// A part of its answer, of which more is to come.
    pub fn add(&self, job: &Job, frames: &[&[u8]]) {
        self.say(PARTIAL, job, frames);
    }

    /// Its answer, or the last part of it.
    pub fn answer(&self, job: &Job, frames: &[&[u8]]) {
        self.say(FINAL, job, frames);
    }

    fn say(&self, command: &[u8], job: &Job, frames: &[&[u8]]) {
        let envelope = job.envelope.iter().map(Vec::as_slice);
        let all = [MAJORDOMO, command].into_iter().chain(envelope).chain(frames.iter().copied());
        self.0.send_multipart(all, 0).unwrap();
    }
}

/// A worker that goes on, whatever becomes of its host, until it is dropped: it answers with the last frame.
pub struct Echo {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// At each of these endpoints in turn, as long as somebody answers there.
    pub fn at(endpoints: Vec<String>, service: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (until, service) = (Arc::clone(&is_over), service.to_owned());
        let thread = std::thread::spawn(move || {
            for endpoint in endpoints.iter().cycle() {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                echo(endpoint, &service, &until);
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

/// One life of a worker: until the host says that it ends, or says nothing for three heartbeats.
fn echo(endpoint: &str, service: &str, is_over: &AtomicBool) {
    let heartbeat = Duration::from_millis(HEARTBEAT_MS);
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_linger(1_000).unwrap();
    // Nothing of one life is said in the next.
    socket.set_immediate(true).unwrap();
    socket.set_sndtimeo(HEARTBEAT_MS as i32).unwrap();
    socket.connect(endpoint).unwrap();
    if socket.send_multipart([MAJORDOMO, READY, service.as_bytes()], 0).is_err() {
        return;
    }
    let (mut heard, mut said) = (Instant::now(), Instant::now());
    while !is_over.load(Ordering::Relaxed) && heard.elapsed() < 3 * heartbeat {
        if said.elapsed() >= heartbeat {
            let _ = socket.send_multipart([MAJORDOMO, HEARTBEAT], 0);
            said = Instant::now();
        }
        if socket.poll(zmq::POLLIN, HEARTBEAT_MS as i64 / 4) != Ok(1) {
            continue;
        }
        heard = Instant::now();
        let frames = socket.recv_multipart(0).unwrap();
        match &frames[1][..] {
            REQUEST => {
                let body = frames.last().expect("a frame");
                let _ = socket.send_multipart([MAJORDOMO, FINAL, &frames[2], b"", body], 0);
            }
            DISCONNECT => return,
            _ => {}
        }
    }
    let _ = socket.send_multipart([MAJORDOMO, DISCONNECT], 0);
}
