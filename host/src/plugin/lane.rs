//! The slow lane: where a call goes on once it turns out to be long, so that the short ones never wait for it.
//!
//! A call begins on the thread that asks for it. One that keeps the processor for longer than [`FAST_MAX`] moves to
//! threads of lower priority, which the system lets run when nobody else wants to, and there all long calls of one
//! plugin share a bounded part of the processor.

use crate::config::CPU_BURST_MS;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep_until;

/// A hundred times what a call of an ordinary guest takes.
const FAST_MAX: Duration = Duration::from_millis(1);
/// Where others want to run as well, about a tenth of what a thread of ordinary priority gets: enough for an honest call
/// of some milliseconds to end within its deadline on a busy machine.
const NICE: i32 = 10;

/// The threads of the slow lane.
pub(super) struct SlowLane {
    // None only while it is dropped.
    runtime: Option<Runtime>,
}

impl SlowLane {
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(1, usize::from))
            .thread_name("slow-lane")
            .enable_all()
            .on_thread_start(|| {
                // Of this thread alone, on Linux. A system that refuses leaves the bound on the processor's time.
                let _ = rustix::process::nice(NICE);
            })
            .build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs a call, here for as long as it is short. Dropping the future ends the call at its next tick.
    pub(super) async fn run<T, F>(&self, share: &CpuShare, call: F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let mut call = Box::pin(call);
        // A plugin in debt is known for long calls: do not let each of them have its first millisecond here.
        if !share.in_debt(Instant::now())
            && let Some(output) = fast(&mut call, share).await
        {
            return output;
        }
        let runtime = self.runtime.as_ref().expect("the lane is not being dropped");
        let task = runtime.spawn(slow(call, share.clone()));
        match AbortOnDrop(task).await {
            Ok(output) => output,
            // A panic in the host's part of the call; the caller deals with it as if it had happened there.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The lane ends with the process: nobody waits for this.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for SlowLane {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed on another runtime's thread.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Polls the call until it ends, or has kept this thread for longer than it may.
async fn fast<T>(call: &mut Pin<Box<impl Future<Output = T>>>, share: &CpuShare) -> Option<T> {
    let mut busy = Duration::ZERO;
    poll_fn(|context| {
        let began = Instant::now();
        let polled = call.as_mut().poll(context);
        busy += began.elapsed();
        let long = busy > FAST_MAX;
        if long {
            share.charge(busy, Instant::now());
        }
        match polled {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if long => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Polls the call tick by tick, with a rest after each in which its plugin's share comes to cover it.
async fn slow<T>(mut call: Pin<Box<impl Future<Output = T>>>, share: CpuShare) -> T {
    loop {
        let mut used = Duration::ZERO;
        let polled = poll_fn(|context| {
            let began = thread_time();
            let polled = call.as_mut().poll(context);
            let busy = thread_time().saturating_sub(began);
            used += busy;
            match polled {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                // It was interrupted rather than that it waits for something.
                Poll::Pending if used > FAST_MAX => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        let rest_until = share.charge(used, Instant::now());
        if let Some(output) = polled {
            return output;
        }
        match rest_until {
            Some(until) => sleep_until(until.into()).await,
            None => tokio::task::yield_now().await,
        }
    }
}

/// The processor's time of this thread. The clock on the wall would charge a guest for what others used.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
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

/// What one plugin's long calls may take of the processor: a leaky bucket, kept as the moment at which all that was
/// used so far is paid for.
#[derive(Clone)]
pub(super) struct CpuShare {
    percent: u32,
    paid: std::sync::Arc<Mutex<Instant>>,
}

impl CpuShare {
    /// `percent` of one core.
    pub(super) fn new(percent: u32) -> Self {
        Self { percent, paid: std::sync::Arc::new(Mutex::new(Instant::now())) }
    }

    /// Takes note of what was used, and says until when to rest.
    fn charge(&self, used: Duration, now: Instant) -> Option<Instant> {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        *paid = (*paid).max(now) + used * 100 / self.percent;
        let until = *paid - Duration::from_millis(CPU_BURST_MS);
        (until > now).then_some(until)
    }

    fn in_debt(&self, now: Instant) -> bool {
        let paid = *self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        paid > now + Duration::from_millis(CPU_BURST_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_the_rest_is_paid_for() {
        let share = CpuShare::new(50);
        let now = Instant::now();
        let ms = Duration::from_millis;
        // 40 ms at half a core are paid in 80 ms, which the burst of 100 ms covers.
        assert_eq!(share.charge(ms(40), now), None);
        assert!(!share.in_debt(now));
        let until = share.charge(ms(40), now).expect("a rest");
        assert!(until > now + ms(55) && until <= now + ms(61), "{:?}", until - now);
        assert!(share.in_debt(now));
        // What was not used is not saved up for more than the burst.
        assert_eq!(share.charge(ms(40), now + ms(10_000)), None);
    }

    #[tokio::test]
    async fn a_long_call_moves_and_ends_there() {
        let lane = SlowLane::start().unwrap();
        let share = CpuShare::new(100);
        let call = async {
            let before = std::thread::current().name().map(str::to_owned);
            let began = Instant::now();
            while began.elapsed() < FAST_MAX * 2 {
                std::hint::spin_loop();
            }
            tokio::task::yield_now().await;
            (before, std::thread::current().name().map(str::to_owned))
        };
        let (before, after) = lane.run(&share, call).await;
        assert_ne!(before.as_deref(), Some("slow-lane"));
        assert_eq!(after.as_deref(), Some("slow-lane"));
        let name = lane.run(&share, async { std::thread::current().name().map(str::to_owned) }).await;
        assert_ne!(name.as_deref(), Some("slow-lane"));
    }
}
