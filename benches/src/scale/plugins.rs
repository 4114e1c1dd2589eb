//! A growing number of plugins, each with its own code; one of them is called, or all in turn.

use super::point::cost;
use super::{Effort, Point, load};
use crate::client::Client;
use crate::launch::{Launch, component, variant};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::Instant;

pub fn measure(binary: &Path, sizes: &[usize], effort: Effort) -> Result<Vec<Point>> {
    sizes.iter().map(|&size| measure_size(binary, size, effort)).collect()
}

fn measure_size(binary: &Path, size: usize, effort: Effort) -> Result<Point> {
    let launch = Launch::new(binary, "")?;
    let downcase = component("downcase")?;
    let names: Vec<String> = (0..size).map(|number| format!("downcase-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        launch.put(name, &variant(&downcase, number))?;
    }
    // This compiles the plugins, which takes a while.
    launch.start()?.stop()?;
    let running = launch.start()?;
    let address = running.address("http")?;
    let mut point = Point::measure(running.id(), effort, |messages| load::http(address, &names[..1], messages))?;
    let in_turn = cost(running.id(), effort.messages, |messages| load::http(address, &names, messages))?;
    let began = Instant::now();
    let status =
        Client::connect(running.address("admin")?, "/metrics")?.get().context("asking for the metrics")?.status;
    ensure!(status == 200, "/metrics answers {status}");
    point.others = vec![
        ("start to ready, cache warm", "ms", running.ready_after.as_secs_f64() * 1e3),
        ("processor time per message, all of them asked in turn", "us", in_turn.as_secs_f64() * 1e6),
        ("one scrape of /metrics", "ms", began.elapsed().as_secs_f64() * 1e3),
    ];
    Ok(point)
}
