//! All clients that live: they make the load, and in the end their counts are held against the host's.

use super::books::Books;
use super::callers::{self, Called};
use super::course::Course;
use super::listeners::{Heard, Listener, wait_until_all_listen};
use super::pace::Pace;
use super::requesters::{self, REPLIES, Requested};
use crate::harness::{Client, Host};
use std::time::Duration;

const CALLERS: usize = 4;
const REQUESTERS: usize = 2;
const LISTENERS: usize = 2;

/// How both kinds of load are paced.
#[derive(Clone, Copy, Debug)]
pub struct Paces {
    pub calls: Pace,
    pub requests: Pace,
}

/// What clients did that did not wait for what came of it: the host may have taken it in or not.
#[derive(Debug, Default)]
pub struct Strangers {
    pub calls: u64,
    pub requests: u64,
    pub panics: u64,
}

/// The clients, and what they did and got so far.
pub struct Clients {
    address: String,
    frontend: String,
    listeners: Vec<Listener>,
    probes: u64,
    called: Vec<Called>,
    requested: Vec<Requested>,
}

impl Clients {
    /// Returns once every listener is known to listen.
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

    /// Makes load on all paths while `meanwhile` runs, and returns what that does once all of it has ended. Only where
    /// the host is `stopping` meanwhile may it close a connection.
    pub fn load<T>(&mut self, paces: Paces, stopping: bool, meanwhile: impl FnOnce(&Course) -> T) -> T {
        let course = &Course::new();
        let (address, frontend) = (&self.address, &self.frontend);
        // Each caller has a number of its own, over all loads.
        let numbers = (0..).skip(self.called.len()).take(CALLERS);
        std::thread::scope(|scope| {
            let callers: Vec<_> = numbers
                .map(|number| {
                    scope.spawn(move || callers::call(course, address, number, paces.calls.beat(CALLERS), stopping))
                })
                .collect();
            let requesters: Vec<_> = (0..REQUESTERS)
                .map(|_| scope.spawn(|| requesters::request(course, frontend, paces.requests, REQUESTERS)))
                .collect();
            let guard = course.end_with_me();
            let told = meanwhile(course);
            drop(guard);
            course.end();
            self.called.extend(callers.into_iter().map(|caller| caller.join().expect("a caller")));
            self.requested.extend(requesters.into_iter().map(|requester| requester.join().expect("a requester")));
            told
        })
    }

    /// Finds out what the host can do on both paths at once. Returns this `share` of it.
    pub fn calibrate(&mut self, time: Duration, share: f64) -> Paces {
        self.load(Paces { calls: Pace::Closed, requests: Pace::Closed }, false, |_| std::thread::sleep(time));
        let share_of = |count: u64| Pace::Open((count as f64 / time.as_secs_f64() * share).max(1.0));
        Paces { calls: share_of(self.answers(|_, _| true)), requests: share_of(self.sum(|requested| requested.sent)) }
    }

    /// Replies that came in so far.
    pub fn replies(&self) -> u64 {
        self.sum(|requested| requested.replies)
    }

    /// Messages that were published, the first ones included.
    pub fn published(&self) -> u64 {
        self.probes + self.answers(|_, status| status == 200)
    }

    /// One line of what was done.
    pub fn summary(&self) -> String {
        format!(
            "answers={} of them 200={} 502={} 503={} unanswered={} requests={} replies={} lacking={}",
            self.answers(|_, _| true),
            self.answers(|_, status| status == 200),
            self.answers(|_, status| status == 502),
            self.answers(|_, status| status == 503),
            self.called.iter().map(|called| called.unanswered).sum::<u64>(),
            self.sum(|requested| requested.sent),
            self.replies(),
            self.sum(|requested| requested.lacking),
        )
    }

    /// Whether every request has all its replies, or failed as it had to.
    pub fn assert_nothing_lacks(&self, books: &Books) {
        assert_eq!(self.sum(|requested| requested.lacking), 0, "requests without all their replies");
        let policy = books.hop("policy");
        assert_eq!(policy.dropped("trapped"), self.sum(|requested| requested.trapping), "{policy:?}");
    }

    /// Holds the ledger of the host, which has ended, to what the clients know.
    pub fn settle(self, books: &Books, strangers: &Strangers) {
        self.settle_http(books, strangers);
        self.settle_broker(books, strangers);
        self.settle_publisher(books);
    }

    fn settle_http(&self, books: &Books, strangers: &Strangers) {
        let (http, transform) = (books.hop("http"), books.hop("transform"));
        let answered = self.probes + self.answers(|_, _| true);
        assert!((answered..=answered + strangers.calls).contains(&http.out), "{answered} answers came: {http:?}");
        assert!(http.entered <= answered + strangers.calls, "{answered} answers came: {http:?}");
        let trapped = self.answers(|route, status| (route, status) == ("trap", 502));
        assert_eq!(transform.dropped("trapped"), trapped, "{transform:?}");
        let refused = self.answers(|_, status| status == 503);
        for (name, probes) in [("x", self.probes), ("trap", 0)] {
            let plugin = books.plugin(name);
            let out = probes + self.answers(|route, status| (route, status) == (name, 200));
            // A call that went well is answered with 503 all the same if the queue to publish is full.
            assert!((out..=out + refused).contains(&plugin.out), "{out} answers of {name}: {plugin:?}");
        }
    }

    fn settle_broker(&self, books: &Books, strangers: &Strangers) {
        let [policy, schedule, reply] = ["policy", "schedule", "reply"].map(|name| books.hop(name));
        let sent = self.sum(|requested| requested.sent) + strangers.requests + strangers.panics;
        assert!(policy.entered <= sent, "{sent} requests were sent: {policy:?}");
        assert_eq!(policy.dropped("panicked"), strangers.panics, "{policy:?}");
        assert_eq!(schedule.entered, policy.out * u64::from(REPLIES), "{policy:?} {schedule:?}");
        assert_eq!(reply.entered, schedule.out, "{schedule:?} {reply:?}");
        let to_strangers = strangers.requests * u64::from(REPLIES);
        let came = self.replies();
        assert!((came..=came + to_strangers).contains(&reply.out), "{came} replies came: {reply:?}");
        assert_eq!(reply.entered, reply.out + reply.dropped("unroutable"), "{reply:?}");
    }

    fn settle_publisher(self, books: &Books) {
        let publish = books.hop("publish");
        let published = self.published();
        // Probes are sent until the listeners hear one, so nobody may have wanted the first.
        let unwanted = publish.dropped("no-subscriber");
        assert!(unwanted <= self.probes, "{publish:?}");
        assert_eq!(publish.out + unwanted, published, "{publish:?}");
        assert_eq!(publish.entered - publish.dropped("queue-full"), published, "{publish:?}");
        let by_caller: Heard = (0..).zip(&self.called).map(|(caller, called)| (caller, called.published)).collect();
        for listener in self.listeners {
            assert_eq!(listener.finish(published - self.probes), by_caller);
        }
    }

    /// How many answers there were of the routes and statuses that are meant.
    fn answers(&self, meant: impl Fn(&str, u16) -> bool) -> u64 {
        let answers = self.called.iter().flat_map(|called| &called.answers);
        answers.filter(|((route, status), _)| meant(route, *status)).map(|(_, count)| count).sum()
    }

    fn sum(&self, figure: impl Fn(&Requested) -> u64) -> u64 {
        self.requested.iter().map(figure).sum()
    }
}
