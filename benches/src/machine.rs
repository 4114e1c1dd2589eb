//! A description of the machine that the figures were measured on.

use serde::Serialize;

/// The machine, before anything was measured.
#[derive(Serialize)]
pub struct Machine {
    /// Processors that the host and the load generator share.
    pub processors: usize,
    /// The load average over the last minute, where the system has one. A value near 1 or above comes from other
    /// programs, and makes the figures worthless.
    pub load_average: Option<f64>,
}

impl Machine {
    pub fn look() -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        Self {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load_average: load.and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }
}
