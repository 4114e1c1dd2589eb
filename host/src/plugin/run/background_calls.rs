//! Background calls: where a call goes on once it turns out to be long, so that the short ones never wait for it.
//!
//! A call begins on the thread that asks for it. One that keeps the processor for longer than [`FAST_MAX`] moves to
//! threads of a lower priority than all others, and there all long calls of one plugin share a bounded part of the
//! processor. So a plugin that loops costs the others little, at the expense of long calls that do useful work: on a
//! machine without any processor time to spare they run into their deadline first, which the [`Meter`] tells from a
//! guest that is too slow.

use super::cpu_share::CpuShare;
use super::meter::{Meter, was_interrupted};
use crate::config::EPOCH_TICK_MS;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep_until;

/// The processor's time that a call may take before it is a long one: a thousand times what an ordinary guest takes,
/// and more than most calls of one in Python.
const FAST_MAX: Duration = Duration::from_millis(4);
/// The niceness of the background threads, against 0 of all others: a tenth of a processor that one of those keeps
/// busy, so that a call of 20 ms takes 200. At 15 and 19 it misses its deadline there, and at 5 those that wake up for
/// others wait longer.
const NICE: i32 = 10;
/// How much a long call uses before its plugin's share is looked at.
const CHARGE_MIN: Duration = Duration::from_millis(1);

/// The threads of background calls.
pub(crate) struct BackgroundCalls {
    // None only while it is dropped.
    runtime: Option<Runtime>,
    calls: AtomicUsize,
}

impl BackgroundCalls {
    /// # Errors
    /// When the system gives no threads.
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(1, usize::from))
            .thread_name("background")
            .enable_all()
            .on_thread_start(lower_priority)
            .build()?;
        Ok(Self { runtime: Some(runtime), calls: AtomicUsize::new(0) })
    }

    /// Whether any call runs here.
    pub(super) fn is_busy(&self) -> bool {
        self.calls.load(Ordering::Relaxed) > 0
    }

    /// Runs work on the background threads.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.as_ref().expect("it is not being dropped").spawn(work);
    }

    /// Runs a call that `began` just now, here for as long as it is short. Dropping the future ends the call at its
    /// next tick. The `meter` is there once the call did not end at once.
    pub(crate) async fn run<T, F>(
        &self,
        share: &CpuShare,
        mut call: Pin<Box<F>>,
        began: Instant,
        meter: &OnceLock<Arc<Meter>>,
    ) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        // Where long calls are expected of a plugin, not even their first tick runs on this thread.
        let begins_here = !share.is_long() && !share.in_debt(Instant::now);
        if begins_here && let Some(output) = fast(&mut call, share, began, meter).await {
            return output;
        }
        let meter = Arc::clone(meter.get_or_init(|| Arc::new(Meter::new(share))));
        let runtime = self.runtime.as_ref().expect("it is not being dropped");
        let _counted = Counted::new(&self.calls);
        let task = runtime.spawn(slow(call, share.clone(), meter, begins_here));
        match AbortOnDrop(task).await {
            Ok(output) => output,
            // A panic in the host's part of the call; the caller deals with it as if it had happened there.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shut down only when the process ends, and then nobody waits for this.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for BackgroundCalls {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed on another runtime's thread.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Gives this thread a small share of a processor that others want too, but not the idle priority: a thread that holds
/// a lock would keep others waiting for it, and long calls that do useful work would miss their deadlines. Where the
/// system refuses, the bound on the processor's time remains.
fn lower_priority() {
    let _ = rustix::process::nice(NICE);
}

/// Polls the call until it ends, or turns out to be long. Only a call that did not end at once is metered: most never
/// pay for a look at the clock.
async fn fast<T>(
    call: &mut Pin<Box<impl Future<Output = T>>>,
    share: &CpuShare,
    began: Instant,
    meter: &OnceLock<Arc<Meter>>,
) -> Option<T> {
    let mut used = Duration::ZERO;
    poll_fn(|context| {
        let meter = match meter.get() {
            Some(meter) => meter,
            None => {
                let (polled, was_interrupted) = was_interrupted(|| call.as_mut().poll(context));
                if let Poll::Ready(output) = polled {
                    return Poll::Ready(Some(output));
                }
                let meter = meter.get_or_init(|| Arc::new(Meter::new(share)));
                if was_interrupted {
                    // How much of the tick it had was not measured, so half is assumed; it matters where the deadline
                    // is hardly longer than one.
                    meter.had(began.elapsed().min(Duration::from_millis(EPOCH_TICK_MS)) / 2);
                    return Poll::Pending;
                }
                // It waits for something: polled once more, it tells the meter when it may go on.
                meter
            }
        };
        let (polled, took) = meter.poll(call.as_mut(), context);
        used += took;
        match polled {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if used > FAST_MAX => {
                share.charge(used, Instant::now());
                share.long.store(true, Ordering::Relaxed);
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Polls the call tick by tick, with a rest after each in which its plugin's share comes to cover it. `moved` says that
/// it was found to be long before.
async fn slow<T>(mut call: Pin<Box<impl Future<Output = T>>>, share: CpuShare, meter: Arc<Meter>, moved: bool) -> T {
    let mut used_so_far = Duration::ZERO;
    loop {
        let mut used = Duration::ZERO;
        let polled = poll_fn(|context| {
            let (polled, took) = meter.poll(call.as_mut(), context);
            used += took;
            match polled {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                // It was interrupted rather than that it waits for something.
                Poll::Pending if used > CHARGE_MIN => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        let rest_until = share.charge(used, Instant::now());
        used_so_far += used;
        if let Some(output) = polled {
            share.long.store(moved || used_so_far > FAST_MAX, Ordering::Relaxed);
            return output;
        }
        match rest_until {
            Some(until) => {
                meter.rests(until);
                sleep_until(until.into()).await;
            }
            None => tokio::task::yield_now().await,
        }
    }
}

/// Counts one call for as long as it is there.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(calls: &'a AtomicUsize) -> Self {
        calls.fetch_add(1, Ordering::Relaxed);
        Self(calls)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::run::meter::thread_time;

    #[tokio::test]
    async fn a_long_call_moves_and_ends_there() {
        let background_calls = BackgroundCalls::start().unwrap();
        let share = CpuShare::new(100);
        let call = Box::pin(async {
            let before = std::thread::current().name().map(str::to_owned);
            // Interrupted twice, as the ticks of the engine would: from the first time on it is metered.
            for _ in 0..2 {
                let began = thread_time();
                while thread_time() - began < FAST_MAX * 2 {
                    std::hint::spin_loop();
                }
                tokio::task::yield_now().await;
            }
            (before, std::thread::current().name().map(str::to_owned))
        });
        let (before, after) = background_calls.run(&share, call, Instant::now(), &OnceLock::new()).await;
        assert_ne!(before.as_deref(), Some("background"));
        assert_eq!(after.as_deref(), Some("background"));
        // The next one is expected to be long too; it is not, so the one after it is trusted again.
        let begins = async || {
            let call = Box::pin(async { std::thread::current().name().map(str::to_owned) });
            background_calls.run(&share, call, Instant::now(), &OnceLock::new()).await
        };
        assert_eq!(begins().await.as_deref(), Some("background"));
        assert_ne!(begins().await.as_deref(), Some("background"));
    }
}
