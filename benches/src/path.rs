//! The path of a request: its memory allocations, beyond those of hyper and warp.

use crate::example;
use crate::figures::Summary;
use crate::host;
use crate::options::Options;
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use anyhow::{Context, Result};

const ABOUT: [&str; 3] = [
    "GET /NAME/?param=Hello%20World%20MiXeD over one connection, 20,000 times: allocations and reallocations of all threads",
    "warp alone: the same route in warp with the logic inline; the others: the host, without PUB and (published) with one subscriber",
    "compiled in: no WebAssembly; reused: one instance for all calls; default: as the host comes",
];
const BARE: &str = "warp alone";
const DEFAULT: &str = "default, published";
const ALLOCATIONS_MAX: f64 = 15.0;

/// Counts the allocations. One round is enough, because each request makes the same ones.
pub fn run(options: &Options) -> Result<Report> {
    let program = example::build(options.host.as_deref(), "allocations", &["--features=compiled-in"])?;
    let mut report = Report::new("path", &ABOUT);
    let component = host::root().join("plugins/downcase.wasm");
    let counts = example::figures(&program, &[component.as_os_str()])?;
    let (_, bare) = counts.iter().find(|(name, _)| name == BARE).context("warp alone took no part")?;
    report.ratios.extend(counts.iter().filter(|(name, _)| name != BARE).map(|(name, count)| Ratio {
        id: if name == DEFAULT { "P13" } else { "" },
        what: format!("{name}, beyond {BARE}"),
        ratio: Summary::of([count - bare]),
        target: Some(Target::AtMost(ALLOCATIONS_MAX)).filter(|_| name == DEFAULT),
    }));
    let lines = counts.into_iter().map(|(name, count)| (name, vec![count]));
    report.tables.push(Table::of("allocations per request", "", lines));
    Ok(report)
}
