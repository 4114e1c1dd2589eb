//! The list of a host's surfaces: their lines at the start, and their orderly end.

use crate::flow::{self, Side, Surface};
use crate::system::output::try_print;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the last messages and answers get to reach the system's buffers when the grace period is used up.
pub(super) const FLUSH_MIN: Duration = Duration::from_millis(500);

/// In the order of their lines at the start.
#[derive(Default)]
pub(super) struct Surfaces {
    running: flow::Surfaces,
    /// Those that the configuration could have and does not, with how many lines stand before theirs.
    absent: Vec<(usize, &'static str)>,
}

impl Surfaces {
    /// Adds the surface that the configuration has under a name, or says that it has none.
    pub(super) fn add(&mut self, name: &'static str, surface: Option<Arc<impl Surface + 'static>>) {
        match surface {
            Some(surface) => self.running.add(surface),
            None => self.absent.push((self.running.all().len(), name)),
        }
    }

    /// Those that there are.
    pub(super) fn all(&self) -> Vec<Arc<dyn Surface>> {
        self.running.all()
    }

    /// Those that there are, to which others may come while the host runs.
    pub(super) fn registry(&self) -> flow::Surfaces {
        self.running.clone()
    }

    /// One line per surface, one per route below the public HTTP surface, then `ready`.
    pub(super) fn announce(&self, routes: &[String]) {
        let line = |surface: &Arc<dyn Surface>| match surface.side() {
            Side::Flow => format!("flow {} {}\n", surface.name(), surface.endpoint()),
            Side::Source | Side::Sink | Side::Control => format!("{} {}\n", surface.name(), surface.endpoint()),
        };
        let mut lines: Vec<_> = self.all().iter().map(line).collect();
        for (before, name) in self.absent.iter().rev() {
            lines.insert(*before, format!("{name} none\n"));
        }
        let lines = lines.concat();
        let routes: String = routes.iter().map(|route| format!("route {route}\n")).collect();
        // Whoever started the host may have closed its output; that is no reason not to serve.
        let _ = try_print(lines + &routes + "ready\n");
    }

    /// Ends all surfaces of one side at the same time, by `deadline` but for what is on its way out. Says how much they
    /// gave up.
    pub(super) async fn end(&self, side: Side, deadline: Instant) -> u64 {
        let deadline = if side == Side::Source { deadline } else { deadline.max(Instant::now() + FLUSH_MIN) };
        let meant = self.all().into_iter().filter(|surface| surface.side() == side);
        join_all(meant.map(|surface| surface.end(deadline))).await.into_iter().sum()
    }
}
