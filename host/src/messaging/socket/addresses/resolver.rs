//! Looks names up on threads of their own, of which a process has a bounded number: the system may take half a minute for a name
//! that nobody answers for, and no other name is to wait for that.

use crate::config::{NAME_LOOK_UP_WAITERS_MAX, NAME_LOOK_UPS_MAX};
use crate::messaging::socket::host_name::HostName;
use crate::system::supervisor::Supervisor;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Takes what a name was found to be. It does not block.
pub(super) type Tell = Box<dyn FnOnce(HostName) + Send>;

/// All look-ups that are under way, by the host, with who waits for each.
pub(super) struct Resolver {
    running: Mutex<BTreeMap<String, Vec<Tell>>>,
    resolve: fn(&str) -> HostName,
}

impl Resolver {
    /// The one of this process.
    pub(super) fn of_process() -> &'static Arc<Self> {
        static RESOLVER: std::sync::LazyLock<Arc<Resolver>> =
            std::sync::LazyLock::new(|| Arc::new(Resolver::new(HostName::find)));
        &RESOLVER
    }

    fn new(resolve: fn(&str) -> HostName) -> Self {
        Self { running: Mutex::default(), resolve }
    }

    /// Looks up a host by its name, or joins whoever does so already. `tell` gets the answer, at once where the name cannot
    /// be looked up.
    pub(super) fn look_up(self: &Arc<Self>, host: &str, supervisor: &Supervisor, tell: Tell) {
        let refuse = |tell: Tell, why: String| tell(HostName::unknown(host, why));
        {
            let mut running = self.lock();
            let lookups = running.len();
            match running.get_mut(host) {
                Some(waiting) if waiting.len() < NAME_LOOK_UP_WAITERS_MAX => return waiting.push(tell),
                Some(_) => {
                    drop(running);
                    return refuse(tell, "as many sockets wait for it as may".to_owned());
                }
                None if lookups >= NAME_LOOK_UPS_MAX => {
                    drop(running);
                    return refuse(tell, format!("{lookups} other names are being looked up and do not answer"));
                }
                None => drop(running.insert(host.to_owned(), vec![tell])),
            }
        }
        let (resolver, name) = (Arc::clone(self), host.to_owned());
        let run = move || {
            let found = (resolver.resolve)(&name);
            resolver.answer(&name, &found);
            Ok(())
        };
        if let Err(error) = supervisor.thread("name look-up", run) {
            self.answer(host, &HostName::unknown(host, error.to_string()));
        }
    }

    fn answer(&self, host: &str, found: &HostName) {
        let waiting = self.lock().remove(host).unwrap_or_default();
        waiting.into_iter().for_each(|tell| tell(found.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Tell>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    /// A name that begins so is not answered before the barrier is let go of.
    fn hang(name: &str) -> HostName {
        if name.starts_with("stuck") {
            drop(HANGING.lock().unwrap_or_else(PoisonError::into_inner));
        }
        HostName::unknown(name, "for a test".to_owned())
    }

    static HANGING: Mutex<()> = Mutex::new(());

    #[test]
    fn a_name_that_hangs_holds_up_no_other_and_threads_are_bounded() {
        let barrier = HANGING.lock().unwrap();
        let resolver = Arc::new(Resolver::new(hang));
        let (told, answers) = mpsc::channel();
        let look_up = |name: String| {
            let (told, own) = (told.clone(), name.clone());
            let tell = Box::new(move |host: HostName| told.send((own, host.addresses().unwrap_err())).unwrap());
            resolver.look_up(&name, &Supervisor::default(), tell);
        };
        let next = || answers.recv_timeout(Duration::from_secs(20)).expect("an answer");
        // Whoever asks again while it hangs takes no other thread.
        for _ in 0..100 {
            look_up("stuck".to_owned());
        }
        look_up("other".to_owned());
        assert_eq!(next().0, "other");
        for number in 1..NAME_LOOK_UPS_MAX {
            look_up(format!("stuck-{number}"));
        }
        look_up("one-more".to_owned());
        let (name, why) = next();
        assert!(name == "one-more" && why.contains("32 other names"), "{name} {why}");
        drop(barrier);
        let all: Vec<_> = (0..100 + NAME_LOOK_UPS_MAX - 1).map(|_| next().0).collect();
        assert_eq!(all.iter().filter(|name| *name == "stuck").count(), 100);
        // A thread ends a moment behind its answer.
        look_up("one-more".to_owned());
        assert!(next().1.contains("for a test"));
        assert!(answers.try_recv().is_err() && resolver.lock().is_empty());
    }
}
