//! What a process takes of the machine, as the system tells it.

use anyhow::{Context, Result};
use std::time::Duration;

/// Memory of a process that is in place, by what it holds.
#[derive(Clone, Copy)]
pub struct Resident {
    pub whole_bytes: u64,
    /// What it has written: its heap, its stacks, and data that differs from the file's.
    pub anonymous_bytes: u64,
}

/// The memory of a process.
pub fn resident(id: u32) -> Result<Resident> {
    let path = format!("/proc/{id}/smaps_rollup");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let kib = line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
        kib.map(|kib| kib << 10).with_context(|| format!("{path} has no {name}"))
    };
    Ok(Resident { whole_bytes: bytes("Rss:")?, anonymous_bytes: bytes("Anonymous:")? })
}

/// The processor's time that the threads of a process have used which are there now: to the nanosecond, where the figures of
/// the whole process come in hundredths of a second.
pub fn processor_time(id: u32) -> Result<Duration> {
    let path = format!("/proc/{id}/task");
    let mut whole = 0;
    for thread in std::fs::read_dir(&path).with_context(|| format!("reading {path}"))? {
        // A thread may end meanwhile.
        if let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) {
            let nanos: Option<u64> = text.split_whitespace().next().and_then(|number| number.parse().ok());
            whole += nanos.with_context(|| format!("{path} tells no times"))?;
        }
    }
    Ok(Duration::from_nanos(whole))
}
