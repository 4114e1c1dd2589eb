//! The measurements at one size, and their tables.

use super::Effort;
use crate::report::Table;
use crate::usage::{processor_time, resident};
use anyhow::Result;
use std::thread::sleep;
use std::time::Duration;

/// The measurements of one size in one round.
pub struct Point {
    pub cost_us: f64,
    pub rest_ms_per_second: f64,
    pub resident_bytes: u64,
    /// Other figures, by name and unit.
    pub others: Vec<(&'static str, &'static str, f64)>,
}

impl Point {
    /// Measures a process while it is idle, then while `exchange` makes it handle `messages`.
    pub fn measure(id: u32, effort: Effort, exchange: impl Fn(usize) -> Result<()>) -> Result<Self> {
        // The first messages allocate what is only allocated once.
        exchange(effort.messages / 10)?;
        let before = processor_time(id)?;
        sleep(effort.rest);
        let rest = processor_time(id)?.saturating_sub(before);
        let resident_bytes = resident(id)?.whole_bytes;
        let cost = cost(id, effort.messages, &exchange)?;
        Ok(Self {
            cost_us: cost.as_secs_f64() * 1e6,
            rest_ms_per_second: rest.as_secs_f64() * 1e3 / effort.rest.as_secs_f64(),
            resident_bytes,
            others: Vec::new(),
        })
    }
}

/// The processor time of a process per message.
pub fn cost(id: u32, messages: usize, exchange: impl Fn(usize) -> Result<()>) -> Result<Duration> {
    let before = processor_time(id)?;
    exchange(messages)?;
    let used = processor_time(id)?.saturating_sub(before);
    Ok(used.div_f64(messages as f64))
}

/// One kind of growth: the measurements of all sizes in all rounds.
pub struct Series {
    name: &'static str,
    sizes: Vec<usize>,
    rounds: Vec<Vec<Point>>,
}

impl Series {
    pub fn new(name: &'static str, sizes: &[usize]) -> Self {
        Self { name, sizes: sizes.to_vec(), rounds: Vec::new() }
    }

    pub fn add(&mut self, round: Vec<Point>) {
        self.rounds.push(round);
    }

    /// The name of each size.
    pub fn names(&self) -> Vec<String> {
        self.sizes.iter().map(|size| format!("{size} {}", self.name)).collect()
    }

    pub fn cost(&self) -> Table {
        self.table(format!("{}: processor time per message", self.name), "us", 0, |point, _| point.cost_us)
    }

    pub fn tables(&self) -> Vec<Table> {
        let mut tables = vec![
            self.cost(),
            self.table(format!("{}: processor time at rest", self.name), "ms/s", 0, |point, _| {
                point.rest_ms_per_second
            }),
            self.table(format!("{}: memory for each", self.name), "KiB", 1, |point, (smallest, more)| {
                point.resident_bytes.saturating_sub(smallest.resident_bytes) as f64 / more as f64 / 1024.0
            }),
        ];
        let others = self.rounds.first().and_then(|round| round.first()).map_or(&[][..], |point| &point.others[..]);
        for (index, (what, unit, _)) in others.iter().enumerate() {
            let measure = format!("{}: {what}", self.name);
            tables.push(self.table(measure, unit, 0, |point, _| point.others[index].2));
        }
        tables
    }

    /// A line for each size from the one with this index on. `of` also gets the point of the smallest size, and the
    /// difference in size.
    fn table(
        &self,
        measure: String,
        unit: &'static str,
        from: usize,
        of: impl Fn(&Point, (&Point, usize)) -> f64,
    ) -> Table {
        let line = |(index, name): (usize, String)| {
            let more = self.sizes[index] - self.sizes[0];
            let rounds = self.rounds.iter().map(|points| of(&points[index], (&points[0], more)));
            (name, rounds.collect())
        };
        Table::of(measure, unit, self.names().into_iter().enumerate().skip(from).map(line))
    }
}
