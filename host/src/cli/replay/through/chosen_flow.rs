//! The flow of a configuration that messages are put through.

use crate::config::{Config, Flow, pool_of};
use crate::record::choice::{Choice, PlaceKind};
use anyhow::bail;
use std::fmt;
use std::path::{Path, PathBuf};

/// A flow that runs in this process.
pub(in crate::cli::replay) struct ChosenFlow {
    pub(super) config: Config,
    pub(super) name: String,
    file: PathBuf,
}

impl ChosenFlow {
    /// The flow of this name; without one the only flow there is, or the one whose messages are chosen. Chooses its messages, if
    /// none are chosen by where they came in.
    ///
    /// # Errors
    /// When the configuration cannot be read or is wrong, and when it has no such flow, or one that cannot run here.
    pub(in crate::cli::replay) fn of(file: &Path, name: Option<String>, choice: &mut Choice) -> anyhow::Result<Self> {
        let (mut config, document) = Config::read(file).map_err(anyhow::Error::msg)?;
        config.check(&document).map_err(anyhow::Error::msg)?;
        let name = named(&config, file, name, choice)?;
        check(&config.flows[&name], &name, file)?;
        if choice.places.is_empty() {
            choice.places.push((PlaceKind::Flow, name.clone()));
        }
        // A plugin that fails at what it failed at before is not to be paused for that, and nothing leaves this process.
        config.rollback.failures = 0;
        config.plugins.values_mut().for_each(|plugin| plugin.outbound.clear());
        Ok(Self { config, name, file: file.to_owned() })
    }

    pub(super) fn flow(&self) -> &Flow {
        &self.config.flows[&self.name]
    }
}

impl fmt::Display for ChosenFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the flow {} of {}", self.name, self.file.display())
    }
}

fn named(config: &Config, file: &Path, name: Option<String>, choice: &Choice) -> anyhow::Result<String> {
    let names: Vec<_> = config.flows.keys().map(|name| format!("`{name}`")).collect();
    let (names, file) = (names.join(", "), file.display());
    let chosen = match &choice.places[..] {
        [(PlaceKind::Flow, name)] if config.flows.contains_key(name) => Some(name),
        _ => None,
    };
    let mut all = config.flows.keys();
    let only = all.next().filter(|_| all.next().is_none());
    match name.as_ref().or(only).or(chosen) {
        _ if config.flows.is_empty() => bail!("{file} has no flow: messages are put through one"),
        Some(name) if config.flows.contains_key(name) => Ok(name.clone()),
        Some(name) => bail!("no flow of {file} is named `{name}`: there are {names}"),
        None => bail!("{file} has several flows: name one with --name: {names}"),
    }
}

fn check(flow: &Flow, name: &str, file: &Path) -> anyhow::Result<()> {
    let file = file.display();
    if let Some(pool) = flow.through.iter().find(|step| pool_of(step).is_some()) {
        bail!(
            "flows.{name} of {file} leads through {pool}, and workers are programs that a replay does not start: name \
             another flow, or a copy of this one without the pool"
        );
    }
    if flow.is_of_frontend() {
        bail!("flows.{name} of {file} answers the frontend, whose clients are not there: name a flow with sinks");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).expect("a configuration")
    }

    #[test]
    fn a_flow_is_named_or_the_only_one_or_the_one_whose_messages_are_chosen() {
        let one = config("[flows.a]\nfrom = ['s']\nto = ['publish']\n");
        let two = config("[flows.a]\nfrom = ['s']\nto = ['publish']\n[flows.b]\nfrom = ['s']\nto = ['publish']\n");
        let of = |kind, name: &str| Choice { places: vec![(kind, name.to_owned())], ..Choice::default() };
        let (all, of_b, route) = (Choice::default(), of(PlaceKind::Flow, "b"), of(PlaceKind::Route, "b"));
        let found = |config: &Config, name: Option<&str>, choice: &Choice| {
            named(config, Path::new("c"), name.map(str::to_owned), choice).map_err(|error| error.to_string())
        };
        for (config, name, choice, wanted) in [
            (&one, None, &all, Ok("a")),
            (&one, None, &of_b, Ok("a")),
            (&two, None, &of_b, Ok("b")),
            (&two, Some("a"), &of_b, Ok("a")),
            (&two, None, &all, Err("c has several flows: name one with --name: `a`, `b`")),
            (&two, None, &route, Err("c has several flows: name one with --name: `a`, `b`")),
            (&one, Some("c"), &all, Err("no flow of c is named `c`: there are `a`")),
            (&Config::default(), Some("a"), &all, Err("c has no flow: messages are put through one")),
        ] {
            assert_eq!(found(config, name, choice), wanted.map(str::to_owned).map_err(str::to_owned));
        }
    }

    #[test]
    fn a_flow_of_programs_or_of_the_frontend_does_not_run_here() {
        let config = config(
            "[flows.a]\nfrom = ['s']\nthrough = ['p', 'workers.w']\nto = ['publish']\n[flows.b]\nfrom = ['frontend']\n\
             through = ['p']\n",
        );
        for (name, words) in [("a", "leads through workers.w"), ("b", "answers the frontend")] {
            let error = check(&config.flows[name], name, Path::new("c")).expect_err(name).to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
