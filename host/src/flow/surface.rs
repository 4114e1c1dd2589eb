//! A surface: something bound or connected by which messages come in or go out.

use super::statistics::Statistics;
use futures_util::future::BoxFuture;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// An HTTP listener, a PUB or a ROUTER socket. It runs from when it is made until it is told to end.
pub trait Surface: Send + Sync {
    /// Unique in a host: it begins the line at the start, and labels what is counted.
    fn name(&self) -> &str;

    /// Where it is, with its real port: `http://127.0.0.1:5000`, `tcp://127.0.0.1:4444`.
    fn endpoint(&self) -> String;

    /// On which side of the host it is, and so when it ends.
    fn side(&self) -> Side;

    /// How it is now.
    fn health(&self) -> Health {
        Health { state: State::Running, obstacle: None }
    }

    /// Adds what it counts.
    fn statistics(&self, statistics: &mut Statistics);

    /// What is told of one that takes commands; none of others.
    fn status(&self) -> Option<Status> {
        None
    }

    /// Tells one that has a [status](Surface::status) what to do.
    ///
    /// # Errors
    /// When it has ended, or takes no commands.
    fn command(&self, _command: Command) -> Result<(), String> {
        Err(format!("{} takes no commands", self.name()))
    }

    /// Takes in no more, finishes by `deadline` what it has taken in, and closes. Says how much it gave up.
    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64>;
}

/// What comes in has to end before what it goes out by; and whoever watches wants to see both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Messages come in by it. Ends first.
    Source,
    /// Messages go out by it. Ends once all sources have.
    Sink,
    /// Its users look after the host. Ends last.
    Control,
}

impl Side {
    /// In the order of their ends.
    pub const ALL: [Self; 3] = [Self::Source, Self::Sink, Self::Control];
}

/// What a surface does with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It takes them in.
    Running,
    /// It takes none in; they wait outside. What was taken in before goes on.
    Paused,
    /// It takes none in, and what was taken in before is not yet done.
    Draining,
    /// It takes none in, and all that was taken in before is done.
    Drained,
}

/// How a surface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What it does.
    pub state: State,
    /// What keeps the host from being ready, in one line for whoever looks after it.
    pub obstacle: Option<String>,
}

/// What is told of a surface that takes commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// Its bounds, and how much of what it holds.
    #[serde(flatten)]
    pub counts: BTreeMap<&'static str, u64>,
}

/// What a surface can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// To take in no messages until it is resumed.
    Pause,
    /// To take in messages again.
    Resume,
    /// As to pause; its state then tells when all that was taken in before is done.
    Drain,
}

impl Command {
    /// By its word.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "pause" => Some(Self::Pause),
            "resume" => Some(Self::Resume),
            "drain" => Some(Self::Drain),
            _ => None,
        }
    }
}
