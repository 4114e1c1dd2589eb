//! The process at a scrape, as far as the system tells: memory and descriptors on Linux alone.

use super::series::{counter, gauge, infos};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Debug)]
pub(super) struct Process {
    /// Looked up once: a clock that is set must not move it.
    start: Option<Duration>,
}

impl Process {
    pub(super) fn new() -> Self {
        Self { start: start() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        infos(&mut encoder, ("build", None, "What runs"), [version])?;
        if let Some(start) = self.start {
            let named = ("process_start_time", Some(Unit::Seconds), "When the process began, since the epoch");
            gauge(&mut encoder, named, start.as_secs_f64())?;
        }
        let named = ("process_cpu", Some(Unit::Seconds), "Processor time that the process took");
        counter(&mut encoder, named, cpu().as_secs_f64())?;
        if let Some(bytes) = resident_bytes() {
            let named = ("process_resident_memory", Some(Unit::Bytes), "Memory that the process holds");
            gauge(&mut encoder, named, bytes)?;
        }
        if let Some(count) = open_descriptors() {
            gauge(&mut encoder, ("process_open_descriptors", None, "Files and sockets that are open"), count)?;
        }
        Ok(())
    }
}

/// Processor time that the process took.
pub(in crate::http::admin) fn cpu() -> Duration {
    since(ClockId::ProcessCPUTime)
}

fn since(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The system tells when the process began in ticks since its own start.
#[cfg(target_os = "linux")]
fn start() -> Option<Duration> {
    /// The 22nd field of all; the second, the program's name in parentheses, may hold anything.
    const AFTER_NAME: usize = 22 - 3;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(AFTER_NAME)?.parse().ok()?;
    let began = Duration::from_secs(1).checked_mul(u32::try_from(ticks).ok()?)?
        / u32::try_from(rustix::param::clock_ticks_per_second()).ok().filter(|per_second| *per_second > 0)?;
    let age = since(ClockId::Boottime).saturating_sub(began);
    SystemTime::now().duration_since(UNIX_EPOCH).ok()?.checked_sub(age)
}

#[cfg(not(target_os = "linux"))]
fn start() -> Option<Duration> {
    None
}

/// Memory that the process holds. Absent where there is no `/proc`.
pub(in crate::http::admin) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?;
    Some(kib.trim().parse::<u64>().ok()? * 1_024)
}

/// Absent where there is no `/proc`. The descriptor that is open for this look is not counted.
fn open_descriptors() -> Option<u64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    Some(count.saturating_sub(1))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_of_this_process() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = now.saturating_sub(start().unwrap());
        assert!(age < Duration::from_secs(3_600), "{age:?}");
        assert!(since(ClockId::ProcessCPUTime) > Duration::ZERO);
        assert!(resident_bytes().unwrap() > 1 << 20);
        let before = open_descriptors().unwrap();
        let _file = std::fs::File::open("/proc/self/stat").unwrap();
        assert!(before >= 3);
    }
}
