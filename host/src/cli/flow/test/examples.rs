//! The examples of flows: messages that go in by each source, and what is promised of what comes out.

use crate::config::{Config, EXAMPLES_MAX, OnError, pool_of};
use crate::plugin::Content;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A file of examples whose names are those of a configuration.
pub(super) struct Examples(Vec<Example>);

/// One example.
pub(super) struct Example {
    /// As its author called it, or its place in the file.
    pub(super) name: String,
    pub(super) flow: String,
    /// Messages by the names of the sockets that they come from.
    pub(super) inputs: Messages,
    /// All messages at the sockets that are named.
    pub(super) out: Messages,
    /// All messages that a plugin fails at, in order.
    pub(super) fails: Vec<ExpectedFailure>,
}

/// Messages of some frames each, by socket.
pub(super) type Messages = BTreeMap<String, Vec<Vec<Content>>>;

/// A message that a plugin fails at. What is left out may be anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedFailure {
    pub(super) plugin: String,
    /// As the ledger counts it.
    pub(super) reason: Option<String>,
    /// A part of the error's text.
    pub(super) contains: Option<String>,
    /// What becomes of the message.
    pub(super) then: Option<OnError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    example: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    flow: String,
    #[serde(rename = "in")]
    inputs: Messages,
    #[serde(default)]
    out: Messages,
    #[serde(default)]
    fails: Vec<ExpectedFailure>,
}

impl Examples {
    /// Reads a file.
    ///
    /// # Errors
    /// Names the line and what is wrong there, or the example and the name that the configuration does not have.
    pub(super) fn parse(text: &str, config: &Config) -> Result<Self, String> {
        let File { example } = toml::from_str(text).map_err(|error| error.to_string())?;
        match example.len() {
            0 => return Err("there are no examples: write [[example]] with `flow`, `in` and `out`".to_owned()),
            count if count > EXAMPLES_MAX => return Err(format!("{count} examples are more than {EXAMPLES_MAX}")),
            _ => {}
        }
        let examples = example.into_iter().zip(1..).map(|(written, number)| {
            let Written { name, flow, inputs, out, fails } = written;
            let name = name.unwrap_or_else(|| format!("example {number}"));
            let example = Example { name, flow, inputs, out, fails };
            example.check(config).map_err(|error| format!("{}: {error}", example.name))?;
            Ok(example)
        });
        examples.collect::<Result<_, String>>().map(Self)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Example> {
        self.0.iter()
    }
}

impl Example {
    /// Whether the configuration has all that it names.
    fn check(&self, config: &Config) -> Result<(), String> {
        let Some(flow) = config.flows.get(&self.flow) else {
            return Err(format!("no flow is named `{}`: there are {}", self.flow, quoted(config.flows.keys())));
        };
        if let Some(pool) = flow.through.iter().find(|step| pool_of(step).is_some()) {
            return Err(format!(
                "flows.{} leads through {pool}, and workers are programs that a test does not start: try its plugins with \
                 `tidegate plugin test`, or a copy of the flow without the pool",
                self.flow
            ));
        }
        if flow.is_of_frontend() {
            return Err(format!(
                "flows.{} answers the frontend, and has no sources and sinks to compare: ask a host with `tidegate request`",
                self.flow
            ));
        }
        let plugins = self.fails.iter().map(|failure| &failure.plugin);
        for (what, known, mut names) in [
            ("source", &flow.from, Box::new(self.inputs.keys()) as Box<dyn Iterator<Item = &String>>),
            ("sink", &flow.to, Box::new(self.out.keys())),
            ("plugin", &flow.through, Box::new(plugins)),
        ] {
            if let Some(name) = names.find(|name| !known.contains(name)) {
                let known = quoted(known.iter());
                return Err(format!("`{name}` is no {what} of flows.{}, which has {known}", self.flow));
            }
        }
        let empty = self.inputs.iter().find(|(_, messages)| messages.iter().any(Vec::is_empty));
        empty.map_or(Ok(()), |(socket, _)| Err(format!("a message of `{socket}` has no frames: write at least one")))
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_configuration_does_not_have_is_named() {
        let config: Config = toml::from_str(
            "[sockets.ticks]\ntype = 'sub'\nconnect = ['tcp://h:1']\n[flows.clean]\nfrom = ['ticks']\n\
             through = ['parse']\nto = ['publish']\n[workers.w]\nbind = ['tcp://h:2']\n\
             [flows.score]\nfrom = ['ticks']\nthrough = ['parse', 'workers.w']\nto = ['publish']\n\
             [flows.asked]\nfrom = ['frontend']\nthrough = ['parse']\n",
        )
        .expect("a configuration");
        for (text, words) in [
            ("", "there are no examples"),
            ("[[example]]\nflow = 'clean'\nin = {}\nexpect = 1", "line 4"),
            (
                "[[example]]\nflow = 'clear'\nin = {}",
                "example 1: no flow is named `clear`: there are `asked`, `clean`, `score`",
            ),
            (
                "[[example]]\nname = 'x'\nflow = 'clean'\nin.tick = []",
                "x: `tick` is no source of flows.clean, which has `ticks`",
            ),
            ("[[example]]\nflow = 'clean'\nin = {}\nout.archive = []", "`archive` is no sink of flows.clean"),
            ("[[example]]\nflow = 'clean'\nin = {}\nfails = [{ plugin = 'p' }]", "`p` is no plugin of flows.clean"),
            ("[[example]]\nflow = 'score'\nin = {}", "flows.score leads through workers.w, and workers are programs"),
            ("[[example]]\nflow = 'asked'\nin = {}", "flows.asked answers the frontend"),
            ("[[example]]\nflow = 'clean'\nin.ticks = [[]]", "a message of `ticks` has no frames"),
            ("[[example]]\nflow = 'clean'\nin.ticks = [[{ base64 = '?' }]]", "base64 `?`"),
        ] {
            let error = Examples::parse(text, &config).err().unwrap_or_else(|| panic!("this is taken: {text}"));
            assert!(error.contains(words), "{words} is not in: {error}");
        }
        let sound = "[[example]]\nflow = 'clean'\nin.ticks = [['EUR', { base64 = '/w==' }]]\nout.publish = [['a'], ['b', 'c']]\n\
                     fails = [{ plugin = 'parse', reason = 'rejected', then = 'dead-letter' }]";
        let examples = Examples::parse(sound, &config).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(examples.iter().map(|example| example.name.as_str()).collect::<Vec<_>>(), ["example 1"]);
    }
}
