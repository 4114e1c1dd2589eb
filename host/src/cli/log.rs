//! The log: lines on stderr, written by a thread of their own, so that a stalled terminal or pipe holds up no traffic.

use std::io::IsTerminal;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that wait to be written; more are lost rather than waited for.
const LINES_MAX: usize = 16_384;

/// Starts the log. `TIDEGATE_LOG` filters it as `tracing-subscriber` reads it (default `info`); the lines that wait are
/// written when the guard is dropped.
pub(super) fn start() -> WorkerGuard {
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(LINES_MAX).lossy(true).finish(std::io::stderr());
    let filter = EnvFilter::try_from_env("TIDEGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    guard
}
