//! The messages that wait for a worker, in the order in which they came, each for a bounded time.

use super::job::Job;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// The queue. One that is given back stands where it came, before all that came later.
#[derive(Default)]
pub(super) struct Waiting {
    jobs: BTreeMap<u64, Job>,
    ends: BTreeSet<(Instant, u64)>,
}

impl Waiting {
    /// Has a message wait for as long as it may.
    pub(super) fn add(&mut self, job: Job) {
        self.ends.insert((job.until, job.number));
        self.jobs.insert(job.number, job);
    }

    /// The one that came first.
    pub(super) fn next(&mut self) -> Option<Job> {
        let (number, job) = self.jobs.pop_first()?;
        self.ends.remove(&(job.until, number));
        Some(job)
    }

    /// One that has waited for as long as it may.
    pub(super) fn next_overdue(&mut self, now: Instant) -> Option<Job> {
        let (until, number) = *self.ends.first()?;
        if until > now {
            return None;
        }
        self.ends.pop_first();
        self.jobs.remove(&number)
    }

    /// When the next one has.
    pub(super) fn due(&self) -> Option<Instant> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// Those for whose answer somebody waits.
    pub(super) fn wanted(&self) -> usize {
        self.jobs.values().filter(|job| !job.new.reply.is_unwanted()).count()
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }
}
