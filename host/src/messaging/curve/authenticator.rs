//! The gate of guarded sockets: the thread that libzmq asks, by ZAP, who may connect.

use super::zap::Guarding;
use crate::complaint::Complaint;
use crate::config::AUTHORIZED_KEYS_LOOK_MS;
use crate::messaging::socket;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where libzmq asks, in each context.
const ENDPOINT: &str = "inproc://zeromq.zap.01";
/// Frames of a question that are kept; a question about CURVE has seven.
const FRAMES_MAX: usize = 8;
const STOP: u8 = b's';

/// The handle of the thread that answers for the sockets of one context. Once it has ended, for whatever reason, nobody
/// gets in any more.
#[derive(Debug)]
pub struct Gate {
    /// Not a ZeroMQ socket: the context may have gone by the time the thread is told to stop.
    control: UnixStream,
    alive: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gate {
    /// Starts the thread. Guarded sockets may bind once this has returned.
    pub(super) fn start(context: &zmq::Context, guarding: Arc<Guarding>) -> Result<Self, String> {
        let (control, heard) = UnixStream::pair().map_err(|error| format!("starting ZAP: {error}"))?;
        let context = context.clone();
        let alive = Arc::new(AtomicBool::new(true));
        let watched = Lifeline { alive: Arc::clone(&alive), guarding: Arc::clone(&guarding), told_to_stop: false };
        let open = move || {
            let socket = context.socket(zmq::REP).map_err(socket::cause)?;
            socket.set_linger(0).map_err(socket::cause)?;
            socket::bind(&socket, ENDPOINT)?;
            Ok((Keeper { socket, control: heard, guarding, life: watched }, ()))
        };
        let (thread, ()) = socket::spawn_owner("zap", open, Keeper::run)
            .map_err(|cause| format!("starting ZAP at {ENDPOINT}: {cause}"))?;
        Ok(Self { control, alive, thread: Some(thread) })
    }

    /// Whether anybody can still be let in.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Ends the thread and waits for that, as dropping does. Connections that are up stay up.
    pub fn stop(self) {}

    #[cfg(test)]
    fn die(&self) {
        (&self.control).write_all(b"!").expect("the thread lives");
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.control.write_all(&[STOP]);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("ZAP thread panicked");
        }
    }
}

/// All that the thread owns.
struct Keeper {
    socket: zmq::Socket,
    control: UnixStream,
    guarding: Arc<Guarding>,
    life: Lifeline,
}

/// Says that the thread has ended, in whatever way it does.
struct Lifeline {
    alive: Arc<AtomicBool>,
    guarding: Arc<Guarding>,
    told_to_stop: bool,
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Release);
        if !self.told_to_stop {
            self.guarding.lost.fetch_add(1, Ordering::Release);
            tracing::error!("the thread that looks keys up has ended: nobody is let in any more; restart the host");
        }
    }
}

impl Keeper {
    fn run(mut self) {
        match self.answer_until_told() {
            // The context was terminated.
            Ok(()) | Err(zmq::Error::ETERM) => self.life.told_to_stop = true,
            Err(error) => tracing::error!(%error, "ZAP ends"),
        }
    }

    fn answer_until_told(&mut self) -> zmq::Result<()> {
        let look_interval = Duration::from_millis(AUTHORIZED_KEYS_LOOK_MS);
        let mut failures = Complaint::default();
        loop {
            let control = zmq::PollItem::from_fd(self.control.as_raw_fd(), zmq::POLLIN);
            let mut items = [control, self.socket.as_poll_item(zmq::POLLIN)];
            socket::poll(&mut items, Some(look_interval))?;
            let [control, asked] = items.map(|item| item.get_revents());
            if !control.is_empty() && self.is_told_to_stop() {
                return Ok(());
            }
            self.guarding.keys.say_if_stalled();
            if !asked.is_empty() {
                match self.answer() {
                    // Whoever asked is refused by libzmq, and the next one is answered.
                    Err(error) if error != zmq::Error::ETERM => {
                        if let Some(times) = failures.note(Instant::now()) {
                            tracing::warn!(%error, times, "answering ZAP");
                        }
                    }
                    answered => answered?,
                }
            }
        }
    }

    fn answer(&self) -> zmq::Result<()> {
        let Some(frames) = socket::receive_now(&self.socket, FRAMES_MAX)? else { return Ok(()) };
        socket::send(&self.socket, &self.guarding.answer(&frames), 0)
    }

    fn is_told_to_stop(&mut self) -> bool {
        let mut word = [STOP];
        // A handle that has gone without a word means the same.
        let _ = self.control.read(&mut word);
        #[cfg(test)]
        assert_eq!(word, [STOP], "told to die");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::curve::Curve;
    use crate::messaging::curve::key::KeyPair;
    use std::fs;

    /// A ROUTER that is guarded, and one client that is authorized.
    struct Guarded {
        directory: tempfile::TempDir,
        curve: Curve,
        client: KeyPair,
        context: zmq::Context,
        gate: Gate,
        router: zmq::Socket,
        endpoint: String,
    }

    fn curve(directory: &std::path::Path, client: &KeyPair) -> Curve {
        let host = KeyPair::generate().expect("a pair");
        fs::write(directory.join("secret.key"), host.secret).expect("a file");
        fs::create_dir(directory.join("keys")).expect("a folder");
        fs::write(directory.join("keys/client.key"), &client.public).expect("a file");
        Curve::load(&directory.join("secret.key"), &directory.join("keys")).expect("sound")
    }

    impl Guarded {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let client = KeyPair::generate().expect("a pair");
            let curve = curve(directory.path(), &client);
            let context = zmq::Context::new();
            let gate = curve.guard(&context).expect("a thread");
            let mut router = context.socket(zmq::ROUTER).expect("socket");
            curve.protect(&mut router).expect("options");
            router.set_linger(0).expect("linger");
            let endpoint = socket::bind(&router, "tcp://127.0.0.1:*").expect("a free port");
            Self { directory, curve, client, context, gate, router, endpoint }
        }

        /// Has a client with this key send, and gives what arrived with the name of its sender.
        fn hear(&self, pair: &KeyPair, wait: Duration) -> Option<socket::Received> {
            let dealer = zmq::Context::new().socket(zmq::DEALER).expect("socket");
            dealer.set_curve_serverkey(self.curve.public_key().as_bytes()).expect("key");
            dealer.set_curve_publickey(pair.public.as_bytes()).expect("key");
            dealer.set_curve_secretkey(pair.secret.as_bytes()).expect("key");
            dealer.set_linger(0).expect("linger");
            dealer.connect(&self.endpoint).expect("connect");
            dealer.send("hello", 0).expect("room");
            self.router.poll(zmq::POLLIN, wait.as_millis() as i64).expect("poll");
            socket::receive_from(&self.router, 2).expect("a socket")
        }
    }

    const SOON: Duration = Duration::from_secs(20);
    /// Long enough for any handshake that is going to succeed.
    const IN_VAIN: Duration = Duration::from_millis(500);

    #[test]
    fn an_authorized_key_gets_in_and_signs_its_messages() {
        let guarded = Guarded::new();
        let received = guarded.hear(&guarded.client, SOON).expect("let in");
        assert_eq!(received.key.as_deref(), Some(guarded.client.public.as_str()));
        let stranger = KeyPair::generate().expect("a pair");
        assert!(guarded.hear(&stranger, IN_VAIN).is_none());
        assert!(guarded.curve.denials()["unknown-key"] > 0);
        fs::write(guarded.directory.path().join("keys/stranger"), &stranger.public).expect("a file");
        let added = Instant::now();
        while !guarded.curve.keys().contains(&stranger.public) {
            assert!(added.elapsed() < SOON);
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(guarded.hear(&stranger, SOON).is_some());
        assert!(guarded.gate.is_alive());
    }

    #[test]
    fn without_its_thread_nobody_gets_in() {
        let guarded = Guarded::new();
        assert!(guarded.hear(&guarded.client, SOON).is_some());
        guarded.gate.die();
        let died = Instant::now();
        while guarded.gate.is_alive() {
            assert!(died.elapsed() < SOON);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(guarded.hear(&guarded.client, IN_VAIN).is_none());
        assert_eq!(guarded.curve.gates_lost(), 1);
        // Another one makes it well again.
        let again = guarded.curve.guard(&guarded.context).expect("a thread");
        assert!(guarded.hear(&guarded.client, SOON).is_some());
        again.stop();
        assert_eq!(guarded.curve.gates_lost(), 1);
    }

    #[test]
    fn it_ends_with_its_context_and_after_it() {
        let Guarded { curve, context, gate, router, directory: _directory, .. } = Guarded::new();
        drop(router);
        socket::terminate(context);
        gate.stop();
        assert_eq!(curve.gates_lost(), 0);
    }
}
