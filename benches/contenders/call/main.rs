//! Tidegate's calls as contenders: native, through a slot as the host makes them, and the component call alone.
//!
//! It is an example of the package `host`, so that it links the host's own library.

mod alone;
mod slots;
#[path = "../turns.rs"]
mod turns;

#[path = "../../../plugins/downcase/src/logic.rs"]
mod downcase;

use alone::Alone;
use anyhow::{Context, Result};
use clap::Parser;
use slots::Caller;
use std::path::PathBuf;
use std::process::ExitCode;
use tidegate::cli;
use tidegate::flow::Message;
use tidegate::plugin::COMPILER_SUBCOMMAND;
use turns::Contender;

/// Makes calls as the lines on stdin say.
#[derive(Parser)]
struct Program {
    /// The component of `downcase`
    downcase: PathBuf,
    /// The guest of tests/guests in JavaScript
    #[arg(long)]
    javascript: Option<PathBuf>,
    /// The one in Python
    #[arg(long)]
    python: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    // The engine starts this program again to compile.
    if std::env::args().nth(1).as_deref() == Some(COMPILER_SUBCOMMAND) {
        return Ok(cli::run());
    }
    let program = Program::parse();
    let alone = Alone::new(&program.downcase).map_err(to_anyhow)?;
    let mut reused = alone.instance().map_err(to_anyhow)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let caller = Caller::new(&runtime)?;

    let mut contenders = vec![
        Contender { name: "native", prefix: "", calls: Box::new(|bodies| last(bodies, native)) },
        Contender {
            name: "component-reused",
            prefix: "",
            calls: Box::new(|bodies| last(bodies, |body| reused.call(body).map_err(to_anyhow))),
        },
        Contender {
            name: "component-fresh",
            prefix: "",
            calls: Box::new(|bodies| {
                last(bodies, |body| alone.instance().and_then(|mut fresh| fresh.call(body)).map_err(to_anyhow))
            }),
        },
    ];
    let own: &[&str] = &["tidegate-reused", "tidegate-default", "tidegate-fresh"];
    for (names, prefix, component) in [
        (own, "", Some(program.downcase.clone())),
        (&["javascript-reused", "javascript-fresh"], "downcase:", program.javascript),
        (&["python-reused", "python-fresh"], "downcase:", program.python),
    ] {
        let Some(component) = component else { continue };
        for name in names {
            let slot = caller.load(name, &component)?;
            let caller = &caller;
            let calls = Box::new(move |bodies| caller.calls(&slot, bodies));
            contenders.push(Contender { name, prefix, calls });
        }
    }
    turns::take(&mut contenders)?;
    Ok(ExitCode::SUCCESS)
}

fn to_anyhow(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

/// The same code compiled in: a message in, a message out.
fn native(body: Vec<u8>) -> Result<Vec<u8>> {
    let message = |body| Message::of_topic("", Vec::new(), body);
    let input = std::hint::black_box(message(body));
    let body = downcase::answer(input.frames.last().context("a message has a body")?).map_err(anyhow::Error::msg)?;
    Ok(std::hint::black_box(message(body)).frames.pop().unwrap_or_default().into())
}

/// Makes a call with each body, and returns the last answer.
fn last(bodies: Vec<Vec<u8>>, mut call: impl FnMut(Vec<u8>) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    for body in bodies {
        answer = std::hint::black_box(call(body)?);
    }
    Ok(answer)
}
