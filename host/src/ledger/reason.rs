//! Why something was dropped, by the names that it is counted and reported under.

use serde::{Serialize, Serializer};

/// Why something that came in at a hop did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The host gave it up unfinished: the grace period ended, or a part of the host.
    Abandoned,
    /// What the plugin returned is no response of HTTP.
    BadResponse,
    /// Who asked ended the connection before the answer.
    ClientGone,
    /// The client does not read its replies, and its queue is full.
    ClientFull,
    /// The call of the plugin failed; the transform and policy hops say how.
    CallFailed,
    /// The plugin ran longer than its deadline.
    DeadlineExceeded,
    /// A reply was to wait longer than it may.
    DelayTooLong,
    /// No plugin is loaded in the slot.
    EmptySlot,
    /// The plugin returned an error that it calls its own.
    Failed,
    /// The capture has as many bytes as it may.
    FileFull,
    /// The flow has no room for another message, and its source cannot be slowed.
    FlowFull,
    /// The client's key was taken off the list of those that are let in.
    KeyRemoved,
    /// A worker answered after the deadline, or whoever asked had gone.
    Late,
    /// As many dead letters as may wait to be written.
    LettersFull,
    /// An envelope with nothing in it, as a ROUTER sends it to find out who is there.
    NoBody,
    /// A reply, or a message that a plugin returned, had nothing to send.
    NoFrames,
    /// The handler ended without a response.
    NoResponse,
    /// The message has no topic or metadata that the subject of its sink is made of.
    NoSubject,
    /// Nobody subscribes to the message's topic.
    NoSubscriber,
    /// No worker was free in time.
    NoWorker,
    /// JetStream did not acknowledge the message in time; whether it is stored is not known.
    NotAcknowledged,
    /// JetStream refused the message for good: larger than its stream takes, say.
    NotStored,
    /// The collector of traces is away, too slow, or refused the span.
    NotTaken,
    /// The plugin wanted more memory than it may have.
    OverMemory,
    /// The plugin's answer was larger than it may be.
    OverOutput,
    /// The plugin used up its stack.
    OverStack,
    /// The plugin wanted larger tables than it may have.
    OverTable,
    /// The host's own code panicked over it.
    Panicked,
    /// The plugin rests since it kept failing, or is paused as its operator asked.
    Paused,
    /// The queue was full.
    QueueFull,
    /// The plugin said that the input is at fault.
    Rejected,
    /// A plugin failed at it, or it was given up: JetStream delivers it again.
    Returned,
    /// libzmq refused the message for another reason.
    SendFailed,
    /// The host left the call too little of the processor for its deadline.
    Starved,
    /// A subscriber has no room for the message.
    SubscriberFull,
    /// The shadow has ended, or what it was compared with serves no more.
    Superseded,
    /// Larger than the bounds on frames and their number.
    TooLarge,
    /// As many calls of the plugin as may be were running already.
    TooManyCalls,
    /// More messages than a plugin may return for one.
    TooManyMessages,
    /// More replies than one request may have.
    TooManyReplies,
    /// As many replies wait for the client as may.
    TooManyWaiting,
    /// The plugin trapped.
    Trapped,
    /// A worker answered what it had not been asked.
    Unexpected,
    /// The client that the reply is for is no longer connected.
    Unroutable,
    /// The worker that had the message died, went silent or was cut off.
    WorkerLost,
    /// The file took no dead letter, or no record of a capture: its disk is full, say.
    WriteFailed,
}

impl Reason {
    /// The name under which the reason is counted and reported.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::BadResponse => "bad-response",
            Self::ClientGone => "client-gone",
            Self::ClientFull => "client-full",
            Self::CallFailed => "call-failed",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::DelayTooLong => "delay-too-long",
            Self::EmptySlot => "empty-slot",
            Self::Failed => "failed",
            Self::FileFull => "file-full",
            Self::FlowFull => "flow-full",
            Self::KeyRemoved => "key-removed",
            Self::Late => "late",
            Self::LettersFull => "letters-full",
            Self::NoBody => "no-body",
            Self::NoFrames => "no-frames",
            Self::NoResponse => "no-response",
            Self::NoSubject => "no-subject",
            Self::NoSubscriber => "no-subscriber",
            Self::NoWorker => "no-worker",
            Self::NotAcknowledged => "not-acknowledged",
            Self::NotStored => "not-stored",
            Self::NotTaken => "not-taken",
            Self::OverMemory => "over-memory",
            Self::OverOutput => "over-output",
            Self::OverStack => "over-stack",
            Self::OverTable => "over-table",
            Self::Panicked => "panicked",
            Self::Paused => "paused",
            Self::QueueFull => "queue-full",
            Self::Rejected => "rejected",
            Self::Returned => "returned",
            Self::SendFailed => "send-failed",
            Self::Starved => "starved",
            Self::SubscriberFull => "subscriber-full",
            Self::Superseded => "superseded",
            Self::TooLarge => "too-large",
            Self::TooManyCalls => "too-many-calls",
            Self::TooManyMessages => "too-many-messages",
            Self::TooManyReplies => "too-many-replies",
            Self::TooManyWaiting => "too-many-waiting",
            Self::Trapped => "trapped",
            Self::Unexpected => "unexpected",
            Self::Unroutable => "unroutable",
            Self::WorkerLost => "worker-lost",
            Self::WriteFailed => "write-failed",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
