//! The meter of one call: what it had of the processor, and for how long it waited by its own choice, so that a guest
//! that is slow can be told from a host that left it no time.

use super::cpu_share::CpuShare;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

thread_local! {
    static INTERRUPTED: Cell<bool> = const { Cell::new(false) };
}

/// Takes note that a tick of the engine made the guest yield that runs on this thread.
pub(super) fn interrupted() {
    INTERRUPTED.set(true);
}

/// Runs a guest for a while, and says whether a tick made it yield: otherwise it waits for something, or has ended.
pub(super) fn was_interrupted<T>(run: impl FnOnce() -> T) -> (T, bool) {
    INTERRUPTED.set(false);
    (run(), INTERRUPTED.take())
}

/// The meter of a call that did not end at once.
pub(crate) struct Meter {
    /// What the plugin's long calls had used of its share of the processor when this one began.
    share_used: Duration,
    state: Mutex<MeterState>,
}

#[derive(Default)]
struct MeterState {
    /// The time that is the call's own: on the processor, in waits that it chose, and in rests for its plugin's share.
    own: Duration,
    /// Since when it has been waiting now, and until when that is its own.
    waits: Option<(Instant, Option<Instant>)>,
    was_woken: bool,
    waker: Option<Waker>,
}

impl Meter {
    /// Of a call that begins.
    pub(super) fn new(share: &CpuShare) -> Self {
        Self { share_used: share.used(), state: Mutex::default() }
    }

    /// Counts time that the call had before it was metered.
    pub(super) fn had(&self, time: Duration) {
        self.lock().own += time;
    }

    /// Takes note that the call rests from now on, since its plugin has used up its share of the processor. That it is
    /// polled later than it might be is not its own doing.
    pub(super) fn rests(&self, until: Instant) {
        self.lock().waits = Some((Instant::now(), Some(until)));
    }

    /// Polls the call, and takes note of when it begins to wait; when it may go on is noted by whoever wakes it,
    /// however long it then takes until it does. Also returns what it used of the processor.
    pub(super) fn poll<F: Future>(
        self: &Arc<Self>,
        call: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> (Poll<F::Output>, Duration) {
        {
            let mut state = self.lock();
            state.end_wait();
            state.was_woken = false;
            state.waker = Some(context.waker().clone());
        }
        let began = thread_time();
        let polled = call.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))));
        let used = thread_time().saturating_sub(began);
        let mut state = self.lock();
        state.own += used;
        if polled.is_pending() && !state.was_woken {
            state.waits = Some((Instant::now(), None));
        }
        (polled, used)
    }

    /// Whether the host left the call too little of the time until its deadline: less than a quarter was the call's
    /// own. Calls that kept each other from more are not starved, as many as loop at once: their plugin had its share
    /// of the processor meanwhile, or three quarters of it.
    pub(crate) fn is_starved(&self, share: &CpuShare, deadline: Duration) -> bool {
        let mut state = self.lock();
        state.end_wait();
        let used = share.used().saturating_sub(self.share_used);
        state.own * 4 < deadline && used * 4 < deadline * 3
    }

    fn lock(&self) -> MutexGuard<'_, MeterState> {
        // The state is whole at every panic: each change is an assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MeterState {
    fn end_wait(&mut self) {
        if let Some((since, until)) = self.waits.take() {
            let now = Instant::now();
            self.own += until.map_or(now, |until| until.min(now)).saturating_duration_since(since);
        }
    }
}

/// The processor's time of this thread. The clock on the wall would charge a guest for what others used.
pub(super) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Wake for Meter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = {
            let mut state = self.lock();
            state.end_wait();
            state.was_woken = true;
            state.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, poll_fn};
    use std::pin::pin;

    const MS: Duration = Duration::from_millis(1);

    fn poll_once(meter: &Arc<Meter>, call: Pin<&mut impl Future>) -> bool {
        meter.poll(call, &mut Context::from_waker(Waker::noop())).0.is_ready()
    }

    #[test]
    fn what_a_call_waits_for_is_its_own_and_what_it_is_kept_waiting_for_is_not() {
        let share = CpuShare::new(100);
        let waits = Arc::new(Meter::new(&share));
        let mut call = pin!(pending::<()>());
        assert!(!poll_once(&waits, call.as_mut()));
        std::thread::sleep(20 * MS);
        assert!(!waits.is_starved(&share, 80 * MS));
        assert!(waits.is_starved(&share, Duration::from_secs(3_600)));

        let kept = Arc::new(Meter::new(&share));
        let mut call = pin!(poll_fn(|context| {
            // It could go on at once, as a guest can that was interrupted.
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        assert!(!poll_once(&kept, call.as_mut()));
        std::thread::sleep(300 * MS);
        assert!(kept.is_starved(&share, 1_000 * MS));
    }

    #[test]
    fn a_wait_ends_when_it_is_woken_rather_than_when_it_goes_on() {
        let share = CpuShare::new(100);
        let meter = Arc::new(Meter::new(&share));
        let mut waker = None;
        let mut call = pin!(poll_fn(|context| {
            waker = Some(context.waker().clone());
            Poll::<()>::Pending
        }));
        assert!(!poll_once(&meter, call.as_mut()));
        waker.take().expect("it was polled").wake();
        std::thread::sleep(300 * MS);
        assert!(meter.is_starved(&share, 1_000 * MS));
    }

    #[test]
    fn the_time_of_other_calls_is_not_its_own_unless_they_had_all_there_is() {
        let share = CpuShare::new(10);
        let meter = Meter::new(&share);
        meter.had(20 * MS);
        assert!(!meter.is_starved(&share, 80 * MS));
        // Of a tenth of a processor, 100 ms take 10.
        share.charge(7 * MS, Instant::now());
        assert!(meter.is_starved(&share, 100 * MS));
        share.charge(MS, Instant::now());
        assert!(!meter.is_starved(&share, 100 * MS));
    }

    #[test]
    fn a_rest_for_its_plugins_share_is_its_own_until_it_is_over() {
        let share = CpuShare::new(100);
        let meter = Meter::new(&share);
        meter.rests(Instant::now() + 20 * MS);
        std::thread::sleep(300 * MS);
        assert!(!meter.is_starved(&share, 70 * MS));
        assert!(meter.is_starved(&share, 81 * MS));
    }

    #[test]
    fn only_the_tick_of_this_run_counts() {
        interrupted();
        assert_eq!(was_interrupted(|| 1), (1, false));
        assert_eq!(was_interrupted(interrupted), ((), true));
    }
}
