//! The workers of one command line: one for the endpoint, or one for each address of a name, since a worker has exactly one host.

use super::{Tally, Worker, WorkerError, WorkerSettings};
use crate::config::{NAME_LOOK_UP_MS, is_every_address};
use crate::messaging::socket::addresses::{Addresses, Change, LetGo, Taken};
use crate::system::output::note;
use crate::system::supervisor::Supervisor;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};

/// How a worker has ended, and at which endpoint.
type Ended = (String, Result<Tally, String>);

/// All of them, on a runtime of one thread.
pub struct Workers {
    settings: WorkerSettings,
    addresses: Addresses,
    looked_up: Arc<LookedUp>,
    running: BTreeMap<String, Worker>,
    /// Those that were told to end, and have not.
    leaving: BTreeSet<String>,
    /// Addresses that have a worker again as soon as the one before has ended.
    returning: BTreeSet<String>,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    /// Those that have ended, until their commands have.
    ending: Vec<Worker>,
    /// A host has sent its worker away, which does not come back.
    is_sent_away: bool,
    is_stopping: bool,
    tally: Tally,
    failure: Option<String>,
    /// Why the name could not be looked up, which was told.
    told: Option<String>,
    is_crowd_told: bool,
}

/// Wakes whoever waits for the workers when the name was looked up.
struct LookedUp(Notify);

impl Wake for LookedUp {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Workers {
    /// Starts the worker; or looks the name up, and starts one for each address as they become known.
    ///
    /// # Errors
    /// When there is no such command, or the system gives no thread or pipe.
    pub fn start(settings: WorkerSettings) -> Result<Self, WorkerError> {
        settings.command.look_up().map_err(WorkerError)?;
        let looked_up = Arc::new(LookedUp(Notify::new()));
        let (period, waker) = (Duration::from_millis(NAME_LOOK_UP_MS), Waker::from(Arc::clone(&looked_up)));
        // A worker that is told to end answers what it has, so that nothing is lost by telling it at once.
        let mut addresses = Addresses::new(period, LetGo::AtOnce, Supervisor::default(), waker);
        let endpoint = settings.endpoint.clone();
        let is_every_address = is_every_address(&endpoint);
        if is_every_address {
            addresses.add(&endpoint, Instant::now());
        }
        let mut workers = Self {
            settings,
            addresses,
            looked_up,
            running: BTreeMap::new(),
            leaving: BTreeSet::new(),
            returning: BTreeSet::new(),
            ended: mpsc::unbounded_channel(),
            ending: Vec::new(),
            is_sent_away: false,
            is_stopping: false,
            tally: Tally::default(),
            failure: None,
            told: None,
            is_crowd_told: false,
        };
        if !is_every_address {
            workers.add(endpoint)?;
        }
        Ok(workers)
    }

    /// Makes all of them answer what they have, and end.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        self.returning.clear();
        self.running.values().for_each(Worker::stop);
        self.looked_up.0.notify_one();
    }

    /// Works until all have ended: because of [`Self::stop`], because each host sent its worker away, or because one could not
    /// go on, and why. May be dropped and called again.
    pub async fn work(&mut self) -> Result<Tally, String> {
        loop {
            self.maintain();
            if self.has_ended() {
                return self.failure.take().map_or(Ok(self.tally), Err);
            }
            let due = self.addresses.due().filter(|_| !self.is_stopping).map(tokio::time::Instant::from_std);
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((endpoint, tally)) = self.ended.1.recv() => self.take_in(&endpoint, tally),
                () = self.looked_up.0.notified() => {}
                () = wait => {}
            }
        }
    }

    /// Waits until the commands have ended, once the workers have; those that do not end are killed.
    pub async fn end(&mut self) {
        join_all(self.ending.iter_mut().map(Worker::end)).await;
    }

    /// Kills the commands.
    pub async fn kill(&mut self) {
        join_all(self.running.values_mut().chain(&mut self.ending).map(Worker::kill)).await;
    }

    /// Whether nothing is left to wait for.
    fn has_ended(&self) -> bool {
        let may_come = !self.addresses.is_empty() && !self.is_stopping && self.failure.is_none();
        self.running.is_empty() && (!may_come || self.is_sent_away)
    }

    /// Has a worker for each address of the name.
    fn maintain(&mut self) {
        if self.addresses.is_empty() || self.is_stopping {
            return;
        }
        for change in self.addresses.maintain(true, Instant::now()) {
            match change {
                Change::Connect(endpoint) if self.running.contains_key(&endpoint) => {
                    self.returning.insert(endpoint);
                }
                Change::Connect(endpoint) => {
                    if let Err(WorkerError(why)) = self.add(endpoint) {
                        self.fail(why);
                    }
                }
                Change::Disconnect(endpoint) => self.leave(endpoint),
                Change::LookedUp { endpoint, taken, failure } => self.tell(&endpoint, taken, failure),
            }
        }
    }

    fn add(&mut self, endpoint: String) -> Result<(), WorkerError> {
        let settings = WorkerSettings { endpoint: endpoint.clone(), ..self.settings.clone() };
        let (worker, tally) = Worker::start(settings)?;
        let (ended, place) = (self.ended.0.clone(), endpoint.clone());
        tokio::spawn(async move {
            let tally = tally.await.unwrap_or_else(|_| Err("the worker has died".to_owned()));
            // This fails if nobody waits for them any more.
            let _ = ended.send((place, tally));
        });
        self.running.insert(endpoint, worker);
        Ok(())
    }

    /// The address has left the name: its worker answers what it has, and ends.
    fn leave(&mut self, endpoint: String) {
        self.returning.remove(&endpoint);
        if let Some(worker) = self.running.get(&endpoint) {
            note(format_args!("leaving {endpoint}, an address that its name has no more"));
            worker.stop();
            self.leaving.insert(endpoint);
        }
    }

    fn take_in(&mut self, endpoint: &str, tally: Result<Tally, String>) {
        self.ending.retain(|worker| !worker.has_ended());
        self.ending.extend(self.running.remove(endpoint));
        self.is_sent_away |= !self.leaving.remove(endpoint) && tally.is_ok() && !self.is_stopping;
        match tally {
            Ok(tally) => self.tally += tally,
            Err(why) => self.fail(why),
        }
        if self.returning.remove(endpoint)
            && let Err(WorkerError(why)) = self.add(endpoint.to_owned())
        {
            self.fail(why);
        }
    }

    /// One of them cannot go on, and so none does.
    fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
        self.stop();
    }

    fn tell(&mut self, endpoint: &str, Taken { addresses, left_out }: Taken, failure: Option<String>) {
        if left_out > 0 && !std::mem::replace(&mut self.is_crowd_told, true) {
            note(format_args!(
                "{endpoint} has more addresses than the {addresses} that are connected to: {left_out} are left out"
            ));
        }
        match &failure {
            Some(failure) if self.told.is_none() => {
                let rest = if addresses == 0 { "still trying" } else { "its last addresses stay in use" };
                note(format_args!("connecting to {endpoint}: {failure}; {rest}"));
            }
            None if self.told.is_some() => note(format_args!("the name in {endpoint} is known again")),
            _ => {}
        }
        self.told = failure;
    }
}
