//! All that goes wrong meanwhile: subscribers die and stall, clients vanish, plugins are swapped, a worker panics.

use super::books::Books;
use super::clients::Strangers;
use super::listeners::Guest;
use super::{QUEUE_MESSAGES_MAX, callers, plugins, requesters};
use crate::harness::{Client, Host, LONG_PATIENCE, wait_up_to};
use std::time::{Duration, Instant};

/// A request whose first frame this is makes its worker panic, in a debug build that is told to have faults.
const PANIC: &str = "tidegate-fault-panic";
/// What the system holds at most between two processes of this machine, send and receive buffer together.
const SOCKET_BUFFERS_BYTES: u64 = 16 << 20;
/// What a message has on the average at least; one in four is large.
const MESSAGE_BYTES: u64 = 2 << 10;

/// Makes trouble, and counts what of it the ledger knows too.
pub struct Trouble<'a> {
    host: &'a Host,
    admin: Client,
    address: &'a str,
    round: u64,
    frozen: Option<(Guest, Instant, u64)>,
    freeze: Duration,
    strangers: Strangers,
}

impl<'a> Trouble<'a> {
    /// A stopped subscriber stays so for `freeze`.
    pub fn new(host: &'a Host, address: &'a str, freeze: Duration) -> Self {
        let admin = Client::at(host.surface("admin"));
        Self { host, admin, address, round: 0, frozen: None, freeze, strangers: Strangers::default() }
    }

    /// One of each.
    pub fn round(&mut self) {
        self.round += 1;
        self.freeze_or_thaw();
        self.kill();
        self.strangers.calls += callers::vanish(self.address);
        self.strangers.requests += requesters::vanish(self.host.surface("frontend"));
        self.swap();
        if cfg!(debug_assertions) {
            self.panic();
        }
    }

    /// Lets a subscriber that is stopped go on.
    pub fn end(&mut self) {
        if let Some((guest, _, out)) = self.frozen.take() {
            let received = guest.thaw();
            self.assert_at_most(received, out);
        }
    }

    fn freeze_or_thaw(&mut self) {
        match &self.frozen {
            Some((_, since, _)) if since.elapsed() < self.freeze => {}
            Some(_) => self.end(),
            None => {
                let out = self.out();
                let guest = self.guest("frozen");
                guest.freeze();
                self.frozen = Some((guest, Instant::now(), out));
            }
        }
    }

    fn kill(&self) {
        let out = self.out();
        let guest = self.guest("killed");
        let (out_then, received_then) = (self.out(), guest.lines());
        std::thread::sleep(Duration::from_millis(200));
        let out_now = self.out();
        let received = guest.kill();
        self.assert_at_most(received, out);
        // What went out and did not arrive was in its queue or in the system's buffers.
        let lost = (out_now - out_then).saturating_sub(received - received_then);
        assert!(
            lost <= QUEUE_MESSAGES_MAX + SOCKET_BUFFERS_BYTES / MESSAGE_BYTES,
            "{lost} lost by one that was killed"
        );
    }

    fn guest(&self, name: &str) -> Guest {
        Guest::start(self.host.surface("publish"), self.host.directory.path(), &format!("{name}-{}", self.round))
    }

    /// Messages that were handed to libzmq so far.
    fn out(&self) -> u64 {
        Books::read(&self.admin).hop("publish").out
    }

    /// Nobody receives more than went out since before it came.
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
        self.strangers.panics += 1;
        wait_up_to(LONG_PATIENCE, "the panic of a worker", || {
            let books = Books::read(&self.admin);
            (books.hop("policy").dropped("panicked") == self.strangers.panics).then_some(())
        });
    }

    /// What was done that nobody waited for.
    pub fn strangers(self) -> Strangers {
        self.strangers
    }
}
