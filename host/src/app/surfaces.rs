//! The list of a host's surfaces: their lines at the start, and their orderly end.

use crate::flow::{Side, Surface};
use crate::system::output::try_print;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the last messages and answers get to reach the system's buffers when the grace period is used up.
pub(super) const FLUSH_MIN: Duration = Duration::from_millis(500);

/// In the order of their lines at the start.
#[derive(Default)]
pub(super) struct Surfaces(Vec<(&'static str, Option<Arc<dyn Surface>>)>);

impl Surfaces {
    /// Adds the surface that the configuration has under a name, or says that it has none.
    pub(super) fn add(&mut self, name: &'static str, surface: Option<Arc<impl Surface + 'static>>) {
        self.0.push((name, surface.map(|surface| surface as Arc<dyn Surface>)));
    }

    /// Those that there are.
    pub(super) fn all(&self) -> Vec<Arc<dyn Surface>> {
        self.0.iter().filter_map(|(_, surface)| surface.clone()).collect()
    }

    /// One line per surface, one per route below the public HTTP surface, then `ready`.
    pub(super) fn announce(&self, routes: &[String]) {
        let endpoint = |surface: &Option<Arc<dyn Surface>>| {
            surface.as_ref().map_or("none".to_owned(), |surface| surface.endpoint())
        };
        let lines: String = self.0.iter().map(|(name, surface)| format!("{name} {}\n", endpoint(surface))).collect();
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
