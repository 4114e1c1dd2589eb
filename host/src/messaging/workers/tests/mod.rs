//! A pool with real sockets as its workers.

mod answers;
mod hostile;
mod lost;

use super::*;
use crate::config::{Retry, WorkerCodec, WorkerProtocol};
use crate::flow::{Failure, Fault, Message, Pool, PoolStatus, Processed, Streamed, Surface};
use crate::ledger::Reason;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

/// A pool with its hops.
struct Fixture {
    supervisor: Supervisor,
    pool: Arc<WorkerPool>,
    hops: PoolHops,
    runtime: tokio::runtime::Runtime,
}

impl Fixture {
    fn new(change: impl FnOnce(&mut config::WorkerPool)) -> Self {
        let mut config: config::WorkerPool =
            toml::from_str("bind = ['tcp://127.0.0.1:*']\nheartbeat_ms = 200\nanswer_bytes_max = 10_000")
                .expect("a pool");
        change(&mut config);
        let messaging = config::Messaging { frame_bytes_max: 1 << 20, ..config::Messaging::default() };
        let ipc = IpcAccess { mode: 0o700, group: None };
        let settings = PoolSettings { name: "workers.score".to_owned(), config, messaging, ipc, curve: None };
        let hops = PoolHops { messages: Arc::default(), answers: Arc::default() };
        let supervisor = Supervisor::default();
        let pool = WorkerPool::open(settings, hops.clone(), &supervisor).expect("a pool");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
        Self { supervisor, pool, hops, runtime: runtime.expect("a runtime") }
    }

    /// Hands over a message, whose answer is waited for later.
    fn ask(&self, body: &'static str) -> Asked {
        let stage = self.pool.stage(false);
        let message = Message { frames: [body.into()].into_iter().collect(), ..Message::default() };
        self.runtime.spawn(async move { stage.process(message, 1).await })
    }

    fn told(&self, asked: Asked) -> Result<Vec<Vec<String>>, Failure> {
        let Processed { by: _, result } = self.block_on(asked).expect("no panic");
        let texts = |message: Message| message.frames.iter().map(|frame| text(frame)).collect();
        result
            .map(|outputs| outputs.into_iter().map(|output| texts(output.message)).collect())
            .map_err(|failed| failed.failure)
    }

    fn status(&self) -> PoolStatus {
        self.block_on(self.pool.list()).expect("the pool answers")
    }

    fn wait_for(&self, what: &str, holds: impl Fn(&PoolStatus) -> bool) {
        let began = Instant::now();
        while !holds(&self.status()) {
            assert!(began.elapsed() < SOON, "{what}: {:?}", self.status());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(SOON, future).await.expect("it takes too long") })
    }

    /// Ends the pool: nothing has died, and all counts balance.
    fn end(self) {
        let pool = Arc::clone(&self.pool);
        self.block_on(async { pool.end(Instant::now() + SOON).await });
        assert_eq!(self.supervisor.deaths(), []);
        for hop in [&self.hops.messages, &self.hops.answers] {
            assert!(hop.figures().balanced() && hop.figures().in_flight == 0, "{:?}", hop.figures());
        }
    }

    fn dropped(&self, reason: Reason) -> u64 {
        self.hops.messages.figures().dropped(reason)
    }

    fn refused_answers(&self, reason: Reason) -> u64 {
        self.hops.answers.figures().dropped(reason)
    }
}

type Asked = tokio::task::JoinHandle<Processed>;

fn text(frame: &[u8]) -> String {
    String::from_utf8_lossy(frame).into_owned()
}

/// A worker of another make, frame by frame.
struct RawWorker(zmq::Socket);

impl RawWorker {
    fn connect(kind: zmq::SocketType, fixture: &Fixture) -> Self {
        let socket = zmq::Context::new().socket(kind).expect("a socket");
        socket.set_rcvtimeo(SOON.as_millis() as i32).expect("a timeout");
        socket.set_linger(0).expect("a linger");
        let endpoint = fixture.pool.endpoint();
        socket.connect(endpoint.split(' ').next().expect("an endpoint")).expect("a connection");
        Self(socket)
    }

    /// One of Majordomo 0.2 that is ready.
    fn majordomo(fixture: &Fixture) -> Self {
        let newest = |status: &PoolStatus| status.workers.last().map(|worker| worker.id);
        let before = newest(&fixture.status());
        let worker = Self::connect(zmq::DEALER, fixture);
        worker.say(&[b"MDPW02", b"\x01", b"score"]);
        fixture.wait_for("it is ready", |status| newest(status) > before);
        worker
    }

    fn say(&self, frames: &[&[u8]]) {
        self.0.send_multipart(frames, 0).expect("it is sent");
    }

    /// The next message that is no heartbeat.
    fn hear(&self) -> Vec<Vec<u8>> {
        loop {
            let frames = self.0.recv_multipart(0).expect("a message");
            if !is_heartbeat(&frames) {
                return frames;
            }
        }
    }

    /// The token and the body of the next request of Majordomo 0.2.
    fn take(&self) -> (Vec<u8>, String) {
        let frames = self.hear();
        assert_eq!((&*frames[0], &*frames[1], frames[3].len()), (&b"MDPW02"[..], &b"\x02"[..], 0), "{frames:?}");
        (frames[2].clone(), text(&frames[4]))
    }

    fn answer(&self, token: &[u8], body: &[u8]) {
        self.say(&[b"MDPW02", b"\x04", token, b"", body]);
    }
}

fn is_heartbeat(frames: &[Vec<u8>]) -> bool {
    match frames {
        [one] => one == b"\x02",
        [head, command] => head == b"MDPW02" && command == b"\x05",
        [_, head, command] => head == b"MDPW01" && command == b"\x04",
        _ => false,
    }
}
