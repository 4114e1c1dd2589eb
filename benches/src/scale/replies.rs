//! A growing number of replies that are delayed by an hour, and the end of the host meanwhile.

use super::load::{dealer, dealers};
use super::{Effort, Point};
use crate::client::Client;
use crate::launch::{Launch, Running};
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

const HOLD: &str = include_str!("../hold.wat");
/// The number of replies to one request.
const HELD: usize = 1_000;
const CONFIG: &str = "[limits]\ndelay_ms_max = 3600000\nreplies_max = 1000\n[messaging]\nqueue_messages_max = 10000000\n\
                      [shutdown]\ngrace_ms = 1000\n";
const GROWTH_MAX: Duration = Duration::from_secs(60);

pub fn measure(binary: &Path, sizes: &[usize], effort: Effort) -> Result<Vec<Point>> {
    let launch = Launch::new(binary, CONFIG)?;
    launch.put("hold", HOLD.replace("HELD", &HELD.to_string()).as_bytes())?;
    let running = launch.start()?;
    let mut pending = 0;
    let mut point = |&size: &usize| -> Result<Point> {
        hold(&running, pending, size)?;
        pending = size;
        let endpoint = running.endpoint("frontend")?;
        let mut point = Point::measure(running.id(), effort, |messages| dealers(endpoint, messages))?;
        let ending = ending(&launch, size)?;
        point.others = vec![("orderly end, with a second of grace", "ms", ending.as_secs_f64() * 1e3)];
        Ok(point)
    };
    sizes.iter().map(&mut point).collect()
}

/// Measures how long a host takes to end while this many replies wait.
fn ending(launch: &Launch, size: usize) -> Result<Duration> {
    let running = launch.start()?;
    hold(&running, 0, size)?;
    let (took, status) = running.stop()?;
    // The exit code says that the replies were abandoned.
    let expected = if size == 0 { 0 } else { 3 };
    ensure!(status.code() == Some(expected), "with {size} replies pending the host ended with {status}");
    Ok(took)
}

/// Makes the host schedule more replies, and waits until it has.
fn hold(running: &Running, before: usize, size: usize) -> Result<()> {
    let context = zmq::Context::new();
    let asking = dealer(&context, running.endpoint("frontend")?)?;
    for _ in (before..size).step_by(HELD) {
        asking.send("hold", 0)?;
    }
    wait_for(running.address("admin")?, size)
}

/// Waits until this many replies are scheduled.
fn wait_for(admin: SocketAddr, replies: usize) -> Result<()> {
    let mut client = Client::connect(admin, "/broker").context("connecting to the admin surface")?;
    let began = Instant::now();
    loop {
        let broker: serde_json::Value = serde_json::from_slice(client.get().context("asking the broker")?.body)?;
        let scheduled = broker["replies_scheduled"].as_u64().context("the broker tells of no replies")?;
        if scheduled == replies as u64 {
            return Ok(());
        }
        ensure!(began.elapsed() < GROWTH_MAX, "{scheduled} replies wait where {replies} should");
        std::thread::sleep(Duration::from_millis(20));
    }
}
