//! The clients that stay: they make the load, and in the end their counts are compared with the host's ledger.

use super::callers::{self, Called};
use super::ledger::Ledger;
use super::listeners::{Listener, Received, wait_until_all_listen};
use super::pace::Pace;
use super::requesters::{self, REPLIES, Requested};
use super::run::Run;
use crate::harness::{Client, Host};
use std::time::Duration;

const CALLERS: usize = 4;
const REQUESTERS: usize = 2;
const LISTENERS: usize = 2;

/// The pace of HTTP calls and of broker requests.
#[derive(Clone, Copy, Debug)]
pub struct Paces {
    pub calls: Pace,
    pub requests: Pace,
}

/// What was sent by clients that did not wait for the outcome: the host may have received it or not.
#[derive(Debug, Default)]
pub struct Unawaited {
    pub calls: u64,
    pub requests: u64,
    pub panics: u64,
}

/// The clients and their results so far.
pub struct Clients {
    address: String,
    frontend: String,
    listeners: Vec<Listener>,
    probes: u64,
    called: Vec<Called>,
    requested: Vec<Requested>,
}

impl Clients {
    /// Starts the listeners, and returns once each of them receives messages.
    pub fn start(host: &Host) -> Self {
        let listeners: Vec<_> = (0..LISTENERS).map(|_| Listener::start(host.surface("publish"))).collect();
        let (client, mut probes) = (Client::new(host), 0);
        wait_until_all_listen(&listeners, |text| {
            let answer = client.request("GET", &format!("/x/?param={text}"), None).expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.text());
            probes += 1;
        });
        Self {
            address: host.surface("http").trim_start_matches("http://").to_owned(),
            frontend: host.surface("frontend").to_owned(),
            listeners,
            probes,
            called: Vec::new(),
            requested: Vec::new(),
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes load on all paths while `meanwhile` runs, and returns its result once all generators have ended. The host
    /// may close connections only if it is `stopping` meanwhile.
    pub fn load<T>(&mut self, paces: Paces, stopping: bool, meanwhile: impl FnOnce(&Run) -> T) -> T {
        let run = &Run::new();
        let (address, frontend) = (&self.address, &self.frontend);
        // The numbers of the callers are unique over all loads.
        let numbers = (0..).skip(self.called.len()).take(CALLERS);
        std::thread::scope(|scope| {
            let callers: Vec<_> = numbers
                .map(|number| {
                    scope.spawn(move || callers::call(run, address, number, paces.calls.schedule(CALLERS), stopping))
                })
                .collect();
            let requesters: Vec<_> = (0..REQUESTERS)
                .map(|_| scope.spawn(|| requesters::request(run, frontend, paces.requests, REQUESTERS)))
                .collect();
            let guard = run.end_on_panic();
            let result = meanwhile(run);
            drop(guard);
            run.end();
            self.called.extend(callers.into_iter().map(|caller| caller.join().expect("a caller")));
            self.requested.extend(requesters.into_iter().map(|requester| requester.join().expect("a requester")));
            result
        })
    }

    /// Measures the rates that the host sustains on both paths at once. Returns this `share` of them.
    pub fn calibrate(&mut self, time: Duration, share: f64) -> Paces {
        self.load(Paces { calls: Pace::Closed, requests: Pace::Closed }, false, |_| std::thread::sleep(time));
        let share_of = |count: u64| Pace::Open((count as f64 / time.as_secs_f64() * share).max(1.0));
        Paces { calls: share_of(self.answers(|_, _| true)), requests: share_of(self.sum(|requested| requested.sent)) }
    }

    /// The replies that were received so far.
    pub fn replies(&self) -> u64 {
        self.sum(|requested| requested.replies)
    }

    /// The messages that were published, including the probes.
    pub fn published(&self) -> u64 {
        self.probes + self.answers(|_, status| status == 200)
    }

    /// The results in one line.
    pub fn summary(&self) -> String {
        format!(
            "answers={} of them 200={} 502={} 503={} unanswered={} requests={} replies={} incomplete={}",
            self.answers(|_, _| true),
            self.answers(|_, status| status == 200),
            self.answers(|_, status| status == 502),
            self.answers(|_, status| status == 503),
            self.called.iter().map(|called| called.unanswered).sum::<u64>(),
            self.sum(|requested| requested.sent),
            self.replies(),
            self.sum(|requested| requested.incomplete),
        )
    }

    /// Asserts that every request has all its replies, or made the policy trap on purpose.
    pub fn assert_all_replied(&self, ledger: &Ledger) {
        assert_eq!(self.sum(|requested| requested.incomplete), 0, "requests without all their replies");
        let policy = ledger.hop("policy");
        assert_eq!(policy.dropped("trapped"), self.sum(|requested| requested.trapping), "{policy:?}");
    }

    /// Compares the final ledger of the host with the clients' counts.
    pub fn compare(self, ledger: &Ledger, unawaited: &Unawaited) {
        self.compare_http(ledger, unawaited);
        self.compare_broker(ledger, unawaited);
        self.compare_publisher(ledger);
    }

    fn compare_http(&self, ledger: &Ledger, unawaited: &Unawaited) {
        let (http, transform) = (ledger.hop("http"), ledger.hop("transform"));
        let answered = self.probes + self.answers(|_, _| true);
        assert!((answered..=answered + unawaited.calls).contains(&http.out), "{answered} answers came: {http:?}");
        assert!(http.entered <= answered + unawaited.calls, "{answered} answers came: {http:?}");
        let trapped = self.answers(|route, status| (route, status) == ("trap", 502));
        assert_eq!(transform.dropped("trapped"), trapped, "{transform:?}");
        let refused = self.answers(|_, status| status == 503);
        for (name, probes) in [("x", self.probes), ("trap", 0)] {
            let plugin = ledger.plugin(name);
            let out = probes + self.answers(|route, status| (route, status) == (name, 200));
            // A call that succeeds is answered with 503 if the publisher's queue is full.
            assert!((out..=out + refused).contains(&plugin.out), "{out} answers of {name}: {plugin:?}");
        }
    }

    fn compare_broker(&self, ledger: &Ledger, unawaited: &Unawaited) {
        let [policy, schedule, reply] = ["policy", "schedule", "reply"].map(|name| ledger.hop(name));
        let sent = self.sum(|requested| requested.sent) + unawaited.requests + unawaited.panics;
        assert!(policy.entered <= sent, "{sent} requests were sent: {policy:?}");
        assert_eq!(policy.dropped("panicked"), unawaited.panics, "{policy:?}");
        assert_eq!(schedule.entered, policy.out * u64::from(REPLIES), "{policy:?} {schedule:?}");
        assert_eq!(reply.entered, schedule.out, "{schedule:?} {reply:?}");
        let to_unawaited = unawaited.requests * u64::from(REPLIES);
        let received = self.replies();
        assert!((received..=received + to_unawaited).contains(&reply.out), "{received} replies received: {reply:?}");
        assert_eq!(reply.entered, reply.out + reply.dropped("unroutable"), "{reply:?}");
    }

    fn compare_publisher(self, ledger: &Ledger) {
        let publish = ledger.hop("publish");
        let published = self.published();
        // Probes are sent until the listeners receive one, so the first ones may have had no subscriber.
        let unwanted = publish.dropped("no-subscriber");
        assert!(unwanted <= self.probes, "{publish:?}");
        assert_eq!(publish.out + unwanted, published, "{publish:?}");
        assert_eq!(publish.entered - publish.dropped("queue-full"), published, "{publish:?}");
        let by_caller: Received = (0..).zip(&self.called).map(|(caller, called)| (caller, called.published)).collect();
        for listener in self.listeners {
            assert_eq!(listener.finish(published - self.probes), by_caller);
        }
    }

    /// The number of answers whose route and status match.
    fn answers(&self, matches: impl Fn(&str, u16) -> bool) -> u64 {
        let answers = self.called.iter().flat_map(|called| &called.answers);
        answers.filter(|((route, status), _)| matches(route, *status)).map(|(_, count)| count).sum()
    }

    fn sum(&self, count: impl Fn(&Requested) -> u64) -> u64 {
        self.requested.iter().map(count).sum()
    }
}
