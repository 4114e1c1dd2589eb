//! The memory and the processor time of a process, from `/proc`.

use anyhow::{Context, Result};
use std::time::Duration;

/// The resident memory of a process, by kind.
#[derive(Clone, Copy)]
pub struct Resident {
    pub whole_bytes: u64,
    /// Anonymous memory: heap, stacks, and modified pages of mapped files.
    pub anonymous_bytes: u64,
}

/// The resident memory of a process.
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

/// The processor time of the threads that a process has now. It is exact to the nanosecond, while that of the whole
/// process is counted in hundredths of a second.
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
