//! Traffic on a route: at a fixed rate, at the highest rate, and as background load from many connections.
//!
//! Each connection has a blocking thread: with so few connections nothing is faster, and no async runtime of the load
//! generator affects the figures.

use crate::client::Client;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The request, and the right answer.
pub struct Route<'a> {
    pub address: SocketAddr,
    pub path: &'a str,
    pub body: &'a [u8],
}

/// The durations of the warm-up and of the measurement that follows it.
#[derive(Clone, Copy)]
pub struct Span {
    pub warm_up: Duration,
    pub measured: Duration,
}

impl Span {
    fn whole(self) -> Duration {
        self.warm_up + self.measured
    }
}

/// The results of traffic at a fixed rate.
pub struct Latencies {
    /// The latencies of the right answers, sorted.
    pub sorted: Vec<Duration>,
    /// The number of other answers and errors.
    pub failures: u64,
}

/// One answer, and its latency from the intended send time of its request.
#[derive(Clone, Copy)]
pub struct Sample {
    /// The intended send time of the request, since the beginning.
    pub offset: Duration,
    pub latency: Duration,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Right,
    /// The status was 503.
    TurnedAway,
    Wrong,
}

/// Sends at a fixed rate, whether or not earlier requests are answered (open loop). Each latency counts from the
/// intended send time: otherwise a host that stalls would get fewer requests just then, and the stall would hardly show
/// (coordinated omission).
pub fn at_rate(route: &Route<'_>, per_second: u32, connections: usize, span: Span) -> Result<Latencies> {
    let mut all = Latencies { sorted: Vec::new(), failures: 0 };
    for sample in samples_at_rate(route, per_second, connections, span.whole())? {
        if sample.offset >= span.warm_up {
            match sample.kind {
                Kind::Right => all.sorted.push(sample.latency),
                Kind::TurnedAway | Kind::Wrong => all.failures += 1,
            }
        }
    }
    ensure!(!all.sorted.is_empty(), "{} gave no right answer", route.path);
    all.sorted.sort_unstable();
    Ok(all)
}

/// As [`at_rate`], but returns each answer.
pub fn samples_at_rate(route: &Route<'_>, per_second: u32, connections: usize, span: Duration) -> Result<Vec<Sample>> {
    let interval = Duration::from_secs(1) / per_second;
    let requests = span.div_duration_f64(interval) as u64;
    let next = AtomicU64::new(0);
    let (together, began) = (Barrier::new(connections), OnceLock::new());
    let connection = || -> Result<Vec<Sample>> {
        wake_up_on_time();
        // Everybody comes to the barrier, whatever happened.
        let client = connect(route);
        together.wait();
        let mut client = client?;
        let began = *began.get_or_init(|| Instant::now() + Duration::from_millis(20));
        let mut samples = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return Ok(samples);
            }
            let offset = interval.mul_f64(number as f64);
            let due = began + offset;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let kind = ask(&mut client, route)?;
            let latency = due.elapsed();
            ensure!(latency < span * 10, "{} does not keep up with {per_second} requests/s", route.path);
            samples.push(Sample { offset, latency, kind });
        }
    };
    Ok(in_parallel(connections, connection)?.concat())
}

/// The right answers per second, and the number of others, if each connection sends its next request as soon as the one
/// before it is answered (closed loop).
pub fn flat_out(route: &Route<'_>, connections: usize, span: Span) -> Result<(f64, u64)> {
    let together = Barrier::new(connections);
    let connection = || -> Result<(u64, u64)> {
        // Everybody comes to the barrier, whatever happened.
        let client = connect(route);
        together.wait();
        let mut client = client?;
        let from = Instant::now() + span.warm_up;
        let to = from + span.measured;
        let (mut answers, mut failures) = (0, 0);
        loop {
            let right = is_right(&mut client, route)?;
            let now = Instant::now();
            if now >= to {
                return Ok((answers, failures));
            }
            if now >= from {
                match right {
                    true => answers += 1,
                    false => failures += 1,
                }
            }
        }
    };
    let counts = in_parallel(connections, connection)?;
    let answers: u64 = counts.iter().map(|(answers, _)| answers).sum();
    let failures = counts.iter().map(|(_, failures)| failures).sum();
    ensure!(answers > 0, "{} gave no right answer", route.path);
    Ok((answers as f64 / span.measured.as_secs_f64(), failures))
}

/// Connections that request one path without a pause, whatever the answers are.
pub struct Crowd {
    stop: Arc<AtomicBool>,
    members: Vec<JoinHandle<Result<BTreeMap<u16, u64>>>>,
}

impl Crowd {
    pub fn start(address: SocketAddr, path: &'static str, connections: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let member = |_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut client = Client::connect(address, path).context("connecting")?;
                let mut answers = BTreeMap::new();
                while !stop.load(Ordering::Relaxed) {
                    let status = client.get().with_context(|| format!("asking for {path}"))?.status;
                    *answers.entry(status).or_default() += 1;
                }
                Ok(answers)
            })
        };
        let members = (0..connections).map(member).collect();
        Self { stop, members }
    }

    /// Waits for the last answers, and returns how many there were of each status.
    pub fn stop(mut self) -> Result<BTreeMap<u16, u64>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for member in self.members.drain(..) {
            for (status, count) in joined(member.join())? {
                *all.entry(status).or_default() += count;
            }
        }
        Ok(all)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn connect(route: &Route<'_>) -> Result<Client> {
    Client::connect(route.address, route.path).with_context(|| format!("connecting to {}", route.address))
}

fn is_right(client: &mut Client, route: &Route<'_>) -> Result<bool> {
    Ok(ask(client, route)? == Kind::Right)
}

fn ask(client: &mut Client, route: &Route<'_>) -> Result<Kind> {
    let answer = client.get().with_context(|| format!("asking for {}", route.path))?;
    Ok(match answer.status {
        200 if answer.body == route.body => Kind::Right,
        503 => Kind::TurnedAway,
        _ => Kind::Wrong,
    })
}

fn in_parallel<T: Send>(connections: usize, connection: impl Fn() -> Result<T> + Sync) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(&connection)).collect();
        threads.into_iter().map(|thread| joined(thread.join())).collect()
    })
}

fn joined<T>(ended: thread::Result<Result<T>>) -> Result<T> {
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sets the thread's timer slack: by default Linux lets a thread sleep 50 µs longer, which would add to every latency.
pub fn wake_up_on_time() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}
