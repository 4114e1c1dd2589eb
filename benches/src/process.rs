//! A child process that is ended when its handle is dropped.

use std::process::Child;
use std::time::{Duration, Instant};

/// How long a server gets to end after SIGTERM; the host's own grace period is shorter.
const STOP_MAX: Duration = Duration::from_secs(15);

/// Ends the process when it is dropped.
pub struct Process(Child);

impl Process {
    pub fn of(child: Child) -> Self {
        Self(child)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Self(child) = self;
        terminate(child, STOP_MAX);
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Sends SIGTERM, and waits for the end of the process for a limited time.
pub fn terminate(child: &mut Child, wait_max: Duration) {
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM);
    let began = Instant::now();
    // There is nothing to wait on with a timeout, so this polls, often enough to time a stop.
    while began.elapsed() < wait_max && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(1));
    }
}
