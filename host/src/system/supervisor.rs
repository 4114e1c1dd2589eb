//! The supervisor: starts the threads and tasks that run as long as the host does, and reports when one of them dies.

use futures_util::FutureExt;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// Starts threads and tasks that end only when they are told to. Clones share the list of deaths.
#[derive(Clone, Debug, Default)]
pub struct Supervisor(Arc<Deaths>);

#[derive(Debug, Default)]
struct Deaths {
    all: Mutex<Vec<Death>>,
    count: watch::Sender<usize>,
}

/// The end of a part that was not told to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The part.
    pub part: String,
    /// The cause, as a fragment.
    pub cause: String,
}

impl Supervisor {
    /// Starts a thread. Its part dies when `run` panics, or returns an error.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn thread(
        &self,
        part: &str,
        run: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let (supervisor, name) = (self.clone(), part.to_owned());
        let body = move || supervisor.note(&name, catch_unwind(AssertUnwindSafe(run)));
        std::thread::Builder::new().name(part.to_owned()).spawn(body)
    }

    /// Starts a task, likewise. Aborting the task is no death.
    pub fn task(
        &self,
        part: &str,
        run: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        tokio::spawn(self.watched(part, run))
    }

    /// Wraps the future of a task that is started elsewhere, such that its death is reported.
    pub fn watched(
        &self,
        part: &str,
        run: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (supervisor, part) = (self.clone(), part.to_owned());
        async move { supervisor.note(&part, AssertUnwindSafe(run).catch_unwind().await) }
    }

    /// All deaths so far, in their order.
    pub fn deaths(&self) -> Vec<Death> {
        self.lock().clone()
    }

    /// Waits for the first death.
    pub async fn first_death(&self) -> Death {
        let mut count = self.0.count.subscribe();
        loop {
            if let Some(death) = self.lock().first() {
                return death.clone();
            }
            // This cannot fail: `self` holds the sender.
            let _ = count.changed().await;
        }
    }

    fn note(&self, part: &str, ended: Result<Result<(), String>, Box<dyn Any + Send>>) {
        let cause = match ended {
            Ok(Ok(())) => return,
            Ok(Err(cause)) => cause,
            Err(panic) => format!("it panicked: {}", text(&*panic)),
        };
        // Whoever reads the line and asks `/readyz` must find it there.
        self.lock().push(Death { part: part.to_owned(), cause: cause.clone() });
        tracing::error!(part, cause, "a part of the host has died, and the host ends");
        self.0.count.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Death>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message of a panic.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whatever_ends_unasked_is_told() {
        let supervisor = Supervisor::default();
        supervisor.thread("orderly", || Ok(())).unwrap().join().unwrap();
        supervisor.task("aborted", std::future::pending()).abort();
        assert_eq!(supervisor.deaths(), []);

        let waiting = tokio::spawn({
            let supervisor = supervisor.clone();
            async move { supervisor.first_death().await }
        });
        supervisor.task("task", async { panic!("of {}", "a fault") }).await.unwrap();
        let first = Death { part: "task".to_owned(), cause: "it panicked: of a fault".to_owned() };
        assert_eq!(waiting.await.unwrap(), first);
        supervisor.thread("thread", || Err("its socket is gone".to_owned())).unwrap().join().unwrap();
        let second = Death { part: "thread".to_owned(), cause: "its socket is gone".to_owned() };
        assert_eq!(supervisor.deaths(), [first, second]);
    }
}
