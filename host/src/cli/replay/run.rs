//! One run over a file: each message goes when it is due and there is room, until the end, an interrupt, or what stops all.

use super::outlet::Outlet;
use super::reading::Reading;
use super::tally::Tally;
use crate::record::capture::Lost;
use crate::record::replay::{Found, Incoming, Schedule};
use crate::system::interrupt::Interrupt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often one looks whether there is room again.
const LOOK: Duration = Duration::from_millis(1);
/// How long is slept at most: a file may put the next message off for years.
const SLEEP_MAX: Duration = Duration::from_hours(1);
/// How often what is told of the run is renewed.
const TOLD_INTERVAL: Duration = Duration::from_millis(100);
/// How long is waited for what is on its way where the run was stopped.
const END_WAIT_MAX: Duration = Duration::from_secs(1);
/// Why a run ended that the user has ended.
const INTERRUPTED: &str = "interrupted";

/// What a run needs beside the file and the way.
pub(super) struct Run {
    pub(super) schedule: Schedule,
    /// Messages at most.
    pub(super) limit: u64,
    /// How long to wait for a receiver, for room, and for the end.
    pub(super) timeout: Duration,
    pub(super) interrupt: Interrupt,
    /// How far it is.
    pub(super) told: Arc<Mutex<String>>,
}

impl Run {
    /// Sends everything.
    pub(super) fn run(mut self, mut reading: Reading, mut outlet: Box<dyn Outlet>) -> (Tally, Lost) {
        let mut tally = Tally::default();
        let stopped = self.send_all(&mut reading, &mut *outlet, &mut tally).err();
        let lost = match &stopped {
            // The thread that reads may be far from the end.
            Some(_) => Lost::default(),
            None => reading.end().unwrap_or_else(|error| {
                tally.stopped = Some(format!("{error:#}"));
                Lost::default()
            }),
        };
        // What had no room is not waited for twice, and whoever has interrupted it wants an end.
        let wait = if stopped.is_some() { self.timeout.min(END_WAIT_MAX) } else { self.timeout };
        let ended = outlet.end(wait, &self.interrupt, &mut tally).err();
        let why: Vec<_> = [stopped, tally.stopped.take(), ended].into_iter().flatten().collect();
        tally.stopped = (!why.is_empty()).then(|| why.join("; "));
        tally.lateness = self.schedule.lateness();
        (tally, lost)
    }

    /// # Errors
    /// Why it stopped before the end.
    fn send_all(&mut self, reading: &mut Reading, outlet: &mut dyn Outlet, tally: &mut Tally) -> Result<(), String> {
        let (mut started, mut told_at) = (None, Instant::now());
        let mut left = self.limit;
        while left > 0 {
            let message = match reading.next() {
                None => break,
                Some(Found::Skipped(skip)) => {
                    tally.skip(skip);
                    continue;
                }
                Some(Found::Incoming(message)) => message,
            };
            if let Some(skip) = outlet.refuses(&message) {
                tally.skip(skip);
                continue;
            }
            left -= 1;
            let start = match started {
                Some(start) => start,
                None => {
                    self.await_receiver(outlet)?;
                    *started.insert(Instant::now())
                }
            };
            let due = self.schedule.next(message.time);
            self.sleep_until(start, due)?;
            let sent = self.send(&message, outlet, tally);
            tally.took = start.elapsed();
            sent?;
            self.schedule.sent(tally.took);
            if told_at.elapsed() > TOLD_INTERVAL {
                told_at = Instant::now();
                tally.lateness = self.schedule.lateness();
                self.tell(tally.told());
            }
        }
        Ok(())
    }

    fn await_receiver(&self, outlet: &mut dyn Outlet) -> Result<(), String> {
        let started = Instant::now();
        let receiver = outlet.receiver();
        self.tell(format!("waiting for {receiver}"));
        while !outlet.is_ready()? {
            if started.elapsed() > self.timeout {
                return Err(format!("{receiver} was not there within {:?}: nothing was sent", self.timeout));
            }
            self.look(LOOK)?;
        }
        self.tell("replaying".to_owned());
        Ok(())
    }

    fn sleep_until(&self, start: Instant, due: Duration) -> Result<(), String> {
        loop {
            let left = due.saturating_sub(start.elapsed());
            if left.is_zero() {
                // A run without a pause can be interrupted too.
                return self.look(Duration::ZERO);
            }
            self.look(left.min(SLEEP_MAX))?;
        }
    }

    fn send(&self, message: &Incoming, outlet: &mut dyn Outlet, tally: &mut Tally) -> Result<(), String> {
        let (started, mut is_told) = (Instant::now(), false);
        while !outlet.offer(message, tally)? {
            let waited = started.elapsed();
            if waited > self.timeout {
                return Err(format!("{} has taken nothing for {:?}", outlet.receiver(), self.timeout));
            }
            if waited > TOLD_INTERVAL && !std::mem::replace(&mut is_told, true) {
                self.tell(format!("{}; waiting for room", tally.told()));
            }
            self.look(LOOK)?;
        }
        Ok(())
    }

    /// Waits so long, or until an interrupt.
    fn look(&self, wait: Duration) -> Result<(), String> {
        if self.interrupt.comes_within(wait) { Err(INTERRUPTED.to_owned()) } else { Ok(()) }
    }

    fn tell(&self, text: String) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}
