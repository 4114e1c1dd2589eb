//! The cost of one call with the logic compiled in, in Tidegate and in extism, without HTTP.

use crate::example;
use crate::figures::Summary;
use crate::host;
use crate::options::Options;
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use anyhow::{Result, ensure};
use program::Program;
use std::path::PathBuf;

mod program;

const ABOUT: [&str; 4] = [
    "downcase, ASCII text in both cases in, `lower case of X is x` out: a message that is owned by the caller either way",
    "native: plugins/downcase/src/logic.rs compiled in; tidegate: Slot::call, as the host calls it, with ledger, bounds and deadline",
    "component: the component call alone, no host around it; extism: a plugin made of the same logic, compiled once",
    "reused: one instance for all calls (of tidegate, javascript and python: for 1,000); fresh: one of its own for each call; \
     default: one that is reset after each call",
];
/// How often the contenders alternate within a round. The figure of a round is the median of its turns.
const TURNS: u64 = 5;
/// Components with a language runtime are compared at the first size only.
const SIZES: [Size; 4] = [
    Size { name: "16 B", bytes: 16 },
    Size { name: "4 KiB", bytes: 4 << 10 },
    Size { name: "64 KiB", bytes: 64 << 10 },
    Size { name: "1 MiB", bytes: 1 << 20 },
];

struct Size {
    name: &'static str,
    bytes: usize,
}

/// A ratio and its target, at one size.
type Held = (&'static str, usize, &'static str, &'static str, Target);

const HELD: [Held; 13] = [
    ("P4", 0, "tidegate-default", "tidegate-reused", Target::AtMost(1.6)),
    ("P4", 0, "tidegate-fresh", "tidegate-reused", Target::AtMost(8.0)),
    ("P4", 0, "tidegate-reused", "native", Target::AtMost(20.0)),
    ("P4", 0, "javascript-fresh", "javascript-reused", Target::AtMost(2.0)),
    ("P4", 0, "python-fresh", "python-reused", Target::AtMost(2.0)),
    ("P5", 2, "tidegate-reused", "native", Target::AtMost(3.0)),
    ("P5", 3, "tidegate-reused", "native", Target::AtMost(3.0)),
    ("P6", 0, "extism-reused", "tidegate-reused", Target::AtLeast(6.0)),
    ("P6", 1, "extism-reused", "tidegate-reused", Target::AtLeast(6.0)),
    ("P6", 2, "extism-reused", "tidegate-reused", Target::AtLeast(5.0)),
    ("P6", 0, "extism-fresh", "tidegate-default", Target::AtLeast(120.0)),
    ("P6", 1, "extism-fresh", "tidegate-default", Target::AtLeast(60.0)),
    ("P6", 2, "extism-fresh", "tidegate-default", Target::AtLeast(60.0)),
];

/// The options of the comparison.
#[derive(clap::Args)]
pub struct Call {
    #[command(flatten)]
    pub options: Options,
    /// Where tests/guests/build has put its guests in JavaScript and Python
    #[arg(long, value_name = "DIR")]
    pub guests: Option<PathBuf>,
}

/// Measures.
pub fn run(call: &Call) -> Result<Report> {
    let options = &call.options;
    let mut report = Report::new("call", &ABOUT);
    let mut programs = vec![own(call, &mut report.skipped)?];
    match extism(options) {
        Ok(program) => programs.push(program),
        Err(error) => report.skipped.push(format!("extism: {error:#}")),
    }
    let turn_ms = (options.seconds() * 1_000 / (8 * TURNS)).max(1);
    for (index, size) in SIZES.iter().enumerate() {
        let mut lines: Vec<(String, Vec<f64>)> = Vec::new();
        for round in 1..=options.rounds() {
            eprintln!("call: {} of body, round {round} of {}", size.name, options.rounds());
            for (name, call_ns) in measure_round(&mut programs, size.bytes, turn_ms, index == 0)? {
                match lines.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, rounds)) => rounds.push(call_ns),
                    None => lines.push((name, vec![call_ns])),
                }
            }
        }
        let table = Table::of(format!("one call, {} of body", size.name), "ns", lines);
        report.ratios.extend(held(&table, index, size.name));
        report.tables.push(table);
    }
    report.ratios.sort_by_key(|ratio| ratio.id);
    Ok(report)
}

/// Runs every contender in turn, several times. Returns the median of each.
fn measure_round(
    programs: &mut [Program],
    bytes: usize,
    turn_ms: u64,
    with_languages: bool,
) -> Result<Vec<(String, f64)>> {
    let mut turns: Vec<(String, Vec<f64>)> = Vec::new();
    for _ in 0..TURNS {
        let mut place = 0;
        for program in &mut *programs {
            for name in program.contenders.clone() {
                if !with_languages && (name.starts_with("javascript") || name.starts_with("python")) {
                    continue;
                }
                let call_ns = program.turn(&name, bytes, turn_ms)?;
                match turns.get_mut(place) {
                    Some((_, turns)) => turns.push(call_ns),
                    None => turns.push((name, vec![call_ns])),
                }
                place += 1;
            }
        }
    }
    Ok(turns.into_iter().map(|(name, turns)| (name, Summary::of(turns).median)).collect())
}

fn held(table: &Table, index: usize, size: &str) -> Vec<Ratio> {
    let at_this_size = HELD.iter().filter(|(_, at, ..)| *at == index);
    let ratios = at_this_size.filter_map(|&(id, _, of, to, target)| table.ratio(id, of, to, Some(target)));
    ratios.map(|ratio| Ratio { what: format!("{size}: {}", ratio.what), ..ratio }).collect()
}

/// The program that links the host, with the guests that have been built.
fn own(call: &Call, skipped: &mut Vec<String>) -> Result<Program> {
    let program = example::build(call.options.host.as_deref(), "calls", &[])?;
    let mut arguments = vec![host::root().join("plugins/downcase.wasm").into_os_string()];
    for language in ["javascript", "python"] {
        let guest = call.guests.as_ref().map(|guests| guests.join(language).with_extension("wasm"));
        match guest.filter(|guest| guest.exists()) {
            Some(guest) => arguments.extend([format!("--{language}").into(), guest.into_os_string()]),
            None => {
                skipped.push(format!("{language}: build its guest with `tests/guests/build DIR`, and say --guests DIR"))
            }
        }
    }
    Program::start(&program, &arguments)
}

/// The program that links extism, which takes minutes to build.
fn extism(options: &Options) -> Result<Program> {
    let target = host::root().join("benches/target");
    let built = target.join("release/extism-calls");
    let program = if options.quick {
        ensure!(built.exists(), "a quick run does not build it; one without --quick does");
        built
    } else {
        eprintln!("building extism");
        let crate_directory = host::root().join("benches/contenders/extism");
        let target = target.to_string_lossy();
        host::cargo_build(&crate_directory, &["--target-dir", &target], "extism-calls")?
    };
    Program::start(&program, &[])
}
