//! The log: lines on stderr, written by a thread of their own, so that a stalled terminal or pipe holds up no traffic.

use crate::config::{LAST_WORDS_MS, LogFormat};
use crate::plugin::LOG_FILTER;
use anstream::{AutoStream, ColorChoice};
use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that wait to be written; more are lost rather than waited for.
const LINES_MAX: usize = 16_384;

/// The log while it is written; the lines that wait are written when this is dropped.
pub(super) struct Log {
    _guard: WorkerGuard,
    queue: ErrorCounter,
    unwritten: Arc<AtomicU64>,
}

/// What the client of NATS says of itself is as long as a server makes it, and the host says the same in its own words.
const NATS_CLIENT: &str = "async_nats";

/// What of the log is wanted, as `tracing-subscriber` reads it: levels, for all or by target.
#[derive(Clone, Debug)]
pub(super) struct Filter(Box<EnvFilter>);

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // It takes a level that it does not know for a target of which everything is wanted.
        for directive in text.split(',').filter(|directive| !directive.contains('[')) {
            let level = directive.rsplit('=').next().unwrap_or_default();
            if level.is_empty() || level.parse::<LevelFilter>().is_err() {
                return Err(format!(
                    "`{directive}` is neither a level (off, error, warn, info, debug or trace) nor TARGET=LEVEL such as \
                     tidegate::messaging=debug"
                ));
            }
        }
        let is_asked_for = text.contains(NATS_CLIENT);
        let text = if is_asked_for { text.to_owned() } else { format!("{text},{NATS_CLIENT}=off") };
        EnvFilter::builder().parse(&text).map(|filter| Self(Box::new(filter))).map_err(|error| error.to_string())
    }
}

/// Starts the log, which is filtered by `info` if nothing else is asked for.
pub(super) fn start(format: LogFormat, filter: Option<Filter>) -> Log {
    let unwritten = Arc::new(AtomicU64::new(0));
    let stderr = CountedStderr { unwritten: Arc::clone(&unwritten) };
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(LINES_MAX).lossy(true).finish(stderr);
    let queue = writer.error_counter();
    let filter = filter.unwrap_or_else(|| "info".parse().expect("it is one")).0;
    let filter = filter.add_directive(LOG_FILTER.parse().expect("it is one"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    match format {
        LogFormat::Text => {
            // As clap decides for its help and errors, by NO_COLOR and TERM among others.
            let coloured = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
            log.with_ansi(coloured).init()
        }
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
    Log { _guard: guard, queue, unwritten }
}

impl Log {
    /// Reads how many lines were lost, by reason.
    pub(super) fn lines_lost(&self) -> impl Fn() -> [(&'static str, u64); 2] + Send + Sync + 'static {
        let (queue, unwritten) = (self.queue.clone(), Arc::clone(&self.unwritten));
        move || [("queue-full", queue.dropped_lines() as u64), ("write-failed", unwritten.load(Ordering::Relaxed))]
    }
}

/// Stderr, with a count of the lines that it did not take: a full disk must not stop the host, and not go unnoticed.
struct CountedStderr {
    unwritten: Arc<AtomicU64>,
}

impl Write for CountedStderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // A line comes in one piece, and is given up at the first failure.
        std::io::stderr().write(bytes).inspect_err(|error| {
            if error.kind() != std::io::ErrorKind::Interrupted {
                self.unwritten.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes the last words of a run past the log: they are there whatever `TIDEGATE_LOG` says. Nothing is waited for in
/// vain, neither a disk that is full nor a pipe that nobody reads.
pub(super) fn say(text: &str) {
    let text = text.to_owned();
    let (said, wait) = mpsc::channel();
    let writing = std::thread::Builder::new().name("last-words".to_owned()).spawn(move || {
        let _ = std::io::stderr().write_all(text.as_bytes());
        let _ = said.send(());
    });
    if writing.is_ok() {
        let _ = wait.recv_timeout(Duration::from_millis(LAST_WORDS_MS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_levels_for_all_or_by_target() {
        for text in ["info", "OFF", "error,tidegate::app=info", "2", "debug,hyper=off", "[call]=debug", "[a{b=1}]"] {
            text.parse::<Filter>().unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        for text in
            ["loud", "tidegate", "tidegate=loud", "info,", ",", "inof,debug", "6", "=", "a=b=c", "info;debug", " debug"]
        {
            let error = text.parse::<Filter>().err().unwrap_or_else(|| panic!("{text} is taken"));
            assert!(error.contains("neither a level (off, error, warn, info, debug or trace)"), "{error}");
        }
    }
}
