//! One record of a capture: a message that came in, or one call of a plugin with all that is known of it.

use super::buckets::Buckets;
use bytes::Bytes;
use prost::{Enumeration, Message};

/// A message that went into a plugin, with the call; or one that came into a flow without plugins.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Record {
    /// The frames of the message, kept apart.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub frames: Vec<Bytes>,
    /// Its metadata, in order.
    #[prost(message, repeated, tag = "2")]
    pub metadata: Vec<Pair>,
    /// The call; none where no plugin was there to be called.
    #[prost(message, optional, tag = "3")]
    pub call: Option<Call>,
}

/// A pair of metadata.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Pair {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A call of a plugin.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Call {
    /// The plugin's name.
    #[prost(string, tag = "1")]
    pub plugin: String,
    /// The generation that served; 0 where none was reached.
    #[prost(uint64, tag = "2")]
    pub generation: u64,
    /// SHA-256 of its component, 32 bytes; empty where none was reached.
    #[prost(bytes = "vec", tag = "3")]
    pub digest: Vec<u8>,
    /// The number of the call, from which its random numbers derive.
    #[prost(uint64, tag = "4")]
    pub number: u64,
    /// How long it took, in nanoseconds, with what it waited for its turn.
    #[prost(uint64, tag = "5")]
    pub nanos: u64,
    /// Which stage of its chain it was for: of the first, 0, the frames are those of the message that came in.
    #[prost(uint32, tag = "6")]
    pub stage: u32,
    /// What the plugin answered, if it did.
    #[prost(message, optional, tag = "7")]
    pub answer: Option<Answer>,
    /// Why it did not.
    #[prost(message, optional, tag = "8")]
    pub failure: Option<CallFailure>,
    /// The role that it was called in.
    #[prost(enumeration = "CallRole", tag = "9")]
    pub role: i32,
    /// What it did with buckets, and was told by them; none if it used none.
    #[prost(message, optional, tag = "10")]
    pub buckets: Option<Buckets>,
}

/// What a plugin answered: any number of messages, none if it filtered the one that came in.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Answer {
    /// In the order in which they leave.
    #[prost(message, repeated, tag = "1")]
    pub outputs: Vec<Output>,
}

/// One message of an answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Output {
    /// How long it waits after the one before it, in nanoseconds.
    #[prost(uint64, tag = "1")]
    pub after_ns: u64,
    /// Its frames.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub frames: Vec<Bytes>,
    /// Its metadata, in order.
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<Pair>,
}

/// Why a call failed.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CallFailure {
    /// What the ledger counts it as.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// The whole error.
    #[prost(string, tag = "2")]
    pub detail: String,
}

/// The roles that a plugin is called in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum CallRole {
    /// Messages, of a component of version 0.1.0 of the contract, which calls it so.
    Transform = 0,
    /// Messages, however they come in, of any other component; and where none was reached.
    Processor = 1,
    /// Requests of the broker's clients.
    Policy = 2,
    /// Requests of HTTP.
    Handler = 3,
}

impl CallRole {
    /// Its word, as `cat` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Processor => "processor",
            Self::Policy => "reply-policy",
            Self::Handler => "http-handler",
        }
    }
}
