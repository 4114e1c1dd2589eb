//! A call of a component's file in this process: the answer as it is, what the call took, and why it failed.

use super::Role;
use super::input::{Given, pair};
use super::trace::Trace;
use crate::cli::outcome::Outcome;
use crate::cli::plugin::sandbox::{Component, Sandbox, block_on};
use crate::cli::shown::printable;
use crate::cli::shown::{field, metadata};
use crate::plugin::{self, CallError, Examples, Message, Metadata, Plugin, Reply, Request, SingleCall};
use crate::system::output::print;
use anyhow::{Context, anyhow, ensure};
use clap::Args;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The name of the call: always the same, so that a seed makes all of it repeatable.
const REQUEST_ID: (&str, &str) = ("tidegate.request-id", "call-1");
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
    /// With FILE: make its chance and its clocks repeatable; the answer is that to the first message of a host with
    /// this seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// With FILE: tell on stderr what it imports, which of that it calls, and what it logs
    #[arg(long)]
    trace: bool,
}

impl GuestFlags {
    /// Whether nothing of it was asked for.
    pub(super) fn are_default(&self) -> bool {
        self.settings.is_empty() && self.seed.is_none() && !self.trace
    }
}

/// Calls the component once, and tells of it.
pub(super) fn call(
    file: &Path,
    role: Option<Role>,
    given: Given,
    guest: GuestFlags,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let component = Component::at(file.to_owned())?;
    let trace = guest.trace.then(Trace::start);
    let sandbox = Sandbox::new(guest.seed)?;
    let called = block_on(async {
        let began = Instant::now();
        // Without its examples: an author calls what misses them.
        let loaded = sandbox.load(&component, guest.settings.into_iter().collect(), Some(Examples::default())).await;
        let plugin = loaded.with_context(|| format!("{} is refused", file.display()))?;
        let load = began.elapsed();
        let is_policy = match role {
            Some(role) => role == Role::ReplyPolicy,
            None => !plugin.roles.contains(&plugin::Role::Transform),
        };
        let role = if is_policy { plugin::Role::ReplyPolicy } else { plugin::Role::Transform };
        ensure!(plugin.roles.contains(&role), "{} has no {role} role", file.display());
        let input = if is_policy { Input::Request(given.request()?) } else { Input::Message(given.message()?) };
        if let Some(trace) = &trace {
            say(&field("imports", &if plugin.imports.is_empty() { "none".into() } else { plugin.imports.join(", ") }));
            trace.begin();
        }
        Ok(input.call(&plugin, load).await)
    })?;
    say(&called.figures());
    if json {
        called.print_json()?
    } else {
        called.print()?
    };
    match called.answer.error() {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => Err(anyhow!("{}", reason(error))),
    }
}

enum Input {
    Message(Message),
    Request(Request),
}

impl Input {
    async fn call(self, plugin: &Arc<Plugin>, load: Duration) -> Called {
        let named = |metadata: &mut Metadata| metadata.insert(0, (REQUEST_ID.0.to_owned(), REQUEST_ID.1.to_owned()));
        match self {
            Self::Message(mut message) => {
                named(&mut message.metadata);
                Called::new(plugin.transform_once(message).await, load, Answer::Message)
            }
            Self::Request(mut request) => {
                named(&mut request.metadata);
                Called::new(plugin.replies_once(request).await, load, Answer::Replies)
            }
        }
    }
}

/// A call that is over.
struct Called {
    load: Duration,
    call: Duration,
    memory_bytes: usize,
    answer: Answer,
}

enum Answer {
    Message(Result<Option<Message>, CallError>),
    Replies(Result<Vec<Reply>, CallError>),
}

impl Answer {
    fn error(&self) -> Option<&CallError> {
        match self {
            Self::Message(result) => result.as_ref().err(),
            Self::Replies(result) => result.as_ref().err(),
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Message(result) => Outcome::of_transform(result.clone()),
            Self::Replies(result) => Outcome::of_replies(result.clone()),
        }
    }
}

impl Called {
    fn new<T>(call: SingleCall<T>, load: Duration, answer: impl FnOnce(Result<T, CallError>) -> Answer) -> Self {
        Self { load, call: call.time, memory_bytes: call.memory_bytes, answer: answer(call.result) }
    }

    fn figures(&self) -> String {
        let Self { load, call, memory_bytes, .. } = self;
        format!("load {}, call {}, memory {} KiB\n", ms(*load), ms(*call), memory_bytes.div_ceil(1024))
    }

    fn print_json(&self) -> anyhow::Result<()> {
        let mut json = self.answer.outcome().json;
        json["load_ms"] = json!(self.load.as_secs_f64() * 1_000.0);
        json["call_ms"] = json!(self.call.as_secs_f64() * 1_000.0);
        json["memory_bytes"] = json!(self.memory_bytes);
        print(serde_json::to_string_pretty(&json)? + "\n")
    }

    /// A message's body goes out as it is, and all else that there is to tell of it to stderr; replies as text.
    fn print(&self) -> anyhow::Result<()> {
        match &self.answer {
            Answer::Message(Ok(Some(message))) => {
                let Message { topic, metadata: pairs, body } = message;
                let topic = if topic.is_empty() { String::new() } else { field("topic", topic) };
                say(&(topic + &metadata(pairs)));
                print(body)?;
                if std::io::stdout().is_terminal() {
                    print("\n")?;
                }
            }
            Answer::Message(Ok(None)) => say("filtered: there is no message\n"),
            Answer::Replies(Ok(_)) => print(self.answer.outcome().text)?,
            Answer::Message(Err(_)) | Answer::Replies(Err(_)) => {}
        }
        Ok(())
    }
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
        let shown = [17, 412, 1_240, 12_600, 812_400].map(|us| ms(Duration::from_micros(us)));
        assert_eq!(shown, ["0.02 ms", "0.41 ms", "1.2 ms", "13 ms", "812 ms"]);
    }
}
