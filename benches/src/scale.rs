//! Scale: what the host spends per message and per plugin, client and delayed reply, as their number grows.

mod clients;
mod connections;
mod load;
mod plugins;
mod point;
mod replies;

use crate::host;
use crate::idle::clients_max;
use crate::options::OfParts;
use crate::report::{Ratio, Report};
use crate::row::Target;
use anyhow::Result;
use clap::ValueEnum;
use point::{Point, Series};
use std::path::Path;
use std::time::Duration;

const COST_RATIO_MAX: f64 = 1.10;

/// What grows.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    Plugins,
    Connections,
    Clients,
    Replies,
}

/// The sizes and numbers of messages of each measure.
#[derive(Clone, Copy)]
struct Effort {
    messages: usize,
    rest: Duration,
}

impl What {
    const ALL: [Self; 4] = [Self::Plugins, Self::Connections, Self::Clients, Self::Replies];

    fn name(self) -> &'static str {
        match self {
            Self::Plugins => "plugins loaded",
            Self::Connections => "idle HTTP connections",
            Self::Clients => "idle DEALER clients",
            Self::Replies => "replies pending",
        }
    }

    /// The sizes; the others are compared with the first.
    fn sizes(self, quick: bool) -> [usize; 4] {
        match (self, quick) {
            (Self::Plugins, false) => [1, 10, 100, 1_000],
            (Self::Plugins, true) => [1, 2, 4, 8],
            (Self::Connections | Self::Clients, false) => [0, 100, 1_000, 10_000],
            (Self::Connections | Self::Clients, true) => [0, 10, 20, 40],
            (Self::Replies, false) => [0, 10_000, 100_000, 1_000_000],
            (Self::Replies, true) => [0, 1_000, 2_000, 4_000],
        }
    }

    /// One round, size by size.
    fn measure(self, binary: &Path, sizes: &[usize], effort: Effort) -> Result<Vec<Point>> {
        match self {
            Self::Plugins => plugins::measure(binary, sizes, effort),
            Self::Connections => connections::measure(binary, sizes, effort),
            Self::Clients => clients::measure(binary, sizes, effort),
            Self::Replies => replies::measure(binary, sizes, effort),
        }
    }
}

/// Measures each kind of growth at each size.
pub fn run(options: &OfParts<What>) -> Result<Report> {
    let common = &options.common;
    let binary = common.host.clone().map_or_else(host::build, Ok)?;
    let mut report = Report::new(
        "scale",
        &[
            "cost    processor time of the host per message while others are there: HTTP requests for one route on 16 connections,",
            "        or requests of 3 DEALER clients with ten on their way each (closed loop)",
            "rest    processor time of the host while nobody asks, over ten seconds, in which each peer has a heartbeat",
            "memory  what the host has resident more than at the smallest size, divided by what there is more of",
        ],
    );
    let effort = match common.quick {
        true => Effort { messages: 2_000, rest: Duration::from_millis(200) },
        false => Effort { messages: 60_000, rest: Duration::from_secs(10) },
    };
    for what in What::ALL.into_iter().filter(|what| options.measures(what)) {
        let mut sizes = what.sizes(common.quick);
        if matches!(what, What::Connections | What::Clients) && sizes[3] > clients_max() {
            sizes[3] = clients_max();
            report.skipped.push(format!(
                "more than {} {}: raise the hard limit on open files (ulimit -Hn)",
                sizes[3],
                what.name()
            ));
        }
        let mut series = Series::new(what.name(), &sizes);
        for round in 1..=common.rounds() {
            eprintln!("{}: round {round} of {}", what.name(), common.rounds());
            series.add(what.measure(&binary, &sizes, effort)?);
        }
        report.tables.extend(series.tables());
        report.ratios.extend(ratios(&series, common.quick));
    }
    Ok(report)
}

fn ratios(series: &Series, quick: bool) -> Vec<Ratio> {
    let cost = series.cost();
    let names = series.names();
    let target = (!quick).then_some(Target::AtMost(COST_RATIO_MAX));
    names[1..].iter().filter_map(|name| cost.ratio("P11", name, &names[0], target)).collect()
}
