//! The streams of the configuration: each is made if it is not there, and changed only if the configuration says so.

use super::complaint::Complaint;
use super::connection::Connection;
use super::retry::{pause, until};
use crate::config::{JetStreamStream, Storage};
use crate::system::supervisor::Supervisor;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, RetentionPolicy, StorageType};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Nobody has the streams looked after more often.
const LOOK_MIN: Duration = Duration::from_millis(500);

type Streams = BTreeMap<String, JetStreamStream>;

/// Looks after the streams whenever the connection comes, and whenever they are others.
pub(super) struct StreamKeeper {
    wanted: watch::Sender<Arc<Streams>>,
    /// Why one is not there; none if all are, or nobody has looked.
    complaint: Complaint,
    /// Whether somebody has looked.
    has_looked: watch::Sender<bool>,
    /// Notified when one may have gone.
    look: Notify,
}

impl StreamKeeper {
    pub(super) fn start(connection: Arc<Connection>, streams: Streams, supervisor: &Supervisor) -> Arc<Self> {
        let (wanted, is_changed) = watch::channel(Arc::new(streams));
        let keeper = Arc::new(Self {
            wanted,
            complaint: Complaint::default(),
            has_looked: watch::channel(false).0,
            look: Notify::new(),
        });
        let kept = Arc::downgrade(&keeper);
        supervisor.task("streams", async move {
            keep(&kept, &connection, is_changed).await;
            Ok(())
        });
        keeper
    }

    pub(super) fn set(&self, streams: Streams) {
        self.wanted.send_if_modified(|wanted| {
            let differ = **wanted != streams;
            if differ {
                *wanted = Arc::new(streams);
            }
            differ
        });
    }

    /// Looks after the streams again if one of them has this subject. Returns whether one has.
    pub(super) fn make_those_of(&self, subject: &str) -> bool {
        let has = |stream: &JetStreamStream| stream.subjects.iter().any(|pattern| matches(pattern, subject));
        let is_one = self.wanted.borrow().values().any(has);
        if is_one {
            self.look.notify_one();
        }
        is_one
    }

    /// Looks after the streams again if this is one of them.
    pub(super) fn make(&self, stream: &str) {
        if self.wanted.borrow().contains_key(stream) {
            self.look.notify_one();
        }
    }

    /// Completes once they were looked after for the first time.
    pub(super) async fn looked_after(&self) {
        // The sender is here.
        let _ = self.has_looked.subscribe().wait_for(|has_looked| *has_looked).await;
    }

    /// What is wrong with them, in one line for the operator.
    pub(super) fn complaint(&self) -> Option<String> {
        self.complaint.get()
    }
}

/// Runs until nobody holds the keeper any more.
async fn keep(keeper: &Weak<StreamKeeper>, connection: &Connection, mut is_changed: watch::Receiver<Arc<Streams>>) {
    let (mut link, mut failures) = (connection.watch(), 0);
    loop {
        let is_there = link.borrow_and_update().is_none();
        let wanted = Arc::clone(&is_changed.borrow_and_update());
        let mut again = None;
        if is_there {
            let complaint = ensure_all(connection, &wanted).await.err();
            failures = if complaint.is_some() { failures + 1 } else { 0 };
            again = complaint.is_some().then(|| Instant::now() + pause(failures));
            let Some(keeper) = keeper.upgrade() else { return };
            keeper.complaint.tell(complaint);
            keeper.has_looked.send_replace(true);
        }
        let over = tokio::select! {
            changed = is_changed.changed() => changed.is_err(),
            changed = link.changed() => changed.is_err(),
            () = gone(keeper) => {
                // Whoever misses it asks again and again.
                tokio::time::sleep(LOOK_MIN).await;
                false
            }
            () = until(again) => false,
        };
        if over {
            return;
        }
    }
}

/// Completes when a stream may have gone.
async fn gone(keeper: &Weak<StreamKeeper>) {
    match keeper.upgrade() {
        Some(keeper) => keeper.look.notified().await,
        None => std::future::pending().await,
    }
}

/// Whether a pattern of subjects, with `*` for a token and `>` for the rest, has this one.
fn matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for part in pattern.split('.') {
        match (part, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(token)) if part == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

async fn ensure_all(connection: &Connection, streams: &Streams) -> Result<(), String> {
    let mut complaints = Vec::new();
    for (name, stream) in streams {
        complaints.extend(ensure(connection, &config_of(name, stream), stream.manage).await.err());
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("; ")) }
}

/// Makes a stream if it is not there, and changes it to this if it `may_change`.
///
/// # Errors
/// When the servers do not do so; names the stream.
async fn ensure(connection: &Connection, wanted: &Config, may_change: bool) -> Result<(), String> {
    let (name, jetstream) = (&wanted.name, connection.jetstream());
    let failed = |act: &str, error: &dyn std::fmt::Display| format!("streams.{name}: {act}: {error}");
    match jetstream.get_stream(name).await {
        Ok(stream) => {
            let there = &stream.cached_info().config;
            if is_as_wanted(there, wanted) {
                return Ok(());
            }
            if !may_change {
                tracing::warn!(
                    stream = name.as_str(),
                    subjects = there.subjects.join(", "),
                    replicas = there.num_replicas,
                    max_bytes = there.max_bytes,
                    max_age_ms = there.max_age.as_millis() as u64,
                    "the stream is there and is another than the configuration says; it stays as it is, unless \
                     streams.{name}.manage is true"
                );
                return Ok(());
            }
            let changed = Config {
                subjects: wanted.subjects.clone(),
                num_replicas: wanted.num_replicas,
                max_bytes: wanted.max_bytes,
                max_age: wanted.max_age,
                duplicate_window: wanted.duplicate_window,
                ..there.clone()
            };
            jetstream.update_stream(changed).await.map_err(|error| failed("changing it", &error))?;
            tracing::info!(stream = name.as_str(), "stream changed");
            Ok(())
        }
        Err(error) if is_missing(&error.kind()) => {
            jetstream.create_stream(wanted).await.map_err(|error| failed("making it", &error))?;
            tracing::info!(stream = name.as_str(), "stream made");
            Ok(())
        }
        Err(error) => Err(failed("looking at it", &error)),
    }
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.code() == 404)
}

fn is_as_wanted(there: &Config, wanted: &Config) -> bool {
    let said = |config: &Config| {
        let mut subjects = config.subjects.clone();
        subjects.sort_unstable();
        (subjects, config.num_replicas, config.max_bytes, config.max_age, config.duplicate_window)
    };
    said(there) == said(wanted) && there.storage == wanted.storage
}

/// A stream that keeps what it may until it has no room or is too old, whoever has read it.
fn config_of(name: &str, stream: &JetStreamStream) -> Config {
    let max_age = Duration::from_millis(stream.max_age_ms);
    let window = Duration::from_millis(stream.duplicate_window_ms);
    Config {
        name: name.to_owned(),
        subjects: stream.subjects.clone(),
        retention: RetentionPolicy::Limits,
        storage: match stream.storage {
            Storage::File => StorageType::File,
            Storage::Memory => StorageType::Memory,
        },
        num_replicas: stream.replicas,
        max_age,
        max_bytes: stream.max_bytes,
        // It is no longer than what is kept.
        duplicate_window: if max_age.is_zero() { window } else { window.min(max_age) },
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_have_subjects_as_nats_says() {
        for (pattern, subject, has) in [
            ("a.b", "a.b", true),
            ("a.*", "a.b", true),
            ("a.>", "a.b.c", true),
            ("a.*.c", "a.b.c", true),
            (">", "a", true),
            ("a.*", "a.b.c", false),
            ("a.>", "a", false),
            ("a", "a.b", false),
            ("a.b", "a", false),
        ] {
            assert_eq!(matches(pattern, subject), has, "{pattern} {subject}");
        }
    }
}
