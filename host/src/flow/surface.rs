//! A surface: something bound or connected by which messages come in or go out.

mod client;
mod identity;
mod peers;
mod pool;

pub use client::Client;
pub(crate) use identity::identity_text;
pub use peers::{PeerList, PeerStatus};
pub use pool::{Pool, PoolStatus, WorkerState, WorkerStatus};

use super::message::Message;
use super::stage::Stage;
use super::statistics::Statistics;
use futures_util::future::BoxFuture;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// An HTTP listener, a PUB or a ROUTER socket. It runs from the moment it is made until [`Self::end`].
pub trait Surface: Send + Sync {
    /// Its name, which is unique in a host: it begins the line at the start, and is the label of its statistics.
    fn name(&self) -> &str;

    /// Where it is, with its real port: `http://127.0.0.1:5000`, `tcp://127.0.0.1:4444`.
    fn endpoint(&self) -> String;

    /// On which side of the host it is, which decides when it ends.
    fn side(&self) -> Side;

    /// What a flow leads from, through and to; none for what is no flow.
    fn path(&self) -> Option<&FlowPath> {
        None
    }

    /// The stages of what has a [path](Surface::path), in order.
    fn stages(&self) -> &[Arc<dyn Stage>] {
        &[]
    }

    /// The workers of a surface that is a pool of them; none for others.
    fn pool(&self) -> Option<&dyn Pool> {
        None
    }

    /// Who is connected to it, of very many those that the most is queued to; none for what has no peers.
    fn peers(&self) -> Option<PeerList> {
        None
    }

    /// How it is now.
    fn health(&self) -> Health {
        Health { state: State::Running, obstacle: None }
    }

    /// Adds its statistics.
    fn statistics(&self, statistics: &mut Statistics);

    /// The status of a surface that takes commands; none for others.
    fn status(&self) -> Option<Status> {
        None
    }

    /// Gives a command to a surface that has a [status](Surface::status).
    ///
    /// # Errors
    /// When it has ended, or takes no commands.
    fn command(&self, _command: Command) -> Result<(), String> {
        Err(format!("{} takes no commands", self.name()))
    }

    /// Takes in a message that comes by no socket, behind those that wait.
    ///
    /// # Errors
    /// When it takes none in, or has no room now; gives the message back.
    fn take_in(&self, message: Message) -> Result<(), Message> {
        Err(message)
    }

    /// Takes in no more messages, finishes by `deadline` those that it has taken in, and closes. Returns how many it
    /// abandoned.
    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64>;
}

/// The side of the host that a surface is on. Sources end before sinks, so that messages in flight can go out; the
/// control side ends last, so that the operator sees both end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Messages come in by it. Ends first.
    Source,
    /// It takes messages from sources to sinks. Ends once all sources have.
    Flow,
    /// Messages go out by it. Ends once all flows have.
    Sink,
    /// The operator uses it. Ends last.
    Control,
}

impl Side {
    /// All sides, in the order in which they end.
    pub const ALL: [Self; 4] = [Self::Source, Self::Flow, Self::Sink, Self::Control];
}

/// The way of messages through a flow, by names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlowPath {
    /// The sockets that they come from.
    pub from: Vec<String>,
    /// The plugins that each goes through, in order.
    pub through: Vec<String>,
    /// The sockets that each goes to.
    pub to: Vec<String>,
}

impl fmt::Display for FlowPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, through, to } = self;
        write!(f, "{}", from.join(", "))?;
        through.iter().chain([&to.join(", ")]).try_for_each(|step| write!(f, " → {step}"))
    }
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
    /// What keeps the host from being ready, in one line for the operator.
    pub obstacle: Option<String>,
}

/// The status of a surface that takes commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// Its bounds and its gauges, by name.
    #[serde(flatten)]
    pub counts: BTreeMap<&'static str, u64>,
}

/// A command to a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take in no messages until it is resumed.
    Pause,
    /// Take in messages again.
    Resume,
    /// As [`Self::Pause`]; the state becomes [`State::Drained`] when all that was taken in before is done.
    Drain,
}

impl Command {
    /// The command with this name.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "pause" => Some(Self::Pause),
            "resume" => Some(Self::Resume),
            "drain" => Some(Self::Drain),
            _ => None,
        }
    }
}
