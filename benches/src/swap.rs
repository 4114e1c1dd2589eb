//! Swap: the time from a new file in place to the first answer from it, and the effect of swaps on the route's traffic.

mod swapper;

use crate::figures::{Summary, quantile};
use crate::host;
use crate::launch::{Launch, component, variant};
use crate::options::Options;
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use crate::traffic::{Route, Span, at_rate};
use anyhow::{Result, ensure};
use std::net::SocketAddr;
use std::time::Duration;
use swapper::{Swapper, Way};

const UNCACHED: &str = "a component that was never seen, renamed into place";
const CACHED: &str = "one that was compiled before, renamed into place";
const COPIED: &str = "one that was compiled before, written over the old one";
const QUIET: &str = "no swaps";
const SWAPS_UNCACHED: &str = "swaps to components never seen";
const SWAPS_CACHED: &str = "swaps to components compiled before";
const UNCACHED_MS_MAX: f64 = 50.0;
const CACHED_MS_MAX: f64 = 10.0;
const P99_RATIO_MAX: f64 = 2.0;
/// Pairs of swaps, there and back, of each kind in one round.
const SWAPS: usize = 20;
/// A rate well below what the machine sustains: a queue without any swaps would hide their effect.
const RATE: u32 = 1_000;
const CONNECTIONS: usize = 16;
const WARM_UP: Duration = Duration::from_millis(500);

/// The time of each kind of swap in milliseconds, and the results of the traffic: one value per round.
#[derive(Default)]
struct Measured {
    median: Vec<f64>,
    p99: Vec<f64>,
}

/// Measures swaps, then traffic on the route while its component is swapped.
pub fn run(options: &Options) -> Result<Report> {
    let binary = options.host.clone().map_or_else(host::build, Ok)?;
    let (down, up) = (component("downcase")?, component("upcase")?);
    let about = [
        "swap     from the rename (or the end of writing) to the first answer of the new component, asked for every 0.2 ms over",
        "         one connection; of a round, median and p99 of 40 swaps of each kind, which take turns",
        "traffic  1000 requests/s on 16 connections, open loop: latency counts from the intended send time, so that no stall is",
        "         left out (coordinated omission). While there are swaps, the next one follows 60 ms after the last was seen",
    ];
    let mut report = Report::new("swap", &about);
    let sizes = format!("plugins  downcase, {} bytes, and upcase, {} bytes, in turn", down.len(), up.len());
    report.about.push(sizes);
    let launch = Launch::new(&binary, "")?;
    launch.put("x", &down)?;
    let running = launch.start()?;
    let address = running.address("http")?;
    let mut swapper = Swapper::new(launch.plugin_path("x"), address)?;
    // From here on both components are in the compile cache.
    swapper.swap(&up, Way::SeenBefore)?;
    swapper.swap(&down, Way::SeenBefore)?;

    let mut swaps = [(); 3].map(|()| Measured::default());
    let mut latency = [(); 3].map(|()| Measured::default());
    let span = Span { warm_up: WARM_UP, measured: Duration::from_secs(options.seconds()) };
    for round in 1..=options.rounds() {
        eprintln!("round {round} of {}: swaps", options.rounds());
        let ways = [Way::NeverSeen, Way::SeenBefore, Way::WrittenOver];
        let mut took = ways.map(|_| Vec::new());
        for _ in 0..if options.quick { 4 } else { SWAPS } {
            for (way, took) in ways.into_iter().zip(&mut took) {
                took.push(swapper.swap(&up, way)?);
                took.push(swapper.swap(&down, way)?);
            }
        }
        for (took, measured) in took.into_iter().zip(&mut swaps) {
            measured.add(took);
        }
        eprintln!("round {round} of {}: traffic", options.rounds());
        for (way, measured) in [None, Some(Way::NeverSeen), Some(Way::SeenBefore)].into_iter().zip(&mut latency) {
            measured.add(traffic(address, &mut swapper, &down, way, span)?);
        }
    }

    let [uncached, cached, copied] = &swaps;
    let named = [(UNCACHED, uncached), (CACHED, cached), (COPIED, copied)];
    let lines = |of: fn(&Measured) -> &Vec<f64>| named.map(|(name, measured)| (name.to_owned(), of(measured).clone()));
    let target = |max| Some(Target::AtMost(max)).filter(|_| !options.quick);
    let absolute = |what: &str, values: &[f64], max| Ratio {
        id: "P9",
        what: what.to_owned(),
        ratio: Summary::of(values.iter().copied()),
        target: target(max),
    };
    report.ratios.push(absolute("new file to first answer, never seen, ms", &uncached.median, UNCACHED_MS_MAX));
    report.ratios.push(absolute("new file to first answer, compiled before, ms", &cached.median, CACHED_MS_MAX));
    report.tables.push(Table::of("new file to first answer, median", "ms", lines(|of| &of.median)));
    report.tables.push(Table::of("new file to first answer, p99", "ms", lines(|of| &of.p99)));

    let [quiet, never_seen, seen_before] = &latency;
    let named = [(QUIET, quiet), (SWAPS_UNCACHED, never_seen), (SWAPS_CACHED, seen_before)];
    let lines = |of: fn(&Measured) -> &Vec<f64>| named.map(|(name, measured)| (name.to_owned(), of(measured).clone()));
    report.tables.push(Table::of("latency of the traffic, median", "ms", lines(|of| &of.median)));
    let p99 = Table::of("latency of the traffic, p99", "ms", lines(|of| &of.p99));
    for name in [SWAPS_UNCACHED, SWAPS_CACHED] {
        report.ratios.extend(p99.ratio("P9", name, QUIET, target(P99_RATIO_MAX)));
    }
    report.tables.push(p99);
    Ok(report)
}

/// The latencies of the route while its component is swapped for one that answers the same, or not at all. Any answer
/// but the right one is an error.
fn traffic(
    address: SocketAddr,
    swapper: &mut Swapper,
    component: &[u8],
    way: Option<Way>,
    span: Span,
) -> Result<Vec<Duration>> {
    let route = Route { address, path: "/x/?param=HeLLo", body: b"lower case of HeLLo is hello" };
    let work = || at_rate(&route, RATE, CONNECTIONS, span);
    let latencies = match way {
        None => work()?,
        Some(way) => swapper.while_swapping([&variant(component, 0), component], way, work)?,
    };
    ensure!(latencies.failures == 0, "{} answers were wrong while the component was swapped", latencies.failures);
    Ok(latencies.sorted)
}

impl Measured {
    fn add(&mut self, mut took: Vec<Duration>) {
        took.sort_unstable();
        self.median.push(quantile(&took, 0.5).as_secs_f64() * 1e3);
        self.p99.push(quantile(&took, 0.99).as_secs_f64() * 1e3);
    }
}
