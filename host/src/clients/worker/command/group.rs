//! A process with all that it starts: a group of its own, so that signals from the terminal do not reach it, and so that
//! all of it can be killed.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::process::ExitStatus;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// The group, which is killed when this is dropped while its first process has not been waited for.
pub(super) struct Group(Child);

impl Group {
    /// # Errors
    /// When the program cannot be started.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        // If only this process is left of the group, it is waited for all the same.
        command.process_group(0).kill_on_drop(true).spawn().map(Self)
    }

    /// Its ends of the pipes, as far as the first process has any.
    pub(super) fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.0.stdin.take(), self.0.stdout.take(), self.0.stderr.take())
    }

    /// Waits for the first process.
    ///
    /// # Errors
    /// When the system does not let us wait.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // There is no number any more once it was waited for: another process may have it.
        let pid = self.0.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // If all of it has ended there is nobody to kill.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// How a process ended that was to end well, for the user.
pub(super) fn ended_with(status: ExitStatus) -> String {
    format!("it ended with {status}")
}
