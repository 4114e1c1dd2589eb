//! What a worker tells its user.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// What is worth a line.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::clients::worker) enum News {
    /// The host knows the worker; once more, after it was told that it did not.
    Ready { again: bool },
    /// The host is lost, and is tried again after the pause.
    Lost { loss: Loss, pause: Duration },
    /// The command has failed, and gets messages again after the pause.
    Failed { why: String, pause: Duration },
    /// For the first time something came that is no command.
    Malformed,
}

/// How a host is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::clients::worker) enum Loss {
    /// It never said anything.
    Unanswered,
    /// It has said nothing for a while.
    Silent,
    /// It does not read what it is sent.
    Unread,
    /// It has not let the worker in.
    Refused,
    /// It has sent the worker away.
    Disconnected,
    /// It has given more messages than a worker takes.
    TooMany,
}

/// What became of the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that were answered.
    pub answered: u64,
    /// Messages that the command failed at.
    pub failed: u64,
    /// Answers that came when the host that had asked was lost.
    pub late: u64,
    /// What came from the host and was none of its commands.
    pub malformed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.late += other.late;
        self.malformed += other.malformed;
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unanswered => {
                "nothing is heard from it: is the host there, and is this where one of its pools has its workers?"
            }
            Self::Silent => "it has been silent for three heartbeats",
            Self::Unread => "it does not read what it is sent",
            Self::Refused => "it refuses this worker: is --service the name of the pool there?",
            Self::Disconnected => "it has sent DISCONNECT",
            Self::TooMany => "it gives more messages at a time than a worker takes: lower in_flight_per_worker_max",
        })
    }
}
