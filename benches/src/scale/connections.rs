//! A growing number of HTTP connections, each of which has made one request.

use super::{Effort, Point, load};
use crate::idle::{Crowd, Idle};
use crate::launch::{Launch, component};
use anyhow::Result;
use std::path::Path;

/// The host must keep all idle connections until the end.
const CONFIG: &str = "[http]\nconnections_max = 1000000\nidle_timeout_ms = 3600000\n";

pub fn measure(binary: &Path, sizes: &[usize], effort: Effort) -> Result<Vec<Point>> {
    let launch = Launch::new(binary, CONFIG)?;
    launch.put("downcase", &component("downcase")?)?;
    let running = launch.start()?;
    let address = running.address("http")?;
    let mut crowd = Crowd::default();
    let names = ["downcase".to_owned()];
    let mut point = |&size: &usize| {
        crowd.grow(size, |count| Idle::Connections { address, count })?;
        Point::measure(running.id(), effort, |messages| load::http(address, &names, messages))
    };
    sizes.iter().map(&mut point).collect()
}
