//! The gate of a load: a newcomer is held to what serves on captured traffic, and a refusal says where it differs first.

mod verdict;

use super::callers::Pair;
use super::captured_call::Told;
use super::runner::{Manner, Progress, compare_as};
use super::selection::{Reading, SelectionError, read};
use super::source::open_as;
use crate::config::{self, DifferenceBound, GATES_AT_ONCE_MAX};
use crate::plugin::{Gate, LoadError, Plugin};
use crate::record::compare::Rules;
use futures_util::future::BoxFuture;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use verdict::Verdict;

/// Compares newcomers with what serves on files of captured traffic.
pub(crate) struct TrafficGate {
    /// Permits for comparisons: each has a part of its file in memory.
    turns: Arc<Semaphore>,
}

impl Default for TrafficGate {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(GATES_AT_ONCE_MAX)) }
    }
}

impl Gate for TrafficGate {
    fn judge(
        &self,
        rules: Arc<config::Gate>,
        serving: Arc<Plugin>,
        newcomer: Arc<Plugin>,
    ) -> BoxFuture<'static, Result<String, LoadError>> {
        let turns = Arc::clone(&self.turns);
        Box::pin(async move {
            let _turn = turns.acquire().await;
            judge(&rules, Pair { old: serving, new: newcomer }).await
        })
    }
}

async fn judge(rules: &config::Gate, pair: Pair) -> Result<String, LoadError> {
    let name = pair.new.name().to_owned();
    let verdict = Verdict { rules, plugin: &name };
    if !pair.old.is_stage() && !pair.new.is_stage() {
        return Err(verdict.of_handler());
    }
    let (time_max, progress) = (Duration::from_millis(rules.time_max_ms), Arc::new(Progress::default()));
    match timeout(time_max, compare_on(rules, &name, &pair, &progress, &verdict)).await {
        Ok(judged) => judged,
        Err(_) => {
            let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
            Err(verdict.of_time(count(&progress.compared), count(&progress.differing)))
        }
    }
}

async fn compare_on(
    rules: &config::Gate,
    name: &str,
    pair: &Pair,
    progress: &Arc<Progress>,
    verdict: &Verdict<'_>,
) -> Result<String, LoadError> {
    let unusable = |why: String| verdict.of_file(&why);
    // Half of the processors, and of a low priority: the traffic is to feel nothing of it.
    let threads = std::thread::available_parallelism().map_or(1, |count| (count.get() / 2).max(1));
    let file = rules.on.clone();
    let opening = tokio::task::spawn_blocking(move || {
        check_is_file(&file)?;
        open_as(&file, Told::Nowhere)
    });
    let source = opening.await.unwrap_or_else(|panic| Err(panic.to_string())).map_err(unusable)?;
    let unread = |error: SelectionError| {
        verdict.of_file(&match error {
            SelectionError::OfOthers { names, .. } => format!("it has no call of {name}, but of {names}"),
            error => error.to_string(),
        })
    };
    let Reading { batches, skipped, .. } = read(source, Some(name.to_owned()), threads).await.map_err(unread)?;
    let differing_max = match rules.max_diff {
        DifferenceBound::Inputs(max) => max,
        DifferenceBound::Percent(_) => u64::MAX,
    };
    let manner = Manner { threads, differing_max, tries_at_once: true };
    let rules = Arc::new(Rules { ignored: rules.ignore.clone(), unordered: rules.unordered.clone() });
    let mut compared = compare_as(manner, pair, &rules, batches, progress).await.map_err(unusable)?;
    let is_whole = compared.comparison.counts().differing() <= differing_max;
    if is_whole {
        for (skip, count) in skipped.get().await.map_err(unread)? {
            *compared.skipped.entry(skip).or_default() += count;
        }
    }
    verdict.of(&compared, is_whole)
}

/// Whether it may be opened without waiting for a writer.
fn check_is_file(file: &Path) -> Result<(), String> {
    let found = std::fs::metadata(file).map_err(|error| error.to_string())?;
    if found.is_file() { Ok(()) } else { Err("it is no regular file".to_owned()) }
}
