//! The faults that are injected meanwhile: subscribers are killed and suspended, clients disconnect early, plugins are
//! swapped, a worker panics.

use super::clients::Unawaited;
use super::ledger::Ledger;
use super::listeners::SubscribeProcess;
use super::{QUEUE_MESSAGES_MAX, callers, plugins, requesters};
use crate::harness::{Client, Host, LONG_PATIENCE, wait_up_to};
use std::time::{Duration, Instant};

/// The first frame that makes a worker panic, in a debug build with `TIDEGATE_FAULTS`.
const PANIC: &str = "tidegate-fault-panic";
/// The most that send and receive buffer of a loopback connection hold together.
const SOCKET_BUFFERS_BYTES: u64 = 16 << 20;
/// The least average size of a message; one in four is large.
const MESSAGE_BYTES: u64 = 2 << 10;

/// Injects faults, and counts those that appear in the ledger.
pub struct Faults<'a> {
    host: &'a Host,
    admin: Client,
    address: &'a str,
    round: u64,
    suspended: Option<(SubscribeProcess, Instant, u64)>,
    suspend: Duration,
    unawaited: Unawaited,
}

impl<'a> Faults<'a> {
    /// A subscriber that is suspended stays so for `suspend`.
    pub fn new(host: &'a Host, address: &'a str, suspend: Duration) -> Self {
        let admin = Client::at(host.surface("admin"));
        Self { host, admin, address, round: 0, suspended: None, suspend, unawaited: Unawaited::default() }
    }

    /// Injects one fault of each kind.
    pub fn round(&mut self) {
        self.round += 1;
        self.suspend_or_resume();
        self.kill();
        self.unawaited.calls += callers::disconnect_early(self.address);
        self.unawaited.requests += requesters::disconnect_early(self.host.surface("frontend"));
        self.swap();
        if cfg!(debug_assertions) {
            self.panic();
        }
    }

    /// Resumes a subscriber that is suspended.
    pub fn end(&mut self) {
        if let Some((subscriber, _, out)) = self.suspended.take() {
            let received = subscriber.resume();
            self.assert_at_most(received, out);
        }
    }

    fn suspend_or_resume(&mut self) {
        match &self.suspended {
            Some((_, since, _)) if since.elapsed() < self.suspend => {}
            Some(_) => self.end(),
            None => {
                let out = self.out();
                let subscriber = self.subscriber("suspended");
                subscriber.suspend();
                self.suspended = Some((subscriber, Instant::now(), out));
            }
        }
    }

    fn kill(&self) {
        let out = self.out();
        let subscriber = self.subscriber("killed");
        let (out_then, received_then) = (self.out(), subscriber.lines());
        std::thread::sleep(Duration::from_millis(200));
        let out_now = self.out();
        let received = subscriber.kill();
        self.assert_at_most(received, out);
        // Messages that went out and did not arrive were in the subscriber's queue or in socket buffers.
        let lost = (out_now - out_then).saturating_sub(received - received_then);
        assert!(
            lost <= QUEUE_MESSAGES_MAX + SOCKET_BUFFERS_BYTES / MESSAGE_BYTES,
            "{lost} lost by one that was killed"
        );
    }

    fn subscriber(&self, name: &str) -> SubscribeProcess {
        SubscribeProcess::start(
            self.host.surface("publish"),
            self.host.directory.path(),
            &format!("{name}-{}", self.round),
        )
    }

    /// The messages that were handed to libzmq so far.
    fn out(&self) -> u64 {
        Ledger::read(&self.admin).hop("publish").out
    }

    /// Asserts that a subscriber received no more than went out since before it connected.
    fn assert_at_most(&self, received: u64, out_before: u64) {
        let out = self.out() - out_before;
        assert!(received <= out, "{received} received of {out}");
    }

    /// Swaps each plugin, by its file and through the admin surface.
    fn swap(&self) {
        let turn = self.round * 2;
        self.swap_by_file("x", &plugins::transform(turn));
        self.put("x", &plugins::transform(turn + 1));
        self.put("trap", &plugins::trapping(turn));
        self.swap_by_file("policy", &plugins::policy(turn));
    }

    fn swap_by_file(&self, name: &str, bytes: &[u8]) {
        let beside = self.host.directory.path().join("newcomer");
        std::fs::write(&beside, bytes).unwrap();
        std::fs::rename(&beside, self.host.plugin_path(name)).unwrap();
        let digest = tidegate::plugin::digest(bytes);
        wait_up_to(LONG_PATIENCE, "the generation of a file", || {
            (self.host.status(name)["digest"] == digest).then_some(())
        });
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let answer = self.host.admin_request("PUT", &format!("/plugins/{name}"), Some(bytes));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn panic(&mut self) {
        let client = requesters::dealer(self.host.surface("frontend"));
        client.send(PANIC, 0).expect("room for a request");
        self.unawaited.panics += 1;
        wait_up_to(LONG_PATIENCE, "the panic of a worker", || {
            let ledger = Ledger::read(&self.admin);
            (ledger.hop("policy").dropped("panicked") == self.unawaited.panics).then_some(())
        });
    }

    /// The requests that were sent without waiting for their outcome.
    pub fn unawaited(self) -> Unawaited {
        self.unawaited
    }
}
