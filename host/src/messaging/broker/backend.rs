//! The backend: requests that wait for a worker, and what has become of those that had one.
//!
//! No request is dealt out to a worker that is busy: whoever is free takes the one that has waited longest. A thread is
//! woken when it sleeps and there is something for it, and only then; under load nobody sleeps. A call begins only once there is
//! room for all that it may return.

use super::exchange::{Done, Job};
use super::policy::PolicyCall;
use super::policy::Task;
use crate::byte_budget::ByteBudget;
use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Between the broker loop, which submits and collects, and its workers, which take and finish.
pub(super) struct Backend {
    waiting: Mutex<Waiting>,
    call: Condvar,
    finished: Mutex<Finished>,
    bell: PipeWriter,
    /// Of replies that are made, wait, or may yet be made.
    budget: Arc<ByteBudget>,
    /// What one call may return.
    output_bytes_max: usize,
}

#[derive(Default)]
struct Waiting {
    /// Calls that have begun elsewhere, and have their room.
    begun: VecDeque<Box<PolicyCall>>,
    jobs: VecDeque<Job>,
    /// Workers that sleep.
    resting: usize,
    /// Those of them that were called and are not up yet.
    called: usize,
    ended: bool,
}

#[derive(Default)]
struct Finished {
    done: Vec<Done>,
    /// The loop sleeps, or is about to.
    loop_sleeps: bool,
}

/// The loop's end of the bell that wakes it: to be polled for, and heard when it rang.
pub(super) struct Bell(PipeReader);

impl Backend {
    pub(super) fn open(budget: Arc<ByteBudget>, output_bytes_max: usize) -> io::Result<(Self, Bell)> {
        let (ears, bell) = io::pipe()?;
        let (waiting, finished) = (Mutex::default(), Mutex::default());
        Ok((Self { waiting, call: Condvar::new(), finished, bell, budget, output_bytes_max }, Bell(ears)))
    }

    /// Puts a request at the end of those that wait. Wakes nobody.
    pub(super) fn submit(&self, job: Job) {
        self.waiting().jobs.push_back(job);
    }

    /// Puts a call in front that has begun, and wakes a worker for it.
    pub(super) fn submit_begun(&self, call: Box<PolicyCall>) {
        let mut waiting = self.waiting();
        waiting.begun.push_back(call);
        self.call_up(waiting, 1);
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Whether there is room for what one more call may return.
    pub(super) fn has_room(&self) -> bool {
        self.budget.has_room_for(self.output_bytes_max)
    }

    /// Sees to it that so many workers are up, if there are as many, beside those that are busy; none where nothing can
    /// begin.
    pub(super) fn muster(&self, workers: usize) {
        let waiting = self.waiting();
        if !waiting.begun.is_empty() || self.has_room() {
            let missing = workers.saturating_sub(waiting.called);
            self.call_up(waiting, missing);
        }
    }

    fn call_up(&self, mut waiting: MutexGuard<'_, Waiting>, workers: usize) {
        let workers = workers.min(waiting.resting - waiting.called);
        waiting.called += workers;
        // Whoever wakes up needs the lock.
        drop(waiting);
        for _ in 0..workers {
            self.call.notify_one();
        }
    }

    /// Whether something waits and a worker rests, in whose place the loop itself may take it: so there are never more
    /// calls at a time than workers.
    pub(super) fn needs_stand_in(&self) -> bool {
        let waiting = self.waiting();
        waiting.resting > waiting.called && self.can_begin(&waiting)
    }

    /// Whether something waits for which a worker rests that nobody has called.
    pub(super) fn needs_worker(&self) -> bool {
        let waiting = self.waiting();
        waiting.resting > waiting.called && waiting.len() > waiting.called && self.can_begin(&waiting)
    }

    fn can_begin(&self, waiting: &Waiting) -> bool {
        !waiting.begun.is_empty() || !waiting.jobs.is_empty() && self.has_room()
    }

    /// For the loop: the request that has waited longest, if a worker rests.
    pub(super) fn take_as_stand_in(&self) -> Option<Task> {
        let mut waiting = self.waiting();
        if waiting.resting > waiting.called { self.next(&mut waiting) } else { None }
    }

    /// The task that has waited longest, if there is room for what comes of it. Under the lock, so that no two look for room
    /// at the same moment.
    fn next(&self, waiting: &mut Waiting) -> Option<Task> {
        if let Some(call) = waiting.begun.pop_front() {
            return Some(Task::GoOn(call));
        }
        if waiting.jobs.is_empty() {
            return None;
        }
        let held = self.budget.reserve(self.output_bytes_max)?;
        waiting.jobs.pop_front().map(|job| Task::Begin(job, held))
    }

    /// For a worker: the same, once there is one; none once the broker has ended.
    pub(super) fn take(&self) -> Option<Task> {
        let mut waiting = self.waiting();
        loop {
            if waiting.ended {
                return None;
            }
            if let Some(task) = self.next(&mut waiting) {
                return Some(task);
            }
            waiting.resting += 1;
            waiting = self.call.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.resting -= 1;
            waiting.called = waiting.called.saturating_sub(1);
        }
    }

    /// For a worker: hands a request's end to the loop.
    pub(super) fn finish(&self, done: Done) {
        let mut finished = self.finished();
        finished.done.push(done);
        if std::mem::take(&mut finished.loop_sleeps) {
            drop(finished);
            // One byte for each time that the loop sleeps: there is room for it.
            if let Err(error) = (&self.bell).write_all(&[0]) {
                tracing::error!(%error, "waking the broker");
            }
        }
    }

    /// For the loop: whether it may sleep. If so, it is woken by the bell from here on, until it collects.
    pub(super) fn lie_down(&self) -> bool {
        let mut finished = self.finished();
        finished.loop_sleeps = finished.done.is_empty();
        finished.loop_sleeps
    }

    /// For the loop: all that has ended since it collected last, behind what is in `into`.
    pub(super) fn collect(&self, into: &mut VecDeque<Done>) {
        let mut finished = self.finished();
        finished.loop_sleeps = false;
        into.extend(finished.done.drain(..));
    }

    /// Lets the workers end; what waits is given up.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting();
        waiting.ended = true;
        let given_up = (std::mem::take(&mut waiting.begun), std::mem::take(&mut waiting.jobs));
        drop(waiting);
        drop(given_up);
        self.call.notify_all();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finished(&self) -> MutexGuard<'_, Finished> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.begun.len() + self.jobs.len()
    }
}

impl Bell {
    /// Takes note of a ring that there was.
    pub(super) fn hear(&mut self) -> io::Result<()> {
        self.0.read(&mut [0; 16]).map(drop)
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EnvelopeKind;
    use crate::ledger::{Hop, Reason};
    use crate::messaging::broker::envelope::Envelope;
    use crate::messaging::broker::exchange::Job;
    use std::sync::Arc;
    use std::time::Duration;

    fn open() -> (Backend, Bell) {
        Backend::open(ByteBudget::new(1_000), 10).expect("a pipe")
    }

    fn job(hop: &Arc<Hop>) -> Job {
        let (envelope, body) =
            Envelope::split(vec![b"id".to_vec(), b"x".to_vec()], EnvelopeKind::Delimiter, 1).expect("whole");
        let (passage, number) = hop.enter_numbered();
        Job { passage, number, key: None, envelope, body }
    }

    fn end(Job { passage, envelope, .. }: Job) -> Done {
        Done { passage, envelope, verdict: Err(Reason::Rejected), request_bytes: 0, took: Duration::ZERO }
    }

    /// A wake-up that was lost would make this wait for ever.
    #[test]
    fn all_that_is_submitted_is_done_by_somebody() {
        const REQUESTS: usize = 20_000;
        let (backend, mut bell) = open();
        let hop = Arc::new(Hop::default());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while let Some(Task::Begin(job, _held)) = backend.take() {
                        backend.finish(end(job));
                    }
                });
            }
            let (mut submitted, mut done) = (0, VecDeque::new());
            while done.len() < REQUESTS {
                // Batches of many sizes, so that everybody falls asleep now and then.
                for _ in 0..(submitted % 7).min(REQUESTS - submitted).max(usize::from(submitted < REQUESTS)) {
                    backend.submit(job(&hop));
                    submitted += 1;
                }
                if submitted % 3 == 0
                    && let Some(Task::Begin(job, _held)) = backend.take_as_stand_in()
                {
                    done.push_back(end(job));
                }
                backend.muster(backend.len());
                if done.len() < submitted && backend.lie_down() {
                    bell.hear().expect("a ring");
                }
                backend.collect(&mut done);
            }
            backend.end();
        });
        assert_eq!((hop.figures().entered, hop.figures().in_flight), (REQUESTS as u64, 0));
    }

    #[test]
    fn the_loop_takes_nothing_while_every_worker_is_busy() {
        let (backend, _bell) = open();
        let hop = Arc::new(Hop::default());
        backend.submit(job(&hop));
        assert!(backend.take_as_stand_in().is_none());
        backend.waiting().resting = 1;
        assert!(backend.take_as_stand_in().is_some());
    }

    #[test]
    fn nothing_begins_without_room_for_what_it_may_return() {
        let budget = ByteBudget::new(1_000);
        let (backend, _bell) = Backend::open(Arc::clone(&budget), 500).expect("a pipe");
        let hop = Arc::new(Hop::default());
        (0..3).for_each(|_| backend.submit(job(&hop)));
        backend.waiting().resting = 3;
        let (first, second) = (backend.take_as_stand_in().expect("room"), backend.take_as_stand_in().expect("room"));
        assert!(!backend.has_room() && !backend.needs_stand_in() && !backend.needs_worker());
        assert!(backend.take_as_stand_in().is_none());
        backend.muster(3);
        assert_eq!(backend.waiting().called, 0);
        drop(first);
        assert!(backend.needs_worker());
        assert!(backend.take_as_stand_in().is_some());
        drop(second);
    }

    #[test]
    fn what_waits_at_the_end_is_given_up() {
        let (backend, _bell) = open();
        let hop = Arc::new(Hop::default());
        backend.submit(job(&hop));
        backend.end();
        assert!(backend.take().is_none());
        assert_eq!(hop.figures().dropped(Reason::Abandoned), 1);
    }
}
