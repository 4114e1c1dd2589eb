//! Load shedding: when requests wait for too long before anybody looks at them, some are turned away at once, so that
//! the others are answered soon.
//!
//! A probe sleeps among the requests' tasks and tells by how much it woke up late: that is how long a request that
//! comes in now waits. A controller in the manner of PIE (RFC 8033) turns that wait into the share of requests to turn
//! away. It is stepped by the requests themselves, so an idle host does nothing. A wait alone is no overload: it has to
//! stand for some time over many requests, or a stall of the machine would turn requests away that could be answered.

mod controller;

use controller::Controller;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// The pace of the probe and of the controller: fine enough to see a burst within its first hundredths of a second.
const STEP: Duration = Duration::from_millis(5);
/// How many counters there are, to which routes are assigned by a hash.
const ROUTES: usize = 64;

/// Decides which requests to turn away.
#[derive(Debug)]
pub struct OverloadDetector {
    delay_max: Option<Duration>,
    epoch: Instant,
    routes: [Route; ROUTES],
    requests: AtomicU64,
    probing: AtomicBool,
    /// When the probe was or is to wake up, and the last wait that it found; nanoseconds since `epoch`.
    probe_due: AtomicU64,
    last_wait: AtomicU64,
    controller: Mutex<Controller>,
}

/// What is known of the requests for one route.
#[derive(Debug, Default)]
struct Route {
    /// Since the last step.
    requests: AtomicU32,
    /// The share to turn away, of `u32::MAX`.
    share: AtomicU32,
    /// The shares so far, which wrap around with each request that is turned away: evenly, not at random.
    sum: AtomicU32,
}

impl OverloadDetector {
    /// Sheds once requests wait for longer than `delay_max`; none: never.
    pub fn new(delay_max: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            delay_max,
            epoch: Instant::now(),
            routes: std::array::from_fn(|_| Route::default()),
            requests: AtomicU64::new(0),
            probing: AtomicBool::new(false),
            probe_due: AtomicU64::new(0),
            last_wait: AtomicU64::new(0),
            controller: Mutex::default(),
        })
    }

    /// Whether to turn a request for this path away. Called within the runtime that serves.
    pub(super) fn sheds(self: &Arc<Self>, path: &str, now: Instant) -> bool {
        let Some(delay_max) = self.delay_max else { return false };
        let route = &self.routes[route(path)];
        route.requests.fetch_add(1, Ordering::Relaxed);
        let requests = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let now = now.saturating_duration_since(self.epoch);
        if !self.probing.swap(true, Ordering::Relaxed) {
            self.probe(now);
        }
        // Whoever comes while another request steps it goes by the share before.
        if let Ok(mut controller) = self.controller.try_lock()
            && now.saturating_sub(controller.stepped) >= STEP
        {
            let share = controller.step(now, requests, self.wait(now), delay_max);
            let counts = self.routes.iter().map(|route| f64::from(route.requests.swap(0, Ordering::Relaxed)));
            for (route, share) in self.routes.iter().zip(controller.shares(counts, share)) {
                route.share.store((share * f64::from(u32::MAX)) as u32, Ordering::Relaxed);
            }
        }
        let share = route.share.load(Ordering::Relaxed);
        share > 0 && route.sum.fetch_add(share, Ordering::Relaxed).checked_add(share).is_none()
    }

    /// How long a request waits now: what the last probe found, or the one under way has waited already.
    fn wait(&self, now: Duration) -> Duration {
        let due = Duration::from_nanos(self.probe_due.load(Ordering::Relaxed));
        Duration::from_nanos(self.last_wait.load(Ordering::Relaxed)).max(now.saturating_sub(due))
    }

    fn probe(self: &Arc<Self>, now: Duration) {
        let due = now + STEP;
        self.probe_due.store(nanos(due), Ordering::Relaxed);
        let detector = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep_until((detector.epoch + due).into()).await;
            back_to_the_queue().await;
            let wait = detector.epoch.elapsed().saturating_sub(due);
            detector.last_wait.store(nanos(wait), Ordering::Relaxed);
            detector.probing.store(false, Ordering::Relaxed);
        });
    }
}

/// Which counters a path has: those of its first segment, as the routes are called by it.
fn route(path: &str) -> usize {
    let first = path.split('/').nth(1).unwrap_or_default();
    first.bytes().fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte))) % ROUTES
}

/// Lets every task that is ready on this thread go first. A task that a timer woke is among the first to run, before
/// requests that came in earlier; one that wakes itself goes to the end of the queue, where a request that comes in now
/// would be. (tokio's own `yield_now` waits for the timers instead, and is the first again.)
async fn back_to_the_queue() {
    let mut been_there = false;
    poll_fn(|context| {
        if std::mem::replace(&mut been_there, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_told_by_the_first_of_its_path() {
        assert_eq!(route("/downcase/"), route("/downcase"));
        assert_ne!(route("/downcase/"), route("/loop/"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn requests_that_wait_behind_others_are_turned_away() {
        let detector = OverloadDetector::new(Some(Duration::from_millis(20)));
        let mut turned_away = 0;
        for _ in 0..400 {
            turned_away += u32::from(detector.sheds("/x/", Instant::now()));
            // Work that holds the thread, and nothing else gets a turn.
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
        }
        assert!(turned_away > 50, "{turned_away}");
        assert!(!OverloadDetector::new(None).sheds("/x/", Instant::now()));
    }
}
