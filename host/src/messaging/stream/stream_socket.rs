//! The handle of a socket of the streams: a surface, and a sink where it writes.

use super::command::Command;
use super::doorbell::Doorbell;
use super::state::{SocketId, SocketState};
use crate::flow::{self, Health, Inlet, PeerList, Side, Sink, State, Statistics, Status, Surface};
use crate::ledger::{Hop, Reason};
use crate::messaging::socket::statistics::SocketStatistics;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::oneshot;

/// A socket that is open, until it is told to end.
pub struct StreamSocket {
    id: SocketId,
    state: Arc<SocketState>,
    endpoints: Vec<String>,
    doorbell: Arc<Doorbell>,
}

impl StreamSocket {
    pub(super) fn new(id: SocketId, state: Arc<SocketState>, endpoints: Vec<String>, doorbell: Arc<Doorbell>) -> Self {
        Self { id, state, endpoints, doorbell }
    }

    /// Where it is bound, with real ports, and then where it connects to.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Where its messages go; none if it does not write.
    pub fn sink(&self) -> Option<Arc<dyn Sink>> {
        self.state.sink.clone().map(|sink| sink as Arc<dyn Sink>)
    }

    /// From now on these flows read it. Each gets all messages; without one the socket is not read.
    pub fn set_inlets(&self, inlets: Vec<Arc<Inlet>>) {
        self.doorbell.command(Command::SetInlets(self.id, inlets));
    }

    /// The statistics of the socket.
    pub fn figures(&self) -> &Arc<SocketStatistics> {
        &self.state.statistics
    }

    fn is_paused(&self) -> bool {
        self.state.is_paused.load(Ordering::Relaxed)
    }

    fn state(&self) -> State {
        match (self.is_paused(), self.state.holds.load(Ordering::Relaxed)) {
            (false, _) => State::Running,
            (true, true) => State::Draining,
            (true, false) => State::Paused,
        }
    }

    fn hops(&self) -> impl Iterator<Item = &Arc<Hop>> {
        let writes = self.state.sink.as_ref().map(|sink| sink.hop());
        self.state.reads.iter().chain(writes)
    }
}

impl Surface for StreamSocket {
    fn name(&self) -> &str {
        &self.state.name
    }

    fn endpoint(&self) -> String {
        self.endpoints.join(" ")
    }

    fn side(&self) -> Side {
        // A PAIR that writes has to outlive the flows that write to it. It is read no more once these take nothing in.
        if self.state.sink.is_some() { Side::Sink } else { Side::Source }
    }

    fn peers(&self) -> Option<PeerList> {
        Some(self.state.statistics.peer_list())
    }

    fn health(&self) -> Health {
        let state = self.state();
        let paused = || self.is_paused().then(|| format!("the socket {} is paused", self.state.name));
        Health { state, obstacle: self.state.names.complaint().or_else(paused) }
    }

    fn statistics(&self, statistics: &mut Statistics) {
        self.state.add_to(statistics);
    }

    fn status(&self) -> Option<Status> {
        self.state.reads.as_ref()?;
        let held = u64::from(self.state.holds.load(Ordering::Relaxed));
        Some(Status { state: self.state(), counts: BTreeMap::from([("held_messages", held)]) })
    }

    fn command(&self, command: flow::Command) -> Result<(), String> {
        if self.state.reads.is_none() {
            return Err(format!("{} takes no commands: it reads nothing", self.state.name));
        }
        let is_paused = match command {
            flow::Command::Pause | flow::Command::Drain => true,
            flow::Command::Resume => false,
        };
        self.state.is_paused.store(is_paused, Ordering::Relaxed);
        self.doorbell.command(Command::Pause(self.id, is_paused));
        Ok(())
    }

    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64> {
        let (closed, is_closed) = oneshot::channel();
        self.doorbell.command(Command::End(self.id, deadline, closed));
        Box::pin(async move {
            // Nothing is ever sent: the sender is dropped once the socket is closed.
            let _ = is_closed.await;
            self.hops().map(|hop| hop.figures().dropped(Reason::Abandoned)).sum()
        })
    }
}
