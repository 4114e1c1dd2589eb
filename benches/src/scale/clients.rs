//! A growing number of DEALER clients, each of which has made one request.

use super::{Effort, Point, load};
use crate::idle::{Crowd, Idle};
use crate::launch::{Launch, component};
use anyhow::Result;
use std::path::Path;

pub fn measure(binary: &Path, sizes: &[usize], effort: Effort) -> Result<Vec<Point>> {
    let launch = Launch::new(binary, "")?;
    launch.put("echo", &component("echo")?)?;
    let running = launch.start()?;
    let endpoint = running.endpoint("frontend")?;
    let mut crowd = Crowd::default();
    let mut point = |&size: &usize| {
        crowd.grow(size, |count| Idle::Clients { endpoint: endpoint.to_owned(), count })?;
        Point::measure(running.id(), effort, |messages| load::dealers(endpoint, messages))
    };
    sizes.iter().map(&mut point).collect()
}
