//! The authenticator of guarded sockets: the thread that answers libzmq's ZAP requests about who may connect.

use super::zap::Guarding;
use crate::config::AUTHORIZED_KEYS_LOOK_MS;
use crate::log_limit::LogLimit;
use crate::messaging::socket;
use crate::system::supervisor::Supervisor;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The endpoint to which libzmq sends ZAP requests, in each context.
const ENDPOINT: &str = "inproc://zeromq.zap.01";
/// How many frames of a request are kept; a request about CURVE has seven.
const FRAMES_MAX: usize = 8;
const STOP: u8 = b's';

/// The handle of the thread that answers for the sockets of one context. Once the thread has ended, for whatever
/// reason, no new peer is admitted.
#[derive(Debug)]
pub struct Authenticator {
    /// Stops the thread. Not a ZeroMQ socket: the context may be terminated by then.
    control: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Authenticator {
    /// Starts the thread. Guarded sockets may bind once this has returned.
    ///
    /// # Errors
    /// When the system gives no thread or socket pair, or the ZAP endpoint of the context cannot be bound.
    pub(super) fn start(
        context: &zmq::Context,
        guarding: Arc<Guarding>,
        supervisor: &Supervisor,
    ) -> Result<Self, String> {
        let (control, thread_control) = UnixStream::pair().map_err(|error| format!("starting ZAP: {error}"))?;
        let context = context.clone();
        let open = move || {
            let socket = context.socket(zmq::REP).map_err(socket::cause)?;
            socket.set_linger(0).map_err(socket::cause)?;
            socket::bind(&socket, ENDPOINT)?;
            Ok((AuthenticatorLoop { socket, control: thread_control, guarding }, ()))
        };
        let (thread, ()) = socket::spawn_owner((supervisor, "zap"), open, AuthenticatorLoop::run)
            .map_err(|cause: String| format!("starting ZAP at {ENDPOINT}: {cause}"))?;
        Ok(Self { control, thread: Some(thread) })
    }

    /// Ends the thread and waits for that, as dropping does. Established connections stay.
    pub fn stop(self) {}

    #[cfg(test)]
    fn die(&self) {
        (&self.control).write_all(b"!").expect("the thread lives");
    }
}

impl Drop for Authenticator {
    fn drop(&mut self) {
        // Writing fails if the thread has died already, which the supervisor has reported.
        let _ = self.control.write_all(&[STOP]);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// All that the thread owns.
struct AuthenticatorLoop {
    socket: zmq::Socket,
    control: UnixStream,
    guarding: Arc<Guarding>,
}

impl AuthenticatorLoop {
    fn run(mut self) -> Result<(), String> {
        match self.answer_until_stopped() {
            // The context was terminated.
            Ok(()) | Err(zmq::Error::ETERM) => Ok(()),
            Err(error) => Err(socket::cause(error)),
        }
    }

    fn answer_until_stopped(&mut self) -> zmq::Result<()> {
        let look_interval = Duration::from_millis(AUTHORIZED_KEYS_LOOK_MS);
        let mut log_limit = LogLimit::default();
        loop {
            let control = zmq::PollItem::from_fd(self.control.as_raw_fd(), zmq::POLLIN);
            let mut items = [control, self.socket.as_poll_item(zmq::POLLIN)];
            socket::poll(&mut items, Some(look_interval))?;
            let [control, asked] = items.map(|item| item.get_revents());
            if !control.is_empty() && self.receive_stop() {
                return Ok(());
            }
            self.guarding.keys.log_if_stalled();
            if !asked.is_empty() {
                match self.answer() {
                    // libzmq refuses the peer of this request, and the next request is answered.
                    Err(error) if error != zmq::Error::ETERM => {
                        if let Some(times) = log_limit.note(Instant::now()) {
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

    fn receive_stop(&mut self) -> bool {
        let mut word = [STOP];
        // The end of the stream, when the handle is gone, means the same.
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
        authenticator: Authenticator,
        router: zmq::Socket,
        endpoint: String,
    }

    fn curve(directory: &std::path::Path, client: &KeyPair) -> Curve {
        let host = KeyPair::generate().expect("a pair");
        fs::write(directory.join("secret.key"), host.secret).expect("a file");
        fs::create_dir(directory.join("keys")).expect("a folder");
        fs::write(directory.join("keys/client.key"), &client.public).expect("a file");
        Curve::load(&directory.join("secret.key"), &directory.join("keys"), &Supervisor::default()).expect("sound")
    }

    impl Guarded {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let client = KeyPair::generate().expect("a pair");
            let curve = curve(directory.path(), &client);
            let context = zmq::Context::new();
            let authenticator = curve.guard(&context).expect("a thread");
            let mut router = context.socket(zmq::ROUTER).expect("socket");
            curve.protect(&mut router).expect("options");
            router.set_linger(0).expect("linger");
            let endpoint = socket::bind(&router, "tcp://127.0.0.1:*").expect("a free port");
            Self { directory, curve, client, context, authenticator, router, endpoint }
        }

        /// Has a client with this key send, and gives what arrived with the name of its sender.
        fn receive_from(&self, pair: &KeyPair, wait: Duration) -> Option<socket::Received> {
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
        let received = guarded.receive_from(&guarded.client, SOON).expect("let in");
        assert_eq!(received.key.as_deref(), Some(guarded.client.public.as_str()));
        let stranger = KeyPair::generate().expect("a pair");
        assert!(guarded.receive_from(&stranger, IN_VAIN).is_none());
        assert!(guarded.curve.denials()["unknown-key"] > 0);
        fs::write(guarded.directory.path().join("keys/stranger"), &stranger.public).expect("a file");
        let added = Instant::now();
        while !guarded.curve.keys().contains(&stranger.public) {
            assert!(added.elapsed() < SOON);
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(guarded.receive_from(&stranger, SOON).is_some());
        assert_eq!(guarded.curve.supervisor.deaths(), []);
    }

    #[test]
    fn without_its_thread_nobody_gets_in() {
        let guarded = Guarded::new();
        assert!(guarded.receive_from(&guarded.client, SOON).is_some());
        guarded.authenticator.die();
        let died = Instant::now();
        while guarded.curve.supervisor.deaths().is_empty() {
            assert!(died.elapsed() < SOON);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(guarded.receive_from(&guarded.client, IN_VAIN).is_none());
        // Another one makes it well again.
        let again = guarded.curve.guard(&guarded.context).expect("a thread");
        assert!(guarded.receive_from(&guarded.client, SOON).is_some());
        again.stop();
        assert_eq!(guarded.curve.supervisor.deaths().len(), 1);
    }

    #[test]
    fn it_ends_with_its_context_and_after_it() {
        let Guarded { curve, mut context, authenticator, router, directory: _directory, .. } = Guarded::new();
        drop(router);
        while context.destroy() == Err(zmq::Error::EINTR) {}
        // With its last clone the crate would terminate it once more, though libzmq has freed it.
        std::mem::forget(context);
        authenticator.stop();
        assert_eq!(curve.supervisor.deaths(), []);
    }
}
