//! What a client that follows events wants, whichever way it said so.

use super::super::Outgoing;
use crate::http::events::Resume;
use bytes::Bytes;

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    Nothing,
    /// It is to be told this.
    Answer(Outgoing),
    Subscribe(Vec<Bytes>, Resume),
    Cancel(Vec<Bytes>),
}
