//! What has to be known of the machine to read its figures.

use serde::Serialize;

/// The machine, before anything was measured.
#[derive(Serialize)]
pub struct Machine {
    /// Processors that the host and the load generator share.
    pub processors: usize,
    /// How many threads wanted to run over the last minute, where the system tells: anything near 1 or above belongs to
    /// somebody else, and makes the figures worthless.
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
