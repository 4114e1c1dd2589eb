//! A role in which a plugin makes messages of a message, as a stage of a flow does.

use super::role::Role;
use crate::flow::{Failed, Message, Outputs};
use std::sync::Arc;

/// A role in which a plugin makes messages of a message.
pub trait StageRole: Role<In = Arc<Self::Input>> {
    /// What a call takes, which is shared with it.
    type Input: Clone + Send + Sync;

    /// What a call takes of a message.
    ///
    /// # Errors
    /// When the role has no such messages.
    fn input(message: Message) -> Result<Self::Input, Box<Failed>>;

    /// The message that an input was made of.
    fn message(input: Self::Input) -> Message;

    /// The name of the request that it came by; empty if it came by none.
    fn request_id(input: &Self::Input) -> &str;

    /// The messages that a call gave.
    fn outputs(out: Self::Out) -> Outputs;
}
