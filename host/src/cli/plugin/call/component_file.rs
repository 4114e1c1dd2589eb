//! A call of a component's file in this process: the answer as it is, what the call took, and why it failed.

use super::input::{Given, pair};
use super::trace::CallTrace;
use crate::cli::compile_cache::CacheFlag;
use crate::cli::output::outcome::{FILTERED, Outcome, Processed, Replies, head, listed, response_head};
use crate::cli::output::progress::Stderr;
use crate::cli::output::render::{field, one_line, printable};
use crate::cli::plugin::bounds::Bounds;
use crate::cli::plugin::workbench::{ComponentFile, Workbench, block_on};
use crate::plugin::{CallError, Examples, Processor, ReplyPolicy, Role, SingleCall, WholeResponse, no_network};
use crate::system::output::print;
use anyhow::{anyhow, ensure};
use clap::Args;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The name of the call: always the same, so that a seed makes all of it repeatable.
const REQUEST_ID: [&str; 2] = ["tidegate.request-id", "call-1"];
/// How wasmtime writes a function of which it has no name.
const UNNAMED: &str = "!<wasm function ";
const UNNAMED_REMEDY: &str = "the component has no names of its functions, as after a build with `strip`: build it with \
     CARGO_PROFILE_RELEASE_STRIP=false CARGO_PROFILE_RELEASE_DEBUG=line-tables-only (another language: with its debug \
     info kept) to see functions, files and lines here";

/// What a guest finds around it.
#[derive(Debug, Args)]
pub(super) struct GuestFlags {
    /// With FILE: a setting that the guest reads through wasi:config/store. Repeatable
    #[arg(long = "setting", value_name = "K=V", value_parser = pair)]
    settings: Vec<(String, String)>,
    #[command(flatten)]
    bounds: Bounds,
    /// With FILE: make its chance and its clocks repeatable; the answer is that to the first message of a host with
    /// this seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// With FILE: tell on stderr what it imports, which of that it calls, and what it logs
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    cache: CacheFlag,
}

impl GuestFlags {
    /// Whether nothing of it was asked for.
    pub(super) fn are_default(&self) -> bool {
        self.settings.is_empty() && self.bounds.are_default() && self.seed.is_none() && !self.trace
    }
}

/// Calls the component once, and tells of it.
///
/// # Errors
/// When the component is refused or lacks the role, or the call fails.
pub(super) fn call(
    file: &Path,
    role: Option<super::Role>,
    given: Given,
    guest: GuestFlags,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let component = ComponentFile::at(file.to_owned())?;
    let trace = guest.trace.then(CallTrace::start);
    let workbench = Workbench::new(guest.cache.into(), guest.bounds.limits(), guest.seed, Stderr::Alone);
    block_on(async {
        let began = Instant::now();
        // Without its examples: an author calls what misses them.
        let settings = guest.settings.into_iter().collect();
        let plugin = workbench.load(&component, settings, Some(Examples::default())).await?;
        let load = began.elapsed();
        let role = match role {
            Some(super::Role::Processor) => Processor::NAME,
            Some(super::Role::ReplyPolicy) => ReplyPolicy::NAME,
            Some(super::Role::HttpHandler) => WholeResponse::NAME,
            None if given.has_frames() && plugin.has_role(ReplyPolicy::NAME) => ReplyPolicy::NAME,
            None => [Processor::NAME, ReplyPolicy::NAME, WholeResponse::NAME]
                .into_iter()
                .find(|role| plugin.has_role(*role))
                .unwrap_or(Processor::NAME),
        };
        ensure!(plugin.has_role(role), "{} has no {role} role", file.display());
        let begin = || {
            if let Some(trace) = &trace {
                let imports = if plugin.imports.is_empty() { "none".into() } else { plugin.imports.join(", ") };
                say(&field("imports", &imports));
                trace.begin();
            }
        };
        if role == Processor::NAME {
            let mut message = given.message()?;
            message.metadata.insert(0, REQUEST_ID.map(str::to_owned).into());
            begin();
            let call = plugin.call_once::<Processor>(plugin.input::<Processor>(message)).await;
            let contract = plugin.contract_of(role);
            report(load, call.map(|outputs| Processed { outputs, contract }), json, print_messages)
        } else if role == WholeResponse::NAME {
            let request = given.http_request()?.checked(REQUEST_ID[1]).map_err(anyhow::Error::msg)?;
            begin();
            let call = plugin.call_once::<WholeResponse>(request).await;
            if let Some(host) = plugin.take_refused_request() {
                say(&format!("note: {}\n", one_line(&no_network(&host))));
            }
            report(load, call, json, |response| print_body(&response_head(&response), response.body()))
        } else {
            let mut request = given.request()?;
            request.metadata.insert(0, REQUEST_ID.map(str::to_owned).into());
            begin();
            let call = plugin.call_once::<ReplyPolicy>(plugin.input::<ReplyPolicy>(request)).await;
            report(load, call.map(Replies), json, |replies| print(Outcome::from(replies).text))
        }
    })
}

/// Tells of a call that is over: what it took to stderr, and what came out to stdout.
fn report<T: Into<Outcome> + Clone>(
    load: Duration,
    call: SingleCall<T>,
    as_json: bool,
    print_output: impl FnOnce(T) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let SingleCall { result, time, memory_bytes } = call;
    say(&format!("load {}, call {}, memory {} KiB\n", ms(load), ms(time), memory_bytes.div_ceil(1024)));
    if as_json {
        let mut json = Outcome::from(result.clone()).json;
        json["load_ms"] = json!(load.as_secs_f64() * 1_000.0);
        json["call_ms"] = json!(time.as_secs_f64() * 1_000.0);
        json["memory_bytes"] = json!(memory_bytes);
        print(serde_json::to_string_pretty(&json)? + "\n")?;
    }
    match result {
        Ok(_) if as_json => {}
        Ok(output) => print_output(output)?,
        Err(error) => return Err(anyhow!("{}", reason(&error))),
    }
    Ok(ExitCode::SUCCESS)
}

fn print_messages(processed: Processed) -> anyhow::Result<()> {
    if processed.outputs.is_empty() {
        say(FILTERED);
        return Ok(());
    }
    match processed.only_body() {
        Some(message) => print_body(&head(message), message.frames.last().map_or(&[], |body| body)),
        None => print(listed(&processed.outputs)),
    }
}

/// The body goes out as it is, and all else that there is to tell of an answer to stderr.
fn print_body(head: &str, body: &[u8]) -> anyhow::Result<()> {
    say(head);
    print(body)?;
    if std::io::stdout().is_terminal() {
        print("\n")?;
    }
    Ok(())
}

/// Why there is no answer. What the guest says of it must not steer the terminal.
fn reason(error: &CallError) -> String {
    let text = match error {
        CallError::Rejected(text) => format!("the plugin rejected the input: {text}"),
        error => error.to_string(),
    };
    // Functions that its tools put around the guest's own may lack a name in any case: what counts is the innermost.
    let innermost = text.lines().find(|line| line.trim_start().starts_with("0:"));
    let is_unnamed = innermost.is_some_and(|line| line.contains(UNNAMED));
    let remedy = if is_unnamed { format!("\n{UNNAMED_REMEDY}") } else { String::new() };
    printable(&text) + &remedy
}

/// Milliseconds, with as many digits as tell something.
fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1_000.0;
    let digits = if ms < 1.0 { 2 } else { usize::from(ms < 10.0) };
    format!("{ms:.digits$} ms")
}

/// To stderr, whoever reads it or not.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_digits_that_tell_something() {
        let times = [17, 412, 1_240, 12_600, 812_400].map(|us| ms(Duration::from_micros(us)));
        assert_eq!(times, ["0.02 ms", "0.41 ms", "1.2 ms", "13 ms", "812 ms"]);
    }
}
